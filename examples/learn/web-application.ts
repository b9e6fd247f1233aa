/**
 * A travel desk: an HTTP application that asks two other services at once, and does the slow part after the answer.
 *
 * Run it:      npm run example -- examples/learn/web-application.ts
 * Talk to it:  curl -i http://127.0.0.1:8082/trips/Oslo        (in a second terminal; try Atlantis and Narnia, too)
 *              curl -i http://127.0.0.1:8082/tickets -H 'content-type: application/json' -d '{"city": "Oslo", "email": "ada@desk.example"}'
 * Stop it:     Ctrl-C in the first terminal: who has asked is answered, and the tickets are sent, before it ends
 *
 * Then try:
 *   1. Put `{ concurrency: 1 }` behind the two questions in `plan`. What becomes of Oslo, and of Atlantis?
 *   2. Put `yield* sendTicket(payload)` in place of `yield* background.startSoon(…)`. Who waits now, and who loses a ticket?
 *   3. Take `CancelScope.untilStopping` away, and press Ctrl-C. What happens after how long?
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Console, Effect, Layer, Option, Schema } from "effect"
import { CancelScope, Errors, Failures, Nursery, Tasks, Timeout } from "effect-nursery"
import { Main } from "effect-nursery/node"
import { HttpClient, HttpClientResponse, HttpRouter, HttpServerRespondable, HttpServerResponse } from "effect/http"
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiError, HttpApiGroup, HttpApiMiddleware, HttpApiSchema } from "effect/http-api"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { announce, orSayWhy, type Place, placeFrom } from "../support/server.ts"

// --- 1. the contract: what may be asked, what is answered, and what may go wrong ---

const type = "about:blank" // which says: the status says it all
class NotFound extends HttpApiError.Problem<NotFound>()("NotFound", { type, status: 404, title: "Not Found" }) {}
class BadGateway extends HttpApiError.Problem<BadGateway>()("BadGateway", { type, status: 502, title: "Bad Gateway" }) {}
class GatewayTimeout extends HttpApiError.Problem<GatewayTimeout>()("GatewayTimeout", { type, status: 504, title: "Gateway Timeout" }) {}

/** Letters only: it becomes part of a path. */
const City = Schema.String.check(Schema.isPattern(/^[A-Z][a-z]{1,30}$/, { expected: "a city, such as Oslo" }))
const Email = Schema.String.check(Schema.isPattern(/^[\w.+-]{1,60}@[\w.-]{1,60}$/, { expected: "an address, such as ada@desk.example" }))
const Trip = Schema.Struct({ city: City, weather: Schema.String, train: Schema.String })
const Ticket = Schema.Struct({ city: City, email: Email })

class InTime extends HttpApiMiddleware.Service<InTime>()("InTime", { error: GatewayTimeout }) {}

class Api extends HttpApi.make("desk").add(
  HttpApiGroup.make("desk").add(
    HttpApiEndpoint.get("plan", "/trips/:city", { params: { city: City }, success: Trip, error: [NotFound, BadGateway] }),
    HttpApiEndpoint.post("book", "/tickets", { payload: Ticket, success: Schema.Struct({ status: Schema.String }).pipe(HttpApiSchema.status(202)) })
  )
).annotate(HttpApi.PayloadParseOptions, { errors: "all" }).middleware(InTime).middleware(HttpApiMiddleware.ProblemDetails) {}

// --- 2. what stands in front of every answer: a look at the form of the request, and a time limit ---

const problems = HttpApiMiddleware.layerProblemDetails({ includeDetails: true })

const inTime = Layer.succeed(InTime, (answer) =>
  Effect.flatMap(Timeout.moveOnAfter(answer, "1 second", { name: "request" }), Option.match({
    onNone: () => Effect.fail(new GatewayTimeout({ detail: "That took longer than a second." })),
    onSome: Effect.succeed
  })))

// --- 3. two questions at once ---

const ask = (url: string, city: string) =>
  HttpClient.get(`${url}/${city}`).pipe(
    Effect.flatMap(HttpClientResponse.filterStatusOk),
    Effect.flatMap((response) => response.text),
    Effect.mapError(({ reason }) =>
      reason._tag === "StatusCodeError" && reason.response.status === 404
        ? new NotFound({ detail: `Nobody knows a way to ${city}.` })
        : new BadGateway({ detail: "Somebody whom we have asked gave no answer." }))
  )

