/**
 * An HTTP client without a network: requests go to a handler in the same program.
 *
 * There is no socket, so there is nothing to wait for but what the handler waits for. In `VirtualClock.run` a minute of
 * retries takes no time, and every run is the same. The code under test does not know: it asks for an `HttpClient`.
 */
import { Effect, Scope, Stream } from "effect"
import { HttpBody, HttpClient, HttpClientError, type HttpClientResponse, HttpEffect, HttpServerError, HttpServerRequest, HttpServerResponse } from "effect/http"
import { Reset } from "./StubRoutes.ts"

/** What answers requests: a router, or an effect of your own. */
export type Handler<E = never> = Effect.Effect<HttpServerResponse.HttpServerResponse, E, HttpServerRequest.HttpServerRequest | Scope.Scope>

/** A client whose requests are answered by `handler`. A failure with `Reset` is a connection that breaks. */
export const client = <E>(handler: Handler<E>): HttpClient.HttpClient =>
  HttpClient.make((request) => {
    const lost = new HttpClientError.HttpClientError({
      reason: new HttpClientError.TransportError({ request, description: "the connection was reset" })
    })
    const answered = Effect.gen(function*() {
      const response = yield* Effect.catchCause(handler, (cause): Effect.Effect<HttpServerResponse.HttpServerResponse, HttpClientError.HttpClientError> =>
        cause.reasons.some((reason) => reason._tag === "Fail" && reason.error instanceof Reset)
          ? Effect.fail(lost)
          // Like a server: what a handler fails with is a status, and 500 if it has none.
          : Effect.map(HttpServerError.causeResponse(cause), ([response]) => response))
      // A body that streams keeps the Scope of its request open until it has ended.
      return readOnce(HttpEffect.scopeTransferToStream(response))
    })
    return inScope(answered).pipe(
      Effect.provideService(HttpServerRequest.HttpServerRequest, HttpServerRequest.fromClientRequest(request)),
      Effect.map((response): HttpClientResponse.HttpClientResponse => HttpServerResponse.toClientResponse(response, { request }))
    )
  })

/** A body that came over a network is there once, and who asks again gets what was read. So here. */
const readOnce = (response: HttpServerResponse.HttpServerResponse): HttpServerResponse.HttpServerResponse => {
  const { body } = response
  if (body._tag !== "Stream") return response
  const chunks: Array<Uint8Array> = []
  let complete = false
  const first = body.stream.pipe(
    Stream.tap((chunk) => Effect.sync(() => chunks.push(chunk))),
    Stream.onEnd(Effect.sync(() => complete = true))
  )
  const stream = Stream.suspend(() => complete ? Stream.fromIterable(chunks) : first)
  return HttpServerResponse.setBody(response, HttpBody.stream(stream, body.contentType, body.contentLength))
}

/** Gives each request a Scope, and closes it with the exit of the request, unless the body has taken it over. */
const inScope = <E, R>(answered: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const exit = yield* Effect.exit(restore(Effect.provideService(answered, Scope.Scope, scope)))
      if (exit._tag === "Failure" || exit.value.body._tag !== "Stream") yield* Scope.close(scope, exit)
      return yield* exit
    })
  ) as Effect.Effect<HttpServerResponse.HttpServerResponse, E, Exclude<R, Scope.Scope>>
