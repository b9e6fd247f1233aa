import { Cause, Data, Effect, Exit, Option } from "effect"
import { CancelScope, Failures, Nursery } from "effect-nursery"
import { VirtualClock } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"

class Refused extends Data.TaggedError("Refused")<{ readonly host: string }> {}
class NoMilk extends Data.TaggedError("NoMilk")<{}> {}

const refused = (host: string) => Cause.makeFailReason(new Refused({ host }))
const causeOf = <E>(...reasons: ReadonlyArray<Cause.Reason<E>>) => Cause.fromReasons(reasons)
const failing = <E>(...reasons: ReadonlyArray<Cause.Reason<E>>): Effect.Effect<never, E> => Effect.failCause(causeOf(...reasons))

const said = (exit: Exit.Exit<unknown, unknown>): unknown =>
  exit._tag === "Success" ? exit.value : exit.cause.reasons.map((reason) =>
    reason._tag === "Fail" ? `Fail ${reason.error instanceof Refused ? reason.error.host : reason.error instanceof NoMilk ? "NoMilk" : String(reason.error)}`
      : reason._tag === "Die" ? `Die ${reason.defect instanceof Refused ? reason.defect.host : String(reason.defect)}` : "Interrupt")

const exitOf = <A, E>(effect: Effect.Effect<A, E>) => Effect.runPromise(Effect.exit(effect))

describe("Effect's own catchTag (effect 4.1.0)", () => {
  it("hands over the first of several Fails, and loses the others silently", async () => {
    const caught = failing(refused("a"), refused("b")).pipe(Effect.catchTag("Refused", (error) => Effect.succeed(error.host)))
    assert.strictEqual(said(await exitOf(caught)), "a")
  })

  it("does not find the second of several Fails", async () => {
    const caught = failing<NoMilk | Refused>(Cause.makeFailReason(new NoMilk()), refused("b")).pipe(
      Effect.catchTag("Refused", (error) => Effect.succeed(error.host)))
    assert.deepStrictEqual(said(await exitOf(caught)), ["Fail NoMilk", "Fail b"])
  })

  it("gives up when a Die stands beside them, and turns every Fail into a Die", async () => {
    const caught = failing(refused("a"), Cause.makeDieReason("bug"), refused("b")).pipe(
      Effect.catchTag("Refused", (error) => Effect.succeed(error.host)))
    assert.deepStrictEqual(said(await exitOf(caught)), ["Die a", "Die bug", "Die b"])
  })
})

