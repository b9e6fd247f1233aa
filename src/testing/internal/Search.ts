/** Looks for a schedule under which a program goes wrong. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { apart } from "../../core/internal/Cascade.ts"
import { both, recordedCall } from "../../core/internal/Recorder.ts"
import * as Failures from "../../core/Failures.ts"
import * as Instrument from "../../observe/Instrument.ts"
import * as Timeline from "../../observe/Timeline.ts"
import { Deadlock, explainDeadlock } from "./Deadlock.ts"
import { type PauseAt, type Schedule, usualOrder } from "./Schedule.ts"
import { type AnyFiber, type CancelPoint, type End, ScheduleRun } from "./ScheduleRun.ts"
import { SeededRandom } from "./SeededRandom.ts"
import { shrink } from "./Shrink.ts"
import { DepthFirst, Priorities, RandomWalk, Replay, type Strategy } from "./Strategy.ts"
import { type Line, short, Trace } from "./Trace.ts"

/** What was wrong with a run. */
export type Why = "property" | "failure" | "deadlock" | "livelock" | "thrown"

export interface Setup<A, E> {
  readonly program: Effect.Effect<A, E>
  readonly seed: number
  readonly holds: ((value: A) => unknown) | undefined
  readonly accepts: ((exit: Exit.Exit<A, E>) => boolean) | undefined
  readonly cancelEverywhere: boolean
  readonly strategy: "mixed" | "random" | "priorities"
  readonly pauseAt: PauseAt
  readonly busyHost: boolean
  readonly maxSteps: number
}

/** A run that went wrong, by itself or as its shortest form. */
export interface Failed {
  readonly why: Why
  readonly schedule: Schedule
}

/** A failed run, looked at. */
export interface Shown<A, E> {
  readonly message: string
  readonly exit: Exit.Exit<A, E>
  readonly lines: ReadonlyArray<Line>
  readonly timeline: Timeline.Timeline
}

interface Ran<A, E> {
  readonly run: ScheduleRun
  readonly end: End
  readonly exit: Exit.Exit<A, E> | undefined
}

/** How many schedules are searched for a shorter one, for each number of pauses. */
const mostSearched = 1000

/** How many operations all runs together may take to make a schedule shorter: about a second. */
const mostStepsOfShrinking = 2_000_000

/** How often fibers pause in a random walk. */
const pauseChances = [0, 0.05, 0.3] as const

/** Depths of the bugs that priorities look for. */
const depths = [2, 3] as const

/** Which places of a program were cancelled in some run, and which never. */
export class CancelCoverage {
  private readonly points = new Map<string, boolean>()
  private names = new Map<AnyFiber, string>()

  /** Numbers stand for fibers from here on: each run has its own. */
  newRun(): void {
    this.names = new Map()
  }

  seen({ fiber, operation }: CancelPoint, nameOf: (fiber: AnyFiber) => string): void {
    let name = this.names.get(fiber)
    if (name === undefined) this.names.set(fiber, name = nameOf(fiber))
    const key = `${name}, after operation ${operation}`
    if (!this.points.has(key)) this.points.set(key, false)
  }

  cancelled({ fiber, operation }: CancelPoint): void {
    this.points.set(`${this.names.get(fiber)}, after operation ${operation}`, true)
  }

  get size(): number {
    return this.points.size
  }

  get missed(): Array<string> {
    return [...this.points].filter(([, cancelled]) => !cancelled).map(([key]) => key)
  }
}

export class Search<A, E> {
  private readonly setup: Setup<A, E>
  readonly coverage: CancelCoverage | undefined
  /** Of all runs. */
  private steps = 0
  private mostSteps = Infinity
  /** Of the run in the usual order. */
  private usual: { readonly steps: number; readonly cancelPoints: number } | undefined

  constructor(setup: Setup<A, E>) {
    this.setup = setup
    this.coverage = setup.cancelEverywhere ? new CancelCoverage() : undefined
  }

  get pauseAt(): PauseAt {
    return this.setup.pauseAt
  }

  private run(strategy: Strategy): Ran<A, E> {
    const { maxSteps, program, seed } = this.setup
    const { coverage } = this
    const run = new ScheduleRun(strategy, { maxSteps, seed }, coverage !== undefined)
    if (coverage !== undefined) {
      const trace = new Trace()
      coverage.newRun()
      run.onCancelPoint = (point) => coverage.seen(point, (fiber) => trace.nameOf(fiber))
    }
    const { end, exit } = apart(() => run.execute(program))
    this.steps += run.steps
    if (coverage !== undefined && run.cancelled !== undefined) coverage.cancelled(run.cancelled)
    return { run, end, exit }
  }

  private wrong({ end, exit, run }: Ran<A, E>): Why | undefined {
    if (run.thrown.length > 0) return "thrown"
    if (end !== "ended") return end
    if (!this.isAccepted(exit!, run)) return "failure"
    return this.refutation(exit!) === undefined ? undefined : "property"
  }

  private isAccepted(exit: Exit.Exit<A, E>, run: ScheduleRun): boolean {
    if (this.setup.accepts !== undefined) return this.setup.accepts(exit)
    return exit._tag === "Success" || (run.cancelled !== undefined && Cause.hasInterruptsOnly(exit.cause))
  }

