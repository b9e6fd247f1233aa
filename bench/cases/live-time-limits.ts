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

const nursery = (limited: boolean) => async (): Promise<Run> => {
  const Effect = await import("effect/Effect")
  const Nursery = await import("effect-nursery/Nursery")
  const Timeout = await import("effect-nursery/Timeout")
  return async (n) => {
    const { end, open, state, wait } = await makeGate()
    const task = limited ? Effect.map(Timeout.moveOnAfter(wait, hourMillis), end) : Effect.map(wait, end)
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

const forkChild = (limited: boolean) => async (): Promise<Run> => {
  const Effect = await import("effect/Effect")
  const Fiber = await import("effect/Fiber")
  return async (n) => {
    const { end, open, state, wait } = await makeGate()
    const task = limited ? Effect.map(Effect.timeoutOption(wait, hourMillis), end) : Effect.map(wait, end)
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

/** All effects are known in advance; the last one opens the gate when the others wait. */
const together = (kind: "Tasks.gather" | "Effect.all") => async (): Promise<Run> => {
  const Effect = await import("effect/Effect")
  const Tasks = kind === "Tasks.gather" ? await import("effect-nursery/Tasks") : undefined
  const Timeout = kind === "Tasks.gather" ? await import("effect-nursery/Timeout") : undefined
  return async (n) => {
    const { end, open, state, wait } = await makeGate()
    const limited = Timeout === undefined ? Effect.timeoutOption(wait, hourMillis) : Timeout.moveOnAfter(wait, hourMillis)
    const task = Effect.map(limited, end)
    const opener = Effect.gen(function*() {
      while (state.waiting < n) yield* Effect.yieldNow
      yield* open
    })
    const all = [...Array.from({ length: n }, () => task), Effect.asVoid(opener)]
    await Effect.runPromise(
      Tasks === undefined ? Effect.all(all, { concurrency: "unbounded", discard: true }) : Effect.asVoid(Tasks.gather(all))
    )
    return state.ended
  }
}

const n = 100_000

export const liveTimeLimits: Case = {
  name: "live-time-limits",
  question: "What do 100,000 tasks cost that all wait within a time limit?",
  reference: "Effect.timeoutOption",
  sides: {
    [ours]: { n, load: nursery(true) },
    "Effect.timeoutOption": { n, load: forkChild(true), note: "in tasks started with forkChild" },
    [`${ours}, no limit`]: { n, load: nursery(false), note: "the same tasks without the limit" },
    "forkChild, no limit": { n, load: forkChild(false) },
    "in Tasks.gather": { n, load: together("Tasks.gather") },
    "Effect.timeoutOption in Effect.all": { n, load: together("Effect.all") },
    "asyncio.timeout": { n, python: "asyncio" },
    Trio: { n, python: "trio" }
  },
  targets: [faster("Effect.timeoutOption", 5, 15), faster("Effect.timeoutOption in Effect.all", 5, 15, "in Tasks.gather"), memoryAtMost(200)]
}
