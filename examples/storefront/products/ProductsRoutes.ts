/** `/product` and `/products`. */
import { Effect } from "effect"
import { HttpServerResponse } from "effect/http"
import { Api } from "../Api.ts"
import { hasAlready, tagOf, versionsIn } from "../http/ETag.ts"
import { group } from "../http/Group.ts"
import { nextPage } from "../http/Paging.ts"
import { Products, type Versioned } from "./Products.ts"

const defaultLimit = 50

export const ProductsRoutes = group(Api, "products", Effect.fnUntraced(function*(handlers) {
  const products = yield* Products
  return handlers.handleAll({
    list: ({ query, request }) => {
      const limit = query.limit ?? defaultLimit
      return Effect.map(products.page({ limit, after: query.after ?? 0 }), (rows) =>
        HttpServerResponse.jsonUnsafe(rows, { headers: nextPage(request, limit, rows.length, rows.at(-1)?.product_id ?? null) }))
    },
    get: ({ headers, params }) =>
      Effect.map(products.get(params.id), (found) =>
        hasAlready(headers["if-none-match"], tagOf(found.version))
          ? HttpServerResponse.empty({ status: 304, headers: { etag: tagOf(found.version) } })
          : answerOf(found)),
    create: ({ payload }) =>
      Effect.map(products.create(payload), (id) => HttpServerResponse.empty({ status: 201, headers: { location: `/products/${id}` } })),
    replace: ({ headers, params, payload }) => Effect.map(products.replace(params.id, payload, versionsIn(headers["if-match"])), answerOf),
    remove: ({ headers, params }) => products.remove(params.id, versionsIn(headers["if-match"]))
  })
}))

const answerOf = ({ product, version }: Versioned) => HttpServerResponse.jsonUnsafe(product, { headers: { etag: tagOf(version) } })
