/** The WebSocket endpoints of one HTTP server, by path. */
import type { IncomingMessage, Server as HttpServer } from "node:http"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import { pathOf, refusalOf } from "./WebSocketHandshake.ts"
import { refuse, type Request } from "./WebSocketUpgrade.ts"

export interface Endpoint {
  /** Any path, if it has none. */
  readonly path: string | undefined
  /** The handshake is in order. */
  take(request: Request): void
}

/** Of `node:http`, and of `node:https` when it has shaken hands. */
const connections = ["connection", "secureConnection"]

// The system does not know the peer of a connection that was reset. Node remembers it from the first time that it is asked for.
const knowPeer = (socket: Socket): void => void socket.remoteAddress

class WebSocketRouter {
  private readonly server: HttpServer
  private readonly endpoints: Array<Endpoint> = []

  constructor(server: HttpServer) {
    this.server = server
  }

  add(endpoint: Endpoint): void {
    if (this.endpoints.some(({ path }) => path === endpoint.path)) {
      const path = endpoint.path === undefined ? "any path" : `the path \`${endpoint.path}\``
      throw new RangeError(`Expected \`path\` to be free, but the HTTP server has a WebSocket at ${path} already`)
    }
    if (this.endpoints.push(endpoint) > 1) return
    for (const event of connections) this.server.on(event, knowPeer)
    this.server.on("upgrade", this.upgrade)
  }

  remove(endpoint: Endpoint): void {
    const index = this.endpoints.indexOf(endpoint)
    if (index === -1) return
    this.endpoints.splice(index, 1)
    if (this.endpoints.length > 0) return
    for (const event of connections) this.server.off(event, knowPeer)
    this.server.off("upgrade", this.upgrade)
    routers.delete(this.server)
  }

  private readonly upgrade = (message: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const path = pathOf(message.url ?? "/")
    const endpoint = this.endpoints.find((each) => each.path === path) ?? this.endpoints.find((each) => each.path === undefined)
    if (endpoint === undefined) {
      // Somebody else listens, and may know the path.
      if (this.server.listenerCount("upgrade") > 1) return
      return refuse(socket, { status: 404, why: "there is no WebSocket at this path" })
    }
    // It has gone before anybody could ask who it was.
    if ((socket as Socket).remoteAddress === undefined && typeof this.server.address() !== "string") return void socket.destroy()
    const refusal = refusalOf(message)
    if (refusal !== undefined) refuse(socket, refusal)
    else endpoint.take({ message, socket, head })
  }
}

const routers = new WeakMap<HttpServer, WebSocketRouter>()

/** Returns what takes it away again. */
export const mount = (server: HttpServer, endpoint: Endpoint): () => void => {
  let router = routers.get(server)
  if (router === undefined) routers.set(server, router = new WebSocketRouter(server))
  router.add(endpoint)
  return () => router.remove(endpoint)
}
