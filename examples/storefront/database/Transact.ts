/**
 * A transaction that behaves as if it were alone, and is run again when PostgreSQL finds that it was not.
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

/**
 * How far a transaction is kept apart from others.
 *
 * `serializable` is right for whatever it does, and pays for that: on rows that many change, most tries are in vain.
 * `read committed` is for work that locks the rows that it relies on before it looks at them: others wait for their turn
 * then. Two that wait for each other are a deadlock, which is tried again.
 */
export type Isolation = "serializable" | "read committed"

/** Gives up with 409 when it has never been alone. */
export const transact = <A, E, R>(sql: PgClient.PgClient, work: Effect.Effect<A, E, R>, isolation: Isolation = "serializable") =>
  sql.withTransaction(isolation === "serializable" ? Effect.andThen(sql`set transaction isolation level serializable`, work) : work).pipe(
    Effect.retry({ schedule: again, while: isConflict }),
    Effect.catchIf(isConflict, () => Effect.fail(new Problem.Conflict({ detail: "Too many others change the same things at the same time." })))
  )

const isConflict = (error: unknown): error is SqlError.SqlError => SqlError.isSqlError(error) && sqlFaultOf(error) === "conflict"
