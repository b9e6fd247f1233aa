/**
 * What several effects or tasks do together: gather, race, wait, as completed.
 *
 * All of them are blocks: what they start has ended when they end. They are
 * concurrent unless you say otherwise, and like a nursery they keep every error.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { type AnyEffect, type AnyExit, Internal } from "./internal/Block.ts"
import { openCollecting as open } from "./internal/CollectingBlock.ts"
import { GatherBlock, RaceBlock, SettleBlock } from "./internal/GatherBlock.ts"
import { oneOf } from "./internal/Options.ts"
import { millisOf } from "./internal/ScopeBlock.ts"
import type { TaskMember } from "./internal/TaskMember.ts"
import { type Timer, timersFor } from "./internal/Timers.ts"
import { Wait } from "./internal/Wait.ts"
import type * as Nursery from "./Nursery.ts"

/**
 * Any effect.
 *
 * @since 0.1.0
 */
export type Any = Effect.Effect<any, any, any>

/**
 * Effects in a tuple, an array, another iterable or a record.
 *
 * @since 0.1.0
 */
export type Many = Iterable<Any> | Readonly<Record<string, Any>>

/**
 * One of the effects of a collection.
 *
 * @since 0.1.0
 */
export type Each<T extends Many> = T extends Iterable<infer E extends Any> ? E : T extends Readonly<Record<string, Any>> ? T[keyof T] : never

/**
 * The errors of all effects of a collection.
 *
 * @since 0.1.0
 */
export type ErrorOf<T extends Many> = Effect.Error<Each<T>>

/**
 * The services that the effects of a collection need.
 *
 * @since 0.1.0
 */
export type EnvOf<T extends Many> = Effect.Services<Each<T>>

/**
 * The values of a collection of effects, in its shape.
 *
 * @since 0.1.0
 */
export type Gathered<T extends Many> = T extends ReadonlyArray<Any> ? { -readonly [K in keyof T]: Effect.Success<T[K]> }
  : T extends Iterable<Any> ? Array<Effect.Success<Each<T>>>
  : T extends Readonly<Record<string, Any>> ? { -readonly [K in keyof T]: Effect.Success<T[K]> }
  : never

/**
 * The exits of a collection of effects, in its shape.
 *
 * @since 0.1.0
 */
export type Settled<T extends Many> = T extends ReadonlyArray<Any>
  ? { -readonly [K in keyof T]: Exit.Exit<Effect.Success<T[K]>, Effect.Error<T[K]>> }
  : T extends Iterable<Any> ? Array<Exit.Exit<Effect.Success<Each<T>>, Effect.Error<Each<T>>>>
  : T extends Readonly<Record<string, Any>> ? { -readonly [K in keyof T]: Exit.Exit<Effect.Success<T[K]>, Effect.Error<T[K]>> }
  : never

/**
 * How many run at a time.
 *
 * @since 0.1.0
 */
export interface Limit {
  /** A whole number from 1 and up, or `Infinity`. Default: `Infinity`. */
  readonly concurrency?: number
}

const limitOf = (options: Limit | undefined): number => {
  const limit = options?.concurrency ?? Infinity
  if (limit === Infinity || (Number.isInteger(limit) && limit >= 1)) return limit
  throw new RangeError(`Expected \`concurrency\` to be an integer from 1 and up or \`Infinity\`, got \`${limit}\` (${typeof limit})`)
}

/** Bad options are a defect of the effect, not an exception where it is made. */
const checked = <A>(options: Limit | undefined, then: (limit: number) => A): A | Effect.Effect<never> => {
  try {
    return then(limitOf(options))
  } catch (defect) {
    return Effect.die(defect)
  }
}

/** The effects as an array, and what makes a result of the same shape. */
const listOf = (effects: Many): readonly [ReadonlyArray<AnyEffect>, ((values: ReadonlyArray<unknown>) => unknown) | undefined] => {
  if (Symbol.iterator in effects) return [Array.from(effects as Iterable<AnyEffect>), undefined]
  const keys = Object.keys(effects)
  const record = effects as Readonly<Record<string, AnyEffect>>
  return [keys.map((key) => record[key]!), (values) => Object.fromEntries(keys.map((key, i) => [key, values[i]]))]
}

