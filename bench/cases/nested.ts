/**
 * What does a block inside a block cost, and how deep can it go?
 *
 * Each level opens a block, starts one task in it that is the next level, and waits for it.
 * 1,000 deep everybody can. 100,000 deep shows who keeps what was asked for.
 */
import type { Effect as EffectType } from "effect/Effect"
import type { Operation } from "effection"
import type { Case, Run } from "../harness/Case.ts"
import { completes, faster, ours } from "../harness/Case.ts"

/** Awaited, it is what `yieldNow` is: the others go first. */
const aTurn = undefined

const nursery = async (): Promise<Run> => {
  const Effect = await import("effect/Effect")
  const Nursery = await import("effect-nursery/Nursery")
  return async (n) => {
    let opened = 0
    const level = (depth: number): EffectType<void> =>
      Nursery.open((nursery) => {
        opened++
        return depth === 1 ? Effect.void : Effect.asVoid(nursery.startSoon(level(depth - 1)))
      })
    await Effect.runPromise(level(n))
    return opened
  }
}

const forkAndJoin = async (): Promise<Run> => {
  const Effect = await import("effect/Effect")
  const Fiber = await import("effect/Fiber")
  return async (n) => {
    let opened = 0
    const level = (depth: number): EffectType<void> =>
      Effect.suspend(() => {
        opened++
        return depth === 1 ? Effect.void : Effect.flatMap(Effect.forkChild(level(depth - 1)), Fiber.join)
      })
    await Effect.runPromise(level(n))
    return opened
  }
}

const fiberSet = async (): Promise<Run> => {
  const Effect = await import("effect/Effect")
  const FiberSet = await import("effect/FiberSet")
  return async (n) => {
    let opened = 0
    const level = (depth: number): EffectType<void> =>
      Effect.scoped(Effect.gen(function*() {
        opened++
        if (depth === 1) return
        const set = yield* FiberSet.make<void>()
        yield* FiberSet.run(set, level(depth - 1))
        yield* FiberSet.awaitEmpty(set)
      }))
    await Effect.runPromise(level(n))
    return opened
  }
}

const promises = async (): Promise<Run> => async (n) => {
  let opened = 0
  const level = async (depth: number): Promise<void> => {
    opened++
    // A turn per level, because a call per level would be a stack overflow here too.
    await aTurn
    if (depth > 1) await level(depth - 1)
  }
  await level(n)
  return opened
}

const effection = async (): Promise<Run> => {
  const { run, spawn } = await import("effection")
  return async (n) => {
    let opened = 0
    function* level(depth: number): Operation<void> {
      opened++
      if (depth > 1) yield* yield* spawn(() => level(depth - 1))
    }
    await run(() => level(n))
    return opened
  }
}

const n = 1_000
// A level costs microseconds: twenty times give the clock something to count.
const repeat = 20
const warm = 300

export const nested: Case = {
  name: "nested",
  question: "What does a nursery in a nursery cost, 1,000 deep?",
  reference: "forkChild + join",
  sides: {
    [ours]: { n, repeat, warm, load: nursery },
    "forkChild + join": { n, repeat, warm, load: forkAndJoin },
    "FiberSet.run": { n, repeat, warm, load: fiberSet },
    "async function": { n, repeat, warm, load: promises, note: "waits for one, and cancels nothing" },
    Effection: { n, warm, load: effection, atMostRounds: 3 },
    "asyncio.TaskGroup": { n, repeat, warm, python: "asyncio" },
    Trio: { n, repeat, warm, python: "trio" }
  },
  targets: [faster("Trio", 1, 5), faster("asyncio.TaskGroup", 1)]
}

const deep = 100_000

export const nestedDeep: Case = {
  name: "nested-deep",
  question: "Do 100,000 nurseries inside each other complete?",
  reference: ours,
  sides: {
    [ours]: { n: deep, warm, load: nursery },
    "forkChild + join": { n: deep, warm, load: forkAndJoin, atMostRounds: 1 },
    "FiberSet.run": { n: deep, warm, load: fiberSet, atMostRounds: 1 },
    "async function": { n: deep, warm, load: promises },
    "asyncio.TaskGroup": { n: deep, warm, python: "asyncio", atMostRounds: 1 },
    Trio: { n: deep, warm, python: "trio", atMostRounds: 1 }
  },
  targets: [completes(ours)]
}
