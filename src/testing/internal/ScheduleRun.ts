/**
 * One run of a program under a strategy: from the start to the end, to a deadlock
 * or to the limit of steps, all in one synchronous call and in virtual time.
 *
 * Everything goes through public doors of Effect: a `Scheduler` that decides who
 * runs and who pauses, and a `Clock` that moves only when it is told to.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import type * as Scheduler from "effect/Scheduler"
import { Internal, isInterruptible, Place } from "../../core/internal/Block.ts"
import { answeredBy } from "../../core/internal/Pauses.ts"
import { TaskMember } from "../../core/internal/TaskMember.ts"
import { fireDue, TimerHeap } from "../../core/internal/Timers.ts"
import { randomOf, RunClock, type SleepWatcher, type Timekeeper } from "./RunServices.ts"
import type { Deviation } from "./Schedule.ts"
import { Sleeps } from "./Sleeps.ts"
import type { Asking, Question, Ranked, Strategy } from "./Strategy.ts"

export type AnyFiber = Fiber.Fiber<unknown, unknown>

/** The dispatcher of a fiber, or of all of them where nobody needs to know whose a task is. */
export class Lane implements Scheduler.SchedulerDispatcher, Ranked {
  private readonly run: ScheduleRun
  priority: number | undefined = undefined

  constructor(run: ScheduleRun) {
    this.run = run
  }

  scheduleTask(task: () => void): void {
    this.run.add(task, this)
  }

  flush(): void {}
}

export interface Ready {
  readonly task: () => void
  readonly lane: Lane
}

/** What the next turn is, if that was decided in the one before. */
type Next =
  | { readonly _tag: "run"; readonly ready: Ready }
  | { readonly _tag: "time" }
  | { readonly _tag: "cancel"; readonly fiber: AnyFiber }

/** What a run tells whoever watches it. */
export interface Watcher extends SleepWatcher {
  /** An answer other than the usual one. */
  deviated(question: Question, fiber: AnyFiber | undefined): void
  cancelledHere(fiber: AnyFiber): void
  timePassed(millis: number): void
}

/** A place where somebody can be cancelled: which fiber, before which of its operations, or waiting after it. */
export interface CancelPoint {
  readonly fiber: AnyFiber
  readonly operation: number
}

export type End = "ended" | "deadlock" | "livelock"

export interface Limits {
  /** Operations of all fibers together, and turns. */
  readonly maxSteps: number
  /** Seed of the program's own `Random`. */
  readonly seed: number
}

interface FiberState {
  /** Operations that it has been asked about. */
  operations: number
  /** The operations at which a wait of it was last offered as a cancel point. */
  offered: number
}

/** From an interrupt to the finalizer of the wait that it ends. */
const operationsToFinalizer = 6

const noContext = Context.empty() as Context.Context<never>

export class ScheduleRun implements Scheduler.Scheduler, Timekeeper, Asking {
  readonly executionMode = "async"
  readonly strategy: Strategy
  readonly ready: Array<Ready> = []
  /** Virtual time. */
  millis = 0
  /** Operations and turns so far. */
  steps = 0
  readonly deadlines = new TimerHeap()
  // Apart, because on the host each sleep is a timer of its own.
  readonly sleeps = new Sleeps()
  readonly deviations: Array<Deviation> = []
  /** Errors that a scheduled step threw. */
  readonly thrown: Array<unknown> = []
  /** Points at which somebody could be cancelled, so far. */
  cancelPoints = 0
  /** The one at which somebody was. */
  cancelled: CancelPoint | undefined = undefined
  main: AnyFiber | undefined = undefined
  /** The fibers seen, in order of appearance, where cancel points are counted. */
  readonly fibers = new Map<AnyFiber, FiberState>()
  readonly watcher: Watcher | undefined
  /** Called for each cancel point. */
  onCancelPoint: ((point: CancelPoint) => void) | undefined = undefined
  private readonly limits: Limits
  private readonly lane = new Lane(this)
  private readonly busy: boolean
  private readonly firstPause: number
  private asked = 0
  private next: Next | undefined = undefined
  /** The fiber at the bottom of the stack. */
  private turnOf: AnyFiber | undefined = undefined
  private state: "running" | "leaving" | "over" = "running"
  private readonly countsCancelPoints: boolean
  /** Fibers that are not asked for so many operations. */
  private readonly exempt = new Map<AnyFiber, number>()

  constructor(strategy: Strategy, limits: Limits, countsCancelPoints: boolean, watcher?: Watcher) {
    this.strategy = strategy
    this.limits = limits
    this.watcher = watcher
    this.busy = strategy.busy
    this.firstPause = strategy.pauseAt === "everywhere" ? 1 : 2
    this.countsCancelPoints = countsCancelPoints || strategy.cancelAt !== undefined
  }

