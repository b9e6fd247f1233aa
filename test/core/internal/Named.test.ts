import { Cause, Context, Data, Effect, Equal, Exit } from "effect"
import { Nursery } from "effect-nursery"
import { assert, describe, it } from "vitest"
import { named, pathOf } from "../../../src/core/internal/Named.ts"

class Bad extends Data.TaggedError("Bad")<{}> {}

const firstOf = (exit: Exit.Exit<unknown, unknown>): Cause.Fail<unknown> => {
  assert(exit._tag === "Failure")
  const reason = exit.cause.reasons[0]!
  assert(reason._tag === "Fail")
  return reason
}

describe("the path of a failure", () => {
  it("is empty before it has left a block", () => {
    assert.deepStrictEqual(pathOf(Cause.makeFailReason("x")), [])
    assert.deepStrictEqual(pathOf(Cause.makeDieReason(new Bad())), [])
  })

  it("grows at the front with every block that it leaves", () => {
    const inner = named(Cause.makeFailReason("x"), "inner", "task")
    const outer = named(inner, "outer", "body")
    assert.deepStrictEqual(pathOf(outer), [{ block: "outer", task: "body" }, { block: "inner", task: "task" }])
    assert.deepStrictEqual(pathOf(inner), [{ block: "inner", task: "task" }])
  })

  it("is of a copy: two tasks may end with the same reason", () => {
    const reason = Cause.makeFailReason("x")
    const one = named(reason, "block", "one")
    const two = named(reason, "block", "two")
    assert.deepStrictEqual(pathOf(one), [{ block: "block", task: "one" }])
    assert.deepStrictEqual(pathOf(two), [{ block: "block", task: "two" }])
    assert.deepStrictEqual(pathOf(reason), [])
  })

  it("does not make the exit of a nursery differ from the exit of its failing task", async () => {
    const error = new Bad()
    const exit = await Effect.runPromiseExit(Nursery.open((n) => n.startSoon(Effect.fail(error))))
    assert.strictEqual(firstOf(exit).error, error)
    assert.isTrue(Equal.equals(firstOf(exit).error, firstOf(Exit.fail(error)).error))
    const named = await Effect.runPromiseExit(Nursery.open((n) => n.startSoon(Effect.fail("x"))))
    assert.deepStrictEqual(Exit.map(named, () => undefined), Exit.fail("x"))
  })

  it("survives a step of Effect that makes a new reason of the same error", () => {
    const error = new Bad()
    const kept = named(Cause.makeFailReason(error), "block", "task")
    assert.deepStrictEqual(pathOf(kept), [{ block: "block", task: "task" }])
    const frame = { name: "step", stack: () => undefined, parent: undefined }
    const [annotated] = Cause.annotate(Cause.fromReasons([kept]), Context.make(Cause.StackTrace, frame)).reasons
    assert.notStrictEqual(annotated, kept)
    assert.deepStrictEqual(pathOf(annotated as Cause.Fail<Bad>), [{ block: "block", task: "task" }])
  })

  it("of an error object that is used again has nothing of its earlier ways", async () => {
    const error = new Bad()
    const once = (name: string) => Effect.runPromiseExit(Nursery.open((n) => n.startSoon(Effect.fail(error), { name: "task" }), { name }))
    await once("first")
    assert.deepStrictEqual(pathOf(firstOf(await once("second"))), [{ block: "second", task: "task" }])
  })

  // A known fault: who cancelled is looked up by recursion, through all blocks around.
  it("through 20,000 nurseries is known, in time in proportion to them", async () => {
    const depth = 20_000
    let program: Effect.Effect<unknown, string> = Effect.fail("deep")
    for (let i = 0; i < depth; i++) {
      const inside = program
      program = Nursery.open(() => inside)
    }
    const reason = firstOf(await Effect.runPromiseExit(program))
    assert.strictEqual(reason.error, "deep")
    assert.strictEqual(pathOf(reason).length, depth)
  })
})
