/**
 * A server that is slow, fails and breaks off when it is told to: something to try a client against.
 *
 * Run it:      npm run example -- examples/http-client/stub.ts --port 8081
 * Talk to it:  curl -i http://127.0.0.1:8081/             (in a second terminal; it lists what it has)
 *              curl -i http://127.0.0.1:8081/delay/5000   (and Ctrl-C after a second: the stub has seen you leave)
 *
 * The other programs of this folder start one of their own, in the same process.
 *
 * Then try:
 *   1. `curl -i 'http://127.0.0.1:8081/flaky/2?for=me'` three times.
 *   2. `curl http://127.0.0.1:8081/meet/2`: it waits until you do the same in a third terminal.
 *   3. Ctrl-C here while curl waits for `/delay/500`, and then for `/delay/5000`. Which one is answered?
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Console, Effect } from "effect"
import { CancelScope, Errors, type Watch } from "effect-nursery"
import { Main } from "effect-nursery/node"
import { HttpServerRequest } from "effect/http"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { announce, orSayWhy, type Place, placeFrom } from "../support/server.ts"
import { isProgram } from "./isProgram.ts"
import * as StubRoutes from "./StubRoutes.ts"

/** A stub that listens. */
export interface Listening extends Place {
  readonly url: string
  /** Requests that are being answered right now. */
  readonly inFlight: Watch.Watch<number>
  /** The most that have been answered at the same time. */
  readonly peak: () => number
  /** How many connections have come so far. */
  readonly connections: () => number
}

// So long a request that is being answered may take when the stub is told to end.
const grace = "1 second"
const closeIdleEveryMillis = 20

// #region serve
/** Serves until it is cancelled: a function of `started`, for `n.start`. */
export const serve = (place: Place, onVisit?: (visit: StubRoutes.Visit) => Effect.Effect<void>) => (started: (stub: Listening) => Effect.Effect<void>) =>
  Effect.gen(function*() {
    const stub = yield* StubRoutes.make(onVisit)
    const node = createServer()
    let connections = 0
    node.on("connection", () => connections++)

    // Everything here belongs to one Scope: listening, and the fibers that answer.
    const server = yield* NodeHttpServer.make(() => node, { ...place, gracefulShutdownTimeout: grace }).pipe(
      Effect.mapError((error) => new Errors.Broken({ what: "http server", cause: error.cause }))
    )
    yield* server.serve(Effect.catchTag(stub.handle, "Reset", () => reset))
    yield* letGoOfIdle(node)

    const { port } = node.address() as AddressInfo
    const host = place.host.includes(":") ? `[${place.host}]` : place.host
    yield* started({ ...place, port, url: `http://${host}:${port}`, inFlight: stub.inFlight, peak: stub.peak, connections: () => connections })
    return yield* Effect.never
  }).pipe(Effect.scoped)
// #endregion

/** Ends the connection of this request. Then the client is gone, and the request is cancelled: outside of a route only if it may be. */
const reset = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
  NodeHttpServerRequest.toIncomingMessage(request).socket.resetAndDestroy()
  return Effect.interruptible(Effect.never)
})

/** A server that closes waits for its connections. Those that clients keep for a next request would keep it for seconds. */
const letGoOfIdle = (node: Server) =>
  Effect.addFinalizer(() =>
    Effect.sync(() => {
      const timer = setInterval(() => node.closeIdleConnections(), closeIdleEveryMillis)
      node.once("close", () => clearInterval(timer))
    }))

// #region main
const main = () => {
  const about = { name: "stub", file: "examples/http-client/stub.ts", does: "is slow, fails and breaks off when it is told to", port: 8081 }
  const place = placeFrom(about)
  const say = (visit: StubRoutes.Visit) => Console.log(StubRoutes.toText(visit))
  // Ctrl-C ends `serve`, and that lets requests finish which are nearly there.
  const server = serve(place, say)(announce(about.name)).pipe(CancelScope.untilStopping)
  Main.run(server.pipe(orSayWhy(place)))
}

if (isProgram(import.meta)) main()
// #endregion
