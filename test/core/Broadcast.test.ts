import { it as effectIt } from "@effect/vitest"
import { Cause, Effect, type Exit, Exit as Exits, Option, Schema, Scope, Stream } from "effect"
import { Broadcast, CancelScope, Nursery, TaskTree, Timeout } from "effect-nursery"
import { VirtualClock } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"
import { hangs } from "./pausing.ts"

const live = (name: string, body: () => Generator<Effect.Effect<any, any, Scope.Scope>, void, any>) =>
  it(name, () => VirtualClock.run(Effect.scoped(Effect.gen(body))))

const blocked = VirtualClock.waitAllBlocked

const ended = <A>(exit: Exit.Exit<A, { readonly _tag: string }>): A | string => {
  if (exit._tag === "Success") return exit.value
  const reason = exit.cause.reasons[0]!
  return reason._tag === "Fail" ? reason.error._tag : reason._tag === "Die" ? String(reason.defect) : "cancelled"
}

const outcome = <A, E extends { readonly _tag: string }>(effect: Effect.Effect<A, E>) => Effect.map(Effect.exit(effect), ended)

/** What a subscriber receives without waiting. */
const drain = Effect.fnUntraced(function*<A>(subscription: Broadcast.Subscription<A>) {
  const values: Array<A | string> = []
  for (;;) {
    const value = yield* outcome(subscription.tryReceive)
    if (typeof value === "string") return [...values, value]
    if (value._tag === "None") return values
    values.push(value.value)
  }
})

describe("Broadcast.make", () => {
  live("dies with value and type when an option makes no sense", function*() {
    assert.include(yield* outcome(Broadcast.make({ capacity: -1 })), "got `-1` (number)")
    assert.strictEqual(
      yield* outcome(Broadcast.make({ whenFull: "drop" as "wait" })),
      "RangeError: Expected `whenFull` to be one of \"wait\", \"dropOldest\", \"dropNewest\", \"disconnect\", got `drop` (string)"
    )
    const news = yield* Broadcast.make<number>()
    assert.include(yield* outcome(Effect.scoped(news.subscribe({ capacity: 0.5 }))), "got `0.5` (number)")
    assert.strictEqual(news.size, 0)
  })

  live("gives defaults to its subscribers, which each may change", function*() {
    const news = yield* Broadcast.make<number>({ capacity: 2, whenFull: "dropNewest" })
    const two = yield* news.subscribe()
    const three = yield* news.subscribe({ capacity: 3 })
    const oldest = yield* news.subscribe({ whenFull: "dropOldest" })
    for (let i = 1; i <= 4; i++) yield* news.publish(i)
    assert.deepStrictEqual([yield* drain(two), two.missed], [[1, 2], 2])
    assert.deepStrictEqual([yield* drain(three), three.missed], [[1, 2, 3], 1])
    assert.deepStrictEqual([yield* drain(oldest), oldest.missed], [[3, 4], 2])
  })

  live("gives handles that tell their state as text and as JSON", function*() {
    const news = yield* Broadcast.make<number>({ name: "news" })
    const mine = yield* news.subscribe({ name: "mine" })
    assert.strictEqual(String(news), "Broadcast(news, open, 1 subscribers)")
    assert.strictEqual(String(mine), "Subscription(mine, open)")
    yield* news.publish(1)
    assert.deepInclude(JSON.parse(JSON.stringify(mine)), { _id: "Subscription", name: "mine", state: "open" })
    assert.strictEqual(mine.statistics.used, 1)
    yield* news.close
    assert.deepInclude(JSON.parse(JSON.stringify(news)), { _id: "Broadcast", name: "news", state: "closed", size: 0 })
  })
})

