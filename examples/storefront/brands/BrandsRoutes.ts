/** `GET /brands`. */
import { Effect } from "effect"
import { HttpServerResponse } from "effect/http"
import { Api } from "../Api.ts"
import { csvOf } from "../http/Csv.ts"
import { group } from "../http/Group.ts"
import { preferred } from "../http/Negotiation.ts"
import { nextPage } from "../http/Paging.ts"
import * as Problem from "../Problem.ts"
import { Brands } from "./Brands.ts"

/** Without a limit: all of them, as long as they are few. */
const all = { limit: 1000, after: 0 }

export const BrandsRoutes = group(Api, "brands", Effect.fnUntraced(function*(handlers) {
  const brands = yield* Brands
  return handlers.handleAll({
    list: ({ query, request }) => {
      const page = { ...all, ...query }
      switch (preferred(request.headers.accept, ["application/json", "text/csv"])) {
        case "application/json":
          return Effect.map(brands.json(page), ({ count, json, last }) =>
            HttpServerResponse.text(json, { contentType: "application/json", headers: { vary: "accept", ...nextPage(request, query.limit, count, last) } }))
        case "text/csv":
          return Effect.map(brands.rows(page), (rows) =>
            HttpServerResponse.text(csvOf(["brand_id", "brand_name"], rows), {
              contentType: "text/csv; charset=utf-8",
              headers: { vary: "accept", ...nextPage(request, query.limit, rows.length, rows.at(-1)?.brand_id ?? null) }
            }))
        default:
          return Effect.fail(new Problem.NotAcceptable({ detail: "A list of brands is application/json or text/csv." }))
      }
    }
  })
}))
