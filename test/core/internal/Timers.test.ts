import { Clock, Context, Effect, Exit, Fiber } from "effect"
import * as TestClock from "effect/testing/TestClock"
import { assert, describe, it } from "vitest"
import { fireDue, liveTimers, TimerHeap, timersOf, type Timers } from "../../../src/core/internal/Timers.ts"
import { wakeUp } from "../../../src/core/internal/Cascade.ts"
import { Timeout } from "effect-nursery"
import { VirtualClock } from "effect-nursery/testing"

const nothing = { onDeadline: () => {} }
const noting = <A>(fired: Array<A>, what: A) => ({ onDeadline: () => void fired.push(what) })

/** The same numbers each time: a test that fails once fails again. */
const random = (seed: number) => () => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
  return seed / 2 ** 32
}

const takeAll = (heap: TimerHeap): Array<number> => {
  const order: Array<number> = []
  for (let at = heap.next(); at !== Infinity; at = heap.next()) {
    order.push(at)
    heap.takeDue(at)
  }
  return order
}

describe("TimerHeap", () => {
  it("gives 10,000 deadlines back in the order of their times", () => {
    const heap = new TimerHeap()
    const next = random(1)
    const times = Array.from({ length: 10_000 }, () => Math.floor(next() * 5_000))
    for (const at of times) heap.add(at, nothing)
    assert.strictEqual(heap.size, 10_000)
    assert.deepStrictEqual(takeAll(heap), times.sort((a, b) => a - b))
    assert.strictEqual(heap.size, 0)
  })

  it("gives deadlines of one time back in the order in which they were set", () => {
    const heap = new TimerHeap()
    const fired: Array<number> = []
    for (let i = 0; i < 1_000; i++) heap.add(i % 3, noting(fired, i))
    for (let step = heap.takeDue(5); step !== undefined; step = heap.takeDue(5)) step.onDeadline()
    const expected = [0, 1, 2].flatMap((rest) => Array.from({ length: 1_000 }, (_, i) => i).filter((i) => i % 3 === rest))
    assert.deepStrictEqual(fired, expected)
  })

  it("takes nothing that is not due", () => {
    const heap = new TimerHeap()
    heap.add(10, nothing)
    assert.isUndefined(heap.takeDue(9.999))
    assert.isDefined(heap.takeDue(10))
    assert.isUndefined(heap.takeDue(Number.MAX_VALUE))
  })

  it("forgets deadlines that were cleared, in whatever order, and keeps the order of the others", () => {
    const heap = new TimerHeap()
    const next = random(2)
    const times = Array.from({ length: 5_000 }, () => Math.floor(next() * 1_000))
    const timers = times.map((at) => heap.add(at, nothing))
    const kept: Array<number> = []
    for (const [i, timer] of timers.entries()) {
      if (next() < 0.7) heap.remove(timer)
      else kept.push(times[i]!)
    }
    assert.strictEqual(heap.size, kept.length)
    assert.deepStrictEqual(takeAll(heap), kept.sort((a, b) => a - b))
  })

  it("does not keep what was cleared: a million set and cleared beside one that lives", () => {
    const heap = new TimerHeap()
    heap.add(5, nothing)
    for (let i = 0; i < 1_000_000; i++) heap.remove(heap.add(10, nothing))
    assert.strictEqual(heap.size, 1)
    assert.isAtMost((heap as unknown as { readonly entries: ReadonlyArray<unknown> }).entries.length, 66)
    assert.strictEqual(heap.next(), 5)
  })

  it("ignores a second clear, and a clear of what has fired", () => {
    const heap = new TimerHeap()
    const first = heap.add(1, nothing)
    const second = heap.add(2, nothing)
    heap.takeDue(1)
    heap.remove(first)
    heap.remove(second)
    heap.remove(second)
    assert.strictEqual(heap.size, 0)
    assert.strictEqual(heap.next(), Infinity)
    heap.add(3, nothing)
    assert.strictEqual(heap.next(), 3)
  })
})

