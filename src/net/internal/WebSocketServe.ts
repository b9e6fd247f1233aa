/** Servers of WebSockets: on a port of their own, or beside what an HTTP server does otherwise. */
import { createServer, type Server as HttpServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import * as Errors from "../../core/Errors.ts"
import { Place } from "../../core/internal/Block.ts"
import { stoppingAround } from "../../core/internal/ScopeBlock.ts"
import { waitIn, WaitQueue } from "../../core/internal/Wait.ts"
import type { Startable } from "../../core/Nursery.ts"
import type { Options as ServerOptions, Report } from "../Server.ts"
import type { Address } from "./Address.ts"
import { nameOf } from "./AddressText.ts"
import { serve } from "./Serve.ts"
import type { Acceptor, Connection, Listener } from "./Transport.ts"
import type { WebSocketHandle } from "./WebSocketHandle.ts"
import { checkOrigins, choose, ClientHandshake, isAllowed, pathOf } from "./WebSocketHandshake.ts"
import type { MountOptions, PortOptions, ServeOptions } from "./WebSocketOptions.ts"
import { loadWs } from "./WebSocketPackage.ts"
import { webSocketPlanOf, wsLimits } from "./WebSocketPlan.ts"
import { type Endpoint, mount } from "./WebSocketRouter.ts"
import { refuse, WebSocketUpgrade } from "./WebSocketUpgrade.ts"

type Options = PortOptions<any, any> | MountOptions<any, any>

/** With a second for the close of each socket, `Main` need not end it. */
const defaultGrace = "3 seconds"
const defaultHost = "127.0.0.1"

/** How long a client may take for its request. */
const requestMillis = 10_000

export const serveWebSocket = <V extends Address>(
  handler: (stream: WebSocketHandle) => Effect.Effect<unknown, any, any>,
  options: Options
): Startable<V, Report, Errors.Broken, any> => {
  const { host: _host, port: _port, server: _server, ...rest } = options as PortOptions<any, any> & MountOptions<any, any>
  const settings: ServerOptions<any, any> = { name: "websockets", grace: defaultGrace, whenFull: "reject", endInputOnStop: true, ...rest }
  const handle = (connection: Connection): Effect.Effect<unknown, any, any> =>
    Effect.withFiber((fiber) => {
      const accepted = (connection as unknown as WebSocketUpgrade).accept(fiber)
      if (Exit.isFailure(accepted)) return accepted
      const stream = accepted.value
      return Effect.onExit(Effect.suspend(() => handler(stream)), (exit) =>
        stream.leave(exit, stoppingAround(fiber.getRef(Place)) !== undefined))
    })
  const listenWith = (acceptor: Acceptor<Address>) => Effect.map(listen(acceptor, options), (listener) => [listener])
  // To a server an upgrade is a connection; of those it uses no more than an upgrade has.
  return serve<Address, Connection, V, any, any>({ listen: listenWith, started: ([address]) => address as V }, handle, settings)
}

const listen = (acceptor: Acceptor<Address>, options: Options): Effect.Effect<Listener, Errors.Broken, Scope.Scope> =>
  Effect.gen(function*() {
    const path = checkPath(options.path)
    const endpoint = yield* endpointOf(acceptor, options, path)
    if ("server" in options && options.server !== undefined) return yield* mountOn(options.server, endpoint)
    return yield* listenAt(options as PortOptions<any, any>, endpoint, acceptor)
  })

const checkPath = (path: string | undefined): string | undefined => {
  if (path === undefined || (path.startsWith("/") && pathOf(path) === path)) return path
  throw new RangeError(`Expected \`path\` to begin with / and to have no query, got \`${path}\` (${typeof path})`)
}

const endpointOf = Effect.fnUntraced(function*(acceptor: Acceptor<Address>, options: ServeOptions<any, any>, path: string | undefined) {
  const plan = webSocketPlanOf(options)
  const origins = checkOrigins(options.origins)
  const { WebSocketServer } = yield* loadWs
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    ...wsLimits(plan),
    handleProtocols: (offered, request) => choose(options.protocols, [...offered], new ClientHandshake(request))
  })
  server.on("wsClientError", (error, socket) => refuse(socket, { status: 400, why: error.message }))
  const endpoint: Endpoint = {
    path,
    take: (request) => {
      const handshake = new ClientHandshake(request.message)
      if (!isAllowed(origins, handshake)) return refuse(request.socket, { status: 403, why: "pages of this origin may not open a WebSocket here" })
      acceptor.connected(new WebSocketUpgrade(request, handshake, server, plan) as unknown as Connection)
    }
  }
  return endpoint
})

