/** The timeline as text, for a terminal and for those who listen. */
import { columns, cutToColumns, padToColumns } from "./TextWidth.ts"
import { type Axis, axisOf } from "./TimelineAxis.ts"
import { type Line, linesOf, livingOf } from "./TimelineFold.ts"
import { type Cancel, isBlock, type Moment, type Row, type Timeline } from "./TimelineModel.ts"
import { type Options, rowsOption, widthOption } from "./TimelineOptions.ts"
import { storyOf } from "./TimelineStory.ts"
import { countEndings, duration, endingOf, endingWords, glyphs, oneLine, plural, summaryOf, titleOf } from "./TimelineWords.ts"

const alive = "━"
const waiting = "░"
const cleaning = "▒"
const starting = "╌"
const levels = "▁▂▃▄▅▆▇█"

/** More sentences than this are only counted. */
const longestStory = 40
const shownWaits = 12

class Text {
  private readonly timeline: Timeline
  private readonly title: string | undefined
  private readonly width: number
  private readonly axis: Axis
  private readonly lines: ReadonlyArray<Line>
  private readonly heads: ReadonlyArray<string>
  private readonly names: number
  /** Columns of the axis. */
  private readonly plot: number
  private readonly used = new Set<string>()
  private readonly cancelsOf: ReadonlyMap<number, ReadonlyArray<Cancel>>

  constructor(timeline: Timeline, options: Options) {
    this.timeline = timeline
    this.title = options.title
    this.width = widthOption(options.width, 80, 40)
    this.axis = axisOf(timeline, options.axis)
    this.lines = linesOf(timeline, rowsOption(options.maxRows, 60))
    const cancelsOf = new Map<number, Array<Cancel>>()
    for (const cancel of timeline.cancels) {
      const others = cancelsOf.get(cancel.to)
      if (others === undefined) cancelsOf.set(cancel.to, [cancel])
      else others.push(cancel)
    }
    this.cancelsOf = cancelsOf
    this.heads = headsOf(this.lines)
    this.names = Math.min(Math.max(...this.heads.map(columns), 0), Math.floor(this.width * 0.36)) + 1
    const room = this.width - this.names
    const words = this.lines.reduce((most, line) => {
      if (line._tag === "Folded") return most
      const at = this.axis.of(line.row.end ?? { at: timeline.millis, step: timeline.steps }) / this.axis.extent
      return Math.max(most, 2 + columns(endingWords[endingOf(line.row)]) - Math.floor((1 - at) * room * 0.7))
    }, 4)
    this.plot = Math.max(10, room - Math.min(words, Math.floor(room * 0.5)) - 1)
  }

  draw(): string {
    const { timeline, title, width } = this
    const head = title === undefined ? [] : [cutToColumns(oneLine(title), width)]
    head.push(...wrapped(summaryOf(timeline), width, ""))
    if (timeline.rows.length === 0) return head.join("\n")
    const chart = [this.ticks(), ...this.lines.flatMap((line, index) =>
      this.lane(line, this.heads[index]!, (this.lines[index + 1]?.depth ?? 0) > line.depth))]
    const parts = [head, chart, this.story(), this.waits(), this.legend()]
    return parts.filter((part) => part.length > 0).map((part) => part.map((line) => line.trimEnd()).join("\n")).join("\n\n")
  }

  private column(moment: Moment): number {
    return Math.min(Math.round(this.axis.of(moment) / this.axis.extent * this.plot), this.plot)
  }

  private columnOfEnd(moment: Moment | undefined): number {
    return moment === undefined ? this.plot : this.column(moment)
  }

