import { it as effectIt } from "@effect/vitest"
import { Effect, type Exit, Fiber, Option, Scheduler, Schema, Stream } from "effect"
import { CancelScope, type Errors, MemoryChannel, Nursery, TaskTree, Timeout } from "effect-nursery"
import { VirtualClock } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"
import { hangs } from "./pausing.ts"

const live = (name: string, body: () => Generator<Effect.Effect<any, any>, void, any>) =>
  it(name, () => VirtualClock.run(Effect.gen(body)))

/** The tag of a failure, the value of a success, or "cancelled". */
const ended = <A>(exit: Exit.Exit<A, { readonly _tag: string }>): A | string => {
  if (exit._tag === "Success") return exit.value
  const reason = exit.cause.reasons[0]!
  return reason._tag === "Fail" ? reason.error._tag : reason._tag === "Die" ? String(reason.defect) : "cancelled"
}

const outcome = <A, E extends { readonly _tag: string }>(effect: Effect.Effect<A, E>) => Effect.map(Effect.exit(effect), ended)

const blocked = VirtualClock.waitAllBlocked

describe("MemoryChannel.make", () => {
  live("counts in `peak` what comes back from receivers that were cancelled on their way", function*() {
    const [sender, receiver] = yield* MemoryChannel.make<number>(1)
    yield* CancelScope.open((scope) => Nursery.open((n) => Effect.gen(function*() {
      for (let i = 0; i < 3; i++) yield* n.startNow(receiver.receive)
      for (let i = 0; i < 4; i++) assert.isTrue(yield* sender.trySend(i))
      yield* scope.cancel()
    })))
    const { peak, used } = sender.statistics
    assert.deepStrictEqual([used, peak], [4, 4])
  })

  live("dies with value and type when the capacity is not a count", function*() {
    for (const capacity of [-1, 1.5, NaN, "3" as unknown as number]) {
      const exit = yield* Effect.exit(MemoryChannel.make(capacity))
      assert.strictEqual(
        ended(exit),
        `RangeError: Expected \`capacity\` to be an integer from 0 and up or \`Infinity\`, got \`${capacity}\` (${typeof capacity})`
      )
    }
    for (const capacity of [0, 7, Infinity]) {
      const [sender] = yield* MemoryChannel.make<number>(capacity)
      assert.strictEqual(sender.statistics.capacity, capacity)
    }
  })

  live("gives handles that tell their state as text and as JSON", function*() {
    const [sender, receiver] = yield* MemoryChannel.make<number>(2, { name: "orders" })
    const [unnamed] = yield* MemoryChannel.make<number>(0)
    yield* sender.send(1)
    yield* sender.close
    assert.strictEqual(String(sender), "Sender(orders, closed)")
    assert.strictEqual(String(receiver), "Receiver(orders, open)")
    assert.strictEqual(String(unnamed), "Sender(channel, open)")
    assert.deepInclude(JSON.parse(JSON.stringify(receiver)), {
      _id: "Receiver",
      name: "orders",
      state: "open",
      statistics: { used: 1, capacity: 2, peak: 1, waitingSenders: 0, waitingReceivers: 0, senders: 0, receivers: 1 }
    })
  })

  live("names those who wait in the task tree", function*() {
    const [sender, receiver] = yield* MemoryChannel.make<number>(0, { name: "orders" })
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const buyer = yield* n.startNow(receiver.receive, { name: "buyer" })
        assert.include(TaskTree.toText(yield* TaskTree.now), "receiving from channel orders")
        yield* buyer.cancel()
        const seller = yield* n.startNow(Effect.ignore(sender.send(1)), { name: "seller" })
        assert.include(TaskTree.toText(yield* TaskTree.now), "sending to channel orders")
        yield* seller.cancel()
      })
    )
  })
})

