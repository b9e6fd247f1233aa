/**
 * Messages out of a stream of bytes: lines, delimiters, length prefixes, and
 * codecs of your own.
 *
 * A stream cuts what is sent where it likes: two messages may come in one chunk,
 * or one message in ten. A framing finds them again. It reads no further than it
 * must for the next frame, holds no more than the frame that it is in, and refuses
 * one that is too long before it has come.
 *
 * Semantics: tokio's `Framed` and `LinesCodec`, except that a frame that is too
 * long is never buffered.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as Result from "effect/Result"
import type * as Option from "effect/Option"
import type * as Stream from "effect/Stream"
import type * as Errors from "../core/Errors.ts"
import { countOf } from "../core/internal/Count.ts"
import type { Codec, Duplex, Source } from "./internal/Codec.ts"
import { DelimiterCodec } from "./internal/DelimiterCodec.ts"
import { FramedStream, FrameReader, labelOfStream } from "./internal/FrameReader.ts"
import { LengthCodec } from "./internal/LengthCodec.ts"
import { LineCodec } from "./internal/LineCodec.ts"
import { Malformed } from "./internal/Malformed.ts"
import { MappedCodec } from "./internal/MappedCodec.ts"

export type { Codec, Decoded, Decoder, Duplex, Source } from "./internal/Codec.ts"
export { Malformed }

/**
 * Frames that come in.
 *
 * @since 0.1.0
 */
export interface Reader<out A, out E> {
  /**
   * The next frame; waits until all of it has come. `None` when the peer has sent
   * its end, again and again. When it is cancelled while it waits, what has come
   * of the frame stays, and the next `next` goes on with it.
   */
  readonly next: Effect.Effect<Option.Option<A>, E>
  /** What `next` gives, until the end. Nothing is read ahead: who leaves it goes on with `next`, or with another run of it. */
  readonly stream: Stream.Stream<A, E>
  /**
   * The bytes that have come and belong to no frame yet. They are taken out, and
   * the framing begins anew: for a protocol that changes to another framing.
   */
  readonly leftover: Effect.Effect<Uint8Array>
}

/**
 * Frames that come in and go out. `SE` is what sending may fail with.
 *
 * @since 0.1.0
 */
export interface Framed<in out A, out E, out SE = E> extends Reader<A, E> {
  /** Sends a frame, in one `send` of the stream: so a cancelled one goes out as a whole or not at all. */
  send(frame: A): Effect.Effect<void, SE>
}

/**
 * How lines end, and what is refused.
 *
 * @since 0.1.0
 */
export interface LinesOptions {
  /** The most bytes of a line, without its end. Default: 65,536. */
  readonly maxBytes?: number
  /**
   * Which bytes end a line. `"newline"`: `\n`, with or without one `\r` before it;
   * another `\r` is part of the line. `"any"`: also a lone `\r`. Default: `"newline"`.
   */
  readonly ends?: "newline" | "any"
  /** What becomes of bytes that are not UTF-8: U+FFFD in their place, or `Malformed` instead of the line. Default: `"replace"`. */
  readonly invalid?: "replace" | "fail"
  /** Whether what follows the last end of a line is a line, or a stream that was cut (`Broken`). Default: `"keep"`. */
  readonly unfinished?: "keep" | "fail"
  /** What `send` puts behind a line. Default: `"\n"`. */
  readonly newline?: "\n" | "\r\n"
}

/**
 * What is refused, and what the last frame may be.
 *
 * @since 0.1.0
 */
export interface DelimitedOptions {
  /** The most bytes of a frame, without its delimiter. Default: 65,536. */
  readonly maxBytes?: number
  /** Whether what follows the last delimiter is a frame, or a stream that was cut (`Broken`). Default: `"fail"`. */
  readonly unfinished?: "keep" | "fail"
}

/**
 * What the prefix looks like, and what is refused.
 *
 * @since 0.1.0
 */
