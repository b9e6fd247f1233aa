/** The style sheet of the viewer page. */
import { dark, light, type Scheme } from "./SvgStyle.ts"

const variables = (scheme: Scheme): string =>
  [
    `--card:${scheme.card};--edge:${scheme.edge};--ink:${scheme.ink};--muted:${scheme.muted};--grid:${scheme.grid}`,
    `--block:${scheme.block};--cancel:${scheme.cancel}`,
    ...Object.entries(scheme.endings).map(([ending, colour]) => `--${ending}:${colour}`),
    ...scheme.waits.map((colour, i) => `--w${i}:${colour}`)
  ].join(";")

export const style = `
:root{color-scheme:light dark;${variables(light)};--page:#f5f7fa;--hover:#eef2f7;--selected:#dfe9f8;--found:#fff0b8;--focus:#2563eb}
@media(prefers-color-scheme:dark){:root{${variables(dark)};--page:#0a0e13;--hover:#18202a;--selected:#1d2f4a;--found:#4a3d0c;--focus:#79a8ff}}
*{box-sizing:border-box}
html,body{height:100%;margin:0}
body{display:flex;flex-direction:column;background:var(--page);color:var(--ink);overflow:hidden;
  font:13px/1.4 ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,Helvetica,Arial,sans-serif}
button,input{font:inherit;color:inherit}
button{background:var(--card);border:1px solid var(--edge);border-radius:6px;padding:3px 9px;cursor:pointer}
button:hover{background:var(--hover)}
button[aria-pressed=true]{background:var(--selected)}
:focus-visible{outline:2px solid var(--focus);outline-offset:1px}
header{display:flex;flex-wrap:wrap;align-items:center;gap:8px 14px;padding:10px 14px 8px}
h1{font-size:16px;line-height:1.2;margin:0;max-width:40vw;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
#summary{color:var(--muted);display:flex;flex-wrap:wrap;gap:6px;align-items:center}
#summary button{display:inline-flex;align-items:center;gap:5px;padding:2px 8px;border-radius:99px;color:var(--ink)}
.tools{display:flex;gap:6px;align-items:center;margin-left:auto;flex-wrap:wrap}
.group{display:inline-flex}
.group button{border-radius:0;margin-left:-1px}
.group button:first-child{border-radius:6px 0 0 6px;margin:0}
.group button:last-child{border-radius:0 6px 6px 0}
#search{width:190px;padding:4px 9px;border:1px solid var(--edge);border-radius:6px;background:var(--card)}
#count{color:var(--muted);min-width:56px;font-variant-numeric:tabular-nums}
main{flex:1;min-height:0;display:flex;flex-direction:column;background:var(--card);border-top:1px solid var(--edge)}
.top{display:flex;flex:none;border-bottom:1px solid var(--edge)}
.corner{flex:none;width:var(--names);border-right:1px solid var(--edge);height:66px;padding:7px 10px;color:var(--muted);font-size:11px;overflow:hidden}
.rulers{flex:1;min-width:0;position:relative;height:66px}
.rulers canvas{position:absolute;inset:0;width:100%;height:100%;display:block;touch-action:none}
#scroll{flex:1;min-height:0;overflow-x:hidden;overflow-y:auto;position:relative}
#sizer{position:relative}
#view{position:sticky;top:0;display:flex;overflow:hidden}
#tree{flex:none;width:var(--names);border-right:1px solid var(--edge);position:relative;overflow:hidden;outline-offset:-2px}
#plot{flex:1;min-width:0;display:block;cursor:grab;touch-action:none}
#plot.panning{cursor:grabbing}
#split{position:absolute;top:0;bottom:0;width:7px;margin-left:-4px;left:var(--names);cursor:col-resize;z-index:2}
#split:hover,#split:focus-visible{background:var(--selected)}
.row{position:absolute;left:0;right:0;height:24px;line-height:24px;white-space:nowrap;overflow:hidden;text-overflow:ellipsis;cursor:default;display:flex;align-items:center;padding-right:6px}
.row.hover{background:var(--hover)}
.row.found .name{background:var(--found);border-radius:3px}
.row.selected{background:var(--selected)}
.row .caret{flex:none;width:16px;height:24px;text-align:center;color:var(--muted);cursor:pointer;font-size:10px}
.row .sign{flex:none;width:16px;text-align:center;font-size:12px;font-weight:700}
.row .kind{flex:none;color:var(--muted);font-size:12px;margin:0 5px 0 3px}
.row .name{overflow:hidden;text-overflow:ellipsis;padding:0 2px}
.row .block{font-weight:600}
${Object.keys(light.endings).map((ending) => `.${ending}{color:var(--${ending})}`).join("")}
#tip{position:fixed;z-index:9;pointer-events:none;max-width:min(460px,90vw);background:var(--card);border:1px solid var(--edge);border-radius:8px;padding:8px 11px;
  box-shadow:0 6px 22px rgb(0 0 0/.22);visibility:hidden;white-space:pre-wrap;overflow-wrap:anywhere}
#tip b{display:block}
#tip .muted,.muted{color:var(--muted)}
#panel{flex:none;border-top:1px solid var(--edge);background:var(--card);height:158px;display:flex;flex-direction:column;min-height:34px}
#panel.closed{height:auto}
#panel.closed .pages{display:none}
.tabs{display:flex;gap:4px;padding:5px 10px;border-bottom:1px solid var(--edge);align-items:center}
.tabs button{border-color:transparent;background:none}
.tabs button[aria-selected=true]{background:var(--selected)}
.tabs .close{margin-left:auto}
.pages{flex:1;overflow:auto;min-height:0}
.page{padding:8px 14px}
table{border-collapse:collapse;width:100%;min-width:620px}
th{text-align:left;font-weight:600;color:var(--muted);position:sticky;top:0;background:var(--card)}
th,td{padding:3px 12px 3px 0;vertical-align:top;border-bottom:1px solid var(--grid)}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td{overflow-wrap:anywhere}
td button,dd button{border:0;background:none;padding:0;color:var(--focus);text-align:left}
td button:hover,dd button:hover{text-decoration:underline;background:none}
dl{display:grid;grid-template-columns:max-content 1fr;gap:3px 16px;margin:0}
dt{color:var(--muted)}
dd{margin:0;white-space:pre-wrap;overflow-wrap:anywhere}
dialog{border:1px solid var(--edge);border-radius:10px;background:var(--card);color:var(--ink);padding:18px 22px}
dialog dl{margin:10px 0 14px}
kbd{border:1px solid var(--edge);border-radius:4px;padding:0 5px;font:12px ui-monospace,Menlo,Consolas,monospace}
noscript pre{padding:14px;overflow:auto}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
@media(max-width:700px){h1{max-width:90vw}.tools{margin-left:0}}
`
