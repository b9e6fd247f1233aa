/** One line of SQL on a connection of its own: its statements one after the other, and what is printed of each. */
import type { PgConnection } from "@effect/sql-pg"
import { Effect } from "effect"
import { CancelScope, Timeout } from "effect-nursery"
import { SqlClient, type SqlError } from "effect/sql"
import { line, type Line } from "../terminal/Line.ts"
import type { Terminal } from "../terminal/Terminal.ts"
import { tagOf } from "./CommandTag.ts"
import { lineOf } from "./Failure.ts"
import { isOpenAfter, statementsOf } from "./Statements.ts"
import { tableLines } from "./Table.ts"

/** More rows are counted and not shown; who wants to see them uses `limit` and `offset`, or a pipe. */
const mostRows = 1_000

const inWords = (millis: number): string => millis < 1_000 ? `${Math.round(millis)} ms` : `${(millis / 1_000).toFixed(2)} s`

const rowsInWords = (count: number): string => count === 1 ? "1 row" : `${count} rows`

/** Commands that tell of how many rows they were; to PostgreSQL, `create table … as` is a SELECT. */
const counted = new Set(["INSERT", "UPDATE", "DELETE", "MERGE", "COPY", "MOVE", "SELECT"])

/** What is printed of the result of a statement. */
const resultLines = (statement: string, { command, fields, rowCount, rows }: PgConnection.Result, millis: number, terminal: Terminal): ReadonlyArray<Line> => {
  // What comes out of a pipe is the same each time, so it has no times.
  const time = terminal.interactive ? [inWords(millis)] : []
  const summary = (...parts: ReadonlyArray<string>): Line => line([...parts, ...time].join(", "), "dim")
  if (fields.length === 0) return [counted.has(command) ? summary(command, rowsInWords(rowCount)) : summary(tagOf(statement, command))]
  // The driver gives rows by name: of two columns with one name, it keeps the last.
  const names = [...new Set(fields.map(({ name }) => name))]
  const shown = terminal.interactive ? rows.slice(0, mostRows) : rows
  const table = { names, rows: shown.map((row) => names.map((name) => row[name])) }
  const hidden = rows.length - shown.length
  const notes = [
    ...hidden > 0 ? [`${hidden} more not shown`] : [],
    ...names.length < fields.length ? ["columns of one name are shown once"] : []
  ]
  return [...tableLines(table, terminal.columns), summary(rowsInWords(rows.length), ...notes)]
}

export interface Job {
  readonly number: number
  readonly sql: string
  /** What the user has entered: the SQL, or a command that stands for it. */
  readonly entered: string
}

/** How a job is called in the task tree and above the input. */
export const titleOf = ({ entered, number }: Job): string => `#${number} ${entered.replace(/\s+/g, " ").trim()}`

/**
 * Runs a job. Its value says whether all went well; errors of the database are printed. When it is cancelled, PostgreSQL is
 * told to cancel the statement, and the connection goes back to the pool after that.
 */
export const run = (job: Job, terminal: Terminal): Effect.Effect<boolean, never, SqlClient.SqlClient> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const began = yield* Timeout.now
    const title = line(titleOf(job), "cyan")
    const session = Effect.gen(function*() {
      const connection = yield* sql.reserve
      let isOpen = false
      yield* Effect.addFinalizer(() => isOpen ? Effect.ignore(connection.executeRaw("rollback", [])) : Effect.void)
      for (const statement of statementsOf(job.sql)) {
        const before = yield* Timeout.now
        isOpen = isOpenAfter(statement, isOpen)
        const result = (yield* connection.executeRaw(statement, [])) as PgConnection.Result
        const lines = resultLines(statement, result, (yield* Timeout.now) - before, terminal)
        yield* terminal.print(...terminal.interactive ? [title, ...lines] : lines)
      }
      if (isOpen) yield* terminal.complain(line("the transaction was rolled back: it must end in the line in which it begins", "yellow"))
    })
    return yield* session.pipe(
      Effect.scoped,
      Effect.as(true),
      Effect.catch((error: SqlError.SqlError) => {
        const message = line(lineOf(error), "red")
        const prints = terminal.interactive ? terminal.print(title, message) : terminal.complain(message)
        return Effect.as(prints, false)
      }),
      Effect.onInterrupt(() =>
        // Somebody wants to read this, and it takes no time: it is said although we are being cancelled.
        CancelScope.shieldFor(
          Effect.flatMap(Timeout.now, (now) => terminal.print(title, line(`cancelled after ${inWords(now - began)}`, "yellow"))),
          "1 second"
        ))
    )
  })