const shaped = (effect: AnyEffect, shape: ((values: ReadonlyArray<unknown>) => unknown) | undefined): AnyEffect =>
  shape === undefined ? effect : Effect.map(effect, shape)

/**
 * Runs effects together and collects their values, in the order and shape given.
 *
 * **Details**
 *
 * The first failure cancels the others, waits for their cleanup and fails with
 * every error. (asyncio's `gather` leaves the others running.) `concurrency`
 * limits how many run at a time; they start in order.
 *
 * **Example** (Tuple and record)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Tasks } from "effect-nursery"
 *
 * const user = Effect.succeed("Ada")
 * const orders = Effect.succeed([1, 2, 3])
 *
 * const program = Effect.gen(function*() {
 *   const [name, list] = yield* Tasks.gather([user, orders])
 *   const page = yield* Tasks.gather({ user, orders }, { concurrency: 1 })
 *   return [name, list.length, page]
 * })
 *
 * console.log(await Effect.runPromise(program))
 * ```
 *
 * ```text output
 * [ 'Ada', 3, { user: 'Ada', orders: [ 1, 2, 3 ] } ]
 * ```
 *
 * @since 0.1.0
 */
export const gather = <const T extends Many>(
  effects: T,
  options?: Limit
): Effect.Effect<Gathered<T>, ErrorOf<T>, EnvOf<T>> =>
  checked(options, (limit) => {
    const [list, shape] = listOf(effects)
    return shaped(open(() => new GatherBlock("gather", list.length, limit, (i) => list[i]!)), shape)
  })

/**
 * Runs effects together and collects their exits: no failure cancels another.
 *
 * **Gotchas**
 *
 * When the whole is cancelled there are no exits to return. Errors that its
 * effects then raise in their cleanup are not lost: they come out beside the
 * cancellation, although the type has no errors.
 *
 * **Example** (Some of them failed)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Tasks } from "effect-nursery"
 *
 * const exits = await Effect.runPromise(Tasks.gatherSettled([Effect.succeed(1), Effect.fail("no")]))
 * console.log(exits.map((exit) => exit._tag))
 * ```
 *
 * ```text output
 * [ 'Success', 'Failure' ]
 * ```
 *
 * @since 0.1.0
 */
export const gatherSettled = <const T extends Many>(
  effects: T,
  options?: Limit
): Effect.Effect<Settled<T>, never, EnvOf<T>> =>
  checked(options, (limit) => {
    const [list, shape] = listOf(effects)
    const settle = Effect.suspend(() => {
      const exits: Array<AnyExit> = Array.from({ length: list.length })
      const block = open(() => new SettleBlock("gather", list.length, limit, (i) => list[i]!, (i, exit) => void (exits[i] = exit)))
      return Effect.as(block, exits)
    })
    return shaped(settle, shape) as Effect.Effect<any>
  })

/**
 * Runs a function on every item, together, and collects the values in order.
 *
 * **Example** (Three at a time)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Tasks } from "effect-nursery"
 *
 * const squares = Tasks.map([1, 2, 3, 4], (n) => Effect.succeed(n * n), { concurrency: 3 })
 * console.log(await Effect.runPromise(squares))
 * ```
 *
 * ```text output
 * [ 1, 4, 9, 16 ]
 * ```
 *
 * @since 0.1.0
 */
export const map = <A, B, E, R>(
  items: Iterable<A>,
  f: (item: A, index: number) => Effect.Effect<B, E, R>,
  options?: Limit
): Effect.Effect<Array<B>, E, R> =>
  checked(options, (limit) => {
    // Read once, so that an iterator serves every run of the effect.
    const list = Array.isArray(items) ? items as ReadonlyArray<A> : Array.from(items)
    // `f` runs inside its task: if it throws, that is the task's defect.
    const at = (i: number) => Effect.suspend(() => f(list[i]!, i) as Effect.Effect<B, E>)
    return open(() => new GatherBlock("map", list.length, limit, at))
  })

const race = (effects: Iterable<Any>, until: "completed" | "success", stagger: number): AnyEffect => {
  const list = Array.from(effects) as Array<AnyEffect>
  if (list.length === 0) return Effect.die(new RangeError("Expected at least one effect to race, got none: nobody could win"))
  return open(() => new RaceBlock(until === "completed" ? "firstCompleted" : "firstSuccess", list, until, stagger))
}

