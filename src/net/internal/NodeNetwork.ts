/** The transport of Node. */
import { lookup as lookUp, type LookupAddress } from "node:dns"
import { connect as connectSocket, isIP } from "node:net"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { Broken } from "../../core/Errors.ts"
import type { AnyEffect } from "../../core/internal/Block.ts"
import { Wait } from "../../core/internal/Wait.ts"
import type { Address } from "./Address.ts"
import { keepAliveOf, listen, socketOptions } from "./NodeListener.ts"
import { NodeStream } from "./NodeStream.ts"
import { secure } from "./NodeTls.ts"
import type { ClientOptions, ServerOptions } from "./TlsHandshake.ts"
import type { Connection, ConnectOptions, SecureConnection } from "./Transport.ts"

const lookup = (host: string): Effect.Effect<ReadonlyArray<string>, Broken> =>
  isIP(host) !== 0 ? Effect.succeed([host]) : Effect.callback((resume) => {
    const what = `host ${host}`
    const wait = new Wait("looking up", { label: what }, undefined, resume as (effect: AnyEffect) => void)
    // The system's own resolver cannot be stopped: who is cancelled does not wait for it.
    lookUp(host, { all: true, order: "verbatim" }, (cause: Error | null, found: ReadonlyArray<LookupAddress>) => {
      if (cause !== null) wait.wake(Exit.fail(new Broken({ what, cause })))
      else if (found.length === 0) wait.wake(Exit.fail(new Broken({ what, cause: new Error("it has no address") })))
      else wait.wake(Exit.succeed(found.map(({ address }) => address)))
    })
    return wait.leave
  })

const streamTo = <A extends Address>(to: A, options: ConnectOptions | undefined): NodeStream<A> => {
  const socket = connectSocket({
    ...(to._tag === "Unix" ? { path: to.path } : { host: to.host, port: to.port }),
    ...socketOptions,
    ...keepAliveOf(options?.keepAlive),
    ...(options?.localAddress === undefined ? {} : { localAddress: options.localAddress }),
    // One address is asked for. Trying several is the business of `Tcp.connect`.
    autoSelectFamily: false
  })
  // Node would begin to read when it is connected.
  socket.pause()
  return new NodeStream(to._tag === "Unix" ? "unix" : "tcp", socket, to)
}

const connect = <A extends Address>(to: A, options?: ConnectOptions): Effect.Effect<Connection<A>, Broken, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      // A scope of its own, so that an attempt that failed leaves nothing in the scope around.
      const scope = yield* Scope.fork(yield* Effect.scope)
      const stream = streamTo(to, options)
      yield* Scope.addFinalizerExit(scope, (exit) => Exit.isSuccess(exit) ? stream.close : stream.abort)
      yield* Effect.onError(restore(stream.connected), (cause) => Scope.close(scope, Exit.failCause(cause)))
      return stream
    })
  )

const secureOwn = <A extends Address>(
  connection: Connection<A>,
  options: ClientOptions | ServerOptions
): Effect.Effect<SecureConnection<A>, Broken> =>
  connection instanceof NodeStream
    ? secure(connection, options)
    : Effect.die(new TypeError(`Expected a connection of Node's network, got \`${String(connection)}\` (${typeof connection})`))

/** The default of `Network`, which is where it is checked to be one: this file knows nothing of that one. */
export const nodeNetwork = { lookup, connect, listen, secure: secureOwn }
