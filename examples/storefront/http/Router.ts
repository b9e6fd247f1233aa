/**
 * Effect's router, which also knows the other methods of each path: a request with a method that a path does not have is
 * answered 405 with `Allow`, and OPTIONS with what there is.
 */
import { Effect, Layer, type Scope } from "effect"
import { HttpRouter, type HttpServerRequest, HttpServerResponse } from "effect/http"
import { problem } from "./Faults.ts"
import { naming } from "./RouteNames.ts"

const methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"] as const

/** Remembers which methods each path has. */
class Paths {
  readonly #methodsOf = new Map<HttpRouter.PathInput, Set<string>>()

  add(routes: ReadonlyArray<HttpRouter.Route<any, any>>): void {
    for (const { method, path } of routes) {
      const had = this.#methodsOf.get(path) ?? new Set()
      for (const one of method === "*" ? methods : [method]) had.add(one)
      // The router answers HEAD by GET.
      if (had.has("GET")) had.add("HEAD")
      this.#methodsOf.set(path, had)
    }
  }

  /** A route for each method that a path does not have. */
  get others(): Array<HttpRouter.Route> {
    return [...this.#methodsOf].flatMap(([path, had]) => {
      const allow = methods.filter((method) => had.has(method) || method === "OPTIONS").join(", ")
      return methods.filter((method) => !had.has(method)).map((method) =>
        HttpRouter.route(method, path, method === "OPTIONS"
          ? HttpServerResponse.empty({ status: 204, headers: { allow } })
          : problem(405, `This path has ${allow}.`, { allow }))
      )
    })
  }
}

/** The same router, which notes each route under its whole path. */
const remembering = (router: HttpRouter.HttpRouter, paths: Paths, prefix = ""): HttpRouter.HttpRouter => {
  const note = (routes: ReadonlyArray<HttpRouter.Route<any, any>>) => paths.add(prefix === "" ? routes : routes.map(HttpRouter.prefixRoute(prefix)))
  return {
    ...router,
    prefixed: (more) => remembering(router.prefixed(more), paths, prefix + more),
    addAll: (routes) => Effect.suspend(() => {
      note(routes)
      return router.addAll(routes)
    }),
    add: (method, path, handler, options) => Effect.suspend(() => {
      note([HttpRouter.route(method, path, HttpServerResponse.empty())])
      return router.add(method, path, handler, options)
    })
  }
}

/**
 * All routes of a layer as one effect that answers a request; as `HttpRouter.toHttpEffect`, which has another router.
 *
 * What routes may fail with, and what they need of each request, is known to the router alone: it says so in marks
 * (`Request`) among the requirements of the layer.
 */
export const toHttpEffect = <E, R>(routes: Layer.Layer<never, E, R>): Effect.Effect<
  Effect.Effect<HttpServerResponse.HttpServerResponse, unknown, HttpServerRequest.HttpServerRequest | Scope.Scope | HttpRouter.Request.Only<"Requires", R>>,
  E,
  Exclude<HttpRouter.Request.Without<R>, HttpRouter.HttpRouter> | Scope.Scope
> =>
  Effect.gen(function*() {
    const paths = new Paths()
    const router = naming(yield* HttpRouter.make)
    yield* Layer.build(routes.pipe(Layer.provide(Layer.succeed(HttpRouter.HttpRouter)(remembering(router, paths)))))
    yield* router.addAll(paths.others)
    return router.asHttpEffect()
  }) as any
