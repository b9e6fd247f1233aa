/** The chat server: a nursery with a task for each connection, and a few that serve all of them. */
import * as Effect from "effect/Effect"
import * as CancelScope from "effect-nursery/CancelScope"
import type * as Errors from "effect-nursery/Errors"
import * as Nursery from "effect-nursery/Nursery"
import type * as Server from "effect-nursery/net/Server"
import * as Tcp from "effect-nursery/net/Tcp"
import type { Unavailable } from "./Bus.ts"
import * as Chat from "./Chat.ts"
import { type ChatOptions, defaults } from "./Options.ts"
import * as Protocol from "./Protocol.ts"
import { Session } from "./Session.ts"
import { inWords } from "./Words.ts"

/** A chat server, as a function of `started`, which it calls with its address. */
export const chatServer =
  (given: Partial<ChatOptions> = {}): Nursery.Startable<Tcp.Bound, Server.Report, Errors.Broken | Unavailable, never> => (started) =>
    Nursery.open(
      (server) =>
        Effect.gen(function*() {
          const options = { ...defaults, ...given }
          const chat = yield* Chat.make(options)
          const { away, bus, connecting, idle, turn } = chat
          // Services: they go on until the last connection has ended.
          yield* server.start(bus.attach(chat.deliver), { name: "bus", service: true })
          yield* server.startSoon(turn.write(chat.publish), { name: "writing", service: true })
          yield* server.startSoon(turn.watchNews, { name: "news", service: true })
          const late = Protocol.refusal("idle", `no CONNECT within ${inWords(options.connectTimeout)}`)
          yield* server.startSoon(connecting.run((session) => session.drop(late, "refused")), { name: "not connected", service: true })
          const silent = Protocol.refusal("idle", `nothing said within ${inWords(options.idleTimeout)}`)
          yield* server.startSoon(idle.run((session) => session.drop(silent, "idle")), { name: "idle", service: true })
          yield* server.startSoon(away.run((token) => chat.notResumed(token)), { name: "away", service: true })
          // `Tcp.serve` hears of the stop in the same step: first it takes no more in, then everybody is told.
          const stopping = CancelScope.whenStopping.pipe(Effect.andThen(Effect.yieldNow), Effect.andThen(chat.stop))
          yield* server.startSoon(stopping, { name: "stopping", service: true })
          return yield* Tcp.serve((stream: Tcp.TcpStream) => new Session(chat, stream).run, {
            name: "chat",
            host: options.host,
            port: options.port,
            grace: options.grace,
            maxConnections: options.maxConnections,
            whenFull: { reject: `${Protocol.error(Protocol.refusal("full", `${options.maxConnections} connections are open, and no more may be`))}\n` }
          })(started)
        }),
      { name: "chat server" }
    )
