/** What a transport has: connections, and listeners that accept them. */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Errors from "../../core/Errors.ts"
import type { ByteStream } from "../ByteStream.ts"
import type { Address } from "./Address.ts"
import type { Session } from "./TlsHandshake.ts"

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
  readonly session: Session
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
