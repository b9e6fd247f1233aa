/** What is waited for, so that all waits for one thing look the same. */
import type { Timeline } from "./TimelineModel.ts"

/** As the primitives of the core begin their labels. Longer ones first. */
const verbs = [
  "waiting for a token of ", "waiting for room in ", "waiting for the tasks of ", "waiting for the end of ",
  "waiting for ", "receiving from ", "sending to ", "publishing to "
]

/** What a wait is for: of `receiving from channel orders` it is `channel orders`. */
export const awaitedOf = (label: string): string => {
  const verb = verbs.find((verb) => label.startsWith(verb))
  return verb === undefined ? label : label.slice(verb.length)
}

/** It waits to get rid of something: the stripes lean the other way. */
export const isGiving = (label: string): boolean => label.startsWith("sending ") || label.startsWith("publishing ")

/** How many shades there are; after that they are used again. */
export const shades = 6

/** A number for each thing that is waited for, in the order in which they are first waited for. */
export const awaitedIn = (timeline: Timeline): ReadonlyMap<string, number> => {
  const first = new Map<string, number>()
  for (const row of timeline.rows) {
    for (const wait of row.waits) {
      const what = awaitedOf(wait.label)
      first.set(what, Math.min(first.get(what) ?? Infinity, wait.begin.step))
    }
  }
  const sorted = [...first].sort((a, b) => a[1] - b[1] || (a[0] < b[0] ? -1 : 1))
  return new Map(sorted.map(([what], index) => [what, index]))
}
