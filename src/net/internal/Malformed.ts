import * as Data from "effect/Data"

/**
 * Bytes that came in, or a frame that was to go out, do not follow the rules of
 * the framing.
 *
 * **Example** (A line that would be two)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Framing } from "effect-nursery/net"
 * import { MemoryStream } from "effect-nursery/testing"
 *
 * const program = Effect.gen(function*() {
 *   const [stream] = yield* MemoryStream.pair()
 *   yield* Framing.lines(stream).send("Ada\nGrace: I give up")
 * }).pipe(Effect.catchTag("Malformed", (error) => Effect.succeed(error.message)))
 *
 * console.log(await Effect.runPromise(program))
 * ```
 *
 * ```text output
 * a line to send is malformed: it has the end of a line in it: "Ada\nGrace: I give up"
 * ```
 *
 * @since 0.1.0
 */
export class Malformed extends Data.TaggedError("Malformed")<{
  /** What is malformed, such as `a line from tcp 127.0.0.1:5000`. */
  readonly what: string
  /** What is wrong with it. */
  readonly reason: string
}> {
  override get message(): string {
    return `${this.what} is malformed: ${this.reason}`
  }
}
