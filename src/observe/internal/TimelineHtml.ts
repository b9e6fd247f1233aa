/** The timeline as one page that needs nothing else: no network, no other file, no build. */
import { axisOf } from "./TimelineAxis.ts"
import { isBlock, type Moment, type Row, type Timeline } from "./TimelineModel.ts"
import type { Options } from "./TimelineOptions.ts"
import { toText } from "./TimelineText.ts"
import { awaitedIn, awaitedOf, isGiving, shades } from "./TimelineWaits.ts"
import { duration, type Ending, endingOf, endings, endingWords, escaped, fullError, glyphs, nameOf, oneLine, plural, summaryOf } from "./TimelineWords.ts"
import { controls } from "./ViewerControls.ts"
import { drawing } from "./ViewerDraw.ts"
import { model } from "./ViewerModel.ts"
import { panels } from "./ViewerPanels.ts"
import { state } from "./ViewerState.ts"
import { style } from "./ViewerStyle.ts"
import { tree } from "./ViewerTree.ts"

/** What the page carries: lists instead of objects, and each text once, because there may be 10,000 tasks. */
const dataOf = (timeline: Timeline, title: string, axis: "time" | "order"): unknown => {
  const texts: Array<string> = []
  const places = new Map<string, number>()
  const text = (value: string): number => {
    let place = places.get(value)
    if (place === undefined) {
      places.set(value, place = texts.length)
      texts.push(value)
    }
    return place
  }
  const flat = (moment: Moment | undefined): ReadonlyArray<number | null> => moment === undefined ? [null, null] : [moment.at, moment.step]
  const span = ({ begin, end }: { readonly begin: Moment; readonly end: Moment | undefined }) => [...flat(begin), ...flat(end)]
  const awaited = awaitedIn(timeline)
  const row = (row: Row) => {
    const error = fullError(row)
    return [
      text(row.kind),
      text(nameOf(row)),
      row.parent ?? -1,
      row.startedBy ?? -1,
      error === undefined ? -1 : text(error),
      text(endingOf(row)),
      span(row),
      row.body === undefined ? 0 : span(row.body),
      row.ready === undefined ? 0 : flat(row.ready),
      row.waits.map((wait) => {
        const what = awaitedOf(wait.label)
        return [text(oneLine(wait.label)), text(oneLine(what)), (awaited.get(what) ?? 0) % shades, isGiving(wait.label) ? 1 : 0, ...span(wait)]
      }),
      row.cleanups.map((cleanup) => [text(oneLine(cleanup.what)), ...span(cleanup)])
    ]
  }
  const rows = timeline.rows.map(row)
  const cancels = timeline.cancels.map((cancel) => [
    ...flat(cancel.at),
    cancel.from ?? -1,
    cancel.to,
    text(cancel.source),
    text(oneLine(cancel.message)),
    text(oneLine(cancel.by)),
    cancel.told.map(({ at, row }) => [row, ...flat(at)])
  ])
  return { title, axis, millis: timeline.millis, steps: timeline.steps, texts, rows, cancels }
}

/** In a script element only `</script` and `<!--` mean anything, and both begin with `<`. */
const json = (value: unknown): string => JSON.stringify(value).replaceAll("<", "\\u003c")

const chips = (timeline: Timeline): string => {
  const tasks = timeline.rows.filter((row) => !isBlock(row))
  const counts = new Map<Ending, number>()
  for (const row of tasks) counts.set(endingOf(row), (counts.get(endingOf(row)) ?? 0) + 1)
  return endings.filter((ending) => counts.has(ending)).map((ending) =>
    `<button type="button" data-ending="${ending}" title="Go to the next one"><span class="${ending}" aria-hidden="true">${glyphs[ending]}</span>` +
    `${counts.get(ending)} ${endingWords[ending]}</button>`).join("")
}

const keys: ReadonlyArray<readonly [keys: string, what: string]> = [
  ["/", "search; Enter and Shift Enter go on"],
  ["↑ ↓ ← →", "in the tree: move, close, open"],
  ["Enter", "in the tree: zoom to the row"],
  ["+ - or w s", "zoom; also Ctrl and the wheel"],
  ["a d", "move in time; also drag, or Shift and the wheel"],
  ["0", "all of it"],
  ["o", "time, or order"],
  ["f", "next task that failed"],
  ["n N", "next and previous match"],
  ["c", "table of cancels"],
  ["Esc", "close the panel"]
]

