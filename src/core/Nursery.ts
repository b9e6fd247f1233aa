/**
 * Nurseries: a block that owns its tasks, waits for all of them, cancels the rest
 * when one fails, and loses no error.
 *
 * Semantics: Trio's `open_nursery`. Errors are typed: the error of a task started
 * in the block is in the type of the block.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as CancelScope from "./CancelScope.ts"
import * as Errors from "./Errors.ts"
import { type AnyEffect, open as openBlock } from "./internal/Block.ts"
import { openCollecting } from "./internal/CollectingBlock.ts"
import { NurseryBlock, type Setup } from "./internal/NurseryBlock.ts"
import { oneOf } from "./internal/Options.ts"
import { StartBlock, type Started } from "./internal/StartBlock.ts"
import type { TaskMember } from "./internal/TaskMember.ts"

declare const FailsId: unique symbol

/**
 * In the requirements of an effect: "a task started into the block `Name` may
 * fail with `E`". {@link open} takes it out and adds `E` to the errors of the
 * block. An effect that has it left over does not run: its nursery is missing.
 *
 * @since 0.1.0
 */
export interface Fails<out E, out Name extends string = string> {
  readonly [FailsId]: [E, Name]
}

type May<E, Name extends string> = [E] extends [never] ? never : Fails<E, Name>

type FailsOf<R, Name extends string> = R extends Fails<infer E, infer N>
  ? (string extends N ? E : string extends Name ? never : N extends Name ? E : never)
  : never

type Opened<R, Name extends string> = R extends Fails<any, infer N>
  ? (string extends N ? never : string extends Name ? R : N extends Name ? never : R)
  : R

/**
 * A task that says when it is ready, for {@link Nursery.start}: a function of
 * `started`. Without a nursery it is called with any function that takes the value.
 *
 * @since 0.1.0
 */
export type Startable<V, A, E, R> = (started: (value: V) => Effect.Effect<void>) => Effect.Effect<A, E, R>

/**
 * How one task is started.
 *
 * @since 0.1.0
 */
export interface TaskOptions {
  /** The name in the task tree, in failures and in cancel reasons. Default: `task` and a number. */
  readonly name?: string
  /** It does not hold the block open: it is cancelled when body and other tasks have ended. Default: `false`. */
  readonly service?: boolean
  /** At most one task of a key lives at a time. Compared as a `Map` does. A task begun by `start` has its key from `started` on. */
  readonly key?: unknown
  /** With a key that is taken: return the living task, or cancel it, wait for its end and start the new one. Default: `"replace"`. */
  readonly ifKeyTaken?: "keep" | "replace"
}

/**
 * How a nursery works.
 *
 * @since 0.1.0
 */
export interface Options<Name extends string = string> {
  /** The name in the task tree and in failures. A literal name also brands the handle. Default: `"nursery"`. */
  readonly name?: Name
  /** So many tasks run at a time; who starts more waits. Services do not count. Default: no limit. */
  readonly maxTasks?: number
  /** `"continue"` lets the others go on when a task fails; all failures still come at the end. Default: `"cancel"`. */
  readonly onTaskFailure?: "cancel" | "continue"
}

/**
 * A task that has been started.
 *
 * @since 0.1.0
 */
export interface Task<out A, out E> {
  readonly name: string
  /** Waits for the end. The exit of a cancelled task carries the `CancelReason`. */
  readonly await: Effect.Effect<Exit.Exit<A, E>>
  /** Waits for the value, or fails as the task did. */
  readonly join: Effect.Effect<A, E>
  /** The exit, if it has ended. */
  readonly poll: Option.Option<Exit.Exit<A, E>>
  /** Cancels it, and returns when it has really ended. From inside the task it returns at once. */
  cancel(reason?: string): Effect.Effect<void>
}

/**
 * An open block, into which tasks are started. It may be handed to anybody; after
 * the block has ended, starting is a defect `NurseryClosed`.
 *
 * @since 0.1.0
 */
