/** `/customers` and their favorites. */
import { Effect } from "effect"
import { HttpServerResponse } from "effect/http"
import { Api } from "../Api.ts"
import { group } from "../http/Group.ts"
import { nextPage } from "../http/Paging.ts"
import { Customers } from "./Customers.ts"

const defaultLimit = 50

export const CustomersRoutes = group(Api, "customers", Effect.fnUntraced(function*(handlers) {
  const customers = yield* Customers
  return handlers.handleAll({
    list: ({ query, request }) => {
      const limit = query.limit ?? defaultLimit
      return Effect.map(customers.page({ limit, after: query.after ?? 0 }), (rows) =>
        HttpServerResponse.jsonUnsafe(rows, { headers: nextPage(request, limit, rows.length, rows.at(-1)?.customer_id ?? null) }))
    },
    get: ({ params }) => customers.get(params.id),
    favorites: ({ params, query, request }) => {
      const limit = query.limit ?? defaultLimit
      return Effect.map(customers.favorites(params.id, { limit, after: query.after ?? 0 }), (rows) =>
        HttpServerResponse.jsonUnsafe(rows, { headers: nextPage(request, limit, rows.length, rows.at(-1)?.product_id ?? null) }))
    },
    like: ({ params }) => customers.like(params.id, params.product_id),
    unlike: ({ params }) => customers.unlike(params.id, params.product_id)
  })
}))
