import * as Data from "effect/Data"

/**
 * A server has answered, but it does not open a WebSocket: `403` for a foreign
 * origin, `404` for an unknown path, `503` when it is full.
 *
 * **Example** (The wrong path)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Nursery } from "effect-nursery"
 * import { WebSocket } from "effect-nursery/net"
 *
 * const program = Nursery.open((n) =>
 *   Effect.gen(function*() {
 *     const serve = WebSocket.serve((stream) => stream.send("hello"), { port: 0, path: "/hello" })
 *     const { port } = yield* n.start(serve, { service: true })
 *     yield* Effect.scoped(WebSocket.connect(`ws://127.0.0.1:${port}/hullo`))
 *   })
 * ).pipe(Effect.catchTag("Refused", ({ reason, status }) => Effect.succeed(`${status} ${reason}`)))
 *
 * console.log(await Effect.runPromise(program))
 * ```
 *
 * ```text output
 * 404 Not Found
 * ```
 *
 * @since 0.1.0
 */
export class Refused extends Data.TaggedError("Refused")<{
  /** Where it was to be opened, without the query. */
  readonly what: string
  /** The status of the answer. */
  readonly status: number
  /** What stands beside it. */
  readonly reason: string
}> {
  override get message(): string {
    return `${this.what} was refused: the server answered ${this.status} ${this.reason}`.trimEnd()
  }
}
