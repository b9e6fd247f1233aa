/** Makes a failing schedule as short as it gets. */
import type { Deviation, Schedule } from "./Schedule.ts"

const mostAttempts = 3000

/**
 * Takes away deviations (delta debugging: first halves, then quarters, down to
 * single ones), then makes the answers that are left smaller. `fails` runs a
 * schedule and returns what that run really deviated in, or `undefined` when it
 * does not fail in the same way.
 */
export const shrink = (first: Schedule, fails: (schedule: Schedule) => ReadonlyArray<Deviation> | undefined): Schedule => {
  let best = first
  let attempts = 0
  const attempt = (schedule: Schedule): boolean => {
    if (attempts++ >= mostAttempts) return false
    const deviations = fails(schedule)
    if (deviations === undefined) return false
    // Answers that were never asked for fall away by themselves.
    best = { ...schedule, deviations }
    return true
  }
  const without = (from: number, count: number): Schedule => ({ ...best, deviations: best.deviations.toSpliced(from, count) })

  if (best.busy) attempt({ ...best, busy: false })
  for (let before = -1; before !== best.deviations.length;) {
    before = best.deviations.length
    for (let size = Math.max(best.deviations.length, 1); size >= 1; size = Math.floor(size / 2)) {
      // From the end: what comes after the failure's cause does not move the questions before it.
      for (let from = best.deviations.length - size; from > -size; from -= size) attempt(without(Math.max(from, 0), size))
    }
  }
  for (let i = 0; i < best.deviations.length; i++) {
    const { at, choice } = best.deviations[i]!
    for (let smaller = 1; smaller < choice; smaller++) {
      if (attempt({ ...best, deviations: best.deviations.with(i, { at, choice: smaller }) })) break
    }
  }
  return best
}