export interface Nursery<out Name extends string = string> {
  /** Starts a task in the next turn of the scheduler. Waits only when `maxTasks` run already. */
  startSoon<A, E, R>(effect: Effect.Effect<A, E, R>, options?: TaskOptions): Effect.Effect<Task<A, E>, never, R | May<E, Name>>
  /** Starts a task now: it runs until it first waits before this returns. */
  startNow<A, E, R>(effect: Effect.Effect<A, E, R>, options?: TaskOptions): Effect.Effect<Task<A, E>, never, R | May<E, Name>>
  /**
   * Starts a task and waits until it calls `started`. A failure before that
   * comes out here; after it, out of the nursery.
   */
  start<V, A, E, R>(task: Startable<V, A, E, R>, options?: TaskOptions): Effect.Effect<V, E, R | May<E, Name>>
  /** A handle that accepts failures of type `E`, declared once: for callbacks, helpers and inner blocks. */
  accepting<E>(): Effect.Effect<Spawner<E>, never, May<E, Name>>
  /** A nursery that lives as long as the `Scope` around, and fails into this one. */
  scoped(options?: { readonly name?: string }): Effect.Effect<Nursery<Name>, never, Scope.Scope>
  /** Cancels the tasks living now, services too. The body goes on. */
  cancelTasks(reason?: string): Effect.Effect<void>
  /** The living task of a key. */
  task(key: unknown): Option.Option<Task<unknown, unknown>>
  /** Waits until no task runs, without closing. Services do not count. */
  readonly awaitIdle: Effect.Effect<void>
  /** How many tasks live now, services included. */
  readonly size: number
  readonly name: string
  readonly state: "open" | "cancelled" | "ended"
}

/**
 * A nursery whose error type is declared: it adds nothing to the requirements of
 * those who start tasks in it.
 *
 * @since 0.1.0
 */
export interface Spawner<in E> {
  /** As {@link Nursery.startSoon}. */
  startSoon<A, E2 extends E, R>(effect: Effect.Effect<A, E2, R>, options?: TaskOptions): Effect.Effect<Task<A, E2>, never, R>
  /** As {@link Nursery.startNow}. */
  startNow<A, E2 extends E, R>(effect: Effect.Effect<A, E2, R>, options?: TaskOptions): Effect.Effect<Task<A, E2>, never, R>
  /** As {@link Nursery.start}. */
  start<V, A, E2 extends E, R>(task: Startable<V, A, E2, R>, options?: TaskOptions): Effect.Effect<V, E2, R>
  /** As {@link Nursery.scoped}. */
  scoped(options?: { readonly name?: string }): Effect.Effect<Spawner<E>, never, Scope.Scope>
  /** A function that starts tasks from callbacks, with the services that are there now. `maxTasks` does not hold it up. */
  runtime<R = never>(): Effect.Effect<<A, E2 extends E>(effect: Effect.Effect<A, E2, R>, options?: TaskOptions) => Task<A, E2>, never, R>
}

const handshake = {
  notStarted: (task: string) => new Errors.NotStarted({ task }),
  alreadyStarted: (task: string) => new Errors.AlreadyStarted({ task })
}

class Handle implements Nursery<any>, Spawner<any> {
  readonly #block: NurseryBlock
  constructor(block: NurseryBlock) {
    this.#block = block
  }

  get name(): string {
    return this.#block.name
  }

  get size(): number {
    return this.#block.size
  }

  get state(): "open" | "cancelled" | "ended" {
    return this.#block.state
  }

  startSoon(effect: Effect.Effect<any, any, any>, options?: TaskOptions): Effect.Effect<any> {
    return this.#startTask(effect as AnyEffect, options, false)
  }

  startNow(effect: Effect.Effect<any, any, any>, options?: TaskOptions): Effect.Effect<any> {
    return this.#startTask(effect as AnyEffect, options, true)
  }

  #startTask(effect: AnyEffect, options: TaskOptions | undefined, now: boolean): Effect.Effect<any> {
    const block = this.#block
    // The usual case has nothing to wait for, and is one step.
    if (block.setup.maxTasks === Infinity && (options === undefined || options.key === undefined)) {
      return Effect.withFiberSucceed((fiber) => {
        if (block.state === "ended") throw this.#closed(options?.name)
        return block.spawn(effect, fiber.context, options, now)
      })
    }
    return Effect.withFiber((fiber) => this.#spawn(effect, fiber.context, options, now) as Effect.Effect<any>)
  }