describe("Broadcast.publish", () => {
  live("gives every value to every subscriber, in order, from the time it subscribed", function*() {
    const news = yield* Broadcast.make<number>()
    yield* news.publish(0)
    const first = yield* news.subscribe()
    yield* news.publish(1)
    const second = yield* news.subscribe()
    yield* news.publish(2)
    assert.deepStrictEqual(yield* drain(first), [1, 2])
    assert.deepStrictEqual(yield* drain(second), [2])
    assert.deepStrictEqual([first.missed, second.missed], [0, 0])
  })

  live("wakes receivers that wait", function*() {
    const news = yield* Broadcast.make<number>()
    const mine = yield* news.subscribe()
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const a = yield* n.startNow(mine.receive)
        const b = yield* n.startNow(mine.receive)
        yield* news.publish(1)
        yield* news.publish(2)
        assert.deepStrictEqual([yield* a.join, yield* b.join], [1, 2])
      })
    )
  })

  live("waits for each subscriber whose rule is to wait, and delivers to all or none", function*() {
    const news = yield* Broadcast.make<number>({ capacity: 1 })
    const slow = yield* news.subscribe()
    const quick = yield* news.subscribe({ capacity: 10 })
    yield* news.publish(1)
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const second = yield* n.startNow(news.publish(2))
        const third = yield* n.startNow(news.publish(3))
        yield* blocked
        assert.isTrue(Option.isNone(second.poll))
        assert.deepStrictEqual(yield* drain(quick), [1])
        assert.strictEqual(yield* slow.receive, 1)
        yield* second.join
        assert.isTrue(Option.isNone(third.poll))
        assert.deepStrictEqual(yield* drain(quick), [2])
        assert.strictEqual(yield* slow.receive, 2)
        yield* third.join
        assert.strictEqual(yield* slow.receive, 3)
        assert.deepStrictEqual(yield* drain(quick), [3])
      })
    )
  })

  live("has delivered to nobody when it is cancelled while it waits", function*() {
    const news = yield* Broadcast.make<number>({ capacity: 1 })
    const slow = yield* news.subscribe()
    const quick = yield* news.subscribe({ capacity: 10 })
    yield* news.publish(1)
    assert.isTrue(Option.isNone(yield* Timeout.moveOnAfter(news.publish(2), 5)))
    assert.strictEqual(yield* slow.receive, 1)
    yield* news.publish(3)
    assert.deepStrictEqual(yield* drain(slow), [3])
    assert.deepStrictEqual(yield* drain(quick), [1, 3])
  })

  live("has delivered to nobody when it is cancelled in the turn in which room was made", function*() {
    const news = yield* Broadcast.make<number>({ capacity: 1 })
    const slow = yield* news.subscribe()
    const quick = yield* news.subscribe({ capacity: 10 })
    yield* news.publish(1)
    yield* CancelScope.open((scope) =>
      Nursery.open((n) =>
        Effect.gen(function*() {
          yield* n.startNow(news.publish(2))
          yield* Effect.uninterruptible(Effect.andThen(slow.tryReceive, scope.cancel()))
        })
      )
    )
    yield* blocked
    assert.deepStrictEqual(yield* drain(slow), [])
    assert.deepStrictEqual(yield* drain(quick), [1])
  })

  live("lets nobody overtake a publisher that waits", function*() {
    const news = yield* Broadcast.make<number>({ capacity: 1 })
    const mine = yield* news.subscribe()
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        for (let i = 0; i < 5; i++) yield* n.startNow(news.publish(i))
        const seen = []
        for (let i = 0; i < 5; i++) seen.push(yield* mine.receive)
        assert.deepStrictEqual(seen, [0, 1, 2, 3, 4])
      })
    )
  })

  live("lets nobody overtake in the turn in which room was made", function*() {
    const news = yield* Broadcast.make<number>({ capacity: 1 })
    const mine = yield* news.subscribe()
    yield* news.publish(1)
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        yield* n.startNow(news.publish(2))
        assert.deepStrictEqual(yield* mine.tryReceive, Option.some(1))
        yield* n.startNow(news.publish(3))
        assert.deepStrictEqual([yield* mine.receive, yield* mine.receive], [2, 3])
      })
    )
  })

  it("misses no room that is made between the decision to wait and the waiting", async () => {
    const publishing = Effect.scoped(Effect.gen(function*() {
      const news = yield* Broadcast.make<number>({ capacity: 1 })
      const scope = yield* Scope.make()
      const mine = yield* Scope.provide(news.subscribe(), scope)
      yield* news.publish(1)
      return [news.publish(2), mine.receive] as const
    }))
    assert.strictEqual(await hangs<void, any>(publishing), 0)
    const closing = Effect.gen(function*() {
      const news = yield* Broadcast.make<number>({ capacity: 1 })
      const scope = yield* Scope.make()
      yield* Scope.provide(news.subscribe(), scope)
      yield* news.publish(1)
      return [news.publish(2), news.close] as const
    })
    assert.strictEqual(await hangs<void, any>(closing), 0)
  })

  live("goes on when the subscriber that held it up leaves", function*() {
    const news = yield* Broadcast.make<number>({ capacity: 1 })
    const scope = yield* Scope.make()
    yield* Scope.provide(news.subscribe(), scope)
    const other = yield* news.subscribe({ capacity: 10 })
    yield* news.publish(1)
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const waiting = yield* n.startNow(news.publish(2))
        yield* blocked
        assert.isTrue(Option.isNone(waiting.poll))
        yield* Scope.close(scope, Exits.void)
        yield* waiting.join
        assert.strictEqual(news.size, 1)
      })
    )
    assert.deepStrictEqual(yield* drain(other), [1, 2])
  })

  live("with a buffer of 0 waits for a receiver that is there", function*() {
    const news = yield* Broadcast.make<number>({ capacity: 0 })
    const mine = yield* news.subscribe()
    const lossy = yield* news.subscribe({ whenFull: "dropOldest" })
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const publishing = yield* n.startNow(news.publish(1))
        yield* blocked
        assert.isTrue(Option.isNone(publishing.poll))
        assert.strictEqual(yield* mine.receive, 1)
        yield* publishing.join
        assert.strictEqual(lossy.missed, 1)
      })
    )
  })

  live("is named in the task tree while it waits", function*() {
    const news = yield* Broadcast.make<number>({ capacity: 0, name: "news" })
    const mine = yield* news.subscribe({ name: "mine" })
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        yield* n.startNow(mine.receive, { name: "reader" })
        assert.include(TaskTree.toText(yield* TaskTree.now), "receiving from broadcast mine")
        yield* news.publish(1)
        yield* n.startNow(Effect.ignore(news.publish(2)), { name: "writer" })
        assert.include(TaskTree.toText(yield* TaskTree.now), "publishing to broadcast news")
        yield* n.cancelTasks()
      })
    )
  })
})

