/**
 * What does it cost to run 100,000 effects together and to have their results in order?
 *
 * Each one suspends once. `gather`: all at the same time. `gather-100`: a hundred at a time.
 */
import type { Case, Run } from "../harness/Case.ts"
import { faster, ours } from "../harness/Case.ts"

/** Awaited, it is what `yieldNow` is: the others go first. */
const aTurn = undefined

const suspendOnce = async () => {
  const Effect = await import("effect/Effect")
  return Effect.as(Effect.yieldNow, 1)
}

const suspendOncePromise = async () => {
  await aTurn
  return 1
}

const sum = (results: ReadonlyArray<number>) => results.reduce((a, b) => a + b, 0)

const oneScheduler = async () => ({ scheduler: (await import("effect-nursery/TurnScheduler")).make() })

const gatherWith = (concurrency?: number, turns = false) => async (): Promise<Run> => {
  const Effect = await import("effect/Effect")
  const Tasks = await import("effect-nursery/Tasks")
  const effect = await suspendOnce()
  const limit = concurrency === undefined ? undefined : { concurrency }
  const options = turns ? await oneScheduler() : undefined
  return async (n) => sum(await Effect.runPromise(Tasks.gather(Array.from({ length: n }, () => effect), limit), options))
}

const effectAll = (concurrency: number | "unbounded", turns = false) => async (): Promise<Run> => {
  const Effect = await import("effect/Effect")
  const effect = await suspendOnce()
  const options = turns ? await oneScheduler() : undefined
  return async (n) =>
    sum(await Effect.runPromise(Effect.all(Array.from({ length: n }, () => effect), { concurrency }), options))
}

const promiseAll = async (): Promise<Run> => async (n) =>
  sum(await Promise.all(Array.from({ length: n }, suspendOncePromise)))

const pLimit = (concurrency: number) => async (): Promise<Run> => {
  const { default: limiter } = await import("p-limit")
  return async (n) => {
    const limit = limiter(concurrency)
    return sum(await Promise.all(Array.from({ length: n }, () => limit(suspendOncePromise))))
  }
}

const n = 100_000

export const gather: Case = {
  name: "gather",
  question: "What does it cost to run 100,000 suspending effects at the same time, results in order?",
  reference: "Effect.all",
  sides: {
    [ours]: { n, load: gatherWith() },
    "Effect.all": { n, load: effectAll("unbounded"), note: "concurrency: unbounded" },
    [`${ours}, TurnScheduler`]: { n, load: gatherWith(undefined, true) },
    "Effect.all, TurnScheduler": { n, load: effectAll("unbounded", true) },
    "Promise.all": { n, load: promiseAll },
    "asyncio.gather": { n, python: "asyncio" },
    Trio: { n, python: "trio", note: "a nursery that fills a list" }
  },
  targets: [faster("Effect.all", 3, 5)]
}

export const gatherBounded: Case = {
  name: "gather-100",
  question: "The same, a hundred at a time?",
  reference: "Effect.all",
  sides: {
    [ours]: { n, load: gatherWith(100) },
    "Effect.all": { n, load: effectAll(100) },
    "p-limit": { n, load: pLimit(100) }
  },
  targets: []
}
