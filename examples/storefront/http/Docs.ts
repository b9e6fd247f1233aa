/**
 * Two pages that show the contract: Swagger UI at `/docs`, Scalar at `/redoc`. Both are one large page with their script in
 * it, nothing is loaded from elsewhere.
 *
 * A browser runs no script that stands in a page (`Content-Security-Policy`), which is what stops a product whose name is a
 * script. These pages name theirs by their hash.
 */
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { HttpApiScalar, HttpApiSwagger } from "effect/http-api"
import * as crypto from "node:crypto"
import { Api } from "../Api.ts"

/**
 * Without this Scalar's page would ask its makers for fonts, and have buttons that hand the contract to them: to share it,
 * to make SDKs of it, to open it in their client. What is left is the line that says who made the page. The last two settings are
 * known to Scalar, though not to the types of Effect.
 */
const stayHere = { withDefaultFonts: false, hideClientButton: true, showDeveloperTools: "never" } satisfies HttpApiScalar.ScalarConfig & Record<string, unknown>

export const Docs = HttpRouter.use(Effect.fnUntraced(function*(router) {
  yield* router.add("GET", "/docs", yield* pageOf(HttpApiSwagger.layer(Api)))
  yield* router.add("GET", "/redoc", yield* pageOf(HttpApiScalar.layer(Api, { scalar: stayHere })))
}))

/** The page of one of Effect's layers, made when it is first asked for: they are megabytes, and few ask. */
const pageOf = (layer: Layer.Layer<never, never, HttpRouter.HttpRouter>) =>
  Effect.cached(Effect.gen(function*() {
    const router = yield* HttpRouter.make
    // The layer adds its one route to a router of its own, which hands the page on.
    let page = HttpServerResponse.empty({ status: 404 })
    const add: typeof router.add = (_method, _path, handler) =>
      Effect.map(handler as Effect.Effect<HttpServerResponse.HttpServerResponse>, (made) => void (page = made)) as Effect.Effect<any>
    yield* Layer.build(Layer.provide(layer, Layer.succeed(HttpRouter.HttpRouter)({ ...router, add })))
    return HttpServerResponse.setHeader(page, "content-security-policy", policyOf(page))
  }).pipe(Effect.scoped, Effect.orDie))

/** Styles do stand in these pages, and pictures come as data. */
const policyOf = (page: HttpServerResponse.HttpServerResponse): string =>
  `default-src 'self'; script-src ${hashesIn(page).join(" ")}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; frame-ancestors 'none'`

/** Of each script that is run, as the browser computes it. */
const hashesIn = ({ body }: HttpServerResponse.HttpServerResponse): ReadonlyArray<string> => {
  const html = body._tag === "Uint8Array" ? new TextDecoder().decode(body.body) : ""
  return [...html.matchAll(/<script(?![^>]*application\/json)[^>]*>([^]*?)<\/script>/g)].map(([, script]) =>
    `'sha256-${crypto.createHash("sha256").update(script!).digest("base64")}'`)
}
