import { spawnSync } from "node:child_process"
import * as path from "node:path"
import { Clock, Context, Effect, Fiber, Schedule } from "effect"
import { HeapClock, Tasks, Timeout } from "effect-nursery"
import { assert, describe, it } from "vitest"

const root = path.resolve(import.meta.dirname, "../..")

const withHeap = <A, E>(program: Effect.Effect<A, E>) => Effect.runPromise(Effect.provideService(program, Clock.Clock, HeapClock.make()))

/** A program in a process of its own: what it prints, and how long it lived. */
const processOf = (body: string) => {
  const code = `import { Clock, Effect, Fiber } from "effect"\nimport { HeapClock, Timeout } from "effect-nursery"\n${body}`
  const begin = performance.now()
  const { status, stderr, stdout } = spawnSync(process.execPath, ["--conditions=effect-nursery:source", "--input-type=module", "-e", code], {
    cwd: root,
    encoding: "utf8",
    timeout: 30_000
  })
  return { status, printed: `${stdout}${stderr}`.trim(), millis: performance.now() - begin }
}

describe("HeapClock.make", () => {
  it("wakes sleepers in the order of their times, and those of one time in the order in which they fell asleep", () =>
    withHeap(Effect.gen(function*() {
      const woken: Array<string> = []
      const sleeper = (name: string, millis: number) => Effect.andThen(Effect.sleep(millis), Effect.sync(() => void woken.push(name)))
      yield* Tasks.gather([sleeper("c", 400), sleeper("a", 5), sleeper("b", 200), sleeper("none", 0)])
      assert.deepStrictEqual(woken, ["none", "a", "b", "c"])
    })))

  it("never wakes a sleeper early", () =>
    withHeap(Effect.gen(function*() {
      for (const millis of [1, 2.5, 7]) {
        const before = yield* Timeout.now
        yield* Effect.sleep(millis)
        assert.isAtLeast((yield* Timeout.now) - before, millis)
      }
    })))

  it("forgets a sleeper that is cancelled", () =>
    withHeap(Effect.gen(function*() {
      let woken = false
      const sleeper = yield* Effect.forkChild(Effect.andThen(Effect.sleep(5), Effect.sync(() => void (woken = true))))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(sleeper)
      yield* Effect.sleep(10)
      assert.isFalse(woken)
    })))

  it("serves 20,000 sleepers", () =>
    withHeap(Effect.gen(function*() {
      const values = yield* Tasks.map(Array.from({ length: 20_000 }, (_, i) => i), (i) => Effect.as(Effect.sleep(1 + i % 20), i))
      assert.isTrue(values.every((value, i) => value === i))
    })))

  it("is the clock of schedules and time limits too", () =>
    withHeap(Effect.gen(function*() {
      let ticks = 0
      const tick = Effect.sync(() => void ticks++).pipe(Effect.repeat(Schedule.spaced(2)))
      yield* Timeout.moveOnAfter(tick, 30)
      assert.isAbove(ticks, 1)
    })))

  it("tells the time as the default Clock does", () => {
    const heap = HeapClock.make()
    const live = Context.get(Context.empty(), Clock.Clock)
    assert.isAtMost(Math.abs(heap.currentTimeMillisUnsafe() - live.currentTimeMillisUnsafe()), 50)
    const before = live.monotonicTimeNanosUnsafe()
    const now = heap.monotonicTimeNanosUnsafe()
    assert.isTrue(before <= now && now <= live.monotonicTimeNanosUnsafe())
  })

  it("lets the process end when nobody sleeps any more, although it was armed for an hour", () => {
    const { millis, printed, status } = processOf(`
      const program = Effect.gen(function*() {
        const hour = yield* Effect.forkChild(Effect.sleep("1 hour"))
        yield* Timeout.failAfter(Effect.sleep(5), "2 hours")
        yield* Fiber.interrupt(hour)
        console.log("done")
      })
      await Effect.runPromise(Effect.provideService(program, Clock.Clock, HeapClock.make()))`)
    assert.deepStrictEqual([status, printed], [0, "done"])
    assert.isBelow(millis, 20_000)
  })

  it("holds the process while somebody sleeps, also after a time in which nobody did", () => {
    const { printed, status } = processOf(`
      const program = Effect.gen(function*() {
        yield* Timeout.failAfter(Effect.sleep(5), "2 hours")
        yield* Effect.sleep(50)
        console.log("awake")
      })
      Effect.runFork(Effect.provideService(program, Clock.Clock, HeapClock.make()))`)
    assert.deepStrictEqual([status, printed], [0, "awake"])
  })
})

describe("HeapClock.layer", () => {
  it("gives a whole program such a clock", () =>
    Effect.runPromise(Effect.gen(function*() {
      const clock = yield* Clock.Clock
      assert.notStrictEqual(clock, Context.get(Context.empty(), Clock.Clock))
      yield* Effect.sleep(1)
    }).pipe(Effect.provide(HeapClock.layer))))
})
