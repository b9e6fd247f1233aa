/**
 * The application as one block: its database, its background and its server are tasks of one nursery, so that none of
 * them outlives the others, and the program ends when the last one has.
 */
// Before any schema is used: what they check and turn is compiled then, and a small request costs less.
import "effect/schema/SchemaJITCompiler/enable"
// Not all of @effect/platform-node: that takes a third of a second longer to load.
import * as NodeHttpPlatform from "@effect/platform-node/NodeHttpPlatform"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { ByteSize, Effect, Layer } from "effect"
import { Nursery } from "effect-nursery"
import { Etag, HttpIncomingMessage, HttpRouter } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "./Api.ts"
import * as Background from "./Background.ts"
import { BasicsRoutes, hello, Shared } from "./basics/BasicsRoutes.ts"
import { Brands } from "./brands/Brands.ts"
import { BrandsRoutes } from "./brands/BrandsRoutes.ts"
import { Cache } from "./cache/Cache.ts"
import { CachedProducts } from "./cache/CachedProducts.ts"
import * as RedisConnection from "./cache/RedisConnection.ts"
import { Carts } from "./carts/Carts.ts"
import { CartsRoutes } from "./carts/CartsRoutes.ts"
import { Checkout } from "./carts/Checkout.ts"
import type { StorefrontConfig } from "./Config.ts"
import { Customers } from "./customers/Customers.ts"
import { CustomersRoutes } from "./customers/CustomersRoutes.ts"
import * as Database from "./database/Database.ts"
import { Docs } from "./http/Docs.ts"
import { withAnswerForFaults } from "./http/Faults.ts"
import * as HttpServer from "./http/HttpServer.ts"
import { IndexPage } from "./http/IndexPage.ts"
import { toHttpEffect } from "./http/Router.ts"
import { StaticRoutes } from "./http/StaticRoutes.ts"
import { withRateLimit } from "./limits/RateLimit.ts"
import { observed, Watch } from "./operations/Operations.ts"
import { apart } from "./operations/Tracing.ts"
import { JobWorkers } from "./jobs/JobWorkers.ts"
import { Jobs } from "./jobs/Jobs.ts"
import { JobsRoutes } from "./jobs/JobsRoutes.ts"
import { Notes } from "./notes/Notes.ts"
import { NotesRoutes } from "./notes/NotesRoutes.ts"
import { NotificationsRoutes } from "./notifications/NotificationsRoutes.ts"
import { ProductsRoutes } from "./products/ProductsRoutes.ts"
import { Settings } from "./Settings.ts"

/** What handlers need: a service for each noun. */
const Services = Layer.mergeAll(
  Brands.layer,
  CachedProducts,
  Customers.layer,
  Carts.layer,
  Checkout.layer,
  Notes.layer,
  Layer.succeed(Shared, { key: "value" })
).pipe(Layer.provideMerge(Jobs.layer), Layer.provide(Cache.layer))

/** The handlers of each group of the contract, and those who do the jobs. */
const Groups = Layer.mergeAll(
  BasicsRoutes,
  BrandsRoutes,
  ProductsRoutes,
  CustomersRoutes,
  CartsRoutes,
  JobsRoutes,
  NotificationsRoutes,
  NotesRoutes,
  JobWorkers
).pipe(Layer.provide(Services))

export const Routes = Layer.mergeAll(
  HttpApiBuilder.layer(Api, { openapiPath: "/openapi.json" }).pipe(Layer.provide(Groups)),
  IndexPage,
  Docs
)

/** What Effect's routes need of the platform: files, paths, tags. */
const Platform = Layer.mergeAll(NodeHttpPlatform.layer, Etag.layer).pipe(Layer.provideMerge(NodeServices.layer))

/** Routes that bring what they need; they may fail, as any may. */
export type MoreRoutes = Layer.Layer<never, never, HttpRouter.HttpRouter | HttpRouter.Request<"Error", any> | Database.Database | Background.Background>

/**
 * Serves until it is asked to stop. A task for `nursery.start`: it says where it listens as soon as it does. More routes
 * come from whoever embeds it, such as a test.
 */
export const serve = (config: StorefrontConfig, more: MoreRoutes = Layer.empty) => (started: (place: HttpServer.Place) => Effect.Effect<void>) =>
  Nursery.open((n) =>
    Effect.gen(function*() {
      // A service: it is there for the others, and is cancelled when they have ended.
      const watch = yield* Watch.make(config)
      const database = yield* watch.metered(yield* n.start(Database.run(config), { name: "database", service: true }))
      const redis = yield* n.start(RedisConnection.run(config), { name: "redis", service: true })
      yield* Background.open((background) =>
        Effect.scoped(Effect.gen(function*() {
          const app = yield* toHttpEffect(Layer.mergeAll(Routes, watch.routes, more)).pipe(
            Effect.provideService(HttpRouter.RouterConfig, { ignoreTrailingSlash: true, maxParamLength: 1000 }),
            Effect.provide(Layer.mergeAll(
              Platform,
              Layer.succeed(Settings, config),
              Layer.succeed(Database.Database, database),
              Layer.succeed(RedisConnection.RedisConnection, redis),
              Layer.succeed(Background.Background, background)
            ))
          )
          const fair = yield* withRateLimit(app, config, redis)
          const server = HttpServer.serve(withAnswerForFaults(fair), {
            host: config.host,
            port: config.port,
            staticRoutes: new StaticRoutes({ "/hello": hello }),
            headersTimeout: config.headersTimeout,
            requestTimeout: config.requestTimeout,
            observer: watch.requests,
            beforeDrain: watch.beforeDrain
          })(started).pipe(Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(config.maxBodyBytes)))
          yield* Nursery.open(() => watch.around(apart(server)), { name: "server" })
        }))
      )
    }), { name: "storefront" }).pipe(observed(config))
