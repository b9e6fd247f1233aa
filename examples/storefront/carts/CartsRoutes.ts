/** `/carts`, from the first line to the order. */
import { Effect } from "effect"
import { HttpServerResponse } from "effect/http"
import { Api } from "../Api.ts"
import { group } from "../http/Group.ts"
import { Carts } from "./Carts.ts"
import { Checkout } from "./Checkout.ts"

export const CartsRoutes = group(Api, "carts", Effect.fnUntraced(function*(handlers) {
  const carts = yield* Carts
  const checkout = yield* Checkout
  return handlers.handleAll({
    create: () =>
      Effect.map(carts.create, (cart) => HttpServerResponse.jsonUnsafe(cart, { status: 201, headers: { location: `/carts/${cart.cart_id}` } })),
    get: ({ params }) => carts.get(params.cart_id),
    put: ({ params, payload }) => carts.put(params.cart_id, params.product_id, payload.quantity),
    remove: ({ params }) => carts.remove(params.cart_id, params.product_id),
    checkout: ({ params, payload }) =>
      Effect.map(checkout.checkout(params.cart_id, payload), ({ before, order }) =>
        HttpServerResponse.jsonUnsafe(order, { status: before ? 200 : 201, headers: { location: `/carts/${params.cart_id}/order` } })),
    order: ({ params }) => checkout.order(params.cart_id)
  })
}))
