/** Colours, patterns and signs of the picture. Colours are never alone: each has a shape or a word with it. */
import type { Ending } from "./TimelineWords.ts"

export interface Scheme {
  readonly card: string
  readonly edge: string
  readonly ink: string
  readonly muted: string
  readonly grid: string
  readonly block: string
  readonly cancel: string
  readonly endings: { readonly [K in Ending]: string }
  readonly waits: ReadonlyArray<string>
}

// Blue-green, orange-red and violet differ in lightness as well, and keep apart under
// the usual kinds of colour blindness.
export const light: Scheme = {
  card: "#ffffff",
  edge: "#d8dee6",
  ink: "#17202b",
  muted: "#5d6978",
  grid: "#e9edf2",
  block: "#5b6a7d",
  cancel: "#6a4bc4",
  endings: { succeeded: "#12899c", failed: "#d1431a", died: "#a01d63", cancelled: "#8c83bd", caught: "#8c83bd", running: "#3b6fd4" },
  waits: ["#d08a0e", "#3f7fe0", "#4d9a3c", "#c2579b", "#94704a", "#7f8c1c"]
}

export const dark: Scheme = {
  card: "#10151c",
  edge: "#2b333e",
  ink: "#e4e9ef",
  muted: "#93a0af",
  grid: "#1d242d",
  block: "#8494a7",
  cancel: "#a990ff",
  endings: { succeeded: "#2fb3c7", failed: "#ff7a4a", died: "#f26fae", cancelled: "#978ecb", caught: "#978ecb", running: "#6d9bf5" },
  waits: ["#e8b04a", "#6ea3f5", "#7cc46a", "#de86bd", "#c09a72", "#b9c64a"]
}

const rules = (scheme: Scheme): string =>
  [
    `.card{fill:${scheme.card};stroke:${scheme.edge}}`,
    `.ink{fill:${scheme.ink}}`,
    `.muted{fill:${scheme.muted}}`,
    `.muted-l{stroke:${scheme.muted}}`,
    `.halo{stroke:${scheme.card}}`,
    `.on{stroke:${scheme.card};fill:none}`,
    `.bg{fill:${scheme.card}}`,
    `.grid{stroke:${scheme.grid}}`,
    `.guide{stroke:${scheme.edge}}`,
    `.box{fill:${scheme.block};stroke:${scheme.block}}`,
    `.rail{stroke:${scheme.block}}`,
    `.c{fill:${scheme.cancel}}`,
    `.cl{stroke:${scheme.cancel}}`,
    ...Object.entries(scheme.endings).map(([ending, colour]) => `.${ending}{fill:${colour}}.${ending}-l{stroke:${colour}}`),
    ...scheme.waits.map((colour, i) => `.w${i}{fill:${colour}}.w${i}-l{stroke:${colour}}`)
  ].map((rule) => rule.replaceAll(/(^|\})\./g, "$1.tl .")).join("")

export const css = [
  ".tl text{font-family:ui-sans-serif,system-ui,-apple-system,\"Segoe UI\",Roboto,Helvetica,Arial,sans-serif;font-size:12px}",
  ".tl .small{font-size:11px}.tl .title{font-size:14px;font-weight:650}.tl .strong{font-weight:600}",
  ".tl .halo{paint-order:stroke;stroke-width:4px;stroke-linejoin:round}",
  ".tl .box{fill-opacity:.05;stroke-opacity:.3}.tl .clear{fill-opacity:0}.tl .lines{fill:none;stroke-linecap:round;stroke-linejoin:round}",
  rules(light),
  `@media(prefers-color-scheme:dark){${rules(dark)}.tl .box{fill-opacity:.08;stroke-opacity:.38}.tl .clear{fill-opacity:0}}`
].join("")

/** Stripes for a wait; they lean the other way for one who gives. */
export const stripes = (id: string, shade: number, giving: boolean): string =>
  `<pattern id="${id}" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(${giving ? -45 : 45})">` +
  `<path class="w${shade}" fill-opacity=".22" d="M0 0h5v5H0z"/><path class="w${shade}-l" stroke-width="1.6" d="M2.5 0v5"/></pattern>`

/** Dots for a cleanup. */
export const dots = (id: string): string =>
  `<pattern id="${id}" width="5" height="5" patternUnits="userSpaceOnUse">` +
  "<path class=\"cancelled\" fill-opacity=\".18\" d=\"M0 0h5v5H0z\"/><circle class=\"cancelled\" cx=\"1.25\" cy=\"1.25\" r=\"1.05\"/>" +
  "<circle class=\"cancelled\" cx=\"3.75\" cy=\"3.75\" r=\"1.05\"/></pattern>"

/** The sign of an ending, around 0,0 and 12 wide. Each has an outline of its own. */
export const badges: { readonly [K in Ending]: string } = {
  succeeded: "<circle class=\"succeeded\" r=\"6\"/><path class=\"on lines\" stroke-width=\"1.7\" d=\"M-2.8.2l2 2 3.6-4.2\"/>",
  failed: "<rect class=\"failed\" x=\"-6\" y=\"-6\" width=\"12\" height=\"12\" rx=\"2.5\"/><path class=\"on lines\" stroke-width=\"1.7\" d=\"M-2.5-2.5l5 5m0-5l-5 5\"/>",
  died: "<path class=\"died\" d=\"M-2.9-7h5.8L7-2.9v5.8L2.9 7h-5.8L-7 2.9v-5.8z\"/><path class=\"on lines\" stroke-width=\"1.9\" d=\"M0-3.8v4M0 3.3v.2\"/>",
  cancelled: "<circle class=\"bg cancelled-l\" r=\"5.2\" stroke-width=\"1.6\"/><path class=\"lines cancelled-l\" stroke-width=\"1.6\" d=\"M-3.5 3.5l7-7\"/>",
  caught: "<circle class=\"bg cancelled-l\" r=\"5.2\" stroke-width=\"1.6\"/><path class=\"lines cancelled-l\" stroke-width=\"1.5\" d=\"M-2.6 0h5m-2-2.2l2.2 2.2-2.2 2.2\"/>",
  running: "<circle class=\"running\" cx=\"-4\" r=\"1.5\"/><circle class=\"running\" r=\"1.5\"/><circle class=\"running\" cx=\"4\" r=\"1.5\"/>"
}
