// Tests that fail when something is left behind: a fiber, a timer, a listener, a socket.
//
//   npx vitest run examples/vitest/kitchen.test.ts
//
// Try this: take the `clearInterval` out, and read what the test says.
import { Effect, Stream } from "effect"
import { MemoryChannel, Nursery } from "effect-nursery"
import { it } from "effect-nursery/vitest"
import * as assert from "node:assert"

// The clock on the wall: it belongs to a Scope, which ends it.
const clock = (tick: () => void) =>
  Effect.acquireRelease(
    Effect.sync(() => setInterval(tick, 1000)),
    (interval) => Effect.sync(() => clearInterval(interval))
  )

it.nursery("cooks every order, and goes home", Effect.gen(function*() {
  const [sender, receiver] = yield* MemoryChannel.make<string>(8, { name: "orders" })
  const cooked: Array<string> = []
  yield* clock(() => {})
  yield* Nursery.open((n) =>
    Effect.gen(function*() {
      yield* n.startSoon(Stream.runForEach(receiver.stream, (dish) =>
        Effect.sleep("10 minutes").pipe(Effect.andThen(Effect.sync(() => cooked.push(dish))))), { name: "cook" })
      yield* sender.send("soup")
      yield* sender.send("cake")
      yield* sender.close
    }), { name: "kitchen" })
  // Twenty minutes of virtual time.
  assert.deepStrictEqual(cooked, ["soup", "cake"])
}))
