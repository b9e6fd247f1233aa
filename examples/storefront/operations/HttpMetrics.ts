/**
 * Requests as metrics of Effect: how many, and how long they took.
 *
 * The labels are the method, the route and the status. Each of them has few values, whatever clients send: a path that fits
 * no route, and a method that nobody knows, have a label in common.
 */
import { type Context, Metric } from "effect"
import type { Answer } from "../http/Answer.ts"
import { type Requests, statusOf } from "./Requests.ts"

const totalOf = (attributes: Readonly<Record<string, string>>) => Metric.counter("http_requests_total", {
  description: "Requests that are over, by method, route and status; 499 is a client that has gone before the answer",
  incremental: true,
  attributes
})

const secondsOf = (attributes: Readonly<Record<string, string>>) => Metric.histogram("http_request_duration_seconds", {
  description: "Seconds from the head of a request to the end of its answer, by method and route",
  boundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  attributes
})

const inFlight = Metric.gauge("http_requests_in_flight", { description: "Requests that have begun and are not over" })

const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])

/** What fits no route. */
const noRoute = "(none)"

interface Series {
  readonly count: Metric.Counter<number>
  readonly duration: Metric.Histogram<number>
}

export class HttpMetrics {
  readonly #context: Context.Context<never>
  /**
   * A metric for each combination of labels. With one for all, to which labels are added (`Metric.withAttributes`), requests that
   * have other labels than the one before them would make the name of the series anew.
   */
  readonly #series = new Map<string, Series>()

  /** With the registry of the context. */
  constructor(context: Context.Context<never>) {
    this.#context = context
  }

  readonly count = (answer: Answer): void => {
    const given = answer.req.method!
    const method = methods.has(given) ? given : "other"
    const { count, duration } = this.#seriesOf(method, answer.route ?? noRoute, statusOf(answer))
    count.updateUnsafe(1, this.#context)
    duration.updateUnsafe(answer.elapsedMillis / 1000, this.#context)
  }

  /** Asks for the number when somebody reads the metrics. */
  showInFlight(requests: Requests): void {
    Metric.registerUnsafe(inFlight, this.#context, hookOf(() => requests.inFlight))
  }

  #seriesOf(method: string, route: string, status: number): Series {
    const key = `${method} ${status} ${route}`
    let series = this.#series.get(key)
    if (series === undefined) {
      series = {
        count: totalOf({ method, route, status: String(status) }),
        duration: secondsOf({ method, route })
      }
      this.#series.set(key, series)
    }
    return series
  }
}

/** A gauge that is looked at instead of being set. */
export const hookOf = (read: () => number): Metric.Metric.Hooks<number, Metric.GaugeState<number>> => ({
  get: () => ({ value: read() }),
  update: () => {},
  modify: () => {}
})
