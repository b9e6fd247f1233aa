import * as Cause from "effect/Cause"
import * as Context from "effect/Context"

/** Where a cancellation came from. */
export type Source = "explicit" | "deadline" | "sibling" | "parent" | "signal" | "shutdown"

/**
 * Why something was cancelled: who did it, from where, and what they said.
 *
 * Every cancel of this library carries one. It is in the `Result` of
 * {@link CancelScope.open}, in the exit of a cancelled task, and
 * {@link CancelScope.reasonOf} finds it in a `Cause`.
 *
 * **Example** (Who, why, when)
 *
 * ```ts
 * import { Effect, Result } from "effect"
 * import { CancelScope } from "effect-nursery"
 *
 * const program = CancelScope.open((scope) => Effect.andThen(scope.cancel("user pressed stop"), Effect.never), { name: "search" })
 * const result = await Effect.runPromise(program)
 *
 * if (Result.isFailure(result)) {
 *   const { by, message, scope, source } = result.failure
 *   console.log({ source, scope, by, message })
 *   console.log(result.failure instanceof CancelScope.CancelReason)
 * }
 * ```
 *
 * ```text output
 * {
 *   source: 'explicit',
 *   scope: 'search',
 *   by: 'main',
 *   message: 'user pressed stop'
 * }
 * true
 * ```
 *
 * @since 0.1.0
 */
export class CancelReason {
  /**
   * - `explicit`: somebody called `cancel`
   * - `deadline`: the scope's time ran out
   * - `sibling`: another task of the same nursery, gather or race failed or won
   * - `parent`: the fiber around the block was interrupted by Effect itself
   * - `signal`: the `AbortSignal` of the scope was aborted, or the process got a signal such as SIGTERM (see `Main`)
   * - `shutdown`: the scope was asked to stop, or its owner ended
   */
  readonly source: Source
  /** The name of the scope or nursery that was cancelled. */
  readonly scope: string
  /** The name of the task that did it; `""` when no task of this library did. */
  readonly by: string
  /** What the canceller said, in words for a person. */
  readonly message: string
  /** When, in milliseconds of the Clock's monotonic time. */
  readonly at: number
  /** The id of the fiber that did it, as Effect's own interrupts carry it. */
  readonly fiberId: number | undefined

  constructor(source: Source, scope: string, by: string, message: string, at: number, fiberId: number | undefined) {
    this.source = source
    this.scope = scope
    this.by = by
    this.message = message
    this.at = at
    this.fiberId = fiberId
  }

  toString(): string {
    const by = this.by === "" ? "" : ` by ${this.by}`
    return `cancelled (${this.source}) in ${this.scope}${by}: ${this.message}`
  }
}

/** The annotation under which an `Interrupt` reason carries its {@link CancelReason}. */
export class ReasonKey extends Context.Service<ReasonKey, CancelReason>()("effect-nursery/CancelReason") {}

/** Makes the `Interrupt` of a task or block that ended because of `reason`. */
export const interruptOf = (reason: CancelReason): Cause.Cause<never> =>
  Cause.annotate(Cause.interrupt(reason.fiberId), Context.make(ReasonKey, reason))