  private ticks(): string {
    const cells = Array.from({ length: this.plot + 12 }, () => " ")
    const write = (at: number, label: string): void => {
      const from = Math.max(0, Math.min(at, this.width - this.names - label.length))
      if (cells.slice(Math.max(0, from - 1), from + label.length + 1).some((cell) => cell !== " ")) return
      for (let i = 0; i < label.length; i++) cells[from + i] = label[i]!
    }
    const at = (tick: number) => Math.round(tick / this.axis.extent * this.plot)
    if (this.axis.kind === "time") write(this.plot, duration(this.axis.extent))
    for (const tick of this.axis.ticks(10 / this.plot)) write(at(tick.at), tick.label)
    return `${padToColumns(this.axis.kind === "time" ? "" : "step", this.names)}${cells.join("")}`
  }

  private lane(line: Line, head: string, isParent: boolean): Array<string> {
    const name = padToColumns(cutToColumns(head, this.names - 1), this.names)
    if (line._tag === "Folded") {
      const indent = " ".repeat(this.names)
      return [`${name}${this.density(line.rows)}`, ...wrapped(indent + countEndings(line.rows), this.width, indent)]
    }
    const { row } = line
    const ending = endingOf(row)
    const hasLanes = isParent && isBlock(row)
    return [cutToColumns(`${name}${hasLanes ? this.rail(row) : this.bar(row)}${glyphs[ending]} ${endingWords[ending]}`, this.width)]
  }

  private bar(row: Row): string {
    const from = this.column(row.begin)
    const to = Math.max(this.columnOfEnd(row.end), from + 1)
    const cells = cellsOf(from, to, alive)
    if (row.ready !== undefined) cells.fill(starting, from, this.column(row.ready))
    this.spans(row, cells, from, to)
    if (isBlock(row)) this.mark(row, cells, from, to)
    return this.joined(cells)
  }

  private rail(row: Row): string {
    const from = this.column(row.begin)
    const to = Math.max(this.columnOfEnd(row.end), from + 2)
    const cells = cellsOf(from, to, "─")
    if (row.body !== undefined) cells.fill("═", this.column(row.body.begin), Math.min(this.columnOfEnd(row.body.end), to))
    this.spans(row, cells, from, to)
    cells[from] = "├"
    cells[to - 1] = row.end === undefined ? "╌" : "┤"
    this.mark(row, cells, from, to - 1)
    return this.joined(cells)
  }

  /** Where a block was cancelled. */
  private mark(row: Row, cells: Array<string>, from: number, to: number): void {
    for (const cancel of this.cancelsOf.get(row.id) ?? []) {
      const at = Math.min(Math.max(this.column(cancel.at), from + 1), to - 1)
      if (at > from) cells[at] = glyphs.cancelled
    }
  }

  private spans(row: Row, cells: Array<string>, from: number, to: number): void {
    const fill = (sign: string, begin: Moment, end: Moment | undefined): void => {
      cells.fill(sign, Math.max(this.column(begin), from), Math.min(this.columnOfEnd(end), to))
    }
    for (const wait of row.waits) fill(waiting, wait.begin, wait.end)
    for (const cleanup of row.cleanups) fill(cleaning, cleanup.begin, cleanup.end)
  }

  private joined(cells: ReadonlyArray<string>): string {
    for (const cell of cells) this.used.add(cell)
    return cells.join("")
  }

  private density(rows: ReadonlyArray<Row>): string {
    const living = livingOf(rows, (row) => this.column(row.begin), (row) => Math.max(this.columnOfEnd(row.end), this.column(row.begin) + 1))
    const most = living.reduce((most, [, count]) => Math.max(most, count), 1)
    const cells = Array.from({ length: this.plot }, () => " ")
    living.forEach(([at, count], index) => {
      if (count > 0) cells.fill(levels[Math.ceil(count / most * 8) - 1]!, at, living[index + 1]?.[0] ?? this.plot)
    })
    return cells.join("")
  }

  private story(): Array<string> {
    const story = storyOf(this.timeline)
    const when = ({ at, step }: Moment) => this.axis.kind === "time" ? duration(at) : `step ${step + 1}`
    const shown = story.slice(0, longestStory)
    const widest = shown.reduce((most, sentence) => Math.max(most, when(sentence).length), 0)
    const lines = shown.flatMap((sentence) =>
      wrapped(`${when(sentence).padStart(widest)}  ${sentence.glyph} ${sentence.text}`, this.width, " ".repeat(widest + 4)))
    if (story.length > shown.length) lines.push(`${" ".repeat(widest + 2)}… and ${plural(story.length - shown.length, "more", "more")}`)
    return lines
  }