describe("MemoryChannel.send and receive", () => {
  live("hand over a value at once when the capacity is 0 and a receiver waits", function*() {
    const [sender, receiver] = yield* MemoryChannel.make<string>(0)
    const seen: Array<string> = []
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        yield* n.startNow(Effect.map(receiver.receive, (value) => void seen.push(value)))
        yield* sender.send("a")
        assert.deepStrictEqual(seen, ["a"])
      })
    )
  })

  live("wait for each other in either order", function*() {
    const [sender, receiver] = yield* MemoryChannel.make<number>(0)
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const sending = yield* n.startNow(sender.send(1))
        assert.strictEqual(sender.statistics.waitingSenders, 1)
        assert.isTrue(Option.isNone(sending.poll))
        assert.strictEqual(yield* receiver.receive, 1)
        yield* sending.join
        const receiving = yield* n.startNow(receiver.receive)
        yield* sender.send(2)
        assert.strictEqual(yield* receiving.join, 2)
      })
    )
  })

  live("keep the order of values and of senders when the buffer is full", function*() {
    const [sender, receiver] = yield* MemoryChannel.make<number>(2)
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        for (let i = 0; i < 6; i++) yield* n.startNow(sender.send(i), { name: `sender ${i}` })
        assert.deepInclude(sender.statistics, { used: 2, peak: 2, waitingSenders: 4 })
        const seen: Array<number> = []
        for (let i = 0; i < 6; i++) seen.push(yield* receiver.receive)
        assert.deepStrictEqual(seen, [0, 1, 2, 3, 4, 5])
      })
    )
  })

  live("serve waiting receivers in the order in which they came", function*() {
    for (const capacity of [0, 1, 8, Infinity]) {
      const [sender, receiver] = yield* MemoryChannel.make<number>(capacity)
      const seen: Array<string> = []
      yield* Nursery.open((n) =>
        Effect.gen(function*() {
          for (const name of ["a", "b", "c"]) {
            yield* n.startNow(Effect.map(receiver.receive, (value) => void seen.push(`${name}${value}`)))
          }
          for (let i = 1; i <= 3; i++) yield* sender.send(i)
        })
      )
      assert.deepStrictEqual(seen, ["a1", "b2", "c3"])
    }
  })

  live("let no newcomer overtake a receiver that a value was promised to", function*() {
    const [sender, receiver] = yield* MemoryChannel.make<number>(4)
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const first = yield* n.startNow(receiver.receive)
        yield* sender.send(1)
        yield* sender.send(2)
        assert.strictEqual(yield* receiver.receive, 2)
        assert.strictEqual(yield* first.join, 1)
      })
    )
  })

  live("lose no value when a waiting receiver is cancelled in the turn in which a value was sent", function*() {
    for (const capacity of [0, 3]) {
      const [sender, receiver] = yield* MemoryChannel.make<number>(capacity)
      yield* CancelScope.open((scope) =>
        Nursery.open((n) =>
          Effect.gen(function*() {
            yield* n.startNow(receiver.receive)
            yield* n.startNow(receiver.receive)
            // One step: the value is sent, and both receivers are cancelled.
            yield* Effect.uninterruptible(Effect.andThen(sender.trySend(1), scope.cancel()))
          })
        )
      )
      const [other, mine] = [yield* sender.clone, yield* receiver.clone]
      yield* Nursery.open((n) =>
        Effect.gen(function*() {
          yield* n.startSoon(other.send(2))
          const first = yield* mine.receive
          // With capacity 0 the first receiver had the value before anybody was cancelled.
          assert.strictEqual(first, capacity === 0 ? 2 : 1)
        })
      )
    }
  })

  live("give the value of one cancelled receiver to the next (both in one cancelled tree, and outside of it)", function*() {
    const [sender, receiver] = yield* MemoryChannel.make<number>(0)
    const seen: Array<string> = []
    const waiting = (name: string) => Effect.map(receiver.receive, (value) => void seen.push(`${name} ${value}`))
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        yield* n.startSoon(CancelScope.open((scope) =>
          Nursery.open((inner) =>
            Effect.gen(function*() {
              // Sends while it is cancelled, before the receivers beside it are told.
              yield* inner.startNow(Effect.never.pipe(Effect.onInterrupt(() => Effect.ignore(sender.trySend(1)))))
              yield* inner.startNow(waiting("inside"))
              yield* n.startNow(waiting("outside"))
              yield* scope.cancel()
            })
          )
        ))
      })
    )
    assert.deepStrictEqual(seen, ["outside 1"])
  })

  live("leave nothing behind when a waiting sender or receiver is cancelled", function*() {
    const [sender, receiver] = yield* MemoryChannel.make<number>(0)
    for (let i = 0; i < 100; i++) {
      yield* Timeout.moveOnAfter(receiver.receive, 1)
      yield* Timeout.moveOnAfter(sender.send(i), 1)
    }
    assert.deepInclude(sender.statistics, { used: 0, waitingSenders: 0, waitingReceivers: 0 })
    assert.isTrue(Option.isNone(yield* receiver.tryReceive))
  })

  live("do not lose a value when a busy receiver is cancelled between two turns", function*() {
    const [sender, receiver] = yield* MemoryChannel.make<number>(Infinity)
    const total = 20_000
    for (let i = 0; i < total; i++) yield* sender.send(i)
    const seen: Array<number> = []
    // The fiber pauses about every 2,000 operations, wherever it is. It is cancelled in one of these pauses.
    for (let steps = 0; steps < 8; steps++) {
      const idle = Array.from({ length: steps }, () => Effect.void)
      const busy = Effect.forever(
        Effect.uninterruptibleMask((restore) => Effect.map(restore(receiver.receive), (value) => void seen.push(value)))
          .pipe(Effect.andThen(Effect.all(idle, { discard: true }))),
        { disableYield: true }
      )
      const fiber = yield* Effect.forkChild(busy, { startImmediately: true })
      yield* Fiber.interrupt(fiber)
    }
    yield* sender.close
    const rest = yield* Stream.runCollect(receiver.stream)
    assert.isAbove(seen.length, 0)
    assert.deepStrictEqual([...seen, ...rest], Array.from({ length: total }, (_, i) => i))
  })

  live("let others have their turn while two tasks send to themselves in a circle", function*() {
    for (const capacity of [0, 4]) {
      const [sender, receiver] = yield* MemoryChannel.make<number>(capacity)
      const echo = Effect.forever(Effect.flatMap(receiver.receive, (value) => sender.send(value + 1)), { disableYield: true })
      const result = yield* Nursery.open((n) =>
        Effect.gen(function*() {
          yield* n.startSoon(echo, { service: true })
          yield* n.startSoon(echo, { service: true })
          yield* n.startSoon(echo, { service: true })
          yield* sender.send(0)
          for (let i = 0; i < 10; i++) yield* Effect.yieldNow
          return "not starved"
        })
      )
      assert.strictEqual(result, "not starved")
    }
  })

  live("C13: serve 10,000 producers on a channel of capacity 0 in the order of their arrival", function*() {
    const [sender, receiver] = yield* MemoryChannel.make<number>(0)
    const producers = 10_000
    const seen: Array<number> = []
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        for (let i = 0; i < producers; i++) {
          // Each producer has a second value, to see whether one is served twice before all were served.
          yield* n.startSoon(Effect.andThen(sender.send(i), sender.send(producers + i)))
        }
        yield* blocked
        assert.strictEqual(sender.statistics.waitingSenders, producers)
        for (let i = 0; i < 2 * producers; i++) seen.push(yield* receiver.receive)
      })
    )
    assert.deepStrictEqual(seen, Array.from({ length: 2 * producers }, (_, i) => i))
    assert.deepInclude(sender.statistics, { used: 0, waitingSenders: 0 })
  })
})

