/** The shell: what the user enters, and the tasks that come of it. */
import { Effect, Option } from "effect"
import { CancelScope, Nursery, TaskTree, Timeout } from "effect-nursery"
import type { SqlClient } from "effect/sql"
import { line } from "../terminal/Line.ts"
import type { Terminal } from "../terminal/Terminal.ts"
import * as Job from "./Job.ts"
import { statementsOf } from "./Statements.ts"

/** How it ended. */
export type Ending =
  | { readonly _tag: "Left"; readonly allWell: boolean }
  | { readonly _tag: "Interrupted"; readonly signal: string }

const commands = `\\dt        the tables
\\tasks     what runs, as the tree of its tasks
\\cancel N  cancel number N; Ctrl-C cancels all that run
\\help      this
\\q         leave (so does Ctrl-D)
All else is SQL: Enter runs it, and you can type on. ; separates statements, which then run one after the other.
Each line has a session of its own: begin, commit and temporary tables belong into one line.`

const tables = `select table_schema as schema, table_name as name, table_type as type from information_schema.tables
where table_schema not in ('pg_catalog', 'information_schema') order by 1, 2`

interface Running {
  readonly job: Job.Job
  readonly since: number
}

// #region shell
/** Runs the shell until the user leaves. */
export const shell = (terminal: Terminal): Effect.Effect<Ending, never, SqlClient.SqlClient> =>
  Nursery.open(
    (queries) =>
      Effect.gen(function*() {
        yield* terminal.prompt(line("sql> ", "bold"))
        const running = new Map<number, Running>()
        yield* queries.startSoon(showRunning(running, terminal), { name: "clock", service: true })
        const ending = yield* new Shell(terminal, queries, running).listen
        // Who leaves does not wait for what still runs: it is cancelled, in the database too.
        yield* queries.cancelTasks("the user has left")
        return ending
      }),
    { name: "shell" }
  )
// #endregion

class Shell {
  private readonly terminal: Terminal
  private readonly queries: Nursery.Nursery
  private readonly running: Map<number, Running>
  private jobs = 0
  private allWell = true

  constructor(terminal: Terminal, queries: Nursery.Nursery, running: Map<number, Running>) {
    this.terminal = terminal
    this.queries = queries
    this.running = running
  }

  /** Takes what the user does, until that is the end. */
  get listen(): Effect.Effect<Ending, never, SqlClient.SqlClient> {
    const self = this
    return Effect.gen(function*() {
      while (true) {
        const next = yield* CancelScope.untilStopping(self.terminal.next)
        if (Option.isNone(next)) return { _tag: "Interrupted", signal: (yield* CancelScope.whenStopping).message }
        if (Option.isNone(next.value)) return { _tag: "Left", allWell: self.allWell }
        const did = next.value.value
        if (did._tag === "Interrupt") {
          if (self.running.size === 0) return { _tag: "Interrupted", signal: "SIGINT" }
          yield* self.cancel([...self.running.keys()])
        } else if (did.text.trim() === "\\q") return { _tag: "Left", allWell: self.allWell }
        else yield* self.entered(did.text)
      }
    })
  }

  private entered(text: string): Effect.Effect<void, never, SqlClient.SqlClient> {
    const [command = "", argument = ""] = text.trim().split(/\s+/)
    switch (command) {
      case "\\help":
      case "\\?":
        return this.terminal.print(...commands.split("\n").map((text) => line(text)))
      case "\\tasks":
        return Effect.flatMap(TaskTree.now, (tree) => this.terminal.print(...TaskTree.toText(tree).split("\n").map((text) => line(text))))
      case "\\cancel": {
        const number = Number(argument.replace(/^#/, ""))
        return this.running.has(number) ? this.cancel([number]) : this.refuse(`\\cancel takes the number of something that runs, got ${JSON.stringify(argument)}`)
      }
      case "\\dt":
        return this.start(tables, command)
      default:
        if (command.startsWith("\\")) return this.refuse(`there is no ${command}; \\help tells what there is`)
        return statementsOf(text).length === 0 ? Effect.void : this.start(text)
    }
  }

  private refuse(why: string): Effect.Effect<void> {
    this.allWell = false
    return this.terminal.complain(line(why, "red"))
  }

  /** Runs SQL as a task of its own; from a pipe one after the other, so that what comes out has an order. */
  private start(sql: string, entered = sql): Effect.Effect<void, never, SqlClient.SqlClient> {
    const self = this
    return Effect.gen(function*() {
      const job = { number: ++self.jobs, sql, entered }
      self.running.set(job.number, { job, since: yield* Timeout.now })
      const all = Job.run(job, self.terminal).pipe(
        Effect.tap((isWell) => Effect.sync(() => void (self.allWell &&= isWell))),
        Effect.ensuring(Effect.suspend(() => {
          self.running.delete(job.number)
          return Effect.flatMap(Timeout.now, (now) => self.terminal.notes(notesOf(self.running, now)))
        }))
      )
      const task = yield* self.queries.startSoon(all, { name: Job.titleOf(job), key: job.number })
      yield* self.terminal.notes(notesOf(self.running, yield* Timeout.now))
      if (!self.terminal.interactive) yield* task.await
    })
  }

  /** Cancels these, and does not wait: the user can type on while PostgreSQL is told. */
  private cancel(numbers: ReadonlyArray<number>): Effect.Effect<void> {
    return Effect.forEach(
      numbers,
      (number) => {
        const task = this.queries.task(number)
        return Option.isNone(task) ? Effect.void : this.queries.startSoon(task.value.cancel("the user has cancelled it"), { name: `cancel #${number}` })
      },
      { discard: true }
    )
  }
}

const notesOf = (running: ReadonlyMap<number, Running>, now: number) =>
  [...running.values()].map(({ job, since }) => line(`… ${Math.floor((now - since) / 1_000)} s  ${Job.titleOf(job)}`, "dim"))

/** Shows each second what runs and for how long. */
const showRunning = (running: ReadonlyMap<number, Running>, terminal: Terminal): Effect.Effect<never> =>
  Effect.forever(Effect.gen(function*() {
    yield* Effect.sleep("1 second")
    if (running.size > 0) yield* terminal.notes(notesOf(running, yield* Timeout.now))
  }))
