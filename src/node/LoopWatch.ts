/**
 * Tells when something has blocked the event loop, which task it was, and where
 * in the code.
 *
 * JavaScript runs one thing at a time: while one task computes, no other task,
 * timer or socket has its turn. A thread beside the program looks for signs of
 * life, and asks who is running when they stay away.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { wordsOf } from "./internal/LoopSample.ts"
import { LoopWatcher, thresholdMillisOf } from "./internal/LoopWatcher.ts"

/**
 * One time in which the event loop did not come round.
 *
 * @since 0.1.0
 */
export interface Blocked {
  /** How late timers were because of it, in milliseconds: about as long as it lasted. */
  readonly millis: number
  /** The nurseries and tasks around what was running, outermost first; empty when it was no task. */
  readonly path: ReadonlyArray<string>
  /** Where in the code it was, innermost first, without the frames of packages; empty when nobody knows. */
  readonly frames: ReadonlyArray<string>
}

/**
 * How {@link start} watches.
 *
 * @since 0.1.0
 */
export interface Options<R = never> {
  /** Shorter blocks are not told of. Default 100 milliseconds. */
  readonly threshold?: Duration.Input
  /** Runs after each block. Default: logs {@link toText} as a warning. */
  readonly onBlocked?: (blocked: Blocked) => Effect.Effect<unknown, never, R>
}

const defaultThreshold = "100 millis"

/** What waits for a handler that is slower than the blocks come. */
const mostWaiting = 64

const warn = (blocked: Blocked): Effect.Effect<void> => Effect.logWarning(toText(blocked))

/**
 * Watches the event loop of this process until the Scope closes.
 *
 * **Details**
 *
 * Nothing is added to what fibers do. The price is a thread, which is mostly asleep,
 * and a timer that fires four times for each threshold. A block that lasts for five
 * seconds is told of on standard error while it lasts, by that thread: the program
 * may never come round to do it.
 *
 * **Gotchas**
 *
 * Who is named is who was running when the thread asked, or most often when it could
 * ask several times. Code that runs in no fiber, such as a callback or what follows
 * an `await`, has no path; its frames are there. In a worker thread nobody is named.
 *
 * **Example** (Naming the task)
 *
 * ```ts
 * import { Deferred, Effect } from "effect"
 * import { Nursery } from "effect-nursery"
 * import { LoopWatch } from "effect-nursery/node"
 *
 * const spin = Effect.sync(() => {
 *   const end = performance.now() + 500
 *   while (performance.now() < end);
 * })
 *
 * const program = Effect.gen(function*() {
 *   const named = yield* Deferred.make<string>()
 *   yield* LoopWatch.start({
 *     onBlocked: ({ path }) => path.length === 0 ? Effect.void : Deferred.succeed(named, path.join(" › "))
 *   })
 *   yield* Nursery.open((n) => n.startSoon(spin, { name: "resize" }), { name: "images" })
 *   console.log("blocked by", yield* Deferred.await(named))
 * })
 *
 * await Effect.runPromise(Effect.scoped(program))
 * ```
 *
 * ```text output
 * blocked by images › resize
 * ```
 *
 * @since 0.1.0
 */
export const start = <R = never>(options?: Options<R>): Effect.Effect<void, never, Scope.Scope | R> =>
  Effect.gen(function*() {
    const millis = yield* Effect.sync(() => thresholdMillisOf("threshold", options?.threshold ?? defaultThreshold))
    const handle = options?.onBlocked ?? warn
    const queue = yield* Queue.sliding<Effect.Effect<unknown, never, R>>(mostWaiting)
    const hear = (then: Effect.Effect<unknown, never, R>) => void Queue.offerUnsafe(queue, then)
    const watcher = yield* Effect.acquireRelease(
      Effect.sync(() =>
        new LoopWatcher(millis, {
          blocked: (report) => hear(Effect.suspend(() => handle(report))),
          failed: (error) => hear(Effect.logWarning(`The event loop is not watched: ${String(error)}`))
        })
      ),
      (watcher) => Effect.promise(() => watcher.stop())
    )
    yield* Queue.take(queue).pipe(
      Effect.flatMap((then) => Effect.catchCause(then, (cause) => Effect.logError("The handler of a blocked event loop failed", cause))),
      Effect.forever,
      Effect.forkScoped
    )
    yield* Effect.promise(() => watcher.ready)
  })

/**
 * The same as a layer, for as long as the layer lives.
 *
 * **Example** (Beside the program)
 *
 * ```ts
 * import { Console, Effect } from "effect"
 * import { LoopWatch } from "effect-nursery/node"
 *
 * const program = Console.log("watched")
 *
 * await Effect.runPromise(program.pipe(Effect.provide(LoopWatch.layer({ threshold: "200 millis" }))))
 * ```
 *
 * ```text output
 * watched
 * ```
 *
 * @since 0.1.0
 */
export const layer = <R = never>(options?: Options<R>): Layer.Layer<never, never, R> => Layer.effectDiscard(start(options)) as Layer.Layer<never, never, R>

/**
 * What happened, in words.
 *
 * **Example** (A line, and the places below it)
 *
 * ```ts
 * import { LoopWatch } from "effect-nursery/node"
 *
 * console.log(LoopWatch.toText({ millis: 212, path: ["images", "resize"], frames: ["spin (src/images.ts:3:5)"] }))
 * ```
 *
 * ```text output
 * The event loop was blocked for 212 ms by images › resize
 *   at spin (src/images.ts:3:5)
 * ```
 *
 * @since 0.1.0
 */
export const toText = (blocked: Blocked): string => wordsOf(blocked)
