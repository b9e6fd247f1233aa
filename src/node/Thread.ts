/**
 * Threads: runs blocking and CPU-bound functions off the event loop, a bounded number
 * at a time, with a say in what a cancellation does to them.
 *
 * A closure cannot leave its thread in JavaScript. So a job is a function that a module
 * exports; its arguments and its result are copied.
 *
 * Semantics: Trio's `to_thread.run_sync` with its limiter, and Django's
 * `thread_sensitive` mode. The job's side is {@link FromThread}. The threads are
 * piscina's, an optional peer dependency: `npm install piscina`.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { availableParallelism } from "node:os"
import type { ResourceLimits, Transferable } from "node:worker_threads"
import * as CapacityLimiter from "../core/CapacityLimiter.ts"
import type * as Errors from "../core/Errors.ts"
import { oneOf } from "../core/internal/Options.ts"
import { millisOf } from "../core/internal/ScopeBlock.ts"
import * as Nursery from "../core/Nursery.ts"
import type { Calls } from "./FromThread.ts"
import { CallLine } from "./internal/CallLine.ts"
import { Pool } from "./internal/Pool.ts"
import { ThreadError } from "./internal/ThreadError.ts"
import type { Work } from "./internal/ThreadJob.ts"

export { ThreadError }

/**
 * A function that can run in a thread. It may return a promise.
 *
 * @since 0.1.0
 */
export type Job = (...args: ReadonlyArray<any>) => any

/**
 * How one job is run.
 *
 * @since 0.1.0
 */
export interface Options<H = {}> {
  /**
   * What happens to a job that runs when its caller is cancelled. In each case it is
   * told so (`FromThread.checkCancelled`), and its result is dropped.
   *
   * - `"wait"`: the caller ends when the job has ended. Nothing outlives its block.
   * - `"abandon"`: the caller ends at once. The job runs on, and keeps its thread.
   * - `"terminate"`: the thread is ended, wherever the job is, and replaced.
   *
   * Default: `"wait"`. A job that waits for a thread never starts.
   */
  readonly onCancel?: "wait" | "abandon" | "terminate"
  /**
   * Serial jobs run one after the other, all in one thread that has no others: what its
   * modules keep stays. It is not counted in `maxThreads`. Default: `false`.
   */
  readonly serial?: boolean
  /** Buffers, ports and streams in the arguments that are moved, and not copied. The caller cannot use them any more. */
  readonly transfer?: ReadonlyArray<Transferable>
  /** Effects for the job to call, see `FromThread.calls`. */
  readonly handlers?: H
}

type Union<M> = { [K in keyof M]: M[K] extends Calls<infer I> ? (calls: I) => void : never }[keyof M]

type CallsOf<M> = Union<M> extends (calls: infer I) => void ? (unknown extends I ? {} : I) : {}

/**
 * The handlers of an interface of functions: effects that take the same arguments and
 * have the same value. They may fail and need services.
 *
 * @since 0.1.0
 */
export type Handlers<I, R = any> = {
  readonly [K in keyof I]?: I[K] extends (...args: infer P) => infer A ? (...args: P) => Effect.Effect<Awaited<A>, unknown, R>
    : never
}

type ServicesOf<H> = H[keyof H] extends infer F ? F extends (...args: never) => Effect.Effect<any, any, infer R> ? R : never : never

/**
 * The names of the functions of a module.
 *
 * @since 0.1.0
 */
export type JobName<M> = { [K in keyof M & string]: M[K] extends Job ? K : never }[keyof M & string]

/**
 * A module whose functions run in threads.
 *
 * @since 0.1.0
 */
export interface Module<M> {
  readonly url: URL
  /**
   * Runs a function of the module in a thread: waits for one, first come, first served,
   * and for the result.
   */
  run<K extends JobName<M>, H extends Handlers<CallsOf<M>> = Handlers<CallsOf<M>, never>>(
    name: K,
    args: M[K] extends (...args: infer P) => unknown ? P : never,
    options?: Options<H>
  ): Effect.Effect<
    M[K] extends (...args: never) => infer A ? Awaited<A> : never,
    ThreadError | Errors.Closed,
    Threads | ServicesOf<H>
  >
}

/**
 * The threads at this moment.
 *
 * @since 0.1.0
 */
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

/**
 * Threads, as a service.
 *
 * @since 0.1.0
 */
export interface ThreadPool {
  readonly name: string
  readonly statistics: Statistics
}