describe("Failures.catchTag", () => {
  it("hands all errors of the tag to the handler, in order, duplicates too", async () => {
    const caught = failing(refused("a"), refused("b"), refused("a")).pipe(
      Failures.catchTag("Refused", (errors) => Effect.succeed(errors.map((error) => error.host))))
    assert.deepStrictEqual(said(await exitOf(caught)), ["a", "b", "a"])
  })

  it("fails on with what remains: other tags, defects and interrupts, untouched", async () => {
    const seen: Array<string> = []
    const caught = failing<NoMilk | Refused>(Cause.makeDieReason("bug"), refused("a"), Cause.makeFailReason(new NoMilk()), Cause.makeInterruptReason(), refused("b"))
      .pipe(Failures.catchTag("Refused", (errors) => Effect.sync(() => seen.push(...errors.map((error) => error.host)))))
    assert.deepStrictEqual(said(await exitOf(caught)), ["Die bug", "Fail NoMilk", "Interrupt"])
    assert.deepStrictEqual(seen, ["a", "b"])
  })

  it("puts the failures of the handler after those that remain", async () => {
    const caught = failing<Refused | NoMilk>(refused("a"), Cause.makeFailReason(new NoMilk())).pipe(Failures.catchTag("Refused", () => Effect.fail("handler")))
    assert.deepStrictEqual(said(await exitOf(caught)), ["Fail NoMilk", "Fail handler"])
    const alone = failing(refused("a")).pipe(Failures.catchTag("Refused", () => Effect.fail("handler")))
    assert.deepStrictEqual(said(await exitOf(alone)), ["Fail handler"])
  })

  it("leaves values, and causes without the tag, as they are, and does not call the handler", async () => {
    let calls = 0
    const handler = () => Effect.sync(() => calls++)
    assert.strictEqual(said(await exitOf(Failures.catchTag(Effect.succeed(1) as Effect.Effect<number, Refused>, "Refused", handler))), 1)
    const other = failing<Refused | NoMilk>(Cause.makeFailReason(new NoMilk()), Cause.makeDieReason("bug"))
    assert.deepStrictEqual(said(await exitOf(Failures.catchTag(other, "Refused", handler))), ["Fail NoMilk", "Die bug"])
    assert.strictEqual(calls, 0)
  })

  it("can be chained, one tag after the other", async () => {
    const caught = failing<Refused | NoMilk>(refused("a"), Cause.makeFailReason(new NoMilk()), refused("b")).pipe(
      Failures.catchTag("Refused", () => Effect.succeed("refused")),
      Failures.catchTag("NoMilk", (errors) => Effect.succeed(errors.length))
    )
    assert.strictEqual(said(await exitOf(caught)), 1)
  })

  it("takes what comes out of nested nurseries", async () => {
    const connect = (host: string) => Effect.fail(new Refused({ host }))
    const program = Nursery.open((n) => Effect.gen(function*() {
      yield* n.startSoon(connect("a"))
      yield* n.startSoon(Nursery.open((m) => Effect.gen(function*() {
        yield* m.startSoon(connect("b"))
        yield* m.startSoon(Effect.die("bug"))
      }), { onTaskFailure: "continue" }))
    }), { onTaskFailure: "continue" })
    const hosts: Array<string> = []
    const exit = await VirtualClock.runExit(program.pipe(
      Failures.catchTag("Refused", (errors) => Effect.sync(() => hosts.push(...errors.map((error) => error.host))))))
    assert.deepStrictEqual(hosts, ["a", "b"])
    assert.deepStrictEqual(said(exit), ["Die bug"])
  })

  it("keeps a cancellation on its way to the scope that is responsible", async () => {
    const log: Array<string> = []
    const result = await VirtualClock.run(CancelScope.open((scope) =>
      Effect.gen(function*() {
        yield* Nursery.open((n) => Effect.gen(function*() {
          yield* n.startNow(Effect.onExit(Effect.never, () => Effect.fail(new Refused({ host: "cleanup" }))))
          yield* n.startNow(Effect.never)
          yield* scope.cancel()
          yield* Effect.never
        })).pipe(Failures.catchTag("Refused", (errors) => Effect.sync(() => log.push(`caught ${errors.length}`))))
        yield* Effect.yieldNow
        log.push("not reached")
      })
    ))
    assert.deepStrictEqual(log, ["caught 1"])
    assert.strictEqual(result._tag, "Failure")
  })
})

describe("Failures.split", () => {
  it("takes the errors of a tag out, and leaves the rest in order", () => {
    const [matched, rest] = Failures.split(
      causeOf<NoMilk | Refused>(refused("a"), Cause.makeDieReason("bug"), Cause.makeFailReason(new NoMilk()), refused("b")), "Refused")
    assert.deepStrictEqual(matched.map((error) => error.host), ["a", "b"])
    assert.deepStrictEqual(said(Exit.failCause(Option.getOrThrow(rest))), ["Die bug", "Fail NoMilk"])
  })

  it("leaves none when nothing remains, and everything when nothing matches", () => {
    assert.isTrue(Option.isNone(Failures.split(causeOf(refused("a")), "Refused")[1]))
    const [matched, rest] = Failures.split(causeOf<Refused>(Cause.makeDieReason(new Refused({ host: "as a defect" }))), "Refused")
    assert.deepStrictEqual(matched, [])
    assert.isTrue(Option.isSome(rest))
  })

  it("is not confused by errors that are no objects", () => {
    const cause = causeOf<unknown>(Cause.makeFailReason(null), Cause.makeFailReason("Refused"), Cause.makeFailReason(undefined))
    assert.deepStrictEqual(Failures.split(cause as Cause.Cause<Refused>, "Refused")[0], [])
  })
})

