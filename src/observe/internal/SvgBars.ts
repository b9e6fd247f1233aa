/** The bars of the picture, with what goes on in them. */
import { barHeight, type Lane } from "./SvgLayout.ts"
import { detailsOf, lasted } from "./SvgDetails.ts"
import { n, type Pen, text } from "./SvgPen.ts"
import { dots, stripes } from "./SvgStyle.ts"
import { cutToPixels, pixels } from "./TextWidth.ts"
import { livingOf } from "./TimelineFold.ts"
import { isBlock, type Row } from "./TimelineModel.ts"
import { awaitedOf, isGiving, shades } from "./TimelineWaits.ts"
import { countEndings, type Ending, endingOf, escaped, oneLine, plural } from "./TimelineWords.ts"

export class Bars {
  private readonly pen: Pen

  constructor(pen: Pen) {
    this.pen = pen
  }

  of(lane: Lane): string {
    const { line } = lane
    if (line._tag === "Folded") return this.density(lane, line.rows)
    const { row } = line
    const { layout } = this.pen
    const from = layout.x(row.begin)
    const to = Math.max(layout.endOf(row.end), from)
    const body = lane.box === undefined ? this.whole(row, from, to, lane) : this.rail(row, from, to, lane)
    return `<g><title>${escaped(detailsOf(this.pen, row))}</title>${body}</g>`
  }

  /** A bar that is full: a task, or a block with nothing in it but its body. */
  private whole(row: Row, from: number, to: number, lane: Lane): string {
    const ending = endingOf(row)
    const { y } = lane
    const height = isBlock(row) ? barHeight - 4 : barHeight
    const width = Math.max(to - from, 3)
    const top = y - height / 2
    const shape = `x="${n(from)}" y="${n(top)}" width="${n(width)}" height="${height}" rx="${Math.min(3, width / 2)}"`
    const parts = [`<rect class="${ending}" ${shape}/>`]
    if (row.ready !== undefined) {
      this.pen.readied = true
      const ready = this.pen.layout.x(row.ready)
      const starting = ready - from
      if (starting > 1) parts.push(`<rect class="bg" x="${n(from)}" y="${n(top)}" width="${n(starting)}" height="${height}" rx="3" fill-opacity=".62"/>`)
      parts.push(`<path class="bg ${ending}-l" stroke-width="1.4" d="M${n(ready - 4)} ${n(top - 1)}h8l-4 6z"/>`)
    }
    const inner = this.spans(row, from, to, lane, height)
    if (inner !== "") parts.push(inner, `<rect class="${ending}-l" fill="none" stroke-width="1.2" ${shape}/>`)
    if (row.end === undefined) parts.push(this.torn(to, top, height))
    return parts.join("")
  }

  /** A block with lanes below it: thick while its body runs, thin while it waits for the others. */
  private rail(row: Row, from: number, to: number, lane: Lane): string {
    const { y } = lane
    const end = row.end === undefined ? "" : `M${n(to)} ${n(y - 5)}v10`
    const parts = [`<path class="rail lines" stroke-width="1.4" d="M${n(from)} ${n(y)}H${n(to)}M${n(from)} ${n(y - 5)}v10${end}"/>`]
    if (row.body !== undefined) {
      const begin = this.pen.layout.x(row.body.begin)
      const until = this.pen.layout.endOf(row.body.end)
      if (until - begin >= 1) {
        this.pen.bodied = true
        parts.push(`<path class="rail" stroke-width="5" d="M${n(begin)} ${n(y)}H${n(until)}"/>`)
      }
    }
    parts.push(this.spans(row, from, to, lane, 9))
    if (row.end === undefined) parts.push(this.torn(to, y - 5, 10))
    return parts.join("")
  }

  /** The ragged end of what still runs. */
  private torn(x: number, top: number, height: number): string {
    const step = height / 4
    return `<path class="bg" d="M${n(x + 1)} ${n(top - 1)}h-3l-2 ${n(step + 0.5)} 3 ${n(step)}-3 ${n(step)} 2 ${n(step + 0.5)}h3z"/>`
  }

