/**
 * What do 100,000 time limits cost that are set at the same time?
 *
 * 100,000 tasks wait for one event, each within a limit of an hour. When all of them wait, it happens.
 */
import type { Fiber as FiberType } from "effect/Fiber"
import type { Case, Run } from "../harness/Case.ts"
import { faster, memoryAtMost, ours } from "../harness/Case.ts"

const hourMillis = 3_600_000

/** What all tasks wait for, the same on every side: Effect's Deferred. */
const makeGate = async () => {
  const Deferred = await import("effect/Deferred")
  const Effect = await import("effect/Effect")
  const state = { waiting: 0, ended: 0 }
  const gate = Deferred.makeUnsafe<void>()
  const wait = Effect.suspend(() => {
    state.waiting++
    return Deferred.await(gate)
  })
  const end = () => {
    state.ended++
  }
  return { state, wait, end, open: Deferred.succeed(gate, undefined) }
}

const nursery = async (): Promise<Run> => {
  const Effect = await import("effect/Effect")
  const Nursery = await import("effect-nursery/Nursery")
  const Timeout = await import("effect-nursery/Timeout")
  return async (n) => {
    const { end, open, state, wait } = await makeGate()
    const task = Effect.map(Timeout.moveOnAfter(wait, hourMillis), end)
    const program = Nursery.open((nursery) =>
      Effect.gen(function*() {
        for (let i = 0; i < n; i++) yield* nursery.startSoon(task)
        while (state.waiting < n) yield* Effect.yieldNow
        yield* open
      })
    )
    await Effect.runPromise(program)
    return state.ended
  }
}

const withoutLimit = async (): Promise<Run> => {
  const Effect = await import("effect/Effect")
  const Nursery = await import("effect-nursery/Nursery")
  return async (n) => {
    const { end, open, state, wait } = await makeGate()
    const task = Effect.map(wait, end)
    const program = Nursery.open((nursery) =>
      Effect.gen(function*() {
        for (let i = 0; i < n; i++) yield* nursery.startSoon(task)
        while (state.waiting < n) yield* Effect.yieldNow
        yield* open
      })
    )
    await Effect.runPromise(program)
    return state.ended
  }
}

const forkChild = async (): Promise<Run> => {
  const Effect = await import("effect/Effect")
  const Fiber = await import("effect/Fiber")
  return async (n) => {
    const { end, open, state, wait } = await makeGate()
    const task = Effect.map(Effect.timeoutOption(wait, hourMillis), end)
    const program = Effect.gen(function*() {
      const fibers: Array<FiberType<void>> = []
      for (let i = 0; i < n; i++) fibers.push(yield* Effect.forkChild(task))
      while (state.waiting < n) yield* Effect.yieldNow
      yield* open
      yield* Fiber.joinAll(fibers)
    })
    await Effect.runPromise(program)
    return state.ended
  }
}

const n = 100_000

export const liveTimeLimits: Case = {
  name: "live-time-limits",
  question: "What do 100,000 tasks cost that all wait within a time limit?",
  reference: "Effect.timeoutOption",
  sides: {
    [ours]: { n, load: nursery },
    "Effect.timeoutOption": { n, load: forkChild, note: "in tasks started with forkChild" },
    [`${ours}, no limit`]: { n, load: withoutLimit, note: "the same tasks without the limit" },
    "asyncio.timeout": { n, python: "asyncio" },
    Trio: { n, python: "trio" }
  },
  targets: [faster("Effect.timeoutOption", 5, 15), memoryAtMost(200)]
}
