/**
 * Runs a program under thousands of schedules: which ready task is next, where a
 * fiber pauses, which of the things due at the same time comes first. All of it in
 * virtual time and in one synchronous call, for any effect as it is.
 *
 * A plain run shows one order of events, and always the same one. A race needs an
 * order that the host takes once in a million runs; here it is among the first few
 * hundred. A failure comes with its seed, with the shortest schedule that shows it,
 * and with what each task did in it.
 *
 * The ideas are those of CHESS (Musuvathi and others, 2008), PCT (Burckhardt and
 * others, 2010), tokio's loom and AWS' shuttle.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import { Deadlock } from "./internal/Deadlock.ts"
import * as Schedule from "./internal/Schedule.ts"
import { type Failed, Search, type Setup, type Why } from "./internal/Search.ts"
import { DepthFirst, Replay } from "./internal/Strategy.ts"
import { interleavingText } from "./internal/Trace.ts"

export { Deadlock }

/**
 * What is explored, and what counts as right.
 *
 * @since 0.1.0
 */
export interface Options<A, E> {
  /**
   * How many schedules; `"all"` searches depth first through every order of turns,
   * with at most `maxPauses` pauses in each. Default: 1000.
   */
  readonly runs?: number | "all"
  /**
   * The first seed; each run has the next one. Seed 0 is the usual order, as any
   * program runs without exploring. Default: 0.
   */
  readonly seed?: number
  /** What must be true of the value of each run that succeeds. It may also throw, as an assertion does. */
  readonly holds?: (value: A) => boolean | void
  /**
   * Which exits are right. By default those of runs that succeed, and with
   * `cancelEverywhere` also those that end by the cancellation.
   */
  readonly accepts?: (exit: Exit.Exit<A, E>) => boolean
  /**
   * Cancels somebody in each run: first in the usual order, at every step in turn,
   * then at random steps of random schedules. Whoever runs or waits there is
   * cancelled: the program, a task, or a fiber that Effect forked. Default: `false`.
   */
  readonly cancelEverywhere?: boolean
  /**
   * `"random"` walks, `"priorities"` gives each fiber a random priority that changes
   * at a few steps (PCT), which finds bugs of a few ordered steps among many.
   * Default: `"mixed"`, both in turn.
   */
  readonly strategy?: "mixed" | "random" | "priorities"
  /** With `runs: "all"`: the most pauses of running fibers in one schedule. Most bugs need no more than two. Default: 2. */
  readonly maxPauses?: number
  /**
   * Where fibers may pause. `"operations"`: between two operations of a running
   * fiber. `"everywhere"`: also right after it was resumed, when Effect holds the
   * result and the program does not yet; a cancellation loses it there, as it does
   * with a `MaxOpsBeforeYield` of 1. Default: `"operations"`.
   */
  readonly pauseAt?: "operations" | "everywhere"
  /**
   * In some of the runs time passes also while tasks are ready, as on a host that
   * is too busy: then a deadline strikes in the middle of work that would have been
   * in time. Set it to `false` where the property speaks of times. Default: `true`.
   */
  readonly busyHost?: boolean
  /** After so many operations of all fibers a run counts as a livelock. Default: 100,000. */
  readonly maxSteps?: number
}

/**
 * Which places were cancelled.
 *
 * @since 0.1.0
 */
export interface Coverage {
  /** Places where somebody ran or waited, in all runs. */
  readonly places: number
  /** Those at which somebody was cancelled in some run. */
  readonly cancelled: number
  /** The others, such as `worker 2, after operation 7`. */
  readonly missed: ReadonlyArray<string>
}

/**
 * No schedule went wrong.
 *
 * @since 0.1.0
 */
export interface Passed {
  readonly _tag: "Passed"
  readonly schedules: number
  /** There are no others, within `maxPauses`. Only `runs: "all"` can tell. */
  readonly complete: boolean
  /** With `cancelEverywhere`. */
  readonly coverage: Coverage | undefined
}

/**
 * A schedule went wrong.
 *
 * @since 0.1.0
 */
