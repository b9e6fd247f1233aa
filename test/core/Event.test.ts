import { Effect, Option } from "effect"
import { Event, Nursery, TaskTree, Timeout } from "effect-nursery"
import { VirtualClock } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"
import { hangs } from "./pausing.ts"

const live = (name: string, body: () => Generator<Effect.Effect<any, any>, void, any>) =>
  it(name, () => VirtualClock.run(Effect.gen(body)))

describe("Event.make", () => {
  live("gives an event that is not set, and tells its state as text and as JSON", function*() {
    const event = yield* Event.make({ name: "go" })
    assert.isFalse(event.isSet)
    assert.strictEqual(String(event), "Event(go, not set, 0 waiting)")
    yield* event.set
    assert.isTrue(event.isSet)
    assert.deepStrictEqual(JSON.parse(JSON.stringify(event)), { _id: "Event", name: "go", state: "set", waiting: 0 })
    assert.strictEqual(String(yield* Event.make()), "Event(event, not set, 0 waiting)")
  })
})

describe("Event.wait", () => {
  live("goes on at once when the event is set, also twice", function*() {
    const event = yield* Event.make()
    yield* event.set
    yield* event.set
    yield* event.wait
    yield* event.wait
  })

  live("wakes all in the order in which they came", function*() {
    const event = yield* Event.make()
    const woken: Array<number> = []
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        for (let i = 0; i < 5; i++) yield* n.startNow(Effect.map(event.wait, () => void woken.push(i)))
        assert.strictEqual(event.waiting, 5)
        assert.deepStrictEqual(woken, [])
        yield* event.set
        assert.strictEqual(event.waiting, 0)
      })
    )
    assert.deepStrictEqual(woken, [0, 1, 2, 3, 4])
  })

  live("gives up its place when it is cancelled", function*() {
    const event = yield* Event.make()
    for (let i = 0; i < 10; i++) assert.isTrue(Option.isNone(yield* Timeout.moveOnAfter(event.wait, 1)))
    assert.strictEqual(event.waiting, 0)
  })

  live("ends cancelled, and not twice, when one that is woken before it cancels it", function*() {
    const event = yield* Event.make()
    const ended: Array<string> = []
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const tasks: Array<Nursery.Task<void, never>> = []
        yield* n.startNow(Effect.andThen(event.wait, Effect.suspend(() => tasks[0]!.cancel())))
        tasks.push(yield* n.startNow(event.wait.pipe(
          Effect.onExit((exit) => Effect.sync(() => void ended.push(exit._tag)))
        )))
        yield* event.set
      })
    )
    assert.deepStrictEqual(ended, ["Failure"])
  })

  it("misses no set between the decision to wait and the waiting", async () => {
    assert.strictEqual(await hangs(Effect.map(Event.make(), (event) => [event.wait, event.set] as const)), 0)
  })

  live("is named in the task tree", function*() {
    const event = yield* Event.make({ name: "go" })
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        yield* n.startNow(event.wait, { name: "runner" })
        assert.include(TaskTree.toText(yield* TaskTree.now), "waiting for event go")
        yield* event.set
      })
    )
  })

  live("lets 100,000 tasks go on", function*() {
    const event = yield* Event.make()
    let woken = 0
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        for (let i = 0; i < 100_000; i++) yield* n.startSoon(Effect.map(event.wait, () => void woken++))
        yield* VirtualClock.waitAllBlocked
        yield* event.set
      })
    )
    assert.strictEqual(woken, 100_000)
  })
})
