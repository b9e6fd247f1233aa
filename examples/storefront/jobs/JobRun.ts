/**
 * One run of one job.
 *
 * A worker holds a job by a lease, which it renews while it works: its heartbeat. The lease is the deadline of the scope in
 * which the job runs, and each heartbeat moves both. So a worker that cannot reach the database stops by itself before
 * another one begins the same job.
 */
import { Cause, Duration, Effect, Exit, Metric, Result } from "effect"
import { CancelScope, Nursery, Timeout } from "effect-nursery"
import type { PgClient } from "@effect/sql-pg"
import type { SqlError } from "effect/sql"
import type { Database } from "../database/Database.ts"
import { GiveUp, type Handler } from "./Job.ts"
import * as JobTable from "./JobTable.ts"
import type { Taken } from "./Worker.ts"

export interface Options {
  /** Nobody, when this program does not know the kind. */
  readonly handler: Handler | undefined
  readonly query: Database["Service"]["query"]
  readonly lease: Duration.Duration
  readonly poll: Duration.Duration
  readonly retryDelay: Duration.Duration
}

/** How a run has ended. */
type Ending =
  | { readonly _tag: "Done" }
  | { readonly _tag: "Again"; readonly why: string; readonly delay: Duration.Duration; readonly cause: Cause.Cause<unknown> }
  | { readonly _tag: "Dead"; readonly why: string; readonly cause: Cause.Cause<unknown> }

/** Waits between two attempts become longer, up to this. */
const longestDelay = Duration.hours(1)

/** Three heartbeats in a lease: two of them may be lost. */
const beatsPerLease = 3

/** For what is still written when the worker is cancelled. */
const giveBackTime = Duration.seconds(1)

/** What people may read of a failure that nobody has thought of. The log has all of it. */
const unexpected = "something unexpected went wrong; the log says what"

const longestReason = 1000

/** Runs a job and writes down how it has ended. It fails with nothing: that concerns the job, not the worker. */
export const perform = (job: Taken, options: Options): Effect.Effect<void> =>
  CancelScope.open((scope) =>
    Nursery.open((n) =>
      Effect.gen(function*() {
        yield* scope.setDeadline(job.until)
        yield* n.startSoon(heartbeat(job, scope, options), { name: "heartbeat", service: true })
        const ending = endingOf(job, yield* Effect.exit(runOf(job, options)), options)
        // Still with a heartbeat: when the database is away for a moment the result waits, up to the end of the lease.
        yield* untilWritten(write(job, ending), options)
        yield* count(ending, options)
        yield* log(ending)
      }), { name: `job ${job.kind}` }), { name: "lease" }).pipe(
      Effect.onInterrupt(() => giveBack(job, options)),
      Effect.flatMap((result) => Result.isFailure(result) ? Effect.annotateLogs(Effect.logWarning("a job has been left to another worker"), { reason: result.failure.message }) : Effect.void),
      Effect.annotateLogs({ job: job.job_id, kind: job.kind, attempt: job.attempts })
    )

const runOf = ({ attempts, kind, max_attempts, payload }: Taken, { handler }: Options): Effect.Effect<void, unknown> => {
  // It was begun often enough, and its workers have died without a word. It may be what kills them.
  if (attempts > max_attempts) return Effect.fail(new GiveUp({ why: "the process that ran it has ended each time" }))
  if (handler === undefined) return Effect.fail(new GiveUp({ why: `nobody here knows how to do a job of the kind ${JSON.stringify(kind)}` }))
  return handler.run(payload)
}

const endingOf = (job: Taken, exit: Exit.Exit<void, unknown>, options: Options): Ending => {
  if (Exit.isSuccess(exit)) return { _tag: "Done" }
  const { cause } = exit
  const error = Cause.squash(cause)
  const why = Cause.hasDies(cause) || !(error instanceof Error) ? unexpected : storable(error.message)
  return error instanceof GiveUp || job.attempts >= job.max_attempts
    ? { _tag: "Dead", why, cause }
    : { _tag: "Again", why, cause, delay: delayAfter(job.attempts, options.retryDelay) }
}

/** A text that no table takes would be written in vain up to the end of the lease. */
const storable = (message: string): string => message.slice(0, longestReason).replaceAll(/\0|\p{Surrogate}/gu, "\ufffd")

/** Twice as long after each failure, and not the same for jobs that have failed together. */
const delayAfter = (attempts: number, first: Duration.Duration): Duration.Duration => {
  const doubled = Math.min(Duration.toMillis(first) * 2 ** (attempts - 1), Duration.toMillis(longestDelay))
  return Duration.millis(doubled * (0.75 + Math.random() / 2))
}

const write = (job: Taken, ending: Ending) => (sql: PgClient.PgClient) => {
  switch (ending._tag) {
    case "Done":
      return JobTable.done(sql, job)
    case "Again":
      return JobTable.postpone(sql, job, ending.why, ending.delay)
    case "Dead":
      return JobTable.bury(sql, job, ending.why)
  }
}

const log = (ending: Ending): Effect.Effect<void> => {
  switch (ending._tag) {
    case "Done":
      return Effect.void
    case "Again":
      return Effect.annotateLogs(Effect.logWarning("a job has failed, and is tried again", ending.cause), { afterMillis: Math.round(Duration.toMillis(ending.delay)) })
    case "Dead":
      return Effect.logError("a job has been given up", ending.cause)
  }
}

const runs = Metric.counter("storefront_job_runs_total", { description: "Runs of jobs, by kind and by how they have ended.", incremental: true })

/** A kind that this program does not know is no label: anybody may have written it into the table. */
const count = (ending: Ending, { handler }: Options): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(runs, { kind: handler?.kind ?? "unknown", result: ending._tag.toLowerCase() }), 1)

const untilWritten = (statement: (sql: PgClient.PgClient) => Effect.Effect<unknown, SqlError.SqlError>, { poll, query }: Options): Effect.Effect<void> =>
  Effect.gen(function*() {
    while (Exit.isFailure(yield* Effect.exit(query(statement)))) yield* Effect.sleep(poll)
  })

const heartbeat = (job: Taken, scope: CancelScope.CancelScope, { lease, query }: Options): Effect.Effect<never> =>
  Effect.gen(function*() {
    for (;;) {
      yield* Effect.sleep(Duration.divideUnsafe(lease, beatsPerLease))
      const asked = yield* Timeout.now
      const renewed = yield* Effect.exit(query((sql) => JobTable.renew(sql, job, lease)))
      // It could not be asked: the deadline stays where it is.
      if (Exit.isFailure(renewed)) continue
      if (renewed.value) yield* scope.setDeadline(asked + Duration.toMillis(lease))
      else yield* scope.cancel("another worker has taken it over")
    }
  })

/** The grace of the program has ended: the job is there for others at once, and not only when the lease has run out. */
const giveBack = (job: Taken, { query }: Options): Effect.Effect<void> =>
  Effect.ignoreCause(CancelScope.shieldFor(query((sql) => JobTable.giveBack(sql, job)), giveBackTime))
