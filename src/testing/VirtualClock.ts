/**
 * A clock that jumps: time stands still while any task can run, and when all are
 * blocked it moves to the next deadline at once. An hour of timeouts is tested in
 * a millisecond, in the order in which it would happen.
 *
 * Semantics: Trio's `MockClock(autojump_threshold=0)` and `wait_all_tasks_blocked`.
 * (`TestClock.adjust` moves time by hand, and misses sleeps that begin later.)
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import { fireDue, sleepOn, TimerHeap, type Timers, TimersId } from "../core/internal/Timers.ts"
import { Deadlock, explainDeadlock } from "./internal/Deadlock.ts"

export { Deadlock }

/**
 * How a program is run.
 *
 * @since 0.1.0
 */
export interface Options {
  /**
   * How long, in real time, a program may be blocked without any deadline before
   * it counts as a deadlock. Longer where it waits for the real world. Default: 2 seconds.
   */
  readonly deadlockAfter?: Duration.Input
}

const RunId = "~effect-nursery/VirtualClock"

interface Task {
  readonly run: () => void
  readonly priority: number
}

/** One run: its time, its ready tasks and its deadlines. */
class Run {
  private millis = 0
  private ready: Array<Task> = []
  private readonly heap = new TimerHeap()
  private readonly blockedWaiters: Array<() => void> = []
  private wakeLoop: (() => void) | undefined = undefined

  readonly scheduler: Scheduler.Scheduler = (() => {
    const base = new Scheduler.MixedScheduler()
    const dispatcher: Scheduler.SchedulerDispatcher = {
      scheduleTask: (run, priority) => {
        this.ready.push({ run, priority })
        this.wakeLoop?.()
      },
      flush: () => this.runReady()
    }
    return {
      executionMode: "async",
      shouldYield: (fiber) => base.shouldYield(fiber),
      makeDispatcher: () => dispatcher
    }
  })()

  readonly clock: Clock.Clock = (() => {
    const millis = () => this.millis
    const nanos = () => BigInt(Math.round(this.millis * 1e6))
    const timers: Timers = {
      now: millis,
      set: (at, due) => {
        const timer = this.heap.add(at, due)
        this.wakeLoop?.()
        return timer
      },
      clear: (timer) => this.heap.remove(timer)
    }
    const clock: Clock.Clock & { readonly [TimersId]: Timers; readonly [RunId]: Run } = {
      currentTimeMillisUnsafe: millis,
      currentTimeMillis: Effect.sync(millis),
      currentTimeNanosUnsafe: nanos,
      currentTimeNanos: Effect.sync(nanos),
      monotonicTimeNanosUnsafe: nanos,
      monotonicTimeNanos: Effect.sync(nanos),
      sleep: (duration) => sleepOn(timers, duration),
      [TimersId]: timers,
      [RunId]: this
    }
    return clock
  })()

  whenBlocked(waiter: () => void): () => void {
    this.blockedWaiters.push(waiter)
    this.wakeLoop?.()
    return () => {
      const index = this.blockedWaiters.indexOf(waiter)
      if (index >= 0) this.blockedWaiters.splice(index, 1)
    }
  }

  private runReady(): void {
    while (this.ready.length > 0) {
      // Lower priority numbers first; equal ones in order, which `sort` keeps.
      const turn = this.ready.sort((a, b) => a.priority - b.priority)
      this.ready = []
      for (let i = 0; i < turn.length; i++) {
        try {
          turn[i]!.run()
        } catch (error) {
          this.ready = turn.slice(i + 1).concat(this.ready)
          throw error
        }
      }
    }
  }

  /** Runs until `isOver`, jumping whenever everything is blocked. */
  async loop(isOver: () => boolean, deadlockAfter: number): Promise<void> {
    for (;;) {
      this.runReady()
      if (isOver()) return
      // Promises and events of the host that are due get their turn before time moves.
      await new Promise<void>((resume) => setImmediate(resume))
      if (this.ready.length > 0) continue
      if (isOver()) return
      const waiter = this.blockedWaiters.shift()
      if (waiter !== undefined) waiter()
      else if (this.heap.next() !== Infinity) this.jump()
      else if (!(await this.somethingHappens(isOver, deadlockAfter))) {
        throw new Deadlock(explainDeadlock())
      }
    }
  }

