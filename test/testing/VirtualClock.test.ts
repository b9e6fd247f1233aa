import { Cause, Clock, Data, Effect, Exit, Fiber } from "effect"
import { Event, MemoryChannel, Nursery, TaskTree, Tasks, Timeout } from "effect-nursery"
import { VirtualClock } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"

class Bad extends Data.TaggedError("Bad")<{}> {}

const defectOf = (exit: Exit.Exit<unknown, unknown>): unknown =>
  exit._tag === "Failure" && exit.cause.reasons[0]?._tag === "Die" ? exit.cause.reasons[0].defect : undefined

describe("VirtualClock.run", () => {
  it("begins at 0 and jumps from deadline to deadline", () =>
    VirtualClock.run(Effect.gen(function*() {
      const seen = [yield* Timeout.now]
      yield* Effect.sleep("1 hour")
      seen.push(yield* Timeout.now)
      yield* Effect.sleep("30 days")
      seen.push(yield* Timeout.now)
      assert.deepStrictEqual(seen, [0, 3_600_000, 3_600_000 + 30 * 86_400_000])
    })))

  it("needs no real time for it", async () => {
    const begin = performance.now()
    await VirtualClock.run(Effect.forEach(Array.from({ length: 1_000 }), () => Effect.sleep("1 hour")))
    assert.isBelow(performance.now() - begin, 5_000)
  })

  it("wakes sleepers in the order of their times, sleeps that begin later included", () =>
    VirtualClock.run(Effect.gen(function*() {
      const events: Array<string> = []
      const note = (name: string) => Effect.flatMap(Timeout.now, (now) => Effect.sync(() => void events.push(`${name} ${now}`)))
      yield* Tasks.gather([
        Effect.sleep(10).pipe(Effect.andThen(note("a")), Effect.andThen(Effect.sleep(10)), Effect.andThen(note("a"))),
        Effect.sleep(15).pipe(Effect.andThen(note("b"))),
        note("c")
      ])
      assert.deepStrictEqual(events, ["c 0", "a 10", "b 15", "a 20"])
    })))

  it("keeps time still while anything can run", () =>
    VirtualClock.run(Nursery.open((n) => Effect.gen(function*() {
      yield* n.startSoon(Effect.sleep(1))
      for (let i = 0; i < 10_000; i++) yield* Effect.yieldNow
      assert.strictEqual(yield* Timeout.now, 0)
    }))))

  it("tells one time by every way to ask for it", () =>
    VirtualClock.run(Effect.gen(function*() {
      yield* Effect.sleep(1.5)
      assert.strictEqual(yield* Timeout.now, 1.5)
      assert.strictEqual(yield* Clock.currentTimeMillis, 1.5)
      assert.strictEqual(yield* Clock.currentTimeNanos, 1_500_000n)
    })))

  it("waits for promises and timers of the host before time moves", () =>
    VirtualClock.run(Effect.gen(function*() {
      const events: Array<string> = []
      yield* Tasks.gather([
        Effect.promise(async () => {
          for (let i = 0; i < 10; i++) await Promise.resolve()
          events.push("promise")
        }),
        Effect.andThen(Effect.sleep(1), Effect.sync(() => void events.push("slept")))
      ])
      assert.deepStrictEqual(events, ["promise", "slept"])
    })))

  it("waits in real time for what only the host can bring", () =>
    VirtualClock.run(Effect.gen(function*() {
      const value = yield* Effect.promise(() => new Promise<string>((resolve) => setTimeout(() => resolve("from outside"), 20)))
      assert.strictEqual(value, "from outside")
      assert.strictEqual(yield* Timeout.now, 0)
    })))

  it("is rejected with the error of the program", async () => {
    const error = await VirtualClock.run(Effect.fail(new Bad())).then(() => undefined, (error: unknown) => error)
    assert.instanceOf(error, Bad)
  })

  it("keeps two runs apart that run beside each other", async () => {
    const program = (millis: number) => Effect.andThen(Effect.sleep(millis), Timeout.now)
    assert.deepStrictEqual(await Promise.all([VirtualClock.run(program(10)), VirtualClock.run(program(20))]), [10, 20])
  })

  it("does not move while some thousands that were woken at one moment still wait for their turn", () =>
    VirtualClock.run(Nursery.open((n) => Effect.gen(function*() {
      const seen = new Set<number>()
      const go = yield* Event.make()
      yield* n.startSoon(Effect.forEach(Array.from({ length: 200 }), () => Effect.sleep(1)))
      for (let i = 0; i < 10_000; i++) {
        yield* n.startSoon(go.wait.pipe(Effect.andThen(Timeout.now), Effect.map((now) => seen.add(now))))
      }
      yield* Effect.sleep(100)
      yield* go.set
      yield* n.awaitIdle
      assert.deepStrictEqual([...seen], [100])
    }))))

  it("gives the same order each time: 300 tasks that sleep, send and receive", async () => {
    const program = Nursery.open((n) => Effect.gen(function*() {
      const events: Array<string> = []
      const [sender, receiver] = yield* MemoryChannel.make<number>(3)
      for (let i = 0; i < 300; i++) {
        yield* n.startSoon(Effect.andThen(Effect.sleep((i * 7919) % 13), sender.send(i)))
        yield* n.startSoon(Effect.flatMap(receiver.receive, (value) =>
          Effect.flatMap(Timeout.now, (now) => Effect.sync(() => void events.push(`${now} ${i} ${value}`)))))
      }
      yield* n.awaitIdle
      return events
    }))
    const first = await VirtualClock.run(program)
    assert.strictEqual(first.length, 300)
    assert.deepStrictEqual(await VirtualClock.run(program), first)
  })
})

