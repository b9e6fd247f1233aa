/**
 * The databases on which the tests of the shop run: the embedded one, and PostgreSQL where it is. And a way to look into
 * them that is the same for both: a route that only tests have.
 */
import { Effect } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { Database } from "../../../examples/storefront/database/Database.ts"
import { findPostgres, makeDatabase, type OwnDatabase } from "../../support/Postgres.ts"
import { type Shop, type ShopOptions, startShop } from "./shop.ts"

export { eventually, json } from "./asking.ts"

export const postgres = await findPostgres()

export const databases: ReadonlyArray<readonly [name: string, server: string | undefined]> = [
  ["the embedded database", undefined],
  ...(postgres === undefined ? [] : [["PostgreSQL", postgres] as const])
]

/** Runs the body of the request as SQL. */
const sqlRoute = HttpRouter.use(Effect.fnUntraced(function*(router) {
  const { query } = yield* Database
  yield* router.add("POST", "/test/sql", Effect.gen(function*() {
    const text = yield* (yield* HttpServerRequest.HttpServerRequest).text
    return HttpServerResponse.jsonUnsafe(yield* query((sql) => sql.unsafe(text)))
  }))
}))

export interface ShopWithSql extends Shop {
  /** Of PostgreSQL; the embedded database has none that others could use. */
  readonly database: string | undefined
  readonly sql: (text: string) => Promise<ReadonlyArray<any>>
}

/** A shop on a database of its own, ready, which is dropped at the end. */
export const openShop = async (server: string | undefined, options: Omit<ShopOptions, "database" | "routes"> = {}): Promise<ShopWithSql> => {
  const own: OwnDatabase | undefined = server === undefined ? undefined : await makeDatabase(server)
  const shop = await startShop({ ...options, ...(own === undefined ? {} : { database: own.url }), routes: sqlRoute })
  await shop.ready()
  return {
    ...shop,
    logs: shop.logs,
    database: own?.url,
    sql: async (text) => {
      const answer = await shop.fetch("/test/sql", { method: "POST", body: text })
      if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}: ${text}`)
      return await answer.json() as ReadonlyArray<any>
    },
    stop: async (grace) => {
      await shop.stop(grace)
      await own?.drop()
    }
  }
}
