/** A listener of Node. */
import { lstatSync, unlinkSync } from "node:fs"
import { connect, createServer, type Server, type Socket } from "node:net"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { Broken } from "../../core/Errors.ts"
import type { AnyEffect } from "../../core/internal/Block.ts"
import { type Awaited, Wait } from "../../core/internal/Wait.ts"
import type { Address, TcpAddress, UnixAddress } from "./Address.ts"
import { nameOf } from "./AddressText.ts"
import { exhaustedBy } from "./Descriptors.ts"
import { NodeStream, tcpAddressOf, unsentBytes } from "./NodeStream.ts"
import type { Acceptor, Listener, ListenOptions } from "./Transport.ts"

/** As Node says it. */
export const keepAliveOf = (after: Duration.Input | undefined): { readonly keepAlive?: boolean; readonly keepAliveInitialDelay?: number } =>
  after === undefined ? {} : { keepAlive: true, keepAliveInitialDelay: Duration.toMillis(after) }

/** Of every socket. Nothing is read before somebody receives, and both halves end by themselves. */
export const socketOptions = { allowHalfOpen: true, highWaterMark: unsentBytes, noDelay: true }

const serverFor = <A extends Address>(at: A, acceptor: Acceptor<A>, options: ListenOptions | undefined): Server => {
  const server = createServer({ ...socketOptions, pauseOnConnect: true, ...keepAliveOf(options?.keepAlive) })
  server.on("connection", (socket: Socket) => {
    const cause = exhaustedBy(socket)
    if (cause !== undefined) acceptor.failed(new Broken({ what: whatOf(addressOf(server, at)), cause }))
    if (at._tag === "Unix") {
      const peer: UnixAddress = { _tag: "Unix", path: "" }
      acceptor.connected(new NodeStream<UnixAddress>("unix", socket, peer, at) as NodeStream<Address> as NodeStream<A>)
    } else if (socket.remoteAddress === undefined) {
      // It was reset before it was accepted. There is nobody to talk to.
      socket.on("error", () => {})
      socket.destroy()
    } else {
      const peer: TcpAddress = tcpAddressOf(socket.remoteAddress, socket.remotePort)
      acceptor.connected(new NodeStream<TcpAddress>("tcp", socket, peer) as NodeStream<Address> as NodeStream<A>)
    }
  })
  server.on("error", (cause) => {
    // Before, it could not start, which is told otherwise.
    if (server.listening) acceptor.failed(new Broken({ what: whatOf(addressOf(server, at)), cause }))
  })
  return server
}

const whatOf = (at: Address): string => `listener ${at._tag === "Unix" ? "unix" : "tcp"} ${nameOf(at) ?? "without a name"}`

const started = (server: Server, at: Address, options: ListenOptions | undefined): Effect.Effect<void, Broken> =>
  Effect.callback<void, Broken>((resume) => {
    const on: Awaited = { label: whatOf(at) }
    const wait = new Wait("starting", on, undefined, resume as (effect: AnyEffect) => void)
    const listening = () => {
      server.removeListener("error", failed)
      wait.wake(Exit.void)
    }
    const failed = (cause: Error) => {
      server.removeListener("listening", listening)
      wait.wake(Exit.fail(new Broken({ what: on.label, cause })))
    }
    server.once("listening", listening)
    server.once("error", failed)
    server.listen({
      ...(at._tag === "Unix" ? { path: at.path } : { host: at.host, port: at.port }),
      ...(options?.backlog === undefined ? {} : { backlog: options.backlog }),
      ...(options?.ipv6Only === undefined ? {} : { ipv6Only: options.ipv6Only }),
      ...(options?.reusePort === undefined ? {} : { reusePort: options.reusePort })
    })
    return wait.leave
  })

const addressOf = (server: Server, at: Address): Address => {
  const address = server.address()
  return address === null || typeof address === "string" ? at : tcpAddressOf(address.address, address.port)
}

/** Whether a path is a socket that nobody listens at any more. */
const isStale = (path: string): Effect.Effect<boolean> =>
  Effect.callback<boolean>((resume) => {
    const socket = connect({ path })
    const told = (answer: boolean) => {
      socket.destroy()
      resume(Exit.succeed(answer))
    }
    socket.once("connect", () => told(false))
    socket.once("error", (error: NodeJS.ErrnoException) => told(error.code === "ECONNREFUSED"))
    return Effect.sync(() => void socket.destroy())
  })

const isTaken = (error: Broken): boolean => (error.cause as NodeJS.ErrnoException | undefined)?.code === "EADDRINUSE"

const isSocket = (path: string): boolean => {
  try {
    return lstatSync(path).isSocket()
  } catch {
    return false
  }
}

/** A process that was killed leaves the file of its socket behind, and nobody could listen there again. */
const replacingStale = (attempt: Effect.Effect<Server, Broken>, at: Address): Effect.Effect<Server, Broken> =>
  at._tag !== "Unix" ? attempt : Effect.catchTag(attempt, "Broken", (error) =>
    !isTaken(error) || !isSocket(at.path) ? Effect.fail(error) : Effect.flatMap(isStale(at.path), (stale) => {
      if (!stale) return Effect.fail(error)
      return Effect.andThen(Effect.sync(() => remove(at.path)), attempt)
    }))

const remove = (path: string): void => {
  try {
    unlinkSync(path)
  } catch {
    // Somebody else was faster, or may not: the next attempt to listen will tell.
  }
}

const closed = (server: Server): Effect.Effect<void> =>
  Effect.sync(() => void server.close())

export const listen = <A extends Address>(
  at: A,
  acceptor: Acceptor<A>,
  options?: ListenOptions
): Effect.Effect<Listener<A>, Broken, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const scope = yield* Scope.fork(yield* Effect.scope)
      const attempt = Effect.gen(function*() {
        const server = serverFor(at, acceptor, options)
        yield* Scope.addFinalizer(scope, closed(server))
        yield* started(server, at, options)
        return server
      })
      const server = yield* Effect.onError(restore(replacingStale(attempt, at)), (cause) => Scope.close(scope, Exit.failCause(cause)))
      const address = addressOf(server, at) as A
      return { address, close: Scope.close(scope, Exit.void) }
    })
  )
