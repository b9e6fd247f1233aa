import { PgClient } from "@effect/sql-pg"
import { Effect, Fiber, Option, Redacted, Stream } from "effect"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import * as PGliteProcess from "../../../examples/storefront/database/PGliteProcess.ts"
import { addressOf, startProgram, startShop } from "./shop.ts"

const lives = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const untilGone = async (pid: number) => {
  while (lives(pid)) await new Promise((resolve) => setTimeout(resolve, 10))
}

/** The processes that a process has started: the embedded database of a program. */
const childrenOf = (pid: number): ReadonlyArray<number> => fs.readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter((text) => text !== "").map(Number)

const poolOf = (port: number, maxConnections: number) =>
  PgClient.layer({ host: "127.0.0.1", port, username: "postgres", database: "postgres", password: Redacted.make(""), maxConnections })

describe("the embedded database", { timeout: 120_000 }, () => {
  let port: number
  let pid: number
  let stop: () => Promise<void>

  beforeAll(async () => {
    const { promise, resolve } = (() => {
      let resolve!: (process: PGliteProcess.PGliteProcess) => void
      return { promise: new Promise<PGliteProcess.PGliteProcess>((yes) => resolve = yes), resolve }
    })()
    const fiber = Effect.runFork(Effect.scoped(Effect.gen(function*() {
      resolve(yield* PGliteProcess.start({ dataDir: Option.none(), maxConnections: 20 }))
      return yield* Effect.never
    })))
    const process = await promise
    port = process.port
    pid = process.pid
    stop = () => Effect.runPromise(Fiber.interrupt(fiber))
  }, 120_000)

  afterAll(async () => {
    await stop()
    assert.isFalse(lives(pid))
  })

  /** Runs with a pool of its own. */
  const run = <A, E>(work: (sql: PgClient.PgClient) => Effect.Effect<A, E>, connections = 6) =>
    Effect.runPromise(Effect.flatMap(PgClient.PgClient, work).pipe(Effect.provide(poolOf(port, connections), { local: true })))

  it("gives each connection the answers to its own questions (bug: with a turn per message, connections got the rows of others)", async () => {
    await run((sql) => Effect.andThen(
      sql`create table numbers (id int primary key, name text not null)`,
      sql`insert into numbers select n, 'row' || n from generate_series(1, 100) as n`
    ))
    const ask = (sql: PgClient.PgClient) =>
      Effect.forEach(Array.from({ length: 1500 }, (_, i) => i), (i) => {
        const id = 1 + i % 100
        const query = i % 4 === 0
          ? sql<{ readonly name: string }>`select name from numbers where id = ${id}`
          : i % 4 === 1
          ? sql<{ readonly name: string }>`select 'row' || ${id}::int as name`
          : i % 4 === 2
          ? sql<{ readonly name: string }>`select name, id from numbers where name = ${`row${id}`}`
          // Prepared anew each time: a statement of its own.
          : sql.unsafe<{ readonly name: string }>(`select name, ${i} as nothing from numbers where id = ${id}`)
        const asked = i % 7 === 0 ? sql.withTransaction(Effect.andThen(sql`update numbers set name = name where id = ${id}`, query)) : query
        return Effect.map(asked, ([row]) => row?.name === `row${id}`)
      }, { concurrency: 40 })
    const right = await Promise.all([run(ask), run(ask)])
    assert.deepStrictEqual(right.map((answers) => answers.filter((one) => !one).length), [0, 0])
  })

  it("undoes the transaction of a client that goes away, and lets the others go on", async () => {
    await run((sql) => Effect.gen(function*() {
      yield* sql`create table kept (id int)`
      const half = yield* Effect.forkChild(sql.withTransaction(Effect.andThen(sql`insert into kept values (1)`, Effect.never)))
      const other = yield* Effect.forkChild(sql`insert into kept values (2)`)
      yield* Effect.yieldNow
      yield* Fiber.interrupt(half)
      yield* Fiber.join(other)
    }))
    // The connection itself goes, without a word about its transaction.
    await run((sql) => Effect.gen(function*() {
      const reserved = yield* sql.reserve
      yield* reserved.executeRaw("begin", [])
      yield* reserved.executeRaw("insert into kept values (3)", [])
    }).pipe(Effect.scoped), 1)
    assert.deepStrictEqual(await run((sql) => sql`select id from kept`), [{ id: 2 }])
  })

  it("streams rows, and types its errors, as PostgreSQL does (HA13)", async () => {
    const [count, error] = await run((sql) => Effect.all([
      Stream.runCount(Stream.take(sql`select * from generate_series(1, 10000)`.stream, 2500)),
      Effect.flip(sql`insert into numbers (id, name) values (1, 'again')`)
    ]))
    assert.deepStrictEqual([count, error.reason._tag], [2500, "UniqueViolation"])
  })
})

