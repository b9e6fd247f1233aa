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
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { type Due, liveTimers, type Timer, type Timers, TimersId } from "./internal/Timers.ts"

/** A sleeping fiber: what the heap calls, and what takes it out. */
class Sleeper implements Due {
  private readonly resume: (exit: Exit.Exit<void>) => void
  private readonly timers: Timers
  private readonly timer: Timer
  constructor(timers: Timers, at: number, resume: (exit: Exit.Exit<void>) => void) {
    this.timers = timers
    this.resume = resume
    this.timer = timers.set(at, this, Fiber.getCurrent()!)
  }
  onDeadline(): void {
    this.resume(Exit.void)
  }
  clear(): void {
    this.timers.clear(this.timer)
  }
}

const sleepOn = (timers: Timers, duration: Duration.Duration): Effect.Effect<void> => {
  const millis = Duration.toMillis(duration)
  if (millis <= 0) return Effect.yieldNow
  if (millis === Infinity) return Effect.never
  return Effect.callback<void>((resume) => {
    const sleeper = new Sleeper(timers, timers.now() + millis, resume)
    return Effect.sync(() => sleeper.clear())
  })
}

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
