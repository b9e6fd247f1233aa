/** One run of a program as the main program of a process, from its first step to the exit code. */
import { constants } from "node:os"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Duration from "effect/Duration"
import * as Runtime from "effect/Runtime"
import { type AnyEffect, open } from "../../core/internal/Block.ts"
import { interruptOf } from "../../core/internal/CancelReason.ts"
import { named } from "../../core/internal/Named.ts"
import { ScopeBlock, type Shape } from "../../core/internal/ScopeBlock.ts"
import { wordsOf } from "./LoopSample.ts"
import { LoopWatcher } from "./LoopWatcher.ts"
import { Screen } from "./Screen.ts"
import * as StandardOutput from "./StandardOutput.ts"

export interface Limits {
  /** How long the program has to stop by itself, in milliseconds. */
  readonly grace: number
  /** And how long its cleanup has when it was cancelled. */
  readonly cleanup: number
  /** Blocks of the event loop that are longer are told of. */
  readonly blockedAfter: number | undefined
}

/** Ends the program. SIGHUP comes when its terminal is closed. */
const endingSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const
type EndingSignal = typeof endingSignals[number]

/** Prints what runs: Ctrl-\ in a terminal. */
const treeSignal = "SIGQUIT"

type State =
  | { readonly _tag: "Running" }
  /** Asked to stop; it has its grace. */
  | { readonly _tag: "Stopping"; readonly signal: EndingSignal }
  /** Told to stop; it cleans up. */
  | { readonly _tag: "Cancelled" }
  /** Nothing of it runs any more; what it wrote goes out. */
  | { readonly _tag: "Ended" }

/** A program that stops faster than this says nothing about it. */
const noticeMillis = 300

/**
 * In a terminal Ctrl-C goes to everybody in it, and `npm run` sends the same signal
 * once more to what it has started, a millisecond later (npm 11 with bash; with other
 * shells it does not arrive). A person who presses twice is slower.
 */
const npmEchoMillis = 200

// Above this `setTimeout` wraps to one millisecond.
const longestTimeoutMillis = 2 ** 31 - 1

/** More of them say nothing new. */
const mostCrashes = 100

const shape: Shape = {
  kind: "scope",
  value: (exit) => exit,
  caught: (_, reason) => Exit.failCause(interruptOf(reason))
}

let runs = 0

export class MainRun implements StandardOutput.OutputListener {
  private readonly limits: Limits
  private readonly screen: Screen
  private readonly scope: ScopeBlock
  private state: State = { _tag: "Running" }
  private signal: EndingSignal | undefined = undefined
  private signalAt = 0
  private readonly crashes: Array<Cause.Die> = []
  private lost = false
  private readonly timers = new Set<NodeJS.Timeout>()
  private readonly undo: Array<() => void> = []

  constructor(program: Effect.Effect<unknown, unknown>, limits: Limits, name: string | undefined) {
    this.limits = limits
    this.screen = new Screen(name)
    this.scope = new ScopeBlock(shape, "main", () => program as AnyEffect, Infinity)
  }

  /** Everything is listened to before the program takes its first step. */
  start(): void {
    runs++
    this.undo.push(() => runs--, StandardOutput.listen(this))
    for (const signal of endingSignals) this.on(signal, () => this.signalled(signal))
    this.on(treeSignal, () => this.screen.tellTasks(`${treeSignal}: `))
    this.on("uncaughtException", (error: unknown, origin: string) => this.crashed(error, origin))
    if (this.limits.blockedAfter !== undefined) this.watchLoop(this.limits.blockedAfter)
    // A program may wait for something that holds no handle of Node, such as an event.
    const keepAlive = setInterval(() => {}, longestTimeoutMillis)
    this.undo.push(() => clearInterval(keepAlive))
    Effect.runFork(open(() => this.scope)).addObserver((exit) => this.ended(exit))
  }

  private on(event: string, listener: (...args: Array<any>) => void): void {
    process.on(event, listener)
    this.undo.push(() => process.removeListener(event, listener))
  }

  private watchLoop(thresholdMillis: number): void {
    const watcher = new LoopWatcher(thresholdMillis, {
      blocked: (report) => this.screen.tell(wordsOf(report)),
      failed: (error) => this.screen.tell(`The event loop is not watched: ${String(error)}`)
    })
    this.undo.push(() => void watcher.stop())
  }

  private after(millis: number, then: () => void): void {
    if (millis > longestTimeoutMillis) return
    this.timers.add(setTimeout(then, millis))
  }

  private clearTimers(): void {
    for (const timer of this.timers) clearTimeout(timer)
    this.timers.clear()
  }

  private signalled(signal: EndingSignal): void {
    // A daemon that reads its configuration again on SIGHUP listens to it.
    if (signal === "SIGHUP" && process.listenerCount(signal) > runs) return
    const sinceLast = performance.now() - this.signalAt
    this.signalAt = performance.now()
    if (this.signal !== undefined) {
      const echoed = signal === this.signal && sinceLast < npmEchoMillis && process.env["npm_lifecycle_event"] !== undefined
      if (!echoed) process.exit(codeOf(signal))
      return
    }
    this.signal = signal
    if (this.state._tag === "Running") this.stop(signal)
    // What it has written may go out for as long as it could clean up.
    else if (this.state._tag === "Ended") this.after(this.limits.cleanup, () => process.exit(codeOf(signal)))
  }

