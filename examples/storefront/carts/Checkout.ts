/**
 * Buying what is in a cart: the stock goes down, the order is written, and so is the job that will confirm it. All of it
 * happens, or nothing; and for each cart it happens once.
 *
 * A cart is a small state machine, `open` → `ordered`, and the change of its state is a part of the transaction. Whoever
 * asks again, because the answer was lost, finds it ordered and gets the same order: no key of the client's is needed.
 */
import type { PgClient } from "@effect/sql-pg"
import { Array, Context, Effect, Layer } from "effect"
import { Database } from "../database/Database.ts"
import { Jobs } from "../jobs/Jobs.ts"
import * as Problem from "../Problem.ts"
import { noSuchCart, totalOf } from "./Carts.ts"
import type { CheckoutInput, Line, Order } from "./CartsApi.ts"
import { OrderConfirmation } from "./OrderConfirmation.ts"

/** What a checkout has found. */
export interface Checked {
  readonly order: Order
  /** An earlier request has bought it. */
  readonly before: boolean
}

const make = Effect.gen(function*() {
  const { query, transact } = yield* Database
  const jobs = yield* Jobs

  const buy = (sql: PgClient.PgClient, cartId: string, { email, note = "" }: CheckoutInput) =>
    Effect.gen(function*() {
      // First of all, a change of the cart: whoever else wants to buy or change it waits from here on.
      const opened = yield* sql`update cart set state = 'ordered' where cart_id = ${cartId} and state = 'open' returning cart_id`
      if (opened.length === 0) return { order: yield* find(sql, cartId), before: true } satisfies Checked

      const lines = yield* sql<Line>`
        select product_id, product_name, quantity, price_cents from cart_line join product using (product_id)
        where cart_id = ${cartId} order by product_id`
      if (!Array.isReadonlyArrayNonEmpty(lines)) return yield* new Problem.Conflict({ detail: "There is nothing in this cart." })

      // The stock is held in the order of its numbers: two who buy the same things in another order do not block each other.
      yield* sql`
        select 1 from stock where product_id in (select product_id from cart_line where cart_id = ${cartId})
        order by product_id for update`
      const taken = yield* sql<{ readonly product_id: number }>`
        update stock set quantity = stock.quantity - line.quantity from cart_line as line
        where line.cart_id = ${cartId} and stock.product_id = line.product_id and stock.quantity >= line.quantity
        returning stock.product_id`
      // Whoever fails here undoes all of it, the state of the cart as well.
      if (taken.length < lines.length) return yield* soldOut(lines.filter((line) => !taken.some(({ product_id }) => product_id === line.product_id)))

      const [purchase] = yield* sql<Pick<Order, "order_id">>`
        insert into purchase (cart_id, email, note) values (${cartId}, ${email}, ${note}) returning order_id`
      const { order_id } = purchase!
      // What the client is told is what is written: the prices may change between two statements.
      yield* sql`insert into purchase_line ${sql.insert(Array.map(lines, (line) => ({ order_id, ...line })))}`
      const confirmation_job = yield* jobs.add(sql, OrderConfirmation, { order_id })
      yield* sql`update purchase set confirmation_job = ${confirmation_job} where order_id = ${order_id}`
      return { order: orderOf({ order_id, cart_id: cartId, note, confirmation_job }, lines), before: false } satisfies Checked
    })

  return {
    checkout: (cartId: string, input: CheckoutInput) =>
      Effect.tap(transact((sql) => buy(sql, cartId, input), "read committed"), ({ before }) => before ? Effect.void : jobs.ring),

    order: (cartId: string) => query((sql) => find(sql, cartId))
  }
})

export class Checkout extends Context.Service<Checkout, Effect.Success<typeof make>>()("storefront/Checkout") {
  static readonly layer = Layer.effect(this)(make)
}

/** The order that a cart has become. */
const find = (sql: PgClient.PgClient, cartId: string) =>
  Effect.gen(function*() {
    const [purchase] = yield* sql<Omit<Order, "lines" | "total_cents">>`
      select order_id, cart_id, note, confirmation_job from purchase where cart_id = ${cartId}`
    if (purchase === undefined) {
      const cart = yield* sql`select 1 from cart where cart_id = ${cartId}`
      return yield* cart.length === 0 ? noSuchCart() : new Problem.NotFound({ detail: "This cart has not been ordered." })
    }
    const lines = yield* sql<Line>`
      select product_id, product_name, quantity, price_cents from purchase_line where order_id = ${purchase.order_id} order by product_id`
    return orderOf(purchase, lines)
  })

/** The first answer and later ones are the same, byte for byte. */
const orderOf = ({ cart_id, confirmation_job, note, order_id }: Omit<Order, "lines" | "total_cents">, lines: ReadonlyArray<Line>): Order =>
  ({ order_id, cart_id, lines, total_cents: totalOf(lines), note, confirmation_job })

const soldOut = (lines: ReadonlyArray<Line>) =>
  new Problem.Conflict({
    detail: "There is not enough of everything.",
    errors: lines.map(({ product_id, quantity }) => ({ path: ["lines", String(product_id)], message: `There are not ${quantity} of product ${product_id}.` }))
  })
