/** The carts, in the database: before they are bought. */
import type { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer } from "effect"
import { Database } from "../database/Database.ts"
import * as Problem from "../Problem.ts"
import type { Cart, Line } from "./CartsApi.ts"

/** More lines than this are no cart of a person. */
const mostLines = 100

const make = Effect.gen(function*() {
  const { query, transact } = yield* Database

  return {
    create: Effect.map(
      query((sql) => sql<{ readonly cart_id: string }>`insert into cart default values returning cart_id`),
      ([row]): Cart => ({ cart_id: row!.cart_id, state: "open", lines: [], total_cents: 0 })
    ),

    get: (id: string) => query((sql) => read(sql, id)),

    /** Sets how many of a product are wanted. Whether there are so many is seen when they are bought. */
    put: (id: string, productId: number, quantity: number) =>
      transact((sql) =>
        Effect.gen(function*() {
          yield* mustBeOpen(sql, id)
          // In one statement with the product, which is held: it cannot be deleted between the look and the line.
          const put = yield* sql`
            insert into cart_line (cart_id, product_id, quantity)
            select ${id}::uuid, product_id, ${quantity}::int from product where product_id = ${productId} for key share
            on conflict (cart_id, product_id) do update set quantity = excluded.quantity
            returning product_id`
          if (put.length === 0) return yield* new Problem.NotFound({ detail: `There is no product ${productId}.` })
          const cart = yield* read(sql, id)
          if (cart.lines.length > mostLines) return yield* new Problem.Conflict({ detail: `A cart has ${mostLines} lines at most.` })
          return cart
        }), "read committed"),

    remove: (id: string, productId: number) =>
      transact((sql) =>
        Effect.gen(function*() {
          yield* mustBeOpen(sql, id)
          const gone = yield* sql`delete from cart_line where cart_id = ${id} and product_id = ${productId} returning product_id`
          if (gone.length === 0) return yield* new Problem.NotFound({ detail: `Product ${productId} is not in this cart.` })
        }), "read committed")
  }
})

export class Carts extends Context.Service<Carts, Effect.Success<typeof make>>()("storefront/Carts") {
  static readonly layer = Layer.effect(this)(make)
}

/** In an error, and in no log: the id of a cart is its key, and is not repeated. */
export const noSuchCart = () => new Problem.NotFound({ detail: "There is no such cart." })

export const totalOf = (lines: ReadonlyArray<Line>): number => lines.reduce((sum, { price_cents, quantity }) => sum + price_cents * quantity, 0)

/** Holds the cart up to the end of the transaction: whoever wants to change or buy it waits. */
const mustBeOpen = (sql: PgClient.PgClient, id: string) =>
  Effect.gen(function*() {
    const [cart] = yield* sql<Pick<Cart, "state">>`select state from cart where cart_id = ${id} for update`
    if (cart === undefined) return yield* noSuchCart()
    if (cart.state === "ordered") return yield* new Problem.Conflict({ detail: "This cart has been ordered." })
  })

/** An open cart at the prices of today, an ordered one as it was sold. */
const read = (sql: PgClient.PgClient, id: string) =>
  Effect.gen(function*() {
    const [cart] = yield* sql<Pick<Cart, "state">>`select state from cart where cart_id = ${id}`
    if (cart === undefined) return yield* noSuchCart()
    const { state } = cart
    const lines = yield* state === "open"
      ? sql<Line>`
        select product_id, product_name, quantity, price_cents from cart_line join product using (product_id)
        where cart_id = ${id} order by product_id`
      : sql<Line>`
        select product_id, product_name, quantity, price_cents from purchase join purchase_line using (order_id)
        where cart_id = ${id} order by product_id`
    return { cart_id: id, state, lines, total_cents: totalOf(lines) } satisfies Cart
  })
