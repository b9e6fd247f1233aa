/** WebSockets that this end opens. */
import type { ClientRequest, IncomingMessage } from "node:http"
import type { Socket } from "node:net"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Errors from "../../core/Errors.ts"
import type { AnyFiber } from "../../core/internal/Block.ts"
import { type Due, timersFor } from "../../core/internal/Timers.ts"
import * as Duration from "effect/Duration"
import { millisOf } from "../../core/internal/ScopeBlock.ts"
import { Refused } from "./WebSocketRefused.ts"
import { addressOf } from "./WebSocketUpgrade.ts"
import { WebSocketHandle } from "./WebSocketHandle.ts"
import type { ConnectOptions } from "./WebSocketOptions.ts"
import { loadWs, type WebSocket, type Ws } from "./WebSocketPackage.ts"
import { webSocketPlanOf, wsLimits } from "./WebSocketPlan.ts"

const defaultTimeout = "10 seconds"

export const connectWebSocket = (
  given: string | URL,
  options: ConnectOptions
): Effect.Effect<WebSocketHandle, Errors.Broken | Refused, Scope.Scope> =>
  Effect.gen(function*() {
    const url = checkUrl(given)
    const plan = webSocketPlanOf(options)
    const timeout = millisOf("timeout", options.timeout ?? defaultTimeout)
    const ws = yield* loadWs
    const opened = open(ws, url, { ...options.tls, ...wsLimits(plan), ...requestOf(options) }, options.protocols ?? [], timeout, (ws, socket, fiber) => {
      const peer = addressOf(socket.remoteAddress, socket.remotePort)
      return new WebSocketHandle({ ws, socket, side: "client", peer, name: nameFor(url), plan, fiber })
    })
    return yield* Effect.acquireRelease(opened, (stream, exit) => Exit.isSuccess(exit) ? stream.close() : stream.close(1001), { interruptible: true })
  })

const checkUrl = (given: string | URL): URL => {
  const url = URL.canParse(String(given)) ? new URL(String(given)) : undefined
  if (url === undefined || (url.protocol !== "ws:" && url.protocol !== "wss:") || url.hash !== "") {
    throw new RangeError(`Expected \`url\` to be a URL such as \`ws://example.com/chat\`, got \`${url === undefined ? String(given) : nameFor(url) + url.hash}\` (${typeof given})`)
  }
  return url
}

/** What is in a query, or before an @, is often secret. */
const nameFor = ({ host, pathname, protocol }: URL): string => `${protocol}//${host}${pathname}`

const requestOf = ({ headers, origin }: ConnectOptions) => ({
  ...(headers === undefined ? {} : { headers }),
  ...(origin === undefined ? {} : { origin })
})

const open = (
  { WebSocket }: Ws,
  url: URL,
  options: object,
  protocols: ReadonlyArray<string>,
  millis: number,
  make: (ws: WebSocket, socket: Socket, fiber: AnyFiber) => WebSocketHandle
): Effect.Effect<WebSocketHandle, Errors.Broken | Refused> =>
  Effect.callback((resume) => {
    const fiber = Fiber.getCurrent()!
    const timers = timersFor(fiber)
    const what = `websocket ${nameFor(url)}`
    const ws = new WebSocket(url, protocols, options)
    const broken = (cause: unknown) => end(Exit.fail(new Errors.Broken({ what, cause })))
    const tooLate: Due = {
      onDeadline: () => broken(new Errors.TooSlow({ scope: "handshake", after: Duration.millis(millis) }))
    }
    const timer = millis === Infinity ? undefined : timers.set(timers.now() + millis, tooLate, fiber)
    const forget = () => {
      if (timer !== undefined) timers.clear(timer)
      ws.removeAllListeners()
    }
    const giveUp = () => {
      forget()
      // Its last words, on which nobody waits any more.
      ws.on("error", () => {})
      ws.terminate()
    }
    const end = (exit: Exit.Exit<never, Errors.Broken | Refused>) => {
      giveUp()
      resume(exit)
    }
    let socket: Socket | undefined
    ws.on("upgrade", (response: IncomingMessage) => {
      socket = response.socket
    })
    ws.on("unexpected-response", (request: ClientRequest, response: IncomingMessage) => {
      request.on("error", () => {})
      end(Exit.fail(new Refused({ what, status: response.statusCode ?? 0, reason: response.statusMessage ?? "" })))
      request.destroy()
    })
    ws.on("error", broken)
    ws.on("open", () => {
      forget()
      resume(Exit.succeed(make(ws, socket!, fiber)))
    })
    return Effect.sync(giveUp)
  })
