/** The products, in the database. */
import { Context, Effect, Layer } from "effect"
import { SqlError } from "effect/sql"
import type { PgClient } from "@effect/sql-pg"
import { Database } from "../database/Database.ts"
import { codeOf } from "../database/SqlFault.ts"
import * as Problem from "../Problem.ts"
import type { ProductInput } from "./ProductsApi.ts"

export interface Row {
  readonly product_id: number
  readonly product_name: string
  readonly brand_id: number
}

/** With the number that counts its changes. */
export interface Versioned {
  readonly product: Row
  readonly version: number
}

/** The versions that a change is meant for; nothing for any. */
type Expected = ReadonlyArray<number> | undefined

const make = Effect.gen(function*() {
  const { query } = yield* Database

  /** Why a change has found no row: there is no such product, or it has another version. */
  const why = (sql: PgClient.PgClient, id: number) =>
    Effect.flatMap(sql`select 1 from product where product_id = ${id}`, (rows) =>
      Effect.fail(rows.length === 0 ? notFound(id) : new Problem.PreconditionFailed({ detail: `Product ${id} has been changed since.` })))

  return {
    page: ({ after, limit }: { readonly after: number; readonly limit: number }) =>
      query((sql) => sql<Row>`
        select product_id, product_name, brand_id from product where product_id > ${after} order by product_id limit ${limit}`),

    get: (id: number): Effect.Effect<Versioned, Problem.NotFound | Problem.Unavailable> =>
      Effect.flatMap(
        query((sql) => sql<Row & { readonly version: number }>`select product_id, product_name, brand_id, version from product where product_id = ${id}`),
        ([row]) => row === undefined ? Effect.fail(notFound(id)) : Effect.succeed(versioned(row))
      ),

    /** Says which number it has got. */
    create: ({ brand_id, product_name }: ProductInput) =>
      query((sql) =>
        sql<{ readonly product_id: number }>`insert into product (product_name, brand_id) values (${product_name}, ${brand_id}) returning product_id`.pipe(
          Effect.map(([row]) => row!.product_id),
          brandMustExist(brand_id)
        )),

    replace: (id: number, { brand_id, product_name }: ProductInput, expected: Expected) =>
      query((sql) =>
        Effect.gen(function*() {
          const [row] = yield* sql<Row & { readonly version: number }>`
            update product set product_name = ${product_name}, brand_id = ${brand_id}, version = version + 1
            where product_id = ${id} and ${expected === undefined ? sql`true` : sql.in("version", expected)}
            returning product_id, product_name, brand_id, version`
          return row === undefined ? yield* why(sql, id) : versioned(row)
        }).pipe(brandMustExist(brand_id))),

    remove: (id: number, expected: Expected) =>
      query((sql) =>
        Effect.gen(function*() {
          const gone = yield* sql`
            delete from product
            where product_id = ${id} and ${expected === undefined ? sql`true` : sql.in("version", expected)}
            returning product_id`
          if (gone.length === 0) yield* why(sql, id)
        }))
  }
})

export class Products extends Context.Service<Products, Effect.Success<typeof make>>()("storefront/Products") {
  static readonly layer = Layer.effect(this)(make)
}

const notFound = (id: number) => new Problem.NotFound({ detail: `There is no product ${id}.` })

const versioned = ({ version, ...product }: Row & { readonly version: number }): Versioned => ({ product, version })

/** PostgreSQL's name for a row that refers to one that is not there. */
const foreignKeyViolation = "23503"

/** The database is asked by the change itself: to ask before would leave time for the brand to go. */
const brandMustExist = (brandId: number) => <A, E, R>(change: Effect.Effect<A, E | SqlError.SqlError, R>) =>
  Effect.catchIf(
    change,
    (error): error is SqlError.SqlError => SqlError.isSqlError(error) && codeOf(error) === foreignKeyViolation,
    () => Effect.fail(new Problem.Unprocessable({ detail: `There is no brand ${brandId}.`, errors: [{ path: ["body", "brand_id"], message: "Expected the number of a brand" }] }))
  )
