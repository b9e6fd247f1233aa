/** The storefront, started in this process or as a program, for tests. */
import { Effect, Exit, Fiber, Logger } from "effect"
import { CancelScope } from "effect-nursery"
import { FetchHttpClient } from "effect/http"
import { HttpApiClient } from "effect/http-api"
import * as http from "node:http"
import * as net from "node:net"
import { Api } from "../../../examples/storefront/Api.ts"
import * as Config from "../../../examples/storefront/Config.ts"
import { Mail } from "../../../examples/storefront/notifications/Mail.ts"
import * as Storefront from "../../../examples/storefront/Storefront.ts"
import { type Started, start } from "../../node/main/start.ts"

export interface ShopOptions {
  /** Of PostgreSQL; without it, the embedded database. */
  readonly database?: string
  /** Settings, by their names in Config.ts. */
  readonly env?: Readonly<Record<string, string>>
  /** Routes of the test. */
  readonly routes?: Storefront.MoreRoutes
  /** Where letters go; without it, into the log. */
  readonly mail?: Mail
}

export interface LogLine {
  readonly level: string
  readonly message: unknown
  readonly annotations: Readonly<Record<string, unknown>>
  readonly cause?: string
}

export interface Shop {
  readonly url: string
  readonly port: number
  readonly logs: ReadonlyArray<LogLine>
  readonly fetch: (path: string, init?: RequestInit) => Promise<Response>
  /** Runs calls of the typed client, which is made of the contract. */
  readonly call: <A, E>(use: (client: Client) => Effect.Effect<A, E>) => Promise<A>
  /** Waits until the database answers. */
  readonly ready: () => Promise<void>
  /** Asks it to stop, and waits until it has. */
  readonly stop: (graceMillis?: number) => Promise<void>
}

const clientOf = (baseUrl: string) => Effect.provide(HttpApiClient.make(Api, { baseUrl }), FetchHttpClient.layer)

export type Client = Effect.Success<ReturnType<typeof clientOf>>

export const configOf = (options: ShopOptions): Config.StorefrontConfig => {
  const asked = Config.read(["--port", "0"], { ...(options.database === undefined ? {} : { DATABASE_URL: options.database }), ...options.env })
  if (asked._tag !== "Run") throw new Error(asked._tag === "Mistake" ? asked.why : "help?")
  return asked.config
}

/** A database that nobody has: for tests that need none, it is cheaper than the embedded one. */
export const nowhere = "postgres://nobody@127.0.0.1:1/nothing"

const readyMillis = 90_000
const lookAgainMillis = 20

export const startShop = async (options: ShopOptions = {}): Promise<Shop> => {
  const logs: Array<LogLine> = []
  const logger = Logger.map(Logger.formatStructured, (line) => void logs.push(line as unknown as LogLine))
  let scope!: CancelScope.CancelScope
  let resolve!: (place: { readonly port: number }) => void
  let reject!: (error: Error) => void
  const listens = new Promise<{ readonly port: number }>((yes, no) => [resolve, reject] = [yes, no])
  const program = CancelScope.open((own) => {
    scope = own
    return Storefront.serve(configOf(options), options.routes)((place) => Effect.sync(() => resolve(place)))
  }).pipe(
    Effect.provide(Logger.layer([logger])),
    (program) => options.mail === undefined ? program : Effect.provideService(program, Mail, options.mail)
  )
  const fiber = Effect.runFork(program)
  fiber.addObserver((exit) => {
    if (Exit.isFailure(exit)) reject(new Error(String(exit.cause)))
  })
  const { port } = await listens
  const url = `http://127.0.0.1:${port}`
  const get = (path: string, init?: RequestInit) => fetch(url + path, init)
  return {
    url,
    port,
    logs,
    fetch: get,
    call: (use) => Effect.runPromise(Effect.flatMap(clientOf(url), use)),
    ready: async () => {
      const deadline = Date.now() + readyMillis
      for (;;) {
        const answer = await get("/brands?limit=1")
        await answer.arrayBuffer()
        if (answer.status === 200) return
        if (Date.now() > deadline) throw new Error(`the database is not there: ${answer.status} ${JSON.stringify(logs)}`)
        await new Promise((resolve) => setTimeout(resolve, lookAgainMillis))
      }
    },
    stop: async (graceMillis = 5000) => {
      await Effect.runPromise(scope.stop({ grace: graceMillis, reason: "the test has ended" }))
      await Effect.runPromise(Fiber.await(fiber))
    }
  }
}

/** main.ts as a program, without what the environment says of databases. */
export const startProgram = (args: ReadonlyArray<string> = [], env: Readonly<Record<string, string>> = {}): Started =>
  start("examples/storefront/main.ts", args, { env: { DATABASE_URL: "", REDIS_URL: "", ...env }, watchdogMillis: 120_000 })

/** Waits until the program listens, and says where. */
export const addressOf = async (program: Started): Promise<string> => {
  await program.prints(/listens on .+\n/)
  return /listens on (http:\S+)/.exec(program.stdout())![1]!
}

/** Sends bytes as they are, and reads until the server closes. */
export const raw = (port: number, bytes: string | Uint8Array, options: { readonly end?: boolean } = {}): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true })
    let text = ""
    socket.setEncoding("latin1")
    socket.on("data", (chunk: string) => text += chunk)
    socket.on("error", (error: NodeJS.ErrnoException) => error.code === "ECONNRESET" ? resolve(text) : reject(error))
    socket.on("end", () => {
      socket.destroy()
      resolve(text)
    })
    socket.write(bytes)
    if (options.end === true) socket.end()
  })

/** An agent that keeps one connection. */
export const keptAlive = () => new http.Agent({ keepAlive: true, maxSockets: 1 })
