/** What a run provides to its program: virtual time, and numbers that a seed decides. */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { type TimerHeap, type Timers, TimersId } from "../../core/internal/Timers.ts"
import { SeededRandom } from "./SeededRandom.ts"
import type { Sleeps } from "./Sleeps.ts"

/** Who is told of sleeps. */
export interface SleepWatcher {
  /** A sleep is this wait. */
  willSleep(register: object, millis: number): void
  /** A step of the clock, not of the program. */
  isOurs(step: object): void
}

/** A run, as its clock sees it. */
export interface Timekeeper {
  /** Virtual time. */
  readonly millis: number
  readonly deadlines: TimerHeap
  readonly sleeps: Sleeps
  readonly watcher: SleepWatcher | undefined
}

/** The time of a run. */
export class RunClock implements Clock.Clock {
  private readonly run: Timekeeper
  readonly [TimersId]: Timers

  constructor(run: Timekeeper) {
    this.run = run
    this[TimersId] = {
      now: () => run.millis,
      set: (at, due) => run.deadlines.add(at, due),
      clear: (timer) => run.deadlines.remove(timer)
    }
  }

  currentTimeMillisUnsafe(): number {
    return this.run.millis
  }
  currentTimeNanosUnsafe(): bigint {
    return BigInt(Math.round(this.run.millis * 1e6))
  }
  monotonicTimeNanosUnsafe(): bigint {
    return this.currentTimeNanosUnsafe()
  }
  get currentTimeMillis(): Effect.Effect<number> {
    return Effect.sync(() => this.currentTimeMillisUnsafe())
  }
  get currentTimeNanos(): Effect.Effect<bigint> {
    return Effect.sync(() => this.currentTimeNanosUnsafe())
  }
  get monotonicTimeNanos(): Effect.Effect<bigint> {
    return this.currentTimeNanos
  }
  sleep(duration: Duration.Duration): Effect.Effect<void> {
    const millis = Duration.toMillis(duration)
    if (millis === Infinity) return Effect.never
    const { run } = this
    const register = (resume: (effect: Effect.Effect<void>) => void): Effect.Effect<void> => {
      const sleep = run.sleeps.add(run.millis + Math.max(millis, 0), () => resume(Effect.void))
      const getUp = () => run.sleeps.remove(sleep)
      run.watcher?.isOurs(getUp)
      return Effect.sync(getUp)
    }
    run.watcher?.willSleep(register, millis)
    return Effect.callback<void>(register)
  }
}

/** A `Random` that draws the same numbers in every run. */
export const randomOf = (seed: number) => {
  const random = new SeededRandom(seed)
  return {
    nextIntUnsafe: () => Math.floor((random.next() - 0.5) * 2 * Number.MAX_SAFE_INTEGER),
    nextDoubleUnsafe: () => random.next()
  }
}
