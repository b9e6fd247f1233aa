/** Threads, and the jobs that run in them or wait for one. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Piscina } from "piscina"
import type * as CapacityLimiter from "../../core/CapacityLimiter.ts"
import * as Errors from "../../core/Errors.ts"
import type { CallLine } from "./CallLine.ts"
import type { StrayMessage } from "./Messages.ts"
import { PoolThread, type ThreadOptions } from "./PoolThread.ts"
import type { ThreadError } from "./ThreadError.ts"
import { endedAsTold, type JobExit, ThreadJob, type Work } from "./ThreadJob.ts"
import { fromThrown, lineOf } from "./Thrown.ts"

export type OnCancel = "wait" | "abandon" | "terminate"

export interface PoolOptions extends ThreadOptions {
  readonly name: string
  readonly maxThreads: number
  /** How long the jobs that run when the pool is closed have to end. */
  readonly graceMillis: number
}

export interface Statistics {
  /** So many jobs run at a time; serial ones are not counted. */
  readonly maxThreads: number
  /** Threads that live now, the serial one included. */
  readonly threads: number
  /** Jobs that run now, such as `fib of work.ts`; those that were abandoned run until they end. */
  readonly running: ReadonlyArray<string>
  /** How many jobs wait for a thread. */
  readonly waiting: number
}

/** Node takes a longer one for one of a millisecond. */
const longestTimerMillis = 2 ** 31 - 1

/** Where the jobs of one kind wait, and the threads that have nothing to do. */
interface Lane {
  readonly limiter: CapacityLimiter.CapacityLimiter
  readonly idle: Array<PoolThread>
}

/** The one that was used last. Something that a job had left to run may have ended it since. */
const idleIn = ({ idle }: Lane): PoolThread | undefined => {
  let thread = idle.pop()
  while (thread !== undefined && !thread.isAlive) thread = idle.pop()
  return thread
}

export class Pool {
  readonly name: string
  private readonly options: PoolOptions
  private readonly Piscina: typeof Piscina
  private readonly lanes: { readonly parallel: Lane; readonly serial: Lane }
  private readonly jobs = new Set<ThreadJob>()
  private readonly threads = new Set<PoolThread>()
  private state: "open" | "closed" = "open"

  constructor(
    Pool: typeof Piscina,
    options: PoolOptions,
    parallel: CapacityLimiter.CapacityLimiter,
    serial: CapacityLimiter.CapacityLimiter
  ) {
    this.Piscina = Pool
    this.options = options
    this.name = options.name
    this.lanes = { parallel: { limiter: parallel, idle: [] }, serial: { limiter: serial, idle: [] } }
  }

  get statistics(): Statistics {
    const { parallel, serial } = this.lanes
    return {
      maxThreads: this.options.maxThreads,
      threads: this.threads.size,
      running: Array.from(this.jobs, String),
      waiting: parallel.limiter.statistics.waiting + serial.limiter.statistics.waiting
    }
  }

  toString(): string {
    const { running, waiting } = this.statistics
    return `Threads(${this.name}, ${running.length} of ${this.options.maxThreads} running, ${waiting} waiting)`
  }

  toJSON(): unknown {
    return { _id: "Threads", name: this.name, ...this.statistics }
  }

  /** Waits for a thread, runs the job in it, and keeps the token until the job has really ended. */
  run(
    work: Work,
    onCancel: OnCancel,
    isSerial: boolean,
    line: CallLine | undefined
  ): Effect.Effect<unknown, ThreadError | Errors.Closed> {
    return Effect.uninterruptibleMask((restore) => {
      const lane = isSerial ? this.lanes.serial : this.lanes.parallel
      const job = new ThreadJob(work, this.label)
      const token = restore(Scope.provide(lane.limiter.acquireFor(job), job.scope)) as Effect.Effect<void>
      // A job is a borrower only once, so there is no `Busy`. A token that has come together with an interrupt goes back.
      return Effect.onError(token, () => Scope.close(job.scope, Exit.void)).pipe(
        // The token and the thread are one step: nothing is interrupted in between.
        Effect.flatMap(() => this.begin(job, lane, line)),
        Effect.flatMap(() => Effect.onInterrupt(restore(job.awaitExit("waiting for")), () => this.cancel(job, onCancel, line)))
      )
    })
  }

  private get label(): string {
    return `thread pool ${this.name}`
  }

  private begin(job: ThreadJob, lane: Lane, line: CallLine | undefined): Effect.Effect<void, Errors.Closed> {
    let refused: Exit.Exit<never, Errors.Closed> | undefined
    if (this.state === "closed") refused = Exit.fail(new Errors.Closed({ what: this.label }))
    else {
      try {
        const thread = idleIn(lane) ?? this.newThread()
        this.jobs.add(job)
        void job.run(thread, line).then(() => this.ended(job, thread, lane))
        return Exit.void
      } catch (defect) {
        // Options that Node has no thread for.
        refused = Exit.die(defect)
      }
    }
    return Effect.andThen(Scope.close(job.scope, Exit.void), refused)
  }

  private newThread(): PoolThread {
    const thread = new PoolThread(this.Piscina, this.options, (thread, stray) => this.stray(thread, stray))
    this.threads.add(thread)
    void thread.ended.then(() => this.threads.delete(thread))
    return thread
  }

  private ended(job: ThreadJob, thread: PoolThread, lane: Lane): void {
    this.jobs.delete(job)
    if (this.state === "closed" || thread.isFaulty) void thread.terminate()
    else if (thread.isAlive) lane.idle.push(thread)
    Effect.runSync(Scope.close(job.scope, Exit.void))
    job.tell()
  }

  private cancel(job: ThreadJob, onCancel: OnCancel, line: CallLine | undefined): Effect.Effect<void, ThreadError | Errors.Closed> {
    return Effect.suspend(() => {
      job.cancel()
      // A job that waits for an answer must hear of it, too.
      line?.over()
      if (onCancel === "abandon") return Effect.void
      if (onCancel === "terminate") job.terminate()
      return Effect.exit(job.awaitExit("waiting for the end of")).pipe(
        Effect.flatMap((exit: JobExit) => onCancel === "terminate" || endedAsTold(exit) ? Effect.void : exit as Exit.Exit<never, never>)
      )
    })
  }

  private stray(thread: PoolThread, { job, thrown }: StrayMessage): void {
    thread.isFaulty = true
    process.emitWarning(
      `${job === undefined ? "A module" : `The job ${job}`} left something to run in a thread of ${this.label} that failed later: ` +
        `${lineOf(fromThrown(thrown))}. The thread is replaced.`,
      "ThreadWarning"
    )
    for (const { idle } of Object.values(this.lanes)) {
      const index = idle.indexOf(thread)
      if (index === -1) continue
      idle.splice(index, 1)
      void thread.terminate()
    }
  }

  /** Ends the threads: those with a job when it has ended, or when the grace has passed. */
  async close(): Promise<void> {
    this.state = "closed"
    for (const { idle, limiter } of Object.values(this.lanes)) {
      for (const thread of idle.splice(0)) void thread.terminate()
      // All who wait for a token go on, and find the pool closed.
      Effect.runSync(limiter.setTotal(Infinity))
    }
    for (const job of this.jobs) job.cancel()
    // In real time, as threads are: a test's clock may stand still.
    const timer = setTimeout(() => this.jobs.forEach((job) => job.terminate()), Math.min(this.options.graceMillis, longestTimerMillis))
    // A job that ends now takes its thread with it.
    while (this.threads.size > 0) await Promise.all(Array.from(this.threads, (thread) => thread.ended))
    clearTimeout(timer)
  }
}
