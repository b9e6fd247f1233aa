/** Where log lines go: standard error, one line of JSON each, or coloured for people. Standard output is for answers to them. */
import { Layer, Logger } from "effect"

export const layer = (format: "json" | "pretty"): Layer.Layer<never> =>
  format === "json"
    ? Logger.layer([Logger.withConsoleError(Logger.formatJson)])
    : Layer.merge(Logger.layer([Logger.consolePretty()]), Layer.succeed(Logger.LogToStderr, true))
