/**
 * What does it cost to start 100,000 tasks one by one and to wait until all have ended?
 *
 * `spawn`: a task does nothing. `spawn-yield`: it gives way once, as a task that waits for something does.
 * Ours is `startSoon` from inside the body of `Nursery.open`.
 */
import type { Fiber as FiberType } from "effect/Fiber"
import type { Case, Run } from "../harness/Case.ts"
import { faster, ours } from "../harness/Case.ts"

/** Awaited, it is what `yieldNow` is: the others go first. */
const aTurn = undefined

type Child = "no-op" | "yield"

/** Counts itself, so that lost tasks are seen. */
const childOf = async (child: Child) => {
  const Effect = await import("effect/Effect")
  const state = { ended: 0 }
  const end = () => {
    state.ended++
  }
  return { state, effect: child === "no-op" ? Effect.sync(end) : Effect.map(Effect.yieldNow, end) }
}

const oneScheduler = async () => ({ scheduler: (await import("effect-nursery/TurnScheduler")).make() })

export const nursery = (child: Child, turns = false) => async (): Promise<Run> => {
  const Effect = await import("effect/Effect")
  const Nursery = await import("effect-nursery/Nursery")
  const { effect, state } = await childOf(child)
  const options = turns ? await oneScheduler() : undefined
  return async (n) => {
    state.ended = 0
    const program = Nursery.open((nursery) =>
      Effect.gen(function*() {
        for (let i = 0; i < n; i++) yield* nursery.startSoon(effect)
      })
    )
    await Effect.runPromise(program, options)
    return state.ended
  }
}

const forkAndJoin = (child: Child, turns = false) => async (): Promise<Run> => {
  const Effect = await import("effect/Effect")
  const Fiber = await import("effect/Fiber")
  const { effect, state } = await childOf(child)
  const options = turns ? await oneScheduler() : undefined
  return async (n) => {
    state.ended = 0
    const program = Effect.gen(function*() {
      const fibers: Array<FiberType<void>> = []
      for (let i = 0; i < n; i++) fibers.push(yield* Effect.forkChild(effect))
      yield* Fiber.joinAll(fibers)
    })
    await Effect.runPromise(program, options)
    return state.ended
  }
}

const fiberSet = (child: Child, turns = false) => async (): Promise<Run> => {
  const Effect = await import("effect/Effect")
  const FiberSet = await import("effect/FiberSet")
  const { effect, state } = await childOf(child)
  const options = turns ? await oneScheduler() : undefined
  return async (n) => {
    state.ended = 0
    const program = Effect.scoped(Effect.gen(function*() {
      const set = yield* FiberSet.make<void>()
      for (let i = 0; i < n; i++) yield* FiberSet.run(set, effect)
      yield* FiberSet.awaitEmpty(set)
    }))
    await Effect.runPromise(program, options)
    return state.ended
  }
}

const promises = (child: Child) => async (): Promise<Run> => async (n) => {
  let ended = 0
  const task = child === "no-op"
    ? async () => {
      ended++
    }
    : async () => {
      await aTurn
      ended++
    }
  const tasks: Array<Promise<void>> = []
  for (let i = 0; i < n; i++) tasks.push(task())
  await Promise.all(tasks)
  return ended
}

const effection = (child: Child) => async (): Promise<Run> => {
  const { run, sleep, spawn } = await import("effection")
  return async (n) => {
    let ended = 0
    await run(function*() {
      const tasks = []
      for (let i = 0; i < n; i++) {
        tasks.push(
          yield* spawn(function*() {
            // Effection has no way to just give way.
            if (child === "yield") yield* sleep(0)
            ended++
          })
        )
      }
      for (const task of tasks) yield* task
    })
    return ended
  }
}

const n = 100_000

const spawnCase = (name: string, child: Child): Case => ({
  name,
  question: child === "no-op"
    ? "What does it cost to start 100,000 tasks that do nothing, and to wait for all?"
    : "What does it cost to start 100,000 tasks that each give way once, and to wait for all?",
  reference: "FiberSet.run",
  sides: {
    [ours]: { n, load: nursery(child) },
    "FiberSet.run": {
      n,
      load: fiberSet(child),
      note: "starts each child at once and waits with awaitEmpty, which does not look at how children ended;"
        + " FiberSet.join does, but reports the first failure only and does not end when all succeed"
    },
    "forkChild + joinAll": { n, load: forkAndJoin(child) },
    [`${ours}, TurnScheduler`]: { n, load: nursery(child, true) },
    "FiberSet.run, TurnScheduler": { n, load: fiberSet(child, true) },
    "forkChild + joinAll, TurnScheduler": { n, load: forkAndJoin(child, true) },
    "Promise.all": { n, load: promises(child), note: "no cancellation, and nothing waits for the others when one fails" },
    Effection: { n: n / 10, load: effection(child), atMostRounds: 3 },
    "asyncio.TaskGroup": { n, python: "asyncio" },
    Trio: { n, python: "trio" }
  },
  targets: [
    faster("FiberSet.run", 1, 1.5),
    faster("Trio", 10),
    faster("asyncio.TaskGroup", 8),
    faster("Effection", 15)
  ]
})

export const spawn = spawnCase("spawn", "no-op")
export const spawnYield = spawnCase("spawn-yield", "yield")
