/**
 * Traces, sent by OTLP (as JSON over HTTP) to a collector: a span for each request, for each query of it, and for each
 * named nursery and task of the application.
 */
import { Context, Effect, Layer, Option, Redacted, Tracer } from "effect"
import { Spans } from "effect-nursery/observe"
import { FetchHttpClient } from "effect/http"
import { OtlpSerialization, OtlpTracer } from "effect/observability"

export interface Options {
  /** Where the collector is, without the path. */
  readonly endpoint: string
  /** `name=value,name=value`, such as a key of the collector. */
  readonly headers: Option.Option<Redacted.Redacted>
  readonly serviceName: string
}

/** How long the last spans may take when the program ends, and how long spans are collected before they go out together. */
const shutdownTimeout = "1 second"
const exportInterval = "1 second"

/** Runs a program whose spans go to the collector. */
export const record = ({ endpoint, headers, serviceName }: Options) => {
  const exporter = OtlpTracer.layer({
    url: `${endpoint.replace(/\/+$/, "")}/v1/traces`,
    resource: { serviceName },
    headers: Option.match(headers, { onNone: () => ({}), onSome: (text) => pairsOf(Redacted.value(text)) }),
    exportInterval,
    shutdownTimeout
  }).pipe(Layer.provide([OtlpSerialization.layerJson, FetchHttpClient.layer]))
  return <A, E, R>(program: Effect.Effect<A, E, R>) => Effect.provide(Spans.record()(program), exporter)
}

/**
 * Each request begins a trace of its own, or goes on with the one that its client names. Below the span of the server they
 * would all be one trace, which ends when the server does.
 */
export const apart: <A, E, R>(server: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R> =
  Effect.updateContext((context) => Context.omit(Tracer.ParentSpan)(context) as typeof context)

const pairsOf = (text: string): Record<string, string> =>
  Object.fromEntries(text.split(",").map((pair) => {
    const [name = "", ...value] = pair.split("=")
    return [name.trim(), decodeURIComponent(value.join("=").trim())] as const
  }).filter(([name]) => name !== ""))
