/**
 * What does it cost to let 100,000 tasks through a limiter of 100 tokens, and does it stay linear?
 *
 * Each task takes a token, gives way once while it has it, and gives it back. All of them wait at once.
 */
import type { Fiber as FiberType } from "effect/Fiber"
import type { Case, Run, Target } from "../harness/Case.ts"
import { faster, ours } from "../harness/Case.ts"

/** Awaited, it is what `yieldNow` is: the others go first. */
const aTurn = undefined

const tokens = 100

const limiter = async (): Promise<Run> => {
  const CapacityLimiter = await import("effect-nursery/CapacityLimiter")
  const Effect = await import("effect/Effect")
  const Nursery = await import("effect-nursery/Nursery")
  return async (n) => {
    let ended = 0
    const work = Effect.map(Effect.yieldNow, () => {
      ended++
    })
    const program = Effect.gen(function*() {
      const limiter = yield* CapacityLimiter.make(tokens)
      const task = limiter.withToken(work)
      yield* Nursery.open((nursery) =>
        Effect.gen(function*() {
          for (let i = 0; i < n; i++) yield* nursery.startSoon(task)
        })
      )
    })
    await Effect.runPromise(program)
    return ended
  }
}

const semaphore = async (): Promise<Run> => {
  const Effect = await import("effect/Effect")
  const Fiber = await import("effect/Fiber")
  const Semaphore = await import("effect/Semaphore")
  return async (n) => {
    let ended = 0
    const work = Effect.map(Effect.yieldNow, () => {
      ended++
    })
    const program = Effect.gen(function*() {
      const semaphore = yield* Semaphore.make(tokens)
      const task = Semaphore.withPermit(semaphore, work)
      const fibers: Array<FiberType<void>> = []
      for (let i = 0; i < n; i++) fibers.push(yield* Effect.forkChild(task))
      yield* Fiber.joinAll(fibers)
    })
    await Effect.runPromise(program)
    return ended
  }
}

const forEach = async (): Promise<Run> => {
  const Effect = await import("effect/Effect")
  return async (n) => {
    let ended = 0
    const work = Effect.map(Effect.yieldNow, () => {
      ended++
    })
    await Effect.runPromise(
      Effect.forEach(Array.from({ length: n }), () => work, { concurrency: tokens, discard: true })
    )
    return ended
  }
}

const pLimit = async (): Promise<Run> => {
  const { default: limiter } = await import("p-limit")
  return async (n) => {
    let ended = 0
    const limit = limiter(tokens)
    const work = async () => {
      await aTurn
      ended++
    }
    await Promise.all(Array.from({ length: n }, () => limit(work)))
    return ended
  }
}

const n = 100_000
const quarter = `${ours}, a quarter`
// At 100,000 waiting tasks Effect's Semaphore does not end in minutes.
const semaphoreTasks = 10_000
const semaphoreQuarter = "Effect Semaphore, a quarter"

const linear: Target = {
  what: `${ours}, CPU: four times the tasks take`,
  unit: " × the time",
  better: "lower",
  must: 5,
  value: (rows) => {
    const [whole, part] = [rows.get(ours), rows.get(quarter)]
    return whole && part && whole.cpuMs / part.cpuMs
  }
}

const rate: Target = {
  what: `${ours}: tasks per CPU-second`,
  unit: " k",
  better: "higher",
  must: 300,
  value: (rows) => {
    const row = rows.get(ours)
    return row && 1e6 / row.cpuNs
  }
}

export const limiterCase: Case = {
  name: "limiter",
  question: "What does it cost to let 100,000 tasks through 100 tokens, and is it linear?",
  reference: "Effect Semaphore",
  sides: {
    [ours]: { n, load: limiter },
    [quarter]: { n: n / 4, load: limiter, warm: n / 50 },
    "Effect Semaphore": {
      n: semaphoreTasks,
      load: semaphore,
      note: "a tenth of the tasks: a release copies the whole set of waiters, so its cost per task grows with their number"
    },
    [semaphoreQuarter]: { n: semaphoreTasks / 4, load: semaphore, warm: semaphoreTasks / 50 },
    "Effect.forEach": { n, load: forEach, note: "concurrency: 100; not a limiter that others can share" },
    "p-limit": { n, load: pLimit },
    "asyncio.Semaphore": { n, python: "asyncio", atMostRounds: 3 },
    "trio.CapacityLimiter": { n, python: "trio", atMostRounds: 3 }
  },
  targets: [linear, rate, faster("trio.CapacityLimiter", 15)]
}
