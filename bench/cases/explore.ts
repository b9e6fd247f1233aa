/**
 * How many schedules a second does exploration run?
 *
 * A program of three tasks that take ten steps together: each adds to a counter three times and gives way in
 * between, and the last step reads it. One operation is one schedule. The reference is the same program run as usual.
 */
import type { Case, Run, Target } from "../harness/Case.ts"

const program = async () => {
  const Effect = await import("effect/Effect")
  const Nursery = await import("effect-nursery/Nursery")
  const Ref = await import("effect/Ref")
  return Effect.gen(function*() {
    const count = yield* Ref.make(0)
    const add = Ref.update(count, (n) => n + 1)
    const task = Effect.andThen(add, Effect.andThen(Effect.yieldNow, Effect.andThen(add, add)))
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        for (let i = 0; i < 3; i++) yield* n.startSoon(task)
      })
    )
    return yield* Ref.get(count)
  })
}

interface Settings {
  readonly strategy?: "random" | "priorities"
  readonly cancelEverywhere?: boolean
}

const exploring = (settings: Settings) => async (): Promise<Run> => {
  const Explore = await import("effect-nursery/testing/Explore")
  const explored = await program()
  return async (n) => {
    const right = settings.cancelEverywhere === true ? (value: number) => value <= 9 : (value: number) => value === 9
    return Explore.run(explored, { runs: n, holds: right, ...settings }).schedules
  }
}

const depthFirst = async (): Promise<Run> => {
  const Explore = await import("effect-nursery/testing/Explore")
  const explored = await program()
  return async (n) => {
    let schedules = 0
    // A search is as long as it is; as often as it takes, and a little more than is counted.
    while (schedules < n) schedules += Explore.run(explored, { runs: "all", maxPauses: 1, holds: (value) => value === 9 }).schedules
    return n
  }
}

const usual = async (): Promise<Run> => {
  const Effect = await import("effect/Effect")
  const explored = await program()
  return async (n) => {
    let ended = 0
    for (let i = 0; i < n; i++) if (await Effect.runPromise(explored) === 9) ended++
    return ended
  }
}

const perSecond = (side: string): Target => ({
  what: `${side}: schedules per CPU-second`,
  unit: "/s",
  better: "higher",
  must: 10_000,
  value: (rows) => {
    const row = rows.get(side)
    return row && 1e9 / row.cpuNs
  }
})

const n = 20_000

export const explore: Case = {
  name: "explore",
  question: "How many schedules of a three-task program of ten steps are run in a second?",
  reference: "run as usual",
  sides: {
    "random walks": { n, load: exploring({ strategy: "random" }) },
    "priorities": { n, load: exploring({ strategy: "priorities" }) },
    "depth first": { n, load: depthFirst, note: "whole searches, so it did a few more than are counted" },
    "a cancel in each": { n, load: exploring({ cancelEverywhere: true }) },
    "run as usual": { n, load: usual }
  },
  targets: ["random walks", "priorities", "depth first", "a cancel in each"].map(perSecond)
}
