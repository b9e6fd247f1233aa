/** Where PostgreSQL is, for the tests that need it. Without it they are skipped with a notice; with CI=true they fail instead. */
import { PgClient } from "@effect/sql-pg"
import { Effect, Redacted } from "effect"
import { SqlClient } from "effect/sql"

export const url: string = process.env["DATABASE_URL"] ?? "postgres://postgres@127.0.0.1:5432/postgres"

/** Asks the database. */
export const ask = (sql: string): Promise<ReadonlyArray<Record<string, unknown>>> =>
  Effect.runPromise(
    Effect.flatMap(SqlClient.SqlClient, (client) => client.unsafe<Record<string, unknown>>(sql)).pipe(
      Effect.provide(PgClient.layer({ url: Redacted.make(url), maxConnections: 1, connectTimeout: "10 seconds" }))
    )
  )

const isThere = await ask("select 1").then(() => true, () => false)

export const databaseWorks: boolean = isThere || process.env["CI"] === "true"
if (!databaseWorks) console.warn("No PostgreSQL: the tests of the SQL shell that need it are skipped.")