describe("the shop on the embedded database", { timeout: 120_000 }, () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "storefront-"))

  afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

  it("keeps its data in a folder, and lets no second one into it (HA10)", async () => {
    const env = { DATA_DIR: path.join(folder, "shop") }
    const first = await startShop({ env })
    await first.ready()
    const made = await first.fetch("/product", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ product_name: "kept", brand_id: 1 }) })
    const second = await startShop({ env })
    while (!second.logs.some((line) => line.level === "WARN")) await new Promise((resolve) => setTimeout(resolve, 10))
    assert.include(JSON.stringify(second.logs), "is in use by process")
    assert.strictEqual((await second.fetch("/brands")).status, 503)
    await second.stop()
    await first.stop()
    // Killed in the middle of making its files, it would have left some of them: those are no database.
    const broken = path.join(folder, "broken")
    fs.mkdirSync(path.join(broken, "pgdata", "base"), { recursive: true })
    fs.writeFileSync(path.join(broken, "pgdata", "PG_VERSION"), "17\n")
    const begunAgain = await startShop({ env: { DATA_DIR: broken } })
    await begunAgain.ready()
    await begunAgain.stop()
    const third = await startShop({ env })
    await third.ready()
    assert.strictEqual((await (await third.fetch(made.headers.get("location")!)).json() as any).product_name, "kept")
    await third.stop()
  })

  it.skipIf(process.platform !== "linux")("keeps its database when Ctrl-\\ asks what runs (bug: the database died of it, with its data)", async () => {
    const program = startProgram(["--port", "0"])
    const url = await addressOf(program)
    const status = async () => (await fetch(`${url}/brands?limit=1`)).status
    while (await status() !== 200) await new Promise((resolve) => setTimeout(resolve, 200))
    const before = childrenOf(program.pid)
    // As a terminal does it: to everybody in the foreground.
    process.kill(-program.pid, "SIGQUIT")
    await program.prints("nursery storefront")
    assert.strictEqual(await status(), 200)
    assert.deepStrictEqual(childrenOf(program.pid), before)
    program.kill("SIGTERM")
    assert.strictEqual((await program.ended).code, 0)
    assert.notInclude(program.stderr(), "is tried again")
  })

  it.skipIf(process.platform !== "linux")("starts the database again when it dies, and says 503 meanwhile (D01)", async () => {
    const program = startProgram(["--port", "0"])
    const url = await addressOf(program)
    const status = async () => (await fetch(`${url}/brands?limit=1`)).status
    while (await status() !== 200) await new Promise((resolve) => setTimeout(resolve, 200))
    const [first] = childrenOf(program.pid)
    process.kill(first!, "SIGKILL")
    await untilGone(first!)
    while (await status() !== 503) await new Promise((resolve) => setTimeout(resolve, 5))
    while (await status() !== 200) await new Promise((resolve) => setTimeout(resolve, 200))
    const [second] = childrenOf(program.pid)
    assert.notStrictEqual(second, first)
    program.kill("SIGTERM")
    assert.strictEqual((await program.ended).code, 0)
    assert.isFalse(lives(second!))
  })

  it.skipIf(process.platform !== "linux")("leaves no database behind when the program is killed", async () => {
    const program = startProgram(["--port", "0"])
    await addressOf(program)
    while (childrenOf(program.pid).length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
    const [child] = childrenOf(program.pid)
    program.kill("SIGKILL")
    await program.ended
    await untilGone(child!)
  })
})
