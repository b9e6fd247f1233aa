/**
 * Deadlines: one heap and one real timer for all of them.
 *
 * Effect's `sleep` sets a `setTimeout` of its own each time. At 100,000 live
 * deadlines those timers cost more than the fibers that wait for them.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { together } from "./Cascade.ts"

/** What a deadline is for. Scopes are that themselves, which saves an object each. */
export interface Due {
  onDeadline(): void
}

/** A deadline that is set. `due` is taken away when it is cleared or over. */
export interface Timer {
  due: Due | undefined
}

/** What can call somebody at a time. Times are milliseconds of the Clock's monotonic time. */
export interface Timers {
  now(): number
  set(at: number, due: Due, fiber: Fiber.Fiber<unknown, unknown>): Timer
  clear(timer: Timer): void
}

/** A Clock with timers of its own has them under this key. */
export const TimersId = "~effect-nursery/Timers"

class Entry implements Timer {
  declare readonly at: number
  declare readonly order: number
  declare due: Due | undefined
  constructor(at: number, order: number, due: Due) {
    this.at = at
    this.order = order
    this.due = due
  }
}

/** A 4-ary heap with lazy deletion: clearing is a write, and the dead are swept when they are the majority. */
export class TimerHeap {
  private entries: Array<Entry> = []
  private live = 0
  private count = 0

  get size(): number {
    return this.live
  }

  add(at: number, due: Due): Timer {
    const entry = new Entry(at, this.count++, due)
    this.live++
    this.entries.push(entry)
    this.siftUp(this.entries.length - 1)
    return entry
  }

  remove(timer: Timer): void {
    if (timer.due === undefined) return
    timer.due = undefined
    this.live--
    if (this.live === 0) this.entries.length = 0
    else if (this.entries.length > 64 && this.entries.length > 2 * this.live) this.sweep()
  }

  /** The time of the next deadline; Infinity when there is none. */
  next(): number {
    while (this.entries.length > 0) {
      const first = this.entries[0]!
      if (first.due !== undefined) return first.at
      this.pop()
    }
    return Infinity
  }

  /** Takes the next deadline out if it is due at `now`. */
  takeDue(now: number): Due | undefined {
    if (this.live === 0 || this.next() > now) return undefined
    const entry = this.pop()
    const due = entry.due!
    entry.due = undefined
    this.live--
    return due
  }

  private before(a: Entry, b: Entry): boolean {
    return a.at < b.at || (a.at === b.at && a.order < b.order)
  }

  private siftUp(index: number): void {
    const entries = this.entries
    const entry = entries[index]!
    while (index > 0) {
      const above = (index - 1) >> 2
      const parent = entries[above]!
      if (!this.before(entry, parent)) break
      entries[index] = parent
      index = above
    }
    entries[index] = entry
  }

  private siftDown(index: number): void {
    const entries = this.entries
    const entry = entries[index]!
    for (;;) {
      const firstChild = index * 4 + 1
      if (firstChild >= entries.length) break
      let least = firstChild
      const end = Math.min(firstChild + 4, entries.length)
      for (let i = firstChild + 1; i < end; i++) if (this.before(entries[i]!, entries[least]!)) least = i
      if (!this.before(entries[least]!, entry)) break
      entries[index] = entries[least]!
      index = least
    }
    entries[index] = entry
  }

  private pop(): Entry {
    const first = this.entries[0]!
    const last = this.entries.pop()!
    if (this.entries.length > 0) {
      this.entries[0] = last
      this.siftDown(0)
    }
    return first
  }

  private sweep(): void {
    this.entries = this.entries.filter((entry) => entry.due !== undefined)
    for (let i = (this.entries.length - 2) >> 2; i >= 0; i--) this.siftDown(i)
  }
}

/** Calls everybody who is due. All of them are told before anybody is woken, so of equal deadlines the outer one wins. */
export const fireDue = (heap: TimerHeap, now: () => number): void =>
  together(() => {
    const time = now()
    for (let due = heap.takeDue(time); due !== undefined; due = heap.takeDue(time)) due.onDeadline()
  })

interface Handle {
  ref?(): unknown
  unref?(): unknown
}

// Above this `setTimeout` wraps to one millisecond.
const longestTimeoutMillis = 2 ** 31 - 1

/** The heap on the host's real time. */
class LiveTimers implements Timers {
  private readonly heap = new TimerHeap()
  private handle: Handle | undefined
  private armedFor = Infinity
  // `performance.now()` and the Clock's monotonic time run at the same rate from
  // different origins, and reading the first needs no BigInt.
  private readonly offset: number

