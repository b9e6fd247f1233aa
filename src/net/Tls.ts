/**
 * TLS over TCP and Unix sockets.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Errors from "../core/Errors.ts"
import type * as Nursery from "../core/Nursery.ts"
import { LimitedStream } from "./internal/LimitedStream.ts"
import { serve as serveKind } from "./internal/Serve.ts"
import { listenTcp, placeOf } from "./internal/TcpListeners.ts"
import { type Acceptor, type Connection, Network, type SecureConnection, type TcpAddress } from "./Network.ts"
import type * as Server from "./Server.ts"
import type * as Tcp from "./Tcp.ts"

/**
 * What a client brings to the handshake.
 *
 * @since 0.1.0
 */
export interface ClientOptions {
  readonly _tag: "Client"
  /** The name that the server's certificate must be for, and that it is told (SNI). */
  readonly serverName: string
  /** The authorities to trust, in PEM, instead of those that Node trusts. */
  readonly ca?: string | Uint8Array | ReadonlyArray<string | Uint8Array>
  /** The client's own certificate and key, in PEM, for a server that asks. */
  readonly identity?: Identity
  /** The protocols that this end speaks, the dearest first (ALPN). */
  readonly protocols?: ReadonlyArray<string>
  /** Go on with a certificate that cannot be verified: for tests. */
  readonly unverified?: boolean
}

/**
 * What a server brings to the handshake.
 *
 * @since 0.1.0
 */
export interface ServerOptions {
  readonly _tag: "Server"
  readonly identity: Identity
  /** Other certificates, by the name that the client asks for (SNI); the others get `identity`. */
  readonly identities?: Readonly<Record<string, Identity>>
  /** The protocols that this end speaks, the dearest first (ALPN). */
  readonly protocols?: ReadonlyArray<string>
  /** Ask for the client's certificate, which one of these authorities, in PEM, must have signed. */
  readonly clientCa?: string | Uint8Array | ReadonlyArray<string | Uint8Array>
}

/**
 * A certificate (with those between it and an authority) and its key, in PEM.
 *
 * @since 0.1.0
 */
export interface Identity {
  readonly cert: string | Uint8Array
  readonly key: string | Uint8Array
  readonly passphrase?: string
}

/**
 * What two ends agreed on.
 *
 * @since 0.1.0
 */
export interface Session {
  /** Such as `TLSv1.3`. */
  readonly version: string
  /** The protocol of ALPN, if they agreed on one. */
  readonly protocol: Option.Option<string>
  /** To a server: the name that the client asked for. */
  readonly serverName: Option.Option<string>
  /** The subject's common name in the peer's certificate, if there is one. */
  readonly peerName: Option.Option<string>
}

/**
 * A stream of TLS over TCP.
 *
 * @since 0.1.0
 */
export interface TlsStream extends SecureConnection<TcpAddress> {}

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
