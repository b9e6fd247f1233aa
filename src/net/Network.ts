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
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Errors from "../core/Errors.ts"
import type { Address } from "./internal/Address.ts"
import { nodeNetwork } from "./internal/NodeNetwork.ts"
import type { ClientOptions, ServerOptions } from "./internal/TlsHandshake.ts"
import type { Acceptor, Connection, ConnectOptions, Listener, ListenOptions, SecureConnection } from "./internal/Transport.ts"

export type { Address, TcpAddress, UnixAddress } from "./internal/Address.ts"
export type { Acceptor, Connection, ConnectOptions, Listener, ListenOptions, SecureConnection } from "./internal/Transport.ts"

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
    options: ClientOptions | ServerOptions
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