export interface LengthPrefixedOptions {
  /** How many bytes the length takes. Default: 4. */
  readonly prefixBytes?: 1 | 2 | 4 | 8
  /** Which byte of the length comes first: the highest (`"big"`, as on the internet) or the lowest. Default: `"big"`. */
  readonly endian?: "big" | "little"
  /** The most bytes of a frame, without its prefix; never more than the prefix can tell. Default: 1,048,576. */
  readonly maxBytes?: number
}

const defaultMaxBytes = 65_536

/** What reading lines may fail with because of what is in them. */
type Invalid<O> = O extends { readonly invalid: "fail" } ? Malformed : never

/**
 * Lines of UTF-8 text, as a codec.
 *
 * **Example** (Lines of something that only sends)
 *
 * ```ts
 * import { Effect, Option, Stream } from "effect"
 * import { Framing } from "effect-nursery/net"
 *
 * const chunks = ["one\r\nt", "wo\n", "three"].map((text) => Option.some(new TextEncoder().encode(text)))
 * const source = { receive: Effect.sync(() => chunks.shift() ?? Option.none()) }
 *
 * const lines = Framing.reader(source, Framing.lineCodec({ maxBytes: 80 }))
 * console.log(await Effect.runPromise(Stream.runCollect(lines.stream)))
 * ```
 *
 * ```text output
 * [ 'one', 'two', 'three' ]
 * ```
 *
 * @see {@link lines} for what is a line
 * @since 0.1.0
 */
export const lineCodec = <const O extends LinesOptions = {}>(
  options?: O
): Codec<string, Errors.TooLong | Invalid<O>, Malformed> =>
  new LineCodec({
    maxBytes: countOf("maxBytes", options?.maxBytes ?? defaultMaxBytes),
    universal: options?.ends === "any",
    refusesInvalid: options?.invalid === "fail",
    keepsUnfinished: options?.unfinished !== "fail",
    newline: options?.newline ?? "\n"
  }) as Codec<string, any, Malformed>

/**
 * Frames that end with a delimiter, as a codec.
 *
 * **Example** (Records of a file that a 0 ends)
 *
 * ```ts
 * import { Effect, Option, Stream } from "effect"
 * import { Framing } from "effect-nursery/net"
 *
 * const chunks = ["a.txt\0b", ".txt\0"].map((text) => Option.some(new TextEncoder().encode(text)))
 * const source = { receive: Effect.sync(() => chunks.shift() ?? Option.none()) }
 *
 * const names = Framing.reader(source, Framing.delimiterCodec("\0"))
 * console.log(await Effect.runPromise(Stream.runCollect(Stream.decodeText(names.stream))))
 * ```
 *
 * ```text output
 * [ 'a.txt', 'b.txt' ]
 * ```
 *
 * @see {@link delimited} for what is refused
 * @since 0.1.0
 */
export const delimiterCodec = (
  delimiter: string | Uint8Array,
  options?: DelimitedOptions
): Codec<Uint8Array, Errors.TooLong, Malformed> => {
  const bytes = typeof delimiter === "string" ? new TextEncoder().encode(delimiter) : delimiter.slice()
  if (bytes.length === 0) throw new RangeError("Expected `delimiter` to have at least one byte, got none")
  return new DelimiterCodec({
    delimiter: bytes,
    maxBytes: countOf("maxBytes", options?.maxBytes ?? defaultMaxBytes),
    keepsUnfinished: options?.unfinished === "keep"
  })
}

/**
 * Frames that say first how long they are, as a codec.
 *
 * **Example** (JSON with its length before it)
 *
 * ```ts
 * import { Result } from "effect"
 * import { Framing } from "effect-nursery/net"
 *
 * const json = Framing.mapCodec(Framing.lengthPrefixCodec({ prefixBytes: 2 }), {
 *   decode: (bytes) => Result.succeed(JSON.parse(new TextDecoder().decode(bytes)) as unknown),
 *   encode: (value) => Result.succeed(new TextEncoder().encode(JSON.stringify(value)))
 * })
 *
 * const bytes = Result.getOrThrow(json.encode({ a: 1 }))
 * console.log(JSON.stringify(new TextDecoder().decode(bytes as Uint8Array)))
 * ```
 *
 * ```text output
 * "\u0000\u0007{\"a\":1}"
 * ```
 *
 * @see {@link lengthPrefixed} for what is refused
 * @since 0.1.0
 */
