/** What a recorder is told of a running program. The classes that fit these views stand in Block.ts and Wait.ts. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { CancelReason } from "./CancelReason.ts"

/** A nursery, scope, gather, race … that is open. */
export interface BlockView {
  readonly kind: "nursery" | "scope" | "shield" | "timeout" | "gather" | "race" | "start"
  readonly name: string
  /** The task or body that opened it; `undefined` at the root of a program. */
  readonly parent: MemberView | undefined
  /** It was cancelled, and absorbed that: what came out of it goes on without the cancellation. */
  readonly cancelledCaught: boolean
}

/** A task, or the body of a block. */
export interface MemberView {
  readonly name: string
  readonly block: BlockView
}

/** A task that waits in a channel, limiter, event … */
export interface WaitView {
  /** `undefined` when no task of this library does the waiting. */
  readonly place: MemberView | undefined
  /** Such as `receiving from channel orders`. */
  readonly label: string
}

/** All calls are synchronous, in the order in which things happen, and must not throw. */
export interface Recorder {
  opened(block: BlockView): void
  closed(block: BlockView, exit: Exit.Exit<unknown, unknown>): void
  started(member: MemberView): void
  ended(member: MemberView, exit: Exit.Exit<unknown, unknown>): void
  cancelled(target: BlockView | MemberView, reason: CancelReason): void
  waiting(wait: WaitView): void
  resumed(wait: WaitView): void
}

const RecorderKey = Context.Reference<Recorder | undefined>("effect-nursery/Recorder", {
  defaultValue: () => undefined
})

// Programs that are being recorded in this process. While there are none, nobody
// looks a recorder up, which is most of what the hooks would cost.
let recording = 0

/** The recorder of the program that a fiber belongs to. */
export const recorderFor = (fiber: Fiber.Fiber<unknown, unknown>): Recorder | undefined =>
  recording === 0 ? undefined : fiber.getRef(RecorderKey)

/** Runs an effect whose blocks, tasks and waits a recorder is told of. */
export const recorded = <A, E, R>(self: Effect.Effect<A, E, R>, recorder: Recorder): Effect.Effect<A, E, R> =>
  Effect.acquireUseRelease(
    Effect.sync(() => recording++),
    () => Effect.provideService(self, RecorderKey, recorder),
    () => Effect.sync(() => recording--)
  )