export interface Found<A, E> {
  readonly _tag: "Found"
  /** `run` with this seed and one run finds it again. With `runs: "all"`: the number of the schedule. */
  readonly seed: number
  /** How many were run until then. */
  readonly schedules: number
  /**
   * - `property`: `holds` said no
   * - `failure`: the exit is not accepted
   * - `deadlock`: everybody waits, and nothing is due
   * - `livelock`: more than `maxSteps`
   * - `thrown`: a step of the schedule threw, outside every effect
   */
  readonly why: "property" | "failure" | "deadlock" | "livelock" | "thrown"
  /** What was wrong; of a deadlock, who waits for whom. */
  readonly message: string
  /** Of the shortest schedule. A deadlock and a livelock are defects. */
  readonly exit: Exit.Exit<A, E>
  /** The shortest schedule found that goes wrong in the same way, for {@link replay}. */
  readonly schedule: string
  /** What each task did in it, a line a step; `»` marks where it differs from the usual order. */
  readonly interleaving: string
}

/**
 * What came out of an exploration.
 *
 * @since 0.1.0
 */
export type Report<A, E> = Passed | Found<A, E>

const integer = (name: string, value: number, least: number): number => {
  if (Number.isSafeInteger(value) && value >= least) return value
  throw new TypeError(`Expected \`${name}\` to be an integer from ${least} and up, got ${String(value)} (${typeof value})`)
}

const setupOf = <A, E>(program: Effect.Effect<A, E>, options: Options<A, E>): Setup<A, E> => ({
  program,
  seed: integer("seed", options.seed ?? 0, 0),
  holds: options.holds,
  accepts: options.accepts,
  cancelEverywhere: options.cancelEverywhere ?? false,
  strategy: options.strategy ?? "mixed",
  pauseAt: options.pauseAt ?? "operations",
  busyHost: options.busyHost ?? true,
  maxSteps: integer("maxSteps", options.maxSteps ?? 100_000, 1)
})

const found = <A, E>(search: Search<A, E>, seed: number, schedules: number, failed: Failed): Found<A, E> => {
  const shortest = search.shortest(failed)
  const { exit, lines, message } = search.show(shortest)
  return {
    _tag: "Found",
    seed,
    schedules,
    why: failed.why satisfies Why,
    message,
    exit,
    schedule: Schedule.toText(shortest.schedule),
    interleaving: interleavingText(lines)
  }
}

const passed = <A, E>(search: Search<A, E>, schedules: number, complete: boolean): Passed => {
  const { coverage } = search
  const missed = coverage?.missed ?? []
  return {
    _tag: "Passed",
    schedules,
    complete,
    coverage: coverage && { places: coverage.size, cancelled: coverage.size - missed.length, missed }
  }
}

/** Effects have no state between runs, and the search has. */
export const run = <A, E>(program: Effect.Effect<A, E>, options: Options<A, E> = {}): Report<A, E> => {
  const setup = setupOf(program, options)
  const { runs = 1000 } = options
  if (runs === "all") return runAll(new Search({ ...setup, cancelEverywhere: false }), integer("maxPauses", options.maxPauses ?? 2, 0))
  const search = new Search(setup)
  const count = integer("runs", runs, 1)
  for (let i = 0; i < count; i++) {
    const failed = search.bySeed(setup.seed + i)
    if (failed !== undefined) return found(search, setup.seed + i, i + 1, failed)
  }
  return passed(search, count, false)
}

const runAll = <A, E>(search: Search<A, E>, maxPauses: number): Report<A, E> => {
  let schedules = 0
  for (let prefix: ReadonlyArray<number> | undefined = []; prefix !== undefined;) {
    const strategy: DepthFirst = new DepthFirst(prefix, maxPauses, search.pauseAt)
    const failed = search.try(strategy)
    schedules++
    if (failed !== undefined) return found(search, schedules, schedules, failed)
    prefix = strategy.next()
  }
  return passed(search, schedules, true)
}

export const replay = <A, E>(program: Effect.Effect<A, E>, schedule: string, options: Omit<Options<A, E>, "runs" | "seed" | "cancelEverywhere" | "strategy" | "pauseAt"> = {}): Report<A, E> => {
  const search = new Search(setupOf(program, options))
  const failed = search.try(new Replay(Schedule.fromText(schedule)))
  if (failed === undefined) return passed(search, 1, false)
  const { exit, lines, message } = search.show(failed)
  return { _tag: "Found", seed: 0, schedules: 1, why: failed.why, message, exit, schedule, interleaving: interleavingText(lines) }
}
