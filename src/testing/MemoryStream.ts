/**
 * Streams in memory: what one end sends the other one receives, in the same
 * process and without a socket. For tests of anything that talks over a stream, in
 * virtual time and under exploration.
 *
 * Semantics: Trio's `memory_stream_pair` and `lockstep_stream_pair`, except that
 * the buffer is bounded.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { countOf, labelOf } from "../core/internal/Count.ts"
import type { ByteStream } from "../net/ByteStream.ts"
import { StreamEnd } from "./internal/StreamEnd.ts"
import { DirectWire } from "./internal/Wire.ts"

/**
 * One end of a pair.
 *
 * @since 0.1.0
 */
export interface MemoryStream extends ByteStream {
  /** Such as `memory chat`: how it calls itself in errors and in the task tree. */
  readonly label: string
  readonly statistics: Statistics
}

/**
 * One end of a pair at this moment, in bytes.
 *
 * @since 0.1.0
 */
export interface Statistics {
  /** All that was sent from this end. */
  readonly sent: number
  /** All that was received at this end. */
  readonly received: number
  /** What the other end has sent, and nobody has received here yet. */
  readonly unread: number
  /** The largest `unread` so far. */
  readonly peak: number
}

/**
 * How a pair behaves.
 *
 * @since 0.1.0
 */
export interface Options {
  /** For errors and the task tree. */
  readonly name?: string
  /** So many bytes may be unread when `send` ends; above that it waits. Default: 65,536. */
  readonly capacity?: number
  /** The most bytes of a chunk: 1 gives them one by one. Default: as many as there are. */
  readonly maxChunkBytes?: number
}

class MemoryEnd extends StreamEnd implements MemoryStream {
  get statistics(): Statistics {
    return this.counts
  }
}

const pairOf = (options: Options | undefined, capacity: number): readonly [MemoryStream, MemoryStream] => {
  const label = labelOf("memory", options?.name)
  const maxChunkBytes = options?.maxChunkBytes ?? Infinity
  if (!(countOf("maxChunkBytes", maxChunkBytes) > 0)) throw new RangeError("Expected `maxChunkBytes` to be at least 1, got 0")
  const [there, back] = [new DirectWire(), new DirectWire()]
  const left = new MemoryEnd(label, there, capacity, maxChunkBytes)
  const right = new MemoryEnd(label, back, capacity, maxChunkBytes)
  there.to = right
  back.to = left
  return [left, right]
}

/**
 * Makes two streams that are connected to each other.
 *
 * **Details**
 *
 * `send` takes all it is given and then waits while more than `capacity` bytes are
 * unread. A closed end behaves as one of TCP: what was sent before can be
 * received, then comes the end, and the other side's next `send` is `Broken`. An
 * end that is aborted breaks the other one at once, and what was unread is lost.
 *
 * **Example** (Both sides of a conversation)
 *
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { Nursery } from "effect-nursery"
 * import { MemoryStream } from "effect-nursery/testing"
 *
 * const program = Nursery.open((n) =>
 *   Effect.gen(function*() {
 *     const [client, server] = yield* MemoryStream.pair({ maxChunkBytes: 4 })
 *     yield* n.startSoon(Stream.runForEach(server.chunks, (bytes) => server.send(bytes)))
 *
 *     yield* client.send("hello!")
 *     yield* client.sendEof
 *     const echo = yield* client.receiveExactly(6)
 *     console.log(echo, server.statistics)
 *   })
 * )
 *
 * await Effect.runPromise(program)
 * ```
 *
 * ```text output
 * {
 *   _id: 'Option',
 *   _tag: 'Some',
 *   value: Uint8Array(6) [ 104, 101, 108, 108, 111, 33 ]
 * } { sent: 6, received: 6, unread: 0, peak: 6 }
 * ```
 *
 * @since 0.1.0
 */
export const pair = (options?: Options): Effect.Effect<readonly [MemoryStream, MemoryStream]> =>
  Effect.sync(() => pairOf(options, countOf("capacity", options?.capacity ?? 65_536)))

/**
 * Makes two connected streams that buffer nothing: `send` waits until the other
 * side has received every byte.
 *
 * **When to use**
 *
 * To find code that relies on a buffer: two sides that both send before they
 * receive wait for each other here, and in production on the first day on which
 * messages are larger than the buffers of the system.
 *
 * **Example** (Two who both talk first)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Nursery } from "effect-nursery"
 * import { MemoryStream, VirtualClock } from "effect-nursery/testing"
 *
 * const greet = (stream: MemoryStream.MemoryStream) => Effect.andThen(stream.send("hello"), stream.receive)
 *
 * const program = Nursery.open((n) =>
 *   Effect.gen(function*() {
 *     const [left, right] = yield* MemoryStream.lockstepPair({ name: "greetings" })
 *     yield* n.startSoon(greet(left), { name: "Ada" })
 *     yield* n.startSoon(greet(right), { name: "Grace" })
 *   })
 * )
 *
 * await VirtualClock.run(program, { deadlockAfter: "10 millis" }).catch((error) => console.log(error.message))
 * ```
 *
 * ```text output
 * Every task waits, and no deadline is left to wake one.
 * Who waits:
 *   Ada is sending to memory greetings
 *   Grace is sending to memory greetings
 *
 * nursery
 * ├─ Ada (sending to memory greetings)
 * └─ Grace (sending to memory greetings)
 * ```
 *
 * @since 0.1.0
 */
export const lockstepPair = (
  options?: Omit<Options, "capacity">
): Effect.Effect<readonly [MemoryStream, MemoryStream]> => Effect.sync(() => pairOf(options, 0))
