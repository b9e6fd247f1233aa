/**
 * TLS over TCP and Unix sockets.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type * as Errors from "../core/Errors.ts"
import type * as Nursery from "../core/Nursery.ts"
import { LimitedStream } from "./internal/LimitedStream.ts"
import { serve as serveKind } from "./internal/Serve.ts"
import { listenTcp, placeOf } from "./internal/TcpListeners.ts"
import type { ClientOptions, ServerOptions, Session } from "./internal/TlsHandshake.ts"
import { type Acceptor, type Connection, Network, type SecureConnection, type TcpAddress } from "./Network.ts"
import type * as Server from "./Server.ts"
import * as Tcp from "./Tcp.ts"

export type { ClientOptions, Identity, ServerOptions, Session } from "./internal/TlsHandshake.ts"

/**
 * A stream of TLS over TCP.
 *
 * @since 0.1.0
 */
export interface TlsStream extends SecureConnection<TcpAddress> {}

/**
 * Whom to connect to, whose certificate to expect, and what to show.
 *
 * @since 0.1.0
 */
export interface ConnectTo extends Tcp.ConnectTo, Omit<ClientOptions, "_tag" | "serverName"> {
  /** The name that the server's certificate must be for. Default: `host`. */
  readonly serverName?: string
}

/**
 * Connects to a host as `Tcp.connect` does, and puts TLS on the connection.
 *
 * **Details**
 *
 * It fails with `Broken` when the host cannot be reached or the certificate is not
 * to be trusted; the cause of Node has the reason in its `code`, such as
 * `DEPTH_ZERO_SELF_SIGNED_CERT` or `ERR_TLS_CERT_ALTNAME_INVALID`. When it is
 * cancelled, nothing is left. It closes with the scope: with TLS's own end when
 * the scope ends well, at once when it does not.
 *
 * **Gotchas**
 *
 * In TLS 1.3 a server refuses a client's certificate after the handshake. The
 * client learns of it by its first receive, as `Broken`.
 *
 * A server that never answers is waited for: put a `Timeout` around.
 *
 * **Example** (A certificate that nobody vouches for)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Nursery } from "effect-nursery"
 * import { Tcp, Tls } from "effect-nursery/net"
 *
 * const notTls = (stream: Tcp.TcpStream) => stream.send("220 mail.example.com ready\r\n")
 *
 * const program = Nursery.open((n) =>
 *   Effect.gen(function*() {
 *     const { port } = yield* n.start(Tcp.serve(notTls, { port: 0 }))
 *     const error = yield* Effect.flip(Tls.connect({ host: "127.0.0.1", port }))
 *     console.log(error._tag, (error.cause as { readonly code?: string }).code)
 *     yield* n.cancelTasks()
 *   })
 * ).pipe(Effect.scoped)
 *
 * await Effect.runPromise(program)
 * ```
 *
 * ```text output
 * Broken ERR_SSL_WRONG_VERSION_NUMBER
 * ```
 *
 * @since 0.1.0
 */
export const connect = (options: ConnectTo): Effect.Effect<TlsStream, Errors.Broken, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const network = yield* Network
      // A scope of its own, so that a handshake that failed leaves nothing in the scope around.
      const scope = yield* Scope.fork(yield* Effect.scope)
      const attempt = Effect.flatMap(
        Tcp.connect(options),
        (connection) => network.secure(connection, { ...options, _tag: "Client", serverName: options.serverName ?? options.host })
      )
      return yield* Effect.onError(restore(Scope.provide(attempt, scope)), (cause) => Scope.close(scope, Exit.failCause(cause)))
    })
  )

/**
 * Where to listen, what to show to clients, and how connections are treated.
 *
 * @since 0.1.0
 */
export interface ServeOptions<in E = unknown, out R = never> extends Tcp.ServeOptions<E, R>, Omit<ServerOptions, "_tag"> {}

class LimitedTlsStream extends LimitedStream implements SecureConnection {
  readonly session: Session
  constructor(stream: TlsStream, writeMillis: number) {
    super(stream, writeMillis)
    this.session = stream.session
  }
}

/**
 * Serves TLS: as `Tcp.serve`, with a handshake before the handler.
 *
 * **Details**
 *
 * A client has `limits.handshake` for its handshake, 10 seconds unless told otherwise, in which it counts as a connection already. One that
 * fails is no concern of anybody else, and has one line in the log.
 *
 * **Example** (A server that knows what it was called)
 *
 * On the network of tests, where a certificate may be any text:
 *
 * ```ts
 * import { Effect, Option } from "effect"
 * import { Nursery } from "effect-nursery"
 * import { Tls } from "effect-nursery/net"
 * import { SimulatedNetwork, VirtualClock } from "effect-nursery/testing"
 *
 * const identity = { cert: "fullchain.pem", key: "privkey.pem" }
 *
 * const greet = (stream: Tls.TlsStream) =>
 *   stream.send(`you have called ${Option.getOrElse(stream.session.serverName, () => "nobody")}`)
 *
 * const program = Nursery.open((n) =>
 *   Effect.gen(function*() {
 *     const network = yield* SimulatedNetwork.make({ hosts: { "chat.example.com": ["192.0.2.7"] } })
 *     const server = Tls.serve(greet, { host: "192.0.2.7", port: 443, identity })
 *     yield* network.on("chat.example.com", n.start(server, { service: true }))
 *
 *     const stream = yield* network.on("laptop", Tls.connect({ host: "chat.example.com", port: 443 }))
 *     console.log(Buffer.from(Option.getOrThrow(yield* stream.receive)).toString())
 *   }).pipe(Effect.scoped)
 * )
 *
 * await VirtualClock.run(program)
 * ```
 *
 * ```text output
 * you have called chat.example.com
 * ```
 *
 * @since 0.1.0
 */
export const serve = <E, R, R2 = never>(
  handler: (stream: TlsStream) => Effect.Effect<unknown, E, R>,
  options: ServeOptions<E, R2>
): Nursery.Startable<Tcp.Bound, Server.Report, Errors.Broken, R | R2> =>
(started) =>
  Effect.flatMap(Network, (network) => {
    const place = placeOf(options)
    // One object: what is dear to make of it is made once.
    const security: ServerOptions = { ...options, _tag: "Server" }
    const kind = {
      listen: (acceptor: Acceptor<TcpAddress>) => listenTcp(place, acceptor),
      started: (all: ReadonlyArray<TcpAddress>): Tcp.Bound => ({ ...all[0]!, all }),
      prepare: (connection: Connection<TcpAddress>) => network.secure(connection, security),
      limited: (stream: TlsStream, writeMillis: number) => new LimitedTlsStream(stream, writeMillis)
    }
    return serveKind<TcpAddress, TlsStream, Tcp.Bound, R, R2>(kind, handler, options)(started)
  })