describe("MemoryChannel.trySend and tryReceive", () => {
  live("say that they would have to wait", function*() {
    const [sender, receiver] = yield* MemoryChannel.make<number>(1)
    assert.isTrue(Option.isNone(yield* receiver.tryReceive))
    assert.isTrue(yield* sender.trySend(1))
    assert.isFalse(yield* sender.trySend(2))
    assert.deepStrictEqual(yield* receiver.tryReceive, Option.some(1))
  })

  live("find a waiting receiver or sender with capacity 0", function*() {
    const [sender, receiver] = yield* MemoryChannel.make<number>(0)
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        assert.isFalse(yield* sender.trySend(0))
        const receiving = yield* n.startNow(receiver.receive)
        assert.isTrue(yield* sender.trySend(1))
        assert.isFalse(yield* sender.trySend(2))
        assert.strictEqual(yield* receiving.join, 1)
        yield* n.startNow(sender.send(3))
        assert.deepStrictEqual(yield* receiver.tryReceive, Option.some(3))
        assert.isTrue(Option.isNone(yield* receiver.tryReceive))
      })
    )
  })

  live("leave the values that are promised to those who wait", function*() {
    const [sender, receiver] = yield* MemoryChannel.make<number>(4)
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const first = yield* n.startNow(receiver.receive)
        for (const value of [1, 2, 3]) yield* sender.trySend(value)
        assert.deepInclude(sender.statistics, { used: 2, waitingReceivers: 0 })
        assert.deepStrictEqual(yield* receiver.tryReceive, Option.some(2))
        assert.strictEqual(yield* first.join, 1)
        assert.deepStrictEqual(yield* receiver.tryReceive, Option.some(3))
      })
    )
  })

  live("fail as send and receive do", function*() {
    const [sender, receiver] = yield* MemoryChannel.make<number>(1)
    const other = yield* receiver.clone
    yield* receiver.close
    assert.strictEqual(yield* outcome(receiver.tryReceive), "Closed")
    yield* other.close
    assert.strictEqual(yield* outcome(sender.trySend(1)), "Broken")
    yield* sender.close
    assert.strictEqual(yield* outcome(sender.trySend(1)), "Closed")
    const [sender2, receiver2] = yield* MemoryChannel.make<number>(1)
    yield* sender2.close
    assert.strictEqual(yield* outcome(receiver2.tryReceive), "EndOfChannel")
  })
})

