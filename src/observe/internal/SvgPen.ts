/** What the parts of the picture draw with, and what they tell each other. */
import { type Layout } from "./SvgLayout.ts"
import { badges } from "./SvgStyle.ts"
import type { Cancel, Timeline } from "./TimelineModel.ts"
import { awaitedIn } from "./TimelineWaits.ts"
import { type Ending, escaped } from "./TimelineWords.ts"

export const n = (value: number): string => String(Math.round(value * 10) / 10)

export const text = (x: number, y: number, classes: string, content: string, more = ""): string =>
  `<text x="${n(x)}" y="${n(y)}" class="${classes}"${more}>${escaped(content)}</text>`

/** Ids in the picture: two pictures in one page must not share them. */
const prefixOf = (timeline: Timeline): string => {
  let hash = 2166136261
  const add = (part: string): void => {
    for (let i = 0; i < part.length; i++) hash = Math.imul(hash ^ part.charCodeAt(i), 16777619)
  }
  add(`${timeline.millis} ${timeline.steps}`)
  for (const row of timeline.rows) add(`${row.name} ${row.begin.step} ${row.end?.step}`)
  return `t${(hash >>> 0).toString(36)}`
}

export class Pen {
  readonly timeline: Timeline
  readonly layout: Layout
  readonly prefix: string
  /** A number for each thing that is waited for. */
  readonly awaited: ReadonlyMap<string, number>
  /** By row: the cancellation that it was told of first. */
  readonly toldBy: ReadonlyMap<number, Cancel>
  /** Patterns that are used, by id. */
  readonly defs = new Map<string, string>()
  /** What the legend has to explain. */
  readonly waits = new Map<string, string>()
  bodied = false
  cleaned = false
  readied = false
  /** Cancellations whose reason is written beside their arrow. */
  readonly explained = new Set<Cancel>()

  constructor(timeline: Timeline, layout: Layout) {
    this.timeline = timeline
    this.layout = layout
    this.prefix = prefixOf(timeline)
    this.awaited = awaitedIn(timeline)
    const toldBy = new Map<number, Cancel>()
    for (const cancel of timeline.cancels) {
      for (const { row } of cancel.told) if (!toldBy.has(row)) toldBy.set(row, cancel)
    }
    this.toldBy = toldBy
  }

  /** Defines something once, and gives the id that it has in this picture. */
  use(id: string, def: string): string {
    const full = `${this.prefix}-${id}`
    if (!this.defs.has(full)) this.defs.set(full, def.replace(`id="${id}"`, `id="${full}"`))
    return full
  }

  badge(ending: Ending, x: number, y: number): string {
    // Written out each time: rules of a style sheet do not reach everywhere into what `use` copies.
    return `<g transform="translate(${n(x)} ${n(y)})">${badges[ending]}</g>`
  }
}

/** A deadline. */
export const flag = (x: number, y: number, leftward: boolean): string => {
  const cloth = leftward ? "h-9l2.5 3.2-2.5 3.2h9z" : "h9l-2.5 3.2 2.5 3.2h-9z"
  return `<path class="cl lines" stroke-width="1.4" d="M${n(x)} ${n(y + 6)}v-15"/><path class="c" d="M${n(x)} ${n(y - 9)}${cloth}"/>`
}
