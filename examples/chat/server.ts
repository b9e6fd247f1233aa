/**
 * A chat server: users with names, rooms, private messages, and a way back after a lost connection.
 *
 * Run it:        npm run example -- examples/chat/server.ts
 * Talk to it:    npm run example -- examples/chat/client.ts       (in a second terminal, and a third)
 * By hand:       nc 127.0.0.1 8000, then type: CONNECT yourname
 * Stop it:       Ctrl-C in the first terminal
 *
 * Then try:
 *   1. --idle-timeout 10s, and a client that says nothing. What do the others hear?
 *   2. --flood-limit 3/10s, and talk fast.
 *   3. Stop a client with Ctrl-Z, let another one talk a lot, and look at /stats.
 */
import * as Main from "effect-nursery/node/Main"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Nursery from "effect-nursery/Nursery"
import { announce, optionsFrom, orSayWhy, type Place, written } from "../support/server.ts"
import { chatServer } from "./ChatServer.ts"
import { logger } from "./Log.ts"
import { type ChatOptions, settings } from "./Options.ts"

const { bus: busUrl, log, "no-echo": noEcho, ...values } = optionsFrom({
  name: "chat server",
  file: "examples/chat/server.ts",
  does: "lets its users talk to each other (the protocol: examples/chat/PROTOCOL.md)",
  port: 8000
}, settings)

const options: Partial<ChatOptions> = {
  host: values.host,
  port: values.port,
  connectTimeout: values["connect-timeout"],
  idleTimeout: values["idle-timeout"],
  floodLimit: values["flood-limit"],
  maxLine: values["max-line"],
  outbox: values.outbox,
  maxUsers: values["max-users"],
  maxConnections: values["max-connections"],
  history: values.history,
  resumeFor: values["resume-for"],
  resumeBuffer: values["resume-buffer"],
  echo: !noEcho
}

/** Loaded when it is asked for: who is alone needs no client of Redis, which takes time and memory. */
const shared = (url: string) =>
  Effect.flatMap(Effect.promise(() => import("./RedisBus.ts")), (RedisBus) =>
    RedisBus.make({
      url,
      name: values["bus-name"],
      giveUpAfter: Duration.toMillis(values["bus-timeout"]),
      deadAfter: Duration.toMillis(values["bus-silence"]),
      resumeFor: Duration.toMillis(values["resume-for"]),
      history: values.history,
      resumeBytes: values["resume-buffer"]
    }))

const started = announce("chat server")

// The connection to Redis is closed after everybody has left.
const alone = busUrl === undefined ? chatServer(options)(started) : Effect.scoped(Effect.flatMap(shared(busUrl), (bus) => chatServer({ ...options, bus })(started)))

/** Without its password. */
const busPlace = busUrl === undefined ? "" : new URL(busUrl).host

const chat = alone.pipe(
  Effect.catchTag("Unavailable", () => Effect.andThen(Console.error(`cannot reach Redis at ${busPlace}`), Effect.sync(() => void (process.exitCode = 1)))),
  orSayWhy(values)
)

/** Beside the chat, for as long as that runs. Loaded when it is asked for, too. */
const withMetrics = (place: Place) =>
  Nursery.open((both) =>
    Effect.gen(function*() {
      const { metricsPage } = yield* Effect.promise(() => import("./MetricsPage.ts"))
      const at = yield* both.start(metricsPage(place), { name: "metrics", service: true })
      yield* Console.log(`metrics at http://${written(at)}/metrics`)
      yield* chat
    }), { name: "chat and metrics" }).pipe(orSayWhy(place, "--metrics-port"))

const metricsPort = values["metrics-port"]
const program = metricsPort === undefined ? chat : withMetrics({ host: values.host, port: metricsPort })

Main.run(program.pipe(Effect.provide(logger(log))))
