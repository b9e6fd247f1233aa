/**
 * Cancel scopes: a block of work that can be cancelled from anywhere, has a
 * deadline that moves, and says afterwards why it was cancelled.
 *
 * Semantics: Trio's `CancelScope` and `shield`; the two-phase {@link CancelScope.stop}
 * is what Trio has discussed since 2017 (python-trio/trio#147).
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { dual } from "effect/Function"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { type AnyEffect, open as openBlock, Place } from "./internal/Block.ts"
import { CancelReason, ReasonKey } from "./internal/CancelReason.ts"
import { millisOf, ScopeBlock, type Shape, stopping, stoppingAround } from "./internal/ScopeBlock.ts"
import { signalOf, whenAborted, wordsOf } from "./internal/Signal.ts"
import { Wait, waitIn } from "./internal/Wait.ts"

export { CancelReason }

/**
 * A block that is open, as seen from inside and from wherever the handle went.
 *
 * Everything on it may be used at any time, also twice and after the end.
 *
 * @since 0.1.0
 */
export interface CancelScope {
  /** Cancels everything inside. Waits for nothing; if the caller is inside, its own next step is its cleanup. */
  cancel(reason?: string): Effect.Effect<void>
  /** The same, for callbacks. */
  cancelUnsafe(reason?: string): void
  /**
   * Asks everything inside to stop, and cancels it when `grace` has passed.
   * Called from outside it waits until the scope has ended; from inside it
   * returns at once, because its caller is one of those that have to end.
   */
  stop(options: { readonly grace: Duration.Input; readonly reason?: string }): Effect.Effect<void>
  /** Moves the deadline, if there is one, by this much. */
  extend(by: Duration.Input): Effect.Effect<void>
  /** Sets the deadline: milliseconds of the Clock's monotonic time, `Infinity` for none. */
  setDeadline(at: number): Effect.Effect<void>
  /** The deadline in milliseconds of the Clock's monotonic time. */
  readonly deadline: Option.Option<number>
  /** Why it was cancelled or asked to stop. */
  readonly reason: Option.Option<CancelReason>
  /**
   * Aborted, with the {@link CancelReason}, when everything inside has been told of
   * a cancellation: of this scope, or of one around it. For `fetch` and whatever
   * else takes a signal. It is not aborted when the scope merely ends.
   */
  readonly signal: AbortSignal
  readonly state: "active" | "stopping" | "cancelled" | "ended"
  /** It has ended, and absorbed its own cancellation; also when errors went on (Trio: `cancelled_caught`). */
  readonly cancelledCaught: boolean
  readonly name: string
}