  /** Why the value is not as it must be. */
  private refutation(exit: Exit.Exit<A, E>): string | undefined {
    const { holds } = this.setup
    if (holds === undefined || exit._tag === "Failure") return undefined
    try {
      return holds(exit.value) === false ? `The property does not hold for the value ${short(exit.value)}.` : undefined
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }

  /** Runs what a seed stands for. */
  bySeed(seed: number): Failed | undefined {
    const usual = this.usual ??= this.measure()
    const { cancelEverywhere, pauseAt } = this.setup
    if (cancelEverywhere && seed < usual.cancelPoints) return this.try(new Replay({ ...usualOrder, pauseAt, cancelAt: seed }))
    if (!cancelEverywhere && seed === 0) return this.try(new Replay({ ...usualOrder, pauseAt }))
    return this.try(this.strategyOf(seed, usual))
  }

  /** Steps and cancel points in the usual order. */
  private measure(): { readonly steps: number; readonly cancelPoints: number } {
    const { run } = this.run(new Replay({ ...usualOrder, pauseAt: this.setup.pauseAt }))
    return { steps: run.steps, cancelPoints: run.cancelPoints }
  }

  private strategyOf(seed: number, usual: { readonly steps: number; readonly cancelPoints: number }): Strategy {
    const { busyHost, cancelEverywhere, pauseAt, strategy } = this.setup
    const random = new SeededRandom(seed)
    // A little more than the usual run has: other schedules have other points.
    const cancelAt = cancelEverywhere ? random.below(Math.ceil(usual.cancelPoints * 1.25) + 1) : undefined
    const kinds = pauseChances.length + depths.length
    const kind = strategy === "random" ? seed % pauseChances.length
      : strategy === "priorities" ? pauseChances.length + (seed % depths.length)
      : seed % kinds
    if (kind >= pauseChances.length) {
      return new Priorities(random, depths[kind - pauseChances.length]!, usual.steps, pauseAt, cancelAt)
    }
    return new RandomWalk(random, pauseChances[kind]!, busyHost && Math.floor(seed / kinds) % 2 === 1, pauseAt, cancelAt)
  }

  /** Runs once; the schedule, if it went wrong. */
  try(strategy: Strategy): Failed | undefined {
    const ran = this.run(strategy)
    const why = this.wrong(ran)
    if (why === undefined) return undefined
    const { busy, cancelAt, pauseAt } = strategy
    return { why, schedule: { deviations: ran.run.deviations, busy, pauseAt, cancelAt } }
  }

  /** The shortest schedule found that goes wrong in the same way. */
  shortest(failed: Failed): Failed {
    this.mostSteps = this.steps + mostStepsOfShrinking
    const shrunk = this.shrunk(failed)
    if (shrunk.schedule.busy || shrunk.schedule.cancelAt !== undefined) return shrunk
    // Shrinking ends in the valley that it began in; there may be a deeper one.
    for (let pauses = 0; pauses <= 2; pauses++) {
      const other = this.depthFirst(pauses, mostSearched, failed.why)
      if (other === undefined) continue
      const short = this.shrunk(other)
      return short.schedule.deviations.length < shrunk.schedule.deviations.length ? short : shrunk
    }
    return shrunk
  }

  private shrunk(failed: Failed): Failed {
    const schedule = shrink(failed.schedule, (schedule) => {
      if (this.steps > this.mostSteps) return undefined
      const again = this.try(new Replay(schedule))
      return again?.why === failed.why ? again.schedule.deviations : undefined
    })
    return { why: failed.why, schedule }
  }

  private depthFirst(mostPauses: number, mostRuns: number, why: Why): Failed | undefined {
    let prefix: ReadonlyArray<number> | undefined = []
    for (let i = 0; i < mostRuns && prefix !== undefined && this.steps <= this.mostSteps; i++) {
      const strategy: DepthFirst = new DepthFirst(prefix, mostPauses, this.setup.pauseAt)
      const failed = this.try(strategy)
      if (failed?.why === why) return failed
      prefix = strategy.next()
    }
    return undefined
  }

  /** Runs a schedule again and watches it. */
  show({ schedule }: Failed): Shown<A, E> {
    const { maxSteps, program, seed } = this.setup
    const trace = new Trace()
    const run = new ScheduleRun(new Replay(schedule), { maxSteps, seed }, false, trace)
    const instrument = Instrument.make({ capacity: Infinity })
    let deadlock = ""
    let timeline = Timeline.fromEvents([])
    const atRest = (end: End) => {
      if (end === "deadlock") deadlock = explainDeadlock(trace.waitingOutside())
      trace.end()
      timeline = Timeline.fromEvents(instrument.events())
    }
    const { end, exit } = apart(() =>
      recordedCall(both(trace, instrument.recorder), (context) => run.execute(program, Context.merge(context, trace.context), atRest))
    )
    const { lines } = trace
    if (end === "deadlock") return { message: deadlock, exit: Exit.die(new Deadlock(deadlock)), lines, timeline }
    if (end === "livelock") {
      const message = `It has not ended after ${maxSteps} steps: a livelock, or a longer program than maxSteps allows.`
      return { message, exit: Exit.die(new Error(message)), lines, timeline }
    }
    const message = run.thrown.length > 0
      ? `A scheduled step threw: ${String(run.thrown[0])}`
      : exit!._tag === "Failure" ? Failures.pretty(exit!.cause)
      : this.refutation(exit!) ?? "The exit is not accepted."
    return { message, exit: exit!, lines, timeline }
  }
}