/**
 * The threads that jobs run in. Comes from {@link layer}.
 *
 * **Example** (What they do)
 *
 * ```ts
 * import type * as Crypto from "node:crypto"
 * import { Console, Effect } from "effect"
 * import { Thread } from "effect-nursery/node"
 *
 * const crypto = Thread.module<typeof Crypto>(new URL("node:crypto"))
 *
 * const program = Effect.gen(function*() {
 *   const threads = yield* Thread.Threads
 *   yield* Effect.forkScoped(crypto.run("scryptSync", ["secret", "salt", 32]), { startImmediately: true })
 *   yield* Console.log(threads.statistics)
 * })
 *
 * await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(Thread.layer({ maxThreads: 2 }))))
 * ```
 *
 * ```text output
 * {
 *   maxThreads: 2,
 *   threads: 1,
 *   running: [ 'scryptSync of node:crypto' ],
 *   waiting: 0
 * }
 * ```
 *
 * @since 0.1.0
 */
export class Threads extends Context.Service<Threads, ThreadPool>()("effect-nursery/Threads") {}

const shown = (value: unknown): string => `got \`${String(value)}\` (${typeof value})`

/** Such as `work.ts`, `node:zlib`, `data: module`. */
const titleOf = (url: URL): string => {
  if (url.protocol === "data:") return "a data: module"
  if (url.protocol !== "file:") return url.href
  return decodeURIComponent(url.pathname.slice(url.pathname.lastIndexOf("/") + 1))
}

/**
 * Names a module whose functions run in threads. Nothing is loaded here: each thread
 * imports the module when it first runs a job of it.
 *
 * **When to use**
 *
 * For what computes or blocks for more than a few milliseconds, and so keeps everything
 * else from running: parsing, hashing, compressing, drivers without promises.
 *
 * **Details**
 *
 * Give the type of the module, by `import type * as Work from "./work.ts"`, and names,
 * arguments and results are checked. Arguments and results are copied with the structured clone
 * algorithm: data goes, functions do not, and an instance of a class arrives as a plain
 * object, a `Buffer` as a `Uint8Array`.
 *
 * The module is run by Node, not by a bundler or a test runner. TypeScript of which
 * types need only be taken out is fine.
 *
 * **Gotchas**
 *
 * What a job leaves to run, such as a timer or a promise that it did not await, runs on
 * beside the next job of its thread. If it fails before the job has ended, the job
 * fails; later it is a warning of the process. In both cases the thread is replaced.
 *
 * **Example** (A hash that takes its time)
 *
 * ```ts
 * import type * as Crypto from "node:crypto"
 * import { Console, Effect } from "effect"
 * import { Thread } from "effect-nursery/node"
 *
 * const crypto = Thread.module<typeof Crypto>(new URL("node:crypto"))
 *
 * const program = Effect.gen(function*() {
 *   const key = yield* crypto.run("pbkdf2Sync", ["secret", "salt", 100_000, 8, "sha512"])
 *   yield* Console.log(Buffer.from(key).toString("hex"))
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide(Thread.layer())))
 * ```
 *
 * ```text output
 * 3745e482c6e0ade3
 * ```
 *
 * @see {@link FromThread} for what a job can ask of the loop
 * @since 0.1.0
 */
export const module = <M extends object>(url: URL): Module<M> => {
  if (typeof (url as URL | undefined)?.href !== "string") {
    throw new TypeError(`Expected \`url\` to be a URL, such as new URL("./work.ts", import.meta.url), ${shown(url)}`)
  }
  const title = titleOf(url)
  const run = (name: string, args: ReadonlyArray<unknown>, options: Options<Handlers<any>> = {}): Effect.Effect<unknown, any, any> =>
    Effect.suspend(() => {
      if (!Array.isArray(args)) throw new TypeError(`Expected \`args\` to be an array, ${shown(args)}`)
      oneOf("onCancel", options.onCancel, ["wait", "abandon", "terminate"])
      const work: Work = { url: url.href, name, args, transfer: options.transfer ?? [], label: `${name} of ${title}` }
      return Effect.flatMap(Threads, (threads) => {
        const runIn = (line: CallLine | undefined) => (threads as Pool).run(work, options.onCancel ?? "wait", options.serial ?? false, line)
        return options.handlers === undefined ? runIn(undefined) : withHandlers(work.label, options.handlers, runIn)
      })
    })
  return { url, run } as unknown as Module<M>
}

