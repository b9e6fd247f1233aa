/**
 * Streams over sockets of the file system, for processes on one machine.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Errors from "../core/Errors.ts"
import { type Connection, Network, type UnixAddress } from "./Network.ts"

/**
 * A stream over a Unix socket.
 *
 * @since 0.1.0
 */
export interface UnixStream extends Connection<UnixAddress> {}

/**
 * Whom to connect to.
 *
 * @since 0.1.0
 */
export interface ConnectTo {
  readonly path: string
}

/**
 * Connects to a socket of the file system.
 *
 * **Details**
 *
 * It fails with `Broken` when there is no such file, or nobody listens at it. When
 * it is cancelled, nothing is left. The stream closes with the scope.
 *
 * **Gotchas**
 *
 * The system allows paths of about 100 bytes. This end of the stream has no path
 * of its own: its `local` is empty, and so is the `peer` of whoever accepts it.
 *
 * **Example** (Nobody there)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Unix } from "effect-nursery/net"
 *
 * const program = Unix.connect({ path: "/nowhere/app.sock" }).pipe(
 *   Effect.scoped,
 *   Effect.catchTag("Broken", (error) => Effect.succeed(error.message))
 * )
 *
 * console.log(await Effect.runPromise(program))
 * ```
 *
 * ```text output
 * unix /nowhere/app.sock is broken: connect ENOENT /nowhere/app.sock
 * ```
 *
 * @since 0.1.0
 */
export const connect = (options: ConnectTo): Effect.Effect<UnixStream, Errors.Broken, Scope.Scope> =>
  Effect.flatMap(Network, (network) => network.connect<UnixAddress>({ _tag: "Unix", path: options.path }))
