import { Data, Effect, Fiber } from "effect"
import { CancelScope, Event, MemoryChannel, Nursery, Tasks, TaskTree, Timeout } from "effect-nursery"
import { Instrument } from "effect-nursery/observe"
import { VirtualClock } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"

/** The events of a program in virtual time. */
const eventsOf = async (program: Effect.Effect<unknown, unknown>): Promise<ReadonlyArray<Instrument.Event>> => {
  const instrument = Instrument.make({ capacity: Infinity })
  await VirtualClock.runExit(program.pipe(Instrument.record(instrument)))
  return instrument.events()
}

const outcomeText = (outcome: Instrument.Outcome): string =>
  outcome._tag === "failed" ? `failed: ${outcome.error}` : outcome._tag === "died" ? `died: ${outcome.defect}` : outcome._tag

/** An event in one line, as `task 2 …`, without what is not said. */
const lineOf = (event: Instrument.Event): string => {
  const by = "by" in event && event.by !== undefined ? ` by ${event.by}` : ""
  switch (event._tag) {
    case "opened":
      return `opened block ${event.block}: ${event.kind} ${event.name}${event.parent === undefined ? "" : ` in task ${event.parent}`}`
    case "closed":
      return `closed block ${event.block}: ${outcomeText(event.outcome)}${event.caught ? ", caught" : ""}`
    case "started":
      return `started task ${event.task}: ${event.kind} ${event.name} in block ${event.block}${by}`
    case "moved":
      return `moved task ${event.task} to block ${event.block}`
    case "ended":
      return `ended task ${event.task}: ${outcomeText(event.outcome)}`
    case "cancelled":
      return `cancelled ${event.target._tag} ${event.target.id}${by}: ${event.reason.source}`
    case "cleanupBegan":
      return `cleanup of task ${event.task}: ${event.what}`
    case "cleanupEnded":
      return `cleanup of task ${event.task} over`
    case "waiting":
      return `task ${event.task} waits (${event.wait}): ${event.label}`
    case "resumed":
      return `task ${event.task} goes on (${event.wait})`
  }
}

const linesOf = async (program: Effect.Effect<unknown, unknown>) => (await eventsOf(program)).map((event) => `${event.at} ${lineOf(event)}`)

