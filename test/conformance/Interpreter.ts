/**
 * What both engines share: the trace, errors and outcomes, `try`, and the rule
 * where a cancellation is delivered.
 *
 * Statements run uninterruptibly; what waits, and blocks, are interruptible. So a program is cancelled at its checkpoints and nowhere else, as the corpus
 * defines them. A checkpoint yields first, because in the corpus it always lets
 * others run.
 */
import { Cause, Effect, type Exit } from "effect"
import { CancelScope, type TaskTree, Timeout } from "effect-nursery"
import type { Body, Outcome, Statement, TraceEvent } from "./Scenario.ts"

/** An error of the corpus: an id. */
export class CorpusError {
  readonly id: string
  constructor(id: string) {
    this.id = id
  }
}

export type Step = Effect.Effect<unknown, CorpusError>

/** Where a cancellation is delivered. `Effect.interruptible` re-raises one that is pending. */
export const checkpoint = <A, E>(wait: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.interruptible(Effect.andThen(Effect.yieldNow, wait))

/** A block: its owner can be cancelled while it waits, and takes what came out of it first. */
export const block = Effect.interruptible

/** The statements of a body that runs in a fiber of its own. */
export const bodyOf = Effect.uninterruptible

/** The library's own errors, as the corpus calls them. */
const ids: { readonly [tag: string]: string } = { Busy: "AlreadyHolds" }

const idOf = (error: unknown): string => {
  if (error instanceof CorpusError) return error.id
  if (typeof error === "object" && error !== null && "_tag" in error && typeof error._tag === "string") {
    return ids[error._tag] ?? error._tag
  }
  throw error
}

/** Fails as the corpus does where the library fails with an error, or a defect, of its own. */
export const translated = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, CorpusError> =>
  Effect.catchCause(effect, (cause) =>
    Effect.failCause(Cause.fromReasons(cause.reasons.map((reason) =>
      reason._tag === "Interrupt"
        ? reason
        : Cause.makeFailReason(new CorpusError(idOf(reason._tag === "Fail" ? reason.error : reason.defect)))
    ))))

export const errorsOf = (cause: Cause.Cause<unknown>): Array<string> =>
  cause.reasons.flatMap((reason) =>
    reason._tag === "Interrupt" ? [] : [idOf(reason._tag === "Fail" ? reason.error : reason.defect)]
  ).sort()

export const outcomeOf = (exit: Exit.Exit<unknown, unknown>): Outcome => {
  if (exit._tag === "Success") return "ok"
  const errors = errorsOf(exit.cause)
  const cancelled = Cause.hasInterrupts(exit.cause)
  if (errors.length === 0) return "cancelled"
  return cancelled ? { errors, cancelled: true } : { errors }
}

/** The trace of one run, and what the library itself reports of its blocks and tasks. */
export class Tracer {
  readonly events: { [task: string]: Array<TraceEvent> } = {}
  /** Tasks that are on record as ended. */
  private readonly ended = new Set<string>()
  /** Nurseries in which something has failed or was cancelled. */
  readonly failedIn = new Set<string>()
  /** Blocks that absorbed their own cancellation, by name. */
  readonly caught = new Set<string>()
  private clock: () => number = () => 0

  begin(task: string): void {
    this.events[task] ??= []
  }

  record(task: string, kind: string, ...details: ReadonlyArray<unknown>): void {
    this.begin(task)
    this.events[task]!.push([this.clock(), kind, ...details])
  }

  end(task: string, outcome: Outcome): void {
    if (this.ended.has(task)) return
    this.ended.add(task)
    this.record(task, "end", outcome)
  }

  hasEnded(task: string): boolean {
    return this.ended.has(task)
  }

  /** Reads the time of the fiber's own Clock from now on. */
  readonly useClock: Effect.Effect<void> = Effect.clockWith((clock) =>
    Effect.sync(() => {
      this.clock = () => Math.round(Number(clock.monotonicTimeNanosUnsafe()) / 1e6)
    }))

  readonly recorder: TaskTree.Recorder = {
    opened: () => {},
    closed: (block) => {
      if (block.cancelledCaught) this.caught.add(block.name)
    },
    started: () => {},
    ended: (task, exit) => {
      if (exit._tag === "Failure") this.failedIn.add(task.block.name)
      // Only a task that was cancelled before it could run has not told its end itself.
      if (task.name in this.events && !this.hasEnded(task.name)) this.end(task.name, outcomeOf(exit))
    },
    cancelled: () => {},
    waiting: () => {},
    resumed: () => {}
  }
}

export const nowMillis: Effect.Effect<number> = Effect.map(Timeout.now, Math.round)

const orderly = (ids: ReadonlyArray<string>): Array<string> => [...ids].sort()

/** Runs the statements of a body one after the other, and gives what its `return` says. */
export const runBody = (body: Body, run: (statement: Statement) => Step): Step => {
  let value: unknown = null
  const all = Effect.forEach(body, (statement) =>
    Effect.suspend(() => {
      if (statement.op !== "return") return run(statement)
      value = statement["value"]
      return Effect.void
    }), { discard: true })
  return Effect.flatMap(all, () => Effect.succeed(value))
}

/** Runs a body and keeps what came out of it, whatever that is. */
export const settled = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<Exit.Exit<A, E>> => Effect.exit(effect)

/**
 * The statement `try`. `finally` is shielded; when it fails, its failure replaces
 * what was propagating. (That is the corpus's statement. Effect's own finalizers,
 * and so the library's, keep both.)
 */
export const tryStatement = (
  statement: Statement,
  task: string,
  tracer: Tracer,
  run: (body: Body) => Step
): Step => {
  const body = run(statement.body ?? [])
  const handled = statement["catch"] === undefined ? body : Effect.flatMap(settled(body), (exit): Step => {
    if (exit._tag === "Success") return exit
    const errors = errorsOf(exit.cause)
    const wanted = statement["catch"] as ReadonlyArray<string> | "*"
    const matches = (id: string) => wanted === "*" || wanted.includes(id)
    const matched = errors.filter(matches)
    if (matched.length === 0) return exit
    if (matched.length === errors.length && !Cause.hasInterrupts(exit.cause)) {
      tracer.record(task, "caught", orderly(matched))
      return run((statement["handler"] ?? []) as Body)
    }
    if (statement["mode"] !== "split") return exit
    tracer.record(task, "caught", orderly(matched))
    const rest = exit.cause.reasons.filter((reason) => reason._tag === "Interrupt" || !matches((reason as Cause.Fail<CorpusError>).error.id))
    return Effect.failCause(Cause.fromReasons(rest))
  })
  if (statement["finally"] === undefined) return handled
  const cleanup = bodyOf(run(statement["finally"] as Body))
  const budget = statement["budget"] as number | undefined
  return Effect.flatMap(settled(handled), (exit) =>
    budget === undefined
      ? Effect.andThen(CancelScope.shield(cleanup), exit)
      : Effect.flatMap(CancelScope.shieldFor(cleanup, budget), (finished) => {
        tracer.record(task, "finally", finished._tag === "None")
        return exit
      }))
}
