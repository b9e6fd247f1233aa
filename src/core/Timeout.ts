/**
 * Time limits for a block of work: go on without it, or fail with `TooSlow`.
 *
 * Semantics: Trio's `move_on_after`, `move_on_at`, `fail_after` and `fail_at`.
 * A limited effect costs one fiber and one entry in a heap of deadlines, where
 * `Effect.timeout` costs two fibers and a timer. Errors of the cleanup are kept.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { dual } from "effect/Function"
import * as Option from "effect/Option"
import * as Errors from "./Errors.ts"
import { type AnyEffect, open } from "./internal/Block.ts"
import { millisOf, ScopeBlock, type Shape } from "./internal/ScopeBlock.ts"
import { timersFor } from "./internal/Timers.ts"

/**
 * The options of a time limit.
 *
 * @since 0.1.0
 */
export interface Options {
  /** The name in `TooSlow`, in cancel reasons and in the task tree. */
  readonly name?: string
}

/**
 * An operator that gives an effect a limit, data first or last.
 *
 * @since 0.1.0
 */
export interface Dual<K extends "option" | "fail", T = Duration.Input> {
  (limit: T, options?: Options): <A, E, R>(
    self: Effect.Effect<A, E, R>
  ) => Effect.Effect<K extends "fail" ? A : Option.Option<A>, K extends "fail" ? E | Errors.TooSlow : E, R>
  <A, E, R>(
    self: Effect.Effect<A, E, R>,
    limit: T,
    options?: Options
  ): Effect.Effect<K extends "fail" ? A : Option.Option<A>, K extends "fail" ? E | Errors.TooSlow : E, R>
}

const moveOn: Shape = {
  kind: "timeout",
  value: (exit) => Exit.succeed(Option.some(exit.value)),
  caught: () => none
}

const none = Exit.succeed(Option.none())

const failing: Shape = {
  kind: "timeout",
  value: (exit) => exit,
  caught: (scope) => Exit.fail(new Errors.TooSlow({ scope: scope.name, after: Duration.millis(Math.max(scope.limit, 0)) }))
}

const after = (shape: Shape, self: AnyEffect, limit: Duration.Input, options?: Options): AnyEffect => {
  try {
    return limited(shape, self, millisOf("limit", limit), options)
  } catch (defect) {
    return Effect.die(defect)
  }
}

const limited = (shape: Shape, self: AnyEffect, millis: number, options: Options | undefined): AnyEffect => {
  const name = options?.name ?? "timeout"
  const body = () => self
  return open(() => new ScopeBlock(shape, name, body, millis))
}

const at = (shape: Shape, self: AnyEffect, time: number, options?: Options): AnyEffect => {
  if (Number.isNaN(time)) {
    return Effect.die(new RangeError("Expected `limit` to be a time in milliseconds, got `NaN` (number)"))
  }
  return Effect.withFiber((fiber) => limited(shape, self, limitUntil(time, timersFor(fiber).now()), options))
}

/**
 * Rounding must not let the time be up before `time`, neither here nor to whole nanoseconds as `Duration` does it: who looks
 * at the clock then and waits again would do so for ever where time stands still meanwhile.
 */
const limitUntil = (time: number, now: number): number => {
  const limit = time - now
  return now + limit < time ? limit + (time - (now + limit)) : limit
}

const operator = (shape: Shape, limit: typeof after | typeof at): any =>
  dual(
    (args) => Effect.isEffect(args[0]),
    (self: AnyEffect, time: never, options?: Options) => limit(shape, self, time, options)
  )

/**
 * Runs an effect for at most this long: `None` when its time was up.
 *
 * **Details**
 *
 * The effect is cancelled at the deadline, and its cleanup is awaited. With a
 * limit of 0 or less it runs up to its first step that waits. `Infinity` is no limit.
 *
 * **Example** (Going on without an answer)
 *
 * ```ts
 * import { Effect, Option } from "effect"
 * import { Timeout } from "effect-nursery"
 *
 * const slow = Effect.sleep("5 seconds").pipe(Effect.as(42))
 * const answer = await Effect.runPromise(slow.pipe(Timeout.moveOnAfter("5 millis")))
 *
 * console.log(Option.match(answer, { onNone: () => "moved on", onSome: (n) => `got ${n}` }))
 * ```
 *
 * ```text output
 * moved on
 * ```
 *
 * @since 0.1.0
 */
export const moveOnAfter: Dual<"option"> = operator(moveOn, after)

/**
 * Like {@link moveOnAfter}, with a time instead of a duration: milliseconds of
 * the Clock's monotonic time, as {@link now} gives it.
 *
 * **Example** (One deadline for several steps)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Timeout } from "effect-nursery"
 *
 * const program = Effect.gen(function*() {
 *   const deadline = (yield* Timeout.now) + 10
 *   yield* Timeout.moveOnAt(Effect.sleep("6 millis"), deadline)
 *   return yield* Timeout.moveOnAt(Effect.sleep("1 minute"), deadline)
 * })
 *
 * console.log((await Effect.runPromise(program))._tag)
 * ```
 *
 * ```text output
 * None
 * ```
 *
 * @since 0.1.0
 */
export const moveOnAt: Dual<"option", number> = operator(moveOn, at)

/**
 * Runs an effect for at most this long, and fails with `TooSlow` when its time
 * was up.
 *
 * **Example** (An error that names the limit)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Timeout } from "effect-nursery"
 *
 * const program = Effect.never.pipe(
 *   Timeout.failAfter("5 millis", { name: "login" }),
 *   Effect.catchTag("TooSlow", (error) => Effect.succeed(error.message))
 * )
 *
 * console.log(await Effect.runPromise(program))
 * ```
 *
 * ```text output
 * login took longer than 5ms
 * ```
 *
 * @since 0.1.0
 */
export const failAfter: Dual<"fail"> = operator(failing, after)

/**
 * Like {@link failAfter}, with a time instead of a duration: milliseconds of the
 * Clock's monotonic time, as {@link now} gives it.
 *
 * **Example** (The time has passed already)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Timeout } from "effect-nursery"
 *
 * const program = Timeout.now.pipe(
 *   Effect.flatMap((now) => Timeout.failAt(Effect.never, now - 1)),
 *   Effect.catchTag("TooSlow", () => Effect.succeed("too slow"))
 * )
 *
 * console.log(await Effect.runPromise(program))
 * ```
 *
 * ```text output
 * too slow
 * ```
 *
 * @since 0.1.0
 */
export const failAt: Dual<"fail", number> = operator(failing, at)

/**
 * The Clock's monotonic time in milliseconds: what {@link moveOnAt},
 * {@link failAt} and `CancelScope.setDeadline` count in. It never jumps when
 * somebody sets the system's clock.
 *
 * **Example** (Reading it twice)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Timeout } from "effect-nursery"
 *
 * const before = await Effect.runPromise(Timeout.now)
 * const after = await Effect.runPromise(Timeout.now)
 * console.log(after >= before)
 * ```
 *
 * ```text output
 * true
 * ```
 *
 * @since 0.1.0
 */
export const now: Effect.Effect<number> = Effect.withFiber((fiber) => Effect.succeed(timersFor(fiber).now()))