describe("Failures.fromCause and Failures.pretty", () => {
  const breakfast = Nursery.open((n) => Effect.gen(function*() {
    yield* n.startSoon(Effect.fail("no milk"), { name: "tea" })
    yield* n.startSoon(Nursery.open((m) => m.startSoon(Effect.die(new TypeError("oven\non fire")), { name: "bake" }), { name: "kitchen" }), { name: "cake" })
    return yield* Effect.fail(new NoMilk())
  }), { name: "breakfast", onTaskFailure: "continue" })
  // The body's failure cancels the tasks that wait for their turn; let them run first.
  const program = Nursery.open((n) => Effect.gen(function*() {
    yield* n.startSoon(Effect.fail("no milk"), { name: "tea" })
    yield* n.startSoon(Nursery.open((m) => m.startSoon(Effect.die(new TypeError("oven\non fire")), { name: "bake" }), { name: "kitchen" }), { name: "cake" })
    yield* VirtualClock.waitAllBlocked
    return yield* Effect.fail(new NoMilk())
  }), { name: "breakfast", onTaskFailure: "continue" })

  it("name the innermost task of each failure, in order of arrival", async () => {
    const exit = await VirtualClock.runExit(program)
    if (Exit.isSuccess(exit)) return assert.fail("it must fail")
    const failures = Failures.fromCause(exit.cause)
    assert.deepStrictEqual(failures.map((failure) => [failure.task, failure._tag]), [["tea", "Fail"], ["bake", "Die"], ["body", "Fail"]])
    assert.deepInclude(failures[0], { error: "no milk" })
  })

  it("draw the tree of nurseries and tasks", async () => {
    const exit = await VirtualClock.runExit(program)
    if (Exit.isSuccess(exit)) return assert.fail("it must fail")
    assert.strictEqual(Failures.pretty(exit.cause), [
      "3 failures",
      "└─ breakfast",
      "   ├─ tea",
      "   │  └─ no milk",
      "   ├─ cake",
      "   │  └─ kitchen",
      "   │     └─ bake",
      "   │        └─ TypeError: oven",
      "   │           on fire (defect)",
      "   └─ body",
      "      └─ NoMilk"
    ].join("\n"))
  })

  it("give the name to each of several tasks that fail with one and the same error", async () => {
    const error = new NoMilk()
    const exit = await VirtualClock.runExit(Nursery.open((n) => Effect.gen(function*() {
      yield* n.startSoon(Effect.fail(error), { name: "tea" })
      yield* n.startSoon(Effect.fail(error), { name: "cake" })
    }), { onTaskFailure: "continue" }))
    if (Exit.isSuccess(exit)) return assert.fail("it must fail")
    assert.deepStrictEqual(Failures.fromCause(exit.cause).map((failure) => failure.task), ["tea", "cake"])
  })

  it("forget where an error came from in an earlier run", async () => {
    const error = new NoMilk()
    const run = (nursery: string, task: string) => VirtualClock.runExit(Nursery.open((n) => n.startSoon(Effect.fail(error), { name: task }), { name: nursery }))
    await run("first", "one")
    const exit = await run("second", "two")
    if (Exit.isSuccess(exit)) return assert.fail("it must fail")
    assert.strictEqual(Failures.pretty(exit.cause), ["1 failure", "└─ second", "   └─ two", "      └─ NoMilk"].join("\n"))
  })

  it("say what they can when there was no nursery, no failure, or a value that cannot be printed", async () => {
    const circle: { self?: unknown } = {}
    circle.self = circle
    assert.strictEqual(Failures.pretty(causeOf(Cause.makeFailReason(circle))), "1 failure\n└─ {\"self\":[Circular]}")
    assert.strictEqual(Failures.pretty(Cause.empty), "no failures")
    assert.strictEqual(Failures.pretty(Cause.interrupt()), "cancelled")
    assert.deepStrictEqual(Failures.fromCause(causeOf(Cause.makeFailReason("x"), Cause.makeInterruptReason())), [{ task: "", _tag: "Fail", error: "x" }])
  })

  it("cancel tasks that have not begun when the body fails: they are no failures", async () => {
    const exit = await VirtualClock.runExit(breakfast)
    if (Exit.isSuccess(exit)) return assert.fail("it must fail")
    assert.deepStrictEqual(Failures.fromCause(exit.cause).map((failure) => failure.task), ["body"])
  })
})