  add(task: () => void, lane: Lane): void {
    // What an abandoned program of the real world resumes later is nobody's.
    if (this.state !== "over") this.ready.push({ task, lane })
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return this.strategy.byFiber ? new Lane(this) : this.lane
  }

  /** Effect asks before each operation of a running fiber. */
  shouldYield(fiber: AnyFiber): boolean {
    if (fiber.currentOpCount >= fiber.cache.maxOpsBeforeYield) return true
    if (this.state !== "running") return false
    if (++this.steps > this.limits.maxSteps) return true
    this.turnOf ??= fiber
    if (this.isExempt(fiber)) return false
    if (!(this.countsCancelPoints && this.isCancelPoint(fiber)) && !this.isPause(fiber)) return false
    // Resumed, it is asked before the operation that Effect resumes it with, and
    // again before the one that it paused at. Others have had their chance by then.
    this.exempt.set(fiber, 2)
    return true
  }

  private isExempt(fiber: AnyFiber): boolean {
    if (this.exempt.size === 0) return false
    const left = this.exempt.get(fiber)
    if (left === undefined) return false
    if (left === 1) this.exempt.delete(fiber)
    else this.exempt.set(fiber, left - 1)
    return true
  }

  /**
   * The answer to a primitive that has something to hand out, which a pause before
   * its result is taken would put at risk (core/internal/Pauses.ts). It gives way
   * by itself, and is then left alone until it has its result.
   */
  readonly willPause = (fiber: AnyFiber): boolean => {
    if (fiber.currentOpCount + 1 >= fiber.cache.maxOpsBeforeYield && !fiber.cache.preventYield) return true
    if (this.state !== "running") return false
    this.turnOf ??= fiber
    const pauses = this.isPause(fiber)
    // Giving way is three operations; the result is one.
    this.exempt.set(fiber, pauses ? 4 : 1)
    return pauses
  }

  private isPause(fiber: AnyFiber): boolean {
    if (fiber.currentOpCount < this.firstPause) return false
    // No scheduler stops a fiber between its interrupt and what gives up its wait.
    if (fiber.currentOpCount <= operationsToFinalizer && this.firstPause > 1 && !isInterruptible(fiber)) return false
    // Somebody further up the stack runs it: he goes on if it pauses, whoever else is ready.
    if (this.turnOf !== fiber) return this.choose("pause", 2, fiber) === 1
    if (this.next?._tag === "cancel") return false
    const { ready } = this
    const time = this.busy && this.nextDue() !== Infinity
    const others = ready.length + (time ? 1 : 0)
    const choice = this.choose("pause", others + 1, fiber)
    if (choice === 0) return false
    this.setNext(choice > ready.length ? { _tag: "time" } : { _tag: "run", ready: ready.splice(choice - 1, 1)[0]! })
    return true
  }

  private choose(question: Question, width: number, fiber?: AnyFiber): number {
    if (width < 2 || this.state !== "running") return 0
    const choice = this.strategy.choose(question, width, this, this.laneOf(fiber))
    if (choice > 0) {
      this.deviations.push({ at: this.asked, choice })
      this.watcher?.deviated(question, fiber)
    }
    this.asked++
    return choice
  }

  // Somebody may have been chosen in this turn already, and not have had his.
  private setNext(next: Next): void {
    if (this.next?._tag === "run") this.ready.unshift(this.next.ready)
    this.next = next
  }

  private laneOf(fiber: AnyFiber | undefined): Lane {
    const dispatcher = fiber === undefined || !this.strategy.byFiber ? undefined : fiber.currentDispatcher
    return dispatcher instanceof Lane ? dispatcher : this.lane
  }

  /** The lane of the fiber at the bottom of the stack. */
  get bottom(): Lane {
    return this.laneOf(this.turnOf)
  }

  private stateOf(fiber: AnyFiber): FiberState {
    let state = this.fibers.get(fiber)
    if (state === undefined) this.fibers.set(fiber, state = { operations: 0, offered: -1 })
    return state
  }

  /** A running fiber, before an operation. Who is to be cancelled here pauses first: others cannot reach it before. */
  private isCancelPoint(fiber: AnyFiber): boolean {
    const state = this.stateOf(fiber)
    state.operations++
    if (fiber.currentOpCount < this.firstPause || !isTarget(fiber)) return false
    if (!this.offer({ fiber, operation: state.operations })) return false
    this.setNext({ _tag: "cancel", fiber })
    return true
  }

  private offer(point: CancelPoint): boolean {
    // Afterwards nobody is cancelled any more: what follows is the cleanup.
    if (this.cancelled !== undefined) return false
    this.onCancelPoint?.(point)
    if (this.cancelPoints++ !== this.strategy.cancelAt) return false
    this.cancelled = point
    return true
  }

