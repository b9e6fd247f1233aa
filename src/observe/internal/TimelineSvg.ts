/** The timeline as a picture. */
import { Arrows } from "./SvgArrows.ts"
import { Bars } from "./SvgBars.ts"
import { detailsOf } from "./SvgDetails.ts"
import { badgeRoom, boldness, fontSize, type Lane, type Layout, layoutOf, margin, smallSize } from "./SvgLayout.ts"
import { legendOf } from "./SvgLegend.ts"
import { n, Pen, text } from "./SvgPen.ts"
import { css } from "./SvgStyle.ts"
import { cutToPixels, pixels } from "./TextWidth.ts"
import { isBlock, type Row, type Timeline } from "./TimelineModel.ts"
import { type Options, rowsOption, widthOption } from "./TimelineOptions.ts"
import { storyOf } from "./TimelineStory.ts"
import {
  cancelText, countEndings, duration, type Ending, endingOf, endingText, endingWords, escaped, kindWord, nameOf, oneLine, plural, summaryOf
} from "./TimelineWords.ts"

class Picture {
  private readonly timeline: Timeline
  private readonly layout: Layout
  private readonly pen: Pen
  private readonly title: string | undefined

  constructor(timeline: Timeline, options: Options) {
    this.timeline = timeline
    this.title = options.title
    this.layout = layoutOf(timeline, {
      ...(options.axis === undefined ? {} : { axis: options.axis }),
      width: widthOption(options.width, 880, 320),
      maxRows: rowsOption(options.maxRows, 120)
    })
    this.pen = new Pen(timeline, this.layout)
  }

  draw(): string {
    const { layout, pen, timeline } = this
    const { prefix } = pen
    const drawnBars = new Bars(pen)
    const clip = pen.use("names", `<clipPath id="names"><path d="M0 0H${n(layout.gutter + 8)}V${n(layout.bottom)}H0z"/></clipPath>`)
    const boxes = layout.lanes.map((lane) => this.box(lane)).join("")
    const grid = this.grid()
    const guides = this.guides()
    const names = layout.lanes.map((lane) => this.name(lane)).join("")
    const bars = layout.lanes.map((lane) => drawnBars.of(lane)).join("")
    // Where something was cancelled its end is written first, and then the reason beside it.
    const targets = new Set(timeline.cancels.map((cancel) => layout.laneOf.get(cancel.to)!).filter((lane) => lane.box !== undefined))
    const ends = new Map<Lane, string>()
    for (const lane of targets) ends.set(lane, this.end(lane))
    const arrows = new Arrows(pen).all()
    for (const lane of layout.lanes) if (!targets.has(lane)) ends.set(lane, this.end(lane))
    const labels = layout.lanes.map((lane) => ends.get(lane)!).join("")
    const legend = legendOf(pen, layout.bottom + 14)
    const height = layout.lanes.length === 0 ? 96 : Math.ceil(legend.bottom + margin - 4)
    const story = storyOf(timeline).slice(0, 40).map(({ at, text }) => `${duration(at)}: ${text}.`).join(" ")
    return [
      `<svg xmlns="http://www.w3.org/2000/svg" class="tl" width="${layout.width}" height="${height}" viewBox="0 0 ${layout.width} ${height}"` +
      ` role="img" aria-labelledby="${prefix}-t ${prefix}-d">`,
      `<title id="${prefix}-t">${escaped(this.title === undefined ? "Timeline" : oneLine(this.title))}: ${escaped(summaryOf(timeline))}</title>`,
      `<desc id="${prefix}-d">${escaped(story)}</desc>`,
      `<style>${css}</style>`,
      `<defs>${[...pen.defs.values()].join("")}</defs>`,
      `<rect class="card" x=".5" y=".5" width="${layout.width - 1}" height="${height - 1}" rx="10"/>`,
      this.head(),
      layout.lanes.length === 0
        ? text(margin, 66, "muted", "No nursery, scope or task ran while this was recorded.")
        : `${grid}${boxes}${guides}<g clip-path="url(#${clip})">${names}</g><g>${bars}</g><g>${arrows}</g><g>${labels}</g>${legend.svg}`,
      "</svg>\n"
    ].join("\n")
  }

  private head(): string {
    const room = this.layout.width - 2 * margin
    const summary = summaryOf(this.timeline)
    if (this.title === undefined) return text(margin, 27, "muted", cutToPixels(summary, room, fontSize))
    const title = cutToPixels(oneLine(this.title), room * 0.55, 15)
    const rest = cutToPixels(summary, room - pixels(title, 15) - 12, fontSize)
    // One text, so that the words keep apart in every font.
    return `<text x="${margin}" y="27"><tspan class="ink title">${escaped(title)}</tspan><tspan class="muted" dx="12">${escaped(rest)}</tspan></text>`
  }