describe("Instrument.record", () => {
  it("tells of a nursery with a wait, and who started whom", async () => {
    const program = Nursery.open((n) =>
      Effect.gen(function*() {
        const bell = yield* Event.make({ name: "bell" })
        yield* n.startSoon(bell.wait, { name: "pupil" })
        yield* n.startSoon(n.startSoon(Effect.void, { name: "child" }), { name: "parent" })
        yield* n.startSoon(Effect.sleep(5), { service: true })
        yield* Effect.sleep(45)
        yield* bell.set
      }), { name: "lesson" })
    assert.deepStrictEqual(await linesOf(program), [
      "0 opened block 1: nursery lesson",
      "0 started task 1: body body in block 1",
      "0 started task 2: task pupil in block 1 by 1",
      "0 task 2 waits (1): waiting for event bell",
      "0 started task 3: task parent in block 1 by 1",
      "0 ended task 3: succeeded",
      "0 started task 4: service task 3 in block 1 by 1",
      // Its starter had ended by then.
      "0 started task 5: task child in block 1 by 3",
      "0 ended task 5: succeeded",
      "5 ended task 4: succeeded",
      "45 ended task 1: succeeded",
      "45 task 2 goes on (1)",
      "45 ended task 2: succeeded",
      "45 closed block 1: succeeded"
    ])
  })

  it("tells of a cancel in the order of the tree, who did it, whose cleanup takes time, and who absorbed it", async () => {
    const program = CancelScope.open((scope) =>
      Nursery.open((n) =>
        Effect.gen(function*() {
          yield* n.startNow(Effect.never.pipe(Effect.onInterrupt(() => Effect.sleep(30).pipe(Effect.withSpan("goodbye")))), { name: "slow" })
          yield* n.startNow(Effect.uninterruptible(Effect.sleep(25)), { name: "stubborn" })
          yield* n.startNow(CancelScope.shield(Effect.sleep(22)), { name: "sheltered" })
          yield* n.startNow(Effect.never.pipe(Effect.onInterrupt(() => Effect.void)), { name: "quick" })
          yield* n.startNow(Effect.andThen(Effect.sleep(10), Effect.andThen(scope.cancel("enough"), Effect.sleep(1))), { name: "boss" })
        }), { name: "work" }), { name: "search" })
    const lines = await linesOf(program)
    assert.deepStrictEqual(lines.filter((line) => line.startsWith("10 ") || line.startsWith("2") || line.startsWith("4")), [
      "10 cancelled block 1 by 8: explicit",
      "10 cancelled task 1 by 8: explicit",
      "10 cancelled task 3 by 8: explicit",
      "10 cleanup of task 3: finalizer in span goodbye",
      "10 cancelled task 4 by 8: explicit",
      "10 cleanup of task 4: uninterruptible",
      "10 cancelled task 5 by 8: explicit",
      "10 cleanup of task 5: shield",
      "10 cancelled task 7 by 8: explicit",
      "10 ended task 7: cancelled",
      "10 cancelled task 8 by 8: explicit",
      // It has cancelled itself, and goes on to its next step.
      "10 cleanup of task 8: finalizer",
      "10 cleanup of task 8 over",
      "10 ended task 8: cancelled",
      "22 ended task 6: succeeded",
      "22 closed block 3: succeeded",
      "22 cleanup of task 5 over",
      "22 ended task 5: succeeded",
      "25 cleanup of task 4 over",
      "25 ended task 4: cancelled",
      "40 cleanup of task 3 over",
      "40 ended task 3: cancelled",
      "40 closed block 2: cancelled",
      "40 ended task 1: cancelled",
      "40 closed block 1: succeeded, caught"
    ])
  })

  it("tells of a task that never ran: started, cancelled, ended", async () => {
    const program = Nursery.open((n) =>
      Effect.gen(function*() {
        yield* n.startSoon(Effect.void, { name: "late" })
        yield* n.cancelTasks()
      }))
    assert.deepStrictEqual((await linesOf(program)).slice(2, 5), [
      "0 started task 2: task late in block 1 by 1",
      "0 cancelled task 2 by 1: explicit",
      "0 ended task 2: cancelled"
    ])
  })

  it("names the member that failed or won as the one who cancelled its siblings", async () => {
    const failing = Nursery.open((n) =>
      Effect.andThen(n.startSoon(Effect.never), n.startSoon(Effect.andThen(Effect.sleep(1), Effect.fail("no milk")), { name: "tea" })))
    assert.includeMembers(await linesOf(failing), ["1 cancelled block 1 by 3: sibling", "1 cancelled task 2 by 3: sibling"])
    const race = Tasks.firstCompleted([Effect.never, Effect.sleep(1)])
    assert.includeMembers(await linesOf(race), ["0 started task 2: task race 1 in block 1", "1 cancelled block 1 by 2: sibling"])
    const body = Nursery.open((n) => Effect.andThen(n.startNow(Effect.never), Effect.fail("no")))
    assert.includeMembers(await linesOf(body), ["0 cancelled block 1 by 1: sibling"])
  })

  it("says of a deadline that nobody did it, and of an interrupt by Effect where it came in", async () => {
    assert.includeMembers(await linesOf(Timeout.moveOnAfter(Effect.never, 7)), ["7 cancelled block 1: deadline", "7 closed block 1: succeeded, caught"])
    const interrupted = Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Nursery.open((n) => n.startSoon(Effect.never, { name: "t" })))
      yield* Effect.sleep(3)
      yield* Fiber.interrupt(fiber)
    })
    assert.includeMembers(await linesOf(interrupted), ["3 cancelled task 2: parent"])
  })

  it("follows a task of `start` into its nursery", async () => {
    const program = Nursery.open((n) =>
      n.start((started) => Effect.andThen(Effect.sleep(2), Effect.andThen(started(1), Effect.sleep(3))), { name: "server" })
    )
    assert.deepStrictEqual((await linesOf(program)).slice(2), [
      "0 opened block 2: start server in task 1",
      "0 started task 2: task server in block 2 by 1",
      "2 moved task 2 to block 1",
      "2 closed block 2: succeeded",
      "2 ended task 1: succeeded",
      "5 ended task 2: succeeded",
      "5 closed block 1: succeeded"
    ])
  })

  it("says that a task has moved to where nobody takes notes", async () => {
    const instrument = Instrument.make()
    await VirtualClock.run(Nursery.open((n) =>
      n.start((started) => Effect.andThen(started(1), Effect.sleep(3)), { name: "server" }).pipe(Instrument.record(instrument))
    ))
    assert.deepStrictEqual(instrument.events().map(lineOf), [
      "opened block 1: start server",
      "started task 1: task server in block 1",
      "moved task 1 to block undefined",
      "closed block 1: succeeded"
    ])
  })

  it("says of a wait outside of all tasks that no task waits", async () => {
    const program = Effect.gen(function*() {
      const [sender, receiver] = yield* MemoryChannel.make<number>(0, { name: "numbers" })
      const fiber = yield* Effect.forkChild(sender.send(1))
      yield* receiver.receive
      yield* Fiber.join(fiber)
    })
    const lines = await linesOf(program)
    assert.include(lines[0], "task undefined waits (1):")
    assert.include(lines[0], "channel numbers")
    assert.include(lines[1], "task undefined goes on (1)")
  })

  it("tells apart the waits of fibers that run in one task", async () => {
    const program = Nursery.open((n) =>
      Effect.gen(function*() {
        const [a, b, c] = [yield* Event.make({ name: "a" }), yield* Event.make({ name: "b" }), yield* Event.make({ name: "c" })]
        // One after the other beside another one: each is the first, the second or the only wait of the task for a while.
        yield* n.startSoon(Effect.all([a.wait, Effect.andThen(b.wait, c.wait)], { concurrency: "unbounded" }), { name: "both" })
        for (const event of [b, a, c]) {
          yield* Effect.sleep(1)
          yield* event.set
        }
      }))
    const lines = await linesOf(program)
    assert.deepStrictEqual(lines.filter((line) => / (waits|goes on) /.test(line)), [
      "0 task 2 waits (1): waiting for event a",
      "0 task 2 waits (2): waiting for event b",
      "1 task 2 goes on (2)",
      "1 task 2 waits (3): waiting for event c",
      "2 task 2 goes on (1)",
      "3 task 2 goes on (3)"
    ])
  })

  it("says nothing of the end of a wait whose beginning it has dropped", async () => {
    const instrument = Instrument.make({ capacity: 4 })
    const program = Nursery.open((n) =>
      Effect.flatMap(Event.make(), (event) => Effect.andThen(n.startSoon(event.wait), Effect.andThen(Effect.sleep(1), event.set)))
    )
    await VirtualClock.run(program.pipe(Instrument.record(instrument)))
    assert.deepStrictEqual(instrument.events().map(lineOf), ["ended task 1: succeeded", "ended task 2: succeeded", "closed block 1: succeeded"])
  })

  it("leaves out parents that were there before it began to take notes", async () => {
    const instrument = Instrument.make()
    const inside = Nursery.open((n) => n.startSoon(Effect.void, { name: "b" }), { name: "inner" }).pipe(Instrument.record(instrument))
    await VirtualClock.run(Nursery.open((n) => n.startSoon(inside, { name: "a" }), { name: "outer" }))
    assert.deepStrictEqual(instrument.events().map(lineOf).slice(0, 2), [
      "opened block 1: nursery inner",
      "started task 1: body body in block 1"
    ])
  })

  it("gives the same events of the same program each time", async () => {
    const program = Nursery.open((n) =>
      Effect.gen(function*() {
        const [sender, receiver] = yield* MemoryChannel.make<number>(1, { name: "numbers" })
        yield* n.startSoon(Effect.forever(Effect.andThen(sender.send(1), Effect.sleep(3))), { name: "sender" })
        yield* n.startSoon(Effect.forever(Effect.andThen(receiver.receive, Effect.sleep(4))), { name: "receiver" })
        yield* n.startSoon(Timeout.failAfter(Effect.never, 50))
      })).pipe(Effect.ignore)
    const [first, second] = [await linesOf(program), await linesOf(program)]
    assert.deepStrictEqual(first, second)
    assert.isAbove(first.length, 30)
  })

  it("tells several instruments around a program, and one that is there twice once", async () => {
    const [outer, inner] = [Instrument.make(), Instrument.make()]
    const block = (name: string) => Nursery.open(() => Effect.void, { name })
    const program = Effect.andThen(block("one"), block("two").pipe(Instrument.record(inner), Instrument.record(outer)))
    await VirtualClock.run(program.pipe(Instrument.record(outer)))
    const opened = (instrument: Instrument.Instrument) => instrument.events().flatMap((event) => event._tag === "opened" ? [event.name] : [])
    assert.deepStrictEqual(opened(outer), ["one", "two"])
    assert.deepStrictEqual(opened(inner), ["two"])
    assert.strictEqual(inner.events().length, 4)
  })

  it("records programs one after the other, each on its own Clock", async () => {
    const instrument = Instrument.make()
    for (const millis of [7, 9]) {
      await VirtualClock.run(Nursery.open(() => Effect.sleep(millis)).pipe(Instrument.record(instrument)))
    }
    assert.deepStrictEqual(instrument.events().map(({ at }) => at), [0, 0, 7, 7, 0, 0, 9, 9])
    assert.deepStrictEqual(instrument.events().flatMap((event) => event._tag === "opened" ? [event.block] : []), [1, 2])
  })

  it("takes the notes of its recorder, too, with the Clock of each program", async () => {
    const instrument = Instrument.make()
    for (const millis of [7, 9]) {
      await VirtualClock.run(Nursery.open(() => Effect.sleep(millis)).pipe(TaskTree.record(instrument.recorder)))
    }
    assert.deepStrictEqual(instrument.events().map(({ at }) => at), [0, 0, 7, 7, 0, 0, 9, 9])
  })

  it("keeps count through 10,000 waits that last, and end in another order", async () => {
    const program = Nursery.open((n) =>
      Effect.gen(function*() {
        const events = yield* Effect.forEach(Array.from({ length: 10_000 }), () => Event.make())
        for (const event of events) yield* n.startSoon(event.wait)
        yield* Effect.sleep(1)
        for (const event of events.toReversed()) yield* event.set
      }))
    const ofTask = new Map<number, number>()
    for (const event of await eventsOf(program)) {
      if (event._tag === "waiting") ofTask.set(event.wait, event.task!)
      if (event._tag === "resumed") assert.strictEqual(ofTask.get(event.wait), event.task)
    }
    assert.strictEqual(ofTask.size, 10_000)
  })
})

