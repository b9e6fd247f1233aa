/** The SQL shell as a program: on a terminal, with its screen, and in a pipe; against a real PostgreSQL. */
import { assert, describe, it } from "vitest"
import { nodeArguments, plainEnv } from "../../node/main/start.ts"
import { piped } from "../piped.ts"
import { openPty, type Pty, terminalWorks } from "../terminal/pty.ts"
import { ask, databaseWorks, url } from "./database.ts"

const file = "examples/sql-shell/main.ts"

const inPipe = (input: string, args: ReadonlyArray<string> = ["--url", url]) => piped(file, args, input, { env: plainEnv() })

/** A word that no other test has, to find a statement in the server's list of them. */
const mark = (name: string): string => `sql_shell_${name}_${process.pid}_${Date.now()}`

const runningWith = async (word: string): Promise<number> => {
  const [row] = await ask(`select count(*)::int as n from pg_stat_activity where state = 'active' and query like '%${word}%' and pid <> pg_backend_pid()`)
  return Number(row!["n"])
}

/** Asks the server until it says so; the watchdog of the test ends it. */
const untilRunning = async (word: string, count: number): Promise<void> => {
  while (await runningWith(word) !== count);
}

describe.skipIf(!terminalWorks || !databaseWorks)("examples/sql-shell/main.ts on a terminal", { timeout: 60_000 }, () => {
  const open = async (): Promise<Pty> => {
    const pty = await openPty([process.execPath, ...nodeArguments(file, ["--url", url])], { rows: 16, columns: 70 })
    await pty.shows("help tells what there is")
    await pty.until(({ lines }) => lines.at(-1) === "sql>")
    return pty
  }

  it("lets the user type and run other statements while one runs; results come above the input (S1-sum-3)", async () => {
    const pty = await open()
    const word = mark("slow")
    pty.type(`select pg_sleep(600) as ${word}\r`)
    await pty.until(({ lines }) => lines.at(-2)!.includes(`#1 select pg_sleep(600)`))
    pty.type("select 1 + 1 as two\rselect 'half")
    await pty.until(({ lines, text }) => text.includes("1 row") && lines.at(-1) === "sql> select 'half")
    const lines = [...pty.screen.lines]
    const at = lines.indexOf("#2 select 1 + 1 as two")
    assert.deepStrictEqual(lines.slice(at, at + 4).map((row) => row.replace(/\d+ ms/, "? ms")), ["#2 select 1 + 1 as two", "two", "───", "  2"])
    // It counts the seconds meanwhile.
    await pty.until(({ lines }) => /^… [1-9]\d* s {2}#1 select/.test(lines.at(-2)!))
    assert.strictEqual(await runningWith(word), 1)
    pty.type("\u0003")
    await pty.shows("cancelled after")
    await untilRunning(word, 0)
    await pty.until(({ lines }) => lines.at(-1) === "sql> select 'half" && !lines.at(-2)!.startsWith("…"))
    pty.type(" a line'\r")
    await pty.shows("half a line")
    pty.type("\u0004")
    assert.deepStrictEqual(await pty.left, { code: 0, restored: true })
  })

  it("cancels all that runs with Ctrl-C, in the server too, and ends with 130 where nothing runs", async () => {
    const pty = await open()
    const word = mark("several")
    for (const n of [1, 2, 3]) pty.type(`select pg_sleep(600), ${n} as ${word}\r`)
    await untilRunning(word, 3)
    pty.type("\\cancel 2\r")
    await untilRunning(word, 2)
    pty.type("\u0003")
    await untilRunning(word, 0)
    await pty.until(({ text }) => text.split("cancelled after").length === 4)
    pty.type("select 'still ' || 'here' as x\r")
    await pty.shows("still here")
    pty.type("\u0003")
    assert.deepStrictEqual(await pty.left, { code: 130, restored: true })
  })

  it("cancels what runs when the user leaves, and when it is told to stop", async () => {
    for (const [leave, code] of [
      [(pty: Pty) => pty.type("\\q\r"), 0],
      [(pty: Pty) => pty.type("\u0004"), 0],
      [(pty: Pty) => pty.signal("SIGTERM"), 143]
    ] as const) {
      const pty = await open()
      const word = mark(`left`)
      pty.type(`select pg_sleep(600) as ${word}\r`)
      await untilRunning(word, 1)
      leave(pty)
      assert.deepStrictEqual(await pty.left, { code, restored: true })
      await untilRunning(word, 0)
    }
  })

  it("shows what runs as a tree of tasks, and helps", async () => {
    const pty = await open()
    pty.type("select pg_sleep(600) as slow\r")
    await pty.until(({ text }) => /… \d+ s {2}#1/.test(text))
    pty.type("\\tasks\r")
    // What it does stands below the terminal that it was given.
    await pty.until(({ text }) => /nursery terminal\n[^]*nursery shell/.test(text) && /─ #1 select pg_sleep\(600\) as slow/.test(text))
    pty.type("\\help\r")
    await pty.shows("\\cancel N")
    pty.type("\\nothing\r")
    await pty.shows("there is no \\nothing")
    pty.type("\u0003")
    await pty.shows("cancelled after")
    pty.type("\u0004")
    assert.strictEqual((await pty.left).code, 0)
  })

  it("calls what \\dt does by that name (bug: all of its SQL was its title)", async () => {
    const pty = await open()
    pty.type("\\dt\r")
    await pty.shows("schema │ name")
    await pty.until(({ text }) => /\d+ rows?, \d+ ms/.test(text))
    const lines = [...pty.screen.scrollback, ...pty.screen.lines]
    assert.include(lines, "#1 \\dt")
    assert.notInclude(lines.join("\n"), "information_schema")
    pty.type("\u0004")
    assert.strictEqual((await pty.left).code, 0)
  })

  it("tells an error in one line, and goes on", async () => {
    const pty = await open()
    pty.type("selec 1\r")
    await pty.shows("ERROR 42601: syntax error at or near \"selec\"")
    pty.type("select 1 / 0\r")
    await pty.shows("ERROR 22012: division by zero")
    pty.type("select 7 as seven\r")
    await pty.shows("seven")
    pty.type("\u0004")
    assert.deepStrictEqual(await pty.left, { code: 0, restored: true })
  })

  it("survives that the server ends its connection", async () => {
    const pty = await open()
    const word = mark("killed")
    pty.type(`select pg_sleep(600) as ${word}\r`)
    await untilRunning(word, 1)
    await ask(`select pg_terminate_backend(pid) from pg_stat_activity where query like '%${word}%' and pid <> pg_backend_pid()`)
    await pty.until(({ text }) => /ERROR.*(57P01|[Cc]onnection)/.test(text))
    pty.type("select 'alive' as x\r")
    await pty.shows("alive")
    pty.type("\u0004")
    assert.strictEqual((await pty.left).code, 0)
  })

  it("runs pasted lines as one, with their line breaks", async () => {
    const pty = await open()
    pty.type("\u001b[200~select 1 -- one\r\n  + 1 as two\r\u001b[201~\r")
    await pty.shows("1 row")
    assert.include(pty.screen.lines, "  2")
    pty.type("\u0004")
    assert.strictEqual((await pty.left).code, 0)
  })
})

describe.skipIf(!databaseWorks)("examples/sql-shell/main.ts in a pipe", { timeout: 60_000 }, () => {
  it("runs lines in order and prints the same each time", async () => {
    const input = "create temporary table t (a int, b text); insert into t values (1, 'x'), (2, null); select * from t\nselect 'ü' as \"ö\"; select 2 as two\n"
    assert.deepStrictEqual(await inPipe(input), {
      code: 0,
      stdout: "CREATE TABLE\nINSERT, 2 rows\na │ b\n──┼─────\n1 │ x\n2 │ NULL\n2 rows\nö\n─\nü\n1 row\ntwo\n───\n  2\n1 row\n",
      stderr: ""
    })
  })

  it("calls what was done by all words of its name (bug: \"CREATE\", where psql says \"CREATE TABLE\")", async () => {
    const table = mark("done")
    const input = `begin; create table ${table} as select 1 as a; alter table ${table} add b int; create unique index on ${table} (a); truncate ${table}; drop table ${table}; commit\n`
    const { stdout } = await inPipe(input)
    assert.deepStrictEqual(stdout.trimEnd().split("\n"), ["BEGIN", "SELECT, 1 row", "ALTER TABLE", "CREATE INDEX", "TRUNCATE TABLE", "DROP TABLE", "COMMIT"])
  })

  it("ends with 1 when a statement has failed, and runs those in the lines behind it", async () => {
    const { code, stderr, stdout } = await inPipe("select 1 / 0; select 'not run'\nselect 'run' as x\n")
    assert.deepStrictEqual([code, stderr], [1, "ERROR 22012: division by zero\n"])
    assert.include(stdout, "run")
    assert.notInclude(stdout, "not run")
  })

  it("leaves no transaction open", async () => {
    const table = mark("tx")
    const { stderr } = await inPipe(`begin; create table ${table} (a int)\nselect count(*) from ${table}\n`)
    assert.match(stderr, /the transaction was rolled back/)
    assert.match(stderr, /ERROR 42P01/)
  })
})

describe("examples/sql-shell/main.ts", { timeout: 60_000 }, () => {
  it("says in one line that it cannot connect, and ends with 1", async () => {
    const { code, stderr, stdout } = await inPipe("select 1\n", ["--url", "postgres://user:secret@127.0.0.1:1/x"])
    assert.deepStrictEqual([code, stdout, stderr], [1, "", "ERROR: connect ECONNREFUSED 127.0.0.1:1\n"])
  })

  it("says in one line what is wrong with an option, and ends with 2", async () => {
    const { code, stderr } = await inPipe("", ["--url", "nothing"])
    assert.deepStrictEqual([code, stderr], [2, "--url is no address such as postgres://user:password@host:5432/database (see --help)\n"])
  })

  it("tells with --help what it takes", async () => {
    const { code, stdout } = await inPipe("", ["--help"])
    assert.strictEqual(code, 0)
    assert.include(stdout, "Usage: npm run example -- examples/sql-shell/main.ts")
  })
})
