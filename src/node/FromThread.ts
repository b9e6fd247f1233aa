/**
 * The job's side of {@link Thread}: what the code that runs in a thread asks of the
 * loop that runs it.
 *
 * Import it in the module of the job, by this path: it loads nothing of Effect.
 *
 * ```ts fragment
 * import * as FromThread from "effect-nursery/node/FromThread"
 * ```
 *
 * Outside of a job nothing is ever cancelled, and nobody answers. So the functions of
 * a job can be called, and tested, without a thread.
 *
 * Semantics: Trio's `from_thread`.
 *
 * @since 0.1.0
 */
import type { Transferable } from "node:worker_threads"
import { CallError, Cancelled } from "./internal/CallError.ts"
import { jobContext, makeTransfer } from "./internal/JobContext.ts"

export { CallError, Cancelled }

/**
 * Throws `Cancelled` if the caller of this job was cancelled, or the pool is being
 * closed.
 *
 * **When to use**
 *
 * In loops that compute. It reads one number that the threads share, so it costs next
 * to nothing and works in a job that never gives its event loop a turn. A job that
 * awaits hands its {@link signal} on instead.
 *
 * **Example** (A job that can be stopped)
 *
 * ```ts
 * import { FromThread } from "effect-nursery/node"
 *
 * export const countPrimes = (below: number): number => {
 *   let count = 0
 *   for (let n = 2; n < below; n++) {
 *     FromThread.checkCancelled()
 *     let divisor = 2
 *     while (divisor * divisor <= n && n % divisor !== 0) divisor++
 *     if (divisor * divisor > n) count++
 *   }
 *   return count
 * }
 *
 * console.log(countPrimes(100))
 * ```
 *
 * ```text output
 * 25
 * ```
 *
 * @since 0.1.0
 */
export const checkCancelled = (): void => {
  const job = jobContext.getStore()
  if (job?.isCancelled === true) throw new Cancelled(job.name)
}

const neverAborted = new AbortController().signal

/**
 * An `AbortSignal` that is aborted when the caller of this job is cancelled, for
 * `fetch`, timers and whatever else takes one. Its reason is `Cancelled`.
 *
 * **Gotchas**
 *
 * It is told in a turn of the thread's event loop. Asked for again, it is up to date at
 * once; in a loop use {@link checkCancelled}.
 *
 * **Example** (Waiting in a job)
 *
 * ```ts
 * import { promisify } from "node:util"
 * import { FromThread } from "effect-nursery/node"
 *
 * const sleep = promisify(setTimeout)
 *
 * export const nap = async (millis: number): Promise<string> => {
 *   await sleep(millis, undefined, { signal: FromThread.signal() })
 *   return "awake"
 * }
 *
 * console.log(await nap(1))
 * ```
 *
 * ```text output
 * awake
 * ```
 *
 * @since 0.1.0
 */
export const signal = (): AbortSignal => jobContext.getStore()?.signal ?? neverAborted

declare const CallsId: unique symbol

/**
 * The calls that a module makes into the loop: `I` is an interface of functions, which
 * the module exports and the caller of its jobs implements.
 *
 * @since 0.1.0
 */
export interface Calls<in out I> {
  readonly [CallsId]?: (calls: I) => I
  /** Calls a handler. Fails with `CallError`. */
  run<K extends keyof I & string>(
    name: K,
    args: I[K] extends (...args: infer P) => unknown ? P : never
  ): Promise<I[K] extends (...args: never) => infer A ? Awaited<A> : never>
  /** The same, and the thread sleeps until the answer is there. Throws `CallError`. */
  runSync<K extends keyof I & string>(
    name: K,
    args: I[K] extends (...args: infer P) => unknown ? P : never
  ): I[K] extends (...args: never) => infer A ? Awaited<A> : never
}

const current = {
  run: (name: string, args: ReadonlyArray<unknown>) =>
    jobContext.getStore()?.call(name, args) ?? Promise.reject(new CallError("over", name)),
  runSync: (name: string, args: ReadonlyArray<unknown>) => {
    const job = jobContext.getStore()
    if (job === undefined) throw new CallError("over", name)
    return job.callSync(name, args)
  }
}

/**
 * Makes the calls of an interface, for the jobs of this module. The one who runs a job
 * gives the handlers, as effects: `run(name, args, { handlers })`.
 *
 * **Details**
 *
 * Export what it returns. Then the type of the module, which `Thread.module` is given,
 * knows the interface, and the compiler checks the handlers.
 *
 * Handlers run as tasks of a nursery around the job. They are cancelled with the caller
 * of the job, and when the job ends; the call then fails with `CallError` "over".
 *
 * **Gotchas**
 *
 * A handler that runs a job itself needs a free thread. If all threads are taken by jobs
 * that wait for such handlers, they wait for each other.
 *
 * **Example** (Asking the loop for a part)
 *
 * ```ts
 * import { isMainThread } from "node:worker_threads"
 * import { Console, Effect } from "effect"
 * import { FromThread, Thread } from "effect-nursery/node"
 *
 * interface Loop {
 *   greeting(name: string): string
 * }
 *
 * export const loop = FromThread.calls<Loop>()
 *
 * export const letter = (name: string): string => `${loop.runSync("greeting", [name])}, all is well.`
 *
 * // Jobs better have a module of their own: this one is loaded by the thread, too.
 * if (isMainThread) {
 *   const jobs = Thread.module<{ loop: typeof loop; letter: typeof letter }>(new URL(import.meta.url))
 *   const handlers = { greeting: (name: string) => Effect.succeed(`Dear ${name}`) }
 *   const program = Effect.flatMap(jobs.run("letter", ["Ada"], { handlers }), Console.log)
 *
 *   await Effect.runPromise(program.pipe(Effect.provide(Thread.layer())))
 * }
 * ```
 *
 * ```text output
 * Dear Ada, all is well.
 * ```
 *
 * @since 0.1.0
 */
export const calls = <I extends { readonly [K in keyof I]: (...args: any) => unknown }>(): Calls<I> =>
  current as Calls<any>

/**
 * A result whose buffers, ports and streams are moved to the caller of the job, and not
 * copied. They cannot be used in the thread any more.
 *
 * **Example** (A large array)
 *
 * ```ts
 * import { FromThread } from "effect-nursery/node"
 *
 * export const squares = (n: number): Float64Array => {
 *   const values = Float64Array.from({ length: n }, (_, i) => i * i)
 *   return FromThread.transfer(values, [values.buffer])
 * }
 *
 * console.log(squares(4))
 * ```
 *
 * ```text output
 * Float64Array(4) [ 0, 1, 4, 9 ]
 * ```
 *
 * @since 0.1.0
 */
export const transfer = <A>(value: A, list: ReadonlyArray<Transferable>): A =>
  jobContext.getStore() === undefined ? value : makeTransfer(value, list) as A
