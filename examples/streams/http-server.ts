/**
 * An HTTP/1.1 server in about 200 lines, to see what one does. For teaching ONLY: it has no TLS, no compression, no ranges,
 * no log, and nobody has attacked it. For real work use `effect/http` with `@effect/platform-node`.
 *
 * Run it:        npm run example -- examples/streams/http-server.ts --port 8080
 * Talk to it:    curl -i http://127.0.0.1:8080/           curl -i http://127.0.0.1:8080/count/5
 *                curl -i -d hello http://127.0.0.1:8080/echo
 *                npm run -s example -- examples/streams/http-client.ts http://127.0.0.1:8080/
 *
 * Then try:
 *   1. `curl -s http://127.0.0.1:8080/count/1000000 | head -1`: the client leaves, `send` fails with `Broken`, and the stream
 *      of numbers ends there. Nothing had to be told to stop.
 *   2. `printf 'GET / HTTP/1.1\r\nhost: a\r\n\r\nGET /count/2 HTTP/1.1\r\nhost: a\r\n\r\n' | nc 127.0.0.1 8080`: two requests at
 *      once, two answers in order.
 *   3. `nc 127.0.0.1 8080` and type nothing. When are you cut off, and by which line below?
 */
import { Effect, Option, Stream } from "effect"
import { CancelScope, Timeout } from "effect-nursery"
import { Tcp } from "effect-nursery/net"
import { Main } from "effect-nursery/node"
import { announce, orSayWhy, placeFrom } from "../support/server.ts"
import { BadMessage, bodyOf, chunkOf, type Failure, type Head, type Headers, lastChunk, readHead } from "./HttpMessage.ts"

const place = placeFrom({
  name: "HTTP server",
  file: "examples/streams/http-server.ts",
  does: "answers a few requests over HTTP/1.1; it is for teaching only",
  port: 8080
})

interface Request {
  readonly method: string
  readonly path: string
  readonly headers: Headers
  /** HTTP/1.0 has no chunks, and ends the connection after each answer unless told otherwise. */
  readonly isOld: boolean
  readonly body: Stream.Stream<Uint8Array, Failure>
}

interface Response {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** A text, whose length is known; or bytes as they come. */
  readonly body: string | Stream.Stream<Uint8Array, Failure>
}

// #region routes
// --- what it answers ---

const mostNumbers = 1_000_000
const largestBody = 1_048_576

const answer = (request: Request): Response => {
  const { body, method, path } = request
  const [, count] = /^\/count\/(\d{1,7})$/.exec(path) ?? []
  if (path === "/echo") {
    return method === "POST" ? { status: 200, body } : { status: 405, headers: { allow: "POST" }, body: "send me something\n" }
  }
  const page = path === "/" ? "Hello! Try /count/5, or POST something to /echo.\n" : count === undefined ? undefined : numbers(Number(count))
  if (page === undefined) return { status: 404, body: `there is nothing at ${path}\n` }
  return method === "GET" || method === "HEAD" ? { status: 200, body: page } : { status: 405, headers: { allow: "GET, HEAD" }, body: "only to be read\n" }
}

// Made one after the other, as fast as the client takes them.
const numbers = (count: number) => Stream.map(Stream.range(1, Math.min(count, mostNumbers)), (n) => new TextEncoder().encode(`${n}\n`))
// #endregion

// #region request
// --- from the head to the request ---

const requestOf = (stream: Tcp.TcpStream, { headers, start }: Head): Effect.Effect<Request, BadMessage> => {
  const [, method, target, minor] = /^([A-Z]+) ([!-~]+) HTTP\/1\.(\d)$/.exec(start) ?? []
  const refuse = (status: number, why: string) => Effect.fail(new BadMessage({ status, why }))
  if (method === undefined || target === undefined) {
    return / HTTP\/[02-9]/.test(start) ? refuse(505, "only HTTP/1.1 is spoken here") : refuse(400, `this is no request: ${JSON.stringify(start)}`)
  }
  if (!target.startsWith("/")) return refuse(400, "the target must begin with a slash")
  const isOld = minor === "0"
  if (!isOld && !headers.has("host")) return refuse(400, "there is no host")
  const path = target.replace(/\?.*/, "")
  return Effect.succeed({ method, path, headers, isOld, body: limited(bodyOf(stream, headers, Stream.empty)) })
}

/** A body that is too large is refused while it comes: what was promised counts for nothing. */
const limited = (body: Stream.Stream<Uint8Array, Failure>): Stream.Stream<Uint8Array, Failure> =>
  Stream.suspend(() => {
    let size = 0
    return Stream.mapEffect(body, (bytes) =>
      (size += bytes.length) > largestBody ? Effect.fail(new BadMessage({ status: 413, why: "this is too much" })) : Effect.succeed(bytes))
  })

