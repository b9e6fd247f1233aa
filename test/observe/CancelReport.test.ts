import { Cause, Effect, Exit, Fiber, Stream } from "effect"
import { CancelScope, CapacityLimiter, Event, MemoryChannel, Nursery, Tasks, Timeout } from "effect-nursery"
import { CancelReport, Instrument } from "effect-nursery/observe"
import { VirtualClock } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"

/** Runs in virtual time; every figure below is exact. */
const reportOf = async <A, E>(program: Effect.Effect<A, E>): Promise<CancelReport.CancelReport> => {
  const [, report] = await VirtualClock.run(CancelReport.record(program))
  return report
}

/** A task that is told to stop and takes so long. */
const slowly = (millis: number) => Effect.never.pipe(Effect.onInterrupt(() => Effect.sleep(millis)))

/** A nursery `work` in a scope `search` that is cancelled after 10 ms. */
const cancelledAfter10 = (body: (n: Nursery.Nursery<"work">) => Effect.Effect<unknown, never, any>): Effect.Effect<unknown> =>
  CancelScope.open((scope) =>
    Nursery.open((n) => body(n).pipe(Effect.andThen(Effect.sleep(10)), Effect.andThen(scope.cancel("enough"))), { name: "work" }), {
    name: "search"
  }) as Effect.Effect<unknown>

const cancelOf = (report: CancelReport.CancelReport, source: CancelScope.CancelReason["source"]): CancelReport.Cancel => {
  const cancels = report.cancels.filter((cancel) => cancel.reason.source === source)
  assert.strictEqual(cancels.length, 1, `one ${source} cancel in:\n${CancelReport.toText(report)}`)
  return cancels[0]!
}

/** What a case is judged by. */
const verdictOn = (cancel: CancelReport.Cancel) => ({
  target: cancel.target,
  by: cancel.by,
  millis: cancel.millis,
  culprit: cancel.culprit?.path,
  heldUp: cancel.culprit?.heldUp,
  doing: cancel.culprit?.doing.map((doing) => `${doing.millis} ${doing.what}`)
})

const within = "scope search › nursery work ›"

