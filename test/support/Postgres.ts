/**
 * PostgreSQL for tests: a database of the test's own on a server that is there, or a server of the test's own that may be
 * killed. A server that a test did not start is never stopped.
 */
import { PgClient } from "@effect/sql-pg"
import { Effect, Redacted } from "effect"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { freePort } from "./freePort.ts"

/** Runs statements on a connection of its own. */
export const execute = (url: string, work: (sql: PgClient.PgClient) => Effect.Effect<unknown, unknown>): Promise<any> =>
  Effect.runPromise(
    Effect.scoped(Effect.gen(function*() {
      return yield* work(yield* PgClient.PgClient)
    })).pipe(Effect.provide(PgClient.layer({ url: Redacted.make(url), maxConnections: 2, applicationName: "test" })))
  )

const tried = () => {
  const { DATABASE_URL } = process.env
  return DATABASE_URL === undefined || DATABASE_URL === "" ? ["postgres", os.userInfo().username].map((user) => `postgres://${user}@127.0.0.1:5432/postgres`) : [DATABASE_URL]
}

let found: Promise<string | undefined> | undefined

/** Where PostgreSQL is: `DATABASE_URL`, or 127.0.0.1:5432. Nothing when it is nowhere, which CI does not accept. */
export const findPostgres = (): Promise<string | undefined> => found ??= find()

const find = async (): Promise<string | undefined> => {
  const faults: Array<string> = []
  for (const url of tried()) {
    try {
      await execute(url, (sql) => sql`select 1`)
      return url
    } catch (error) {
      faults.push(String(error))
    }
  }
  if (process.env["CI"] === "true") throw new Error(`PostgreSQL is needed with CI=true, and there is none: ${faults.join("; ")}`)
  console.warn("skipped: what needs PostgreSQL, for there is none at DATABASE_URL or 127.0.0.1:5432")
  return undefined
}

export interface OwnDatabase {
  readonly url: string
  readonly drop: () => Promise<void>
}

let count = 0

/** A new database on the server at `url`. */
export const makeDatabase = async (url: string): Promise<OwnDatabase> => {
  const name = `storefront_test_${process.pid}_${++count}_${Math.random().toString(36).slice(2, 8)}`
  await execute(url, (sql) => sql.unsafe(`create database ${name}`))
  const own = new URL(url)
  own.pathname = `/${name}`
  return { url: own.href, drop: () => execute(url, (sql) => sql.unsafe(`drop database if exists ${name} with (force)`)) }
}

/** The programs of a PostgreSQL that is installed here. */
export const postgresPrograms = (): string | undefined => {
  const folders: Array<string> = []
  try {
    folders.push(execFileSync("pg_config", ["--bindir"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim())
  } catch {
    // Only the development package has it.
  }
  const debian = "/usr/lib/postgresql"
  if (fs.existsSync(debian)) folders.push(...fs.readdirSync(debian).toSorted((a, b) => Number(b) - Number(a)).map((version) => path.join(debian, version, "bin")))
  return folders.find((folder) => fs.existsSync(path.join(folder, "initdb")) && fs.existsSync(path.join(folder, "postgres")))
}

/** PostgreSQL refuses to run as root. */
const otherUser = (): { readonly uid: number; readonly gid: number } | undefined => {
  if (process.getuid?.() !== 0) return undefined
  const id = (option: string) => Number(execFileSync("id", [option, "postgres"], { encoding: "utf8" }))
  return { uid: id("-u"), gid: id("-g") }
}

const deadlineMillis = 30_000

/** A server in a temporary folder, which a test may kill. */
export class OwnPostgres {
  readonly url: string
  readonly #programs: string
  readonly #folder: string
  readonly #port: number
  readonly #user: ReturnType<typeof otherUser>
  #process: ChildProcess | undefined

  private constructor(programs: string, folder: string, port: number, user: ReturnType<typeof otherUser>) {
    this.#programs = programs
    this.#folder = folder
    this.#port = port
    this.#user = user
    this.url = `postgres://postgres@127.0.0.1:${port}/postgres`
  }

  static async start(): Promise<OwnPostgres> {
    const programs = postgresPrograms()
    if (programs === undefined) throw new Error("the programs of PostgreSQL are not installed here")
    const user = otherUser()
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "postgres-"))
    if (user !== undefined) fs.chownSync(folder, user.uid, user.gid)
    const own = new OwnPostgres(programs, folder, await freePort(), user)
    execFileSync(path.join(programs, "initdb"), ["-D", own.#data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"], { ...user, stdio: "ignore", cwd: folder })
    await own.startAgain()
    return own
  }

  get #data(): string {
    return path.join(this.#folder, "data")
  }

  /** Starts it on the same files, and waits until it answers. */
  async startAgain(): Promise<void> {
    const deadline = Date.now() + deadlineMillis
    let last = ""
    while (Date.now() < deadline) {
      const args = ["-D", this.#data, "-p", String(this.#port), "-k", this.#folder, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=40"]
      const child = spawn(path.join(this.#programs, "postgres"), args, { ...this.#user, stdio: ["ignore", "ignore", "pipe"], cwd: this.#folder })
      child.stderr!.setEncoding("utf8").on("data", (text: string) => last = (last + text).slice(-2000))
      this.#process = child
      // It says so itself. One that was killed may leave processes behind for a moment; then it ends at once.
      const ready = await new Promise<boolean>((resolve) => {
        child.stderr!.on("data", () => {
          if (last.includes("database system is ready to accept connections")) resolve(true)
        })
        child.once("exit", () => resolve(false))
      })
      if (ready) return
    }
    throw new Error(`PostgreSQL could not be started: ${last}`)
  }

  /** As a crash of the machine would. */
  async kill9(): Promise<void> {
    await this.#end("SIGKILL")
  }

  /** Ends it and removes its files. */
  async stop(): Promise<void> {
    await this.#end("SIGINT")
    fs.rmSync(this.#folder, { recursive: true, force: true })
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, "exit")
    child.kill(signal)
    await ended
  }
}