  private jump(): void {
    this.millis = Math.max(this.millis, this.heap.next())
    fireDue(this.heap, () => this.millis)
  }

  private somethingHappens(isOver: () => boolean, within: number): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (happened: boolean) => {
        this.wakeLoop = undefined
        clearTimeout(limit)
        resolve(happened)
      }
      const limit = setTimeout(() => end(isOver()), within)
      this.wakeLoop = () => end(true)
    })
  }

  over(): void {
    this.wakeLoop?.()
  }
}

/**
 * Runs a program in virtual time, from time 0, and gives its exit.
 *
 * **Example** (An hour in no time)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Timeout } from "effect-nursery"
 * import { VirtualClock } from "effect-nursery/testing"
 *
 * const exit = await VirtualClock.runExit(Effect.never.pipe(Timeout.failAfter("1 hour")))
 * console.log(exit._tag)
 * ```
 *
 * ```text output
 * Failure
 * ```
 *
 * @since 0.1.0
 */
export const runExit = async <A, E>(program: Effect.Effect<A, E>, options?: Options): Promise<Exit.Exit<A, E>> => {
  const run = new Run()
  const fiber = Effect.runFork(Effect.provideService(program, Clock.Clock, run.clock), { scheduler: run.scheduler })
  fiber.addObserver(() => run.over())
  const isOver = () => fiber.pollUnsafe() !== undefined
  try {
    await run.loop(isOver, Duration.toMillis(options?.deadlockAfter ?? "2 seconds"))
  } catch (defect) {
    // Its finalizers get their turn. What cannot even be interrupted is left behind.
    fiber.interruptUnsafe()
    await run.loop(isOver, 0).catch(() => {})
    return Exit.die(defect)
  }
  return fiber.pollUnsafe()!
}

/**
 * Runs a program in virtual time, from time 0. The promise is rejected as
 * `Effect.runPromise` would reject it.
 *
 * **Example** (Sleeping for two hours)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Timeout } from "effect-nursery"
 * import { VirtualClock } from "effect-nursery/testing"
 *
 * const program = Effect.sleep("2 hours").pipe(Effect.andThen(Timeout.now))
 * console.log(await VirtualClock.run(program))
 * ```
 *
 * ```text output
 * 7200000
 * ```
 *
 * @since 0.1.0
 */
export const run = async <A, E>(program: Effect.Effect<A, E>, options?: Options): Promise<A> => {
  const exit = await runExit(program, options)
  if (exit._tag === "Success") return exit.value
  throw Cause.squash(exit.cause)
}

/**
 * Waits until every other task of the run is blocked, before time moves on. Only
 * in {@link run} and {@link runExit}; elsewhere it is a defect.
 *
 * **Example** (Instead of a sleep to let things settle)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Event, Nursery } from "effect-nursery"
 * import { VirtualClock } from "effect-nursery/testing"
 *
 * const program = Nursery.open((n) =>
 *   Effect.gen(function*() {
 *     const go = yield* Event.make()
 *     yield* n.startSoon(go.wait)
 *     yield* VirtualClock.waitAllBlocked
 *     console.log(go.waiting, "waits")
 *     yield* go.set
 *   })
 * )
 *
 * await VirtualClock.run(program)
 * ```
 *
 * ```text output
 * 1 waits
 * ```
 *
 * @since 0.1.0
 */
export const waitAllBlocked: Effect.Effect<void> = Effect.callback<void>((resume) => {
  const clock = Fiber.getCurrent()!.getRef(Clock.Clock) as { readonly [RunId]?: Run }
  const run = clock[RunId]
  if (run === undefined) {
    resume(Effect.die(new Error("`waitAllBlocked` works only in a program that `VirtualClock.run` runs")))
    return undefined
  }
  const forget = run.whenBlocked(() => resume(Exit.void))
  return Effect.sync(forget)
})
