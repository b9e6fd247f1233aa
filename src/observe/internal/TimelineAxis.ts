/** The axis of a timeline: time, or the order in which things happened. */
import type { Moment, Timeline } from "./TimelineModel.ts"
import { duration } from "./TimelineWords.ts"

export interface Tick {
  /** Where, from 0 to `extent`. */
  readonly at: number
  readonly label: string
}

export interface Axis {
  readonly kind: "time" | "order"
  /** The length of the axis, in milliseconds or steps; more than 0. */
  readonly extent: number
  readonly of: (moment: Moment) => number
  /** Ticks that are at least this far apart, as a part of the extent. */
  readonly ticks: (apart: number) => ReadonlyArray<Tick>
}

/** A run in which no time passes has only an order. */
export const axisOf = (timeline: Timeline, kind: "time" | "order" | undefined): Axis => {
  if (kind !== undefined && kind !== "time" && kind !== "order") {
    throw new RangeError(`Expected \`axis\` to be "time" or "order", got \`${String(kind)}\` (${typeof kind})`)
  }
  return kind === "order" || timeline.millis === 0 ? orderAxis(timeline) : timeAxis(timeline)
}

const orderAxis = ({ steps }: Timeline): Axis => {
  // Everything that happens in a step is drawn in its middle, so the last one has room behind it.
  const extent = Math.max(steps, 1)
  return {
    kind: "order",
    extent,
    of: (moment) => moment.step + 0.5,
    ticks: (apart) => {
      const step = niceSteps(apart * extent)
      const ticks: Array<Tick> = []
      for (let at = step; at <= extent; at += step) ticks.push({ at: at - 0.5, label: String(at) })
      if (step > 1) ticks.unshift({ at: 0.5, label: "1" })
      return ticks
    }
  }
}

const timeAxis = ({ millis }: Timeline): Axis => ({
  kind: "time",
  extent: millis,
  of: (moment) => moment.at,
  ticks: (apart) => {
    const step = niceMillis(apart * millis)
    const ticks: Array<Tick> = [{ at: 0, label: "0" }]
    for (let i = 1; i * step <= millis; i++) ticks.push({ at: i * step, label: duration(i * step) })
    return ticks
  }
})

const niceSteps = (least: number): number => {
  let size = 1
  for (;;) {
    for (const factor of [1, 2, 5]) if (size * factor >= least) return size * factor
    size *= 10
  }
}

/** The longer units do not count by tens. */
const longSteps = [60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400].map((seconds) => seconds * 1000)

const niceMillis = (least: number): number => {
  if (least > 30_000) {
    const found = longSteps.find((step) => step >= least)
    return found ?? 86_400_000 * niceSteps(least / 86_400_000)
  }
  let size = 1e-6
  for (;;) {
    for (const factor of [1, 2, 5]) if (size * factor >= least) return Number((size * factor).toPrecision(3))
    size *= 10
  }
}
