/** Runs a program under a seeded random schedule, with the runner that `Explore` has. */
import { Effect, type Exit, Scheduler } from "effect"
import { apart } from "../../src/core/internal/Cascade.ts"
import { type End, ScheduleRun } from "../../src/testing/internal/ScheduleRun.ts"
import { SeededRandom } from "../../src/testing/internal/SeededRandom.ts"
import { RandomWalk } from "../../src/testing/internal/Strategy.ts"

export class Random extends SeededRandom {
  coin(p = 0.5): boolean {
    return this.next() < p
  }
  one<A>(list: ReadonlyArray<A>): A {
    return list[this.below(list.length)]!
  }
}

/**
 * Where fibers pause. `coin` is before any operation, so also between an operation and the use of its
 * result, where Effect loses a result if the fiber is cancelled. `ops` is as Effect's own schedulers do
 * it, with fewer operations: a fiber that was just resumed runs so many before it pauses.
 */
export type Pauses = { readonly coin: number } | { readonly ops: number }

export interface Outcome<A, E> {
  readonly _tag: End
  readonly exit: Exit.Exit<A, E> | undefined
  /** Deadlines and sleeps that nobody has cleared. */
  readonly timersLeft: number
  /** Errors that a scheduled step threw. */
  readonly thrown: ReadonlyArray<unknown>
}

/** Runs `program` to its end, or to where nothing can happen any more. */
export const runSeeded = <A, E>(program: Effect.Effect<A, E>, seed: number, pauses: Pauses): Outcome<A, E> => {
  const coin = "coin" in pauses ? pauses.coin : 0
  const withOps = "ops" in pauses ? Effect.provideService(program, Scheduler.MaxOpsBeforeYield, pauses.ops) : program
  const run = new ScheduleRun(new RandomWalk(new SeededRandom(seed), coin, true, "everywhere", undefined), { maxSteps: 200_000, seed }, false)
  let timersLeft = 0
  const { end, exit } = apart(() => run.execute(withOps, undefined, () => {
    timersLeft = run.timersLeft
  }))
  return { _tag: end, exit, timersLeft, thrown: run.thrown }
}
