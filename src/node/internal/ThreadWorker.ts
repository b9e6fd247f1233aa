/**
 * What runs in each thread of a pool: imports the modules of jobs, calls their
 * functions, and tells how they ended.
 *
 * Imports nothing of Effect. One job runs at a time.
 */
import { MessageChannel, type MessagePort, parentPort, type Transferable, workerData } from "node:worker_threads"
import { CallError, Cancelled } from "./CallError.ts"
import { cloneProblem } from "./Cloneable.ts"
import { type JobContext, jobContext, transferOf } from "./JobContext.ts"
import type { JobAnswer, JobMessage, StrayMessage, ThreadData } from "./Messages.ts"
import { toThrown } from "./Thrown.ts"
import { WorkerLine } from "./WorkerLine.ts"

const { cancelled } = workerData as ThreadData

/** The job of this thread, until its answer is known. */
let current: RunningJob | undefined

class RunningJob implements JobContext {
  readonly name: string
  readonly id: number
  readonly line: WorkerLine | undefined
  ended = false
  /** Ends the job with what failed beside its function. */
  fail: ((error: unknown) => void) | undefined
  private controller: AbortController | undefined

  constructor(message: JobMessage) {
    this.name = message.name
    this.id = message.id
    this.line = message.line === undefined ? undefined : new WorkerLine(message.line)
  }

  get isCancelled(): boolean {
    return !this.ended && Atomics.load(cancelled, 0) === this.id
  }

  get signal(): AbortSignal {
    const controller = this.controller ??= new AbortController()
    // In this order: what is cancelled after the look is seen by the watch.
    watch()
    this.notice()
    return controller.signal
  }

  /** Aborts the signal, if somebody has asked for it, when the job was cancelled. */
  notice(): void {
    if (this.controller !== undefined && this.isCancelled) this.controller.abort(new Cancelled(this.name))
  }

  get isWatched(): boolean {
    return this.controller !== undefined
  }

  call(name: string, args: ReadonlyArray<unknown>): Promise<unknown> {
    return this.line === undefined ? Promise.reject(this.notOffered(name)) : this.line.call(name, args)
  }

  callSync(name: string, args: ReadonlyArray<unknown>): unknown {
    if (this.line === undefined) throw this.notOffered(name)
    return this.line.callSync(name, args)
  }

  private notOffered(name: string): CallError {
    return new CallError(this.ended ? "over" : "notOffered", name)
  }

  end(): void {
    this.ended = true
    this.line?.end()
  }
}

// The types of ES2024, which the library does not need otherwise.
const { waitAsync } = Atomics as unknown as {
  waitAsync(array: Int32Array<SharedArrayBuffer>, index: number, value: number): { readonly value: string | Promise<string> }
}

let watching = false

// One wait for the thread, and not one for each job: it cannot be taken back.
const watch = (): void => {
  if (watching) return
  watching = true
  void Promise.resolve(waitAsync(cancelled, 0, Atomics.load(cancelled, 0)).value).then(() => {
    watching = false
    current?.notice()
    if (current?.isWatched === true) watch()
  })
}

const failedBeside = (error: unknown): void => {
  // Where the thing was begun that failed; a module's own timers and sockets belong to no job.
  const job = jobContext.getStore() as RunningJob | undefined ?? current
  if (job !== undefined && !job.ended) return job.fail?.(error)
  const stray: StrayMessage = { _tag: "effect-nursery/Stray", thrown: toThrown(error), job: job?.name }
  parentPort!.postMessage(stray)
}

process.on("uncaughtException", failedBeside)
process.on("unhandledRejection", failedBeside)

type Namespace = Readonly<Record<string, unknown>>

const modules = new Map<string, Namespace>()

const functionsOf = (module: Namespace): Array<string> => Object.keys(module).filter((key) => typeof module[key] === "function")

const notThere = (module: Namespace, name: string): JobAnswer => ({
  _tag: "NotThere",
  found: Object.hasOwn(module, name) ? typeof module[name] : "undefined",
  functions: functionsOf(module)
})

/** Runs a function and waits for what it returns. */
const outcomeOf = (job: RunningJob, body: () => unknown): Promise<JobAnswer> =>
  new Promise((resolve) => {
    job.fail = (error) => resolve({ _tag: "Threw", thrown: toThrown(error), beside: true })
    // A turn of the loop later: a promise that the function has left behind, and that has
    // failed, is reported by then, and this job is the one that it belongs to.
    const after = (answer: () => JobAnswer): void => void setImmediate(() => resolve(answer()))
    const threw = (error: unknown): void => after(() => ({ _tag: "Threw", thrown: toThrown(error), beside: false }))
    const returned = (value: unknown): void => after(() => answerOf(value))
    jobContext.run(job, () => {
      try {
        const result = body()
        if (result instanceof Promise) result.then(returned, threw)
        else if (isThenable(result)) Promise.resolve(result).then(returned, threw)
        else returned(result)
      } catch (error) {
        threw(error)
      }
    })
  })

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" && value !== null && "then" in value && typeof value.then === "function"

const answerOf = (value: unknown): JobAnswer => {
  const transfer = transferOf(value)
  if (transfer !== undefined) return moved(transfer.value, transfer.list)
  const problem = cloneProblem(value)
  return problem === undefined ? { _tag: "Returned", value } : { _tag: "NotCloneable", thrown: toThrown(problem) }
}

// Moved here, where a list that is no good can be answered for: after the pool's own
// send has failed nobody would be left to tell.
const moved = (value: unknown, list: ReadonlyArray<unknown>): JobAnswer => {
  const { port1, port2 } = new MessageChannel()
  try {
    port1.postMessage(value, list as Array<Transferable>)
    return { _tag: "Moved", port: port2 }
  } catch (error) {
    port1.close()
    return { _tag: "NotCloneable", thrown: toThrown(error) }
  }
}

/** Tells the pool that the port in an answer is to be moved along. */
const withPort = async (answer: JobAnswer & { readonly port: MessagePort }): Promise<unknown> => {
  const { Piscina } = await import("piscina")
  return Piscina.move({
    get [Piscina.transferableSymbol as never]() {
      return [answer.port]
    },
    get [Piscina.valueSymbol as never]() {
      return answer
    }
  } as never)
}

const answer = async (message: JobMessage): Promise<JobAnswer> => {
  let module = modules.get(message.url)
  if (module === undefined) {
    try {
      module = await import(message.url) as Namespace
    } catch (error) {
      return { _tag: "NotLoaded", thrown: toThrown(error) }
    }
    modules.set(message.url, module)
  }
  const f = Object.hasOwn(module, message.name) ? module[message.name] : undefined
  if (typeof f !== "function") return notThere(module, message.name)
  const job = current = new RunningJob(message)
  const outcome = await outcomeOf(job, () => f(...message.args))
  job.end()
  current = undefined
  return outcome
}

/** What the pool calls. */
export const run = async (message: JobMessage): Promise<unknown> => {
  const outcome = await answer(message)
  return outcome._tag === "Moved" ? withPort(outcome) : outcome
}
