/**
 * A Clock whose sleeps share one heap and one real timer.
 *
 * Deadlines of this library use that heap anyway. With this Clock `Effect.sleep`,
 * `Schedule` and all that stands on them use it too: a sleeper costs a small
 * object instead of a timer of the host.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import { liveTimers, sleepOn, type Timers, TimersId } from "./internal/Timers.ts"

/**
 * Makes a Clock on real time. All Clocks made so share one heap.
 *
 * **Example** (Many sleepers, one timer)
 *
 * ```ts
 * import { Clock, Effect } from "effect"
 * import { HeapClock, Tasks } from "effect-nursery"
 *
 * const program = Tasks.map(Array.from({ length: 1000 }), () => Effect.sleep("2 millis")).pipe(
 *   Effect.provideService(Clock.Clock, HeapClock.make())
 * )
 *
 * console.log((await Effect.runPromise(program)).length)
 * ```
 *
 * ```text output
 * 1000
 * ```
 *
 * @since 0.1.0
 */
export const make = (): Clock.Clock => {
  const live = Context.get(Context.empty(), Clock.Clock)
  const timers = liveTimers()
  const clock: Clock.Clock & { readonly [TimersId]: Timers } = {
    currentTimeMillisUnsafe: () => live.currentTimeMillisUnsafe(),
    currentTimeMillis: live.currentTimeMillis,
    currentTimeNanosUnsafe: () => live.currentTimeNanosUnsafe(),
    currentTimeNanos: live.currentTimeNanos,
    monotonicTimeNanosUnsafe: () => live.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: live.monotonicTimeNanos,
    sleep: (duration) => sleepOn(timers, duration),
    [TimersId]: timers
  }
  return clock
}

/**
 * The same as a layer.
 *
 * **Example** (For a whole program)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { HeapClock } from "effect-nursery"
 *
 * const program = Effect.sleep("1 millis").pipe(Effect.andThen(Effect.sync(() => console.log("awake"))))
 * await Effect.runPromise(Effect.provide(program, HeapClock.layer))
 * ```
 *
 * ```text output
 * awake
 * ```
 *
 * @since 0.1.0
 */
export const layer: Layer.Layer<never> = /* @__PURE__ */ Layer.sync(Clock.Clock, make)
