/** Queries that many ask at the same time: how many are sent, who gets which answer, and who is cancelled. */
import { type Duration, Effect, Fiber, Option } from "effect"
import { CapacityLimiter, Nursery, Tasks, Timeout } from "effect-nursery"
import { Explore, VirtualClock } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"
import { SharedQuery } from "../../../examples/storefront/database/SharedQuery.ts"
import { ToldElsewhere } from "../../../examples/storefront/ToldElsewhere.ts"

const open = (atOnce: number) => Effect.map(CapacityLimiter.make(atOnce), (limiter) => new SharedQuery(limiter))

/** A query of 10 ms, which counts how often it was begun and how often it was cancelled. */
const counter = () => {
  const counts = { begun: 0, cancelled: 0 }
  const query = Effect.suspend(() => {
    const number = ++counts.begun
    return Effect.as(Effect.sleep("10 millis"), number)
  }).pipe(Effect.onInterrupt(() => Effect.sync(() => void counts.cancelled++)))
  return { counts, query }
}

/** Long enough for a query to begin, and too short for one to end. */
const begun = Effect.sleep("1 millis")

/** A query is under way; the next one belongs to `owner`, and `follower` waits for it, too. */
const oneBusyTwoWaiting = Effect.gen(function*() {
  const shared = yield* open(1)
  const { counts, query } = counter()
  const busy = yield* Effect.forkChild(shared.ask("key", query))
  yield* begun
  const owner = yield* Effect.forkChild(shared.ask("key", query), { startImmediately: true })
  const follower = yield* Effect.forkChild(shared.ask("key", query), { startImmediately: true })
  return { busy, counts, follower, owner }
})

