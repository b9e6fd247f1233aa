/** The errors that a job meets. Without Effect, which a thread would take a tenth of a second to load. */
import type { CallFailure } from "./Messages.ts"
import { lineOf } from "./Thrown.ts"

const what = (why: CallFailure | "over", handler: string, cause: unknown): string => {
  switch (why) {
    case "failed":
      return `${handler} failed: ${lineOf(cause)}`
    case "died":
      return `${handler} died: ${lineOf(cause)}`
    case "notOffered":
      return `${handler} is not among the handlers of this run; give it in the options: run(…, { handlers: { ${handler} } })`
    case "notCloneable":
      return `what was to be sent to or from ${handler} cannot be sent: ${lineOf(cause)}`
    case "over":
      return `${handler} has nobody to answer it: the job was cancelled or has ended, or this is no job`
  }
}

/**
 * A call from a job into the loop did not give a value.
 *
 * | `why` | |
 * | --- | --- |
 * | `failed` | the handler failed; `cause` is its error |
 * | `died` | the handler died or was interrupted; `cause` is the defect |
 * | `over` | nobody answers: the caller of the job was cancelled, the job has ended, or no job runs here |
 * | `notOffered` | `run` was given no handler of this name |
 * | `notCloneable` | an argument or the answer cannot be sent |
 *
 * The `cause` was made again from what was sent: it has name, message, stack and
 * fields, above all its `_tag`, but not its class.
 *
 * **Example** (Outside of a job nobody answers)
 *
 * ```ts
 * import { FromThread } from "effect-nursery/node"
 *
 * const loop = FromThread.calls<{ log(line: string): void }>()
 *
 * try {
 *   loop.runSync("log", ["hello"])
 * } catch (error) {
 *   if (error instanceof FromThread.CallError) console.log(`${error.handler}: ${error.why}`)
 * }
 * ```
 *
 * ```text output
 * log: over
 * ```
 *
 * @since 0.1.0
 */
export class CallError extends Error {
  readonly _tag = "CallError"
  readonly why: "failed" | "died" | "over" | "notOffered" | "notCloneable"
  /** The handler that was called. */
  readonly handler: string

  constructor(why: CallFailure | "over", handler: string, cause?: unknown) {
    super(what(why, handler, cause), cause === undefined ? undefined : { cause })
    this.why = why
    this.handler = handler
  }

  override get name(): string {
    return "CallError"
  }
}

/**
 * Thrown in a job that was cancelled, by `checkCancelled`, and the reason of its
 * `signal`. Let it through: whoever ran the job does not wait for anything else.
 *
 * **Example** (The name of the job)
 *
 * ```ts
 * import { FromThread } from "effect-nursery/node"
 *
 * console.log(new FromThread.Cancelled("fib").message)
 * ```
 *
 * ```text output
 * fib was cancelled
 * ```
 *
 * @since 0.1.0
 */
export class Cancelled extends Error {
  readonly _tag = "Cancelled"
  /** The function of the job. */
  readonly job: string

  constructor(job: string) {
    super(`${job} was cancelled`)
    this.job = job
  }

  override get name(): string {
    return "Cancelled"
  }
}
