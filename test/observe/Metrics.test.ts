import { Effect, Metric } from "effect"
import { CancelScope, CapacityLimiter, Event, MemoryChannel, Nursery, Tasks, Timeout } from "effect-nursery"
import { Instrument, Metrics } from "effect-nursery/observe"
import { VirtualClock } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"

/** Runs in virtual time with a registry of its own. */
const run = <A, E>(program: Effect.Effect<A, E>): Promise<A> =>
  VirtualClock.run(program.pipe(Effect.provideService(Metric.MetricRegistry, new Map())))

const slowly = (millis: number) => Effect.never.pipe(Effect.onInterrupt(() => Effect.sleep(millis)))
const living = Effect.map(Metric.value(Metrics.tasksLiving), (state) => state.value)
const cancelsOf = (source: CancelScope.CancelReason["source"]) =>
  Effect.map(Metric.value(Metric.withAttributes(Metrics.cancels, { source })), (state) => state.count)
const cancelMillisOf = (source: CancelScope.CancelReason["source"]) => Metric.value(Metric.withAttributes(Metrics.cancelMillis, { source }))
const waitsOn = (on: string) => Metric.value(Metric.withAttributes(Metrics.waitMillis, { on }))

describe("Metrics.tasksLiving", () => {
  it("counts tasks, services and branches while they live, and no bodies", () =>
    run(Effect.gen(function*() {
      yield* Nursery.open((n) =>
        Effect.gen(function*() {
          yield* n.startNow(slowly(5))
          yield* n.startNow(Effect.never, { service: true })
          yield* n.startNow(Tasks.gather([Effect.never, Effect.never]))
          yield* n.startSoon(Effect.void)
          assert.strictEqual(yield* living, 5)
          yield* Effect.sleep(1)
          assert.strictEqual(yield* living, 5)
          yield* n.cancelTasks()
        }))
        .pipe(Metrics.record())
      assert.strictEqual(yield* living, 0)
    })))

  it("comes back to 0 when tasks fail, never run, and are moved by `start`", () =>
    run(Effect.gen(function*() {
      const program = Nursery.open((n) =>
        Effect.gen(function*() {
          yield* n.start((started) => Effect.andThen(started(1), Effect.never), { name: "server" })
          yield* n.startSoon(Effect.fail("no"))
          for (let i = 0; i < 50; i++) yield* n.startSoon(slowly(i))
          yield* Effect.sleep(1)
          yield* n.startSoon(Effect.void)
        }))
      yield* program.pipe(Metrics.record(), Effect.ignore)
      assert.strictEqual(yield* living, 0)
    })))
})

describe("Metrics.cancels and Metrics.cancelMillis", () => {
  it("count a cancel once, and measure it until all that it told has ended", () =>
    run(Effect.gen(function*() {
      const program = CancelScope.open((scope) =>
        Nursery.open((n) =>
          Effect.gen(function*() {
            for (let i = 1; i <= 30; i++) yield* n.startSoon(slowly(i))
            yield* n.startSoon(slowly(7), { service: true })
            yield* n.startSoon(Nursery.open((m) => m.startSoon(slowly(2))))
            yield* Effect.sleep(10)
            yield* scope.cancel("enough")
          })))
      yield* program.pipe(Metrics.record())
      assert.strictEqual(yield* cancelsOf("explicit"), 1)
      const { count, max, min } = yield* cancelMillisOf("explicit")
      assert.deepStrictEqual([count, min, max], [1, 37, 37])
    })))

  it("tell apart what they came from", () =>
    run(Effect.gen(function*() {
      yield* Effect.gen(function*() {
        yield* Timeout.moveOnAfter(slowly(3), 1)
        yield* Timeout.moveOnAfter(slowly(40), 1)
        yield* Effect.ignore(Tasks.gather([slowly(5), Effect.fail("no")]))
        yield* Nursery.open((n) => n.startSoon(slowly(6), { service: true }))
      }).pipe(Metrics.record())
      const counts = yield* Effect.all([cancelsOf("deadline"), cancelsOf("sibling"), cancelsOf("shutdown"), cancelsOf("explicit")])
      assert.deepStrictEqual(counts, [2, 1, 1, 0])
      const deadlines = yield* cancelMillisOf("deadline")
      assert.deepStrictEqual([deadlines.count, deadlines.min, deadlines.max], [2, 3, 40])
      assert.strictEqual(deadlines.buckets.find(([limit]) => limit === 5)?.[1], 1)
      assert.strictEqual((yield* cancelMillisOf("sibling")).max, 5)
      // A service that is told before its turn to run ends at once.
      assert.strictEqual((yield* cancelMillisOf("shutdown")).count, 1)
    })))

  it("measure each task that is cancelled by itself", () =>
    run(Effect.gen(function*() {
      yield* Nursery.open((n) =>
        Effect.gen(function*() {
          yield* n.startNow(slowly(4))
          yield* n.startNow(Nursery.open((m) => m.startNow(slowly(9))))
          yield* n.startNow(Effect.never)
          yield* n.cancelTasks("all of you")
        }))
        .pipe(Metrics.record())
      assert.strictEqual(yield* cancelsOf("explicit"), 1)
      const { count, max, sum } = yield* cancelMillisOf("explicit")
      assert.deepStrictEqual([count, sum, max], [3, 13, 9])
    })))
})

describe("Metrics.waitMillis", () => {
  it("measures waits by what was waited for", () =>
    run(Effect.gen(function*() {
      yield* Nursery.open((n) =>
        Effect.gen(function*() {
          const limiter = yield* CapacityLimiter.make(1, { name: "channel, by its name" })
          const [sender, receiver] = yield* MemoryChannel.make<number>(0)
          const event = yield* Event.make({ name: "go" })
          yield* n.startSoon(limiter.withToken(Effect.sleep(11)))
          yield* n.startSoon(limiter.withToken(Effect.void))
          yield* n.startSoon(receiver.receive)
          yield* n.startSoon(event.wait)
          const named = yield* n.startSoon(Effect.sleep(17), { name: "limiter" })
          yield* n.startSoon(named.join)
          yield* Effect.sleep(13)
          yield* sender.send(1)
          yield* event.set
        }))
        .pipe(Metrics.record())
      const max = Effect.forEach(["limiter", "channel", "event", "task", "broadcast"], (on) => Effect.map(waitsOn(on), (state) => [on, state.count, state.max]))
      assert.deepStrictEqual(yield* max, [
        ["limiter", 1, 11],
        ["channel", 1, 13],
        ["event", 1, 13],
        ["task", 1, 17],
        ["broadcast", 0, (yield* waitsOn("nothing")).max]
      ])
    })))

  it("measures a wait that is given up, too", () =>
    run(Effect.gen(function*() {
      const program = Effect.flatMap(Event.make(), (event) => Timeout.moveOnAfter(event.wait, 23))
      yield* program.pipe(Metrics.record())
      assert.strictEqual((yield* waitsOn("event")).max, 23)
    })))
})

describe("Metrics.record", () => {
  it("keeps to the registry of the program, and composes with an instrument", async () => {
    const instrument = Instrument.make()
    const program = Timeout.moveOnAfter(Effect.never, 1).pipe(Metrics.record(), Instrument.record(instrument))
    await run(Effect.andThen(program, Effect.map(cancelsOf("deadline"), (count) => assert.strictEqual(count, 1))))
    await run(Effect.map(cancelsOf("deadline"), (count) => assert.strictEqual(count, 0)))
    assert.strictEqual(instrument.events().length, 6)
  })
})
