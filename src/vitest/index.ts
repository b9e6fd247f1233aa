/**
 * Tests of nurseries with vitest: the `it` of `@effect/vitest`, with `it.nursery` for
 * programs that must leave nothing behind, and `it.explore` for programs that must be
 * right in every order of events.
 *
 * @since 0.1.0
 */
import { it as effectIt, type Vitest } from "@effect/vitest"
import { explore, type ExploreOptions } from "./internal/explore.ts"
import { nursery, type NurseryOptions, type Program } from "./internal/nursery.ts"

export type { ExploreOptions, NurseryOptions, Program }

/**
 * What `it` can do.
 *
 * @since 0.1.0
 */
export interface It extends Vitest.Methods {
  /** A test that fails when its program fails, or leaves a fiber, timer, listener, socket or the like behind. */
  readonly nursery: typeof nursery
  /** A test that runs its program under many schedules, and fails with the shortest one that goes wrong. */
  readonly explore: typeof explore
}

const additions = { explore, nursery }

/**
 * The `it` of `@effect/vitest`, so that of vitest, with more.
 *
 * **Example** (A test file)
 *
 * ```ts file=examples/vitest/kitchen.test.ts
 * // Tests that fail when something is left behind: a fiber, a timer, a listener, a socket.
 * //
 * //   npx vitest run examples/vitest/kitchen.test.ts
 * //
 * // Try this: take the `clearInterval` out, and read what the test says.
 * import { Effect, Stream } from "effect"
 * import { MemoryChannel, Nursery } from "effect-nursery"
 * import { it } from "effect-nursery/vitest"
 * import * as assert from "node:assert"
 *
 * // The clock on the wall: it belongs to a Scope, which ends it.
 * const clock = (tick: () => void) =>
 *   Effect.acquireRelease(
 *     Effect.sync(() => setInterval(tick, 1000)),
 *     (interval) => Effect.sync(() => clearInterval(interval))
 *   )
 *
 * it.nursery("cooks every order, and goes home", Effect.gen(function*() {
 *   const [sender, receiver] = yield* MemoryChannel.make<string>(8, { name: "orders" })
 *   const cooked: Array<string> = []
 *   yield* clock(() => {})
 *   yield* Nursery.open((n) =>
 *     Effect.gen(function*() {
 *       yield* n.startSoon(Stream.runForEach(receiver.stream, (dish) =>
 *         Effect.sleep("10 minutes").pipe(Effect.andThen(Effect.sync(() => cooked.push(dish))))), { name: "cook" })
 *       yield* sender.send("soup")
 *       yield* sender.send("cake")
 *       yield* sender.close
 *     }), { name: "kitchen" })
 *   // Twenty minutes of virtual time.
 *   assert.deepStrictEqual(cooked, ["soup", "cake"])
 * }))
 * ```
 *
 * @since 0.1.0
 */
export const it: It = new Proxy(effectIt as It, {
  // As `@effect/vitest` does it: properties that are put on `it` would be on the one of vitest itself.
  get: (target, property) => Object.hasOwn(additions, property) ? Reflect.get(additions, property) : Reflect.get(target, property)
})
