/**
 * Nurseries for promises, for programs and people without Effect.
 *
 * A block that starts async functions, waits until every one of their promises has
 * settled, aborts the signals of the others when one is rejected, and throws all
 * errors together. It stands on `Nursery` and `CancelScope` of this library.
 *
 * Semantics: Trio's `open_nursery`, with strict exception groups.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as CancelScope from "../core/CancelScope.ts"
import * as Errors from "../core/Errors.ts"
import * as Failures from "../core/Failures.ts"
import { millisOf } from "../core/internal/ScopeBlock.ts"
import * as Core from "../core/Nursery.ts"
import { Cancelled, type Failure, NurseryFailed, wordsOf } from "./internal/Failed.ts"
import { contextOf, type Household, Job } from "./internal/Job.ts"

export { Cancelled, type Failure, NurseryFailed }

/**
 * An open block, into which async functions are started.
 *
 * @since 0.1.0
 */
export interface Nursery {
  /**
   * Calls `task` now, with a signal of its own, and gives its promise. That one may
   * be ignored: the nursery waits for it and throws what it is rejected with.
   *
   * In a nursery that is cancelled the task is not called, and the promise is
   * rejected with the reason; after the end of the nursery, with `NurseryClosed`.
   */
  start<A>(task: (signal: AbortSignal) => PromiseLike<A>, options?: TaskOptions): Promise<A>
  /** Aborts the signals of the tasks that run now. The body goes on, and its value is kept. */
  cancelTasks(reason?: string): void
  /** The signal of the body: aborted when the nursery is cancelled. */
  readonly signal: AbortSignal
}

/**
 * How one task is started.
 *
 * @since 0.1.0
 */
export interface TaskOptions {
  /** The name in errors and in the task tree. Default: the name of the function, or `task` and a number. */
  readonly name?: string
}

/**
 * How a nursery works.
 *
 * @since 0.1.0
 */
export interface Options {
  /** The name in errors and in the task tree. Default: `"nursery"`. */
  readonly name?: string
  /** Cancels the nursery when it is aborted. The signal of a task puts the nursery below that task. */
  readonly signal?: AbortSignal
  /** Cancels the nursery after so long: milliseconds, or such as `"2 seconds"`. Default: never. */
  readonly timeout?: Duration.Input
  /** How long a promise may take to settle when its signal was aborted, before it counts as ignoring it. Default: 1 second. */
  readonly ignoredAfter?: Duration.Input
  /** Is told of each promise that ignores its signal. Default: a warning of the process, or of Effect's logger where there is none. */
  readonly onIgnored?: (ignored: Ignored) => void
}

/**
 * A promise that has not settled although its signal was aborted. The nursery still
 * waits for it.
 *
 * @since 0.1.0
 */
export interface Ignored {
  readonly nursery: string
  /** The name of the task; `"body"` for the body. */
  readonly task: string
  /** How long ago its signal was aborted. */
  readonly afterMillis: number
}

const expected = (what: string, takes: string, value: unknown): TypeError =>
  new TypeError(`Expected ${what} to be a function that takes ${takes} and returns a promise, got \`${wordsOf(value)}\` (${typeof value})`)

/** One nursery, from its call to its end. */
class Run<A> implements Household {
  private readonly name: string
  private readonly options: Options
  private readonly timeoutMillis: number
  readonly ignoredAfter: number
  private readonly ignoring: Array<string> = []
  /** One error for each reason, so that it is known again when a promise is rejected with it. */
  private readonly errors = new Map<CancelScope.CancelReason, unknown>()
  private readonly body: Job<A>
  /** Somebody was cancelled together with the nursery, and not by `cancelTasks`. */
  private cutShort = false
  private tasks = 0

  constructor(body: (n: Nursery) => PromiseLike<A>, options: Options) {
    if (typeof body !== "function") throw expected("`body`", "a nursery", body)
    this.options = options
    this.name = options.name ?? "nursery"
    this.timeoutMillis = millisOf("timeout", options.timeout ?? Infinity)
    this.ignoredAfter = millisOf("ignoredAfter", options.ignoredAfter ?? 1000)
    this.body = new Job<A>("body", () => body(this.handle!), this)
  }

  private handle: Nursery | undefined

  private get program(): Effect.Effect<Result.Result<void, CancelScope.CancelReason>, unknown> {
    const { signal } = this.options
    const inside = (n: Core.Nursery) =>
      Effect.flatMap(n.accepting<unknown>(), (spawner) =>
        Effect.withFiber((fiber) => {
          this.handle = this.handleOf(n, spawner, fiber.context)
          return this.body.effect
        }))
    return CancelScope.open(() => Core.open(inside, { name: this.name }), {
      name: this.name,
      deadline: this.timeoutMillis,
      ...(signal === undefined ? {} : { signal })
    })
  }

  private handleOf(n: Core.Nursery, spawner: Core.Spawner<unknown>, context: Context.Context<never>): Nursery {
    return {
      start: (task, options) => this.start(spawner, context, task, options),
      cancelTasks: (reason) => void Effect.runForkWith(context)(n.cancelTasks(reason)),
      signal: this.body.controller.signal
    }
  }

