/** A scheduler that lets others run at one chosen step of a fiber: between deciding to wait and waiting, for example. */
import { Effect, Fiber, Scheduler } from "effect"

/**
 * Starts `effect` in a fiber that pauses at its `step`-th operation, runs `meanwhile`, and gives what
 * the fiber ended with, or `undefined` if it hangs.
 */
const pausedAt = <A, E>(step: number, prepare: Effect.Effect<readonly [effect: Effect.Effect<A, E>, meanwhile: Effect.Effect<unknown, E>], E>) => {
  let victim: unknown
  const base = new Scheduler.MixedScheduler()
  const scheduler: Scheduler.Scheduler = {
    executionMode: "async",
    shouldYield: (fiber) => {
      if (fiber !== victim || fiber.currentOpCount < step) return base.shouldYield(fiber)
      victim = undefined
      return true
    },
    makeDispatcher: () => base.makeDispatcher()
  }
  const program = Effect.gen(function*() {
    const [effect, meanwhile] = yield* prepare
    const fiber = yield* Effect.forkChild(
      Effect.suspend(() => {
        victim = Fiber.getCurrent()
        return effect
      }),
      { startImmediately: true }
    )
    yield* meanwhile
    for (let i = 0; i < 20 && fiber.pollUnsafe() === undefined; i++) yield* Effect.yieldNow
    return fiber.pollUnsafe()
  })
  return Effect.runPromise(program, { scheduler })
}

/** Does that for each of the first steps of a fiber, and counts how often it hangs. */
export const hangs = async <A, E>(
  prepare: Effect.Effect<readonly [effect: Effect.Effect<A, E>, meanwhile: Effect.Effect<unknown, E>], E>
): Promise<number> => {
  let count = 0
  for (let step = 1; step <= 20; step++) {
    if ((await pausedAt(step, prepare)) === undefined) count++
  }
  return count
}
