/**
 * What `Tcp.serve`, `Tls.serve` and `Unix.serve` have in common: how many
 * connections they take, how long a peer may be silent, and how they stop.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Errors from "../core/Errors.ts"
import type { Address } from "./Network.ts"

/**
 * How a server treats its connections.
 *
 * @since 0.1.0
 */
export interface Options<in E = unknown, out R = never> {
  /** The name of the server's nursery in the task tree, in failures and in the log. Default: `"server"`. */
  readonly name?: string
  /** So many handlers run at a time. Default: no limit. */
  readonly maxConnections?: number
  /**
   * So many of them for peers of one address, which for IPv6 is a network of 64 bits. Default: no limit.
   * What is more is turned away, also if others may wait.
   */
  readonly maxPerAddress?: number
  /**
   * What happens to a peer that comes while `maxConnections` handlers run.
   *
   * - `"wait"`: it is connected, and nothing is read from it until a handler has ended. As many as
   *   `backlog` says may wait, 511 unless told otherwise; more are turned away.
   * - `"reject"`: its connection is closed at once.
   * - `{ reject: "text" }`: it is sent the text first.
   *
   * Default: `"wait"`.
   */
  readonly whenFull?: "wait" | "reject" | { readonly reject: string }
  /** How many peers may wait for a handler, and before that for the system to accept them. Default: 511. */
  readonly backlog?: number
  /**
   * How long handlers may go on when the server was asked to stop; then they are cancelled. If a scope
   * around has less time to give, that counts. Default: 4 seconds, a second less than `Main` gives.
   */
  readonly grace?: Duration.Input
  /**
   * When the server is asked to stop, the input of every connection ends: its handler receives what has come, and
   * then the end, as if the peer had sent it. For handlers that need not know of the stop otherwise. Default: `false`.
   */
  readonly endInputOnStop?: boolean
  /** How long a peer may take. Default: for ever. */
  readonly limits?: Limits
  /** Finds out whether silent peers are still there. Default: nobody asks. */
  readonly heartbeat?: Heartbeat
  /**
   * After how long without traffic the system asks whether the peer is still there. Linux asks ten times then, once a
   * second, before the connection is `Broken`. Default: never.
   */
  readonly keepAlive?: Duration.Input
  /**
   * What is done with a handler's failure, which concerns no other connection. It cannot be cancelled, and if it fails
   * itself, so does the server. Default: failures go to the log with their peer, as errors; peers that have gone or
   * were too slow, as information.
   */
  readonly onFailure?: (cause: Cause.Cause<E | Errors.TooSlow | Errors.Broken>, peer: Address) => Effect.Effect<unknown, never, R>
}

/**
 * Time limits of a connection. Each is a scope of this name in the task tree. The first two end the
 * handler with `TooSlow`; the third one ends its `send` with `Broken`, caused by `TooSlow`, and the connection.
 *
 * @since 0.1.0
 */
export interface Limits {
  /** How long the handshake of TLS may take. Default: 10 seconds. */
  readonly handshake?: Duration.Input
  /**
   * How long no byte may come or go. It is found out at most a quarter of that later. A handler that takes
   * so long for something else is cut off, too.
   */
  readonly idle?: Duration.Input
  /** How long a peer may take none of the bytes that are being sent to it. */
  readonly write?: Duration.Input
}

/**
 * Something that is sent to a peer from which nothing comes, to see whether it answers.
 *
 * A heartbeat goes between two sends of the handler, so that a handler must send whole messages.
 *
 * @since 0.1.0
 */
export interface Heartbeat {
  /** It is sent when nothing has come for so long, and again each time this has passed. */
  readonly every: Duration.Input
  /** What is sent. */
  readonly message: string | Uint8Array
  /** After so many without any byte from the peer, its handler ends with `TooSlow`. Default: 2. */
  readonly missed?: number
}

/**
 * How a server has stopped: what `serve` ends with.
 *
 * @since 0.1.0
 */
export interface Report {
  /** Connections whose handlers had ended by themselves when the server was asked to stop, or earlier. */
  readonly served: number
  /** Connections that were open when the server was asked to stop, and whose handlers ended by themselves. */
  readonly drained: number
  /** Those whose handlers were cancelled. */
  readonly forced: number
  /** How long the last of them took. */
  readonly longest: Duration.Duration
  /** Connections that never had a handler, because of the limits or because the server stopped. */
  readonly turnedAway: number
}
