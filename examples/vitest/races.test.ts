// Tests that look for races: each runs its program in hundreds of orders, and fails with the shortest one that is wrong.
//
//   npx vitest run examples/vitest/races.test.ts
//
// Try this: let `withdraw` look in one Effect.sync and take in another.
import { Effect } from "effect"
import { CapacityLimiter, Nursery } from "effect-nursery"
import { it } from "effect-nursery/vitest"
import * as assert from "node:assert"

// Made anew in each run: state outside of the effect would tie the runs together.
const bank = Effect.gen(function*() {
  const teller = yield* CapacityLimiter.make(1, { name: "teller" })
  let balance = 100
  const withdraw = (amount: number) =>
    teller.withToken(Effect.gen(function*() {
      const before = yield* Effect.sync(() => balance)
      if (before >= amount) yield* Effect.sync(() => void (balance = before - amount))
    }))
  yield* Nursery.open((n) =>
    Effect.gen(function*() {
      yield* n.startSoon(withdraw(70), { name: "Ada" })
      yield* n.startSoon(withdraw(70), { name: "Grace" })
    }))
  return { balance, teller: teller.statistics }
})

it.explore("pays once", bank, { runs: 500, property: ({ balance }) => assert.strictEqual(balance, 30) })

it.explore("has its token back, whoever is cancelled at whatever step", bank, {
  cancelEverywhere: true,
  property: ({ teller }) => teller.borrowed === 0
})
