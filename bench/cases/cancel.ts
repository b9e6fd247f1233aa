/**
 * What does it cost to cancel 100,000 tasks that sleep?
 *
 * The tasks are started, all of them sleep for an hour, then they are cancelled and awaited. The whole is
 * measured, and the part from the cancel on is shown beneath it. Each sleeper holds a timer; the library's
 * `HeapClock` keeps all of them in one heap behind one real timer.
 */
import type { Effect as EffectType } from "effect/Effect"
import type { Fiber as FiberType } from "effect/Fiber"
import type { Case, Run } from "../harness/Case.ts"
import { faster, memoryAtMost, ours } from "../harness/Case.ts"

const hourMillis = 3_600_000

const sleeper = async () => {
  const Effect = await import("effect/Effect")
  const state = { asleep: 0 }
  return {
    state,
    effect: Effect.suspend(() => {
      state.asleep++
      return Effect.sleep(hourMillis)
    })
  }
}

type ClockName = "Effect's Clock" | "HeapClock"

const withClock = async (name: ClockName) => {
  const Effect = await import("effect/Effect")
  if (name === "Effect's Clock") return <A, E>(program: EffectType<A, E>) => program
  const Clock = await import("effect/Clock")
  const HeapClock = await import("effect-nursery/HeapClock")
  return Effect.provideService(Clock.Clock, HeapClock.make())
}

const nursery = (clock: ClockName) => async (): Promise<Run> => {
  const Effect = await import("effect/Effect")
  const Nursery = await import("effect-nursery/Nursery")
  const { effect, state } = await sleeper()
  const provide = await withClock(clock)
  return async (n, mark) => {
    state.asleep = 0
    const program = Nursery.open((nursery) =>
      Effect.gen(function*() {
        for (let i = 0; i < n; i++) yield* nursery.startSoon(effect)
        while (state.asleep < n) yield* Effect.yieldNow
        mark()
        yield* nursery.cancelTasks()
        return n - nursery.size
      })
    )
    return Effect.runPromise(provide(program))
  }
}

const forkChild = (clock: ClockName) => async (): Promise<Run> => {
  const Effect = await import("effect/Effect")
  const Fiber = await import("effect/Fiber")
  const { effect, state } = await sleeper()
  const provide = await withClock(clock)
  return async (n, mark) => {
    state.asleep = 0
    const program = Effect.gen(function*() {
      const fibers: Array<FiberType<void>> = []
      for (let i = 0; i < n; i++) fibers.push(yield* Effect.forkChild(effect))
      while (state.asleep < n) yield* Effect.yieldNow
      mark()
      yield* Fiber.interruptAll(fibers)
      return fibers.filter((fiber) => fiber.pollUnsafe() !== undefined).length
    })
    return Effect.runPromise(provide(program))
  }
}

const fiberSet = async (): Promise<Run> => {
  const Effect = await import("effect/Effect")
  const FiberSet = await import("effect/FiberSet")
  const { effect, state } = await sleeper()
  return async (n, mark) => {
    state.asleep = 0
    const program = Effect.scoped(Effect.gen(function*() {
      const set = yield* FiberSet.make<void>()
      for (let i = 0; i < n; i++) yield* FiberSet.run(set, effect)
      while (state.asleep < n) yield* Effect.yieldNow
      mark()
      yield* FiberSet.clear(set)
      return n - (yield* FiberSet.size(set))
    }))
    return Effect.runPromise(program)
  }
}

const n = 100_000
const withHeap = `${ours}, HeapClock`
const withEffects = `${ours}, Effect's Clock`

export const cancel: Case = {
  name: "cancel",
  question: "What does it cost to start 100,000 sleeping tasks and to cancel them all?",
  reference: "forkChild + interruptAll",
  sides: {
    [withHeap]: { n, load: nursery("HeapClock") },
    [withEffects]: { n, load: nursery("Effect's Clock") },
    "forkChild + interruptAll": { n, load: forkChild("Effect's Clock") },
    "FiberSet.clear": { n, load: fiberSet },
    "forkChild + interruptAll, HeapClock": {
      n,
      load: forkChild("HeapClock"),
      note: "raw Effect on this library's Clock: what the Clock alone gives"
    },
    "asyncio.TaskGroup": { n, python: "asyncio" },
    Trio: { n, python: "trio" }
  },
  targets: [
    faster("forkChild + interruptAll", 2, 4, withHeap),
    faster("FiberSet.clear", 2, 4, withHeap),
    memoryAtMost(150, withHeap),
    faster("forkChild + interruptAll", 2, 4, withEffects)
  ]
}