describe("Broadcast whenFull", () => {
  live("\"dropOldest\" keeps the newest values, and what is promised to those who wait", function*() {
    const news = yield* Broadcast.make<number>({ capacity: 2, whenFull: "dropOldest" })
    const mine = yield* news.subscribe()
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const first = yield* n.startNow(mine.receive)
        for (let i = 1; i <= 5; i++) yield* news.publish(i)
        assert.strictEqual(yield* first.join, 1)
        assert.deepStrictEqual([yield* drain(mine), mine.missed], [[4, 5], 2])
      })
    )
  })

  live("\"dropNewest\" keeps the oldest values", function*() {
    const news = yield* Broadcast.make<number>({ capacity: 2, whenFull: "dropNewest" })
    const mine = yield* news.subscribe()
    for (let i = 1; i <= 5; i++) yield* news.publish(i)
    assert.deepStrictEqual([yield* drain(mine), mine.missed], [[1, 2], 3])
  })

  live("\"disconnect\" ends the slow subscriber with Broken after its buffer, and nobody else", function*() {
    const news = yield* Broadcast.make<number>({ capacity: 2, whenFull: "disconnect", name: "news" })
    const slow = yield* news.subscribe({ name: "slow" })
    const quick = yield* news.subscribe({ capacity: 10 })
    for (let i = 1; i <= 4; i++) yield* news.publish(i)
    assert.strictEqual(news.size, 1)
    assert.deepStrictEqual([yield* drain(slow), slow.missed], [[1, 2, "Broken"], 1])
    const error = yield* Effect.flip(slow.receive)
    assert.strictEqual(error.what, "broadcast slow")
    assert.strictEqual(yield* outcome(Stream.runDrain(slow.stream)), "Broken")
    assert.deepStrictEqual(yield* drain(quick), [1, 2, 3, 4])
  })
})

