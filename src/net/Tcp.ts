/**
 * Streams over TCP.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Errors from "../core/Errors.ts"
import { millisOf } from "../core/internal/ScopeBlock.ts"
import { attemptMillis, connectToAny, interleaved } from "./internal/HappyEyeballs.ts"
import { portOf } from "./internal/Port.ts"
import { type Connection, type ConnectOptions, Network, type TcpAddress } from "./Network.ts"

/**
 * A stream over TCP.
 *
 * @since 0.1.0
 */
export interface TcpStream extends Connection<TcpAddress> {}

/**
 * Whom to connect to.
 *
 * @since 0.1.0
 */
export interface ConnectTo extends ConnectOptions {
  /** A name or an IP address. */
  readonly host: string
  readonly port: number
  /** How long the first address has before the next one is tried beside it. 250 milliseconds unless told otherwise. */
  readonly stagger?: Duration.Input
}

/**
 * Connects to a host.
 *
 * @since 0.1.0
 */
export const connect = (options: ConnectTo): Effect.Effect<TcpStream, Errors.Broken, Scope.Scope> =>
  Effect.gen(function*() {
    const { host } = options
    const port = portOf(options.port, 1)
    const stagger = millisOf("stagger", options.stagger ?? attemptMillis)
    const network = yield* Network
    const what = `tcp ${host.includes(":") ? `[${host}]` : host}:${port}`
    const hosts = yield* Effect.mapError(network.lookup(host), ({ cause }) => new Errors.Broken({ what, cause }))
    if (hosts.length === 1) {
      const one = network.connect<TcpAddress>({ _tag: "Tcp", host: hosts[0]!, port }, options)
      return yield* Effect.mapError(one, ({ cause }) => new Errors.Broken({ what, cause }))
    }
    return yield* connectToAny(network, what, interleaved(hosts), port, options, stagger)
  })
