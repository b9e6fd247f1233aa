/**
 * The steps from an empty database to the one that the application needs. To add one: a file in migrations/ with the next
 * number, and a line here. A step that has run somewhere is never changed again.
 *
 * All steps that are missing run in one transaction, under a lock: when two processes start at the same time, one waits
 * and then finds nothing to do.
 */
import { Effect } from "effect"
import { Migrator, SqlClient } from "effect/sql"
import { carts } from "./migrations/0003_carts.ts"
import { jobs } from "./migrations/0004_jobs.ts"
import { notes } from "./migrations/0005_notes.ts"
import { seed } from "./migrations/0002_seed.ts"
import { shop } from "./migrations/0001_shop.ts"

const steps = Migrator.fromRecord({
  "0001_shop": shop,
  "0002_seed": seed,
  "0003_carts": carts,
  "0004_jobs": jobs,
  "0005_notes": notes
})

/** Any number that nobody else uses for a lock in this database. */
const lock = 5_072_011

const run = Migrator.make({})({ loader: steps, table: "storefront_migrations" })

/** Runs what has not run yet; says which steps that were. */
export const migrate = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  // The migrator takes a lock of its own, but on its table, which the first of two processes has yet to make.
  return yield* sql.withTransaction(Effect.andThen(sql`select pg_advisory_xact_lock(${lock})`, run))
})
