/**
 * Redis for tests: keys of the test's own on a server that is there, or a server of the test's own that may be killed. A
 * server that a test did not start is never stopped, and never flushed.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { createClient } from "redis"
import { freePort } from "./freePort.ts"

export type RedisClient = ReturnType<typeof createClient>

/** Talks to the server at `url` on a connection of its own, which fails at once when there is none. */
export const withRedis = async <A>(url: string, work: (client: RedisClient) => Promise<A>): Promise<A> => {
  const client: RedisClient = createClient({ url, socket: { reconnectStrategy: false, connectTimeout: 5000 } })
  // Without a listener an `error` event would end the process; the command that it concerns fails anyway.
  client.on("error", () => {})
  await client.connect()
  try {
    return await work(client)
  } finally {
    if (client.isOpen) client.destroy()
  }
}

let found: Promise<string | undefined> | undefined

/** Where Redis is: `REDIS_URL`, or 127.0.0.1:6379. Nothing when it is nowhere, which CI does not accept. */
export const findRedis = (): Promise<string | undefined> => found ??= find()

const find = async (): Promise<string | undefined> => {
  const url = process.env["REDIS_URL"] || "redis://127.0.0.1:6379"
  try {
    await withRedis(url, (client) => client.ping())
    return url
  } catch (error) {
    if (process.env["CI"] === "true") throw new Error(`Redis is needed with CI=true, and there is none at ${url}: ${String(error)}`)
    console.warn(`skipped: what needs Redis, for there is none at ${url}`)
    return undefined
  }
}

let count = 0

/** What the keys of one test begin with, so that tests that share a server do not meet. */
export const makePrefix = (): string => `test:${process.pid}:${++count}:${Math.random().toString(36).slice(2, 8)}:`

/** Removes the keys that begin with `prefix`. */
export const removeKeys = (url: string, prefix: string): Promise<void> =>
  withRedis(url, async (client) => {
    for await (const keys of client.scanIterator({ MATCH: `${prefix.replaceAll(/[\\*?[\]]/g, "\\$&")}*`, COUNT: 1000 })) {
      if (keys.length > 0) await client.del(keys)
    }
  })

let installed: boolean | undefined

/** Whether `redis-server` is installed, so that `OwnRedis.start` can work. CI does not accept that it is not. */
export const hasRedisServer = (): boolean => {
  if (installed !== undefined) return installed
  installed = spawnSync("redis-server", ["--version"], { stdio: "ignore" }).status === 0
  if (!installed && process.env["CI"] === "true") throw new Error("redis-server is needed with CI=true, and is not installed")
  if (!installed) console.warn("skipped: what needs a Redis of its own, for redis-server is not installed")
  return installed
}

export interface OwnRedisOptions {
  /** Keeps everything that it has acknowledged, also when it is killed: `appendonly yes`, `appendfsync always`. */
  readonly durable?: boolean
}

const deadlineMillis = 30_000

/** A server in a temporary folder, which a test may kill. */
export class OwnRedis {
  readonly url: string
  readonly port: number
  readonly #folder: string
  readonly #durable: boolean
  #process: ChildProcess | undefined

  private constructor(folder: string, port: number, durable: boolean) {
    this.#folder = folder
    this.port = port
    this.#durable = durable
    this.url = `redis://127.0.0.1:${port}`
  }

  static async start({ durable = false }: OwnRedisOptions = {}): Promise<OwnRedis> {
    const own = new OwnRedis(fs.mkdtempSync(path.join(os.tmpdir(), "redis-")), await freePort(), durable)
    await own.startAgain()
    return own
  }

  /** Starts it at the same port on the same files, and waits until it takes connections. */
  async startAgain(): Promise<void> {
    const deadline = Date.now() + deadlineMillis
    let last = ""
    while (Date.now() < deadline) {
      const persistence = this.#durable ? ["--appendonly", "yes", "--appendfsync", "always"] : ["--appendonly", "no"]
      const args = ["--port", String(this.port), "--bind", "127.0.0.1", "--dir", this.#folder, "--save", "", "--daemonize", "no", ...persistence]
      const child = spawn("redis-server", args, { stdio: ["ignore", "pipe", "ignore"], cwd: this.#folder })
      this.#process = child
      // It says so itself, on its standard output. It ends at once when something is wrong, such as a port that is taken.
      const ready = await new Promise<boolean>((resolve) => {
        child.stdout!.setEncoding("utf8").on("data", (text: string) => {
          last = (last + text).slice(-2000)
          if (/ready to accept connections/i.test(last)) resolve(true)
        })
        child.once("exit", () => resolve(false))
        child.once("error", () => resolve(false))
      })
      if (ready) return
      if (child.pid === undefined) break
    }
    throw new Error(`redis-server could not be started: ${last}`)
  }

  /** Stops it in the middle of everything: it takes connections and answers nothing until `resume`. */
  pause(): void {
    this.#process?.kill("SIGSTOP")
  }

  resume(): void {
    this.#process?.kill("SIGCONT")
  }

  /** As a crash of the machine would. */
  async kill9(): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, "exit")
    child.kill("SIGKILL")
    await ended
  }

  /** Ends it and removes its files. */
  async stop(): Promise<void> {
    await this.kill9()
    fs.rmSync(this.#folder, { recursive: true, force: true })
  }
}