/**
 * The first effect to end wins, by a value or by a failure; the others are
 * cancelled and awaited (JavaScript: `Promise.race`).
 *
 * **Details**
 *
 * Errors that losers raise in their cleanup are not lost: then the race fails.
 *
 * **Example** (Whoever is first)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Tasks } from "effect-nursery"
 *
 * const after = (millis: number) => Effect.sleep(millis).pipe(Effect.as(`${millis} ms`))
 * console.log(await Effect.runPromise(Tasks.firstCompleted([after(50), after(1)])))
 * ```
 *
 * ```text output
 * 1 ms
 * ```
 *
 * @since 0.1.0
 */
export const firstCompleted = <E extends Any>(
  effects: Iterable<E>
): Effect.Effect<Effect.Success<E>, Effect.Error<E>, Effect.Services<E>> => race(effects, "completed", 0)

/**
 * The first effect to succeed wins; failures are put aside, and raised together
 * if nobody wins (JavaScript: `Promise.any`).
 *
 * **Details**
 *
 * With `stagger`, each effect starts so much later than the one before it, or at
 * once when that one has failed: how browsers connect to the faster of two
 * addresses (RFC 8305).
 *
 * **Example** (A mirror that answers)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Tasks } from "effect-nursery"
 *
 * const mirrors = [Effect.fail("Paris is down"), Effect.succeed("Oslo")]
 * console.log(await Effect.runPromise(Tasks.firstSuccess(mirrors, { stagger: "250 millis" })))
 * ```
 *
 * ```text output
 * Oslo
 * ```
 *
 * @since 0.1.0
 */
export const firstSuccess = <E extends Any>(
  effects: Iterable<E>,
  options?: { readonly stagger?: Duration.Input }
): Effect.Effect<Effect.Success<E>, Effect.Error<E>, Effect.Services<E>> => {
  try {
    return race(effects, "success", millisOf("stagger", options?.stagger ?? 0))
  } catch (defect) {
    return Effect.die(defect)
  }
}

const failed = (exit: AnyExit): boolean => exit._tag === "Failure" && !Cause.hasInterruptsOnly(exit.cause)

/**
 * Waits for tasks of a nursery, and cancels nothing: those that are not done go
 * on in their nursery (asyncio: `wait`).
 *
 * **Details**
 *
 * - `until: "all"` (the default): every task has ended
 * - `"firstCompleted"`: one has ended, in whatever way
 * - `"firstFailure"`: one has failed, or all have ended; a cancelled task has not failed
 * - `timeout`: returns what there is when the time is up
 *
 * `done` and `pending` keep the order of `tasks`.
 *
 * **Example** (The first of three)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Nursery, Tasks } from "effect-nursery"
 *
 * const program = Nursery.open((n) =>
 *   Effect.gen(function*() {
 *     const tasks = yield* Effect.forEach([60, 2, 40], (ms) => n.startSoon(Effect.sleep(ms), { name: `sleep ${ms}` }))
 *     const { done, pending } = yield* Tasks.wait(tasks, { until: "firstCompleted" })
 *     console.log(`${done[0]?.name} won, ${pending.length} go on`)
 *     yield* n.cancelTasks("not needed")
 *   })
 * )
 *
 * await Effect.runPromise(program)
 * ```
 *
 * ```text output
 * sleep 2 won, 2 go on
 * ```
 *
 * @since 0.1.0
 */
