/** The contract of the first routes: greetings, the time, and items that are only looked at. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import * as Problem from "../Problem.ts"
import { Name } from "../Values.ts"

const Plain = Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/plain; charset=utf-8" }))

/** What the time looks like: `{"month":11,"day":21,"time":"16:24:23.041000"}`. */
export const Time = Schema.Struct({ month: Schema.Int, day: Schema.Int, time: Schema.String })

export const Item = Schema.Struct({
  name: Name,
  description: Schema.optionalKey(Schema.NullOr(Schema.String)),
  price: Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0)),
  tax: Schema.optionalKey(Schema.NullOr(Schema.Finite))
})

export class BasicsGroup extends HttpApiGroup.make("basics").add(
  HttpApiEndpoint.get("hello", "/hello", { success: Plain }),
  HttpApiEndpoint.post("greet", "/hello", { payload: Schema.Struct({ name: Name }), success: Plain, error: [Problem.BadRequest, Problem.PayloadTooLarge] }),
  HttpApiEndpoint.get("helloName", "/hello/:name", { params: { name: Name }, success: Plain, error: Problem.BadRequest }),
  HttpApiEndpoint.get("time", "/time", { success: Time }),
  HttpApiEndpoint.get("slow", "/slow", { success: Plain }),
  HttpApiEndpoint.get("shared", "/shared", { success: Schema.Record(Schema.String, Schema.String) }),
  HttpApiEndpoint.get("readItem", "/items/:item_id", {
    params: { item_id: Schema.Int },
    query: { q: Schema.optionalKey(Schema.String) },
    success: Schema.Struct({ item_id: Schema.Int, q: Schema.NullOr(Schema.String) }),
    error: Problem.BadRequest
  }),
  HttpApiEndpoint.post("createItem", "/items/", { payload: Item, success: Item, error: [Problem.BadRequest, Problem.PayloadTooLarge] })
) {}
