/**
 * The whole house: the storefront, the chat and the echo server, as tasks of one nursery.
 *
 * Run it:     npm start        (or: npm run example -- examples/main.ts; --help says what else)
 * Stop it:    Ctrl-C: all three stop at once, each as it does alone, and the log says what became of their connections
 *
 * Then try:
 *   1. `npm start` in a second terminal. One port is taken, so none of the three stays.
 *   2. `curl http://127.0.0.1:8080/slow`, a chat client, and Ctrl-C in the first terminal. Who gets what?
 *   3. Ctrl-\, but without npm, which dies of it: node_modules/.bin/node --conditions=effect-nursery:source examples/main.ts
 *      It prints the tree: which tasks run, under whom, and what each of them waits for.
 */
import { Console, Data, Effect } from "effect"
import { type Errors, Nursery } from "effect-nursery"
import { ByteStream, Tcp } from "effect-nursery/net"
import { Main } from "effect-nursery/node"
import { parseArgs } from "node:util"
import { chatServer } from "./chat/ChatServer.ts"
import * as Config from "./storefront/Config.ts"
import { type CannotListen, type Place, written } from "./storefront/http/HttpServer.ts"
import { layer as loggerOf } from "./storefront/Log.ts"
import * as Storefront from "./storefront/Storefront.ts"

const defaults = { "http-port": "8080", "chat-port": "8000", "echo-port": "8888" } as const

const help = `Usage: npm start -- [--host HOST] [--http-port PORT] [--chat-port PORT] [--echo-port PORT]

The storefront, the chat and the echo server of the examples, in one program.

  --host HOST       where to listen (127.0.0.1; 0.0.0.0 is every network of this machine)
  --http-port PORT  the storefront (${defaults["http-port"]}; 0 is any free one)
  --chat-port PORT  the chat (${defaults["chat-port"]})
  --echo-port PORT  the echo server (${defaults["echo-port"]})
  --help            print this

The storefront keeps its data in memory, unless the environment or a file .env says DATABASE_URL or DATA_DIR
(npm run example -- examples/storefront/main.ts --help says what else it may say).

Ctrl-C or SIGTERM stops all of it.`

interface Ports {
  readonly host: string
  readonly http: number
  readonly chat: number
  readonly echo: number
}

/** What the command line asks for, or one line that says what is wrong with it. */
const asked = ((): { readonly ports: Ports; readonly storefront: Config.StorefrontConfig } | { readonly answer: string; readonly code: number } => {
  try {
    const { values } = parseArgs({
      options: {
        host: { type: "string", default: "127.0.0.1" },
        "http-port": { type: "string", default: defaults["http-port"] },
        "chat-port": { type: "string", default: defaults["chat-port"] },
        "echo-port": { type: "string", default: defaults["echo-port"] },
        help: { type: "boolean" }
      }
    })
    if (values.help === true) return { answer: help, code: 0 }
    const port = (option: keyof typeof defaults): number => {
      const text = values[option]
      if (/^\d+$/.test(text) && Number(text) <= 65535) return Number(text)
      throw new Error(`--${option} takes a number from 0 to 65535, got ${JSON.stringify(text)}`)
    }
    const ports = { host: values.host, http: port("http-port"), chat: port("chat-port"), echo: port("echo-port") }
    // The rest of the storefront's settings comes from where it always does.
    const storefront = Config.read(["--host", ports.host, "--port", String(ports.http)])
    if (storefront._tag === "Run") return { ports, storefront: storefront.config }
    throw new Error(storefront._tag === "Mistake" ? storefront.why : "help")
  } catch (error) {
    return { answer: `${(error as Error).message.replace(/ \(see --help\)$/, "")} (see --help)`, code: 2 }
  }
})()

/** One of the three cannot listen. */
class CannotOpen extends Data.TaggedError("CannotOpen")<{ readonly option: keyof typeof defaults; readonly place: Place; readonly cause: unknown }> {
  override get message(): string {
    const { cause, option, place } = this
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined
    if (code === "EADDRINUSE") return `${written(place)} is in use: another program listens there; choose another port with --${option}`
    if (code === "EACCES") return `${written(place)} is not for everybody: ports below 1024 need the rights of the administrator (--${option})`
    return `cannot listen on ${written(place)} (--${option}): ${cause instanceof Error ? cause.message : String(cause)}`
  }
}

const named = (option: keyof typeof defaults, place: Place) => <A, R>(server: Effect.Effect<A, CannotListen | Errors.Broken, R>) =>
  Effect.mapError(server, ({ cause }) => new CannotOpen({ option, place, cause }))

const echo = (stream: Tcp.TcpStream) => ByteStream.copy(stream, stream)

const house = (ports: Ports, config: Config.StorefrontConfig) =>
  Nursery.open((n) =>
    Effect.gen(function*() {
      const { host } = ports
      // Each `start` waits until its server listens. When one cannot, the body fails with that, and what has begun is cancelled.
      const storefront = yield* n.start((started: (place: Place) => Effect.Effect<void>) =>
        Storefront.serve(config)(started).pipe(named("http-port", { host, port: ports.http })), { name: "storefront" })
      const chat = yield* n.start((started: (bound: Tcp.Bound) => Effect.Effect<void>) =>
        chatServer({ host, port: ports.chat })(started).pipe(
          // Only a bus that several servers share can be unavailable; this one has its own.
          Effect.catchTag("Unavailable", Effect.die),
          named("chat-port", { host, port: ports.chat })
        ), { name: "chat" })
      const echoes = yield* n.start((started: (bound: Tcp.Bound) => Effect.Effect<void>) =>
        Tcp.serve(echo, { name: "echo", host, port: ports.echo, endInputOnStop: true })(started).pipe(named("echo-port", { host, port: ports.echo })), { name: "echo" })
      yield* Console.log(welcome(host, storefront.port, chat.port, echoes.port))
      // The body is over; the nursery stays until its three tasks are.
    }), { name: "house" })

/** One line for each that can be copied as it is. */
const welcome = (host: string, http: number, chat: number, echo: number): string => {
  // Who listens everywhere can be found here, too.
  const near = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host
  const client = (name: string, port: number, usual: string) =>
    `npm run example -- examples/${name}/client.ts${near === "127.0.0.1" ? "" : ` --host ${near}`}${String(port) === usual ? "" : ` --port ${port}`}`
  return `The house is open. Ctrl-C closes it. In a second terminal:

  storefront listens on http://${written({ host, port: http })}
    curl http://${written({ host: near, port: http })}/hello/Alice
  chat listens on ${written({ host, port: chat })}
    ${client("chat", chat, defaults["chat-port"])}
  echo listens on ${written({ host, port: echo })}
    ${client("echo", echo, defaults["echo-port"])}
`
}

if ("answer" in asked) {
  ;(asked.code === 0 ? console.log : console.error)(asked.answer)
  process.exitCode = asked.code
} else {
  const { ports, storefront } = asked
  Main.run(
    house(ports, storefront).pipe(
      // In one line, without a stack: it is no mistake of the program.
      Effect.catchTag("CannotOpen", (error) => Effect.andThen(Console.error(error.message), Effect.sync(() => void (process.exitCode = 1)))),
      Effect.provide(loggerOf(process.env["LOG_FORMAT"] === undefined ? "pretty" : storefront.logFormat))
    ),
    { grace: storefront.grace }
  )
}
