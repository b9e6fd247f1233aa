/**
 * A client whose handshake is in order and not answered yet. To a server it is a
 * connection: it may have to wait for a handler, or be turned away, and becomes a
 * WebSocket when the handler's turn has come.
 */
import type { IncomingMessage } from "node:http"
import { STATUS_CODES } from "node:http"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Errors from "../../core/Errors.ts"
import type { AnyFiber } from "../../core/internal/Block.ts"
import type { Address } from "./Address.ts"
import { nameOf } from "./AddressText.ts"
import { WebSocketHandle } from "./WebSocketHandle.ts"
import type { ClientHandshake, Refusal } from "./WebSocketHandshake.ts"
import type { WebSocket, WsServer } from "./WebSocketPackage.ts"
import type { WebSocketPlan } from "./WebSocketPlan.ts"

export interface Request {
  readonly message: IncomingMessage
  readonly socket: Duplex
  readonly head: Buffer
}

const ignore = (): void => {}

/** Answers as an HTTP server that opens no WebSocket, and closes. */
export const refuse = (socket: Duplex, { headers = {}, status, why }: Refusal): void => {
  if (!socket.writable) return void socket.destroy()
  socket.on("error", ignore)
  const body = `${why}\n`
  const fields = {
    Connection: "close",
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": String(Buffer.byteLength(body)),
    ...headers
  }
  const head = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`).join("")
  socket.once("finish", () => socket.destroy())
  // What has come and is not read would make the system reset the connection, and the answer could be lost.
  socket.resume()
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head}\r\n${body}`)
}

export const addressOf = (host: string | undefined, port: number | undefined): Address =>
  host === undefined || port === undefined ? { _tag: "Unix", path: "" } : { _tag: "Tcp", host, port }

const full = "the server takes no more connections now"

export class WebSocketUpgrade {
  readonly peer: Address
  private request: Request | undefined
  private readonly handshake: ClientHandshake
  private readonly server: WsServer
  private readonly plan: WebSocketPlan
  private stream: WebSocketHandle | undefined = undefined
  private inputEnded = false

  constructor(request: Request, handshake: ClientHandshake, server: WsServer, plan: WebSocketPlan) {
    this.request = request
    this.handshake = handshake
    this.server = server
    this.plan = plan
    const { remoteAddress, remotePort } = request.socket as Socket
    this.peer = addressOf(remoteAddress, remotePort)
    // While it waits nobody else listens, and an error that nobody hears ends the process.
    request.socket.on("error", ignore)
  }

  /** Answers the handshake: from here on it is a WebSocket. */
  accept(fiber: AnyFiber): Exit.Exit<WebSocketHandle, Errors.Broken> {
    const { handshake, peer, plan, request } = this
    if (request === undefined) throw new Error("a handshake is answered once")
    this.request = undefined
    const { head, message, socket } = request
    let opened: WebSocket | undefined
    this.server.handleUpgrade(message, socket, head, (ws) => {
      opened = ws
    })
    // It is told within the call, or never: the client has gone, or what it asks of the extension makes no sense.
    if (opened === undefined) {
      return Exit.fail(new Errors.Broken({ what: `websocket ${nameOf(peer) ?? "peer"}`, cause: new Error("the handshake failed") }))
    }
    socket.off("error", ignore)
    this.stream = new WebSocketHandle({ ws: opened, socket: socket as Socket, side: "server", peer, handshake, plan, fiber })
    if (this.inputEnded) this.stream.endInputNow()
    return Exit.succeed(this.stream)
  }

  /** What a server tells those whom it turns away. */
  send(why: string | Uint8Array): Effect.Effect<void> {
    return Effect.sync(() => this.turnAway(String(why)))
  }

  private turnAway(why: string): void {
    const { request } = this
    this.request = undefined
    if (request !== undefined) refuse(request.socket, { status: 503, why })
  }

  get close(): Effect.Effect<void> {
    return Effect.suspend(() => this.stream === undefined ? this.abort : this.stream.close())
  }

  get abort(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.turnAway(full)
      return this.stream === undefined ? Effect.void : this.stream.abort
    })
  }

  get endInput(): Effect.Effect<void> {
    return Effect.sync(() => {
      this.inputEnded = true
      this.stream?.endInputNow()
    })
  }
}
