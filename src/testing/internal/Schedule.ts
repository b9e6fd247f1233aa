/**
 * A schedule: how a run differs from what happens without exploring.
 *
 * A run asks its strategy at every point where things could go on in several
 * ways, and 0 always means "as usual": the task that has been ready longest, no
 * pause, time moves only when nobody is ready. So a schedule is the short list of
 * points at which the answer was not 0, and taking one out of the list is a step
 * towards the usual order. Shrinking does just that.
 */

export interface Deviation {
  /** Which question of the run, counted from 0. */
  readonly at: number
  /** The answer, from 1. */
  readonly choice: number
}

/** Where fibers may be made to pause. */
export type PauseAt =
  /** Between the operations of a running fiber. */
  | "operations"
  /** Also right after it was resumed, when Effect has its result and the program does not yet. */
  | "everywhere"

export interface Schedule {
  readonly deviations: ReadonlyArray<Deviation>
  /** Time may pass also while somebody is ready, as on a busy host. */
  readonly busy: boolean
  readonly pauseAt: PauseAt
  /** Which of the points where somebody could be cancelled. */
  readonly cancelAt: number | undefined
}

export const usualOrder: Schedule = { deviations: [], busy: false, pauseAt: "operations", cancelAt: undefined }

/** Such as `busy cancel=12 3.1 17.2`. Nothing but letters, digits, dots: it is pasted into tests. */
export const toText = (schedule: Schedule): string => {
  const words: Array<string> = []
  if (schedule.busy) words.push("busy")
  if (schedule.pauseAt === "everywhere") words.push("everywhere")
  if (schedule.cancelAt !== undefined) words.push(`cancel=${schedule.cancelAt}`)
  for (const { at, choice } of schedule.deviations) words.push(`${at}.${choice}`)
  return words.length === 0 ? "usual" : words.join(" ")
}

export const fromText = (text: string): Schedule => {
  let { busy, cancelAt, pauseAt } = usualOrder
  const deviations: Array<Deviation> = []
  for (const word of text.trim().split(/\s+/)) {
    const pair = /^(\d+)\.([1-9]\d*)$/.exec(word)
    const cancel = /^cancel=(\d+)$/.exec(word)
    if (word === "busy") busy = true
    else if (word === "everywhere") pauseAt = "everywhere"
    else if (cancel !== null) cancelAt = Number(cancel[1])
    else if (pair !== null) deviations.push({ at: Number(pair[1]), choice: Number(pair[2]) })
    else if (word !== "usual") {
      throw new TypeError(`Expected a schedule as Explore prints it, such as "3.1 17.2", got ${JSON.stringify(text)} (at ${JSON.stringify(word)})`)
    }
  }
  return { deviations, busy, pauseAt, cancelAt }
}