export const lengthPrefixCodec = (options?: LengthPrefixedOptions): Codec<Uint8Array, Errors.TooLong> => {
  const prefixBytes = options?.prefixBytes ?? 4
  if (![1, 2, 4, 8].includes(prefixBytes)) {
    throw new RangeError(`Expected \`prefixBytes\` to be 1, 2, 4 or 8, got ${String(prefixBytes)} (${typeof prefixBytes})`)
  }
  const asked = countOf("maxBytes", options?.maxBytes ?? 1_048_576)
  return new LengthCodec({
    prefixBytes,
    littleEndian: options?.endian === "little",
    maxBytes: Math.min(asked, prefixBytes === 8 ? Number.MAX_SAFE_INTEGER : 256 ** prefixBytes - 1)
  })
}

/**
 * A codec whose frames are something else: JSON in lines, messages in bytes.
 *
 * **Details**
 *
 * A frame that `decode` refuses is told to the reader, which goes on with the next
 * one. What `decode` or `encode` throws is a defect.
 *
 * **Example** (Messages as lines of JSON)
 *
 * ```ts
 * import { Effect, Option, Result, Schema } from "effect"
 * import { Framing } from "effect-nursery/net"
 * import { MemoryStream } from "effect-nursery/testing"
 *
 * const Message = Schema.fromJsonString(Schema.Struct({ from: Schema.String, text: Schema.String }))
 * const messages = Framing.mapCodec(Framing.lineCodec(), {
 *   decode: Schema.decodeResult(Message),
 *   encode: (message: typeof Message.Type) => Result.succeed(Schema.encodeSync(Message)(message))
 * })
 *
 * const program = Effect.gen(function*() {
 *   const [ada, grace] = yield* MemoryStream.pair()
 *   yield* Framing.framed(ada, messages).send({ from: "Ada", text: "two\nlines" })
 *   yield* ada.send("no JSON\n")
 *   const inbox = Framing.framed(grace, messages)
 *   console.log(Option.getOrThrow(yield* inbox.next))
 *   console.log(yield* Effect.flip(inbox.next).pipe(Effect.map((error) => error._tag)))
 * })
 *
 * await Effect.runPromise(program)
 * ```
 *
 * ```text output
 * { from: 'Ada', text: 'two\nlines' }
 * SchemaError
 * ```
 *
 * @since 0.1.0
 */
export const mapCodec = <A, E, SE, B, E2 = never, SE2 = never>(
  codec: Codec<A, E, SE>,
  map: {
    readonly decode: (frame: A) => Result.Result<B, E2>
    readonly encode: (frame: B) => Result.Result<A, SE2>
  }
): Codec<B, E | E2, SE | SE2> => new MappedCodec(codec, map)