export const wait = <A, E>(
  tasks: Iterable<Nursery.Task<A, E>>,
  options?: { readonly until?: "all" | "firstCompleted" | "firstFailure"; readonly timeout?: Duration.Input }
): Effect.Effect<{
  readonly done: ReadonlyArray<Nursery.Task<A, E>>
  readonly pending: ReadonlyArray<Nursery.Task<A, E>>
}> =>
  Effect.callback((resume) => {
    const list = Array.from(tasks) as unknown as Array<TaskMember>
    const until = options?.until ?? "all"
    oneOf("until", until, ["all", "firstCompleted", "firstFailure"])
    const limit = millisOf("timeout", options?.timeout ?? Infinity)
    const enough = (): boolean => {
      let living = 0
      for (const task of list) {
        if (task.exit === undefined) living++
        else if (until === "firstCompleted" || (until === "firstFailure" && failed(task.exit))) return true
      }
      return living === 0
    }
    const split = () => {
      const done: Array<any> = []
      const pending: Array<any> = []
      for (const task of list) (task.exit === undefined ? pending : done).push(task)
      return Exit.succeed({ done, pending })
    }
    if (enough() || limit <= 0) {
      resume(split())
      return undefined
    }
    const fiber = Fiber.getCurrent()!
    const timers = timersFor(fiber)
    const living = list.filter((task) => task.exit === undefined)
    let left = living.length
    let timer: Timer | undefined
    const stopListening: Array<() => void> = []
    const stop = () => {
      for (const forget of stopListening) forget()
      if (timer !== undefined) timers.clear(timer)
    }
    const waiting = new Wait("waiting for", { label: `${left} tasks`, holders: () => living }, undefined, resume as (effect: AnyEffect) => void)
    const over = () => {
      stop()
      waiting.wake(Effect.suspend(split))
    }
    // Counted, not asked again with `enough`: that would be quadratic in the tasks.
    const listener = (task: TaskMember) => () => {
      left--
      if (left === 0 || until === "firstCompleted" || (until === "firstFailure" && failed(task.exit!))) over()
    }
    for (const task of living) stopListening.push(task.listen(listener(task)))
    if (limit !== Infinity) timer = timers.set(timers.now() + limit, { onDeadline: over }, fiber)
    return Effect.andThen(Effect.sync(stop), waiting.leave)
  })

/**
 * The exits of effects in the order in which they end. Leaving the stream cancels
 * the rest and waits for it.
 *
 * **Gotchas**
 *
 * What the rest would have failed with is dropped, as its values are. Defects in
 * its cleanup come out of the stream's end.
 *
 * **Example** (Fastest first)
 *
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { Tasks } from "effect-nursery"
 *
 * const after = (millis: number) => Effect.sleep(millis).pipe(Effect.as(millis))
 *
 * const program = Tasks.asCompleted([after(20), after(1)]).pipe(
 *   Stream.runForEach(({ index, exit }) => Effect.sync(() => console.log(index, exit._tag)))
 * )
 *
 * await Effect.runPromise(program)
 * ```
 *
 * ```text output
 * 1 Success
 * 0 Success
 * ```
 *
 * @since 0.1.0
 */
export const asCompleted = <A, E, R>(
  effects: Iterable<Effect.Effect<A, E, R>>,
  options?: Limit
): Stream.Stream<{ readonly index: number; readonly exit: Exit.Exit<A, E> }, never, R> =>
  Stream.unwrap(Effect.gen(function*() {
    type Item = { readonly index: number; readonly exit: Exit.Exit<A, E> }
    const limit = yield* Effect.sync(() => limitOf(options))
    const list = Array.from(effects) as unknown as Array<AnyEffect>
    const queue = yield* Queue.unbounded<Item, Cause.Done>()
    const context = yield* Effect.context<R>()
    const block = open(() => {
      const settle = new SettleBlock("asCompleted", list.length, limit, (i) => list[i]!, (index, exit) => {
        Queue.offerUnsafe(queue, { index, exit })
      })
      settle.tied = true
      return settle
    })
    // The block lives in a fiber of the stream's Scope, because it outlives each pull.
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        const fiber = Effect.runForkWith(Context.add(context, Internal, true))(block)
        fiber.addObserver(() => void Queue.endUnsafe(queue))
        return fiber
      }),
      (fiber) => Effect.flatMap(Fiber.interrupt(fiber), () => Effect.flatMap(Fiber.await(fiber), defectsOnly))
    )
    return Stream.fromQueue(queue)
  }))

// What they would have failed with was a value of the stream, and nobody took it.
// A defect is a bug in the program wherever it shows.
const defectsOnly = (exit: AnyExit): Effect.Effect<void> => {
  if (exit._tag === "Success") return Effect.void
  const defects = exit.cause.reasons.filter((reason) => reason._tag === "Die")
  return defects.length === 0 ? Effect.void : Effect.failCause(Cause.fromReasons<never>(defects))
}
