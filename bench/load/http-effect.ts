/** What the two servers of raw Effect have in common: the client of PostgreSQL, and the server. Each prints its port. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { createServer } from "node:http"

export const hello = "Hello, World!"

export interface Brand {
  readonly brand_id: number
  readonly brand_name: string
}

const Pg = PgClient.layer({ url: Redacted.make(process.env.DATABASE_URL!), maxConnections: 6 })

const Server = NodeHttpServer.layer(() => createServer(), { port: 0, host: "127.0.0.1", backlog: 1024 })

const told = Layer.effectDiscard(HttpServer.HttpServer.use(({ address }) =>
  Effect.sync(() => console.log((address as { readonly port: number }).port))
))

/** For routes that need the client: it is made once. */
export const serve = <E>(routes: Layer.Layer<never, E, any>) =>
  Effect.runFork(Layer.launch(
    Layer.merge(HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }), told).pipe(Layer.provide(Pg), Layer.provide(Server))
  ) as Effect.Effect<never, unknown>)

process.once("SIGTERM", () => process.exit())
