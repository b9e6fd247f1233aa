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
import type * as Nursery from "../core/Nursery.ts"
import { attemptMillis, connectToAny, interleaved } from "./internal/HappyEyeballs.ts"
import { portOf } from "./internal/Port.ts"
import { serve as serveKind } from "./internal/Serve.ts"
import { listenTcp, placeOf } from "./internal/TcpListeners.ts"
import { type Acceptor, type Connection, type ConnectOptions, Network, type TcpAddress } from "./Network.ts"
import type * as Server from "./Server.ts"

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
 * Connects to a host. The stream closes with the scope.
 *
 * **Details**
 *
 * The addresses of a name are tried one after the other, families in turn, each
 * with a start of `stagger` before the next one is tried beside it (RFC 8305,
 * "Happy Eyeballs"). One that refuses is not waited for. The first that answers
 * wins, and the others are closed. When none does, `Broken` names each and why.
 * When it is cancelled, nothing is left.
 *
 * **Gotchas**
 *
 * Where nobody refuses and nobody answers, the system gives up after minutes: put
 * a `Timeout` around.
 *
 * **Example** (Nobody there)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Tcp } from "effect-nursery/net"
 *
 * const program = Tcp.connect({ host: "127.0.0.1", port: 1 }).pipe(
 *   Effect.scoped,
 *   Effect.catchTag("Broken", (error) => Effect.succeed(error.message))
 * )
 *
 * console.log(await Effect.runPromise(program))
 * ```
 *
 * ```text output
 * tcp 127.0.0.1:1 is broken: connect ECONNREFUSED 127.0.0.1:1
 * ```
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

/**
 * Where to listen, and how connections are treated.
 *
 * @since 0.1.0
 */
export interface ServeOptions<in E = unknown, out R = never> extends Server.Options<E, R> {
  /** 0 is any free port. */
  readonly port: number
  /**
   * A name or an IP address, or several: the server listens at all of them, at the same port. A name means all
   * addresses that it has here. Default: `"127.0.0.1"`, this machine alone; `"0.0.0.0"` and `"::"` mean every network.
   */
  readonly host?: string | ReadonlyArray<string>
  /** Listen at an IPv6 address without accepting IPv4 too. */
  readonly ipv6Only?: boolean
  /** Let several processes listen at one port; the system deals the connections out. */
  readonly reusePort?: boolean
}

/**
 * Where a server listens: the first address, and with it all of them.
 *
 * @since 0.1.0
 */
export interface Bound extends TcpAddress {
  readonly all: ReadonlyArray<TcpAddress>
}

/**
 * Serves TCP: runs the handler once for each connection, all of them side by side.
 *
 * **Details**
 *
 * It is a function of `started`, as `Nursery.start` takes it, which it calls with its address when it listens.
 * It fails only if it cannot listen.
 *
 * Each connection has a task, named by its peer. However the handler ends, the connection is closed then; when it
 * was cancelled, without waiting for the peer. A failure concerns no other connection; it goes to the log, or to `onFailure`.
 *
 * When a scope around is asked to stop (`CancelScope.stop`, a signal under `Main`), the server accepts no more and
 * frees its port at once. The handlers hear of the stop in `CancelScope.whenStopping` and `untilStopping`, or as the end of their
 * input (`endInputOnStop`). Those that still run after `grace` are cancelled. Its value says how that went. When
 * it is cancelled, its handlers are cancelled at once.
 *
 * **Example** (An echo server, and somebody who shouts)
 *
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { Nursery } from "effect-nursery"
 * import { Tcp } from "effect-nursery/net"
 *
 * const echo = (stream: Tcp.TcpStream) => Stream.runForEach(stream.chunks, (bytes) => stream.send(bytes))
 *
 * const program = Nursery.open((n) =>
 *   Effect.gen(function*() {
 *     const address = yield* n.start(Tcp.serve(echo, { port: 0 }), { service: true })
 *     const stream = yield* Tcp.connect(address)
 *     yield* stream.send("is anybody there?\n")
 *     yield* stream.sendEof
 *     yield* Stream.runForEach(stream.lines, (line) => Effect.sync(() => console.log(line)))
 *   }).pipe(Effect.scoped)
 * )
 *
 * await Effect.runPromise(program)
 * ```
 *
 * ```text output
 * is anybody there?
 * ```
 *
 * @since 0.1.0
 */
export const serve = <E, R, R2 = never>(
  handler: (stream: TcpStream) => Effect.Effect<unknown, E, R>,
  options: ServeOptions<E, R2>
): Nursery.Startable<Bound, Server.Report, Errors.Broken, R | R2> =>
(started) =>
  Effect.suspend(() => {
    const place = placeOf(options)
    const kind = {
      listen: (acceptor: Acceptor<TcpAddress>) => listenTcp(place, acceptor),
      started: (all: ReadonlyArray<TcpAddress>): Bound => ({ ...all[0]!, all })
    }
    return serveKind<TcpAddress, TcpStream, Bound, R, R2>(kind, handler, options)(started)
  })
