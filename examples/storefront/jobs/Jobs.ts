/** The jobs, for those who want something done, or want to know whether it has been. */
import { Context, Effect, Layer } from "effect"
import type { PgClient } from "@effect/sql-pg"
import { MemoryChannel } from "effect-nursery"
import { Database } from "../database/Database.ts"
import * as Problem from "../Problem.ts"
import { type Kind, newJob } from "./Job.ts"
import * as JobTable from "./JobTable.ts"

const make = Effect.gen(function*() {
  const { query } = yield* Database
  // Room for one: a bell that has been rung twice is one that has been rung.
  const [bell, heard] = yield* MemoryChannel.make<void>(1)

  return {
    /**
     * Writes a job down, with the connection of the caller: in a transaction, the job is there if and only if the rest of
     * the transaction is. Says its number.
     */
    add: <P>(sql: PgClient.PgClient, kind: Kind<P>, payload: P) => JobTable.add(sql, newJob(kind, payload)),

    /** To call after the transaction: the workers of this process look at once. Those of others look now and then. */
    ring: Effect.ignore(bell.trySend()),

    /** For the workers: waits until the bell has been rung. */
    rung: Effect.ignore(heard.receive),

    get: (id: string) =>
      Effect.flatMap(
        query((sql) => JobTable.find(sql, id)),
        (row) => row === undefined ? Effect.fail(new Problem.NotFound({ detail: `There is no job ${id}.` })) : Effect.succeed(row)
      )
  }
})

export class Jobs extends Context.Service<Jobs, Effect.Success<typeof make>>()("storefront/Jobs") {
  static readonly layer = Layer.effect(this)(make)
}
