/**
 * The HTTP server: Node's, with the limits and the end that it needs, and Effect's handler behind it.
 *
 * It stops in this order when the program is asked to stop: nobody new may connect, connections without a request are
 * closed, requests under way get their answers, and then nothing is left. When that takes longer than the grace of the
 * program, the rest is cancelled: the handlers are interrupted and their connections are cut.
 */
// Not all of @effect/platform-node: that takes a third of a second longer to load.
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Data, Duration, Effect, type Scope, Tracer } from "effect"
import { CancelScope } from "effect-nursery"
import type { HttpServerRequest, HttpServerResponse } from "effect/http"
import * as http from "node:http"
import type * as net from "node:net"
import type { Duplex } from "node:stream"
import * as Problem from "../Problem.ts"
import { Answer, securityHeaders } from "./Answer.ts"
import { faultOf } from "./RequestTarget.ts"
import type { StaticRoutes } from "./StaticRoutes.ts"

export interface Place {
  readonly host: string
  readonly port: number
}

export interface Options extends Place {
  /** Answers that need no handler. */
  readonly staticRoutes: StaticRoutes
  /** How long a client may take to send the head of a request, and how long for the whole of it. */
  readonly headersTimeout: Duration.Duration
  readonly requestTimeout: Duration.Duration
  /** Is told of every request. */
  readonly observer: Observer
  /** Runs when the program is asked to stop, before anything is closed. */
  readonly beforeDrain: Effect.Effect<void>
}

/** Who counts requests, and logs them. It must not throw. */
export interface Observer {
  readonly begun: (answer: Answer) => void
  /** It is over: answered, refused, or its client has gone. */
  readonly ended: (answer: Answer) => void
}

/** The server cannot listen. */
export class CannotListen extends Data.TaggedError("CannotListen")<{ readonly place: Place; readonly cause: NodeJS.ErrnoException }> {
  override get message(): string {
    const { code } = this.cause
    const at = written(this.place)
    if (code === "EADDRINUSE") return `${at} is in use: another program listens there; choose another port with --port`
    if (code === "EACCES") return `${at} is not for everybody: ports below 1024 need the rights of the administrator`
    return `cannot listen on ${at}: ${this.cause.message}`
  }
}

