import { Cause, Exit } from "effect"
import { assert, describe, it } from "vitest"
import { Outcome } from "../../../src/core/internal/Outcome.ts"

const fail = (error: string) => Cause.makeFailReason(error)
const die = (defect: string) => Cause.makeDieReason(defect)
const interrupt = Cause.interrupt(1).reasons[0]!
const exitOf = (...reasons: Array<Cause.Reason<string>>) => Exit.failCause(Cause.fromReasons(reasons))

const read = (...exits: Array<Exit.Exit<unknown, unknown>>) => {
  const outcome = new Outcome()
  const failed = exits.map((exit) => outcome.add(exit))
  return {
    failed,
    errors: outcome.errors?.map((reason) => reason._tag === "Fail" ? reason.error : `die ${String(reason.defect)}`),
    cancelled: outcome.cancelled
  }
}

describe("an outcome", () => {
  it("of a success is nothing", () => {
    assert.deepStrictEqual(read(Exit.succeed(1)), { failed: [false], errors: undefined, cancelled: false })
  })

  it("of an interrupt alone is a cancellation", () => {
    assert.deepStrictEqual(read(exitOf(interrupt)), { failed: [false], errors: undefined, cancelled: true })
  })

  it("keeps every Fail and Die in order of arrival, equal ones too", () => {
    assert.deepStrictEqual(read(exitOf(fail("a"), die("b")), exitOf(fail("a"))), {
      failed: [true, true],
      errors: ["a", "die b", "a"],
      cancelled: false
    })
  })

  it("takes an interrupt beside an error as Effect's note, and the error alone as what came out", () => {
    assert.deepStrictEqual(read(exitOf(interrupt, fail("cleanup"))), { failed: [true], errors: ["cleanup"], cancelled: false })
  })

  it("of a failed task and a cancelled one is both", () => {
    assert.deepStrictEqual(read(exitOf(fail("a")), exitOf(interrupt)), { failed: [true, false], errors: ["a"], cancelled: true })
  })

  it("that goes on with a cancellation is read as both by the next block", () => {
    const outcome = new Outcome()
    outcome.add(exitOf(fail("a")))
    const exit = Exit.failCause(outcome.cause(true))
    assert.deepStrictEqual(read(exit), { failed: [true], errors: ["a"], cancelled: true })
    assert.isTrue(new Outcome().isMixed(exit))
  })

  it("that goes on without one is read as errors alone", () => {
    const outcome = new Outcome()
    outcome.add(exitOf(interrupt, fail("a")))
    const exit = Exit.failCause(outcome.cause(false))
    assert.deepStrictEqual(read(exit), { failed: [true], errors: ["a"], cancelled: false })
    assert.isFalse(new Outcome().isMixed(exit))
  })

  it("hands each error to who wants to note where it came from", () => {
    const outcome = new Outcome()
    outcome.add(exitOf(fail("a"), interrupt, fail("b")), (reason) => fail(`${reason._tag === "Fail" ? String(reason.error) : ""}!`))
    assert.deepStrictEqual(outcome.errors?.map((reason) => reason._tag === "Fail" ? reason.error : undefined), ["a!", "b!"])
  })
})
