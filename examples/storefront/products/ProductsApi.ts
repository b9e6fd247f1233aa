/** The contract of the products. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import * as Problem from "../Problem.ts"
import { Id, IdInUrl, Limit, Name, Tags } from "../Values.ts"

export const Product = Schema.Struct({ product_id: Id, product_name: Schema.String, brand_id: Id })

/** What a client may say about a product. Whatever else it sends (a price, an id) is ignored. */
export const ProductInput = Schema.Struct({ product_name: Name, brand_id: Id })
export type ProductInput = typeof ProductInput.Type

const ifMatch = { "if-match": Schema.optionalKey(Tags) }

export class ProductsGroup extends HttpApiGroup.make("products").add(
  HttpApiEndpoint.get("list", "/products", {
    query: { limit: Schema.optionalKey(Limit), after: Schema.optionalKey(IdInUrl) },
    success: Schema.Array(Product),
    error: [Problem.BadRequest, Problem.Unavailable]
  }),
  HttpApiEndpoint.get("get", "/products/:id", {
    params: { id: IdInUrl },
    headers: { "if-none-match": Schema.optionalKey(Tags) },
    success: [Product, HttpApiSchema.Empty(304)],
    error: [Problem.BadRequest, Problem.NotFound, Problem.Unavailable]
  }),
  HttpApiEndpoint.post("create", "/product", {
    payload: ProductInput,
    success: HttpApiSchema.Created,
    error: [Problem.BadRequest, Problem.PayloadTooLarge, Problem.Unprocessable, Problem.Unavailable]
  }),
  HttpApiEndpoint.put("replace", "/products/:id", {
    params: { id: IdInUrl },
    headers: ifMatch,
    payload: ProductInput,
    success: Product,
    error: [Problem.BadRequest, Problem.PayloadTooLarge, Problem.NotFound, Problem.PreconditionFailed, Problem.Unprocessable, Problem.Unavailable]
  }),
  HttpApiEndpoint.delete("remove", "/products/:id", {
    params: { id: IdInUrl },
    headers: ifMatch,
    success: HttpApiSchema.NoContent,
    error: [Problem.BadRequest, Problem.NotFound, Problem.PreconditionFailed, Problem.Unavailable]
  })
) {}
