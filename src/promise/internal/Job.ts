/** One promise that a nursery waits for: its body, or a task. */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as CancelScope from "../../core/CancelScope.ts"
import * as Timeout from "../../core/Timeout.ts"

/**
 * The task that a signal belongs to, as services. A nursery that is given the signal
 * of a task of another nursery stands below that task in the task tree.
 */
export const contextOf: WeakMap<AbortSignal, Context.Context<never>> = new WeakMap()

/** What the jobs of one nursery have in common. */
export interface Household {
  /** The value that signals are aborted with for this reason. */
  errorOf(reason: CancelScope.CancelReason): unknown
  /** How long a promise may take after its signal was aborted before it is spoken of. */
  readonly ignoredAfter: Duration.Input
  ignored(task: string): Effect.Effect<void>
  /** A job ended because of a cancellation. */
  cancelled(reason: CancelScope.CancelReason): void
}

type State =
  | { readonly _tag: "Waiting" }
  | { readonly _tag: "Running" }
  | { readonly _tag: "Fulfilled" }
  | { readonly _tag: "Failed"; readonly error: unknown }
  | { readonly _tag: "Cancelled" }

const has = (value: unknown, key: string, expected: unknown): boolean =>
  typeof value === "object" && value !== null && (value as Record<string, unknown>)[key] === expected

/** Whether a promise was rejected because its signal was aborted, as hosts and libraries say that. */
const isOfAbort = (error: unknown, signal: AbortSignal): boolean =>
  error === signal.reason || has(error, "name", "AbortError") || has(error, "code", "ABORT_ERR") || has(error, "cause", signal.reason)

export class Job<A> {
  readonly name: string
  readonly controller = new AbortController()
  /** For whoever started it. */
  readonly promise: Promise<A>
  private readonly run: (signal: AbortSignal) => PromiseLike<A>
  private readonly household: Household
  private state: State = { _tag: "Waiting" }
  private resolve!: (value: A) => void
  private reject!: (error: unknown) => void
  private settled: (() => void) | undefined = undefined
  private reason: CancelScope.CancelReason | undefined = undefined

  constructor(name: string, run: (signal: AbortSignal) => PromiseLike<A>, household: Household) {
    this.name = name
    this.run = run
    this.household = household
    this.promise = new Promise<A>((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    // The nursery reports it: whoever started it may ignore the promise.
    this.promise.catch(() => {})
  }

  get hasBegun(): boolean {
    return this.state._tag !== "Waiting"
  }

  /** Runs it, and ends when its promise has settled, also when it is cancelled. */
  get effect(): Effect.Effect<void, unknown> {
    const running = Effect.callback<void, unknown>((resume) => {
      this.begin()
      this.whenSettled(resume)
    })
    return Effect.onExit(running, (exit) =>
      exit._tag === "Failure" && Cause.hasInterruptsOnly(exit.cause) ? this.stop(exit.cause) : Exit.void)
  }

  private begin(): void {
    contextOf.set(this.controller.signal, Fiber.getCurrent()!.context)
    this.state = { _tag: "Running" }
    promiseOf(() => this.run(this.controller.signal)).then(
      (value) => this.settle({ _tag: "Fulfilled" }, () => this.resolve(value)),
      (error) => this.settle(this.verdict(error), () => this.reject(error))
    )
  }

  private verdict(error: unknown): State {
    return this.reason !== undefined && isOfAbort(error, this.controller.signal) ? { _tag: "Cancelled" } : { _tag: "Failed", error }
  }

  private settle(state: State, tell: () => void): void {
    this.state = state
    if (state._tag === "Cancelled") this.household.cancelled(this.reason!)
    // The nursery first, so that it knows of the failure before the body that awaits the task can fail with it.
    this.settled?.()
    tell()
  }

  private whenSettled(resume: (exit: Exit.Exit<void, unknown>) => void): void {
    this.settled = () => resume(this.state._tag === "Failed" ? Exit.fail(this.state.error) : Exit.void)
    if (this.state._tag !== "Running") this.settled()
  }

  // Interrupted. The promise cannot be left alone: what it still does, and what it
  // fails with, belongs to the nursery.
  private stop(cause: Cause.Cause<unknown>): Effect.Effect<void, unknown> {
    if (this.state._tag === "Waiting") return Effect.void
    this.abort(Option.getOrThrow(CancelScope.reasonOf(cause)))
    const settled = Effect.callback<void, unknown>((resume) => this.whenSettled(resume))
    return Effect.flatMap(Timeout.moveOnAfter(settled, this.household.ignoredAfter), (ended) =>
      Option.isSome(ended) ? Effect.void : Effect.andThen(this.household.ignored(this.name), settled))
  }

  private abort(reason: CancelScope.CancelReason): void {
    this.reason = reason
    this.controller.abort(this.household.errorOf(reason))
  }

  /** It ended before it began. */
  ended(cause: Cause.Cause<unknown>): void {
    if (this.hasBegun) return
    const reason = Option.getOrThrow(CancelScope.reasonOf(cause))
    this.abort(reason)
    this.settle({ _tag: "Cancelled" }, () => this.reject(this.controller.signal.reason))
  }
}

/** What a function that should return a promise gives, even if it throws or returns something else. */
const promiseOf = <A>(run: () => PromiseLike<A>): Promise<A> => {
  try {
    return Promise.resolve(run())
  } catch (error) {
    return Promise.reject(error)
  }
}