describe("the culprit that CancelReport names", () => {
  it("1: a slow finalizer in a leaf", async () => {
    const report = await reportOf(cancelledAfter10((n) =>
      Effect.andThen(n.startSoon(slowly(300), { name: "leaf" }), n.startSoon(Effect.never, { name: "other" }))
    ))
    const cancel = cancelOf(report, "explicit")
    assert.deepStrictEqual(verdictOn(cancel), {
      target: "scope search",
      by: "main",
      millis: 300,
      culprit: `${within} leaf`,
      heldUp: 300,
      doing: ["300 finalizer"]
    })
    assert.deepStrictEqual(cancel.told, ["leaf", "other"])
    assert.strictEqual(cancel.slow.length, 1)
    assert.strictEqual(cancel.at, 10)
    assert.isTrue(cancel.ended)
  })

  it("2: a slow finalizer in a nested nursery, and not those who wait for it", async () => {
    const inner = Nursery.open((n) => Effect.andThen(n.startSoon(slowly(300), { name: "leaf" }), Effect.never), { name: "inner" })
    const outer = inner.pipe(Effect.onInterrupt(() => Effect.sleep(100)))
    const cancel = cancelOf(await reportOf(cancelledAfter10((n) => n.startSoon(outer, { name: "outer" }))), "explicit")
    assert.deepStrictEqual(verdictOn(cancel), {
      target: "scope search",
      by: "main",
      millis: 400,
      culprit: `${within} outer › nursery inner › leaf`,
      heldUp: 300,
      doing: ["300 finalizer"]
    })
    // Its own finalizer came when that of the leaf was over.
    assert.deepStrictEqual(cancel.slow.map(({ heldUp, millis, task }) => [task, millis, heldUp]), [["leaf", 300, 300], ["outer", 100, 100]])
    assert.strictEqual(cancel.slow[1]!.doing[0]!.from, 310)
  })

  it("3: an uninterruptible region", async () => {
    const report = await reportOf(cancelledAfter10((n) => n.startSoon(Effect.uninterruptible(Effect.sleep(300)), { name: "writer" })))
    assert.deepStrictEqual(verdictOn(cancelOf(report, "explicit")), {
      target: "scope search",
      by: "main",
      millis: 290,
      culprit: `${within} writer`,
      heldUp: 290,
      doing: ["290 uninterruptible"]
    })
  })

  it("4: a shield that uses up its budget", async () => {
    const writer = Effect.never.pipe(Effect.ensuring(CancelScope.shieldFor(Effect.never, 250)))
    const report = await reportOf(cancelledAfter10((n) => n.startSoon(writer, { name: "writer" })))
    assert.deepStrictEqual(verdictOn(cancelOf(report, "explicit")), {
      target: "scope search",
      by: "main",
      millis: 250,
      culprit: `${within} writer`,
      heldUp: 250,
      doing: ["250 finalizer › shield"]
    })
    // The end of the budget is a cancel, too, and nobody was slow in it.
    const budget = cancelOf(report, "deadline")
    assert.strictEqual(budget.target, `${within} writer › shield`)
    assert.strictEqual(budget.millis, 0)
    assert.isUndefined(budget.culprit)
  })

  it("5: a slow acquisition, with what it acquires being released", async () => {
    const user = Effect.acquireUseRelease(
      Effect.sleep(100),
      () => Effect.never,
      () => Effect.sleep(40)
    )
    const report = await reportOf(cancelledAfter10((n) => n.startSoon(user, { name: "user" })))
    assert.deepStrictEqual(verdictOn(cancelOf(report, "explicit")), {
      target: "scope search",
      by: "main",
      millis: 130,
      culprit: `${within} user`,
      heldUp: 130,
      doing: ["130 uninterruptible"]
    })
  })

  it("6: a slow release, with the name of its span", async () => {
    const user = Effect.acquireUseRelease(
      Effect.sleep(5),
      () => Effect.never,
      () => Effect.sleep(75).pipe(Effect.withSpan("db.close"))
    )
    const report = await reportOf(cancelledAfter10((n) => n.startSoon(user, { name: "user" })))
    assert.deepStrictEqual(verdictOn(cancelOf(report, "explicit")), {
      target: "scope search",
      by: "main",
      millis: 75,
      culprit: `${within} user`,
      heldUp: 75,
      doing: ["75 finalizer in span db.close"]
    })
  })

  it("7: a finalizer that waits for a channel", async () => {
    const report = await reportOf(cancelledAfter10((n) =>
      Effect.gen(function*() {
        const [sender, receiver] = yield* MemoryChannel.make<string>(0, { name: "logs" })
        yield* n.startSoon(Effect.never.pipe(Effect.onInterrupt(() => Effect.ignore(sender.send("bye")))), { name: "logger" })
        const sink = Effect.andThen(Effect.sleep(150), Effect.ignore(receiver.receive))
        yield* n.startSoon(CancelScope.shield(sink), { name: "sink" })
      })
    ))
    const cancel = cancelOf(report, "explicit")
    assert.strictEqual(cancel.millis, 140)
    const logger = cancel.slow.find((slow) => slow.task === "logger")!
    assert.deepStrictEqual(logger.doing, [
      { what: "finalizer", from: 10, millis: 140, waitedFor: [{ label: "sending to channel logs", millis: 140 }] }
    ])
    assert.deepStrictEqual(cancel.slow.map((slow) => slow.task).sort(), ["logger", "sink"])
  })

  it("8: a finalizer that waits for a limiter", async () => {
    const report = await reportOf(Effect.gen(function*() {
      const limiter = yield* CapacityLimiter.make(1, { name: "db" })
      yield* Nursery.open((outside) =>
        Effect.gen(function*() {
          yield* outside.startNow(limiter.withToken(Effect.sleep(500)), { name: "holder" })
          yield* cancelledAfter10((n) =>
            n.startSoon(Effect.never.pipe(Effect.onInterrupt(() => limiter.withToken(Effect.sleep(20)))), { name: "saver" })
          )
        })
      )
    }))
    const cancel = cancelOf(report, "explicit")
    assert.strictEqual(cancel.millis, 510)
    assert.strictEqual(cancel.culprit?.task, "saver")
    assert.deepStrictEqual(cancel.culprit?.doing.map(({ millis, waitedFor, what }) => [what, millis, waitedFor]), [
      ["finalizer", 510, [{ label: cancel.culprit!.doing[0]!.waitedFor[0]!.label, millis: 490 }]]
    ])
    assert.include(cancel.culprit?.doing[0]!.waitedFor[0]!.label, "limiter db")
  })

  it("9: a finalizer that waits for an event, in a time limit with a name", async () => {
    const report = await reportOf(cancelledAfter10((n) =>
      Effect.gen(function*() {
        const acknowledged = yield* Event.make({ name: "acknowledged" })
        const goodbye = acknowledged.wait.pipe(Timeout.moveOnAfter(90, { name: "goodbye" }), CancelScope.shield)
        yield* n.startSoon(Effect.never.pipe(Effect.ensuring(goodbye)), { name: "client" })
      })
    ))
    const cancel = cancelOf(report, "explicit")
    assert.deepStrictEqual(verdictOn(cancel), {
      target: "scope search",
      by: "main",
      millis: 90,
      culprit: `${within} client`,
      heldUp: 90,
      doing: ["90 finalizer › shield › timeout goodbye"]
    })
    assert.deepStrictEqual(cancel.culprit?.doing[0]!.waitedFor, [{ label: "waiting for event acknowledged", millis: 90 }])
  })

  it("10: of two slow ones the slower, and the other is listed", async () => {
    const report = await reportOf(cancelledAfter10((n) =>
      Effect.andThen(n.startSoon(slowly(300), { name: "slower" }), n.startSoon(slowly(100), { name: "slow" }))
    ))
    const cancel = cancelOf(report, "explicit")
    assert.strictEqual(cancel.millis, 300)
    assert.strictEqual(cancel.culprit?.task, "slower")
    assert.deepStrictEqual(cancel.slow.map(({ heldUp, millis, task }) => [task, millis, heldUp]), [["slower", 300, 300], ["slow", 100, 0]])
  })

  it("11: a finalizer that had begun before, because the task was at its end", async () => {
    const ending = Effect.sleep(5).pipe(Effect.ensuring(Effect.sleep(200)))
    const report = await reportOf(cancelledAfter10((n) => n.startSoon(ending, { name: "ending" })))
    assert.deepStrictEqual(verdictOn(cancelOf(report, "explicit")), {
      target: "scope search",
      by: "main",
      millis: 195,
      culprit: `${within} ending`,
      heldUp: 195,
      doing: ["195 uninterruptible"]
    })
  })

  it("12: what is cancelled already, of a second cancel from around", async () => {
    const program = CancelScope.open((outer) =>
      Nursery.open((n) =>
        Effect.gen(function*() {
          const first = CancelScope.open(
            (inner) => Nursery.open((m) => Effect.andThen(m.startSoon(slowly(300), { name: "leaf" }), Effect.andThen(Effect.sleep(10), inner.cancel("first")))),
            { name: "inner" }
          )
          yield* n.startSoon(first, { name: "task" })
          yield* Effect.sleep(110)
          yield* outer.cancel("second")
        })), { name: "outer" })
    const [first, second] = (await reportOf(program)).cancels
    assert.deepStrictEqual([first?.reason.message, first?.millis, first?.culprit?.task], ["first", 300, "leaf"])
    // The leaf was not told again, but it is the one that is waited for.
    assert.deepStrictEqual([second?.reason.message, second?.millis, second?.culprit?.task, second?.culprit?.heldUp], ["second", 200, "leaf", 200])
  })

  it("13: of a deadline, which nobody has caused", async () => {
    const program = Timeout.failAfter(slowly(203), 50, { name: "login" })
    assert.deepStrictEqual(verdictOn(cancelOf(await reportOf(program), "deadline")), {
      target: "timeout login",
      by: undefined,
      millis: 203,
      culprit: "timeout login",
      heldUp: 203,
      doing: ["203 finalizer"]
    })
  })

  it("14: of a failing sibling", async () => {
    const program = Nursery.open((n) =>
      Effect.gen(function*() {
        yield* n.startSoon(slowly(70), { name: "bystander" })
        yield* n.startSoon(Effect.andThen(Effect.sleep(10), Effect.fail("no milk")), { name: "tea" })
      }), { name: "breakfast" })
    assert.deepStrictEqual(verdictOn(cancelOf(await reportOf(program), "sibling")), {
      target: "nursery breakfast",
      by: "nursery breakfast › tea",
      millis: 70,
      culprit: "nursery breakfast › bystander",
      heldUp: 70,
      doing: ["70 finalizer"]
    })
  })

  it("15: of an interrupt of the fiber around", async () => {
    const program = Effect.gen(function*() {
      const nursery = Nursery.open((n) => n.startSoon(slowly(70), { name: "worker" }), { name: "work" })
      const fiber = yield* Effect.forkChild(nursery)
      yield* Effect.sleep(10)
      yield* Fiber.interrupt(fiber)
    })
    const cancel = cancelOf(await reportOf(program), "parent")
    assert.strictEqual(cancel.millis, 70)
    assert.strictEqual(cancel.culprit?.path, "nursery work › worker")
  })

  it("16: of an AbortSignal", async () => {
    const controller = new AbortController()
    const program = Nursery.open((n) =>
      Effect.gen(function*() {
        yield* n.startSoon(CancelScope.open(() => slowly(45), { name: "request", signal: controller.signal }), { name: "fetcher" })
        yield* Effect.sleep(10)
        controller.abort("gone")
      }))
    assert.deepStrictEqual(verdictOn(cancelOf(await reportOf(program), "signal")), {
      target: "nursery › fetcher › scope request",
      // Whoever ran when the signal was aborted.
      by: "main",
      millis: 45,
      culprit: "nursery › fetcher",
      heldUp: 45,
      doing: ["45 finalizer › scope request"]
    })
  })

  it("17: a branch of a gather", async () => {
    const program = Tasks.gather([slowly(20), slowly(80), Effect.andThen(Effect.sleep(10), Effect.fail("x"))])
    assert.deepStrictEqual(verdictOn(cancelOf(await reportOf(program), "sibling")), {
      target: "gather",
      by: "gather › gather 2",
      millis: 80,
      culprit: "gather › gather 1",
      heldUp: 80,
      doing: ["80 finalizer"]
    })
  })

  it("18: the loser of a race", async () => {
    const program = Tasks.firstCompleted([slowly(60), Effect.sleep(10)])
    assert.deepStrictEqual(verdictOn(cancelOf(await reportOf(program), "sibling")), {
      target: "race firstCompleted",
      by: "race firstCompleted › race 1",
      millis: 60,
      culprit: "race firstCompleted › race 0",
      heldUp: 60,
      doing: ["60 finalizer"]
    })
  })

  it("19: a service, which is told when the others have ended, and only for its own time", async () => {
    const report = await reportOf(cancelledAfter10((n) =>
      Effect.andThen(n.startSoon(slowly(60), { name: "heartbeat", service: true }), n.startSoon(slowly(100), { name: "task" }))
    ))
    const cancel = cancelOf(report, "explicit")
    assert.strictEqual(cancel.millis, 160)
    assert.deepStrictEqual(cancel.slow.map(({ heldUp, millis, task }) => [task, millis, heldUp]), [["task", 100, 100], ["heartbeat", 60, 60]])
    assert.strictEqual(cancel.culprit?.task, "task")
  })

  it("20: a service that is slow at the end of a nursery that ends well", async () => {
    const program = Nursery.open((n) => Effect.andThen(n.startSoon(slowly(60), { name: "heartbeat", service: true }), Effect.sleep(10)), { name: "work" })
    assert.deepStrictEqual(verdictOn(cancelOf(await reportOf(program), "shutdown")), {
      target: "nursery work › heartbeat",
      by: undefined,
      millis: 60,
      culprit: "nursery work › heartbeat",
      heldUp: 60,
      doing: ["60 finalizer"]
    })
  })

  it("21: a task of `start` that is not ready yet", async () => {
    const server = (started: (value: number) => Effect.Effect<void>) => Effect.andThen(slowly(65), started(1))
    const report = await reportOf(cancelledAfter10((n) => n.startSoon(Effect.orDie(n.start(server, { name: "server" })), { name: "opener" })))
    assert.deepStrictEqual(verdictOn(cancelOf(report, "explicit")), {
      target: "scope search",
      by: "main",
      millis: 65,
      culprit: `${within} opener › start server › server`,
      heldUp: 65,
      doing: ["65 finalizer"]
    })
  })

  it("22: a task of `start` that is ready, and lives in the nursery", async () => {
    const server = (started: (value: number) => Effect.Effect<void>) => Effect.andThen(started(1), slowly(65))
    const report = await reportOf(cancelledAfter10((n) => n.startSoon(Effect.orDie(n.start(server, { name: "server" })), { name: "opener" })))
    assert.strictEqual(cancelOf(report, "explicit").culprit?.path, `${within} server`)
    assert.strictEqual(cancelOf(report, "explicit").millis, 65)
  })

  it("23: what asCompleted runs, when nobody reads on", async () => {
    const program = Stream.runForEach(Stream.take(Tasks.asCompleted([Effect.sleep(10), slowly(85), slowly(15)]), 1), () => Effect.void)
    const report = await reportOf(program)
    assert.strictEqual(report.max, 85)
    const cancel = report.cancels.find((cancel) => cancel.millis === 85)!
    assert.strictEqual(cancel.culprit?.task, "gather 1")
    assert.strictEqual(cancel.culprit?.heldUp, 85)
  })

  it("24: a task in which Effect.all runs fibers, and of nurseries in those the slower leaf", async () => {
    const leaf = (name: string, millis: number) => Nursery.open((n) => n.startSoon(slowly(millis), { name }), { name: `of ${name}` })
    const plain = await reportOf(cancelledAfter10((n) =>
      n.startSoon(Effect.all([slowly(60), slowly(80)], { concurrency: 2 }), { name: "both" })
    ))
    assert.deepStrictEqual(verdictOn(cancelOf(plain, "explicit")), {
      target: "scope search",
      by: "main",
      millis: 80,
      culprit: `${within} both`,
      heldUp: 80,
      doing: ["80 finalizer"]
    })
    const nested = await reportOf(cancelledAfter10((n) =>
      n.startSoon(Effect.all([leaf("x", 60), leaf("y", 90)], { concurrency: 2 }), { name: "both" })
    ))
    assert.strictEqual(cancelOf(nested, "explicit").culprit?.path, `${within} both › nursery of y › y`)
  })

  it("25: tasks that are cancelled by themselves, one or all of a nursery", async () => {
    const program = Nursery.open((n) =>
      Effect.gen(function*() {
        const one = yield* n.startNow(slowly(30), { name: "one" })
        yield* n.startNow(slowly(50), { name: "two" })
        yield* n.startNow(slowly(40), { name: "three" })
        yield* one.cancel("you first")
        yield* n.cancelTasks("now all")
      }), { name: "work" })
    const [first, second] = (await reportOf(program)).cancels
    assert.deepStrictEqual([first?.target, first?.millis, first?.culprit?.task], ["nursery work › one", 30, "one"])
    assert.deepStrictEqual([second?.target, second?.millis, second?.culprit?.task], ["nursery work", 50, "two"])
    assert.deepStrictEqual(second?.told, ["two", "three"])
  })

  it("26: a region that can be stopped by nothing, and then a finalizer: one after the other", async () => {
    const shielded = CancelScope.shield(Effect.sleep(100)).pipe(Effect.ensuring(Effect.sleep(25)))
    const report = await reportOf(cancelledAfter10((n) => n.startSoon(shielded, { name: "both" })))
    assert.deepStrictEqual(verdictOn(cancelOf(report, "explicit")).doing, ["90 shield", "25 finalizer"])
    assert.strictEqual(cancelOf(report, "explicit").millis, 115)
  })

  it("27: nobody, if all end at once", async () => {
    const cancel = cancelOf(await reportOf(cancelledAfter10((n) => n.startSoon(Effect.never, { name: "quick" }))), "explicit")
    assert.strictEqual(cancel.millis, 0)
    assert.isUndefined(cancel.culprit)
    assert.deepStrictEqual(cancel.slow, [])
  })

  it("28: the deepest of 2,000 nested nurseries", async () => {
    let program: Effect.Effect<unknown> = slowly(77)
    for (let i = 0; i < 2_000; i++) {
      const inside = program
      program = Nursery.open((n) => n.startSoon(inside, { name: "level" }))
    }
    const cancel = cancelOf(await reportOf(Timeout.moveOnAfter(program, 10)), "deadline")
    assert.strictEqual(cancel.millis, 77)
    assert.strictEqual(cancel.culprit?.heldUp, 77)
    assert.isTrue(cancel.culprit?.path.startsWith("… › "))
  })
})

