import { Effect, Option } from "effect"
import { Nursery, Timeout } from "effect-nursery"
import { VirtualClock } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"
import { heap } from "../core/support.ts"

describe("A nursery under a long load", () => {
  it("keeps nothing of a million tasks that have ended", async () => {
    const children = 1_000_000
    const grown = await Effect.runPromise(Nursery.open((n) => Effect.gen(function*() {
      const run = (count: number) => Effect.gen(function*() {
        for (let i = 0; i < count; i += 2) {
          yield* n.startSoon(Effect.void)
          yield* n.startNow(Effect.yieldNow)
          if (i % 1000 === 998) while (n.size > 0) yield* Effect.yieldNow
        }
      })
      yield* run(10_000)
      const before = heap()
      yield* run(children)
      return heap() - before
    })))
    assert.isBelow(grown, 2_000_000, "two bytes a task would be that much")
  })

  const levels = 100_000

  const nested = (depth: number, leaf: Effect.Effect<void, string>, cleanedUp: () => void): Effect.Effect<void, string> =>
    depth === 0 ? leaf : Effect.ensuring(Nursery.open(() => Effect.suspend(() => nested(depth - 1, leaf, cleanedUp))), Effect.sync(cleanedUp))

  it(`opens and ends ${levels} nested nurseries with every finalizer run`, async () => {
    let finalizers = 0
    await VirtualClock.run(nested(levels, Effect.sleep(1), () => finalizers++))
    assert.strictEqual(finalizers, levels)
  })

  it(`a cancellation reaches the bottom of ${levels} nested nurseries, with every finalizer run`, async () => {
    let finalizers = 0
    const value = await VirtualClock.run(nested(levels, Effect.never, () => finalizers++).pipe(Timeout.moveOnAfter(1)))
    assert.isTrue(Option.isNone(value))
    assert.strictEqual(finalizers, levels)
  })

  it(`a failure leaves ${levels} nested nurseries with every finalizer run`, async () => {
    let finalizers = 0
    const exit = await VirtualClock.runExit(nested(levels, Effect.andThen(Effect.sleep(1), Effect.fail("bottom")), () => finalizers++))
    assert.strictEqual(finalizers, levels)
    const reason = exit._tag === "Failure" ? exit.cause.reasons[0] : undefined
    assert.strictEqual(reason?._tag === "Fail" ? reason.error : undefined, "bottom")
  })
})
