/**
 * The database, as the rest of the application sees it: it may be there, or not yet, or not now.
 *
 * The server does not wait for it. It listens at once, and what needs the database is answered 503 until it is there.
 */
import { PgClient } from "@effect/sql-pg"
import { Context, Duration, Effect, Layer, Option, Redacted, Schedule } from "effect"
import { SqlClient, SqlError } from "effect/sql"
import type { StorefrontConfig } from "../Config.ts"
import * as Problem from "../Problem.ts"
import { whyOf } from "../Why.ts"
import { migrate } from "./Migrations.ts"
import * as PGliteProcess from "./PGliteProcess.ts"
import { type Isolation, transact } from "./Transact.ts"

export type State =
  /** It starts, or its tables are being made. */
  | { readonly _tag: "Starting" }
  | { readonly _tag: "Ready"; readonly sql: PgClient.PgClient }
  /** It could not be reached, or has ended; it is tried again. */
  | { readonly _tag: "Down"; readonly why: string }

export class Database extends Context.Service<Database, {
  /** The client, for one request. Ask for it each time: there may be another one after a fault. */
  readonly sql: Effect.Effect<PgClient.PgClient, Problem.Unavailable>
  /** Runs a query. An error of it is a defect here: http/Faults.ts knows which answer each kind of them gets. */
  readonly query: <A, E, R>(run: (sql: PgClient.PgClient) => Effect.Effect<A, E | SqlError.SqlError, R>) => Effect.Effect<A, Exclude<E, SqlError.SqlError> | Problem.Unavailable, R>
  /** Runs a transaction that behaves as if it were alone; again, when it was not (Transact.ts). */
  readonly transact: <A, E, R>(work: (sql: PgClient.PgClient) => Effect.Effect<A, E | SqlError.SqlError, R>, isolation?: Isolation) => Effect.Effect<A, Exclude<E, SqlError.SqlError> | Problem.Conflict | Problem.Unavailable, R>
  readonly state: () => State
  /** `database (PostgreSQL)`, or `embedded database`: for people. */
  readonly kind: string
}>()("storefront/Database") {}

class DatabaseHandle {
  readonly kind: string
  #state: State = { _tag: "Starting" }

  constructor(kind: string) {
    this.kind = kind
  }

  readonly state = (): State => this.#state

  readonly query: Database["Service"]["query"] = (run) => Effect.flatMap(this.sql, (sql) => dieOfSql(run(sql)))

  readonly transact: Database["Service"]["transact"] = (work, isolation) => Effect.flatMap(this.sql, (sql) => dieOfSql(transact(sql, work(sql), isolation)))

  become(state: State): void {
    this.#state = state
  }

  readonly sql: Effect.Effect<PgClient.PgClient, Problem.Unavailable> = Effect.suspend(() => {
    const state = this.#state
    switch (state._tag) {
      case "Ready":
        return Effect.succeed(state.sql)
      case "Starting":
        return Effect.fail(new Problem.Unavailable({ detail: "The database is starting." }))
      case "Down":
        return Effect.fail(new Problem.Unavailable({ detail: "The database cannot be reached." }))
    }
  })
}

const dieOfSql = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, Exclude<E, SqlError.SqlError>, R> =>
  Effect.catchIf(self, SqlError.isSqlError, (error) => Effect.die(error)) as Effect.Effect<A, Exclude<E, SqlError.SqlError>, R>

/** From a quarter of a second to two seconds: the database is used again soon after it is back. */
const tryAgain = Schedule.exponential("250 millis", 1.5).pipe(Schedule.modifyDelay(({ duration }) => Effect.succeed(Duration.min(duration, Duration.seconds(2)))))

type Config = Pick<StorefrontConfig, "databaseUrl" | "dataDir" | "poolSize" | "statementTimeout">

/** Keeps a database for as long as it runs. A task for `nursery.start`: it gives its handle at once. */
export const run = (config: Config) => (started: (database: Database["Service"]) => Effect.Effect<void>) =>
  Effect.gen(function*() {
    const handle = new DatabaseHandle(Option.isSome(config.databaseUrl) ? "database (PostgreSQL)" : "embedded database")
    yield* started(handle)
    // Once: open it, make its tables, and stay until it is lost.
    const once = Effect.scoped(Effect.gen(function*() {
      const { lost, sql } = yield* Option.match(config.databaseUrl, {
        onSome: (url) => openPostgres(config, url),
        onNone: () => openPGlite(config)
      })
      const steps = yield* migrate.pipe(Effect.provideService(SqlClient.SqlClient, sql))
      yield* Effect.annotateLogs(Effect.logInfo(`the ${handle.kind} is ready`), { migrated: steps.map(([, name]) => name) })
      handle.become({ _tag: "Ready", sql })
      return yield* Effect.flatMap(lost, (why) => Effect.fail(new Error(why)))
    }))
    return yield* once.pipe(
      Effect.tapError((error) => {
        const why = whyOf(error)
        handle.become({ _tag: "Down", why })
        return Effect.annotateLogs(Effect.logWarning(`the ${handle.kind} is not there, and is tried again`), { why })
      }),
      Effect.retry(tryAgain),
      // It is tried again for ever, so no error is left.
      Effect.orDie
    )
  })

interface Opened {
  readonly sql: PgClient.PgClient
  /** Waits until it is lost for good, and says why. */
  readonly lost: Effect.Effect<string>
}

/** The pool reconnects by itself: a server that goes away and comes back is not lost. */
const openPostgres = (config: Config, url: Redacted.Redacted) =>
  Effect.map(openPool(config, { url }), (sql): Opened => ({ sql, lost: Effect.never }))

/** One connection more than the pool has, for what the driver sends beside it. */
const openPGlite = (config: Config) =>
  Effect.gen(function*() {
    const process = yield* PGliteProcess.start({ dataDir: config.dataDir, maxConnections: config.poolSize + 1 })
    const sql = yield* openPool(config, { host: "127.0.0.1", port: process.port, username: "postgres", password: Redacted.make(""), database: "postgres" })
    return { sql, lost: process.ended } satisfies Opened
  })

const openPool = ({ poolSize, statementTimeout }: Config, where: PgClient.PgClientConfig) =>
  Effect.map(
    // The pool is closed with the scope around.
    Layer.build(PgClient.layer({
      ...where,
      applicationName: "storefront",
      maxConnections: poolSize,
      // Pipelining would be faster, and a query could not be cancelled any more.
      multiplex: false,
      connectTimeout: Duration.seconds(5),
      startupParameters: { statement_timeout: String(Math.round(Duration.toMillis(statementTimeout))) }
    })),
    (context) => Context.get(context, PgClient.PgClient)
  )