  /** Waits and cleanups. */
  private spans(row: Row, from: number, to: number, lane: Lane, height: number): string {
    const parts: Array<string> = []
    const top = lane.y - height / 2
    let drawn = -Infinity
    const span = (begin: number, end: number, fill: string, labels: ReadonlyArray<string>, said: string): void => {
      const least = Math.max(end, begin + 1)
      // Thousands of waits may share a pixel.
      if (least - drawn < 0.8) return
      drawn = least
      const shape = `x="${n(begin)}" y="${n(top)}" width="${n(least - begin)}" height="${height}"`
      parts.push(`<g><title>${escaped(said)}</title><rect class="bg" ${shape}/><rect fill="url(#${fill})" ${shape}/>`)
      const room = least - begin - 10
      const shown = labels.find((label) => pixels(label, 10) <= room) ?? (room > 40 ? cutToPixels(labels.at(-1)!, room, 10) : "")
      if (shown !== "") {
        parts.push(text(begin + 5, lane.y + 3.5, "ink halo", shown, " style=\"font-size:10px;stroke-width:3px\""))
      }
      parts.push("</g>")
    }
    for (const wait of row.waits) {
      const what = awaitedOf(wait.label)
      const shade = (this.pen.awaited.get(what) ?? 0) % shades
      const giving = isGiving(wait.label)
      const id = `w${shade}${giving ? "g" : ""}`
      const fill = this.pen.use(id, stripes(id, shade, giving))
      if (!this.pen.waits.has(what)) this.pen.waits.set(what, fill)
      const begin = Math.max(this.pen.layout.x(wait.begin), from)
      const end = Math.min(this.pen.layout.endOf(wait.end), to)
      span(begin, end, fill, [oneLine(wait.label), oneLine(what)], `${oneLine(wait.label)}${lasted(wait.begin.at, wait.end?.at)}`)
    }
    drawn = -Infinity
    for (const cleanup of row.cleanups) {
      if (this.pen.layout.axis.kind === "time" && cleanup.end?.at === cleanup.begin.at) continue
      this.pen.cleaned = true
      const fill = this.pen.use("cleanup", dots("cleanup"))
      span(this.pen.layout.x(cleanup.begin), Math.min(this.pen.layout.endOf(cleanup.end), to), fill, [oneLine(cleanup.what)], `${oneLine(cleanup.what)}${lasted(cleanup.begin.at, cleanup.end?.at)}`)
    }
    return parts.join("")
  }

  /** How many of the rows that are drawn together live, over time. */
  private density(lane: Lane, rows: ReadonlyArray<Row>): string {
    const { layout } = this.pen
    const living = livingOf(rows, (row) => layout.x(row.begin), (row) => layout.endOf(row.end))
    const most = living.reduce((most, [, count]) => Math.max(most, count), 1)
    const base = lane.y + 12
    const perPixel = new Map<number, number>()
    for (const [x, count] of living) {
      const pixel = Math.round(x)
      perPixel.set(pixel, Math.max(perPixel.get(pixel) ?? 0, count))
      // What comes after this pixel begins with what is left in it.
      perPixel.set(pixel + 1, count)
    }
    let path = ""
    for (const [x, count] of [...perPixel].sort((a, b) => a[0] - b[0])) {
      const y = n(base - 24 * count / most)
      path += path === "" ? `M${x} ${n(base)}V${y}` : `H${x}V${y}`
    }
    const said = `${plural(rows.length, "row")}: ${countEndings(rows)}`
    const ending = mostOf(rows)
    return `<g><title>${escaped(said)}</title><path class="${ending}" fill-opacity=".3" d="${path}V${n(base)}z"/>` +
      `<path class="${ending}-l lines" stroke-width="1" d="${path}"/></g>`
  }
}

/** How most of them ended. */
const mostOf = (rows: ReadonlyArray<Row>): Ending => {
  const counts = new Map<Ending, number>()
  for (const row of rows) counts.set(endingOf(row), (counts.get(endingOf(row)) ?? 0) + 1)
  return [...counts].reduce((most, one) => one[1] > most[1] ? one : most)[0]
}