  private grid(): string {
    const { axis, bottom, left, right, top } = this.layout
    const scale = (right - left) / axis.extent
    const ticks = axis.ticks(Math.min((axis.kind === "time" ? 72 : 26) / (right - left), 1))
    const y = top - 8
    // The end of the run is always on the axis.
    const last = axis.kind === "time" ? duration(axis.extent) : undefined
    const lastFrom = last === undefined ? Infinity : right - pixels(last, smallSize) / 2 - 14
    const parts = ticks.map(({ at, label }) => {
      const x = left + at * scale
      const width = pixels(label, smallSize) / 2
      const said = x + width > lastFrom && label !== last ? "" : text(x, y, "muted small", label, " text-anchor=\"middle\"")
      return `<path class="grid" d="M${n(x)} ${n(top - 2)}V${n(bottom)}"/>${said}`
    })
    if (last !== undefined && ticks.at(-1)?.label !== last) {
      parts.push(`<path class="grid" d="M${n(right)} ${n(top - 2)}V${n(bottom)}"/>${text(right, y, "ink small", last, " text-anchor=\"middle\"")}`)
    }
    const unit = axis.kind === "time" ? "" : text(margin, y, "muted small", "step")
    return `<g>${parts.join("")}${unit}</g>`
  }

  private box(lane: Lane): string {
    if (lane.box === undefined || lane.line._tag === "Folded") return ""
    const { bottom, level, pad, top } = lane.box
    const { row } = lane.line
    const from = this.layout.x(row.begin) - pad
    const to = this.layout.endOf(row.end) + pad
    const dashes = row.kind === "nursery" || row.kind === "gather" || row.kind === "race" ? "" : " stroke-dasharray=\"3 3\""
    // Shades add up; below a few levels the line has to do.
    return `<rect class="box${level > 5 ? " clear" : ""}" x="${n(from)}" y="${n(top)}" width="${n(to - from)}" height="${n(bottom - top)}" rx="5"${dashes}/>`
  }

  /** The lines of the tree, left of the names. */
  private guides(): string {
    const { indent, lanes } = this.layout
    if (indent < 7) return ""
    const open: Array<{ readonly depth: number; readonly y: number; last: number }> = []
    const paths: Array<string> = []
    const close = (depth: number): void => {
      while (open.length > 0 && open.at(-1)!.depth >= depth) {
        const { last, y, depth } = open.pop()!
        if (last > y) paths.push(`M${n(margin + depth * indent + 3)} ${n(y + 9)}V${n(last)}`)
      }
    }
    for (const { line, y } of lanes) {
      close(line.depth)
      if (open.length > 0) {
        open.at(-1)!.last = y
        const x = margin + (line.depth - 1) * indent + 3
        paths.push(`M${n(x)} ${n(y)}h${n(indent - 6)}`)
      }
      open.push({ depth: line.depth, y, last: 0 })
    }
    close(0)
    return `<path class="guide" fill="none" d="${paths.join("")}"/>`
  }

  private name({ line, y }: Lane): string {
    const { gutter, indent } = this.layout
    const x = margin + line.depth * indent
    const base = y + 4
    if (line._tag === "Folded") {
      const tops = line.rows.filter((row) => row.depth === line.rows[0]!.depth).length
      return text(x, base, "muted", cutToPixels(`${plural(tops, "other")} …`, gutter - x, fontSize))
    }
    const { row } = line
    const kind = kindWord(row)
    const name = nameOf(row)
    const kindText = kind === "" ? "" : cutToPixels(kind, gutter - x, smallSize)
    const after = kindText === "" ? 0 : pixels(kindText, smallSize) + 4
    const nameText = cutToPixels(name, gutter - x - after, isBlock(row) ? fontSize * boldness : fontSize)
    const kindSpan = kindText === "" ? "" : `<tspan class="muted small">${escaped(kindText)}</tspan>`
    const gap = kindText === "" || nameText === "" ? "" : " "
    const nameSpan = nameText === "" ? "" : `<tspan class="${isBlock(row) ? "ink strong" : "ink"}">${escaped(gap + nameText)}</tspan>`
    return `<g><title>${escaped(detailsOf(this.pen, row))}</title><text x="${n(x)}" y="${n(base)}">${kindSpan}${nameSpan}</text></g>`
  }

  /** The sign and the words at the end of a lane. */
  private end(lane: Lane): string {
    const { layout } = this
    const { line, y } = lane
    const edge = layout.width - margin
    if (line._tag === "Folded") {
      const said = countEndings(line.rows)
      const begin = layout.left + 6
      return text(begin, y + 4, "ink small halo", cutToPixels(said, edge - begin, smallSize))
    }
    const { row } = line
    const ending = endingOf(row)
    const pad = lane.box === undefined ? 0 : 2
    const x = Math.max(layout.endOf(row.end), layout.x(row.begin) + 3) + 11 + pad
    const said = this.endLabel(row, ending)
    const begin = x + badgeRoom / 2
    const label = shortened(said, endingWords[ending], edge - begin)
    lane.taken.push([x - 10, begin + pixels(label, smallSize) + 6])
    const colour = ending === "failed" || ending === "died" ? ending : "muted"
    return this.pen.badge(ending, x, y) + (label === "" ? "" : text(begin, y + 4, `${colour} small halo`, label))
  }

  private endLabel(row: Row, ending: Ending): string {
    const cancel = this.pen.toldBy.get(row.id)
    if (ending !== "cancelled" || cancel === undefined || this.pen.explained.has(cancel)) return endingText(row)
    return `${endingText(row)}: ${cancelText(cancel)}`
  }
}

/** The whole, as much of it as says something, or the first word. */
const shortened = (whole: string, word: string, room: number): string => {
  const cut = cutToPixels(whole, room, smallSize)
  return cut.length > word.length + 6 || cut === whole ? cut : cutToPixels(word, room, smallSize)
}

export const toSvg = (timeline: Timeline, options: Options = {}): string => new Picture(timeline, options).draw()
