/** The same with Effect's HttpApi: a contract with schemas. */
import { PgClient } from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as Etag from "effect/http/Etag"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as NodeHttpPlatform from "@effect/platform-node/NodeHttpPlatform"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { type Brand as BrandRow, hello, serve } from "./http-effect.ts"

const Brand = Schema.Struct({ brand_id: Schema.Int, brand_name: Schema.String })
const Plain = Schema.String.pipe(HttpApiSchema.asText())

class Group extends HttpApiGroup.make("shop").add(
  HttpApiEndpoint.get("hello", "/hello", { success: Plain }),
  HttpApiEndpoint.get("helloName", "/hello/:name", { params: { name: Schema.NonEmptyString }, success: Plain }),
  HttpApiEndpoint.get("brands", "/brands", { success: Schema.Array(Brand) })
) {}

class Api extends HttpApi.make("api").add(Group) {}

const Handlers = HttpApiBuilder.group(Api, "shop", Effect.fnUntraced(function*(handlers) {
  const sql = yield* PgClient
  return handlers
    .handle("hello", () => Effect.succeed(hello))
    .handle("helloName", ({ params }) => Effect.succeed(`Hello, ${params.name}!`))
    .handle("brands", () => Effect.orDie(sql<BrandRow>`select brand_id, brand_name from brand order by brand_id`))
}))

serve(HttpApiBuilder.layer(Api).pipe(
  Layer.provide(Handlers),
  Layer.provide(Layer.mergeAll(NodeHttpPlatform.layer, Etag.layer).pipe(Layer.provideMerge(NodeServices.layer)))
))