/**
 * Reads frames, with any codec, from what has a `receive`.
 *
 * **When to use**
 *
 * For something that cannot send. Over a stream, {@link framed} does both.
 *
 * **Example** (A codec of your own: a number in as many bytes as it needs)
 *
 * ```ts
 * import { Effect, Option, Result, Stream } from "effect"
 * import { Framing } from "effect-nursery/net"
 *
 * // Seven bits in each byte, the lowest first; the eighth says that another byte follows.
 * const varint: Framing.Codec<number> = {
 *   decoder: () => ({
 *     decode: (bytes) => {
 *       const last = bytes.findIndex((byte) => byte < 128)
 *       if (last < 0) return { _tag: "More" }
 *       const frame = bytes.subarray(0, last + 1).reduceRight((sum, byte) => sum * 128 + (byte & 127), 0)
 *       return { _tag: "Frame", frame, taken: last + 1 }
 *     }
 *   }),
 *   encode: (n) => {
 *     const bytes = [n & 127]
 *     for (let rest = n >>> 7; rest > 0; rest >>>= 7) bytes[bytes.push(rest & 127) - 2]! |= 128
 *     return Result.succeed(Uint8Array.from(bytes))
 *   }
 * }
 *
 * const chunks = [[172], [2, 1], [127]].map((bytes) => Option.some(Uint8Array.from(bytes)))
 * const source = { receive: Effect.sync(() => chunks.shift() ?? Option.none()) }
 * console.log(await Effect.runPromise(Stream.runCollect(Framing.reader(source, varint).stream)))
 * console.log(Result.getOrThrow(varint.encode(300)))
 * ```
 *
 * ```text output
 * [ 300, 1, 127 ]
 * Uint8Array(2) [ 172, 2 ]
 * ```
 *
 * @since 0.1.0
 */
export const reader = <E, A, CE, SE>(source: Source<E>, codec: Codec<A, CE, SE>): Reader<A, E | CE | Errors.Broken> =>
  new FrameReader(source, codec, labelOfStream(source))

/**
 * Reads and sends frames, with any codec.
 *
 * **Gotchas**
 *
 * The reader has read ahead what came in the same chunk as the last frame. From
 * then on receive through it, or take its `leftover` first.
 *
 * **Example** (Requests and answers over one stream)
 *
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { Nursery } from "effect-nursery"
 * import { Framing } from "effect-nursery/net"
 * import { MemoryStream } from "effect-nursery/testing"
 *
 * const program = Nursery.open((n) =>
 *   Effect.gen(function*() {
 *     const [client, server] = yield* MemoryStream.pair()
 *
 *     const answering = Framing.framed(server, Framing.lineCodec())
 *     yield* n.startSoon(Stream.runForEach(answering.stream, (line) => answering.send(line.toUpperCase())))
 *
 *     const asking = Framing.framed(client, Framing.lineCodec())
 *     yield* asking.send("hello")
 *     console.log(yield* asking.next)
 *     yield* client.close
 *   })
 * )
 *
 * await Effect.runPromise(program)
 * ```
 *
 * ```text output
 * { _id: 'Option', _tag: 'Some', value: 'HELLO' }
 * ```
 *
 * @since 0.1.0
 */
export const framed = <E, A, CE, SE>(
  stream: Duplex<E>,
  codec: Codec<A, CE, SE>
): Framed<A, E | CE | Errors.Broken, E | SE> => new FramedStream(stream, codec, labelOfStream(stream))

/**
 * Lines of UTF-8 text.
 *
 * **Details**
 *
 * A line ends at `\n`; one `\r` before it belongs to the end. Any other `\r` is
 * text, unless `ends` is `"any"`. Empty lines are lines. What follows the last end
 * is a line, unless it is empty or `unfinished` is `"fail"`.
 *
 * A line of more than `maxBytes` fails with `TooLong` as soon as that is known:
 * nothing more is received, and what has come of it is dropped. The next `next`
 * skips the rest of it and goes on with the line after.
 *
 * Only whole lines are decoded, so it does not matter where chunks cut a
 * character. A byte order mark is text.
 *
 * `send` refuses, as `Malformed`, a line that has the end of a line in it: it would
 * arrive as two.
 *
 * **Example** (A line that is too long)
 *
 * ```ts
 * import { Effect, Option } from "effect"
 * import { Framing } from "effect-nursery/net"
 * import { MemoryStream } from "effect-nursery/testing"
 *
 * const program = Effect.gen(function*() {
 *   const [client, server] = yield* MemoryStream.pair({ name: "chat" })
 *   yield* client.send("hello\r\nwhat I wanted to tell you is\nbye")
 *   yield* client.close
 *
 *   const lines = Framing.lines(server, { maxBytes: 8 })
 *   const next = Effect.catchTag(lines.next, "TooLong", (error) => Effect.succeedSome(error.message))
 *   for (let line = yield* next; Option.isSome(line); line = yield* next) console.log(line.value)
 * })
 *
 * await Effect.runPromise(program)
 * ```
 *
 * ```text output
 * hello
 * a line from memory chat is longer than the limit of 8; raise the limit or refuse the peer
 * bye
 * ```
 *
 * @since 0.1.0
 */
