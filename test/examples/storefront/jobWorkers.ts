/** A database with the table of the jobs, and workers that a test starts and stops. */
import { type PgClient } from "@effect/sql-pg"
import { Context, Deferred, Duration, Effect, Exit, Fiber, Layer, Logger } from "effect"
import type { SqlError } from "effect/sql"
import { CancelScope, Nursery } from "effect-nursery"
import * as Database from "../../../examples/storefront/database/Database.ts"
import type { Handler } from "../../../examples/storefront/jobs/Job.ts"
import { Jobs } from "../../../examples/storefront/jobs/Jobs.ts"
import * as Worker from "../../../examples/storefront/jobs/Worker.ts"
import { makeDatabase } from "../../support/Postgres.ts"
import { eventually } from "./asking.ts"
import { configOf, type LogLine } from "./shop.ts"

export interface Workers {
  /** Asks them to stop, and cancels them after the grace; waits until they have ended. */
  readonly stop: (graceMillis?: number) => Promise<void>
}

export interface Bench {
  readonly database: string | undefined
  readonly logs: ReadonlyArray<LogLine>
  readonly jobs: Jobs["Service"]
  readonly sql: <A>(run: (sql: PgClient.PgClient) => Effect.Effect<A, unknown>) => Promise<A>
  readonly workers: (handlers: ReadonlyArray<Handler>, options?: Partial<Omit<Worker.Options, "handlers">>) => Workers
  /** Waits until a job is in this state, and gives its row. */
  readonly reaches: (id: string, state: string) => Promise<Record<string, any>>
  /** Stops the workers that still work. */
  readonly stopAll: () => Promise<void>
  readonly close: () => Promise<void>
}

const usual = { workers: 3, lease: Duration.minutes(1), poll: Duration.millis(50), retryDelay: Duration.millis(20) }

export const openBench = async (server: string | undefined): Promise<Bench> => {
  const own = server === undefined ? undefined : await makeDatabase(server)
  const logs: Array<LogLine> = []
  const logger = Logger.layer([Logger.map(Logger.formatStructured, (line) => void logs.push(line as unknown as LogLine))])
  const closed = Deferred.makeUnsafe<void>()
  let services!: Context.Context<Database.Database | Jobs>
  const opened = Effect.runPromise(Deferred.await(closed))
  const ready = new Promise<void>((resolve, reject) => {
    const program = Nursery.open((n) =>
      Effect.scoped(Effect.gen(function*() {
        const database = yield* n.start(Database.run(configOf(own === undefined ? {} : { database: own.url })), { service: true })
        services = yield* Layer.build(Jobs.layer.pipe(Layer.provideMerge(Layer.succeed(Database.Database, database))))
        resolve()
        yield* Effect.promise(() => opened)
      }))).pipe(Effect.provide(logger))
    Effect.runPromise(program).catch(reject)
  })
  await ready
  const working = new Set<Workers>()
  const { query, state } = Context.get(services, Database.Database)
  await eventually(() => state()._tag === "Ready" || undefined, "the database is ready", 45_000)
  const sql: Bench["sql"] = (run) => Effect.runPromise(query((sql) => run(sql) as Effect.Effect<any, SqlError.SqlError>))
  return {
    database: own?.url,
    logs,
    jobs: Context.get(services, Jobs),
    sql,
    workers: (handlers, options) => {
      let scope!: CancelScope.CancelScope
      const program = CancelScope.open((own) => {
        scope = own
        return Worker.run({ ...usual, ...options, handlers })
      })
      const fiber = Effect.runFork(program.pipe(Effect.provide(logger), Effect.provideContext(services)))
      const workers: Workers = {
        stop: async (graceMillis = 10_000) => {
          await Effect.runPromise(scope.stop({ grace: graceMillis }))
          const exit = await Effect.runPromise(Fiber.await(fiber))
          working.delete(workers)
          if (Exit.isFailure(exit)) throw new Error(String(exit.cause))
        }
      }
      working.add(workers)
      return workers
    },
    stopAll: async () => {
      await Promise.all(Array.from(working, (workers) => workers.stop(0)))
    },
    reaches: (id, wanted) =>
      eventually(async () => {
        const [row] = await sql((sql) => sql<{ readonly state: string }>`select * from job where job_id = ${id}`)
        return row?.state === wanted ? row : undefined
      }, `job ${id} is ${wanted}`),
    close: async () => {
      Deferred.doneUnsafe(closed, Effect.void)
      await own?.drop()
    }
  }
}
