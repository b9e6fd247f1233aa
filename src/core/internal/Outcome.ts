/**
 * What an exit of one fiber says, read as Trio would read it.
 *
 * A fiber that was interrupted while an error was being cleaned up, or whose
 * cleanup fails, ends in Effect with the error *and* an `Interrupt`. A Trio task
 * ends with the error alone. Blocks need Trio's reading to decide who absorbs a
 * cancellation: the error is what came out, and the `Interrupt` beside it is
 * only Effect's note that the fiber had also been told to stop. An `Interrupt`
 * counts beside errors only if a block inside collected it from a task of its
 * own, which {@link mixed} marks.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Exit from "effect/Exit"

/** Marks an `Interrupt` that stands for a cancelled task beside failed ones. */
class Collected extends Context.Service<Collected, true>()("effect-nursery/Collected") {}

const collectedInterrupt = /* @__PURE__ */ (() => {
  const annotated = Cause.annotate(Cause.interrupt(), Context.make(Collected, true))
  return annotated.reasons[0]! as Cause.Interrupt
})()

/** Collects the failures of several fibers, in order of arrival. */
export class Outcome {
  errors: Array<Cause.Fail<unknown> | Cause.Die> | undefined = undefined
  cancelled = false

  /** Takes in one exit. Returns whether it brought an error. */
  add(exit: Exit.Exit<unknown, unknown>, clone?: (reason: Cause.Fail<unknown> | Cause.Die) => Cause.Fail<unknown> | Cause.Die): boolean {
    if (exit._tag === "Success") return false
    const reasons = exit.cause.reasons
    let failed = false
    let interrupted = false
    let collected = false
    for (let i = 0; i < reasons.length; i++) {
      const reason = reasons[i]!
      if (reason._tag === "Interrupt") {
        interrupted = true
        if (reason.annotations.has(Collected.key)) collected = true
      } else {
        failed = true
        const kept = clone === undefined ? reason : clone(reason)
        if (this.errors === undefined) this.errors = [kept]
        else this.errors.push(kept)
      }
    }
    if (failed ? collected : interrupted) this.cancelled = true
    return failed
  }

  /** Errors, and beside them a cancellation that nobody has absorbed yet. */
  isMixed(exit: Exit.Exit<unknown, unknown>): boolean {
    return this.add(exit) && this.cancelled
  }

  /** The errors as a cause, with a mark if a cancellation goes on beside them. */
  cause(withCancellation: boolean): Cause.Cause<unknown> {
    return Cause.fromReasons<unknown>(withCancellation ? [...this.errors!, collectedInterrupt] : this.errors!)
  }
}
