/**
 * The transport under streams and servers: names to addresses, connections,
 * listeners, TLS.
 *
 * `Tcp`, `Tls` and `Unix` take it from the one reference here, which is Node's
 * unless somebody provides another one: a test gives the same programs
 * `SimulatedNetwork` of `effect-nursery/testing`.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Errors from "../core/Errors.ts"
import type { ByteStream } from "./ByteStream.ts"
import { nodeNetwork } from "./internal/NodeNetwork.ts"
import type * as Tls from "./Tls.ts"

/**
 * A port of a host.
 *
 * @since 0.1.0
 */
export interface TcpAddress {
  readonly _tag: "Tcp"
  /** An IP address; in what a program asks for, also a name. */
  readonly host: string
  /** Port 0, in what a listener asks for, means any free one. */
  readonly port: number
}

/**
 * A socket in the file system. The end that connected has no path: there it is empty.
 *
 * @since 0.1.0
 */
export interface UnixAddress {
  readonly _tag: "Unix"
  readonly path: string
}

/**
 * Where a stream ends or a listener listens.
 *
 * @since 0.1.0
 */
export type Address = TcpAddress | UnixAddress

/**
 * A stream with two addresses.
 *
 * @since 0.1.0
 */
export interface Connection<out A extends Address = Address> extends ByteStream {
  /** The other end. */
  readonly peer: A
  /** This end. */
  readonly local: A
  /** How many bytes have come from the peer so far, received or not. A server's idle limit looks at it now and then. */
  readonly bytesReceived: number
  /** How many bytes have been handed to the system so far. */
  readonly bytesSent: number
  /**
   * Sends without waiting: for whoever keeps many peers informed and waits for none of them.
   * Tells how many bytes the system has not taken yet, of these and of all that was sent
   * before; mostly 0. They stay in memory, as many as there are: it is the caller's to
   * stop, or to abort, when they are too many. `undefined`: nothing can be sent any more.
   *
   * No limit for writing watches it, and it is not told why nothing can be sent:
   * whoever receives is. Data that goes in must not be changed. It goes behind what a
   * `send` that waits has brought; a `send` after it waits for all of it.
   */
  offerUnsafe(data: Uint8Array | string): number | undefined
  /**
   * Receives nothing more from the peer: when what has come is received, receivers are
   * told the end as if the peer had sent it. Sending goes on. For a server that stops.
   */
  readonly endInput: Effect.Effect<void>
}

/**
 * A connection that TLS has been put on.
 *
 * @since 0.1.0
 */
export interface SecureConnection<out A extends Address = Address> extends Connection<A> {
  /** What the two ends agreed on. */
  readonly session: Tls.Session
}

/**
 * What a new connection may ask of the system.
 *
 * @since 0.1.0
 */
export interface ConnectOptions {
  /** The address of this machine to connect from. The system chooses, unless told otherwise. */
  readonly localAddress?: string
  /** After how long without traffic the system asks whether the peer is still there. Never, unless told otherwise. */
  readonly keepAlive?: Duration.Input
}

/**
 * What a listener may ask of the system.
 *
 * @since 0.1.0
 */
export interface ListenOptions {
  /** How many connections may wait to be accepted. 511 unless told otherwise. */
  readonly backlog?: number
  /** Listen at an IPv6 address without accepting IPv4 too. */
  readonly ipv6Only?: boolean
  /** Let several processes listen at one port. */
  readonly reusePort?: boolean
  /** As for {@link ConnectOptions}, for each accepted connection. */
  readonly keepAlive?: Duration.Input
}

/**
 * Who is told of new connections. Both are called outside of any fiber, and must not throw.
 *
 * @since 0.1.0
 */
export interface Acceptor<in A extends Address = Address> {
  /** A peer has connected. Who takes it must close or abort it. Nothing is read from it before its first receive. */
  connected(connection: Connection<A>): void
  /** The system could not accept a connection, for example for want of file descriptors (`EMFILE` in the cause). The listener goes on. */
  failed(error: Errors.Broken): void
}

/**
 * Something that listens.
 *
 * @since 0.1.0
 */
export interface Listener<out A extends Address = Address> {
  /** Where it listens, with the port that the system has chosen. */
  readonly address: A
  /** Accepts no more, and frees the address, before this returns. Accepted connections stay. Again does nothing. */
  readonly close: Effect.Effect<void>
}

/**
 * A transport.
 *
 * @since 0.1.0
 */
export interface Network {
  /** The addresses of a host, in the order in which the system would try them; an address is its own only one. At least one. */
  lookup(host: string): Effect.Effect<ReadonlyArray<string>, Errors.Broken>
  /**
   * Connects to one address; a TCP host is an IP address here. When it is
   * cancelled, nothing is left. The connection is closed with the scope.
   */
  connect<A extends Address>(to: A, options?: ConnectOptions): Effect.Effect<Connection<A>, Errors.Broken, Scope.Scope>
  /** Listens until the scope closes. */
  listen<A extends Address>(
    at: A,
    acceptor: Acceptor<A>,
    options?: ListenOptions
  ): Effect.Effect<Listener<A>, Errors.Broken, Scope.Scope>
  /**
   * Puts TLS on a connection: the handshake. From here on only the result may be
   * used; closing either closes both. When it fails or is cancelled, the connection is aborted.
   */
  secure<A extends Address>(
    connection: Connection<A>,
    options: Tls.ClientOptions | Tls.ServerOptions
  ): Effect.Effect<SecureConnection<A>, Errors.Broken>
}

/**
 * The transport that `Tcp`, `Tls` and `Unix` use: Node's unless provided.
 *
 * **Example** (The addresses of a host)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Network } from "effect-nursery/net"
 *
 * const program = Effect.flatMap(Network.Network, (network) => network.lookup("127.0.0.1"))
 *
 * console.log(await Effect.runPromise(program))
 * ```
 *
 * ```text output
 * [ '127.0.0.1' ]
 * ```
 *
 * @since 0.1.0
 */
export const Network: Context.Reference<Network> = Context.Reference<Network>("effect-nursery/net/Network", {
  defaultValue: () => nodeNetwork
})
