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

describe("Failures.pretty on one screen", () => {
  const failed = async (tasks: Record<string, Effect.Effect<unknown, unknown>>, name = "app") => {
    const exit = await VirtualClock.runExit(Nursery.open((n) =>
      Effect.forEach(Object.entries(tasks), ([name, effect]) => n.startSoon(effect, { name })), { name, onTaskFailure: "continue" }))
    return Exit.isSuccess(exit) ? assert.fail("it must fail") : exit.cause
  }
  const many = <A>(n: number, make: (i: number) => A) => Array.from({ length: n }, (_, i) => make(i + 1))
  const refusals = (n: number) => Object.fromEntries(many(n, (i) => [`conn ${i}`, Effect.fail(`refused by 10.0.0.${i}:80`)]))

  it("says all that there is to say when that fits", async () => {
    const cause = await failed({ tea: Effect.fail("no milk"), cake: Effect.die("oven on fire") })
    assert.strictEqual(Failures.pretty(cause, { rows: 6 }), Failures.pretty(cause))
  })

  it("draws equal failures once, with their number", async () => {
    const cause = await failed(Object.fromEntries(many(990, (i) => [`conn ${i}`, Effect.fail("reset by peer")])))
    assert.strictEqual(Failures.pretty(cause, { rows: 24 }), [
      "990 failures",
      "└─ app",
      "   └─ conn 1 … conn 990 × 990",
      "      └─ reset by peer"
    ].join("\n"))
  })

  it("takes failures for equal that differ in numbers only, when it must", async () => {
    const cause = await failed(refusals(50))
    assert.strictEqual(Failures.pretty(cause, { rows: 24 }), [
      "50 failures",
      "└─ app › conn 1 … conn 50 × 50",
      "   └─ refused by …"
    ].join("\n"))
    assert.strictEqual(Failures.pretty(cause, { rows: 102 }), Failures.pretty(cause))
  })

  it("counts the failures that it leaves out", async () => {
    const letters = many(26, (i) => String.fromCharCode(96 + i))
    const cause = await failed(Object.fromEntries(letters.map((letter) => [letter, Effect.fail(`no ${letter}`)])))
    assert.strictEqual(Failures.pretty(cause, { rows: 8 }), [
      "26 failures",
      "└─ app",
      ...["a", "b", "c", "d", "e"].map((letter) => `   ├─ ${letter}: no ${letter}`),
      "   └─ … 21 more"
    ].join("\n"))
  })

  it("is never higher or wider than it may be, down to one line", async () => {
    const long = "many words and averyveryverylongwordwithoutanyspaceinit ".repeat(20)
    const nested = (depth: number): Effect.Effect<unknown, unknown> =>
      depth === 0 ? Effect.fail(new Error(long, { cause: new Error(long) })) : Nursery.open((n) => n.startSoon(nested(depth - 1), { name: `level ${depth}` }), { name: "deep" })
    const cause = await failed({ ...refusals(30), deep: nested(20), lines: Effect.fail("a\nb\nc\n".repeat(30)), long: Effect.die(long) })
    for (const rows of [1, 2, 3, 5, 10, 24, 100]) {
      for (const columns of [60, 80, 200]) {
        const lines = Failures.pretty(cause, { rows, columns, places: true }).split("\n")
        assert.isAtMost(lines.length, rows)
        for (const line of lines) assert.isAtMost(Array.from(line).length, columns, line)
      }
    }
  })

  it("draws 20,000 failures of 20,000 different tasks", async () => {
    const name = (i: number) => Array.from(String(i), (digit) => "abcdefghij"[Number(digit)]).join("")
    const cause = await failed(Object.fromEntries(many(20_000, (i) => [name(i), Effect.fail(`no ${name(i)}`)])))
    const lines = Failures.pretty(cause, { rows: 24, columns: 80, places: true }).split("\n")
    assert.strictEqual(lines.length, 19)
    assert.match(lines.at(-1)!, /… 19984 more$/)
  })

  it("complains about limits that are none", () => {
    const cause = Cause.fail("x")
    assert.throws(() => Failures.pretty(cause, { rows: 0 }), "Expected `rows` to be a number from 1 and up, got `0` (number)")
    assert.throws(() => Failures.pretty(cause, { columns: Number.NaN }), "got `NaN` (number)")
  })
})

