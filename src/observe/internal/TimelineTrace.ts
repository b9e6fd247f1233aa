/**
 * The timeline in the Trace Event Format of Chrome, which https://ui.perfetto.dev opens, too.
 *
 * The slices of one track must lie in each other, and never overlap in part. So a
 * task has a track of its own, with what it waits for and the blocks that it opens
 * as slices in its slice; what does not fit goes on a track below.
 */
import { type Axis, axisOf } from "./TimelineAxis.ts"
import { type Cancel, isBlock, type Moment, type Row, type Timeline } from "./TimelineModel.ts"
import type { Options } from "./TimelineOptions.ts"
import { cancelText, endingOf, endingWords, fullError, oneLine, titleOf } from "./TimelineWords.ts"

type Args = { readonly [key: string]: string | number }

/** `X`: a slice, `i`: an instant, `s` and `f`: the ends of an arrow, `M`: a name. */
interface TraceEvent {
  readonly ph: "X" | "i" | "s" | "f" | "M"
  readonly name: string
  readonly cat?: string
  readonly pid: number
  readonly tid: number
  readonly ts?: number
  readonly dur?: number
  readonly id?: number
  readonly bp?: "e"
  readonly s?: "t"
  readonly args?: Args
}

interface Slice {
  /** The slice that it is in, and whose track it prefers. */
  readonly parent: Slice | undefined
  readonly name: string
  readonly cat: string
  readonly args: Args
  ts: number
  end: number
  /** The order in which slices that begin at one time lie in each other. */
  readonly level: number
  track: Track | undefined
}

interface Track {
  readonly tid: number
  /** The slices that are open where it stands now. */
  readonly open: Array<Slice>
}

/** What goes on one track, if it fits. */
interface Home {
  readonly name: string
  readonly slices: Array<Slice>
}

const pid = 1

/** In microseconds. What takes no time is as long as this, or arrows would not find it. */
const shortest = 0.001

const rounded = (micros: number): number => Math.round(micros * 1e3) / 1e3

class Trace {
  private readonly timeline: Timeline
  private readonly axis: Axis
  private readonly title: string
  private readonly events: Array<TraceEvent> = []
  private readonly homes: Array<Home> = []
  private readonly homeOf: Array<Home> = []
  private readonly sliceOf: Array<Slice> = []
  private tracks = 0

  constructor(timeline: Timeline, options: Options) {
    this.timeline = timeline
    this.axis = axisOf(timeline, options.axis)
    this.title = options.title === undefined ? "timeline" : oneLine(options.title)
  }

  draw(): string {
    this.name("process_name", 0, { name: this.title })
    for (const row of this.timeline.rows) this.row(row)
    for (const home of this.homes) this.lay(home)
    for (const cancel of this.timeline.cancels) this.cancel(cancel)
    const lines = this.events.map((event) => JSON.stringify(event))
    return `{"displayTimeUnit":"ms","traceEvents":[\n${lines.join(",\n")}\n]}\n`
  }

  private name(name: string, tid: number, args: Args): void {
    this.events.push({ ph: "M", name, pid, tid, args })
  }

  // A step of the order is one millisecond long.
  private ts(moment: Moment): number {
    return rounded((this.axis.kind === "time" ? moment.at : moment.step) * 1e3)
  }

  private slice(home: Home, parent: Slice | undefined, begin: Moment, end: Moment | undefined, name: string, cat: string, args: Args): Slice {
    const until = this.ts(end ?? { at: this.timeline.millis, step: this.timeline.steps })
    const at = this.ts(begin)
    // What takes no time ends at its moment, as others do that end then: at the very
    // end of what it is in it would stand out, and an arrow to one of them would have to go back in time.
    const ts = parent !== undefined
      ? Math.min(at, Math.max(parent.ts, rounded(parent.end - shortest)))
      : until <= at ? Math.max(0, rounded(at - shortest)) : at
    const level = parent === undefined ? 0 : parent.level + 1
    const slice: Slice = { parent, name, cat, args, ts, end: Math.max(until, rounded(ts + shortest)), level, track: undefined }
    home.slices.push(slice)
    return slice
  }