describe("MemoryChannel.close and clone", () => {
  live("C12: deliver what is in the buffer, and then the end, when the last sender is closed", function*() {
    const [sender, receiver] = yield* MemoryChannel.make<number>(3)
    const other = yield* sender.clone
    yield* sender.send(1)
    yield* other.send(2)
    yield* sender.close
    assert.strictEqual(yield* outcome(sender.send(3)), "Closed")
    yield* other.send(3)
    yield* other.close
    const seen: Array<number | string> = []
    for (let i = 0; i < 5; i++) seen.push(yield* outcome(receiver.receive))
    assert.deepStrictEqual(seen, [1, 2, 3, "EndOfChannel", "EndOfChannel"])
  })

  live("C12: wake all waiting receivers with the end when the last sender is closed", function*() {
    const [sender, receiver] = yield* MemoryChannel.make<number>(3)
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const waiting = []
        for (let i = 0; i < 3; i++) waiting.push(yield* n.startNow(outcome(receiver.receive)))
        // One value and the end in one turn: the first gets the value, the others the end.
        yield* sender.send(7)
        yield* sender.close
        const seen = []
        for (const task of waiting) seen.push(yield* task.join)
        assert.deepStrictEqual(seen, [7, "EndOfChannel", "EndOfChannel"])
      })
    )
  })

  live("C12: drop the buffer and break waiting senders when the last receiver is closed", function*() {
    const [sender, receiver] = yield* MemoryChannel.make<number>(1)
    const other = yield* receiver.clone
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        yield* sender.send(1)
        const waiting = yield* n.startNow(outcome(sender.send(2)))
        yield* receiver.close
        assert.isTrue(Option.isNone(waiting.poll))
        yield* other.close
        assert.strictEqual(yield* waiting.join, "Broken")
        assert.strictEqual(yield* outcome(sender.send(3)), "Broken")
        assert.deepInclude(sender.statistics, { used: 0, waitingSenders: 0, receivers: 0 })
      })
    )
  })

  live("C12: wake those who wait on the handle that is closed, and nobody else", function*() {
    const [sender, receiver] = yield* MemoryChannel.make<number>(0)
    const [sender2, receiver2] = [yield* sender.clone, yield* receiver.clone]
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const first = yield* n.startNow(outcome(receiver.receive))
        const second = yield* n.startNow(outcome(receiver2.receive))
        yield* receiver.close
        assert.strictEqual(yield* first.join, "Closed")
        assert.isTrue(Option.isNone(second.poll))
        yield* sender.send(1)
        assert.strictEqual(yield* second.join, 1)

        const third = yield* n.startNow(outcome(sender.send(2)))
        const fourth = yield* n.startNow(outcome(sender2.send(3)))
        yield* sender.close
        assert.strictEqual(yield* third.join, "Closed")
        assert.strictEqual(yield* receiver2.receive, 3)
        yield* fourth.join
      })
    )
  })

  live("C12: count each handle once, however often and in whatever order handles are closed", function*() {
    const [sender, receiver] = yield* MemoryChannel.make<number>(1)
    const senders = [sender, yield* sender.clone, yield* sender.clone]
    const receivers = [receiver, yield* receiver.clone]
    assert.deepInclude(sender.statistics, { senders: 3, receivers: 2 })
    yield* senders[1]!.close
    yield* senders[1]!.close
    yield* receivers[0]!.close
    yield* receivers[0]!.close
    assert.deepInclude(sender.statistics, { senders: 2, receivers: 1 })
    yield* senders[2]!.send(5)
    yield* senders[2]!.close
    yield* senders[0]!.close
    assert.strictEqual(yield* receivers[1]!.receive, 5)
    assert.strictEqual(yield* outcome(receivers[1]!.receive), "EndOfChannel")
  })

  live("C12: refuse to clone a closed handle, and clone one whose other side is gone", function*() {
    const [sender, receiver] = yield* MemoryChannel.make<number>(0)
    yield* receiver.close
    const clone = yield* sender.clone
    assert.strictEqual(yield* outcome(clone.send(1)), "Broken")
    yield* sender.close
    assert.strictEqual(yield* outcome(Effect.asVoid(sender.clone)), "Closed")
    assert.strictEqual(yield* outcome(Effect.asVoid(receiver.clone)), "Closed")
  })

  live("closes 20,000 clones while as many wait in linear time", function*() {
    const [sender, receiver] = yield* MemoryChannel.make<number>(0)
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const producer = (own: MemoryChannel.Sender<number>, i: number) => Effect.ensuring(own.send(i), own.close)
        for (let i = 0; i < 20_000; i++) yield* n.startSoon(producer(yield* sender.clone, i))
        yield* sender.close
        assert.strictEqual((yield* Stream.runCollect(receiver.stream)).length, 20_000)
      })
    )
  })

  live("names what was closed or broken", function*() {
    const [sender, receiver] = yield* MemoryChannel.make<number>(0, { name: "orders" })
    yield* receiver.close
    const what = (effect: Effect.Effect<unknown, Errors.Broken | Errors.Closed | Errors.EndOfChannel>) =>
      Effect.map(Effect.flip(effect), (error) => error.what)
    assert.strictEqual(yield* what(sender.send(1)), "channel orders")
    assert.strictEqual(yield* what(receiver.receive), "receiver of channel orders")
    yield* sender.close
    assert.strictEqual(yield* what(sender.send(1)), "sender of channel orders")
  })
})

