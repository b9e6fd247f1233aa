/** The customers, in the database. */
import { Context, Effect, Layer } from "effect"
import { Database } from "../database/Database.ts"
import * as Problem from "../Problem.ts"
import type { Row as Product } from "../products/Products.ts"

export interface Row {
  readonly customer_id: number
  readonly customer_name: string
}

interface Page {
  readonly limit: number
  readonly after: number
}

const make = Effect.gen(function*() {
  const { query } = yield* Database

  const get = (id: number): Effect.Effect<Row, Problem.NotFound | Problem.Unavailable> =>
    Effect.flatMap(
      query((sql) => sql<Row>`select customer_id, customer_name from customer where customer_id = ${id}`),
      ([row]) => row === undefined ? Effect.fail(notFound(id)) : Effect.succeed(row)
    )

  return {
    get,

    page: ({ after, limit }: Page) =>
      query((sql) => sql<Row>`select customer_id, customer_name from customer where customer_id > ${after} order by customer_id limit ${limit}`),

    favorites: (id: number, { after, limit }: Page) =>
      Effect.andThen(
        get(id),
        query((sql) => sql<Product>`
          select product_id, product_name, brand_id from favorite join product using (product_id)
          where customer_id = ${id} and product_id > ${after} order by product_id limit ${limit}`)
      ),

    /** To like twice is to like. */
    like: (id: number, productId: number) =>
      Effect.flatMap(
        query((sql) => sql<{ readonly customer: boolean; readonly product: boolean }>`
          with found as (
            select exists (select from customer where customer_id = ${id}) as customer,
                   exists (select from product where product_id = ${productId}) as product
          ), added as (
            insert into favorite (customer_id, product_id) select ${id}::int, ${productId}::int from found where customer and product on conflict do nothing
          )
          select customer, product from found`),
        ([found]) =>
          !found!.customer ? Effect.fail(notFound(id)) : !found!.product ? Effect.fail(new Problem.NotFound({ detail: `There is no product ${productId}.` })) : Effect.void
      ),

    unlike: (id: number, productId: number) =>
      Effect.flatMap(
        query((sql) => sql`delete from favorite where customer_id = ${id} and product_id = ${productId} returning product_id`),
        (gone) => gone.length === 0 ? Effect.fail(new Problem.NotFound({ detail: `Product ${productId} is no favorite of customer ${id}.` })) : Effect.void
      )
  }
})

export class Customers extends Context.Service<Customers, Effect.Success<typeof make>>()("storefront/Customers") {
  static readonly layer = Layer.effect(this)(make)
}

const notFound = (id: number) => new Problem.NotFound({ detail: `There is no customer ${id}.` })
