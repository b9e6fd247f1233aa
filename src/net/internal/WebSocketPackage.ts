/** The package `ws`, an optional peer dependency: whoever opens no WebSocket needs none. */
import type { Duplex } from "node:stream"
import type { IncomingMessage } from "node:http"
import * as Effect from "effect/Effect"
import type { WebSocket } from "ws"

export type { WebSocket } from "ws"

/** The options that this library sets. Some of them are too young for the types of `ws`. */
export interface WsServerOptions {
  readonly noServer: true
  readonly clientTracking: false
  readonly maxPayload: number
  readonly maxPendingAutoPongs: number
  readonly maxBufferedChunks: number
  readonly maxFragments: number
  readonly closeTimeout: number
  readonly perMessageDeflate: false | object
  readonly handleProtocols: (protocols: Set<string>, request: IncomingMessage) => string | false
}

export interface WsServer {
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, done: (ws: WebSocket) => void): void
  on(event: "wsClientError", listener: (error: Error, socket: Duplex) => void): unknown
}

export interface Ws {
  readonly WebSocket: new(url: URL, protocols: ReadonlyArray<string>, options: object) => WebSocket
  readonly WebSocketServer: new(options: WsServerOptions) => WsServer
}

const load = (): Promise<Ws> =>
  import("ws").then((ws) => ws as unknown as Ws, (cause: unknown) => {
    throw (cause as { readonly code?: unknown }).code === "ERR_MODULE_NOT_FOUND"
      ? new Error("WebSocket needs the package ws, which is not installed: npm install ws", { cause })
      : cause
  })

/** A defect when it is not installed. */
export const loadWs: Effect.Effect<Ws> = Effect.promise(load)