const plan = (others: string, city: string) =>
  Effect.map(Tasks.gather({ weather: ask(`${others}/weather`, city), train: ask(`${others}/trains`, city) }), (answers) => ({ city, ...answers }))

// --- 4. work after the answer ---

/** Mail takes its time. */
const sendTicket = ({ city, email }: typeof Ticket.Type) =>
  Effect.sleep("2 seconds").pipe(
    Effect.andThen(Console.log(`the ticket to ${city} is sent to ${email}`)),
    Effect.onInterrupt(() => Console.log(`the ticket to ${city} for ${email} was NOT sent`))
  )

const routes = (others: string, background: Nursery.Nursery<"background">) => {
  const desk = HttpApiBuilder.group(Api, "desk", (handlers) =>
    handlers.handleAll({
      plan: ({ params }) => plan(others, params.city),
      book: Effect.fnUntraced(function*({ payload }) {
        // A task of the application, not of the request: it outlives the answer, and the client.
        yield* background.startSoon(sendTicket(payload), { name: `ticket for ${payload.email}` })
        return { status: "Your ticket is on its way." }
      })
    }))
  return Layer.mergeAll(
    HttpApiBuilder.layer(Api, { openapiPath: "/openapi.json" }).pipe(Layer.provide(desk), Layer.provide([inTime, problems])),
    HttpRouter.add("*", "*", HttpServerRespondable.toResponse(new NotFound({ detail: "There is nothing at this path." })))
  )
}

// --- 5. a server that is a task ---

/** Serves until it is cancelled, and answers then who has asked before. A function of `started`, for `n.start`. */
const serve = <R>(routes: Layer.Layer<never, never, R>, place: Place) => (started: (place: Place) => Effect.Effect<void>) =>
  Effect.gen(function*() {
    const app = yield* HttpRouter.toHttpEffect(routes)
    const node = createServer()
    const server = yield* NodeHttpServer.make(() => node, { ...place, gracefulShutdownTimeout: "2 seconds" }).pipe(
      Effect.mapError(({ cause }) => new Errors.Broken({ what: "http server", cause }))
    )
    yield* server.serve(app)
    // At its end it waits for all connections, also those that clients only keep for a next request: these are let go.
    yield* Effect.addFinalizer(() => Effect.sync(() => {
      const timer = setInterval(() => node.closeIdleConnections(), 20)
      node.once("close", () => clearInterval(timer))
    }))
    yield* started({ ...place, port: (node.address() as AddressInfo).port })
    return yield* Effect.never
  }).pipe(Effect.scoped, Effect.provide(NodeHttpServer.layerHttpServices))

// --- 6. the others, whom we ask: a server, too, but it need not stop with us ---

const known: Record<string, readonly [millis: number, says?: string]> = {
  "/weather/Oslo": [200, "rain"],
  "/trains/Oslo": [300, "07:02 from platform 19"],
  "/weather/Atlantis": [60_000, "wet"],
  "/weather/Narnia": [60_000, "snow"],
  "/trains/Narnia": [60_000, "from platform 9¾"]
}

const others = HttpRouter.add("GET", "*", ({ url }) => {
  const [millis, says] = known[url] ?? [100]
  const answer = says === undefined ? HttpServerResponse.empty({ status: 404 }) : HttpServerResponse.text(says)
  return Effect.sleep(millis).pipe(Effect.onInterrupt(() => Console.log(`nobody waits any more for ${url}`)), Effect.as(answer))
})

// --- 7. the application: one nursery, which ends when all of it has ended ---

const place = placeFrom({ name: "travel desk", file: "examples/learn/web-application.ts", does: "plans trips and sends tickets", port: 8082 })

const application = Nursery.open((n) =>
  Effect.gen(function*() {
    // A service: it is there for the rest, and is cancelled when the rest has ended.
    const { host, port } = yield* n.start(serve(others, { host: "127.0.0.1", port: 0 }), { name: "others", service: true })
    // A ticket that fails concerns nobody else. When the body, our server, has stopped, the tickets under way are waited for.
    yield* Nursery.supervised(
      (background) => CancelScope.untilStopping(serve(routes(`http://${host}:${port}`, background), place)(announce("travel desk"))),
      (cause, task) => Console.error(`${task.name}: ${Failures.pretty(cause)}`),
      { name: "background" }
    )
  }), { name: "application" })

Main.run(application.pipe(Effect.provide(NodeHttpClient.layerUndici), orSayWhy(place)), { grace: "5 seconds" })
