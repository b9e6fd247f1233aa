/**
 * The contract: every endpoint with the form of its requests and answers. The server, its OpenAPI document and the typed
 * client are all made of it.
 */
import { HttpApi, OpenApi } from "effect/http-api"
import { BasicsGroup } from "./basics/BasicsApi.ts"
import { BrandsGroup } from "./brands/BrandsApi.ts"
import { CartsGroup } from "./carts/CartsApi.ts"
import { CustomersGroup } from "./customers/CustomersApi.ts"
import { JobsGroup } from "./jobs/JobsApi.ts"
import { NotesGroup } from "./notes/NotesApi.ts"
import { NotificationsGroup } from "./notifications/NotificationsApi.ts"
import { ProductsGroup } from "./products/ProductsApi.ts"

/** Nobody has an account. A list of ways to log in, though it is empty, would be a button on the page of the contract. */
function withoutAccounts(document: Record<string, any>): Record<string, any> {
  const { securitySchemes: _, ...components } = document["components"]
  return { ...document, components }
}

export class Api extends HttpApi.make("storefront")
  .add(BasicsGroup)
  .add(BrandsGroup)
  .add(ProductsGroup)
  .add(CustomersGroup)
  .add(CartsGroup)
  .add(JobsGroup)
  .add(NotificationsGroup)
  .add(NotesGroup)
  // A client that has made three mistakes is told of all three.
  .annotate(HttpApi.PayloadParseOptions, { errors: "all" })
  .annotate(HttpApi.QueryParseOptions, { errors: "all" })
  .annotate(HttpApi.ParamsParseOptions, { errors: "all" })
  .annotateMerge(OpenApi.annotations({ title: "Storefront", version: "1.0.0", description: "A small shop.", transform: withoutAccounts }))
{}
