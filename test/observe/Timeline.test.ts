import { Effect, Exit } from "effect"
import { CancelScope, MemoryChannel, Nursery, Tasks, Timeout } from "effect-nursery"
import { type Instrument, Timeline } from "effect-nursery/observe"
import { VirtualClock } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"
import { atOnce, backPressure, deep, draw, eventsOf, failing, limits, many, programs, race, randomProgram, shutdown } from "./timelines.ts"

/** A row in short: `nursery breakfast 0-350 failed`. */
const short = (row: Timeline.Row): string =>
  `${"  ".repeat(row.depth)}${row.kind} ${row.name} ${row.begin.at}-${row.end?.at ?? ""} ${row.outcome?._tag ?? "running"}${row.caught ? " (caught)" : ""}`

const named = (timeline: Timeline.Timeline, name: string): Timeline.Row => {
  const row = timeline.rows.find((row) => row.name === name)
  assert.isDefined(row, `no row ${name}`)
  return row
}

/** A cancel in short: who, whom, why, and everybody who was told. */
const said = ({ cancels, rows }: Timeline.Timeline): Array<string> =>
  cancels.map((cancel) => {
    const name = (id: number | undefined) => id === undefined ? "nobody" : rows[id]!.name
    const told = cancel.told.map(({ at, row }) => `${name(row)}@${at.at}`).join(" ")
    return `${cancel.at.at} ${name(cancel.from)} > ${name(cancel.to)}: ${cancel.source}, ${cancel.message} [${told}]`
  })

describe("Timeline.record", () => {
  it("gives the exit of a program and never fails, whatever the program does", async () => {
    const [value] = await VirtualClock.run(Timeline.record(Nursery.open(() => Effect.succeed(7))))
    assert.deepStrictEqual(value, Exit.succeed(7))
    const [failure] = await VirtualClock.run(Timeline.record(Effect.fail("no")))
    assert.deepStrictEqual(failure, Exit.fail("no"))
    const [defect] = await VirtualClock.run(Timeline.record(Effect.die("bug")))
    assert.deepStrictEqual(defect, Exit.die("bug"))
    const [interrupted] = await VirtualClock.run(Timeline.record(Effect.interrupt))
    assert.strictEqual(interrupted._tag, "Failure")
  })

  it("gives the same timeline on every run under virtual time", async () => {
    for (const [name, program] of Object.entries(programs)) {
      assert.deepStrictEqual(await draw(program), await draw(program), name)
    }
  })

  it("works on the real clock, too", async () => {
    const [, timeline] = await Effect.runPromise(Timeline.record(Nursery.open((n) => n.startSoon(Effect.sleep(5), { name: "nap" }))))
    const nap = named(timeline, "nap")
    assert.isAtLeast(nap.end!.at - nap.begin.at, 4)
    assert.isAtLeast(nap.begin.at, 0)
    assert.isAtLeast(timeline.millis, nap.end!.at)
  })
})

