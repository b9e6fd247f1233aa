/** What a nursery of promises is rejected with, and what it aborts signals with. */
import type { CancelReason } from "../../core/CancelScope.ts"

/**
 * What one task was rejected with.
 *
 * @since 0.1.0
 */
export interface Failure {
  /** The name of the task; `"body"` for the body. */
  readonly task: string
  readonly error: unknown
}

/**
 * The body of a nursery, or tasks of it, were rejected: an `AggregateError` of all
 * errors in the order in which they came, also when there is only one.
 *
 * **Example** (Both errors)
 *
 * ```ts
 * import { nursery, NurseryFailed } from "effect-nursery/promise"
 *
 * try {
 *   await nursery(async (n) => {
 *     n.start(async () => { throw new Error("no milk") }, { name: "tea" })
 *     n.start(async () => { throw new Error("no flour") }, { name: "cake" })
 *   }, { name: "breakfast" })
 * } catch (error) {
 *   if (!(error instanceof NurseryFailed)) throw error
 *   console.log(error.message)
 *   console.log(error.failures.map(({ task }) => task))
 * }
 * ```
 *
 * ```text output
 * 2 failures in breakfast
 *   tea: Error: no milk
 *   cake: Error: no flour
 * [ 'tea', 'cake' ]
 * ```
 *
 * @since 0.1.0
 */
export class NurseryFailed extends AggregateError {
  readonly _tag = "NurseryFailed"
  readonly nursery: string
  /** The errors with the tasks that they came from. */
  readonly failures: ReadonlyArray<Failure>
  /** The names of those who ignored their signals for a while. */
  readonly ignored: ReadonlyArray<string>

  constructor(nursery: string, failures: ReadonlyArray<Failure>, ignored: ReadonlyArray<string>) {
    super(failures.map(({ error }) => error), messageOf(nursery, failures, ignored))
    this.name = "NurseryFailed"
    this.nursery = nursery
    this.failures = failures
    this.ignored = ignored
  }
}

/** Any value as text, also one that does not want to be. */
export const wordsOf = (value: unknown): string => {
  try {
    return String(value)
  } catch {
    return Object.prototype.toString.call(value)
  }
}

const messageOf = (nursery: string, failures: ReadonlyArray<Failure>, ignored: ReadonlyArray<string>): string => {
  const lines = failures.map(({ error, task }) => `${task}: ${wordsOf(error).replaceAll("\n", "\n  ")}`)
  if (ignored.length > 0) lines.push(`(ignored the signal: ${ignored.join(", ")})`)
  return [`${failures.length === 1 ? "1 failure" : `${failures.length} failures`} in ${nursery}`, ...lines].join("\n  ")
}

/**
 * What the signal of a task is aborted with when its nursery cancels it: an error of
 * the name `AbortError`, with the reason.
 *
 * **Example** (Why it was stopped)
 *
 * ```ts
 * import { Cancelled, nursery } from "effect-nursery/promise"
 *
 * const music = (signal: AbortSignal) =>
 *   new Promise<void>((resolve) => {
 *     signal.addEventListener("abort", () => {
 *       if (signal.reason instanceof Cancelled) console.log(signal.reason.reason.message)
 *       resolve()
 *     }, { once: true })
 *   })
 *
 * await nursery(async (n) => {
 *   n.start(music)
 *   n.cancelTasks("the guests have left")
 * })
 * ```
 *
 * ```text output
 * the guests have left
 * ```
 *
 * @since 0.1.0
 */
export class Cancelled extends Error {
  readonly _tag = "Cancelled"
  readonly reason: CancelReason

  constructor(reason: CancelReason) {
    super(reason.toString())
    this.name = "AbortError"
    this.reason = reason
  }
}