export const toHtml = (timeline: Timeline, options: Options = {}): string => {
  const title = options.title === undefined ? "Timeline" : oneLine(options.title)
  const axis = axisOf(timeline, options.axis).kind
  const tasks = timeline.rows.filter((row) => !isBlock(row)).length
  const about = `${plural(timeline.rows.length - tasks, "block")}, ${plural(tasks, "task")}, ${duration(timeline.millis)}`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="color-scheme" content="light dark">
<title>${escaped(title)} · ${escaped(summaryOf(timeline))}</title>
<style>${style}</style>
<noscript><style>body{overflow:auto}.tools,main,#panel{display:none}</style></noscript>
</head>
<body>
<header>
<h1>${escaped(title)}</h1>
<div id="summary">${escaped(about)} ${chips(timeline)}</div>
<div class="tools" role="toolbar" aria-label="View">
<input id="search" type="search" placeholder="Search names, errors, waits" aria-label="Search names, errors and waits">
<span id="count" role="status"></span>
<span class="group"><button id="previous" type="button" aria-label="Previous match">↑</button><button id="next" type="button" aria-label="Next match">↓</button></span>
<span class="group" role="group" aria-label="Axis"><button id="time" type="button" aria-pressed="true">Time</button><button id="order" type="button" aria-pressed="false">Order</button></span>
<span class="group" role="group" aria-label="Zoom"><button id="out" type="button" aria-label="Zoom out">−</button><button id="fit" type="button">Fit</button><button id="in" type="button" aria-label="Zoom in">+</button></span>
<span class="group" role="group" aria-label="Rows"><button id="fold" type="button">Close all</button><button id="unfold" type="button">Open all</button></span>
<button id="helpButton" type="button" aria-label="Keys">?</button>
</div>
</header>
<main>
<div class="top"><div class="corner" aria-hidden="true">Drag in the strip to move, in the scale to zoom.</div><div class="rulers"><canvas id="ruler" aria-hidden="true"></canvas></div></div>
<div id="scroll"><div id="sizer"><div id="view">
<div id="tree" role="tree" tabindex="0" aria-label="Nurseries and tasks"><div id="rows" role="presentation"></div></div>
<canvas id="plot" aria-hidden="true"></canvas>
<div id="split" role="separator" tabindex="0" aria-orientation="vertical" aria-label="Width of the names" aria-valuemin="90" aria-valuenow="280"></div>
</div></div></div>
</main>
<section id="panel" aria-label="Details">
<div class="tabs" id="tabs" role="tablist"><button id="cancelsTab" type="button" role="tab" aria-controls="cancels">Cancels</button><button id="detailsTab" type="button" role="tab" aria-controls="details">Details</button><button class="close" id="closeTab" type="button" aria-label="Close the panel">✕</button></div>
<div class="pages"><div class="page" id="cancels" role="tabpanel" aria-labelledby="cancelsTab"><div id="cancelTable"><table>
<thead><tr><th class="n">at</th><th>cancelled</th><th>by</th><th>why</th><th>source</th><th class="n">told</th><th class="n">over after</th></tr></thead>
<tbody id="cancelRows"></tbody></table><button id="moreCancels" type="button" hidden>Show more</button></div></div>
<div class="page" id="details" role="tabpanel" aria-labelledby="detailsTab"></div></div>
</section>
<div id="said" class="hidden" aria-live="polite"></div>
<div id="tip" aria-hidden="true"></div>
<dialog id="help" aria-label="Keys"><strong>Keys</strong><dl>${keys.map(([key, what]) => `<dt><kbd>${key}</kbd></dt><dd>${what}</dd>`).join("")}</dl><button id="closeHelp" type="button">Close</button></dialog>
<noscript><pre>${escaped(toText(timeline, { ...options, width: 100, maxRows: 200 }))}</pre></noscript>
<script type="application/json" id="data">${json(dataOf(timeline, title, axis))}</script>
<script>
"use strict"
;(() => {${model}${state}${drawing}${tree}${panels}${controls}})()
</script>
</body>
</html>
`
}