  /** The fibers that wait, each once for each of its waits. */
  private offerWaiting(): AnyFiber | undefined {
    for (const [fiber, state] of this.fibers) {
      if (fiber.pollUnsafe() !== undefined) this.fibers.delete(fiber)
      else if (state.offered !== state.operations && isTarget(fiber)) {
        state.offered = state.operations
        if (this.offer({ fiber, operation: state.operations })) return fiber
      }
    }
    return undefined
  }

  private cancel(fiber: AnyFiber): void {
    this.watcher?.cancelledHere(fiber)
    const place = fiber.getRef(Place)
    if (place instanceof TaskMember && place.fiber === fiber) place.cancelUnsafe("cancelled by Explore")
    else fiber.interruptUnsafe()
  }

  private nextDue(): number {
    return Math.min(this.deadlines.next(), this.sleeps.next())
  }

  private attempt(step: () => void): void {
    try {
      step()
    } catch (error) {
      this.thrown.push(error)
    }
  }

  /** Time moves to what is due next, and one of those that are due then happens. */
  private advance(): void {
    const due = this.nextDue()
    // Somebody else of this turn may have cleared the last one.
    if (due === Infinity) return
    if (due > this.millis) {
      this.millis = due
      this.watcher?.timePassed(due)
    }
    // Deadlines of scopes fire together, as they do on the host.
    const deadline = this.deadlines.next() <= this.millis ? 1 : 0
    const choice = this.choose("due", deadline + this.sleeps.countDue(this.millis))
    if (choice < deadline) this.attempt(() => fireDue(this.deadlines, () => this.millis))
    else this.attempt(() => this.sleeps.wake(choice - deadline))
  }

  private takeTurn(): void {
    const { next } = this
    this.next = undefined
    this.turnOf = undefined
    if (next === undefined) this.takeAnyTurn()
    else if (next._tag === "run") this.attempt(next.ready.task)
    else if (next._tag === "time") this.advance()
    else this.attempt(() => this.cancel(next.fiber))
  }

  private takeAnyTurn(): void {
    const { ready } = this
    const time = this.busy && this.state === "running" && this.nextDue() !== Infinity ? 1 : 0
    const choice = this.choose("turn", ready.length + time)
    if (choice === ready.length) this.advance()
    else this.attempt((choice === 0 ? ready.shift()! : ready.splice(choice, 1)[0]!).task)
  }

  /** Deadlines and sleeps that nobody has cleared. */
  get timersLeft(): number {
    return this.deadlines.size + this.sleeps.size
  }

  private isOver(): boolean {
    return this.main !== undefined && this.main.pollUnsafe() !== undefined
  }

  private loop(maxTurns: number): End {
    for (let turns = 0; turns < maxTurns && this.steps <= this.limits.maxSteps; turns++) {
      if (this.countsCancelPoints && this.state === "running" && this.next === undefined) {
        const fiber = this.offerWaiting()
        if (fiber !== undefined) this.attempt(() => this.cancel(fiber))
      }
      if (this.next !== undefined || this.ready.length > 0) this.takeTurn()
      else if (this.isOver()) return "ended"
      else if (this.nextDue() !== Infinity) this.advance()
      else return "deadlock"
    }
    return "livelock"
  }

  /** `quiet` gets a look at the program when it has come to rest, before what is left of it is cancelled. */
  execute<A, E>(program: Effect.Effect<A, E>, context: Context.Context<never> = noContext, quiet?: (end: End) => void): {
    readonly end: End
    readonly exit: Exit.Exit<A, E> | undefined
  } {
    const clock = new RunClock(this)
    const services = Context.add(Context.add(context, Clock.Clock, clock), Random.Random, randomOf(this.limits.seed))
    return answeredBy(this.willPause, () => {
      const fiber = Effect.runForkWith(services)(program, { scheduler: this })
      this.main = fiber as AnyFiber
      const end = this.loop(this.limits.maxSteps)
      const exit = fiber.pollUnsafe()
      quiet?.(end)
      if (end !== "ended") this.leave(fiber as AnyFiber)
      this.state = "over"
      return { end, exit }
    })
  }

  // A program that hangs is taken down, or the list of open blocks would keep it for ever.
  private leave(fiber: AnyFiber): void {
    this.state = "leaving"
    this.next = undefined
    this.steps = 0
    this.attempt(() => fiber.interruptUnsafe())
    this.loop(10_000)
  }
}

// The bodies of blocks are nobody's to cancel: only their block does it.
const isTarget = (fiber: AnyFiber): boolean => {
  const place = fiber.getRef(Place)
  return place === undefined || place.fiber !== fiber ? !fiber.getRef(Internal) : place instanceof TaskMember
}
