/** The contract of the carts: fill one, look at it, buy what is in it. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import { JobId } from "../jobs/JobsApi.ts"
import * as Problem from "../Problem.ts"
import { Email, Id, Text } from "../Values.ts"

/** Random, and so long that nobody guesses one: there are no accounts, who knows the id owns the cart. */
export const CartId = Schema.String.check(Schema.isUUID(4))

export const Line = Schema.Struct({ product_id: Id, product_name: Schema.String, quantity: Schema.Int, price_cents: Schema.Int })
export type Line = typeof Line.Type

export const Cart = Schema.Struct({
  cart_id: CartId,
  /** A cart that is `ordered` does not change any more. */
  state: Schema.Literals(["open", "ordered"]),
  lines: Schema.Array(Line),
  total_cents: Schema.Int
})
export type Cart = typeof Cart.Type

/** How many. The price is the shop's: whatever else a client sends is ignored. */
export const LineInput = Schema.Struct({ quantity: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 })) })

export const CheckoutInput = Schema.Struct({ email: Email, note: Schema.optionalKey(Text) })
export type CheckoutInput = typeof CheckoutInput.Type

export const Order = Schema.Struct({
  order_id: Id,
  cart_id: CartId,
  lines: Schema.Array(Line),
  total_cents: Schema.Int,
  note: Schema.String,
  /** The job that sends the confirmation: `GET /jobs/{id}` says how far it is. */
  confirmation_job: JobId
})
export type Order = typeof Order.Type

const ofCart = [Problem.BadRequest, Problem.NotFound, Problem.Unavailable] as const

/** Changes run in transactions; one that is never alone gives up with a conflict. */
const change = [...ofCart, Problem.Conflict] as const

const cart = { cart_id: CartId }

const line = { cart_id: CartId, product_id: Id }

export class CartsGroup extends HttpApiGroup.make("carts").add(
  HttpApiEndpoint.post("create", "/carts", { success: Cart.pipe(HttpApiSchema.status(201)), error: Problem.Unavailable }),
  HttpApiEndpoint.get("get", "/carts/:cart_id", { params: cart, success: Cart, error: ofCart }),
  // To put twice is to put once: the quantity is set, not added.
  HttpApiEndpoint.put("put", "/carts/:cart_id/lines/:product_id", { params: line, payload: LineInput, success: Cart, error: [...change, Problem.PayloadTooLarge] }),
  HttpApiEndpoint.delete("remove", "/carts/:cart_id/lines/:product_id", { params: line, success: HttpApiSchema.NoContent, error: change }),
  // 201 when this request has bought it, 200 when an earlier one had: a client that has got no answer asks again.
  HttpApiEndpoint.post("checkout", "/carts/:cart_id/checkout", {
    params: cart,
    payload: CheckoutInput,
    success: [Order.pipe(HttpApiSchema.status(201)), Order],
    error: [...change, Problem.PayloadTooLarge]
  }),
  HttpApiEndpoint.get("order", "/carts/:cart_id/order", { params: cart, success: Order, error: ofCart })
) {}