describe("VirtualClock.runExit", () => {
  it("gives the exit: a value, a failure with its whole cause, a defect", async () => {
    assert.deepStrictEqual(await VirtualClock.runExit(Effect.succeed(1)), Exit.succeed(1))
    const two = await VirtualClock.runExit(Effect.failCause(Cause.fromReasons([Cause.makeFailReason("a"), Cause.makeFailReason("b")])))
    assert.strictEqual(two._tag === "Failure" ? two.cause.reasons.length : 0, 2)
    assert.strictEqual(defectOf(await VirtualClock.runExit(Effect.die("bug"))), "bug")
  })

  it("gives an interrupt as what it is", async () => {
    const exit = await VirtualClock.runExit(Effect.interrupt)
    assert.isTrue(exit._tag === "Failure" && Cause.hasInterruptsOnly(exit.cause))
  })
})

describe("VirtualClock.Deadlock", () => {
  it("is the end of a program in which everything waits for ever, and shows who waits for what", async () => {
    const program = Nursery.open((n) => Effect.gen(function*() {
      const coffee = yield* Event.make({ name: "coffee" })
      yield* n.startSoon(coffee.wait, { name: "drinker" })
    }), { name: "stuck" })
    const defect = defectOf(await VirtualClock.runExit(program, { deadlockAfter: 10 }))
    assert.instanceOf(defect, VirtualClock.Deadlock)
    assert.match(defect.message, /^Every task waits, and no deadline is left to wake one\.\n/)
    assert.include(defect.message, "nursery stuck\n")
    assert.match(defect.message, /drinker \(wait(ing)? for event coffee\)/)
  })

  // A known fault: the run is given up as it stands.
  it("ends the program: its finalizers run, and nothing of it stays in the tree", async () => {
    let cleaned = false
    const program = Nursery.open(() => Effect.never.pipe(Effect.ensuring(Effect.sync(() => void (cleaned = true)))), { name: "given up" })
    await VirtualClock.runExit(program, { deadlockAfter: 5 })
    assert.isTrue(cleaned)
    assert.isFalse(TaskTree.nowUnsafe().some((root) => root.name === "given up"))
  })

  it("rejects `run`", async () => {
    const error = await VirtualClock.run(Effect.never, { deadlockAfter: 5 }).then(() => undefined, (error: unknown) => error)
    assert.instanceOf(error, VirtualClock.Deadlock)
    assert.strictEqual(error._tag, "Deadlock")
  })

  it("is none while a deadline is left, however far away", () =>
    VirtualClock.run(Timeout.moveOnAfter(Effect.never, "1000 days"), { deadlockAfter: 5 }))
})

describe("VirtualClock.waitAllBlocked", () => {
  it("returns when every other task waits, before time moves", () =>
    VirtualClock.run(Nursery.open((n) => Effect.gen(function*() {
      let steps = 0
      const busy = Effect.forEach(Array.from({ length: 100 }), () => Effect.andThen(Effect.yieldNow, Effect.sync(() => void steps++)))
      yield* n.startSoon(Effect.andThen(busy, Effect.sleep(5)))
      yield* VirtualClock.waitAllBlocked
      assert.strictEqual(steps, 100)
      assert.strictEqual(yield* Timeout.now, 0)
    }))))

  it("lets one who waits so go on at a time, in order", () =>
    VirtualClock.run(Effect.gen(function*() {
      const events: Array<string> = []
      const waiter = (name: string) => VirtualClock.waitAllBlocked.pipe(
        Effect.andThen(Effect.sync(() => void events.push(`${name} begins`))),
        Effect.andThen(Effect.yieldNow),
        Effect.andThen(Effect.sync(() => void events.push(`${name} ends`)))
      )
      yield* Tasks.gather([waiter("a"), waiter("b")])
      assert.deepStrictEqual(events, ["a begins", "a ends", "b begins", "b ends"])
    })))

  it("can be cancelled", () =>
    VirtualClock.run(Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(VirtualClock.waitAllBlocked, { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.isFailure(yield* Fiber.await(fiber)))
      yield* VirtualClock.waitAllBlocked
    })))

  it("outside of a run is a defect that says so", async () => {
    const exit = await Effect.runPromiseExit(VirtualClock.waitAllBlocked)
    assert.match(String(defectOf(exit)), /works only in a program that `VirtualClock.run` runs/)
  })
})
