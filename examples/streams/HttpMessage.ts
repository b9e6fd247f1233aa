/**
 * HTTP/1.1 messages (RFC 9112) as they go over a stream: a start line, headers, an empty line, and a body.
 *
 * What http-client.ts and http-server.ts in this folder have in common. For teaching: see http-server.ts.
 *
 * A message changes its framing as it goes: lines first, then so many bytes, or chunks that say how long they are. So each
 * part is asked of the stream itself, by `receiveUntil` and `receiveExactly`: both leave in the stream what comes after,
 * which may be the next message already.
 */
import { Data, Effect, Option, Stream } from "effect"
import type { ByteStream, StreamError } from "effect-nursery/net/ByteStream"

/** The peer does not keep to the rules. `status` is what a server answers then. */
export class BadMessage extends Data.TaggedError("BadMessage")<{ readonly status: number; readonly why: string }> {
  override get message(): string {
    return this.why
  }
}

export type Failure = StreamError | BadMessage

/** By their names in lower case. Those that came several times are one, with commas. */
export type Headers = ReadonlyMap<string, string>

export interface Head {
  /** `GET / HTTP/1.1`, or `HTTP/1.1 200 OK`. */
  readonly start: string
  readonly headers: Headers
}

const refuse = (status: number, why: string) => Effect.fail(new BadMessage({ status, why }))

/** More than any honest message needs; a peer that sends headers for ever must not fill our memory. */
const longestHead = 16_384
const longestPiece = 65_536

/** Reads up to the empty line. `None`: the peer has ended, and there is no further message. */
export const readHead = (stream: ByteStream): Effect.Effect<Option.Option<Head>, Failure> =>
  stream.receiveUntil("\r\n\r\n", { maxBytes: longestHead }).pipe(
    Effect.catchTag("TooLong", () => refuse(431, `the head is longer than ${longestHead} bytes`)),
    Effect.flatMap((bytes) => Option.isNone(bytes) ? Effect.succeedNone : Effect.map(headOf(bytes.value), Option.some))
  )

// A name is what the standard calls a token, directly followed by a colon: "Content-Length : 5" is read by some as a
// header and by others not, and whoever sits between two that disagree can be fooled (request smuggling).
const headerLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/
/** Two different ones of these would be two different messages. */
const onlyOnce = ["content-length", "host", "transfer-encoding"]

const headOf = (bytes: Uint8Array): Effect.Effect<Head, BadMessage> =>
  Effect.suspend(() => {
    // Each byte is one character, whatever it is.
    const [start = "", ...lines] = new TextDecoder("latin1").decode(bytes).split("\r\n")
    const headers = new Map<string, string>()
    for (const line of lines) {
      const [, written = "", value = ""] = headerLine.exec(line) ?? []
      const name = written.toLowerCase()
      // A lone line end or a zero in a value: somebody else may see the end of the line there.
      if (name === "" || /[\r\n\0]/.test(value)) return refuse(400, `this is no header: ${JSON.stringify(line)}`)
      const before = headers.get(name)
      if (before !== undefined && onlyOnce.includes(name)) return refuse(400, `${name} came twice`)
      headers.set(name, before === undefined ? value : `${before}, ${value}`)
    }
    return Effect.succeed({ start, headers })
  })

/** The bytes of a body, in pieces. `otherwise` is the body when no header speaks of one. */
export const bodyOf = (
  stream: ByteStream,
  headers: Headers,
  otherwise: Stream.Stream<Uint8Array, Failure>
): Stream.Stream<Uint8Array, Failure> => {
  const coding = headers.get("transfer-encoding")?.toLowerCase()
  const length = headers.get("content-length")
  if (coding !== undefined && length !== undefined) return Stream.fromEffect(refuse(400, "there are two lengths of the body"))
  if (coding === "chunked") return chunksOf(stream)
  if (coding !== undefined) return Stream.fromEffect(refuse(501, `the body is ${coding}, which nobody here can read`))
  if (length === undefined) return otherwise
  return /^\d{1,15}$/.test(length) ? piecesOf(stream, Number(length)) : Stream.fromEffect(refuse(400, `this is no length: ${JSON.stringify(length)}`))
}

/** So many bytes, and not all at once: a gigabyte is read in pieces, and the last one is smaller. */
const piecesOf = (stream: ByteStream, length: number): Stream.Stream<Uint8Array, Failure> =>
  Stream.unfold(length, (left) =>
    left === 0
      ? Effect.succeed(undefined)
      : Effect.map(exactly(stream, Math.min(left, longestPiece)), (bytes) => [bytes, left - bytes.length] as const))

const exactly = (stream: ByteStream, bytes: number): Effect.Effect<Uint8Array, Failure> =>
  Effect.flatMap(stream.receiveExactly(bytes), Option.match({
    onNone: () => refuse(400, "the peer has ended in the middle of a body"),
    onSome: Effect.succeed
  }))

const line = (stream: ByteStream): Effect.Effect<string, Failure> =>
  stream.receiveUntil("\r\n", { maxBytes: 1024 }).pipe(
    Effect.catchTag("TooLong", () => refuse(400, "a line in a chunked body is too long")),
    Effect.flatMap(Option.match({
      onNone: () => refuse(400, "the peer has ended in the middle of a body"),
      onSome: (bytes) => Effect.succeed(new TextDecoder("latin1").decode(bytes))
    }))
  )

/** `5`, a line end, five bytes, a line end; and so on, until a chunk of 0. */
const chunksOf = (stream: ByteStream): Stream.Stream<Uint8Array, Failure> =>
  Stream.flatMap(
    Stream.unfold("more", () =>
      Effect.gen(function*() {
        // In hexadecimal; what stands behind a semicolon is an extension that we need not know.
        const [, digits] = /^([0-9a-fA-F]{1,12})[ \t]*(?:;.*)?$/.exec(yield* line(stream)) ?? []
        if (digits === undefined) return yield* refuse(400, "a chunk does not say how long it is")
        const size = Number.parseInt(digits, 16)
        if (size > 0) return [size, "more"] as const
        // The trailers: headers that came too late. Nobody here wants them.
        for (let count = 0; (yield* line(stream)) !== ""; count++) if (count === 100) return yield* refuse(400, "there are too many trailers")
        return undefined
      })),
    (size) => Stream.concat(piecesOf(stream, size), endOfChunk(stream))
  )

const endOfChunk = (stream: ByteStream): Stream.Stream<never, Failure> =>
  Stream.drain(Stream.fromEffect(Effect.flatMap(line(stream), (rest) =>
    rest === "" ? Effect.void : refuse(400, "a chunk is longer than it says"))))

/** A piece of a body as a chunk. An empty one would be the end. */
export const chunkOf = (bytes: Uint8Array): Uint8Array => Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")])

export const lastChunk = "0\r\n\r\n"
