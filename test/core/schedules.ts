/**
 * Runs a program under a seeded random schedule: which ready task is next, where a fiber pauses, and
 * which of the things that are due at the same time comes first. All in virtual time and at once.
 */
import { Clock, Context, Duration, Effect, type Exit, type Fiber, Scheduler } from "effect"
import { fireDue, TimerHeap, type Timers, TimersId } from "../../src/core/internal/Timers.ts"

/** Numbers from 0 to 1 that a seed decides (mulberry32). */
export class Random {
  private state: number
  constructor(seed: number) {
    this.state = (seed * 2654435761) >>> 0
  }
  next(): number {
    let t = (this.state = (this.state + 0x6d2b79f5) >>> 0)
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  below(n: number): number {
    return Math.floor(this.next() * n)
  }
  coin(p = 0.5): boolean {
    return this.next() < p
  }
  one<A>(list: ReadonlyArray<A>): A {
    return list[this.below(list.length)]!
  }
}

/**
 * Where fibers pause. `coin` is before any operation, so also between an operation and the use of its
 * result, where Effect loses a result if the fiber is cancelled. `ops` is as Effect's own schedulers do
 * it, with fewer operations: a fiber that was just resumed runs so many before it pauses.
 */
export type Pauses = { readonly coin: number } | { readonly ops: number }

export interface Outcome<A, E> {
  readonly _tag: "ended" | "deadlock" | "livelock"
  readonly exit: Exit.Exit<A, E> | undefined
  /** Deadlines and sleeps that nobody has cleared. */
  readonly timersLeft: number
  /** Errors that a scheduled step threw. */
  readonly thrown: ReadonlyArray<unknown>
  readonly millis: number
}

/** Runs `program` to its end, or to where nothing can happen any more. */
export const runSeeded = <A, E>(program: Effect.Effect<A, E>, seed: number, pauses: Pauses): Outcome<A, E> => {
  const random = new Random(seed)
  const ready: Array<() => void> = []
  const thrown: Array<unknown> = []
  let millis = 0

  const dispatcher: Scheduler.SchedulerDispatcher = {
    scheduleTask: (task) => void ready.push(task),
    flush: () => {}
  }
  const scheduler: Scheduler.Scheduler = {
    executionMode: "async",
    shouldYield: (fiber) => "coin" in pauses ? random.coin(pauses.coin) : fiber.currentOpCount >= pauses.ops,
    makeDispatcher: () => dispatcher
  }

  const deadlines = new TimerHeap()
  // Apart, because on the host each sleep is a timer of its own.
  const sleeps = new TimerHeap()
  const now = () => millis
  const nanos = () => BigInt(Math.round(millis * 1e6))
  const timers: Timers = {
    now,
    set: (at, due) => deadlines.add(at, due),
    clear: (timer) => deadlines.remove(timer)
  }
  const clock: Clock.Clock & { readonly [TimersId]: Timers } = {
    currentTimeMillisUnsafe: now,
    currentTimeMillis: Effect.sync(now),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: nanos,
    monotonicTimeNanos: Effect.sync(nanos),
    sleep: (duration) =>
      Effect.callback<void>((resume) => {
        const timer = sleeps.add(millis + Duration.toMillis(duration), { onDeadline: () => resume(Effect.void) })
        return Effect.sync(() => sleeps.remove(timer))
      }),
    [TimersId]: timers
  }

  const attempt = (step: () => void) => {
    try {
      step()
    } catch (error) {
      thrown.push(error)
    }
  }
  const runOne = () => {
    const index = random.below(ready.length)
    const task = ready[index]!
    const last = ready.pop()!
    if (index < ready.length) ready[index] = last
    attempt(task)
  }
  /** Lets the next of what is due happen. With a coin, because a late event loop finds several times over at once. */
  const advance = (): boolean => {
    const next = Math.min(deadlines.next(), sleeps.next())
    if (next === Infinity) return false
    millis = Math.max(millis, next)
    const deadlineIsDue = deadlines.next() <= millis
    if (deadlineIsDue && (sleeps.next() > millis || random.coin())) attempt(() => fireDue(deadlines, now))
    else attempt(() => sleeps.takeDue(millis)!.onDeadline())
    return true
  }

  const context = Context.make(Clock.Clock, clock)
  const withOps = "ops" in pauses ? Effect.provideService(program, Scheduler.MaxOpsBeforeYield, pauses.ops) : program
  const fiber: Fiber.Fiber<A, E> = Effect.runForkWith(context)(withOps, { scheduler })
  const end = (tag: Outcome<A, E>["_tag"]): Outcome<A, E> => ({
    _tag: tag,
    exit: fiber.pollUnsafe(),
    timersLeft: deadlines.size + sleeps.size,
    thrown,
    millis
  })

  for (let steps = 0; steps < 20_000; steps++) {
    if (ready.length > 0) {
      // Time passes also while somebody is ready; what is due already is likely to come soon.
      const due = Math.min(deadlines.next(), sleeps.next()) <= millis
      if (!random.coin(due ? 0.3 : 0.03) || !advance()) runOne()
    } else if (fiber.pollUnsafe() !== undefined) return end("ended")
    else if (!advance()) return end("deadlock")
  }
  return end("livelock")
}