describe("CancelReport.make", () => {
  const reason = (at: number) => new CancelScope.CancelReason("deadline", "timeout", "", "its time was up", at, undefined)
  const block = (id: number, opened: number, cancelled: number, closed: number | undefined, deadline = cancelled): Array<Instrument.Event> => [
    { _tag: "opened", at: opened, block: id, parent: undefined, kind: "timeout", name: "timeout" },
    { _tag: "cancelled", at: cancelled, target: { _tag: "block", id }, by: undefined, reason: reason(deadline) },
    ...(closed === undefined ? [] : [{ _tag: "closed", at: closed, block: id, outcome: { _tag: "cancelled" }, caught: true } as const])
  ]

  it("of nothing has no figures", () => {
    assert.deepStrictEqual(CancelReport.make([]), { cancels: [], p50: undefined, p99: undefined, max: undefined })
    assert.strictEqual(CancelReport.toText(CancelReport.make([])), "0 cancels")
  })

  it("counts percentiles in cancels that were measured, and leaves out those that are not over", () => {
    const events = Array.from({ length: 100 }, (_, i) => block(i + 1, 0, 10, 11 + i)).flat()
    const report = CancelReport.make([...events, ...block(101, 0, 10, undefined)])
    assert.deepStrictEqual([report.p50, report.p99, report.max], [50, 99, 100])
    assert.strictEqual(report.cancels.length, 101)
    assert.strictEqual(CancelReport.make(block(1, 0, 10, 17)).p99, 7)
  })

  it("says by how much a deadline came too late, when the loop was blocked", () => {
    const [cancel] = CancelReport.make(block(1, 0, 253, 260, 50)).cancels
    assert.deepStrictEqual([cancel?.late, cancel?.millis], [203, 7])
    assert.include(CancelReport.toText(CancelReport.make(block(1, 0, 253, 260, 50))), "it came 203 ms after its time")
  })

  it("of a program that still runs says who is holding it up", async () => {
    const instrument = Instrument.make()
    let report = CancelReport.make([])
    const program = CancelScope.open((scope) =>
      Effect.andThen(
        Nursery.open((n) =>
          Effect.gen(function*() {
            yield* n.startSoon(slowly(500), { name: "stubborn" })
            yield* n.startSoon(slowly(20), { name: "quick" })
            yield* Effect.sleep(10)
            yield* scope.cancel("enough")
          })),
        Effect.never
      ), { name: "work" })
    const watcher = Effect.andThen(
      Effect.sleep(110),
      Effect.map(Timeout.now, (now) => report = CancelReport.make(instrument.events(), { now }))
    )
    await VirtualClock.run(Nursery.open((n) => Effect.andThen(n.startSoon(program.pipe(Instrument.record(instrument))), watcher)))
    const [cancel] = report.cancels
    assert.deepStrictEqual([cancel?.ended, cancel?.millis, cancel?.culprit?.task], [false, 100, "stubborn"])
    assert.deepStrictEqual(cancel?.slow.map(({ millis, task }) => [task, millis]), [["stubborn", 100], ["quick", 20]])
    assert.isUndefined(report.max)
    assert.include(CancelReport.toText(report), "1 cancel, 1 not over")
    assert.include(CancelReport.toText(report), "100 ms and goes on: scope work, explicit by main: enough")
  })

  it("makes do with what a full ring has left of the events", async () => {
    const instrument = Instrument.make({ capacity: 6 })
    const program = cancelledAfter10((n) =>
      Effect.andThen(n.startSoon(slowly(300), { name: "slower" }), n.startSoon(slowly(100), { name: "slow" }))
    )
    await VirtualClock.run(program.pipe(Instrument.record(instrument)))
    assert.isAbove(instrument.dropped, 0)
    for (let from = 0; from < 6; from++) {
      const report = CancelReport.make(instrument.events().slice(from))
      for (const cancel of report.cancels) assert.isAtMost(cancel.millis, 300)
      assert.include(CancelReport.toText(report), "cancel")
    }
  })

  it("takes 20,000 cancelled tasks in a moment", async () => {
    const report = await reportOf(cancelledAfter10((n) =>
      Effect.gen(function*() {
        for (let i = 0; i < 20_000; i++) yield* n.startSoon(slowly(i === 12_345 ? 50 : 1))
      })
    ))
    const cancel = cancelOf(report, "explicit")
    assert.strictEqual(cancel.told.length, 20_000)
    assert.strictEqual(cancel.culprit?.task, "task 12346")
    assert.isBelow(CancelReport.toText(report).split("\n").length, 30)
  })
})

