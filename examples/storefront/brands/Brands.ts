/** The brands, in the database. */
import { Context, Effect, Layer } from "effect"
import { CapacityLimiter } from "effect-nursery"
import { Database } from "../database/Database.ts"
import { SharedQuery } from "../database/SharedQuery.ts"
import { Settings } from "../Settings.ts"

export interface Page {
  readonly limit: number
  readonly after: number
}

const make = Effect.gen(function*() {
  const { query } = yield* Database
  const { poolSize } = yield* Settings
  // Half of the connections: the others stay free for whoever asks for something else.
  const shared = new SharedQuery(yield* CapacityLimiter.make(Math.ceil(poolSize / 2), { name: "queries of brands" }))

  return {
    /**
     * A page of brands as the JSON of a list. PostgreSQL writes it: nothing here reads the rows, so a hundred of them cost
     * little more than one. It is still what the contract says; a test reads it with the schema.
     */
    json: ({ after, limit }: Page) =>
      shared.ask(`json ${after} ${limit}`, query((sql) =>
        Effect.map(
          sql<{ readonly json: string; readonly count: number; readonly last: number | null }>`
            select coalesce(json_agg(page), '[]')::text as json, count(*)::int as count, max(brand_id) as last from (
              select brand_id, brand_name from brand where brand_id > ${after} order by brand_id limit ${limit}
            ) as page`,
          ([row]) => row!
        ))),
    rows: ({ after, limit }: Page) =>
      shared.ask(`rows ${after} ${limit}`, query((sql) => sql<{ readonly brand_id: number; readonly brand_name: string }>`
        select brand_id, brand_name from brand where brand_id > ${after} order by brand_id limit ${limit}`))
  }
})

export class Brands extends Context.Service<Brands, Effect.Success<typeof make>>()("storefront/Brands") {
  static readonly layer = Layer.effect(this)(make)
}