describe("Failures.pretty with places", () => {
  const folder = new URL("..", import.meta.url).pathname
  const pretty = (cause: Cause.Cause<unknown>, folderOf = folder) => Failures.pretty(cause, { places: true, folder: folderOf }).replaceAll(/:\d+:\d+/g, ":1:1")
  function makeError(message: string, cause?: unknown): Error {
    return new TypeError(message, { cause })
  }

  it("says where an error was made and what caused it, in the caller's own code only", async () => {
    const cause = causeOf(Cause.makeFailReason(makeError("top", makeError("middle", "a word"))))
    const lines = pretty(cause).split("\n")
    assert.deepStrictEqual(lines.filter((line) => !line.includes("Failures.test.ts")), [
      "1 failure",
      "└─ TypeError: top",
      "   caused by TypeError: middle",
      "   caused by a word"
    ])
    assert.strictEqual(lines[2], "   at makeError (core/Failures.test.ts:1:1)")
    assert.isFalse(lines.some((line) => line.includes("node_modules")))
  })

  it("goes to the caller's frames also when they lie behind those of this library and of Effect", async () => {
    const inside = Effect.sync(() => {
      throw makeError("inside")
    })
    const exit = await VirtualClock.runExit(Nursery.open((n) => n.startSoon(inside, { name: "task" })))
    if (Exit.isSuccess(exit)) return assert.fail("it must fail")
    const text = pretty(exit.cause)
    assert.include(text, "at makeError (core/Failures.test.ts:1:1)")
    assert.notMatch(text, /src\/|node_modules/)
  })

  it("says at least where in a package when nothing else is known", () => {
    const error = new Error("broken pipe")
    error.stack = `Error: broken pipe
    at Object.write (/app/node_modules/effect/dist/Effect.js:1:1)
    at Client.send (/app/node_modules/.pnpm/pg@8.0.0/node_modules/pg/lib/client.js:12:3)
    at node:internal/process:1:1`
    assert.strictEqual(Failures.pretty(Cause.fail(error), { places: true }), [
      "1 failure",
      "└─ Error: broken pipe",
      "   at Client.send (pg/lib/client.js:12:3)"
    ].join("\n"))
  })

  it("reads file URLs, async frames, names with spaces, and Windows", () => {
    const error = new Error("x")
    error.stack = `Error: x
    at async load (file:///home/me/my%20app/src/a.ts:1:2)
    at async file:///home/me/my%20app/b.ts:3:4
    at new Store (C:\\work\\app\\store.ts:5:6)
    at Object.<anonymous> (/other/c.ts:7:8)`
    assert.deepStrictEqual(Failures.pretty(Cause.fail(error), { places: true, folder: "/home/me/my app" }).split("\n").slice(2).map((line) => line.trim()), [
      "at load (src/a.ts:1:2)",
      "at b.ts:3:4",
      "at new Store (C:/work/app/store.ts:5:6)"
    ])
  })

  it("finds the place of a failure that is no Error in the Effect.fn that it left", async () => {
    const fetchUser = Effect.fn("fetchUser")(function*() {
      return yield* Effect.fail("no such user")
    })
    const exit = await VirtualClock.runExit(fetchUser())
    if (Exit.isSuccess(exit)) return assert.fail("it must fail")
    assert.strictEqual(pretty(exit.cause), [
      "1 failure",
      "└─ no such user",
      "   at fetchUser (core/Failures.test.ts:1:1)"
    ].join("\n"))
  })

  it("lists the errors of an AggregateError, and stops at a cause that is its own", () => {
    const error: Error = new AggregateError([new Error("a"), "b"], "both")
    error.cause = error
    error.stack = ""
    assert.strictEqual(pretty(Cause.die(error)), "1 failure\n└─ AggregateError: both (defect)\n   • Error: a\n   • b")
  })

  it("looks into a cause that is a Cause", () => {
    const error = new Error("top", { cause: Cause.fail("inside") })
    error.stack = ""
    assert.include(pretty(Cause.fail(error)), "caused by inside")
  })
})

describe("What Failures.pretty says of one error", () => {
  const said = (error: unknown) => Failures.pretty(Cause.fail(error)).split("\n").slice(1).map((line) => line.slice(3)).join("\n")

  it("are its fields when it has no message", () => {
    assert.strictEqual(said(new Refused({ host: "a" })), "Refused {\"host\":\"a\"}")
    assert.strictEqual(said(new NoMilk()), "NoMilk")
  })

  it("cannot move a terminal's cursor, nor colour it", () => {
    assert.strictEqual(said(new Error("\u001b[31mred\u001b[0m\u0007 and \u001b]0;title")), "Error: red\\x07 and \\x1b]0;title")
    assert.strictEqual(said("a\r\n\tb"), "a\n  b")
  })

  it("is that it cannot be printed when it cannot", () => {
    const error = new Error()
    Object.defineProperty(error, "message", { get: () => assert.fail("a getter that fails") })
    assert.strictEqual(said(error), "an error that cannot be printed")
  })

  it("is styled by what it is", () => {
    const text = Failures.pretty(Cause.fail("no milk"), { style: (role, text) => `<${role}>${text}</>` })
    assert.strictEqual(text, "<title>1 failure</>\n<line>└─ </><error>no milk</>")
  })
})
