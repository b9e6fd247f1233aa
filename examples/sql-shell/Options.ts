/** The command line of the shell. */
import { parseArgs } from "node:util"
import { mistake, type Parsed } from "../terminal/CommandLine.ts"

export interface Options {
  readonly url: string
}

const defaultUrl = "postgres://postgres@127.0.0.1:5432/postgres"

export const help = `Usage: npm run example -- examples/sql-shell/main.ts [--url URL]

A command line for PostgreSQL in which you can type on while statements run.

  --url URL  where the database is (DATABASE_URL, or else ${defaultUrl})
  --help     print this

Enter runs what was typed; several statements may run at once, each line on a connection of its own.
\\help tells the commands, \\q or Ctrl-D leaves. Ctrl-C cancels what runs; where nothing runs, it ends the shell.
From a pipe, lines run one after the other:  echo 'select 1' | … main.ts

Exit codes: 0 you left    1 no connection, or from a pipe: a statement has failed    2 an option that makes no sense
            130 Ctrl-C where nothing ran, 143 SIGTERM, 129 SIGHUP`

export const parse = (args: ReadonlyArray<string>, env: Readonly<Record<string, string | undefined>>): Parsed<Options> => {
  try {
    const { values } = parseArgs({ args: [...args], options: { url: { type: "string" }, help: { type: "boolean" } } })
    if (values.help === true) return { _tag: "Help" }
    const given = values.url ?? env["DATABASE_URL"]
    const url = given === undefined || given === "" ? defaultUrl : given
    // It may have a password in it, so a mistake does not quote it.
    if (!/^postgres(ql)?:\/\//.test(url) || !URL.canParse(url)) {
      return mistake(`${values.url === undefined ? "DATABASE_URL" : "--url"} is no address such as postgres://user:password@host:5432/database`)
    }
    return { _tag: "Run", options: { url } }
  } catch (error) {
    return mistake((error as Error).message)
  }
}