describe("SharedQuery.ask", () => {
  it("asks the database once for 100 who come at the same time", () =>
    VirtualClock.run(Effect.gen(function*() {
      const shared = yield* open(1)
      const { counts, query } = counter()
      const answers = yield* Tasks.gather(Array.from({ length: 100 }, () => shared.ask("key", query)))
      assert.deepStrictEqual(answers, Array(100).fill(1))
      assert.deepStrictEqual(counts, { begun: 1, cancelled: 0 })
      assert.strictEqual(yield* Timeout.now, 10)
    })))

  it("asks once more for all who come while the query is under way", () =>
    VirtualClock.run(Effect.gen(function*() {
      const shared = yield* open(1)
      const { counts, query } = counter()
      const answers = yield* Tasks.gather(Array.from({ length: 10 }, (_, i) => Effect.andThen(Effect.sleep(i), shared.ask("key", query))))
      assert.deepStrictEqual(answers, [1, ...Array(9).fill(2)])
      assert.deepStrictEqual(counts, { begun: 2, cancelled: 0 })
      assert.strictEqual(yield* Timeout.now, 20)
    })))

  it("joins nobody to a query that has begun: its answer may be older than the question", () =>
    VirtualClock.run(Effect.gen(function*() {
      const shared = yield* open(1)
      let row = "old"
      const query = Effect.suspend(() => Effect.as(Effect.sleep("10 millis"), row))
      const first = yield* Effect.forkChild(shared.ask("key", query))
      yield* begun
      row = "new"
      assert.strictEqual(yield* shared.ask("key", query), "new")
      assert.strictEqual(yield* Fiber.join(first), "old")
    })))

  it("sends different questions side by side, as many as it may", () =>
    VirtualClock.run(Effect.gen(function*() {
      const shared = yield* open(2)
      const { counts, query } = counter()
      yield* Tasks.gather(["a", "b", "c", "d"].map((key) => shared.ask(key, query)))
      assert.deepStrictEqual(counts, { begun: 4, cancelled: 0 })
      assert.strictEqual(yield* Timeout.now, 20)
    })))

  it("tells a failure to the one whose query it is; the others ask once more, and a second one is told to all", () =>
    VirtualClock.run(Effect.gen(function*() {
      const shared = yield* open(1)
      let count = 0
      const query = Effect.andThen(Effect.sleep("1 millis"), Effect.suspend(() => Effect.fail(++count)))
      assert.deepStrictEqual(yield* Tasks.gather(Array.from({ length: 4 }, () => Effect.flip(shared.ask("key", query)))), [1, 2, 2, 2])
      assert.strictEqual(yield* Effect.flip(shared.ask("key", query)), 3)
    })))

  it("treats a defect as a failure", () =>
    VirtualClock.run(Effect.gen(function*() {
      const shared = yield* open(1)
      let count = 0
      const query = Effect.andThen(Effect.sleep("1 millis"), Effect.suspend(() => Effect.die(++count)))
      const defects = yield* Tasks.gather(Array.from({ length: 4 }, () => Effect.catchDefect(shared.ask("key", query), Effect.succeed)))
      // Those who only share it are not told what it was, but that another tells it: once is enough for a log.
      assert.deepStrictEqual(defects.map((defect) => defect instanceof ToldElsewhere ? "told elsewhere" : defect), [1, 2, "told elsewhere", "told elsewhere"])
      assert.strictEqual(yield* Effect.catchDefect(shared.ask("key", query), Effect.succeed), 3)
    })))

  it("ends with the time limit of a client for that client alone, whosever query it is", () =>
    VirtualClock.run(Effect.gen(function*() {
      const shared = yield* open(1)
      const { counts, query } = counter()
      const within = (limit: Duration.Input, from: Duration.Input = "1 millis") =>
        Effect.andThen(Effect.sleep(from), Effect.map(Timeout.moveOnAfter(shared.ask("key", query), limit), Option.getOrUndefined))
      // The second query, from 10 ms on, belongs to the second client; the third one, from 15 ms on, to the fourth, and the fifth has joined.
      const answers = yield* Tasks.gather([within("1 second", 0), within("14 millis"), within("11 millis"), within("1 second"), within("1 second")])
      assert.deepStrictEqual(answers, [1, undefined, undefined, 3, 3])
      assert.deepStrictEqual(counts, { begun: 3, cancelled: 1 })
      assert.strictEqual(yield* Timeout.now, 25)
    })))

  it("lets the next of those who wait take over when a client goes away before its query begins", () =>
    VirtualClock.run(Effect.gen(function*() {
      const { busy, counts, follower, owner } = yield* oneBusyTwoWaiting
      yield* Fiber.interrupt(owner)
      assert.deepStrictEqual([yield* Fiber.join(busy), yield* Fiber.join(follower)], [1, 2])
      assert.deepStrictEqual(counts, { begun: 2, cancelled: 0 })
    })))

  it("cancels the query of a client that goes away, and the next of those who wait asks anew", () =>
    VirtualClock.run(Effect.gen(function*() {
      const { busy, counts, follower, owner } = yield* oneBusyTwoWaiting
      yield* Fiber.join(busy)
      yield* Effect.sleep("5 millis")
      assert.deepStrictEqual(counts, { begun: 2, cancelled: 0 })
      yield* Fiber.interrupt(owner)
      assert.deepStrictEqual(counts, { begun: 2, cancelled: 1 })
      assert.strictEqual(yield* Fiber.join(follower), 3)
    })))

  it("takes no client that goes away for a failure: who has waited for it still asks once more after one", () =>
    VirtualClock.run(Effect.gen(function*() {
      const shared = yield* open(1)
      let count = 0
      const query = Effect.andThen(Effect.sleep("10 millis"), Effect.suspend(() => ++count === 2 ? Effect.fail(count) : Effect.succeed(count)))
      const ask = Effect.forkChild(shared.ask("key", query), { startImmediately: true })
      const busy = yield* ask
      yield* begun
      const goes = yield* ask
      const nextOwner = yield* ask
      const follower = yield* ask
      yield* Fiber.interrupt(goes)
      assert.strictEqual(yield* Fiber.join(busy), 1)
      assert.strictEqual(yield* Effect.flip(Fiber.join(nextOwner)), 2)
      assert.strictEqual(yield* Fiber.join(follower), 3)
    })))

  it("sends nothing for a client that goes away before its query begins", () =>
    VirtualClock.run(Effect.gen(function*() {
      const shared = yield* open(1)
      const { counts, query } = counter()
      const busy = yield* Effect.forkChild(shared.ask("key", query))
      yield* begun
      yield* Fiber.interrupt(yield* Effect.forkChild(shared.ask("key", query), { startImmediately: true }))
      yield* Fiber.join(busy)
      yield* Effect.sleep("100 millis")
      assert.deepStrictEqual(counts, { begun: 1, cancelled: 0 })
    })))

  it.each([{}, { cancelEverywhere: true }])("gives nobody an answer that is older than the question, and leaves nobody waiting, in every order of events that was tried %o", (options) => {
    const report = Explore.run(
      Effect.gen(function*() {
        const shared = yield* open(2)
        let row = 0
        const late: Array<string> = []
        const query = Effect.suspend(() => {
          const seen = row
          return Effect.as(Effect.yieldNow, seen)
        })
        yield* Nursery.open((n) =>
          Effect.gen(function*() {
            for (let reader = 0; reader < 4; reader++) {
              yield* n.startSoon(Effect.gen(function*() {
                for (let i = 0; i < 3; i++) {
                  const known = row
                  const seen = yield* shared.ask("key", query)
                  if (seen < known) late.push(`reader ${reader} saw ${seen} after ${known}`)
                }
              }))
            }
            // Some go away at any time.
            for (let i = 0; i < 2; i++) {
              yield* n.startSoon(Effect.gen(function*() {
                const fiber = yield* Effect.forkChild(shared.ask("key", query))
                for (let j = 0; j < i + 1; j++) yield* Effect.yieldNow
                yield* Fiber.interrupt(fiber)
              }))
            }
            for (let i = 0; i < 3; i++) {
              row++
              yield* Effect.yieldNow
            }
          }))
        return late
      }),
      { runs: 500, holds: (late) => late.length === 0, ...options }
    )
    assert.strictEqual(report._tag, "Passed", Explore.toText(report))
  })

  it.each([{}, { cancelEverywhere: true }])("tells a failure that happens once to one client alone, whoever goes away, in every order of events that was tried %o", (options) => {
    const report = Explore.run(
      Effect.gen(function*() {
        const shared = yield* open(1)
        let count = 0
        let told = 0
        const query = Effect.andThen(Effect.yieldNow, Effect.suspend(() => ++count === 2 ? Effect.fail("broken") : Effect.succeed(count)))
        const ask = Effect.catch(shared.ask("key", query), () => Effect.sync(() => told++))
        yield* Nursery.open((n) =>
          Effect.gen(function*() {
            // Some of them own a query at that time, others wait for it.
            for (let i = 0; i < 3; i++) {
              yield* n.startSoon(Effect.gen(function*() {
                const fiber = yield* Effect.forkChild(ask)
                for (let j = 0; j < i + 2; j++) yield* Effect.yieldNow
                yield* Fiber.interrupt(fiber)
              }))
            }
            for (let client = 0; client < 3; client++) yield* n.startSoon(ask)
          }))
        return told
      }),
      { runs: 500, holds: (told) => told <= 1, ...options }
    )
    assert.strictEqual(report._tag, "Passed", Explore.toText(report))
  })
})