  constructor(clock: Clock.Clock) {
    this.offset = Number(clock.monotonicTimeNanosUnsafe()) / 1e6 - performance.now()
  }

  now(): number {
    return performance.now() + this.offset
  }

  set(at: number, due: Due): Timer {
    const timer = this.heap.add(at, due)
    if (this.heap.size === 1) this.handle?.ref?.()
    if (at < this.armedFor) this.arm(at)
    return timer
  }

  clear(timer: Timer): void {
    this.heap.remove(timer)
    if (this.heap.size > 0 || this.handle === undefined) return
    // Nothing to wait for: the timer must not hold the process. It stays armed
    // where the host allows that, because the next deadline is often close.
    if (this.handle.unref !== undefined) this.handle.unref()
    else this.disarm()
  }

  private arm(at: number): void {
    this.disarm()
    this.armedFor = at
    const delay = Math.min(Math.max(Math.ceil(at - this.now()), 1), longestTimeoutMillis)
    this.handle = setTimeout(this.fire, delay) as Handle
  }

  private disarm(): void {
    if (this.handle !== undefined) clearTimeout(this.handle as Parameters<typeof clearTimeout>[0])
    this.handle = undefined
    this.armedFor = Infinity
  }

  private readonly fire = (): void => {
    this.handle = undefined
    this.armedFor = Infinity
    try {
      fireDue(this.heap, this.nowRead)
    } finally {
      // Somebody may have armed a nearer one meanwhile.
      const next = this.heap.next()
      if (next < this.armedFor) this.arm(next)
    }
  }

  private readonly nowRead = (): number => this.now()
}

/** The heap on somebody else's Clock, such as Effect's TestClock: a fiber sleeps until the nearest deadline. */
class SleepingTimers implements Timers {
  private readonly clock: Clock.Clock
  private readonly heap = new TimerHeap()
  private sleeper: Fiber.Fiber<void> | undefined
  private armedFor = Infinity

  constructor(clock: Clock.Clock) {
    this.clock = clock
  }

  now(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe()) / 1e6
  }

  set(at: number, due: Due, fiber: Fiber.Fiber<unknown, unknown>): Timer {
    const timer = this.heap.add(at, due)
    if (at < this.armedFor) this.arm(at, fiber)
    return timer
  }

  clear(timer: Timer): void {
    this.heap.remove(timer)
    if (this.heap.size === 0) this.disarm()
  }

  private disarm(): void {
    const sleeper = this.sleeper
    this.sleeper = undefined
    this.armedFor = Infinity
    sleeper?.interruptUnsafe()
  }

  private arm(at: number, fiber: Fiber.Fiber<unknown, unknown>): void {
    this.disarm()
    this.armedFor = at
    const sleeper = this.sleeper = Effect.runForkWith(fiber.context)(this.clock.sleep(Duration.millis(at - this.now())))
    sleeper.addObserver((exit) => {
      if (this.sleeper !== sleeper || exit._tag === "Failure") return
      this.sleeper = undefined
      this.armedFor = Infinity
      fireDue(this.heap, () => this.now())
      const next = this.heap.next()
      if (next < this.armedFor) this.arm(next, fiber)
    })
  }
}

const liveClock: Clock.Clock = /* @__PURE__ */ Context.get(Context.empty(), Clock.Clock)
const foreign = new WeakMap<Clock.Clock, Timers>()
let live: LiveTimers | undefined

/** The timers on real time, shared by the whole process. */
export const liveTimers = (): Timers => live ??= new LiveTimers(liveClock)

/** The timers that go with a Clock. */
export const timersOf = (clock: Clock.Clock): Timers => {
  if (clock === liveClock) return live ??= new LiveTimers(liveClock)
  const own = (clock as unknown as Record<string, unknown>)[TimersId]
  if (own !== undefined) return own as Timers
  let timers = foreign.get(clock)
  if (timers === undefined) foreign.set(clock, timers = new SleepingTimers(clock))
  return timers
}

/** The timers of the Clock that a fiber runs with. */
export const timersFor = (fiber: Fiber.Fiber<unknown, unknown>): Timers => timersOf(fiber.getRef(Clock.Clock))

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

/** What `sleep` of a Clock with these timers is. */
export const sleepOn = (timers: Timers, duration: Duration.Duration): Effect.Effect<void> => {
  const millis = Duration.toMillis(duration)
  if (millis <= 0) return Effect.yieldNow
  if (millis === Infinity) return Effect.never
  return Effect.callback<void>((resume) => {
    const sleeper = new Sleeper(timers, timers.now() + millis, resume)
    return Effect.sync(() => sleeper.clear())
  })
}