describe("fireDue", () => {
  it("tells all that are due before anybody is woken", () => {
    const heap = new TimerHeap()
    const events: Array<string> = []
    for (const name of ["a", "b"]) {
      heap.add(1, { onDeadline: () => (events.push(`told ${name}`), wakeUp({ run: () => void events.push(`woken ${name}`) })) })
    }
    fireDue(heap, () => 1)
    assert.deepStrictEqual(events, ["told a", "told b", "woken a", "woken b"])
  })

  it("does not fire what a step sets for later", () => {
    const heap = new TimerHeap()
    const fired: Array<string> = []
    heap.add(1, { onDeadline: () => (fired.push("now"), heap.add(2, noting(fired, "later"))) })
    fireDue(heap, () => 1)
    assert.deepStrictEqual(fired, ["now"])
    assert.strictEqual(heap.next(), 2)
  })
})

describe("the timers on real time", () => {
  // LiveTimers reads no fiber: the parameter is for Clocks of others.
  const set = (timers: Timers, at: number, step: { onDeadline(): void }) => timers.set(at, step, undefined as never)

  it("are the same for the default Clock and for everybody who asks", () => {
    assert.strictEqual(timersOf(Context.get(Context.empty(), Clock.Clock)), liveTimers())
  })

  it("count as the Clock's monotonic time does", () => {
    const clock = Context.get(Context.empty(), Clock.Clock)
    const before = Number(clock.monotonicTimeNanosUnsafe()) / 1e6
    const now = liveTimers().now()
    const after = Number(clock.monotonicTimeNanosUnsafe()) / 1e6
    assert.isAtLeast(now, before - 0.01)
    assert.isAtMost(now, after + 0.01)
  })

  it("do not care when somebody sets the system's clock", () => {
    const real = Date.now
    const before = liveTimers().now()
    try {
      Date.now = () => real() - 3_600_000
      assert.isAtLeast(liveTimers().now(), before)
      Date.now = () => real() + 3_600_000
      assert.isBelow(liveTimers().now(), before + 60_000)
    } finally {
      Date.now = real
    }
  })

  it("fire in the order of their times, never early, and a nearer one that came later fires first", () =>
    new Promise<void>((resolve, reject) => {
      const timers = liveTimers()
      const fired: Array<string> = []
      const start = timers.now()
      const note = (name: string, at: number) =>
        set(timers, at, {
          onDeadline: () => {
            fired.push(timers.now() >= at ? name : `${name} too early`)
            if (fired.length < 3) return
            try {
              assert.deepStrictEqual(fired, ["5", "10", "15"])
              resolve()
            } catch (error) {
              reject(error)
            }
          }
        })
      note("15", start + 15)
      note("5", start + 5)
      note("10", start + 10)
    }))

  it("do not fire a deadline further away than a `setTimeout` can count (C05)", () =>
    new Promise<void>((resolve) => {
      const timers = liveTimers()
      const fired: Array<string> = []
      const far = set(timers, timers.now() + 2 ** 31 + 1_000, noting(fired, "far"))
      const never = set(timers, Infinity, noting(fired, "never"))
      set(timers, timers.now() + 20, {
        onDeadline: () => {
          assert.deepStrictEqual(fired, [])
          timers.clear(far)
          timers.clear(never)
          resolve()
        }
      })
    }))
})

describe("the timers on another Clock", () => {
  it("of the virtual clock do not fire 2 ** 40 ms early (C05)", () =>
    VirtualClock.run(Effect.gen(function*() {
      const long = 2 ** 40
      yield* Timeout.moveOnAfter(Effect.never, long)
      assert.strictEqual(yield* Timeout.now, long)
    })))

  it("obey TestClock, deadlines that are moved and cleared included", () =>
    Effect.runPromise(Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Effect.exit(Timeout.failAfter(Effect.never, "1 hour")))
      const quick = yield* Effect.forkChild(Timeout.failAfter(Effect.sleep("1 minute"), "1 hour"))
      yield* TestClock.adjust("59 minutes")
      assert.isUndefined(fiber.pollUnsafe())
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(quick)))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "Failure")
    }).pipe(Effect.provide(TestClock.layer()))))

  it("are made once for each Clock", () => {
    const clock = { ...Context.get(Context.empty(), Clock.Clock) }
    assert.strictEqual(timersOf(clock), timersOf(clock))
    assert.notStrictEqual(timersOf(clock), liveTimers())
  })
})
