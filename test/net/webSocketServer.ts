/** Runs a server of WebSockets for the time of a test, and keeps what it logs. */
import { type Duration, Effect, Layer, Logger, References } from "effect"
import * as TestClock from "effect/testing/TestClock"
import { CancelScope, Nursery } from "effect-nursery"
import { type Server, WebSocket } from "effect-nursery/net"

export interface Running {
  readonly port: number
  readonly url: string
  /** What was logged so far, with everything in it. */
  readonly logged: () => ReadonlyArray<string>
  /** Asks the server to stop, waits for its end, and gives its report. */
  /** Lets time pass, where that is the test's. */
  readonly elapse: (time: Duration.Input) => Promise<void>
  readonly stop: (grace?: number) => Promise<Server.Report>
}

type Handler = (stream: WebSocket.ServerStream) => Effect.Effect<unknown, unknown>

const shown = (value: unknown): string => value instanceof Error ? `${value.stack} ${String(value.cause)}` : typeof value === "string" ? value : JSON.stringify(value)

export const keepLogs = () => {
  const lines: Array<string> = []
  const logger = Logger.make(({ cause, fiber, logLevel, message }) => {
    const notes = JSON.stringify(fiber.getRef(References.CurrentLogAnnotations))
    const why = cause.reasons.map((reason) => shown(reason._tag === "Fail" ? reason.error : reason._tag === "Die" ? reason.defect : "interrupted"))
    lines.push(`${logLevel} ${[message].flat().map(shown).join(" ")} ${notes} ${why.join("; ")}`)
  })
  return { lines, layer: Logger.layer([logger]) }
}

export const serving = (
  handler: Handler,
  options: Omit<WebSocket.PortOptions<any>, "port">,
  body: (server: Running) => Promise<void>,
  time: "real" | "test" = "real"
): Promise<void> => {
  const { layer, lines } = keepLogs()
  let report: Server.Report | undefined
  interface Started {
    readonly port: number
    readonly scope: CancelScope.CancelScope
  }
  const program = Nursery.open((n) =>
    Effect.gen(function*() {
      // In a scope of its own, so that it can be stopped without the test.
      const { port, scope } = yield* n.start((started: (value: Started) => Effect.Effect<void>) =>
        CancelScope.open((scope) =>
          Effect.map(WebSocket.serve(handler, { port: 0, ...options })(({ port }) => started({ port, scope })), (ended) => {
            report = ended
          })
        ))
      const stop = async (grace = 10_000) => {
        await Effect.runPromise(scope.stop({ grace }))
        return report!
      }
      const context = yield* Effect.context<never>()
      const elapse = (time: Duration.Input) => Effect.runPromiseWith(context)(TestClock.adjust(time))
      yield* Effect.promise(() => body({ elapse, port, url: `ws://127.0.0.1:${port}`, logged: () => lines, stop }))
      yield* scope.cancel("the test is over")
    })
  )
  return Effect.runPromise(program.pipe(Effect.provide(time === "test" ? Layer.merge(layer, TestClock.layer()) : layer)))
}
