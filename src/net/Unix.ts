/**
 * Streams over sockets of the file system, for processes on one machine.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Errors from "../core/Errors.ts"
import type * as Nursery from "../core/Nursery.ts"
import { serve as serveKind } from "./internal/Serve.ts"
import { type Acceptor, type Connection, Network, type UnixAddress } from "./Network.ts"
import type * as Server from "./Server.ts"

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

/**
 * Where to listen, and how connections are treated.
 *
 * @since 0.1.0
 */
export interface ServeOptions<in E = unknown, out R = never> extends Server.Options<E, R> {
  readonly path: string
}

/**
 * Serves a socket of the file system: as `Tcp.serve`, for processes of this machine.
 *
 * **Details**
 *
 * The file is made when the server starts, and is gone when it has stopped. One that a process left behind which
 * was killed is replaced; one at which somebody listens is `Broken`, caused by `EADDRINUSE`.
 *
 * Peers have no address. Their tasks are called `peer 1`, `peer 2` and so on, and `maxPerAddress` counts all of them together.
 *
 * **Example** (Two programs of one machine)
 *
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { Nursery } from "effect-nursery"
 * import { Unix } from "effect-nursery/net"
 * import * as os from "node:os"
 * import * as path from "node:path"
 *
 * const upper = (stream: Unix.UnixStream) => Stream.runForEach(stream.lines, (line) => stream.send(`${line.toUpperCase()}\n`))
 *
 * const program = Nursery.open((n) =>
 *   Effect.gen(function*() {
 *     const at = path.join(os.tmpdir(), `upper-${process.pid}.sock`)
 *     yield* n.start(Unix.serve(upper, { path: at }), { service: true })
 *     const stream = yield* Unix.connect({ path: at })
 *     yield* stream.send("hello\n")
 *     yield* stream.sendEof
 *     yield* Stream.runForEach(stream.lines, (line) => Effect.sync(() => console.log(line)))
 *   }).pipe(Effect.scoped)
 * )
 *
 * await Effect.runPromise(program)
 * ```
 *
 * ```text output
 * HELLO
 * ```
 *
 * @since 0.1.0
 */
export const serve = <E, R, R2 = never>(
  handler: (stream: UnixStream) => Effect.Effect<unknown, E, R>,
  options: ServeOptions<E, R2>
): Nursery.Startable<UnixAddress, Server.Report, Errors.Broken, R | R2> => {
  const at: UnixAddress = { _tag: "Unix", path: options.path }
  const kind = {
    listen: (acceptor: Acceptor<UnixAddress>) =>
      Effect.flatMap(Network, (network) => Effect.map(network.listen(at, acceptor, listenOptions(options)), (listener) => [listener])),
    started: ([address]: ReadonlyArray<UnixAddress>) => address!
  }
  return serveKind<UnixAddress, UnixStream, UnixAddress, R, R2>(kind, handler, options)
}

const listenOptions = ({ backlog }: Server.Options<never, unknown>) => backlog === undefined ? {} : { backlog }
