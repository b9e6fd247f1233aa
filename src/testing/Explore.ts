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
import type { Timeline } from "../observe/Timeline.ts"
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
  /** The same as a picture, for `Timeline.toText`, `toSvg` and `toHtml`. */
  readonly timeline: Timeline
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
  const { exit, lines, message, timeline } = search.show(shortest)
  return {
    _tag: "Found",
    seed,
    schedules,
    why: failed.why satisfies Why,
    message,
    exit,
    schedule: Schedule.toText(shortest.schedule),
    interleaving: interleavingText(lines),
    timeline
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

/**
 * Runs an effect under many schedules, until one goes wrong.
 *
 * **When to use**
 *
 * In the test of anything that several tasks share. Make the state inside the
 * effect: each run must begin anew.
 *
 * **Details**
 *
 * A fiber may pause between any two of its operations, not only where it waits, so
 * races show that the usual order never has. All of Effect's own waiting is seen,
 * its Clock is virtual, and its `Random` draws the same numbers in every run. Each
 * run is one synchronous call: promises, sockets and timers of the host never come
 * back in it, and whoever waits for them counts as waiting for ever.
 *
 * What is wrong by default: a run that fails or dies, a deadlock, a livelock.
 *
 * **Example** (An update that is lost)
 *
 * ```ts
 * import { Effect, Ref } from "effect"
 * import { Tasks } from "effect-nursery"
 * import { Explore } from "effect-nursery/testing"
 *
 * const program = Effect.gen(function*() {
 *   const count = yield* Ref.make(0)
 *   const add = Effect.asVoid(Effect.flatMap(Ref.get(count), (n) => Ref.set(count, n + 1)))
 *   yield* Tasks.gather([add, add])
 *   return yield* Ref.get(count)
 * })
 *
 * const report = Explore.run(program, { runs: 1000, holds: (n) => n === 2 })
 * if (report._tag === "Found") {
 *   console.log(`seed ${report.seed}: ${report.message}`)
 *   console.log(report.interleaving)
 * }
 * ```
 *
 * ```text output
 * seed 4: The property does not hold for the value 1.
 *  1   main      makes { _id: "Ref", ref: {current:0} }
 *  2   main      opens gather
 *  3   gather 0  starts
 *  4   gather 0  self.ref.current  → 0
 *  5 » gather 0  pauses
 *  6   gather 1  starts
 *  7   gather 1  self.ref.current  → 0
 *  8   gather 1  MutableRef.set(self.ref, value)  → { _id: "MutableRef", current: 1 }
 *  9   gather 1  succeeds
 * 10   gather 0  MutableRef.set(self.ref, value)  → { _id: "MutableRef", current: 1 }
 * 11   gather 0  succeeds
 * 12   main      leaves gather, which succeeds with [undefined, undefined]
 * 13   main      self.ref.current  → 1
 * ```
 *
 * @since 0.1.0
 */
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

/**
 * Runs one schedule that an exploration has found: to look at it again, and as the
 * test that it has been mended.
 *
 * **Gotchas**
 *
 * A schedule counts the choices that the program leaves open, so it fits only the
 * program that it was found with. Give the same `seed`, `maxSteps`, `holds` and
 * `accepts`.
 *
 * **Example** (A deadlock, again)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { CapacityLimiter, Tasks } from "effect-nursery"
 * import { Explore } from "effect-nursery/testing"
 *
 * const transfers = Effect.gen(function*() {
 *   const a = yield* CapacityLimiter.make(1, { name: "account a" })
 *   const b = yield* CapacityLimiter.make(1, { name: "account b" })
 *   yield* Tasks.gather([a.withToken(b.withToken(Effect.void)), b.withToken(a.withToken(Effect.void))])
 * })
 *
 * const report = Explore.run(transfers)
 * if (report._tag === "Found") {
 *   const again = Explore.replay(transfers, report.schedule)
 *   console.log(again._tag === "Found" && again.message)
 * }
 * ```
 *
 * ```text output
 * Every task waits, and no deadline is left to wake one.
 * gather 0, gather 1 wait for each other: gather 0 → gather 1 → gather 0
 *   gather 0 is waiting for a token of limiter account b, held by gather 1
 *   gather 1 is waiting for a token of limiter account a, held by gather 0
 *
 * gather
 * ├─ gather 0 (waiting for a token of limiter account b)
 * └─ gather 1 (waiting for a token of limiter account a)
 * ```
 *
 * @since 0.1.0
 */
export const replay = <A, E>(
  program: Effect.Effect<A, E>,
  schedule: string,
  options: Pick<Options<A, E>, "seed" | "holds" | "accepts" | "maxSteps"> = {}
): Report<A, E> => {
  const search = new Search(setupOf(program, options))
  const failed = search.try(new Replay(Schedule.fromText(schedule)))
  if (failed === undefined) return passed(search, 1, false)
  const { exit, lines, message, timeline } = search.show(failed)
  return {
    _tag: "Found",
    seed: options.seed ?? 0,
    schedules: 1,
    why: failed.why,
    message,
    exit,
    schedule,
    interleaving: interleavingText(lines),
    timeline
  }
}

/** A livelock deviates thousands of times; its seed is the better way back to it. */
const longestSchedule = 200

/**
 * A report for people: what is wrong, in which order of events, and how to see it again.
 *
 * **Example** (A program that is right)
 *
 * ```ts
 * import { Effect, Ref } from "effect"
 * import { Tasks } from "effect-nursery"
 * import { Explore } from "effect-nursery/testing"
 *
 * const program = Effect.gen(function*() {
 *   const count = yield* Ref.make(0)
 *   const add = Ref.update(count, (n) => n + 1)
 *   yield* Tasks.gather([add, add])
 *   return yield* Ref.get(count)
 * })
 *
 * console.log(Explore.toText(Explore.run(program, { runs: "all", holds: (n) => n === 2 })))
 * ```
 *
 * ```text output
 * every one of 9 schedules passed
 * ```
 *
 * @since 0.1.0
 */
export const toText = (report: Report<unknown, unknown>): string => {
  if (report._tag === "Passed") {
    const { complete, coverage, schedules } = report
    const lines = [`${complete ? "every one of " : ""}${schedules} schedule${schedules === 1 ? "" : "s"} passed`]
    if (coverage !== undefined) {
      lines.push(`cancelled at ${coverage.cancelled} of ${coverage.places} places`)
      lines.push(...coverage.missed.slice(0, 10).map((place) => `  never: ${place}`))
      if (coverage.missed.length > 10) lines.push(`  … and ${coverage.missed.length - 10} more`)
    }
    return lines.join("\n")
  }
  const { interleaving, message, schedule, schedules, seed, why } = report
  const again = schedule.length <= longestSchedule ? `Explore.replay(program, "${schedule}")` : `Explore.run(program, { seed: ${seed}, runs: 1 })`
  return [`${why}, found in ${schedules} schedule${schedules === 1 ? "" : "s"}, seed ${seed}:`, message, "", interleaving, "", `again: ${again}`].join("\n")
}