export const lines = <E, const O extends LinesOptions = {}>(
  stream: Duplex<E>,
  options?: O
): Framed<string, E | Errors.TooLong | Errors.Broken | Invalid<O>, E | Malformed> => framed(stream, lineCodec(options))

/**
 * Frames of bytes that end with a delimiter, which is not part of them.
 *
 * **Details**
 *
 * A frame of more than `maxBytes` fails with `TooLong` as soon as that is known,
 * and the next `next` goes on behind its delimiter. A stream that ends without one
 * is `Broken`, unless `unfinished` is `"keep"`. `send` refuses, as `Malformed`, a
 * frame in which the delimiter occurs.
 *
 * **Example** (The head of an HTTP message)
 *
 * ```ts
 * import { Effect, Option } from "effect"
 * import { Framing } from "effect-nursery/net"
 * import { MemoryStream } from "effect-nursery/testing"
 *
 * const program = Effect.gen(function*() {
 *   const [client, server] = yield* MemoryStream.pair()
 *   yield* client.send("GET / HTTP/1.1\r\nhost: example.org\r\n\r\n")
 *   const head = yield* Framing.delimited(server, "\r\n\r\n", { maxBytes: 16_384 }).next
 *   console.log(new TextDecoder().decode(Option.getOrThrow(head)).split("\r\n"))
 * })
 *
 * await Effect.runPromise(program)
 * ```
 *
 * ```text output
 * [ 'GET / HTTP/1.1', 'host: example.org' ]
 * ```
 *
 * @since 0.1.0
 */
export const delimited = <E>(
  stream: Duplex<E>,
  delimiter: string | Uint8Array,
  options?: DelimitedOptions
): Framed<Uint8Array, E | Errors.TooLong | Errors.Broken, E | Malformed> => framed(stream, delimiterCodec(delimiter, options))

/**
 * Frames of bytes with their length before them.
 *
 * **Details**
 *
 * A length above `maxBytes` is `TooLong`, for good: mostly the peer speaks another
 * protocol. Memory is set aside for what has come, not for what was promised. A
 * stream that ends in the middle of a frame or of its length is `Broken`. `send`
 * refuses, as `TooLong`, what the other side would refuse.
 *
 * **Example** (Bytes that no delimiter could hold)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Framing } from "effect-nursery/net"
 * import { MemoryStream } from "effect-nursery/testing"
 *
 * const program = Effect.gen(function*() {
 *   const [left, right] = yield* MemoryStream.pair()
 *   const [sending, receiving] = [Framing.lengthPrefixed(left), Framing.lengthPrefixed(right)]
 *   yield* sending.send(Uint8Array.of(0, 10, 13))
 *   yield* sending.send(new Uint8Array(0))
 *   console.log(yield* receiving.next)
 *   console.log(yield* receiving.next)
 * })
 *
 * await Effect.runPromise(program)
 * ```
 *
 * ```text output
 * { _id: 'Option', _tag: 'Some', value: Uint8Array(3) [ 0, 10, 13 ] }
 * { _id: 'Option', _tag: 'Some', value: Uint8Array(0) [] }
 * ```
 *
 * @since 0.1.0
 */
export const lengthPrefixed = <E>(
  stream: Duplex<E>,
  options?: LengthPrefixedOptions
): Framed<Uint8Array, E | Errors.TooLong | Errors.Broken, E | Errors.TooLong> => framed(stream, lengthPrefixCodec(options))
