import { Cause, Effect, Option, Stream } from "effect"
import { Nursery, TaskTree, Timeout, Watch } from "effect-nursery"
import { VirtualClock } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"
import { hangs } from "./pausing.ts"

const live = (name: string, body: () => Generator<Effect.Effect<any, any>, void, any>) =>
  it(name, () => VirtualClock.run(Effect.gen(body)))

const blocked = VirtualClock.waitAllBlocked

describe("Watch.get, set and update", () => {
  live("hold a value", function*() {
    const watch = yield* Watch.make(1)
    assert.strictEqual(watch.get, 1)
    yield* watch.set(2)
    assert.strictEqual(watch.get, 2)
    assert.strictEqual(yield* watch.update((n) => n * 10), 20)
    assert.strictEqual(watch.get, 20)
  })

  live("change nothing when the function of an update throws", function*() {
    const watch = yield* Watch.make(1)
    const exit = yield* Effect.exit(watch.update(() => {
      throw new Error("no")
    }))
    assert.strictEqual(exit._tag, "Failure")
    assert.strictEqual(watch.get, 1)
  })

  live("show in the text and the JSON of the handle", function*() {
    const watch = yield* Watch.make(1, { name: "level" })
    assert.strictEqual(String(watch), "Watch(level, 0 waiting)")
    assert.deepStrictEqual(JSON.parse(JSON.stringify(watch)), { _id: "Watch", name: "level", value: 1, waiting: 0 })
  })
})

describe("Watch.waitUntil", () => {
  live("goes on at once when the value is as wanted", function*() {
    const watch = yield* Watch.make(5)
    assert.strictEqual(yield* watch.waitUntil((n) => n > 4), 5)
  })

  live("wakes those whose value came, in order, with that value, and leaves the others", function*() {
    const watch = yield* Watch.make(0)
    const seen: Array<string> = []
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        for (const least of [2, 1, 2, 3]) {
          yield* n.startNow(Effect.map(watch.waitUntil((n) => n >= least), (n) => void seen.push(`${least}: ${n}`)))
        }
        yield* watch.set(2)
        assert.deepStrictEqual(seen, ["2: 2", "1: 2", "2: 2"])
        yield* watch.set(9)
      })
    )
    assert.deepStrictEqual(seen, ["2: 2", "1: 2", "2: 2", "3: 9"])
  })

  live("misses no value that was there for a moment only", function*() {
    const watch = yield* Watch.make("idle")
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const task = yield* n.startNow(watch.waitUntil((state) => state === "busy"))
        yield* Effect.uninterruptible(Effect.andThen(watch.set("busy"), watch.set("idle")))
        assert.strictEqual(yield* task.join, "busy")
      })
    )
  })

  it("misses no value that is set between the decision to wait and the waiting", async () => {
    assert.strictEqual(await hangs(Effect.map(Watch.make(0), (watch) => [watch.waitUntil((n) => n > 0), watch.set(1)] as const)), 0)
    const second = (watch: Watch.Watch<number>) => Stream.runCollect(Stream.take(watch.changes, 2))
    assert.strictEqual(await hangs(Effect.map(Watch.make(0), (watch) => [second(watch), watch.set(1).pipe(Effect.andThen(Effect.yieldNow), Effect.andThen(watch.set(2)))] as const)), 0)
  })

  live("asks everybody about a value before the next one is set by one of them", function*() {
    const watch = yield* Watch.make(0)
    const seen: Array<number> = []
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        yield* n.startNow(watch.waitUntil((n) => n === 1).pipe(Effect.andThen(watch.set(2))))
        yield* n.startNow(Effect.map(watch.waitUntil((n) => n === 1), (n) => void seen.push(n)))
        yield* n.startNow(Effect.map(watch.waitUntil((n) => n === 2), (n) => void seen.push(n)))
        yield* watch.set(1)
      })
    )
    assert.deepStrictEqual(seen, [1, 2])
  })

  live("dies by itself when its predicate throws, and leaves the others and the setter alone", function*() {
    const watch = yield* Watch.make(0)
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const bad = yield* n.startNow(Effect.exit(watch.waitUntil((n) => {
          if (n > 0) throw new Error("bad predicate")
          return false
        })))
        const good = yield* n.startNow(watch.waitUntil((n) => n > 0))
        yield* watch.set(1)
        const exit = yield* bad.join
        assert.include(exit._tag === "Failure" ? Cause.pretty(exit.cause) : "", "bad predicate")
        assert.strictEqual(yield* good.join, 1)
      })
    )
  })

  live("gives up its place when it is cancelled, and is named in the task tree", function*() {
    const watch = yield* Watch.make(0, { name: "level" })
    assert.isTrue(Option.isNone(yield* Timeout.moveOnAfter(watch.waitUntil((n) => n > 0), 1)))
    assert.strictEqual(String(watch), "Watch(level, 0 waiting)")
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        yield* n.startNow(watch.waitUntil((n) => n > 0))
        assert.include(TaskTree.toText(yield* TaskTree.now), "waiting for a change of watch level")
        yield* watch.set(1)
      })
    )
  })
})

describe("Watch.changes", () => {
  live("begins with the value now and gives each change to those who keep up", function*() {
    const watch = yield* Watch.make(0)
    const seen: Array<number> = []
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        yield* n.startSoon(Stream.runForEach(Stream.take(watch.changes, 4), (n) => Effect.sync(() => void seen.push(n))))
        for (let i = 1; i <= 3; i++) {
          yield* blocked
          yield* watch.set(i)
        }
      })
    )
    assert.deepStrictEqual(seen, [0, 1, 2, 3])
  })

  live("gives the latest value to those who are slow", function*() {
    const watch = yield* Watch.make(0)
    const seen: Array<number> = []
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const slow = Stream.runForEach(watch.changes, (n) => Effect.andThen(Effect.sync(() => void seen.push(n)), Effect.sleep(10)))
        yield* n.startSoon(slow, { service: true })
        for (let i = 1; i <= 25; i++) {
          yield* Effect.sleep(1)
          yield* watch.set(i)
        }
        yield* Effect.sleep(20)
      })
    )
    assert.strictEqual(seen[0], 0)
    assert.strictEqual(seen.at(-1), 25)
    assert.isBelow(seen.length, 6)
    assert.deepStrictEqual(seen, seen.toSorted((a, b) => a - b))
  })

  live("counts setting an equal value as a change, once", function*() {
    const watch = yield* Watch.make("a")
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const task = yield* n.startNow(Stream.runCollect(Stream.take(watch.changes, 2)))
        yield* watch.set("a")
        assert.deepStrictEqual(yield* task.join, ["a", "a"])
      })
    )
  })

  live("can be read by several, each from its own beginning", function*() {
    const watch = yield* Watch.make(7)
    const changes = watch.changes
    assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(changes, 1)), [7])
    assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(changes, 1)), [7])
  })
})
