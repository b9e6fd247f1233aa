/** The contract of the brands. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import * as Problem from "../Problem.ts"
import { Id, IdInUrl, Limit } from "../Values.ts"

export const Brand = Schema.Struct({ brand_id: Id, brand_name: Schema.String })

/** One line for the names, and one for each brand (RFC 4180). */
const Csv = Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/csv; charset=utf-8" }))

export class BrandsGroup extends HttpApiGroup.make("brands").add(
  // JSON, or CSV when the client prefers it. With a limit, the header Link leads to the next page.
  HttpApiEndpoint.get("list", "/brands", {
    query: { limit: Schema.optionalKey(Limit), after: Schema.optionalKey(IdInUrl) },
    success: [Schema.Array(Brand), Csv],
    error: [Problem.BadRequest, Problem.NotAcceptable, Problem.Unavailable]
  })
) {}