class Handle implements CancelScope {
  readonly #scope: ScopeBlock
  constructor(scope: ScopeBlock) {
    this.#scope = scope
  }
  get name(): string {
    return this.#scope.name
  }
  get cancelledCaught(): boolean {
    return this.#scope.cancelledCaught
  }
  cancel(reason = "cancelled"): Effect.Effect<void> {
    return Effect.sync(() => this.#scope.cancel("explicit", reason))
  }
  cancelUnsafe(reason = "cancelled"): void {
    this.#scope.cancel("explicit", reason)
  }
  stop(options: { readonly grace: Duration.Input; readonly reason?: string }): Effect.Effect<void> {
    return Effect.suspend(() => {
      const scope = this.#scope
      scope.stop(millisOf("grace", options.grace), options.reason ?? "asked to stop")
      if (scope.closed || isInside(scope)) return Effect.void
      return waitIn(scope.ended, "waiting for the end of", scope, undefined, () => scope.closed ? Effect.void : undefined)
    })
  }
  extend(by: Duration.Input): Effect.Effect<void> {
    return Effect.sync(() => {
      const millis = millisOf("by", by)
      if (this.#scope.deadline !== Infinity) this.#scope.setDeadline(this.#scope.deadline + millis)
    })
  }
  setDeadline(at: number): Effect.Effect<void> {
    return Effect.sync(() => this.#scope.setDeadline(atOf(at)))
  }
  get deadline(): Option.Option<number> {
    return some(this.#scope.deadline)
  }
  get reason(): Option.Option<CancelReason> {
    return Option.fromUndefinedOr(this.#scope.reason ?? this.#scope.stopReason)
  }
  get signal(): AbortSignal {
    return this.#scope.signal
  }
  get state(): "active" | "stopping" | "cancelled" | "ended" {
    const scope = this.#scope
    if (scope.closed) return "ended"
    if (scope.reason !== undefined) return "cancelled"
    return scope.stopReason === undefined ? "active" : "stopping"
  }
  toString(): string {
    return `CancelScope(${this.name}, ${this.state})`
  }
  toJSON(): unknown {
    return { _id: "CancelScope", name: this.name, state: this.state, deadline: Option.getOrNull(this.deadline) }
  }
}

const some = (at: number): Option.Option<number> => at === Infinity ? Option.none() : Option.some(at)

const atOf = (at: number): number => {
  if (Number.isNaN(at)) throw new RangeError("Expected `at` to be a time in milliseconds, got `NaN` (number)")
  return at
}

const isInside = (scope: ScopeBlock): boolean => {
  for (let member = Fiber.getCurrent()?.getRef(Place); member !== undefined; member = member.block.parent) {
    if (member.block === scope) return true
  }
  return false
}

const resultShape: Shape = {
  kind: "scope",
  value: (exit) => Exit.succeed(Result.succeed(exit.value)),
  caught: (_, reason) => Exit.succeed(Result.fail(reason))
}

const optionShape: Shape = {
  kind: "scope",
  value: (exit) => Exit.succeed(Option.some(exit.value)),
  caught: () => Exit.succeed(Option.none())
}

const shieldShape: Shape = { kind: "shield", value: (exit) => exit, caught: (_, reason) => Exit.die(reason) }

const shieldForShape: Shape = { ...optionShape, kind: "shield" }

/**
 * Runs a body that can be cancelled without its surroundings.
 *
 * **Details**
 *
 * The block ends when the body has ended, cleanup included. Its value is
 * `Result.succeed(value)`, or `Result.fail(reason)` when this scope was
 * cancelled and the body ended because of that. Errors of the body, and of its
 * cleanup while it is cancelled, leave the block as they are. If a scope around
 * is cancelled too by the time the body has ended, this one does not catch: the
 * outermost cancelled scope does.
 *
 * `signal` cancels the scope when it is aborted; its listener is removed at the end.
 * If it is aborted already, the body does not run.
 *
 * **Gotchas**
 *
 * A body that ends well after a cancel has won: its value is kept. An Effect
 * fiber that was cancelled runs its finalizers and nothing else; Trio lets a
 * task run on to its next checkpoint.
 *
 * **Example** (Pressing stop)
 *
 * ```ts
 * import { Effect, Result } from "effect"
 * import { CancelScope } from "effect-nursery"
 *
 * const program = Effect.gen(function*() {
 *   const result = yield* CancelScope.open((scope) =>
 *     Effect.gen(function*() {
 *       yield* scope.cancel("user pressed stop")
 *       return yield* Effect.never
 *     }), { name: "search" })
 *   if (Result.isFailure(result)) {
 *     console.log(`${result.failure.source} in ${result.failure.scope}: ${result.failure.message}`)
 *   }
 * })
 *
 * await Effect.runPromise(program)
 * ```
 *
 * ```text output
 * explicit in search: user pressed stop
 * ```
 *
 * @since 0.1.0
 */
export const open = <A, E, R>(
  body: (scope: CancelScope) => Effect.Effect<A, E, R>,
  options?: { readonly name?: string; readonly deadline?: Duration.Input; readonly signal?: AbortSignal }
): Effect.Effect<Result.Result<A, CancelReason>, E, R> => {
  const name = options?.name ?? "scope"
  return checked(() => {
    const signal = signalOf(options?.signal)
    const limit = millisOf("deadline", options?.deadline ?? Infinity)
    const run = (scope: ScopeBlock): AnyEffect => {
      const effect = Effect.suspend(() => body(new Handle(scope)) as AnyEffect)
      return signal === undefined ? effect : withSignal(scope, signal, effect)
    }
    return openBlock(() => new ScopeBlock(resultShape, name, run, limit))
  })
}

/** Options are read once; bad ones are a defect of the effect, not an exception where it is made. */
const checked = (make: () => AnyEffect): AnyEffect => {
  try {
    return make()
  } catch (defect) {
    return Effect.die(defect)
  }
}

// What forgets the signal is in place before it is listened to, so there is no
// step between the two in which a cancellation could leave the listener behind.
const withSignal = (scope: ScopeBlock, signal: AbortSignal, body: AnyEffect): AnyEffect =>
  Effect.suspend(() => {
    let forget = (): void => {}
    const heard = Effect.suspend(() => {
      forget = whenAborted(signal, () => scope.cancel("signal", wordsOf(signal.reason)))
      return body
    })
    return Effect.onExit(heard, () => {
      forget()
      return Exit.void
    })
  })

/**
 * Protects an effect from every cancellation around it. Waits for its end.
 *
 * **When to use**
 *
 * For cleanup that talks to the world. Prefer {@link shieldFor}: a shield
 * without a limit can hold up a shutdown for ever.
 *
 * **Details**
 *
 * Scopes inside the shield are cancelled as usual. `Effect.uninterruptible` is
 * not a shield: nothing inside it can be cancelled at all.
 *
 * **Example** (Cleanup that takes time)
 *
 * ```ts
 * import { Console, Effect } from "effect"
 * import { CancelScope, Timeout } from "effect-nursery"
 *
 * const goodbye = Effect.sleep("20 millis").pipe(Effect.andThen(Console.log("goodbye sent")))
 * const talk = CancelScope.shield(goodbye)
 *
 * await Effect.runPromise(Timeout.moveOnAfter(talk, "1 millis"))
 * ```
 *
 * ```text output
 * goodbye sent
 * ```
 *
 * @since 0.1.0
 */
export const shield = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.uninterruptible(openBlock(() => new ScopeBlock(shieldShape, "shield", () => self as AnyEffect, Infinity)))

/**
 * A {@link shield} with a budget: `None` when the effect was cut off.
 *
 * **Example** (Never longer than that)
 *
 * ```ts
 * import { Console, Effect } from "effect"
 * import { CancelScope } from "effect-nursery"
 *
 * const program = Effect.never.pipe(CancelScope.shieldFor("5 millis"))
 *
 * await Effect.runPromise(program.pipe(Effect.flatMap((value) => Console.log(value._tag))))
 * ```
 *
 * ```text output
 * None
 * ```
 *
 * @since 0.1.0
 */
export const shieldFor: {
  (limit: Duration.Input): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<Option.Option<A>, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, limit: Duration.Input): Effect.Effect<Option.Option<A>, E, R>
} = dual(2, <A, E, R>(self: Effect.Effect<A, E, R>, limit: Duration.Input): Effect.Effect<Option.Option<A>, E, R> =>
  Effect.uninterruptible(checked(() => {
    const millis = millisOf("limit", limit)
    return openBlock(() => new ScopeBlock(shieldForShape, "shield", () => self as AnyEffect, millis))
  })))

/**
 * Waits until a scope around is asked to stop, and says why. Shields hide it,
 * as they hide cancellations.
 *
 * **Example** (A worker that puts its things away)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { CancelScope, Nursery } from "effect-nursery"
 *
 * const worker = CancelScope.whenStopping.pipe(
 *   Effect.flatMap((reason) => Effect.sync(() => console.log(`stopping: ${reason.message}`)))
 * )
 *
 * const program = CancelScope.open((scope) =>
 *   Nursery.open((n) =>
 *     Effect.gen(function*() {
 *       yield* n.startNow(worker)
 *       yield* scope.stop({ grace: "10 seconds", reason: "deploy" })
 *     })
 *   )
 * )
 *
 * await Effect.runPromise(program)
 * ```
 *
 * ```text output
 * stopping: deploy
 * ```
 *
 * @since 0.1.0
 */
export const whenStopping: Effect.Effect<CancelReason> = Effect.callback<CancelReason>((resume) => {
  const asked = stoppingAround(Fiber.getCurrent()!.getRef(Place))
  if (asked !== undefined) {
    resume(Exit.succeed(asked))
    return undefined
  }
  return new Wait("waiting for", stopping, undefined, resume as (effect: AnyEffect) => void).leave
})

/**
 * Runs an effect until a scope around is asked to stop: `None` when that came
 * first. It is then cancelled, and its cleanup awaited.
 *
 * **Example** (Accept no more, finish what was accepted)
 *
 * ```ts
 * import { Effect, Option } from "effect"
 * import { CancelScope } from "effect-nursery"
 *
 * const acceptOne = Effect.never
 *
 * const serve = Effect.gen(function*() {
 *   const request = yield* CancelScope.untilStopping(acceptOne)
 *   if (Option.isNone(request)) console.log("no more requests")
 * })
 *
 * const program = CancelScope.open((scope) =>
 *   scope.stop({ grace: "1 second" }).pipe(Effect.andThen(serve))
 * )
 *
 * await Effect.runPromise(program)
 * ```
 *
 * ```text output
 * no more requests
 * ```
 *
 * @since 0.1.0
 */
export const untilStopping = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<Option.Option<A>, E, R> =>
  openBlock(() => new ScopeBlock(optionShape, "untilStopping", () => self as AnyEffect, Infinity, true))

/**
 * The nearest deadline of all scopes around, up to a shield, in milliseconds of
 * the Clock's monotonic time; `-Infinity` when one of them is already cancelled
 * (Trio: `current_effective_deadline`).
 *
 * **Example** (How much time is left)
 *
 * ```ts
 * import { Effect, Option } from "effect"
 * import { CancelScope, Timeout } from "effect-nursery"
 *
 * const program = Effect.gen(function*() {
 *   const now = yield* Timeout.now
 *   const deadline = yield* CancelScope.effectiveDeadline
 *   return Option.map(deadline, (at) => Math.round((at - now) / 1000))
 * })
 *
 * const left = program.pipe(Timeout.failAfter("1 minute"), Timeout.failAfter("1 hour"))
 * console.log(Option.getOrThrow(await Effect.runPromise(left)), "seconds")
 * ```
 *
 * ```text output
 * 60 seconds
 * ```
 *
 * @since 0.1.0
 */
export const effectiveDeadline: Effect.Effect<Option.Option<number>> = Effect.withFiber((fiber) => {
  let least = Infinity
  for (let member = fiber.getRef(Place); member !== undefined; member = member.block.parent) {
    const block = member.block
    if (member.told !== undefined) return Effect.succeed(Option.some(-Infinity))
    if (block instanceof ScopeBlock) least = Math.min(least, block.deadline, block.graceEnds)
    if (block.shielded) break
  }
  return Effect.succeed(some(least))
})

/**
 * Why an exit was cancelled, if this library cancelled it.
 *
 * Finds the reason in a task's exit and in what a block fails with, and in the
 * cause that a finalizer of the cancelled task is given.
 *
 * **Example** (In a finalizer)
 *
 * ```ts
 * import { Effect, Option } from "effect"
 * import { CancelScope, Timeout } from "effect-nursery"
 *
 * const slow = Effect.never.pipe(
 *   Effect.onExit((exit) =>
 *     Effect.sync(() => {
 *       if (exit._tag === "Success") return
 *       const reason = CancelScope.reasonOf(exit.cause)
 *       console.log(Option.getOrThrow(reason).source)
 *     })
 *   )
 * )
 *
 * await Effect.runPromise(Timeout.moveOnAfter(slow, "1 millis"))
 * ```
 *
 * ```text output
 * deadline
 * ```
 *
 * @since 0.1.0
 */
export const reasonOf = (cause: Cause.Cause<unknown>): Option.Option<CancelReason> => {
  const running = Fiber.getCurrent()
  const place = running?.getRef(Place)
  for (const reason of cause.reasons) {
    if (reason._tag !== "Interrupt") continue
    const found = reason.annotations.get(ReasonKey.key)
    if (found instanceof CancelReason) return Option.some(found)
    // Effect's interrupt carries a fiber id only, and annotating each of 100,000
    // would double the price of a cancel. But a task that is being cancelled knows,
    // and so do the fibers that Effect forked in it, which have it from the task.
    const told = place?.told
    if (told !== undefined && (reason.fiberId === told.fiberId || running !== place!.fiber)) return Option.some(told)
  }
  return Option.none()
}
