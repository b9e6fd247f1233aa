/**
 * A command line for PostgreSQL that stays responsive: statements run as tasks beside you, their results appear above the
 * line that you are typing.
 *
 * Run it:        npm run example -- examples/sql-shell/main.ts       (or with --url, or DATABASE_URL)
 * From a pipe:   echo 'select 1 + 1' | npm run -s example -- examples/sql-shell/main.ts
 *
 * Then try:
 *   1. `select pg_sleep(5)`, and while it runs: `select now()`. Then `\tasks`, twice.
 *   2. `select pg_sleep(60)`, and Ctrl-C. Ask `select query, state from pg_stat_activity` whether it is really gone.
 *   3. `select * from generate_series(1, 1000000)`, and type on.
 */
import { PgClient } from "@effect/sql-pg"
import { Effect, Redacted } from "effect"
import { Main } from "effect-nursery/node"
import { SqlClient } from "effect/sql"
import { obey } from "../terminal/CommandLine.ts"
import { codeOfSignal, exitWith } from "../terminal/ExitCode.ts"
import { line } from "../terminal/Line.ts"
import { type Terminal, withTerminal } from "../terminal/Terminal.ts"
import { lineOf } from "./Failure.ts"
import { help, type Options, parse } from "./Options.ts"
import { type Ending, shell } from "./Shell.ts"

/** So many lines can run at once; the next one waits for a connection. */
const maxConnections = 10

const codeOf = (ending: Ending, terminal: Terminal): number => {
  if (ending._tag === "Interrupted") return codeOfSignal(ending.signal)
  // A user has seen what has failed; a script must be told.
  return ending.allWell || terminal.interactive ? 0 : 1
}

/** Says where we are. It is also the first try of the connection. */
const greet = (terminal: Terminal) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const [found] = yield* sql<{ version: string; db: string; who: string }>`
      select current_setting('server_version') as version, current_database()::text as db, current_user::text as who`
    if (!terminal.interactive || found === undefined) return
    yield* terminal.print(line(`PostgreSQL ${found.version}, database ${found.db}, user ${found.who}. \\help tells what there is.`, "dim"))
  })

const talk = (options: Options) =>
  withTerminal((terminal) =>
    Effect.gen(function*() {
      yield* greet(terminal)
      const ending = yield* shell(terminal)
      yield* exitWith(codeOf(ending, terminal))
    }).pipe(
      // Each line is another statement, so there is nothing to be gained by preparing them.
      Effect.provide(PgClient.layer({ url: Redacted.make(options.url), applicationName: "sql-shell", maxConnections, prepare: false })),
      Effect.catch((error) => Effect.andThen(terminal.complain(line(lineOf(error), "red")), exitWith(1)))
    )
  )

Main.run(obey(parse(process.argv.slice(2), process.env), help, talk))