  private start<B>(
    spawner: Core.Spawner<unknown>,
    context: Context.Context<never>,
    task: (signal: AbortSignal) => PromiseLike<B>,
    options: TaskOptions | undefined
  ): Promise<B> {
    const isTask = typeof task === "function"
    // A mistake here is a failure of the task: thrown at the caller alone it could be lost.
    const run = isTask ? task : () => { throw expected("`task`", "an AbortSignal", task) }
    this.tasks++
    const name = options?.name ?? (isTask && task.name !== "" ? task.name : `task ${this.tasks}`)
    const job = new Job<B>(name, run, this)
    const exit = Effect.runForkWith(context)(spawner.startNow(job.effect, { name })).pollUnsafe()!
    // Nobody waits for it here, so nobody but the caller can hear of it.
    if (exit._tag === "Failure") return Promise.reject(Cause.squash(exit.cause))
    // Cancelled already, or too deep in other starts to begin now.
    if (!job.hasBegun) {
      Effect.runFork(exit.value.await).addObserver((ended) => {
        if (ended._tag === "Success" && ended.value._tag === "Failure") job.ended(ended.value.cause)
      })
    }
    return job.promise
  }

  async end(): Promise<A> {
    const around = this.options.signal === undefined ? undefined : contextOf.get(this.options.signal)
    const fiber = Effect.runForkWith(around ?? Context.empty())(this.program)
    type End = Exit.Exit<Result.Result<void, CancelScope.CancelReason>, unknown>
    const exit = await new Promise<End>((resolve) => void fiber.addObserver(resolve))
    // Thrown here, where the stack leads to the caller.
    if (exit._tag === "Failure") throw new NurseryFailed(this.name, failuresOf(exit.cause), this.ignoring)
    const result = exit.value
    if (Result.isFailure(result) && (this.cutShort || !this.body.hasBegun)) throw this.errorOf(result.failure)
    return this.body.promise
  }

  errorOf(reason: CancelScope.CancelReason): unknown {
    let error = this.errors.get(reason)
    if (error === undefined) this.errors.set(reason, error = this.newErrorOf(reason))
    return error
  }

  private newErrorOf(reason: CancelScope.CancelReason): unknown {
    if (reason.source === "signal") return this.options.signal!.reason
    if (reason.source === "deadline") return new Errors.TooSlow({ scope: this.name, after: Duration.millis(this.timeoutMillis) })
    return new Cancelled(reason)
  }

  cancelled(reason: CancelScope.CancelReason): void {
    if (reason.source !== "explicit") this.cutShort = true
  }

  ignored(task: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      const ignored = { nursery: this.name, task, afterMillis: this.ignoredAfter }
      this.ignoring.push(task)
      const { onIgnored } = this.options
      return onIgnored === undefined ? warn(ignored) : Effect.sync(() => onIgnored(ignored))
    })
  }
}

interface Host {
  readonly process?: { readonly emitWarning?: (text: string, type: string) => void }
}

const warn = ({ afterMillis, nursery, task }: Ignored): Effect.Effect<void> => {
  const text = `${task} in ${nursery} has ignored its AbortSignal for ${Duration.format(Duration.millis(afterMillis))}, and the nursery waits for it. ` +
    "Pass the signal on to what it waits for, or stop at the event \"abort\""
  const host = globalThis as Host
  if (host.process?.emitWarning === undefined) return Effect.logWarning(text)
  return Effect.sync(() => host.process!.emitWarning!(text, "NurseryWarning"))
}

/** An error that somebody passed on, such as a body that awaits a task, is one error. */
const failuresOf = (cause: Cause.Cause<unknown>): ReadonlyArray<Failure> => {
  const seen = new Set<unknown>()
  const failures: Array<Failure> = []
  for (const failure of Failures.fromCause(cause)) {
    const error = failure._tag === "Fail" ? failure.error : failure.defect
    if (typeof error === "object" && error !== null && seen.has(error)) continue
    seen.add(error)
    failures.push({ task: failure.task, error })
  }
  return failures
}

/**
 * Opens a nursery for the time of `body`, and gives what it gives.
 *
 * **Details**
 *
 * The promise settles when the body and every task have settled. The first rejection
 * of any of them aborts the signals of the others; what they are rejected with
 * because of that is no failure, anything else is. All failures come out together as
 * one {@link NurseryFailed}, an `AggregateError`, also a single one: whoever handles
 * one today would otherwise miss two tomorrow. An error that is passed on, by a body
 * that awaits a task, counts once.
 *
 * Cancelled by `signal`, it is rejected with the reason of that signal, as `fetch`
 * is; by `timeout`, with `TooSlow`. If everybody was fulfilled all the same, the
 * value is kept.
 *
 * **Gotchas**
 *
 * A promise cannot be stopped from outside. The nursery waits also for one that does
 * not listen to its signal, because it may still do something; `onIgnored` says which.
 *
 * **Example** (Two pages at a time)
 *
 * ```ts
 * import { nursery } from "effect-nursery/promise"
 *
 * const load = async (page: string) => `<h1>${page}</h1>`
 *
 * const pages = await nursery(async (n) => {
 *   const home = n.start(() => load("home"))
 *   const news = n.start(() => load("news"))
 *   return [await home, await news]
 * })
 *
 * console.log(pages.join(" "))
 * ```
 *
 * ```text output
 * <h1>home</h1> <h1>news</h1>
 * ```
 *
 * @since 0.1.0
 */
export const nursery = async <A>(body: (n: Nursery) => PromiseLike<A>, options?: Options): Promise<A> =>
  new Run(body, options ?? {}).end()
