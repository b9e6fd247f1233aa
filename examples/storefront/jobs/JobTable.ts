/**
 * The table of the jobs: each function is one statement.
 *
 * A job is due when its time has come, or, if somebody runs it, when nobody has heard of that worker for too long. Both are
 * the same column, so "who dies, loses the job" needs no extra statement. All times are the database's: the clocks of the
 * workers may differ.
 */
import type { PgClient } from "@effect/sql-pg"
import { Duration, Effect } from "effect"
import type { NewJob } from "./Job.ts"

/** A job that this worker may run until its lease ends. */
export interface Claimed {
  readonly job_id: string
  readonly kind: string
  readonly payload: unknown
  /** With this one. */
  readonly attempts: number
  readonly max_attempts: number
  /** The proof that it is ours. Every change asks for it, so a worker that has been given up changes nothing. */
  readonly lease: string
}

/** What people may see of a job. Not its payload. */
export interface JobRow {
  readonly job_id: string
  readonly kind: string
  readonly state: "waiting" | "running" | "done" | "dead"
  readonly attempts: number
  readonly max_attempts: number
  readonly error: string | null
}

const seconds = (duration: Duration.Duration) => Duration.toMillis(duration) / 1000

export const add = (sql: PgClient.PgClient, { kind, maxAttempts, payload }: NewJob) =>
  Effect.map(
    sql<{ readonly job_id: string }>`
      insert into job (kind, payload, max_attempts) values (${kind}, ${JSON.stringify(payload)}::jsonb, ${maxAttempts})
      returning job_id`,
    ([row]) => row!.job_id
  )

export const find = (sql: PgClient.PgClient, id: string) =>
  Effect.map(sql<JobRow>`select job_id, kind, state, attempts, max_attempts, error from job where job_id = ${id}`, ([row]) => row)

/**
 * Takes the job that has been due for longest. Workers that ask at the same time do not wait for each other: each skips
 * the rows that another one has just locked.
 *
 * The attempt is counted now and not when it fails: a job that kills its process must not be tried for ever.
 */
export const claim = (sql: PgClient.PgClient, lease: Duration.Duration) =>
  Effect.map(
    sql<Claimed>`
      update job set
        state = 'running',
        attempts = attempts + 1,
        lease = gen_random_uuid(),
        due_at = clock_timestamp() + make_interval(secs => ${seconds(lease)})
      where job_id = (
        select job_id from job
        where state in ('waiting', 'running') and due_at <= clock_timestamp()
        order by due_at limit 1
        for update skip locked
      )
      returning job_id, kind, payload, attempts, max_attempts, lease`,
    ([row]) => row
  )

/**
 * The heartbeat: says whether the job is still ours. It is, up to the next claim, also when its end has just been written: a
 * heartbeat may be on its way at that moment.
 */
export const renew = (sql: PgClient.PgClient, { job_id, lease }: Claimed, time: Duration.Duration) =>
  Effect.map(
    sql`
      update job set due_at = case state when 'running' then clock_timestamp() + make_interval(secs => ${seconds(time)}) else due_at end
      where job_id = ${job_id} and lease = ${lease}
      returning job_id`,
    (rows) => rows.length > 0
  )

export const done = (sql: PgClient.PgClient, { job_id, lease }: Claimed) =>
  sql`
    update job set state = 'done', error = null, ended_at = clock_timestamp()
    where job_id = ${job_id} and lease = ${lease} and state = 'running'`

/** It has failed, and is tried again after a while. */
export const postpone = (sql: PgClient.PgClient, { job_id, lease }: Claimed, error: string, delay: Duration.Duration) =>
  sql`
    update job set state = 'waiting', error = ${error}, due_at = clock_timestamp() + make_interval(secs => ${seconds(delay)})
    where job_id = ${job_id} and lease = ${lease} and state = 'running'`

/** It is not tried again. The row stays, for people to look at. */
export const bury = (sql: PgClient.PgClient, { job_id, lease }: Claimed, error: string) =>
  sql`
    update job set state = 'dead', error = ${error}, ended_at = clock_timestamp()
    where job_id = ${job_id} and lease = ${lease} and state = 'running'`

/** The worker stops in the middle: somebody else may begin again at once, and this attempt does not count. */
export const giveBack = (sql: PgClient.PgClient, { job_id, lease }: Claimed) =>
  sql`
    update job set state = 'waiting', attempts = attempts - 1, due_at = clock_timestamp()
    where job_id = ${job_id} and lease = ${lease} and state = 'running'`