describe("CancelReport.record", () => {
  it("gives the exit, whatever it is", async () => {
    const [exit] = await VirtualClock.run(CancelReport.record(Effect.fail("no")))
    assert.deepStrictEqual(exit, Exit.fail("no"))
    const [ok, report] = await VirtualClock.run(CancelReport.record(Effect.succeed(1)))
    assert.deepStrictEqual(ok, Exit.succeed(1))
    assert.deepStrictEqual(report.cancels, [])
  })
})

describe("CancelReport.toText", () => {
  it("tells the slowest first, ten in full, and counts the rest", async () => {
    const program = Effect.forEach(Array.from({ length: 13 }, (_, i) => i), (i) => Timeout.moveOnAfter(slowly(i), 5, { name: `t${i}` }))
    const text = CancelReport.toText(await reportOf(program))
    const heads = text.split("\n").filter((line) => / ms: timeout/.test(line))
    assert.deepStrictEqual(heads.map((line) => line.split(":")[0]), [12, 11, 10, 9, 8, 7, 6, 5, 4, 3].map((ms) => `${ms} ms`))
    assert.strictEqual(text.split("\n").at(-1), "and 3 more, of at most 2 ms")
    assert.strictEqual(text.split("\n")[0], "13 cancels: p50 6 ms, p99 12 ms, max 12 ms")
  })

  it("lists eight names and counts the others", async () => {
    const text = CancelReport.toText(await reportOf(cancelledAfter10((n) =>
      Effect.forEach(Array.from({ length: 10 }, (_, i) => i), (i) => n.startSoon(slowly(i + 1), { name: `t${i}` }))
    )))
    assert.include(text, "told 10 tasks: t0, t1, t2, t3, t4, t5, t6, t7 and 2 more")
    assert.include(text, "and 1 task more that took time")
  })
})