/** Runs a job in a nursery of which its handlers are the tasks. */
const withHandlers = (
  name: string,
  handlers: Handlers<any>,
  run: (line: CallLine) => Effect.Effect<unknown, ThreadError | Errors.Closed>
): Effect.Effect<unknown, ThreadError | Errors.Closed> =>
  Nursery.open((n) =>
    Effect.gen(function*() {
      const spawner = yield* n.accepting<never>()
      const start = yield* spawner.runtime()
      const line = new CallLine(handlers, (handler, effect) => void start(effect, { name: handler }))
      const leave = Effect.andThen(
        // Handlers that nobody waits for any more; and a job that was abandoned gets no others.
        Effect.sync(() => line.over()),
        n.cancelTasks(`${name} has ended`)
      )
      return yield* Effect.ensuring(run(line), leave)
    }), { name })

/**
 * The threads of a program.
 *
 * **Details**
 *
 * Threads are started when jobs need them, and live until the layer is closed. Then new
 * jobs, and those that still wait, fail with `Closed`; those that run are told to stop,
 * have the grace to end, and are ended. The layer is closed when the last thread is gone.
 *
 * **Gotchas**
 *
 * Nothing can end a thread in the middle of a native call, such as `pbkdf2Sync` or a
 * blocking read: `"terminate"`, and the closing of the layer, wait for its return.
 *
 * **Example** (A thread for one job at a time)
 *
 * ```ts
 * import type * as Zlib from "node:zlib"
 * import { Console, Effect } from "effect"
 * import { Tasks } from "effect-nursery"
 * import { Thread } from "effect-nursery/node"
 *
 * const zlib = Thread.module<typeof Zlib>(new URL("node:zlib"))
 *
 * const program = Effect.gen(function*() {
 *   const texts = ["a".repeat(10_000), "b".repeat(20_000)]
 *   const packed = yield* Tasks.map(texts, (text) => zlib.run("gzipSync", [text]))
 *   const unpacked = yield* Tasks.map(packed, (bytes) => zlib.run("gunzipSync", [bytes]))
 *   yield* Console.log(unpacked.map((bytes) => bytes.length))
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide(Thread.layer({ maxThreads: 1 }))))
 * ```
 *
 * ```text output
 * [ 10000, 20000 ]
 * ```
 *
 * @since 0.1.0
 */
export const layer = (options?: LayerOptions): Layer.Layer<Threads> =>
  Layer.effect(Threads, Effect.acquireRelease(open(options ?? {}), (pool) => Effect.promise(() => pool.close())))

/**
 * How the threads are made.
 *
 * @since 0.1.0
 */
export interface LayerOptions {
  /** The name of the pool, and of the limiter that jobs wait for in the task tree. Default: `"threads"`. */
  readonly name?: string
  /** So many jobs run at a time, each in a thread. Default: what the machine can run at once (`os.availableParallelism()`). */
  readonly maxThreads?: number
  /** How long jobs that run have to end when the layer is closed, before their threads are ended. Default: `"1 second"`. */
  readonly grace?: Duration.Input
  /** What a thread may take of memory; see `worker_threads.Worker`. Default: as much as the main thread. */
  readonly resourceLimits?: ResourceLimits
  /** Options of Node for the threads, such as `["--import", "./register.ts"]`. Default: those of the main thread. */
  readonly execArgv?: ReadonlyArray<string>
}

const open = Effect.fnUntraced(function*(options: LayerOptions) {
  const maxThreads = options.maxThreads ?? availableParallelism()
  if (!Number.isInteger(maxThreads) || maxThreads < 1) {
    throw new RangeError(`Expected \`maxThreads\` to be an integer from 1 and up, ${shown(options.maxThreads)}`)
  }
  const graceMillis = millisOf("grace", options.grace ?? "1 second")
  const name = options.name ?? "threads"
  const { Piscina } = yield* Effect.promise(loadPiscina)
  const parallel = yield* CapacityLimiter.make(maxThreads, { name })
  const serial = yield* CapacityLimiter.make(1, { name: `serial ${name}` })
  const { execArgv, resourceLimits } = options
  return new Pool(Piscina, { name, maxThreads, graceMillis, execArgv, resourceLimits }, parallel, serial)
})

// Here and not above: whoever runs no jobs needs no piscina.
const loadPiscina = () =>
  import("piscina").catch((cause: unknown) => {
    throw (cause as { readonly code?: unknown }).code === "ERR_MODULE_NOT_FOUND"
      ? new Error("Thread.layer needs the package piscina, which is not installed: npm install piscina", { cause })
      : cause
  })
