/**
 * The server's counts as a page for Prometheus: `/metrics`. It is loaded when it is asked for, because an HTTP server takes
 * time and memory that a chat does not need.
 */
import { NodeHttpServer } from "@effect/platform-node"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Errors from "effect-nursery/Errors"
import type * as Nursery from "effect-nursery/Nursery"
import { HttpRouter, HttpServer } from "effect/http"
import { PrometheusMetrics } from "effect/observability"
import { createServer } from "node:http"
import type { Place } from "../support/server.ts"

/** A page, as a function of `started`, which it calls with its address. It serves until it is cancelled. */
export const metricsPage = (place: Place): Nursery.Startable<Place, never, Errors.Broken, never> => (started) => {
  const told = Layer.effectDiscard(Effect.flatMap(HttpServer.HttpServer, ({ address }) =>
    started({ host: place.host, port: "port" in address ? address.port : place.port })))
  // Whoever asks is not waited for when the chat has stopped.
  const listening = NodeHttpServer.layer(createServer, { ...place, gracefulShutdownTimeout: "100 millis" })
  const page = HttpRouter.serve(PrometheusMetrics.layerHttp(), { disableLogger: true, disableListenLog: true })
  return Layer.launch(Layer.mergeAll(page, told).pipe(Layer.provide(listening))).pipe(
    Effect.mapError(({ cause }) => new Errors.Broken({ what: "the page of metrics", cause }))
  )
}