export const written = ({ host, port }: Place): string => host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`

/** More headers than this are no browser's. Node would drop those that are too many without a word. */
const mostHeaders = 100

/** Closed connections become few at once, and then slowly: those whose last answer has just gone out. */
const lookAgainMillis = 25

type App = Effect.Effect<HttpServerResponse.HttpServerResponse, unknown, HttpServerRequest.HttpServerRequest | Scope.Scope>

/** Serves until it is asked to stop. A task for `nursery.start`: it says where it listens as soon as it does. */
export const serve = (app: App, options: Options) => (started: (place: Place) => Effect.Effect<void>) =>
  Effect.scoped(Effect.gen(function*() {
    const scope = yield* Effect.scope
    // A fiber for each request, in this scope; one whose client goes away is interrupted.
    const handle = yield* NodeHttpServer.makeHandler(app, { scope }).pipe(Effect.withTracerEnabled(yield* someoneTakesSpans))
    const listener = yield* Effect.acquireRelease(
      Effect.sync(() => new Listener(options, handle)),
      (listener) => Effect.sync(() => listener.cut())
    )
    yield* started(yield* listener.listen)
    yield* CancelScope.whenStopping
    yield* options.beforeDrain
    yield* listener.drain
  }))

/** Without one, the spans of requests and queries would be made for nothing. */
const someoneTakesSpans = Effect.map(Tracer.Tracer, (tracer) => tracer !== Tracer.nativeTracer)

type Handle = (request: http.IncomingMessage, answer: http.ServerResponse) => void

class Listener {
  readonly #options: Options
  readonly #server: http.Server<typeof http.IncomingMessage, typeof Answer>
  readonly #sockets = new Set<net.Socket>()
  #draining = false

  constructor(options: Options, handle: Handle) {
    this.#options = options
    const { observer, staticRoutes } = options
    const server = http.createServer({
      ServerResponse: Answer,
      headersTimeout: Duration.toMillis(options.headersTimeout),
      requestTimeout: Duration.toMillis(options.requestTimeout),
      // How often Node looks for requests that take too long.
      connectionsCheckingInterval: Math.min(1000, Duration.toMillis(options.headersTimeout) / 2)
    })
    server.maxHeadersCount = 0
    // One function for all requests.
    const endedLater = function(this: Answer) {
      observer.ended(this)
    }
    server.on("request", (request, answer) => {
      if (this.#draining) answer.shouldKeepAlive = false
      observer.begun(answer)
      const fault = faultOf(request)
      if (fault !== undefined) answer.problem(400, fault, { connection: "close" })
      else if (request.rawHeaders.length > 2 * mostHeaders) answer.problem(431, `A request has ${mostHeaders} headers at most.`, { connection: "close" })
      else if (!staticRoutes.answers(request, answer)) {
        answer.once("close", endedLater)
        return handle(request, answer)
      }
      observer.ended(answer)
    })
    server.on("checkExpectation", (_request, answer) => answer.problem(417, "Only 100-continue can be expected here.", { connection: "close" }))
    server.on("clientError", answerUnreadable)
    server.on("connection", (socket: net.Socket) => {
      this.#sockets.add(socket)
      socket.once("close", () => this.#sockets.delete(socket))
    })
    this.#server = server
  }

  get listen(): Effect.Effect<Place, CannotListen> {
    const { host, port } = this.#options
    return Effect.callback((resume) => {
      const onError = (cause: Error) => resume(Effect.fail(new CannotListen({ place: { host, port }, cause })))
      this.#server.once("error", onError)
      this.#server.listen({ host, port, backlog: 1024 }, () => {
        this.#server.off("error", onError)
        // Later errors of a listener (no free descriptor for a connection) concern one connection, not the server.
        this.#server.on("error", () => {})
        resume(Effect.succeed({ host, port: (this.#server.address() as net.AddressInfo).port }))
      })
    })
  }

  /** Waits until the last connection has gone. */
  get drain(): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      this.#draining = true
      // Node closes those that are idle now. Those that become idle later would stay open for their keep-alive time, and
      // those that have never sent anything, for the time that they have for it.
      const look = () => {
        this.#server.closeIdleConnections()
        for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy()
      }
      const timer = setInterval(look, lookAgainMillis)
      this.#server.close(() => {
        clearInterval(timer)
        resume(Effect.void)
      })
      look()
      return Effect.sync(() => clearInterval(timer))
    })
  }

  /** Ends everything now. */
  cut(): void {
    this.#server.close()
    this.#server.closeAllConnections()
    for (const socket of this.#sockets) socket.destroy()
  }
}

/** The statuses of what is no HTTP. Everything else that is wrong with it is 400. */
const statusOf: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413
}

/** How long the sender of such bytes has to read the answer: to close at once, with more of them unread, could lose it. */
const lingerMillis = 500

/** Node has no request to answer to here, only bytes that it cannot read, so the answer is bytes as well. */
const answerUnreadable = (error: NodeJS.ErrnoException, socket: Duplex): void => {
  // The answer to what has come before, or to the part of it that could be read.
  const busy = (socket as { _httpMessage?: http.ServerResponse | null })._httpMessage ?? undefined
  // Bytes that come after a part of an answer would be taken for the rest of it.
  if (!socket.writable || error.code === "ECONNRESET" || busy?.headersSent === true) {
    socket.destroy()
    return
  }
  const status = statusOf[error.code ?? ""] ?? 400
  const body = Problem.bodyOf(status)
  const headers = { ...securityHeaders, "content-type": Problem.contentType, "content-length": Buffer.byteLength(body), connection: "close" }
  const head = [`HTTP/1.1 ${status} ${http.STATUS_CODES[status]}`, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)]
  // A handler that waits for the rest is let go when the connection is closed: at once.
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`, () => busy === undefined ? setTimeout(() => socket.destroy(), lingerMillis) : socket.destroy())
}