describe("CancelReport.expectCancelWithin", () => {
  const slowGoodbye = Timeout.moveOnAfter(slowly(80), 10, { name: "talk" })

  it("lets pass what is fast enough, to the millisecond, with its value", async () => {
    assert.strictEqual(await VirtualClock.run(slowGoodbye.pipe(Effect.as(7), CancelReport.expectCancelWithin("80 millis"))), 7)
    assert.strictEqual(await VirtualClock.run(CancelReport.expectCancelWithin(Effect.succeed(1), 0)), 1)
  })

  it("dies with a report that names the culprit", async () => {
    const exit = await VirtualClock.runExit(CancelReport.expectCancelWithin(slowGoodbye, "79 millis"))
    const [reason] = exit._tag === "Failure" ? exit.cause.reasons : []
    assert.strictEqual(reason?._tag, "Die")
    const error = reason?._tag === "Die" ? reason.defect : undefined
    assert.instanceOf(error, CancelReport.SlowCancel)
    if (!(error instanceof CancelReport.SlowCancel)) return
    assert.strictEqual(error._tag, "SlowCancel")
    assert.strictEqual(error.limit, 79)
    assert.deepStrictEqual(error.cancels.map((cancel) => cancel.culprit?.path), ["timeout talk"])
    assert.include(error.message, "A cancel took longer than 79 ms")
    assert.include(error.message, "held up 80 ms by timeout talk")
  })

  it("keeps beside it what the effect fails with", async () => {
    const exit = await VirtualClock.runExit(slowGoodbye.pipe(Effect.andThen(Effect.fail("no")), CancelReport.expectCancelWithin(50)))
    assert.deepStrictEqual(exit._tag === "Failure" && exit.cause.reasons.map((reason) => reason._tag), ["Die", "Fail"])
  })

  it("tells of the slow ones only", async () => {
    const program = Effect.andThen(Timeout.moveOnAfter(slowly(5), 1, { name: "fast" }), slowGoodbye)
    const exit = await VirtualClock.runExit(program.pipe(CancelReport.expectCancelWithin(50)))
    const message = exit._tag === "Failure" ? String(Cause.squash(exit.cause)) : ""
    assert.include(message, "timeout talk")
    assert.notInclude(message, "timeout fast")
  })

  it("complains of a limit that is none", async () => {
    const exit = await VirtualClock.runExit(CancelReport.expectCancelWithin(Effect.void, NaN))
    assert.include(exit._tag === "Failure" ? String(Cause.squash(exit.cause)) : "", "Expected `limit` to be a duration, got `NaN`")
  })
})
