/**
 * Lets each answer know its route: the pattern `/products/:id`, and not the path `/products/17`. Figures by path would be
 * as many as clients can think of.
 */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Context, Effect } from "effect"
import { HttpRouter, HttpServerRequest, type HttpServerResponse } from "effect/http"
import type { Answer } from "./Answer.ts"

/** The answer that belongs to the request of the effect that runs. */
export const answerIn = (context: Context.Context<never>): Answer | undefined => {
  const request = Context.getOrUndefined(context, HttpServerRequest.HttpServerRequest)
  return request === undefined ? undefined : NodeHttpServerRequest.toServerResponse(request) as Answer
}

/** The same router; its handlers begin by telling the answer where they stand. */
export const naming = (router: HttpRouter.HttpRouter, prefix = ""): HttpRouter.HttpRouter => ({
  ...router,
  prefixed: (more) => naming(router.prefixed(more), prefix + more),
  addAll: (routes) => router.addAll(routes.map((route) => ({ ...route, handler: named(prefix + route.path, route.handler) })) as unknown as typeof routes),
  add: (method, path, handler, options) => {
    const { handler: made } = HttpRouter.route(method, path, handler as Effect.Effect<HttpServerResponse.HttpServerResponse>)
    return router.add(method, path, named(prefix + path, made), options) as Effect.Effect<any>
  }
})

/** One step more for each request, which is all that it costs. */
const named = <A, E, R>(route: string, handler: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const answer = answerIn(fiber.context)
    if (answer !== undefined) answer.route = route
    return handler
  })
