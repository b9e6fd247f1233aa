/** Work that must be done, also when the process that has promised it dies. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export const jobs = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    create table job (
      job_id uuid primary key default gen_random_uuid(),
      kind text not null,
      payload jsonb not null,
      state text not null default 'waiting' check (state in ('waiting', 'running', 'done', 'dead')),
      attempts int not null default 0,
      max_attempts int not null check (max_attempts > 0),
      -- When it may be taken: a waiting one when its time has come, a running one when its worker has not been heard of.
      due_at timestamptz not null default now(),
      -- A number of the last run, which only its worker knows. Whoever takes the job over makes a new one.
      lease uuid,
      error text,
      created_at timestamptz not null default now(),
      ended_at timestamptz
    )`
  yield* sql`create index job_due on job (due_at) where state in ('waiting', 'running')`
})