describe("MemoryChannel.stream", () => {
  live("ends when all senders are closed and leaves the receiver open", function*() {
    const [sender, receiver] = yield* MemoryChannel.make<number>(8)
    for (const value of [1, 2, 3]) yield* sender.send(value)
    yield* sender.close
    assert.deepStrictEqual(yield* Stream.runCollect(receiver.stream), [1, 2, 3])
    assert.strictEqual(receiver.statistics.receivers, 1)
  })

  live("takes no more values than are asked for", function*() {
    const [sender, receiver] = yield* MemoryChannel.make<number>(8)
    for (const value of [1, 2, 3]) yield* sender.send(value)
    assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(receiver.stream, 2)), [1, 2])
    assert.strictEqual(yield* receiver.receive, 3)
  })

  live("fails with Closed when its receiver is closed", function*() {
    const [, receiver] = yield* MemoryChannel.make<number>(8)
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const task = yield* n.startNow(outcome(Stream.runDrain(receiver.stream)))
        yield* receiver.close
        assert.strictEqual(yield* task.join, "Closed")
      })
    )
  })
})

describe("MemoryChannel memory", () => {
  live("gives back what a burst has taken", function*() {
    const [sender, receiver] = yield* MemoryChannel.make<number>(Infinity)
    for (let i = 0; i < 100_000; i++) yield* sender.send(i)
    let sum = 0
    for (let i = 0; i < 100_000; i++) sum += yield* receiver.receive
    assert.strictEqual(sum, 100_000 * 99_999 / 2)
    assert.deepInclude(sender.statistics, { used: 0, peak: 100_000 })
    // A buffer of a million is as quick at its front as an empty one.
    for (let i = 0; i < 300_000; i++) {
      yield* sender.send(i)
      if (i >= 150_000) yield* receiver.receive
    }
    assert.strictEqual(sender.statistics.used, 150_000)
  })
})