  private waits(): Array<string> {
    const total = new Map<string, { readonly row: Row; readonly label: string; millis: number; count: number; open: boolean }>()
    for (const row of this.timeline.rows) {
      for (const { begin, end, label } of row.waits) {
        const key = `${row.id} ${label}`
        let sum = total.get(key)
        if (sum === undefined) total.set(key, sum = { row, label, millis: 0, count: 0, open: false })
        sum.count++
        if (end === undefined) sum.open = true
        else sum.millis += end.at - begin.at
      }
    }
    const sums = [...total.values()].filter((sum) => sum.millis > 0 || sum.open || this.timeline.millis === 0)
    sums.sort((a, b) => Number(b.open) - Number(a.open) || b.millis - a.millis || a.row.id - b.row.id)
    const lines = sums.slice(0, shownWaits).flatMap(({ count, label, millis, open, row }) => {
      const often = count > 1 ? ` in ${plural(count, "wait")}` : ""
      const long = millis > 0 ? ` for ${duration(millis)}` : ""
      return wrapped(`${waiting} ${titleOf(row)} ${open ? "is" : "was"} ${oneLine(label)}${long}${often}`, this.width, "  ")
    })
    if (sums.length > shownWaits) lines.push(`  … and ${plural(sums.length - shownWaits, "more", "more")}`)
    return lines
  }

  private legend(): Array<string> {
    const signs = [
      [alive, "lives"], ["═", "body"], [starting, "not ready yet"], [waiting, "waits"], [cleaning, "told to stop, not ended"]
    ] as const
    const used = signs.filter(([sign]) => this.used.has(sign))
    return used.length < 2 ? [] : wrapped(used.map(([sign, word]) => `${sign} ${word}`).join("   "), this.width, "")
  }
}

const cellsOf = (from: number, to: number, sign: string): Array<string> =>
  Array.from({ length: to }, (_, at) => at < from ? " " : sign)

const headsOf = (lines: ReadonlyArray<Line>): Array<string> => {
  const heads: Array<string> = []
  // For each depth, whether a sibling comes below. Found from the end.
  const below: Array<boolean> = []
  for (let index = lines.length - 1; index >= 0; index--) {
    const line = lines[index]!
    const { depth } = line
    below.length = Math.max(below.length, depth + 1)
    below.fill(false, depth + 1)
    const name = line._tag === "Row"
      ? titleOf(line.row)
      : `… ${plural(line.rows.filter((row) => row.depth === line.rows[0]!.depth).length, "other")}`
    let indent = ""
    // Deep trees would leave no room for names.
    for (let level = Math.max(1, depth - deepest + 1); level < depth; level++) indent += below[level] === true ? "│  " : "   "
    heads[index] = depth === 0 ? name : `${indent}${below[depth] === true ? "├─ " : "└─ "}${name}`
    below[depth] = true
  }
  return heads
}

/** So many levels are indented. */
const deepest = 6

/** Broken at spaces where it is too long, but not before a unit; what follows is indented. */
const wrapped = (text: string, width: number, indent: string): Array<string> => {
  const [first = "", ...words] = text.split(/(?<=\S) (?=\S)(?!(?:ns|µs|ms|s|min|h|d)\b)/)
  const lines: Array<string> = []
  let line = first
  for (const word of words) {
    if (columns(line) + 1 + columns(word) <= width) line += ` ${word}`
    else {
      lines.push(line)
      line = indent + word
    }
  }
  lines.push(line)
  return lines.map((line) => cutToColumns(line, width))
}

export const toText = (timeline: Timeline, options: Options = {}): string => new Text(timeline, options).draw()
