/** How a WebSocket works, and how servers and clients open one. */
import type { Server as HttpServer } from "node:http"
import type { ConnectionOptions as TlsOptions } from "node:tls"
import type * as Duration from "effect/Duration"
import type * as Server from "../Server.ts"
import type { Handshake, Origins } from "./WebSocketHandshake.ts"

/**
 * How one WebSocket works, at either end.
 *
 * @since 0.1.0
 */
export interface StreamOptions {
  /** So many bytes a message of the peer may have, unpacked; a longer one ends it with 1009. Default: 1 MiB. */
  readonly maxPayload?: number
  /**
   * When so many bytes of messages wait to be received, no more is read from the peer, until half of
   * them are. What one read of the system brought more is kept. Default: 64 KiB.
   */
  readonly inboxBytes?: number
  /** So many bytes may wait for the peer to take them; a message more is let in. Default: 64 KiB. */
  readonly outboxBytes?: number
  /**
   * What `send` does while so much waits already.
   *
   * - `"wait"`: it waits, first come, first served.
   * - `"drop"`: it does not send the message, and counts it.
   * - `"disconnect"`: it ends the WebSocket, and is `Broken`.
   *
   * Default: `"wait"`.
   */
  readonly overflow?: "wait" | "drop" | "disconnect"
  /**
   * What is done with messages of the peer: `"receive"` keeps them for `receive`; an endpoint that only
   * sends says `"ignore"`, or `"refuse"`, which ends it with 1008. Default: `"receive"`.
   */
  readonly incoming?: "receive" | "ignore" | "refuse"
  /**
   * When nothing has come for `every`, the peer is asked whether it is there, and again each time that
   * has passed. After `missed` (2) that were not answered it is cut off. Default: every 30 seconds.
   */
  readonly ping?: false | { readonly every: Duration.Input; readonly missed?: number }
  /** A peer that sends more pings and pongs in a second is cut off with 1008. Default: 100. */
  readonly maxPingsPerSecond?: number
  /** How long the peer may take to answer a close. Default: 1 second. */
  readonly closeTimeout?: Duration.Input
  /** Pack messages (permessage-deflate) from `threshold` bytes up, 1024 unless told otherwise, if the peer can. Default: `false`. */
  readonly compression?: boolean | { readonly threshold?: number }
}

/**
 * How a server treats its WebSockets: as `Server.Options`, with `grace` 3 seconds,
 * `whenFull` `"reject"` and `endInputOnStop` `true` unless told otherwise. Whoever
 * is turned away is answered 503.
 *
 * @since 0.1.0
 */
export interface ServeOptions<in E = never, out R = never>
  extends StreamOptions, Omit<Server.Options<E, R>, "limits" | "heartbeat" | "keepAlive">
{
  /** Only this path; others are answered 404. Default: any. */
  readonly path?: string
  /** Which pages may open one; others are answered 403. Default: `"same"`. */
  readonly origins?: Origins
  /**
   * The sub-protocols that the server speaks, the dearest first, or a function that chooses one of those
   * that are offered. Default: none, whatever is offered.
   */
  readonly protocols?: ReadonlyArray<string> | ((offered: ReadonlyArray<string>, handshake: Handshake) => string | undefined)}

/**
 * A server on a port of its own.
 *
 * @since 0.1.0
 */
export interface PortOptions<in E = never, out R = never> extends ServeOptions<E, R> {
  /** Port 0 means any free one. */
  readonly port: number
  /** Default: `"127.0.0.1"`. */
  readonly host?: string
}

/**
 * A server beside what an HTTP server does otherwise. That one is not closed, and
 * may have several, each with a path.
 *
 * @since 0.1.0
 */
export interface MountOptions<in E = never, out R = never> extends ServeOptions<E, R> {
  /** Of `node:http`, or of `node:https`. It is ready when that one listens. */
  readonly server: HttpServer
}

/**
 * How a client opens a WebSocket.
 *
 * @since 0.1.0
 */
export interface ConnectOptions extends StreamOptions {
  /** The sub-protocols to offer, the dearest first. A server that chooses none of them is `Broken`. */
  readonly protocols?: ReadonlyArray<string>
  readonly headers?: Readonly<Record<string, string>>
  /** The origin to send. */
  readonly origin?: string
  /** How long all of it may take. Default: 10 seconds. */
  readonly timeout?: Duration.Input
  /** For `wss:`, such as `ca`. */
  readonly tls?: TlsOptions
}
