/** The first page: what there is to see, and whether the database is there yet. */
import { Effect } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { Database } from "../database/Database.ts"

const paths = ["/hello", "/hello/Alice", "/time", "/items/5?q=lamp", "/brands", "/brands?limit=10", "/products?limit=10", "/products/1", "/customers/1/favorites", "/docs", "/redoc", "/openapi.json", "/readyz", "/metrics"]

const words = {
  Starting: "is starting: pages that need it answer 503 for a moment. Reload this page.",
  Ready: "is there.",
  Down: "cannot be reached now: pages that need it answer 503 until it is back."
} as const

const page = (kind: string, state: keyof typeof words): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Storefront</title>
<h1>Storefront</h1>
<p>The ${kind} ${words[state]}</p>
<ul>
${paths.map((path) => `<li><a href="${path}">${path}</a></li>`).join("\n")}
</ul>
</html>
`

export const IndexPage = HttpRouter.use(Effect.fnUntraced(function*(router) {
  const database = yield* Database
  yield* router.add("GET", "/", Effect.sync(() => HttpServerResponse.html(page(database.kind, database.state()._tag))))
}))
