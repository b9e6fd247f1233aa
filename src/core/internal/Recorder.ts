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
  /** Its number among all that have been recorded in this process; 0 if it is none of them. */
  readonly id: number
  readonly kind: "task" | "service" | "body"
  readonly name: string
  /** The number in its name, if the program gave it none: such as the 3 of `task 3`. */
  readonly ordinal: number | undefined
  readonly block: BlockView
}

/**
 * What a member was doing when it was told to stop, if it goes on for a while:
 * it has turned to its finalizers, or nothing can stop it before its
 * uninterruptible region or its shield ends.
 */
export type Cleanup = "finalizer" | "uninterruptible" | "shield"

/** A task that waits in a channel, limiter, event … */
export interface WaitView {
  /** `undefined` when no task of this library does the waiting. */
  readonly place: MemberView | undefined
  /** Such as `receiving from channel orders`: the verb, and the label of what it waits on. */
  readonly label: string
  readonly verb: string
  readonly on: { readonly label: string }
}

/** All calls are synchronous, in the order in which things happen, and must not throw. */
export interface Recorder {
  opened(block: BlockView): void
  closed(block: BlockView, exit: Exit.Exit<unknown, unknown>): void
  /** `by` is who started it: of a body, and of the tasks of gather and race, who opened the block. */
  started(member: MemberView, by: MemberView | undefined): void
  ended(member: MemberView, exit: Exit.Exit<unknown, unknown>): void
  cancelled(target: BlockView | MemberView, reason: CancelReason): void
  waiting(wait: WaitView): void
  resumed(wait: WaitView): void
  /** A task has told the caller of `start` that it is ready, and lives in the nursery from now on. */
  moved?(member: MemberView, from: BlockView): void
  /**
   * A member that was told to stop has not ended by the time it waits again. Its
   * cleanup lasts until it ends. Told once more, it may be reported once more.
   * `span` is the span that its fiber is in.
   */
  cleanupBegan?(member: MemberView, doing: Cleanup, span: string | undefined): void
  /** The services that a member is going to be run with. Asked after `started`. */
  contextOf?(member: MemberView, context: Context.Context<never>): Context.Context<never>
}

/** Several recorders as one, told in order. */
class Both implements Recorder {
  private readonly first: Recorder
  private readonly second: Recorder
  constructor(first: Recorder, second: Recorder) {
    this.first = first
    this.second = second
  }
  opened(block: BlockView): void {
    this.first.opened(block)
    this.second.opened(block)
  }
  closed(block: BlockView, exit: Exit.Exit<unknown, unknown>): void {
    this.first.closed(block, exit)
    this.second.closed(block, exit)
  }
  started(member: MemberView, by: MemberView | undefined): void {
    this.first.started(member, by)
    this.second.started(member, by)
  }
  ended(member: MemberView, exit: Exit.Exit<unknown, unknown>): void {
    this.first.ended(member, exit)
    this.second.ended(member, exit)
  }
  cancelled(target: BlockView | MemberView, reason: CancelReason): void {
    this.first.cancelled(target, reason)
    this.second.cancelled(target, reason)
  }
  waiting(wait: WaitView): void {
    this.first.waiting(wait)
    this.second.waiting(wait)
  }
  resumed(wait: WaitView): void {
    this.first.resumed(wait)
    this.second.resumed(wait)
  }
  moved(member: MemberView, from: BlockView): void {
    this.first.moved?.(member, from)
    this.second.moved?.(member, from)
  }
  cleanupBegan(member: MemberView, doing: Cleanup, span: string | undefined): void {
    this.first.cleanupBegan?.(member, doing, span)
    this.second.cleanupBegan?.(member, doing, span)
  }
  contextOf(member: MemberView, context: Context.Context<never>): Context.Context<never> {
    const once = this.first.contextOf?.(member, context) ?? context
    return this.second.contextOf?.(member, once) ?? once
  }
  has(recorder: Recorder): boolean {
    return hasRecorder(this.first, recorder) || hasRecorder(this.second, recorder)
  }
}

const hasRecorder = (among: Recorder, recorder: Recorder): boolean =>
  among === recorder || (among instanceof Both && among.has(recorder))

/** One recorder that tells both, or the only one there is. */
export const both = (first: Recorder | undefined, second: Recorder): Recorder =>
  first === undefined ? second : hasRecorder(first, second) ? first : new Both(first, second)

const RecorderKey = Context.Reference<Recorder | undefined>("effect-nursery/Recorder", {
  defaultValue: () => undefined
})

// Programs that are being recorded in this process. While there are none, nobody
// looks a recorder up, which is most of what the hooks would cost.
let recording = 0

/** The recorder of the program that a fiber belongs to. */
export const recorderFor = (fiber: Fiber.Fiber<unknown, unknown>): Recorder | undefined =>
  recording === 0 ? undefined : fiber.getRef(RecorderKey)

/** Whether any program of this process is being recorded. */
export const isRecording = (): boolean => recording > 0

/** Runs a whole program inside one call, with the context that tells the recorder. */
export const recordedCall = <A>(recorder: Recorder, run: (context: Context.Context<never>) => A): A => {
  recording++
  try {
    return run(Context.make(RecorderKey, recorder) as Context.Context<never>)
  } finally {
    recording--
  }
}

/**
 * Runs an effect whose blocks, tasks and waits a recorder is told of. A recorder
 * around it goes on to be told of them, too.
 */
export const recorded = <A, E, R>(self: Effect.Effect<A, E, R>, recorder: Recorder): Effect.Effect<A, E, R> =>
  Effect.acquireUseRelease(
    Effect.sync(() => recording++),
    () => Effect.withFiber((fiber) => Effect.provideService(self, RecorderKey, both(fiber.getRef(RecorderKey), recorder))),
    () => Effect.sync(() => recording--)
  )