describe("MemoryChannel properties", () => {
  const Step = Schema.Struct({
    kind: Schema.Literals(["send", "receive", "cancelSender", "cancelReceiver", "settle", "trySend", "tryReceive"]),
    which: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3 }))
  })

  effectIt.effect.prop(
    "each value sent is received or still in the buffer, once and in order, whatever is cancelled",
    [Schema.Array(Step), Schema.Literals([0, 1, 3, 1000])],
    ([steps, capacity]) =>
      Effect.promise(() =>
        VirtualClock.run(Effect.gen(function*() {
          const [sender, receiver] = yield* MemoryChannel.make<number>(capacity)
          const sent = new Set<number>()
          const cancelled = new Set<number>()
          const received: Array<number> = []
          let next = 0
          yield* Nursery.open((n) =>
            Effect.gen(function*() {
              const sending: Array<Nursery.Task<void, any>> = []
              const receiving: Array<Nursery.Task<void, any>> = []
              for (const { kind, which } of steps) {
                const value = next++
                if (kind === "send") {
                  sending.push(yield* n.startNow(sender.send(value).pipe(
                    Effect.onExit((exit) => Effect.sync(() => void (exit._tag === "Success" ? sent : cancelled).add(value))),
                    Effect.orDie
                  )))
                } else if (kind === "receive") {
                  receiving.push(yield* n.startNow(
                    Effect.orDie(Effect.map(receiver.receive, (value) => void received.push(value)))
                  ))
                } else if (kind === "trySend") {
                  if (yield* Effect.orDie(sender.trySend(value))) sent.add(value)
                } else if (kind === "tryReceive") {
                  const value = yield* Effect.orDie(receiver.tryReceive)
                  if (value._tag === "Some") received.push(value.value)
                } else if (kind === "settle") yield* blocked
                else yield* (kind === "cancelSender" ? sending : receiving)[which]?.cancel() ?? Effect.void
              }
              yield* blocked
              yield* n.cancelTasks()
            })
          )
          yield* blocked
          const { used } = sender.statistics
          const buffered: Array<number> = []
          for (;;) {
            const value = yield* Effect.orDie(receiver.tryReceive)
            if (value._tag === "None") break
            buffered.push(value.value)
          }
          assert.strictEqual(buffered.length, used)
          const out = [...received, ...buffered]
          assert.strictEqual(new Set(out).size, out.length, "no value twice")
          for (const value of sent) assert.include(out, value, "no value lost")
          for (const value of out) assert.isTrue(sent.has(value) || cancelled.has(value), "no value from nowhere")
          assert.deepInclude(sender.statistics, { waitingSenders: 0, waitingReceivers: 0, used: 0 })
        }))
      )
  )

  it("misses nothing that happens between the decision to wait and the waiting", async () => {
    const receiving = (meanwhile: (sender: MemoryChannel.Sender<number>, receiver: MemoryChannel.Receiver<number>) => Effect.Effect<unknown, any>) =>
      Effect.map(MemoryChannel.make<number>(1), ([sender, receiver]) => [receiver.receive, meanwhile(sender, receiver)] as const)
    assert.strictEqual(await hangs(receiving((sender) => sender.send(1))), 0)
    assert.strictEqual(await hangs(receiving((sender) => sender.close)), 0)
    assert.strictEqual(await hangs(receiving((_, receiver) => receiver.close)), 0)
    const sending = (meanwhile: (sender: MemoryChannel.Sender<number>, receiver: MemoryChannel.Receiver<number>) => Effect.Effect<unknown, any>) =>
      Effect.gen(function*() {
        const [sender, receiver] = yield* MemoryChannel.make<number>(1)
        yield* sender.send(1)
        return [sender.send(2), meanwhile(sender, receiver)] as const
      })
    assert.strictEqual(await hangs(sending((_, receiver) => receiver.receive)), 0)
    assert.strictEqual(await hangs(sending((_, receiver) => receiver.close)), 0)
    assert.strictEqual(await hangs(sending((sender) => sender.close)), 0)
  })

  it("is not left waiting by a scheduler that pauses all the time", async () => {
    for (const every of [3, 4, 5, 7]) {
      assert.strictEqual(await Effect.runPromise(circle(200), { scheduler: pausing(every) }), 200)
    }
  })
})

/** Fibers pause after so few operations, also between one that decides to wait and the waiting. */
const pausing = (every: number): Scheduler.Scheduler => {
  const base = new Scheduler.MixedScheduler()
  return {
    executionMode: "async",
    shouldYield: (fiber) => fiber.currentOpCount >= every,
    makeDispatcher: () => base.makeDispatcher()
  }
}

const circle = (total: number) =>
  Nursery.open((n) =>
    Effect.gen(function*() {
      const [sender, receiver] = yield* MemoryChannel.make<number>(0)
      const [back, home] = yield* MemoryChannel.make<number>(1)
      yield* n.startSoon(Effect.ensuring(
        Effect.forEach(Array.from({ length: total }, (_, i) => i), (i) => sender.send(i), { discard: true }),
        sender.close
      ))
      yield* n.startSoon(Effect.ensuring(Stream.runForEach(receiver.stream, (i) => back.send(i)), back.close))
      return (yield* Stream.runCollect(home.stream)).length
    })
  )
