/** The contract of the customers, and of the products that they like. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import * as Problem from "../Problem.ts"
import { Product } from "../products/ProductsApi.ts"
import { Id, IdInUrl, Limit } from "../Values.ts"

export const Customer = Schema.Struct({ customer_id: Id, customer_name: Schema.String })

const page = { limit: Schema.optionalKey(Limit), after: Schema.optionalKey(IdInUrl) }

const ofCustomer = [Problem.BadRequest, Problem.NotFound, Problem.Unavailable] as const

export class CustomersGroup extends HttpApiGroup.make("customers").add(
  HttpApiEndpoint.get("list", "/customers", { query: page, success: Schema.Array(Customer), error: [Problem.BadRequest, Problem.Unavailable] }),
  HttpApiEndpoint.get("get", "/customers/:id", { params: { id: IdInUrl }, success: Customer, error: ofCustomer }),
  HttpApiEndpoint.get("favorites", "/customers/:id/favorites", { params: { id: IdInUrl }, query: page, success: Schema.Array(Product), error: ofCustomer }),
  HttpApiEndpoint.put("like", "/customers/:id/favorites/:product_id", { params: { id: IdInUrl, product_id: IdInUrl }, success: HttpApiSchema.NoContent, error: ofCustomer }),
  HttpApiEndpoint.delete("unlike", "/customers/:id/favorites/:product_id", { params: { id: IdInUrl, product_id: IdInUrl }, success: HttpApiSchema.NoContent, error: ofCustomer })
) {}
