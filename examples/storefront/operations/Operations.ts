/** Everything that lets people see what the application does: metrics, health, traces, error reports, log lines. */
import { type Context, Effect, identity, Layer, Metric, Option } from "effect"
import { Metrics } from "effect-nursery/observe"
import { PrometheusMetrics } from "effect/observability"
import type { StorefrontConfig } from "../Config.ts"
import type { Database } from "../database/Database.ts"
import { accessLog } from "./AccessLog.ts"
import * as ErrorReports from "./ErrorReports.ts"
import { Draining, healthRoutes } from "./Health.ts"
import { HttpMetrics } from "./HttpMetrics.ts"
import * as Origin from "./Origin.ts"
import { metered } from "./PoolMetrics.ts"
import * as ProcessMetrics from "./ProcessMetrics.ts"
import { Requests } from "./Requests.ts"
import * as StopReport from "./StopReport.ts"
import * as Tracing from "./Tracing.ts"

type Wrapper = <A, E>(application: Effect.Effect<A, E>) => Effect.Effect<A, E>

/** Runs the application with what its configuration asks for. What is not asked for costs nothing. */
export const observed = (config: StorefrontConfig): Wrapper => {
  const tracing: Wrapper = Option.match(config.otlpEndpoint, {
    onNone: () => identity,
    onSome: (endpoint) => Tracing.record({ endpoint, headers: config.otlpHeaders, serviceName: config.serviceName })
  })
  const reporting: Wrapper = Option.match(config.errorReportUrl, { onNone: () => identity, onSome: ErrorReports.record })
  return (application) =>
    application.pipe(
      tracing,
      reporting,
      Metrics.record(),
      Origin.record,
      // A registry of its own: two applications in one process do not count together.
      Effect.provideService(Metric.MetricRegistry, new Map())
    )
}

/** The text of `/metrics` is made when somebody asks for it, of all metrics in the registry. */
const routesOf = (draining: Draining) => Layer.merge(healthRoutes(draining), PrometheusMetrics.layerHttp({ path: "/metrics" }))

/** Those who look at the server: what it tells them, and what they have to say to the world. */
export class Watch {
  readonly requests: Requests
  readonly routes: ReturnType<typeof routesOf>
  /** When the program is asked to stop: not ready any more first, then, after a while, nobody may connect. */
  readonly beforeDrain: Effect.Effect<void>
  /** Runs the server, and says at its end what became of its requests. */
  readonly around: StopReport.StopReport["around"]
  readonly #config: StorefrontConfig

  private constructor(config: StorefrontConfig, requests: Requests) {
    const draining = new Draining()
    const report = StopReport.make(requests)
    this.#config = config
    this.requests = requests
    this.routes = routesOf(draining)
    this.beforeDrain = Effect.andThen(Effect.andThen(draining.begin, report.begin), Effect.sleep(config.drainDelay))
    this.around = (server) =>
      Effect.contextWith((context: Context.Context<never>) => {
        // Here, so that its lines come from the task that serves.
        if (config.accessLog) requests.listen(accessLog(context, config.accessLogEvery))
        return report.around(server)
      })
  }

  static make(config: StorefrontConfig): Effect.Effect<Watch> {
    return Effect.gen(function*() {
      const context = yield* Effect.context<never>()
      const metrics = new HttpMetrics(context)
      const requests = new Requests()
      requests.listen(metrics.count)
      metrics.showInFlight(requests)
      yield* ProcessMetrics.register
      return new Watch(config, requests)
    })
  }

  metered(database: Database["Service"]): Effect.Effect<Database["Service"]> {
    return metered(database, this.#config.poolSize)
  }
}