/** What is there from `begin` on, until the scope closes or the listener is closed, whichever comes first. */
const until = <A>(begin: () => A, end: (value: A) => void): Effect.Effect<{ readonly value: A; readonly close: Effect.Effect<void> }, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const value = begin()
      let over = false
      const close = Effect.sync(() => {
        if (!over) end(value)
        over = true
      })
      return { value, close }
    }),
    ({ close }) => close
  )

const mountOn = Effect.fnUntraced(function*(server: HttpServer, endpoint: Endpoint) {
  const { close } = yield* until(() => mount(server, endpoint), (unmount) => unmount())
  yield* listening(server)
  return { address: boundTo(server), close }
})

const listening = (server: HttpServer): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (server.listening) return Effect.void
    const queue = new WaitQueue()
    const wake = () => queue.wakeAll(Exit.void)
    server.once("listening", wake)
    const ready = () => server.listening ? Exit.void : undefined
    return Effect.ensuring(
      waitIn(queue, "waiting for", { label: "the HTTP server to listen" }, undefined, ready),
      Effect.sync(() => server.off("listening", wake))
    )
  })

const boundTo = (server: HttpServer): Address => {
  const at = server.address() as AddressInfo | string | null
  return typeof at === "string" || at === null ? { _tag: "Unix", path: at ?? "" } : { _tag: "Tcp", host: at.address, port: at.port }
}

const listenAt = Effect.fnUntraced(function*(options: PortOptions<any, any>, endpoint: Endpoint, acceptor: Acceptor<Address>) {
  const { backlog, host = defaultHost, port } = options
  if (!(Number.isInteger(port) && port >= 0 && port < 65_536)) {
    throw new RangeError(`Expected \`port\` to be an integer from 0 to 65535, got \`${port}\` (${typeof port})`)
  }
  const what = `listener tcp ${nameOf({ _tag: "Tcp", host, port })}`
  const { close, value: server } = yield* until(() => httpServer(endpoint), (server) => {
    server.close()
    // Requests that were not answered yet; WebSockets do not belong to it any more.
    server.closeAllConnections()
  })
  yield* Effect.callback<void, Errors.Broken>((resume) => {
    server.once("error", (cause) => resume(Effect.fail(new Errors.Broken({ what, cause }))))
    server.listen({ host, port, ...(backlog === undefined ? {} : { backlog }) }, () => {
      server.removeAllListeners("error")
      server.on("error", (cause) => acceptor.failed(new Errors.Broken({ what, cause })))
      resume(Effect.void)
    })
  })
  return { address: boundTo(server), close }
})

const httpServer = (endpoint: Endpoint): HttpServer => {
  const server = createServer({ headersTimeout: requestMillis, requestTimeout: requestMillis, keepAliveTimeout: 1 }, (request, response) => {
    if (endpoint.path !== undefined && endpoint.path !== pathOf(request.url ?? "/")) answer(response, 404, "there is nothing at this path")
    else answer(response, 426, "this is a WebSocket", { Upgrade: "websocket" })
  })
  mount(server, endpoint)
  return server
}

const answer = (response: ServerResponse, status: number, why: string, headers: Record<string, string> = {}): void => {
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8", Connection: "close", ...headers })
  response.end(`${why}\n`)
}