describe("the outcome of an event", () => {
  class OutOfTea extends Data.TaggedError("OutOfTea")<{ readonly pot: number }> {}

  const outcomeOf = async (task: Effect.Effect<unknown, unknown>) => {
    const events = await eventsOf(Nursery.open((n) => n.startSoon(task, { name: "task" })))
    const ended = events.find((event) => event._tag === "ended" && event.task === 2)
    return ended?._tag === "ended" ? outcomeText(ended.outcome) : undefined
  }

  it("has errors in one line, by what they say of themselves", async () => {
    assert.strictEqual(await outcomeOf(Effect.void), "succeeded")
    assert.strictEqual(await outcomeOf(Effect.fail("no milk")), "failed: no milk")
    assert.strictEqual(await outcomeOf(Effect.fail(new OutOfTea({ pot: 3 }))), "failed: OutOfTea {\"pot\":3}")
    assert.strictEqual(await outcomeOf(Effect.fail(new TypeError("not a pot\nat all"))), "failed: TypeError: not a pot")
    assert.strictEqual(await outcomeOf(Effect.fail({ code: 7 })), "failed: {\"code\":7}")
    assert.strictEqual(await outcomeOf(Effect.fail("x".repeat(300))), `failed: ${"x".repeat(199)}…`)
    assert.strictEqual(await outcomeOf(Effect.die(new Error("boo"))), "died: Error: boo")
    assert.strictEqual(await outcomeOf(Effect.interrupt), "cancelled")
  })

  it("counts the failures of several, and tells of a defect first", async () => {
    const program = Nursery.open((n) =>
      Effect.gen(function*() {
        const late = (effect: Effect.Effect<never, string>) => Effect.never.pipe(Effect.onInterrupt(() => Effect.orDie(effect)))
        yield* n.startNow(late(Effect.fail("spilt")))
        yield* n.startSoon(Effect.fail("no milk"))
      }))
    const closed = (await eventsOf(program)).at(-1)
    assert.strictEqual(closed?._tag === "closed" && outcomeText(closed.outcome), "died: spilt (and 1 more)")
  })
})