  private row(row: Row): void {
    const isTask = !isBlock(row)
    const around = row.parent === undefined || isTask ? undefined : this.sliceOf[row.parent]
    let home = around === undefined ? undefined : this.homeOf[row.parent!]
    if (home === undefined) this.homes.push(home = { name: titleOf(row), slices: [] })
    const slice = this.slice(home, around, row.begin, row.end, titleOf(row), row.kind, this.argsOf(row))
    this.homeOf[row.id] = home
    this.sliceOf[row.id] = slice
    const of = titleOf(row)
    for (const { begin, end, label } of row.waits) this.slice(home, slice, begin, end, oneLine(label), "wait", { of })
    for (const { begin, end, what } of row.cleanups) this.slice(home, slice, begin, end, oneLine(what), "cleanup", { of })
  }

  private argsOf(row: Row): Args {
    const { rows } = this.timeline
    const error = fullError(row)
    return {
      kind: row.kind,
      outcome: endingWords[endingOf(row)],
      ...(error === undefined ? {} : { error }),
      ...(row.parent === undefined ? {} : { in: titleOf(rows[row.parent]!) }),
      ...(row.startedBy === undefined ? {} : { startedBy: titleOf(rows[row.startedBy]!) }),
      ...(row.ready === undefined ? {} : { readyAfterMillis: row.ready.at - row.begin.at })
    }
  }

  private lay(home: Home): void {
    const tracks: Array<Track> = []
    const add = (): Track => {
      const track: Track = { tid: ++this.tracks, open: [] }
      tracks.push(track)
      this.name("thread_name", track.tid, { name: home.name })
      this.name("thread_sort_index", track.tid, { sort_index: track.tid })
      return track
    }
    add()
    const sorted = home.slices.sort((a, b) => a.ts - b.ts || a.level - b.level || b.end - a.end)
    for (const slice of sorted) {
      const own = slice.parent?.track
      const candidates = own === undefined ? tracks : [own, ...tracks.filter((track) => track !== own)]
      const track = slice.track = candidates.find((track) => fits(track, slice)) ?? add()
      track.open.push(slice)
      const { args, cat, end, name, ts } = slice
      this.events.push({ ph: "X", name, cat, pid, tid: track.tid, ts, dur: rounded(end - ts), args })
    }
  }

  private cancel(cancel: Cancel): void {
    const name = `cancel: ${cancelText(cancel)}`
    const ts = this.ts(cancel.at)
    const target = this.sliceOf[cancel.to]!
    const args = { source: cancel.source, message: oneLine(cancel.message), told: cancel.told.length }
    this.events.push({ ph: "i", s: "t", name, cat: "cancel", pid, tid: target.track!.tid, ts, args })
    if (cancel.from === undefined) return
    const from = this.sliceOf[cancel.from]!
    for (const told of cancel.told) {
      const to = this.sliceOf[told.row]!
      if (to.track === from.track) continue
      // An arrow begins and ends inside of slices, and most of these end right here.
      const begin = rounded(Math.max(from.ts, Math.min(ts, from.end - shortest, to.end - shortest)))
      const end = rounded(Math.max(begin, Math.min(this.ts(told.at), to.end - shortest)))
      if (end >= to.end) continue
      const id = ++this.arrows
      this.events.push(
        { ph: "s", id, name, cat: "cancel", pid, tid: from.track!.tid, ts: begin },
        { ph: "f", bp: "e", id, name, cat: "cancel", pid, tid: to.track!.tid, ts: end }
      )
    }
  }

  private arrows = 0
}

const fits = ({ open }: Track, slice: Slice): boolean => {
  while (open.length > 0 && open.at(-1)!.end <= slice.ts) open.pop()
  return open.length === 0 || open.at(-1)!.end >= slice.end
}

export const toTrace = (timeline: Timeline, options: Options = {}): string => new Trace(timeline, options).draw()
