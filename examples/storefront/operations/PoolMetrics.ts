/**
 * How many connections of the pool are used, and how many queries wait for one.
 *
 * The driver does not tell, but it can be counted from outside: each query and each transaction takes one connection, and
 * gets it at once while there is a free one. So of n that are under way, as many as the pool is large have one.
 */
import { type Context, Effect, Metric } from "effect"
import type { Database } from "../database/Database.ts"
import { hookOf } from "./HttpMetrics.ts"

const size = Metric.gauge("db_pool_size", { description: "Connections to the database, at most" })
const used = Metric.gauge("db_pool_used", { description: "Connections to the database that are used" })
const waiting = Metric.gauge("db_pool_waiting", { description: "Queries and transactions that wait for a connection" })

/** The same database, counted into the registry of the context. */
export const metered = (database: Database["Service"], poolSize: number): Effect.Effect<Database["Service"]> =>
  Effect.contextWith((context: Context.Context<never>) => {
    let underWay = 0
    const counted = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
      Effect.suspend(() => {
        underWay++
        return Effect.ensuring(self, leave)
      })
    const leave = Effect.sync(() => void underWay--)
    Metric.registerUnsafe(size, context, hookOf(() => poolSize))
    Metric.registerUnsafe(used, context, hookOf(() => Math.min(underWay, poolSize)))
    Metric.registerUnsafe(waiting, context, hookOf(() => Math.max(0, underWay - poolSize)))
    return Effect.succeed({
      ...database,
      kind: database.kind,
      query: (run) => counted(database.query(run)),
      transact: (work, isolation) => counted(database.transact(work, isolation))
    })
  })
