/** The same with Effect's router. */
import { PgClient } from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { type Brand, hello, serve } from "./http-effect.ts"

serve(HttpRouter.use(Effect.fnUntraced(function*(router) {
  const sql = yield* PgClient
  yield* router.add("GET", "/hello", Effect.succeed(HttpServerResponse.text(hello)))
  yield* router.add("GET", "/brands", Effect.map(sql<Brand>`select brand_id, brand_name from brand order by brand_id`, (rows) => HttpServerResponse.jsonUnsafe(rows)))
})))
