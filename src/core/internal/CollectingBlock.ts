/** Blocks in which several may fail: they keep every error, and the first one cancels the others. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { type AnyEffect, type AnyExit, Block, isInterruptible, open, Place, reasonNow } from "./Block.ts"
import type { CancelReason } from "./CancelReason.ts"
import { Outcome } from "./Outcome.ts"

export abstract class CollectingBlock extends Block {
  protected readonly outcome = new Outcome()
  /** Why its members were told to stop. */
  protected cancelled: CancelReason | undefined = undefined
  private left: Cause.Cause<any> | undefined = undefined

  /** One of the members has decided the fate of the others. */
  protected cancelSiblings(message: string): void {
    if (this.cancelled !== undefined) return
    const reason = reasonNow("sibling", this.name, message, this)
    this.recorder?.cancelled(this, reason)
    this.cancelMembers(reason)
  }

  // Were the finalizer to fail, Effect would merge its errors into the interrupt:
  // equal ones once, and beside a `Die` every `Fail` as a `Die`.
  protected override leftOver(exit: AnyExit): AnyExit {
    if (exit._tag === "Failure" && !Cause.hasInterruptsOnly(exit.cause)) this.left = exit.cause
    return Exit.void
  }

  /** The cause of an owner that was interrupted, with the errors that were left. */
  withLeft(cause: Cause.Cause<any>): Cause.Cause<any> {
    return this.left === undefined ? cause : Cause.fromReasons([...this.left.reasons, ...cause.reasons])
  }
}

/** Opens such a block. No error is lost or changed, even if Effect interrupts the owner. */
export const openCollecting = (make: () => CollectingBlock): AnyEffect =>
  Effect.withFiber((owner) => {
    const block = make()
    const wait = open(() => block)
    // A member is not interrupted while it waits in a block, and in an
    // uninterruptible region nobody is.
    if (!isInterruptible(owner) || owner.getRef(Place)?.fiber === owner) return wait
    return Effect.uninterruptible(Effect.catchCause(Effect.interruptible(wait), (cause) => Exit.failCause(block.withLeft(cause))))
  })
