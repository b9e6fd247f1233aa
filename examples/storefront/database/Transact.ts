/**
 * A transaction that behaves as if it were alone (serializable), and is run again when PostgreSQL finds that it was not.
 *
 * What runs in it may run several times: it only talks to the database, it sends no letters.
 */
import type { PgClient } from "@effect/sql-pg"
import { Effect, Schedule } from "effect"
import { SqlError } from "effect/sql"
import * as Problem from "../Problem.ts"
import { sqlFaultOf } from "./SqlFault.ts"

/** Waits of random length, so that two that were in each other's way do not meet again. */
const again = Schedule.exponential("5 millis").pipe(Schedule.jittered, Schedule.upTo({ times: 8 }))

/** Gives up with 409 when it has never been alone. */
export const transact = <A, E, R>(sql: PgClient.PgClient, work: Effect.Effect<A, E, R>) =>
  sql.withTransaction(Effect.andThen(sql`set transaction isolation level serializable`, work)).pipe(
    Effect.retry({ schedule: again, while: isConflict }),
    Effect.catchIf(isConflict, () => Effect.fail(new Problem.Conflict({ detail: "Too many others change the same things at the same time." })))
  )

const isConflict = (error: unknown): error is SqlError.SqlError => SqlError.isSqlError(error) && sqlFaultOf(error) === "conflict"
