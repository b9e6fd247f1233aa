/**
 * What every stream of bytes can do, whatever it runs over: TCP, TLS, a Unix
 * socket, memory.
 *
 * Semantics: Trio's `Stream` and `HalfCloseableStream`. The end of the peer's
 * bytes is a value, not an error; waiting is the only way to be told to slow
 * down; and each direction serves one task at a time.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Stream from "effect/Stream"
import type * as Errors from "../core/Errors.ts"
import { forward, isOrigin, isTarget } from "./internal/Copying.ts"

/**
 * Why a stream could not go on: `Closed` by its own user, `Broken` by the peer or
 * the network, `Busy` because two tasks use one direction at once.
 *
 * @since 0.1.0
 */
export type StreamError = Errors.Broken | Errors.Closed | Errors.Busy

/**
 * A stream of bytes in both directions.
 *
 * **Details**
 *
 * One task may receive while another one sends. Two that receive at once, or two
 * that send at once, would tear each other's messages apart: the second is told
 * `Busy`, and the first goes on.
 *
 * Chunks that come out belong to the receiver; data that goes in must not be
 * changed before `send` has ended.
 *
 * @since 0.1.0
 */
export interface ByteStream {
  /**
   * The next bytes, as many as there are; waits while there are none. `None` when
   * the peer has sent its end, again and again. When it is cancelled while it
   * waits, no byte is lost.
   */
  readonly receive: Effect.Effect<Option.Option<Uint8Array>, StreamError>
  /**
   * Exactly so many bytes. `None` when the peer sent its end before the first of
   * them, `Broken` when it did in the middle. When it is cancelled, what has
   * come stays for the next receive, of whichever kind.
   */
  receiveExactly(bytes: number): Effect.Effect<Option.Option<Uint8Array>, StreamError>
  /**
   * The bytes before the next delimiter, which is taken away and not returned.
   * `None` when the peer sent its end and nothing is left; what is left without a
   * delimiter is `Broken`. More than `maxBytes` (64 KiB unless told otherwise)
   * without a delimiter is `TooLong`. When it is cancelled, or fails, what has
   * come stays for the next receive, of whichever kind.
   */
  receiveUntil(
    delimiter: string | Uint8Array,
    options?: { readonly maxBytes?: number }
  ): Effect.Effect<Option.Option<Uint8Array>, StreamError | Errors.TooLong>
  /** What `receive` gives, until the peer's end. It does not close the stream. */
  readonly chunks: Stream.Stream<Uint8Array, StreamError>
  /** Lines of UTF-8 text, as `Framing.lines` gives them when nothing else is said. It does not close the stream. */
  readonly lines: Stream.Stream<string, StreamError | Errors.TooLong>
  /**
   * Sends all of `data`; waits while the peer does not keep up. At most what one
   * `send` brought is held in memory.
   *
   * When it is cancelled while it waits, `data` goes out as a whole or not at
   * all, never a part, so that the stream stays usable; which of the two, the
   * caller does not know.
   */
  send(data: Uint8Array | string): Effect.Effect<void, StreamError>
  /** Tells the peer that nothing more will be sent. Receiving goes on. Sending again is `Closed`; a second `sendEof` does nothing. */
  readonly sendEof: Effect.Effect<void, StreamError>
  /**
   * Sends what was accepted, and the end, and frees everything. Whoever receives
   * or sends at that time is told `Closed`. A peer that does not take the rest is
   * waited for no longer than a few seconds; when it is cancelled, it aborts.
   * Closing again does nothing.
   */
  readonly close: Effect.Effect<void>
  /** Frees everything at once, without waiting; what is on its way may be lost. Again does nothing. */
  readonly abort: Effect.Effect<void>
}

/**
 * Sends to one stream what comes from another, until that one's end. Gives the number of bytes.
 *
 * **Details**
 *
 * It is what a loop of `receive` and `send` does: a `to` that does not keep up makes the peer of `from` wait; an
 * error of either is its error; cancelled while it waits for bytes, it loses none of them. Neither stream is closed,
 * and the end is not passed on: `sendEof` does that. Both may be the same stream.
 *
 * Between two sockets of the system it costs less than that loop, because no task is resumed for each piece.
 *
 * Semantics: Go's `io.Copy`.
 *
 * **Example** (An echo)
 *
 * ```ts
 * import { Effect, Option } from "effect"
 * import { Nursery } from "effect-nursery"
 * import { ByteStream } from "effect-nursery/net"
 * import { MemoryStream } from "effect-nursery/testing"
 *
 * const program = Nursery.open((n) =>
 *   Effect.gen(function*() {
 *     const [client, server] = yield* MemoryStream.pair()
 *     const echo = yield* n.startSoon(ByteStream.copy(server, server))
 *
 *     yield* client.send("hello!")
 *     yield* client.sendEof
 *     const answer = yield* client.receiveExactly(6)
 *     console.log(new TextDecoder().decode(Option.getOrThrow(answer)))
 *     console.log("bytes:", yield* echo.join)
 *   })
 * )
 *
 * await Effect.runPromise(program)
 * ```
 *
 * ```text output
 * hello!
 * bytes: 6
 * ```
 *
 * @since 0.1.0
 */
export const copy = (from: Pick<ByteStream, "receive">, to: Pick<ByteStream, "send">): Effect.Effect<number, StreamError> =>
  isOrigin(from) && isTarget(to) ? forward(from, to) : Effect.suspend(() => copyInLoop(from, to, 0))

const copyInLoop = (from: Pick<ByteStream, "receive">, to: Pick<ByteStream, "send">, bytes: number): Effect.Effect<number, StreamError> =>
  Effect.flatMap(from.receive, (data) => {
    if (Option.isNone(data)) return Effect.succeed(bytes)
    return Effect.flatMap(to.send(data.value), () => copyInLoop(from, to, bytes + data.value.length))
  })
