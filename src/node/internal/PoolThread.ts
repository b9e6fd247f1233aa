/**
 * One thread of a pool.
 *
 * It is a pool of piscina with a single thread in it, which is never replaced. So it
 * is known which thread runs which job: when that thread ends, in whatever way, it is
 * this job that has ended, and no other one can have been waiting for it. (In a pool of
 * several, piscina 5.3 leaves the jobs that wait for a thread that fails to start
 * waiting for ever, and may post a job to a thread that is about to end.)
 */
import type { Piscina } from "piscina"
import type { ResourceLimits, Transferable, Worker } from "node:worker_threads"
import { fileBeside } from "./FileBeside.ts"
import type { JobAnswer, JobMessage, StrayMessage, ThreadData } from "./Messages.ts"

export interface ThreadOptions {
  readonly resourceLimits: ResourceLimits | undefined
  readonly execArgv: ReadonlyArray<string> | undefined
}

/** Why a thread has ended. */
export type ThreadEnd =
  | { readonly _tag: "Failed"; readonly error: unknown }
  | { readonly _tag: "Exited"; readonly code: number }
  | { readonly _tag: "Terminated" }

/** What became of a job that was sent. */
export type Sent =
  | { readonly _tag: "Answered"; readonly answer: JobAnswer }
  | { readonly _tag: "NotSent"; readonly error: unknown }
  | { readonly _tag: "ThreadEnded"; readonly end: ThreadEnd }

export class PoolThread {
  /** Resolves when the thread is gone. */
  readonly ended: Promise<void>
  /** Something in it is broken: it gets no other job. */
  isFaulty = false
  private readonly pool: Piscina<JobMessage, JobAnswer>
  private readonly worker: Worker
  private readonly cancelled: Int32Array<SharedArrayBuffer>
  private end: ThreadEnd | undefined
  private jobs = 0

  constructor(Pool: typeof Piscina, options: ThreadOptions, onStray: (thread: PoolThread, stray: StrayMessage) => void) {
    this.cancelled = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
    const workerData: ThreadData = { cancelled: this.cancelled }
    const { execArgv, resourceLimits } = options
    this.pool = new Pool({
      filename: fileBeside(import.meta.url, "ThreadWorker").href,
      name: "run",
      workerData,
      // One thread, which is there from the start: piscina keeps no queue then.
      minThreads: 1,
      maxThreads: 1,
      concurrentTasksPerWorker: 1,
      idleTimeout: Infinity,
      // Asleep in Atomics.wait a thread would not hear its own timers and sockets between two jobs.
      atomics: "disabled",
      recordTiming: false,
      ...(resourceLimits === undefined ? {} : { resourceLimits }),
      ...(execArgv === undefined ? {} : { execArgv: [...execArgv] })
    })
    // The worker's own events say more.
    this.pool.on("error", () => {})
    const worker = this.worker = this.pool.threads[0]!
    this.ended = new Promise((resolve) => {
      // Before piscina hears of it, and starts another thread in place of this one.
      worker.prependListener("error", (error) => this.hasEnded({ _tag: "Failed", error }))
      worker.prependListener("exit", (code) => {
        this.hasEnded({ _tag: "Exited", code })
        resolve()
      })
    })
    worker.on("message", (message: Partial<StrayMessage> | null) => {
      if (message?._tag === "effect-nursery/Stray") onStray(this, message as StrayMessage)
    })
  }

  get isAlive(): boolean {
    return this.end === undefined
  }


  /** Sends a job to it; it must have none. Resolves when the job has really ended. */
  async send(message: Omit<JobMessage, "id">, transfer: ReadonlyArray<Transferable>): Promise<Sent> {
    // Wraps round as the shared number does.
    const id = this.jobs = (this.jobs + 1) | 0
    try {
      return { _tag: "Answered", answer: await this.pool.run({ ...message, id }, { transferList: transfer as never }) }
    } catch (error) {
      if (this.isAlive) return { _tag: "NotSent", error }
      // It has failed already, but it is not gone yet.
      await this.ended
      return { _tag: "ThreadEnded", end: this.end! }
    }
  }

  /** Lets the job that runs in it know that it was cancelled. */
  cancel(): void {
    Atomics.store(this.cancelled, 0, this.jobs)
    Atomics.notify(this.cancelled, 0)
  }

  /** Ends it, in the middle of whatever it does. What cannot be ended is a native call, until it returns. */
  terminate(): Promise<void> {
    // The end of an idle thread must be waited for, and an idle thread does not keep the process alive.
    this.worker.ref()
    this.hasEnded({ _tag: "Terminated" })
    return this.ended
  }

  private hasEnded(end: ThreadEnd): void {
    if (this.end !== undefined) return
    this.end = end
    // What it returns is not waited for: it looks for the end of a thread that may have ended already.
    void this.pool.destroy()
  }
}