describe("Timeline.fromEvents", () => {
  it("gives a row to each block with its body, and to each task, with the times and outcomes that they had", async () => {
    const timeline = await draw(failing)
    assert.deepStrictEqual(timeline.rows.map(short), [
      "nursery breakfast 0-350 failed",
      "  task brew tea 0-300 failed",
      "  task bake bread 0-300 cancelled",
      "  task feed the cat 0-350 cancelled",
      "  task lay the table 0-120 succeeded"
    ])
    const { body } = named(timeline, "breakfast")
    assert.deepStrictEqual([body!.begin.at, body!.end!.at, body!.outcome!._tag], [0, 100, "succeeded"])
    assert.strictEqual(timeline.millis, 350)
  })

  it("tells of a cancel who did it, to what, why, and who was told", async () => {
    assert.deepStrictEqual(said(await draw(failing)), [
      "300 brew tea > breakfast: sibling, brew tea failed [breakfast@300 bake bread@300 feed the cat@300]"
    ])
    assert.deepStrictEqual(said(await draw(limits)), [
      "100 nobody > inner: deadline, its time was up [inner@100]",
      "250 nobody > middle: deadline, its time was up [middle@250]"
    ])
    assert.deepStrictEqual(said(await draw(race)), [
      "120 race 1 > firstSuccess: sibling, race 1 won [firstSuccess@120 race 2@120 race 3@120]"
    ])
  })

  it("says that a time limit absorbed its cancel, and that the one around it failed", async () => {
    const timeline = await draw(limits)
    assert.deepStrictEqual(timeline.rows.slice(0, 5).map(short), [
      "nursery limits 0-250 succeeded",
      "  task caller 0-250 succeeded",
      "    timeout outer 0-250 failed",
      "      timeout middle 0-250 failed (caught)",
      "        timeout inner 0-140 succeeded (caught)"
    ])
    assert.strictEqual(named(timeline, "inner").body!.outcome!._tag, "cancelled")
  })

  it("has the waits of tasks with what they waited for, and puts those of a body in the lane of its block", async () => {
    const timeline = await draw(backPressure)
    const waits = (name: string) => named(timeline, name).waits.map(({ begin, end, label }) => `${begin.at}-${end?.at} ${label}`)
    assert.deepStrictEqual(waits("customer"), ["15-35 sending to channel orders", "40-65 sending to channel orders"])
    assert.deepStrictEqual(waits("baker"), ["0-5 receiving from channel orders"])
    const body = await draw(Effect.gen(function*() {
      const [sender, receiver] = yield* MemoryChannel.make<number>(0, { name: "c" })
      yield* Nursery.open((n) =>
        Effect.gen(function*() {
          yield* n.startSoon(Effect.andThen(Effect.sleep(5), sender.send(1)))
          yield* receiver.receive
        }), { name: "n" })
    }))
    assert.deepStrictEqual(named(body, "n").waits.map((wait) => wait.label), ["receiving from channel c"])
  })

  it("has a row for waits that belong to no task", async () => {
    const timeline = await draw(Effect.gen(function*() {
      const [sender, receiver] = yield* MemoryChannel.make<number>(0, { name: "c" })
      yield* Effect.forkChild(Effect.andThen(Effect.sleep(5), sender.send(1)))
      yield* receiver.receive
      yield* Nursery.open(() => Effect.void, { name: "later" })
    }))
    assert.deepStrictEqual(timeline.rows.map(short), ["outside outside any task 0-5 running", "nursery later 5-5 succeeded"])
    assert.deepStrictEqual(timeline.rows[0]!.waits.map(({ begin, end, label }) => [begin.at, end!.at, label]), [[0, 5, "receiving from channel c"]])
  })

  it("has what held a task that was told to stop", async () => {
    const timeline = await draw(shutdown)
    const cleanups = (name: string) => named(timeline, name).cleanups.map(({ begin, end, what }) => `${begin.at}-${end?.at} ${what}`)
    assert.deepStrictEqual(cleanups("stubborn"), ["90-150 finalizer"])
    assert.deepStrictEqual(cleanups("shielded"), ["90-240 shield"])
    assert.deepStrictEqual(cleanups("holder"), [])
  })

  it("puts a task that was begun by `start` into its nursery, with the moment in which it was ready", async () => {
    const timeline = await draw(Nursery.open((outer) =>
      Effect.gen(function*() {
        const caller = outer.start((started) => Effect.andThen(Effect.sleep(40), Effect.andThen(started(1), Effect.sleep(10))), { name: "server" })
        yield* outer.startSoon(Effect.andThen(caller, Effect.sleep(1)), { name: "caller" })
        yield* outer.startSoon(Effect.sleep(7), { name: "other" })
      }), { name: "outer" }))
    assert.deepStrictEqual(timeline.rows.map(short), [
      "nursery outer 0-50 succeeded",
      "  task caller 0-41 succeeded",
      "  task server 0-50 succeeded",
      "  task other 0-7 succeeded"
    ])
    const server = named(timeline, "server")
    assert.strictEqual(server.ready!.at, 40)
    assert.strictEqual(timeline.rows[server.startedBy!]!.name, "caller")
  })

  it("leaves a task that never was ready below its caller", async () => {
    const timeline = await draw(Effect.ignore(Nursery.open((n) => n.start(() => Effect.fail("no port"), { name: "server" }), { name: "n" })))
    assert.deepStrictEqual(timeline.rows.map(short), ["nursery n 0-0 failed", "  task server 0-0 failed"])
    assert.isUndefined(named(timeline, "server").ready)
  })

  it("says who started a task from where it does not stand", async () => {
    const timeline = await draw(Nursery.open((n) => n.startSoon(n.startSoon(Effect.void, { name: "second" }), { name: "first" }), { name: "n" }))
    assert.strictEqual(timeline.rows[named(timeline, "second").startedBy!]!.name, "first")
    assert.strictEqual(timeline.rows[named(timeline, "second").parent!]!.name, "n")
  })

  it("puts things of one moment in steps of their own, and a block and its body in one", async () => {
    const timeline = await draw(atOnce)
    assert.strictEqual(timeline.millis, 0)
    const steps = timeline.rows.map((row) => `${row.name} ${row.begin.step}-${row.end!.step}`)
    assert.strictEqual(new Set(timeline.rows.map((row) => row.begin.step)).size, timeline.rows.length, steps.join(", "))
    const block = named(timeline, "at once")
    assert.strictEqual(block.body!.begin.step, block.begin.step)
    // All who are told at one time are told in one step.
    assert.lengthOf(new Set(timeline.cancels[0]!.told.map(({ at }) => at.step)), 1)
  })

  it("keeps services that are told later in the same cancel", async () => {
    const timeline = await draw(shutdown)
    const [deploy] = timeline.cancels.filter((cancel) => cancel.message === "deploy")
    const heartbeat = deploy!.told.find(({ row }) => timeline.rows[row]!.name === "heartbeat")
    assert.strictEqual(heartbeat!.at.at, 240)
    assert.strictEqual(deploy!.at.at, 90)
  })

  it("tells two cancels apart that say the same", async () => {
    const once = Effect.ignore(Tasks.gather([Effect.fail("a"), Effect.never]))
    const timeline = await draw(Effect.andThen(once, once))
    assert.lengthOf(timeline.cancels, 2)
    assert.notStrictEqual(timeline.cancels[0]!.to, timeline.cancels[1]!.to)
  })

  it("has both of two cancels at one moment", async () => {
    const timeline = await draw(CancelScope.open((scope) =>
      Nursery.open((n) =>
        Effect.gen(function*() {
          yield* n.startNow(Effect.never.pipe(Timeout.moveOnAfter(10, { name: "limit" })), { name: "task" })
          yield* n.startSoon(Effect.never, { name: "other" })
          yield* Effect.sleep(10)
          yield* scope.cancel("me too")
        }), { name: "n" }), { name: "scope" }))
    assert.deepStrictEqual(said(timeline), [
      "10 nobody > limit: deadline, its time was up [limit@10]",
      "10 n > scope: explicit, me too [scope@10 n@10 task@10 other@10]"
    ])
  })

  it("gives the same from events that were written as JSON and read again", async () => {
    for (const [name, program] of Object.entries(programs)) {
      const events = await eventsOf(program)
      const read = JSON.parse(JSON.stringify(events)) as ReadonlyArray<Instrument.Event>
      assert.deepStrictEqual(Timeline.fromEvents(read), Timeline.fromEvents(events), name)
    }
  })

  it("draws what is left when the oldest events were dropped, and what is there so far", async () => {
    const events = await eventsOf(shutdown)
    for (let drop = 0; drop <= events.length; drop++) {
      for (const part of [events.slice(drop), events.slice(0, drop)]) {
        const timeline = Timeline.fromEvents(part)
        Timeline.toSvg(timeline)
        Timeline.toText(timeline)
        Timeline.toHtml(timeline)
        JSON.parse(Timeline.toTrace(timeline))
        for (const row of timeline.rows) assert.isTrue(row.end === undefined || row.end.at >= row.begin.at)
      }
    }
    const late = Timeline.fromEvents(events.slice(-2))
    assert.deepStrictEqual(late.rows.map(({ begin, cut, name }) => [begin.at, cut, name]), [[0, true, "task 1"], [0, true, "block 1"]])
  })

  it("leaves open what has not ended", async () => {
    const events = await eventsOf(failing)
    const soFar = Timeline.fromEvents(events.filter((event) => event.at < 300))
    assert.deepStrictEqual(soFar.rows.map(short), [
      "nursery breakfast 0- running",
      "  task brew tea 0- running",
      "  task bake bread 0- running",
      "  task feed the cat 0- running",
      "  task lay the table 0-120 succeeded"
    ])
    assert.include(Timeline.toText(soFar), "brew tea       ━━━")
    assert.include(Timeline.toText(soFar), "… still running")
  })

  it("has nothing for a program without blocks", async () => {
    assert.deepStrictEqual(await draw(Effect.void), { millis: 0, steps: 0, rows: [], cancels: [] })
  })

  it("reads 100,000 nested nurseries, and tasks that are 10,000", async () => {
    const events: Array<Instrument.Event> = []
    for (let level = 0; level < 100_000; level++) {
      events.push(
        { _tag: "opened", at: level, block: level + 1, parent: level === 0 ? undefined : level, kind: "nursery", name: `level ${level}` },
        { _tag: "started", at: level, task: level + 1, block: level + 1, kind: "body", name: "body", by: undefined }
      )
    }
    const nested = Timeline.fromEvents(events)
    assert.strictEqual(nested.rows.at(-1)!.depth, 99_999)
    assert.isBelow(Timeline.toText(nested).split("\n").length, 80)
    assert.isBelow(Timeline.toSvg(nested).length, 400_000)
    assert.lengthOf((await draw(many(10_000))).rows, 10_001)
  })

  it("keeps to its promises for random programs", async () => {
    for (let seed = 1; seed <= 150; seed++) {
      const { cancels, millis, rows, steps } = await draw(randomProgram(seed))
      for (const row of rows) {
        const where = `program ${seed}: ${short(row)}`
        assert.strictEqual(row, rows[row.id])
        assert.isDefined(row.end, where)
        assert.isAtLeast(row.end.at, row.begin.at, where)
        assert.isAtLeast(row.end.step, row.begin.step, where)
        assert.isAtMost(row.end.at, millis, where)
        assert.isBelow(row.end.step, steps, where)
        if (row.parent !== undefined) {
          assert.isBelow(row.parent, row.id, where)
          assert.strictEqual(row.depth, rows[row.parent]!.depth + 1, where)
          // Nothing lives longer than what it is in.
          assert.isAtMost(row.end.step, rows[row.parent]!.end!.step, where)
          assert.isAtLeast(row.begin.step, rows[row.parent]!.begin.step, where)
        }
        for (const { begin, end } of [...row.waits, ...row.cleanups]) {
          assert.isTrue(begin.step >= row.begin.step && end !== undefined && end.step <= row.end.step, where)
        }
      }
      for (const cancel of cancels) {
        assert.isTrue(cancel.told.some(({ row }) => row === cancel.to), `program ${seed}`)
        for (const { at, row } of cancel.told) {
          assert.isTrue(at.step >= rows[row]!.begin.step && at.step <= rows[row]!.end!.step, `program ${seed}: ${short(rows[row]!)}`)
        }
      }
    }
  })
})

