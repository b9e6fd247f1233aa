/** The letter that confirms an order: a job, so that it is sent also when the process dies right after the checkout. */
import { Effect, Schema } from "effect"
import { Database } from "../database/Database.ts"
import { GiveUp, handler, type Kind } from "../jobs/Job.ts"
import { Mail } from "../notifications/Mail.ts"
import { Id } from "../Values.ts"

export const OrderConfirmation: Kind<{ readonly order_id: number }> = {
  name: "order-confirmation",
  payload: Schema.Struct({ order_id: Id }),
  maxAttempts: 8
}

/** Does the job. When it is done twice, the letter is sent once, unless the process dies between the sending and the mark. */
export const confirmsOrders = Effect.gen(function*() {
  const { query } = yield* Database
  const mail = yield* Mail
  return handler(OrderConfirmation, ({ order_id }) =>
    Effect.gen(function*() {
      const [order] = yield* query((sql) =>
        sql<{ readonly email: string; readonly confirmed: boolean; readonly total_cents: number }>`
          select email, confirmed_at is not null as confirmed, sum(quantity::float8 * price_cents) as total_cents
          from purchase join purchase_line using (order_id) where order_id = ${order_id} group by order_id`)
      if (order === undefined) return yield* new GiveUp({ why: `there is no order ${order_id}` })
      if (order.confirmed) return
      yield* mail.send({ to: order.email, subject: `Your order ${order_id}`, text: `We have got your order of ${(order.total_cents / 100).toFixed(2)}.` })
      yield* query((sql) => sql`update purchase set confirmed_at = now() where order_id = ${order_id}`)
    }))
})