describe("Broadcast.subscribe", () => {
  live("lasts until the Scope closes, also for its clones and for those who wait", function*() {
    const news = yield* Broadcast.make<number>()
    const scope = yield* Scope.make()
    const mine = yield* Scope.provide(news.subscribe(), scope)
    const clone = yield* mine.clone
    yield* news.publish(1)
    assert.strictEqual(yield* clone.receive, 1)
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const waiting = yield* n.startNow(outcome(clone.receive))
        yield* Scope.close(scope, Exits.void)
        assert.strictEqual(yield* waiting.join, "Closed")
      })
    )
    assert.strictEqual(yield* outcome(mine.receive), "Closed")
    assert.strictEqual(news.size, 0)
  })

  live("ends when all its handles are closed", function*() {
    const news = yield* Broadcast.make<number>()
    const mine = yield* news.subscribe()
    const clone = yield* mine.clone
    yield* mine.close
    yield* mine.close
    assert.strictEqual(news.size, 1)
    yield* clone.close
    assert.strictEqual(news.size, 0)
    yield* news.publish(1)
    assert.strictEqual(mine.missed, 0)
  })

  live("keeps nothing of a subscriber that has gone", function*() {
    const news = yield* Broadcast.make<number>({ capacity: 1 })
    for (let i = 0; i < 1000; i++) {
      yield* Effect.scoped(Effect.andThen(news.subscribe(), news.publish(i)))
    }
    assert.strictEqual(news.size, 0)
    yield* news.publish(1000)
  })
})

describe("Broadcast.close", () => {
  live("ends subscribers after their buffers, and publishers with Closed", function*() {
    const news = yield* Broadcast.make<number>({ capacity: 1 })
    const mine = yield* news.subscribe()
    const idle = yield* news.subscribe()
    yield* news.publish(1)
    assert.strictEqual(yield* idle.receive, 1)
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const publishing = yield* n.startNow(outcome(news.publish(2)))
        const receiving = yield* n.startNow(outcome(idle.receive))
        yield* news.close
        yield* news.close
        assert.strictEqual(yield* publishing.join, "Closed")
        assert.strictEqual(yield* receiving.join, "EndOfChannel")
      })
    )
    assert.deepStrictEqual(yield* drain(mine), [1, "EndOfChannel"])
    assert.strictEqual(yield* outcome(news.publish(3)), "Closed")
    assert.strictEqual(yield* outcome(Effect.scoped(Effect.asVoid(news.subscribe()))), "Closed")
    assert.strictEqual(news.size, 0)
  })

  live("ends the streams of subscribers", function*() {
    const news = yield* Broadcast.make<number>()
    const mine = yield* news.subscribe()
    for (const value of [1, 2, 3]) yield* news.publish(value)
    yield* news.close
    assert.deepStrictEqual(yield* Stream.runCollect(mine.stream), [1, 2, 3])
  })
})

describe("Broadcast properties", () => {
  const Step = Schema.Struct({
    kind: Schema.Literals(["publish", "receiveA", "receiveB", "cancel", "settle"]),
    which: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3 }))
  })

  effectIt.effect.prop(
    "subscribers that wait see the same values in the same order, whatever is cancelled",
    [Schema.Array(Step)],
    ([steps]) =>
      Effect.promise(() =>
        VirtualClock.run(Effect.scoped(Effect.gen(function*() {
          const news = yield* Broadcast.make<number>()
          const a = yield* news.subscribe({ capacity: 1 })
          const b = yield* news.subscribe({ capacity: 3 })
          const published: Array<number> = []
          const seen = { a: [] as Array<number>, b: [] as Array<number> }
          let next = 0
          yield* Nursery.open((n) =>
            Effect.gen(function*() {
              const tasks: Array<Nursery.Task<void, any>> = []
              const receive = (from: Broadcast.Subscription<number>, into: Array<number>) =>
                Effect.orDie(Effect.map(from.receive, (value) => void into.push(value)))
              for (const { kind, which } of steps) {
                const value = next++
                if (kind === "publish") {
                  tasks.push(yield* n.startNow(Effect.orDie(Effect.map(news.publish(value), () => void published.push(value)))))
                } else if (kind === "receiveA") tasks.push(yield* n.startNow(receive(a, seen.a)))
                else if (kind === "receiveB") tasks.push(yield* n.startNow(receive(b, seen.b)))
                else if (kind === "settle") yield* blocked
                else yield* tasks.at(-1 - which)?.cancel() ?? Effect.void
              }
              yield* blocked
              yield* n.cancelTasks()
            })
          )
          const rest = (from: Broadcast.Subscription<number>) => Effect.map(drain(from), (values) => values as Array<number>)
          const [allA, allB] = [[...seen.a, ...yield* rest(a)], [...seen.b, ...yield* rest(b)]]
          const sorted = (values: Array<number>) => values.toSorted((x, y) => x - y)
          assert.deepStrictEqual(sorted(allA), sorted(allB))
          for (const value of published) assert.include(allA, value)
        })))
      ).pipe(Effect.catchCause((cause) => Effect.die(new Error(Cause.pretty(cause)))))
  )
})