describe("Instrument.make", () => {
  const ten = Effect.forEach(Array.from({ length: 10 }, (_, i) => i), (i) => Nursery.open(() => Effect.void, { name: `n${i}` }))

  it("keeps the newest events in order, and counts those that it has dropped", async () => {
    const instrument = Instrument.make({ capacity: 6 })
    await VirtualClock.run(ten.pipe(Instrument.record(instrument)))
    assert.deepStrictEqual(instrument.events().map(lineOf), [
      "ended task 9: succeeded",
      "closed block 9: succeeded",
      "opened block 10: nursery n9",
      "started task 10: body body in block 10",
      "ended task 10: succeeded",
      "closed block 10: succeeded"
    ])
    assert.strictEqual(instrument.dropped, 34)
    assert.strictEqual(String(instrument), "Instrument(6 events kept, 34 dropped)")
    assert.deepStrictEqual(JSON.parse(JSON.stringify(instrument)), { _id: "Instrument", kept: 6, dropped: 34, capacity: 6 })
  })

  it("keeps the same events whatever the capacity, as far as it goes", async () => {
    const all = Instrument.make({ capacity: Infinity })
    const rings = [1, 2, 3, 7, 39, 40, 41, 5_000].map((capacity) => Instrument.make({ capacity }))
    await VirtualClock.run(rings.reduce((program, ring) => program.pipe(Instrument.record(ring)), ten.pipe(Instrument.record(all))))
    assert.strictEqual(all.events().length, 40)
    for (const ring of rings) {
      const kept = ring.events()
      assert.deepStrictEqual(kept.map(lineOf), all.events().slice(40 - kept.length).map(lineOf))
      assert.strictEqual(kept.length + ring.dropped, 40)
    }
  })

  it("grows to what is needed, and forgets nothing on the way", async () => {
    const instrument = Instrument.make()
    const program = Effect.forEach(Array.from({ length: 10_000 }), () => Nursery.open(() => Effect.void), { discard: true })
    await VirtualClock.run(program.pipe(Instrument.record(instrument)))
    assert.strictEqual(instrument.dropped, 0)
    const opened = instrument.events().flatMap((event) => event._tag === "opened" ? [event.block] : [])
    assert.deepStrictEqual(opened, Array.from({ length: 10_000 }, (_, i) => i + 1))
  })

  it("forgets all when it is cleared, but not the numbers of who lives", async () => {
    const instrument = Instrument.make()
    const program = Nursery.open((n) =>
      Effect.gen(function*() {
        yield* n.startNow(Effect.sleep(5), { name: "a" })
        yield* Effect.sync(() => instrument.clear())
        assert.deepStrictEqual(instrument.events(), [])
        yield* n.startNow(Effect.void, { name: "b" })
      }))
    await VirtualClock.run(program.pipe(Instrument.record(instrument)))
    assert.deepStrictEqual(instrument.events().map(lineOf), [
      "started task 3: task b in block 1 by 1",
      "ended task 3: succeeded",
      "ended task 1: succeeded",
      "ended task 2: succeeded",
      "closed block 1: succeeded"
    ])
  })

  it("tells a listener of the same events, as they happen", async () => {
    const heard: Array<Instrument.Event> = []
    const instrument = Instrument.make({ capacity: 5, onEvent: (event) => heard.push(event) })
    const all = Instrument.make()
    let within = 0
    const program = CancelScope.open((scope) =>
      Nursery.open((n) =>
        Effect.gen(function*() {
          yield* n.startNow(Effect.never.pipe(Effect.onInterrupt(() => Effect.sleep(5))), { name: "slow" })
          within = heard.length
          yield* scope.cancel()
        })))
    await VirtualClock.run(program.pipe(Instrument.record(instrument), Instrument.record(all)))
    assert.strictEqual(within, 5)
    assert.deepStrictEqual(heard.map(lineOf), all.events().map(lineOf))
    assert.isAbove(instrument.dropped, 0)
  })

  it("complains of a capacity that is none", () => {
    for (const capacity of [0, -1, 1.5, NaN, "8" as unknown as number]) {
      assert.throws(
        () => Instrument.make({ capacity }),
        `Expected \`capacity\` to be an integer from 1 and up or \`Infinity\`, got \`${capacity}\` (${typeof capacity})`
      )
    }
  })
})
