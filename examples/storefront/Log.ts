/**
 * Where log lines go: standard error, one line of JSON each, or coloured for people. Standard output is for answers to them.
 *
 * A line of JSON says also which task has written it, and about which request (operations/Origin.ts).
 */
import { Formatter, Layer, Logger } from "effect"
import { originOf } from "./operations/Origin.ts"
import { withoutPasswords } from "./operations/Passwords.ts"

/** `{"message":…,"level":"INFO","timestamp":…,"task":"main > storefront","requestId":"k3x9a2-1", …}` */
export const formatJson: Logger.Logger<unknown, string> = Logger.make((options) => {
  const { annotations, cause, fiberId: _, level, message, spans, timestamp } = Logger.formatStructured.log(options)
  const { requestId, ...others } = annotations
  return withoutPasswords(Formatter.formatJson({
    timestamp,
    level,
    message,
    ...originOf(options.fiber),
    // An annotation knows better: the line may be about a request that another fiber has handled.
    ...(requestId === undefined ? {} : { requestId }),
    ...(Object.keys(others).length === 0 ? {} : { annotations: others }),
    ...(Object.keys(spans).length === 0 ? {} : { spans }),
    ...(cause === undefined ? {} : { cause })
  }))
})

export const layer = (format: "json" | "pretty"): Layer.Layer<never> =>
  format === "json"
    ? Logger.layer([Logger.withConsoleError(formatJson)])
    : Layer.merge(Logger.layer([Logger.consolePretty()]), Layer.succeed(Logger.LogToStderr, true))