/** After this one the connection ends: somebody has said so. */
const wantsToEnd = ({ headers, isOld }: Request): boolean => {
  const words = (headers.get("connection") ?? "").toLowerCase().split(/[ \t]*,[ \t]*/)
  return words.includes("close") || (isOld && !words.includes("keep-alive"))
}
// #endregion

// #region response
// --- the answer, onto the stream ---

const phrases: Readonly<Record<number, string>> = {
  200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 413: "Content Too Large",
  431: "Request Header Fields Too Large", 501: "Not Implemented", 505: "HTTP Version Not Supported"
}

const headOf = (status: number, headers: Readonly<Record<string, string>>): string =>
  [
    `HTTP/1.1 ${status} ${phrases[status] ?? ""}`,
    `date: ${new Date().toUTCString()}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    "",
    ""
  ].join("\r\n")

/** Sends the answer. */
const respond = (stream: Tcp.TcpStream, request: Request, { body, headers, status }: Response, isLast: boolean) =>
  Effect.gen(function*() {
    const connection = { connection: isLast ? "close" : "keep-alive", "content-type": "text/plain; charset=utf-8", ...headers }
    if (typeof body === "string") {
      const length = Buffer.byteLength(body)
      const head = headOf(status, { ...connection, "content-length": String(length) })
      return yield* stream.send(request.method === "HEAD" ? head : head + body)
    }
    if (request.isOld) {
      // Without chunks only the end of the stream can say where the body ends.
      yield* stream.send(headOf(status, { ...connection, connection: "close" }))
      return yield* request.method === "HEAD" ? Effect.void : Stream.runForEach(body, (bytes) => stream.send(bytes))
    }
    yield* stream.send(headOf(status, { ...connection, "transfer-encoding": "chunked" }))
    if (request.method === "HEAD") return
    yield* Stream.runForEach(body, (bytes) => bytes.length === 0 ? Effect.void : stream.send(chunkOf(bytes)))
    yield* stream.send(lastChunk)
  })
// #endregion

// #region connection
// --- one connection: requests and answers, in turn ---

const serveOne = (stream: Tcp.TcpStream) =>
  Effect.gen(function*() {
    for (;;) {
      // Between two requests we can stop at any time. A request that has begun is answered first.
      const next = yield* readHead(stream).pipe(Timeout.moveOnAfter("30 seconds", { name: "keep-alive" }), CancelScope.untilStopping)
      const head = Option.flatten(Option.flatten(next))
      if (Option.isNone(head)) return
      const request = yield* requestOf(stream, head.value)

      const isStopping = Option.isSome(yield* Timeout.moveOnAfter(CancelScope.whenStopping, 0))
      const response = answer(request)
      // A body that nobody has read stands between us and the next request.
      const isUnread = response.body !== request.body && hasBody(request.headers)
      const isLast = isStopping || isUnread || wantsToEnd(request) || (request.isOld && typeof response.body !== "string")
      // curl waits for this before it sends a large body.
      if (!isUnread && request.headers.get("expect")?.toLowerCase() === "100-continue") yield* stream.send("HTTP/1.1 100 Continue\r\n\r\n")

      // The head of the answer has gone out when a body turns out to be bad. All that is left is to break off: without
      // the last chunk the client knows that something is missing.
      const isWhole = yield* respond(stream, request, response, isLast).pipe(
        Effect.as(true),
        Effect.catchTag("BadMessage", () => Effect.as(stream.abort, false))
      )
      if (isLast || !isWhole) return yield* isUnread ? goodbye(stream) : Effect.void
    }
  })

const hasBody = (headers: Headers): boolean => headers.has("transfer-encoding") || (headers.get("content-length") ?? "0") !== "0"

/** What the client still sends must not reach a closed socket: the system would answer with a reset, and that can overtake our answer. */
const goodbye = (stream: Tcp.TcpStream) =>
  stream.sendEof.pipe(Effect.andThen(Stream.runDrain(stream.chunks)), Timeout.moveOnAfter("1 second", { name: "goodbye" }), Effect.ignore)

/** The same, and a client that does not keep to the rules is told so. */
const connection = (stream: Tcp.TcpStream) =>
  Effect.catchTag(serveOne(stream), "BadMessage", ({ status, why }) => {
    const headers = { connection: "close", "content-type": "text/plain; charset=utf-8", "content-length": String(Buffer.byteLength(why) + 1) }
    return Effect.andThen(stream.send(`${headOf(status, headers)}${why}\n`), goodbye(stream))
  })
// #endregion

// A peer that goes away in the middle, or takes nothing for too long, is no failure of ours: the log says so in one line.
const server = Tcp.serve(connection, { ...place, maxConnections: 1000, limits: { idle: "1 minute", write: "20 seconds" } })

Main.run(server(announce("HTTP server")).pipe(orSayWhy(place)))