  private stop(signal: EndingSignal): void {
    const { cleanup, grace } = this.limits
    this.state = { _tag: "Stopping", signal }
    if (grace > 0) {
      const within = grace === Infinity ? "" : `, within ${written(grace)}`
      this.after(noticeMillis, () => this.screen.tell(`${signal}: stopping${within}; once more ends it at once`))
      this.after(grace, () => {
        this.screen.tell(`${signal}: has not stopped within ${written(grace)}, is cancelled; has ${written(cleanup)} to clean up`)
        this.cleaningUp(signal)
      })
    } else this.cleaningUp(signal)
    // It may end before this returns.
    this.scope.stop(grace, signal, "signal")
  }

  private cleaningUp(why: string): void {
    this.clearTimers()
    this.state = { _tag: "Cancelled" }
    const { cleanup } = this.limits
    this.after(cleanup, () => {
      this.screen.tellTasksShortly(`${why}: cleanup has not ended within ${written(cleanup)}, the process ends. Still there:`)
      if (this.crashes.length > 0) this.screen.tellFailures(Cause.fromReasons(this.crashes))
      this.exit(this.crashes.length === 0 && this.signal !== undefined ? codeOf(this.signal) : 1)
    })
  }

  private cancel(why: string): void {
    this.cleaningUp(why)
    this.scope.cancel("explicit", why)
  }

  /** Something outside of all tasks has thrown: nobody knows what state the program is in. */
  private crashed(error: unknown, origin: string): void {
    const where = origin === "unhandledRejection" ? "unhandled rejection" : "uncaught exception"
    const crash = named(Cause.makeDieReason(error), "process", where) as Cause.Die
    if (this.crashes.length < mostCrashes) this.crashes.push(crash)
    if (this.state._tag === "Ended") this.screen.tellFailures(Cause.fromReasons([crash]))
    else if (this.state._tag !== "Cancelled") this.cancel(where)
  }

  // In a pipeline Ctrl-C ends the reader, too: then the program has its grace all the same.
  readerGone(code: string): void {
    if (this.state._tag === "Running") this.cancel(`nobody reads the output any more (${code})`)
  }

  outputLost(error: NodeJS.ErrnoException): void {
    if (this.lost) return
    this.lost = true
    this.screen.tell(`standard output: ${error.message}; what cannot be written is lost, the program goes on`)
  }

  private ended(exit: Exit.Exit<unknown, unknown>): void {
    // Its cleanup took too long, and what was said last is still going out.
    if (this.state._tag === "Ended") return
    const cancelled = this.state._tag === "Cancelled"
    this.clearTimers()
    this.state = { _tag: "Ended" }
    const failures = [...(exit._tag === "Failure" ? failuresOf(exit.cause) : []), ...this.crashes]
    const told = failures.filter((reason) => Runtime.getErrorReported(errorOf(reason)))
    if (told.length > 0) this.screen.tellFailures(Cause.fromReasons(told))
    else if (exit._tag === "Failure" && failures.length === 0 && !cancelled) this.screen.tellFailures(exit.cause)
    this.exit(this.codeOf(exit, failures, cancelled))
  }

  private codeOf(exit: Exit.Exit<unknown, unknown>, failures: ReadonlyArray<Failed>, cancelled: boolean): number {
    if (this.crashes.length > 0) return Runtime.getErrorExitCode(errorOf(this.crashes[0]!))
    if (exit._tag === "Failure") {
      if (cancelled && this.signal !== undefined) return codeOf(this.signal)
      if (failures.length > 0) return Runtime.getErrorExitCode(Cause.squash(exit.cause))
      if (!cancelled) return 1
    }
    return 0
  }

  /** Ends well, and leaves the process to whoever else lives in it. */
  private leave(): void {
    for (const undo of this.undo.splice(0)) undo()
  }

  /** `process.exit` drops what has not gone out yet, and a write may still turn out to have failed. */
  private exit(code: number): void {
    this.state = { _tag: "Ended" }
    StandardOutput.flush(this.signal === undefined ? Infinity : this.limits.cleanup).then(() => {
      // Something may have gone wrong since.
      const failed = this.lost || this.crashes.length > 0
      if (code === 0 && !failed && this.signal === undefined) return this.leave()
      process.exit(code === 0 ? process.exitCode || Number(failed) : code)
    })
  }
}

type Failed = Cause.Fail<unknown> | Cause.Die

const failuresOf = (cause: Cause.Cause<unknown>): ReadonlyArray<Failed> =>
  cause.reasons.filter((reason): reason is Failed => reason._tag !== "Interrupt")

const errorOf = (reason: Failed): unknown => reason._tag === "Fail" ? reason.error : reason.defect

/** What a shell says of a process that a signal has ended. */
const codeOf = (signal: EndingSignal): number => 128 + constants.signals[signal]

const written = (millis: number): string => Duration.format(Duration.millis(millis))