  start(task: Startable<any, any, any, any>, options?: TaskOptions): AnyEffect {
    return Effect.withFiber((fiber) => {
      const block = this.#block
      if (options?.ifKeyTaken === "keep") {
        return Effect.die(new RangeError("Expected `ifKeyTaken` to be \"replace\" in `start`, got `keep`: the living task has no value to return"))
      }
      const defects = { ...handshake, closed: (name: string) => this.#closed(name) }
      const begin = openBlock(() => new StartBlock(block, task as (started: Started) => AnyEffect, fiber.context, options, defects))
      return this.#whenKeyIsFree(options, () => begin)
    })
  }

  #spawn(effect: AnyEffect, context: Context.Context<never>, options: TaskOptions | undefined, now: boolean): AnyEffect {
    const block = this.#block
    if (block.state === "ended") return Effect.die(this.#closed(options?.name))
    if (options?.key !== undefined && block.task(options.key) !== undefined) {
      return this.#whenKeyIsFree(options, () => this.#spawn(effect, context, options, now))
    }
    if (!block.isFull || options?.service === true) return Exit.succeed(block.spawn(effect, context, options, now))
    return Effect.callback<any, any>((resume) => {
      // Somebody may have taken the key while this one waited for room.
      const admitted = (): AnyEffect =>
        options?.key !== undefined && block.task(options.key) !== undefined
          ? this.#spawn(effect, context, options, now)
          : Exit.succeed(block.spawn(effect, context, options, now))
      // Asked again in the step that registers the wait: others may have run since.
      if (block.state !== "ended" && block.isFull) return block.whenRoom(admitted, resume).leave
      resume(this.#spawn(effect, context, options, now))
      return undefined
    })
  }

  #whenKeyIsFree(options: TaskOptions | undefined, then: () => AnyEffect): AnyEffect {
    const living = options?.key === undefined ? undefined : this.#block.task(options.key)
    if (living === undefined) return then()
    oneOf("ifKeyTaken", options?.ifKeyTaken, ["keep", "replace"])
    if (options?.ifKeyTaken === "keep") return Effect.succeed(living)
    // Asked again afterwards: somebody else may have taken the key meanwhile.
    return Effect.flatMap(living.cancel("replaced by a task of the same key"), () => this.#whenKeyIsFree(options, then))
  }

  #closed(task: string | undefined): Errors.NurseryClosed {
    return new Errors.NurseryClosed({ nursery: this.name, task: task === undefined || task === "" ? "a task" : task })
  }

  accepting(): Effect.Effect<any> {
    return Effect.succeed(this)
  }

  scoped(options?: { readonly name?: string }): Effect.Effect<any, never, Scope.Scope> {
    interface Opened {
      readonly nursery: Handle
      readonly scope: CancelScope.CancelScope
    }
    const name = options?.name ?? "scoped"
    // A service: it must not hold this block open when the Scope outlives it.
    const opened = this.start(
      (started: (opened: Opened) => Effect.Effect<void>) =>
        CancelScope.open((scope) =>
          open((nursery) => Effect.andThen(started({ nursery: nursery as unknown as Handle, scope }), Effect.never), { name }), { name }),
      { name, service: true }
    ) as Effect.Effect<Opened>
    const released = (opened: Opened) => opened.scope.stop({ grace: 0, reason: "its Scope was closed" })
    return Effect.map(Effect.acquireRelease(opened, released), (opened) => opened.nursery)
  }

  runtime(): Effect.Effect<any, never, any> {
    return Effect.withFiber((fiber) => {
      const context = fiber.context
      return Effect.succeed((effect: AnyEffect, options?: TaskOptions) => {
        const block = this.#block
        if (block.state === "ended") throw this.#closed(options?.name)
        const living = options?.key === undefined ? undefined : block.task(options.key)
        if (living !== undefined && options?.ifKeyTaken === "keep") return living
        // Uninterruptible: if this one is replaced too, it still has to see the first one out.
        const after = living === undefined
          ? effect
          : Effect.andThen(Effect.uninterruptible(living.cancel("replaced by a task of the same key")), effect)
        return block.spawn(after, context, options, false)
      })
    })
  }

  cancelTasks(reason = "cancelled"): Effect.Effect<void> {
    return Effect.sync(() => this.#block.cancelTasks(reason))
  }

  task(key: unknown): Option.Option<any> {
    return Option.fromUndefinedOr(this.#block.task(key))
  }

  get awaitIdle(): Effect.Effect<void> {
    return Effect.suspend(() => this.#block.awaitIdle())
  }

  toString(): string {
    return `Nursery(${this.name}, ${this.state}, ${this.size} tasks)`
  }

  toJSON(): unknown {
    return { _id: "Nursery", name: this.name, state: this.state, size: this.size }
  }
}

const setupOf = (options: Options | undefined, handler: Setup["handler"]): Setup => {
  const maxTasks = options?.maxTasks ?? Infinity
  if (maxTasks !== Infinity && !(Number.isInteger(maxTasks) && maxTasks >= 1)) {
    throw new RangeError(`Expected \`maxTasks\` to be an integer from 1 and up or \`Infinity\`, got \`${maxTasks}\` (${typeof maxTasks})`)
  }
  oneOf("onTaskFailure", options?.onTaskFailure, ["cancel", "continue"])
  return { name: options?.name ?? "nursery", maxTasks, onTaskFailure: options?.onTaskFailure ?? "cancel", handler }
}

const openWith = (body: (n: any) => Effect.Effect<any, any, any>, options: Options | undefined, handler: Setup["handler"]): AnyEffect => {
  try {
    const setup = setupOf(options, handler)
    const run = (block: NurseryBlock): AnyEffect => Effect.suspend(() => body(new Handle(block)) as AnyEffect)
    return openCollecting(() => new NurseryBlock(run, setup))
  } catch (defect) {
    return Effect.die(defect)
  }
}

/**
 * Opens a nursery for the time of `body`.
 *
 * **Details**
 *
 * The block ends when the body and every task have ended, cleanup included. Its
 * value is the body's. The first failure of any of them cancels the others; the
 * block then fails with a Cause of every `Fail` and `Die`, in order of arrival.
 * A cancelled task is no failure. To cancel the whole block, open it inside a
 * `CancelScope`.
 *
 * Tasks run with the services that are there where they are started.
 *
 * **Gotchas**
 *
 * With several failures use `Failures.catchTag` or `Failures.split`: Effect's own
 * `catchTag` looks at the first `Fail` only, and gives up when a `Die` stands
 * beside it.
 *
 * A handle of an outer nursery that is used inside an inner one should be named
 * or `accepting`; otherwise the inner block's type collects the outer one's errors.
 *
 * **Example** (Two tasks at a time)
 *
 * ```ts
 * import { Console, Effect } from "effect"
 * import { Nursery } from "effect-nursery"
 *
 * const greet = (name: string) => Effect.sleep("5 millis").pipe(Effect.andThen(Console.log(`hello ${name}`)))
 *
 * const program = Nursery.open((n) =>
 *   Effect.gen(function*() {
 *     yield* n.startSoon(greet("Ada"))
 *     yield* n.startSoon(greet("Grace"))
 *     yield* Console.log("both are greeted at the same time")
 *   })
 * )
 *
 * await Effect.runPromise(program)
 * ```
 *
 * ```text output
 * both are greeted at the same time
 * hello Ada
 * hello Grace
 * ```
 *
 * @see {@link supervised} when one task's failure should not concern the others
 * @since 0.1.0
 */
export const open = <A, E, R, const Name extends string = string>(
  body: (n: Nursery<Name>) => Effect.Effect<A, E, R>,
  options?: Options<Name>
): Effect.Effect<A, E | FailsOf<R, Name>, Opened<R, Name>> => openWith(body, options, undefined)

/**
 * Opens a nursery whose tasks do not concern each other: a failure goes to
 * `onFailure`, the others live on.
 *
 * **Details**
 *
 * The handler runs in the nursery and cannot be cancelled, so that no failure is
 * silent. If it fails itself, the block fails. The body's failure ends the block
 * as always.
 *
 * **Example** (One bad job)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Failures, Nursery } from "effect-nursery"
 *
 * const job = (id: number) => id === 2 ? Effect.fail("bad job") : Effect.sync(() => console.log(`job ${id} done`))
 *
 * const program = Nursery.supervised(
 *   (n) => Effect.forEach([1, 2, 3], (id) => n.startSoon(job(id), { name: `job ${id}` }), { discard: true }),
 *   (cause, task) => Effect.sync(() => console.log(task.name, Failures.fromCause(cause)[0]))
 * )
 *
 * await Effect.runPromise(program)
 * ```
 *
 * ```text output
 * job 1 done
 * job 2 { task: 'job 2', _tag: 'Fail', error: 'bad job' }
 * job 3 done
 * ```
 *
 * @since 0.1.0
 */
export const supervised = <A, E, R, E2 = never, R2 = never, const Name extends string = string>(
  body: (n: Nursery<Name>) => Effect.Effect<A, E, R>,
  onFailure: (
    cause: Cause.Cause<FailsOf<R, Name>>,
    task: Task<unknown, FailsOf<R, Name>>
  ) => Effect.Effect<unknown, E2, R2>,
  options?: Omit<Options<Name>, "onTaskFailure">
): Effect.Effect<A, E | E2, Opened<R, Name> | R2> =>
  openWith(body, options, onFailure as (cause: Cause.Cause<any>, task: TaskMember) => any)

/**
 * The class of a nursery that is a service: tasks are started into it from
 * anywhere, with a fixed error type.
 *
 * @since 0.1.0
 */
export interface ServiceClass<Self, Id extends string, E> extends Context.ServiceClass<Self, Id, Spawner<E>> {
  /** As {@link Nursery.startSoon}. */
  startSoon<A, E2 extends E, R>(effect: Effect.Effect<A, E2, R>, options?: TaskOptions): Effect.Effect<Task<A, E2>, never, R | Self>
  /** As {@link Nursery.start}. */
  start<V, A, E2 extends E, R>(task: Startable<V, A, E2, R>, options?: TaskOptions): Effect.Effect<V, E2, R | Self>
  /** As {@link Nursery.scoped}. */
  scoped(options?: { readonly name?: string }): Effect.Effect<Spawner<E>, never, Scope.Scope | Self>
  /** Opens the nursery for the time of `body`. */
  open<A, EB, R>(body: Effect.Effect<A, EB, R>, options?: Options): Effect.Effect<A, EB | E, Exclude<R, Self>>
}

/**
 * Declares a nursery as a service.
 *
 * **When to use**
 *
 * In applications, where layers own tasks that live as long as they do, and whose
 * failure must reach the program.
 *
 * **Example** (A layer with a task of its own)
 *
 * ```ts
 * import { Context, Data, Effect, Layer } from "effect"
 * import { Nursery } from "effect-nursery"
 *
 * class PoolDied extends Data.TaggedError("PoolDied")<{}> {}
 * class App extends Nursery.Service<App, PoolDied>()("app/App") {}
 * class Pool extends Context.Service<Pool, { readonly size: number }>()("app/Pool") {}
 *
 * const reaper = Effect.sleep("5 millis").pipe(Effect.andThen(Effect.fail(new PoolDied())))
 *
 * const PoolLive = Layer.effect(Pool, Effect.gen(function*() {
 *   const n = yield* App.scoped({ name: "pool" })
 *   yield* n.startSoon(reaper)
 *   return { size: 6 }
 * }))
 *
 * const program = App.open(Layer.launch(PoolLive)).pipe(
 *   Effect.catchTag("PoolDied", () => Effect.succeed("the pool died, and the program heard it"))
 * )
 *
 * console.log(await Effect.runPromise(program))
 * ```
 *
 * ```text output
 * the pool died, and the program heard it
 * ```
 *
 * @since 0.1.0
 */
export const Service = <Self, E = never>() => <const Id extends string>(id: Id): ServiceClass<Self, Id, E> => {
  const Base = Context.Service<Self, Spawner<E>>()(id)
  const use = <A, E2, R>(f: (spawner: Spawner<E>) => Effect.Effect<A, E2, R>): Effect.Effect<A, E2, R | Self> =>
    Effect.flatMap(Base, f) as Effect.Effect<A, E2, R | Self>
  class NurseryService extends (Base as unknown as new() => object) {
    static startSoon(effect: Effect.Effect<any, any, any>, options?: TaskOptions) {
      return use((spawner) => spawner.startSoon(effect, options))
    }
    static start(task: Startable<any, any, any, any>, options?: TaskOptions) {
      return use((spawner) => spawner.start(task, options))
    }
    static scoped(options?: { readonly name?: string }) {
      return use((spawner) => spawner.scoped(options))
    }
    static open(body: Effect.Effect<any, any, any>, options?: Options) {
      return openWith((n) => Effect.provideService(body, this as unknown as typeof Base, n), { name: id, ...options }, undefined)
    }
  }
  return NurseryService as unknown as ServiceClass<Self, Id, E>
}