describe("Timeline.Options", () => {
  it("are complained about with value and type", async () => {
    const timeline = await draw(failing)
    for (const width of [0, 79.5, NaN, Infinity, "80" as unknown as number]) {
      const message = (least: number) => `Expected \`width\` to be an integer from ${least} and up, got \`${width}\` (${typeof width})`
      assert.throws(() => Timeline.toText(timeline, { width }), RangeError, message(40))
      assert.throws(() => Timeline.toSvg(timeline, { width }), RangeError, message(320))
    }
    assert.throws(() => Timeline.toSvg(timeline, { maxRows: 0 }), RangeError, "Expected `maxRows` to be an integer from 1 and up, got `0` (number)")
    const axis = "steps" as "order"
    for (const form of [Timeline.toText, Timeline.toSvg, Timeline.toHtml, Timeline.toTrace]) {
      assert.throws(() => form(timeline, { axis }), RangeError, "Expected `axis` to be \"time\" or \"order\", got `steps` (string)")
    }
  })

  it("have an axis that falls back to order when no time passes", async () => {
    const timeline = await draw(atOnce)
    for (const form of [Timeline.toText, Timeline.toSvg, Timeline.toTrace]) {
      assert.strictEqual(form(timeline, { axis: "time" }), form(timeline, { axis: "order" }))
    }
  })
})

describe("deep timelines", () => {
  it("have all 30 levels", async () => {
    const timeline = await draw(deep(30))
    assert.strictEqual(Math.max(...timeline.rows.map((row) => row.depth)), 59)
    assert.lengthOf(timeline.cancels, 30)
  })
})
