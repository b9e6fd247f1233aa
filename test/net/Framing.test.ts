import { it as effectIt } from "@effect/vitest"
import { Effect, Exit, Fiber, Option, Result, Schema, Stream } from "effect"
import { CancelScope, Errors, Nursery, Timeout } from "effect-nursery"
import { Framing } from "effect-nursery/net"
import { Explore, MemoryStream, VirtualClock } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"
import { bytesOf, cutAt, everyCut, sourceOf, textOf } from "./chunks.ts"

const live = (name: string, body: () => Generator<Effect.Effect<any, any>, void, any>) =>
  it(name, () => VirtualClock.run(Effect.gen(body)))

interface Tagged {
  readonly _tag: string
}

/** All frames up to the end, with a tag in the place of what failed. It also ends with a failure that stays. */
const drain = <A, E extends Tagged>(reader: Framing.Reader<A, E>): Effect.Effect<Array<A | string>> =>
  Effect.gen(function*() {
    const frames: Array<A | string> = []
    let last: E | undefined
    for (;;) {
      const next = yield* Effect.result(reader.next)
      if (Result.isSuccess(next)) {
        if (Option.isNone(next.success)) return frames
        frames.push(next.success.value)
      } else {
        if (next.failure === last) return frames
        last = next.failure
        frames.push(`!${last._tag}`)
        if (last._tag === "Broken") return frames
      }
    }
  })

const drainLines = (chunks: Iterable<Uint8Array | string>, options?: Framing.LinesOptions) =>
  drain(Framing.reader(sourceOf(chunks), Framing.lineCodec(options)))

const hello = bytesOf("hello")

describe("Framing.lines", () => {
  // T08: the documented result of each, however the bytes are cut.
  const cases: ReadonlyArray<readonly [text: string, lines: ReadonlyArray<string>, options?: Framing.LinesOptions]> = [
    ["", []],
    ["\n", [""]],
    ["a\nb\n", ["a", "b"]],
    ["a\r\nb\r\n", ["a", "b"]],
    ["a\r\nb\nc", ["a", "b", "c"]],
    ["\n\n\r\n", ["", "", ""]],
    ["a\rb\n", ["a\rb"]],
    ["a\r\r\n", ["a\r"]],
    ["\r\n", [""]],
    ["\r", ["\r"]],
    ["a\r", ["a\r"]],
    ["last", ["last"]],
    ["a\nlast", ["a", "!Broken"], { unfinished: "fail" }],
    ["a\nb\n", ["a", "b"], { unfinished: "fail" }],
    ["a\rb\nc\r\nd\r\re", ["a", "b", "c", "d", "", "e"], { ends: "any" }],
    ["a\r", ["a"], { ends: "any" }],
    ["\r\n\n\r", ["", "", ""], { ends: "any" }],
    ["a\r", ["a"], { ends: "any", unfinished: "fail" }],
    ["12345\n", ["12345"], { maxBytes: 5 }],
    ["12345\r\n", ["12345"], { maxBytes: 5 }],
    ["12345", ["12345"], { maxBytes: 5 }],
    ["123456\nb\n", ["!TooLong", "b"], { maxBytes: 5 }],
    ["123456\r\nb\n", ["!TooLong", "b"], { maxBytes: 5 }],
    ["123456", ["!TooLong"], { maxBytes: 5 }],
    ["12345\r", ["!TooLong"], { maxBytes: 5 }],
    ["12345\r6\nb", ["!TooLong", "b"], { maxBytes: 5 }],
    ["1234567890\nb\n", ["!TooLong", "b"], { maxBytes: 5 }],
    ["1234567890123\rb\n", ["!TooLong", "b"], { maxBytes: 5, ends: "any" }],
    ["123456\r\nb\n", ["!TooLong", "b"], { maxBytes: 5, ends: "any" }],
    ["\na\n", ["", "!TooLong"], { maxBytes: 0 }],
    ["h\u00e9llo \u20ac \u{1f600}\n\u00e9", ["h\u00e9llo \u20ac \u{1f600}", "\u00e9"]],
    ["\ufeffa\n\ufeff\n", ["\ufeffa", "\ufeff"]]
  ]
  for (const [text, lines, options] of cases) {
    it(`reads ${JSON.stringify(text)} as ${JSON.stringify(lines)} with ${JSON.stringify(options ?? {})} (T08)`, async () => {
      for (const chunks of everyCut(bytesOf(text))) {
        assert.deepStrictEqual(await Effect.runPromise(drainLines(chunks, options)), [...lines], chunks.map(textOf).join("|"))
      }
    })
  }

  it("refuses limit + 1 before it has taken twice the limit (T08)", async () => {
    const limit = 1000
    for (const chunk of [1, 7, 100, 999, 1000]) {
      for (const text of ["x".repeat(10 * limit), `${"x".repeat(limit)}\r${"x".repeat(9 * limit)}`]) {
        const source = sourceOf(cutAt(bytesOf(text), Array.from({ length: 10 * limit / chunk }, (_, i) => i * chunk)))
        const reader = Framing.reader(source, Framing.lineCodec({ maxBytes: limit }))
        const error = await Effect.runPromise(Effect.flip(reader.next))
        assert.instanceOf(error, Errors.TooLong)
        assert.deepInclude(error, { what: "a line from a stream", limit })
        assert.isAbove(source.bytes, limit)
        assert.isBelow(source.bytes, 2 * limit + 1)
        // What it holds of the line is nothing.
        assert.strictEqual((await Effect.runPromise(reader.leftover)).length, 0)
      }
    }
  })

  it("holds nothing of what it skips, and goes on behind it", async () => {
    const megabyte = "x".repeat(2 ** 20)
    const source = sourceOf(["ok\n", ...Array.from({ length: 64 }, () => megabyte), "\nnext\n"])
    assert.deepStrictEqual(
      await Effect.runPromise(drain(Framing.reader(source, Framing.lineCodec()))),
      ["ok", "!TooLong", "next"]
    )
  })

  it("puts U+FFFD in the place of bytes that are not UTF-8, or refuses the line", async () => {
    const euro = bytesOf("\u20ac")
    const bytes = Uint8Array.of(...bytesOf("a"), euro[0]!, euro[1]!, ...bytesOf("b\nc"), 0xff, ...bytesOf("d\nok\n"))
    for (const chunks of everyCut(bytes)) {
      assert.deepStrictEqual(await Effect.runPromise(drainLines(chunks)), ["a\ufffdb", "c\ufffdd", "ok"])
      assert.deepStrictEqual(await Effect.runPromise(drainLines(chunks, { invalid: "fail" })), ["!Malformed", "!Malformed", "ok"])
    }
  })

  it("takes one chunk at a time, and none while there is a line", async () => {
    const source = sourceOf(["a\nb\nc", "\n", "d\n"])
    const reader = Framing.reader(source, Framing.lineCodec())
    const receives: Array<number> = []
    for (let i = 0; i < 4; i++) {
      await Effect.runPromise(reader.next)
      receives.push(source.receives)
    }
    assert.deepStrictEqual(receives, [1, 1, 2, 3])
  })

  live("keep what has come of a line when a time limit strikes (T08)", function*() {
    const [client, server] = yield* MemoryStream.pair()
    const lines = Framing.lines(server)
    for (const part of ["hel", "lo", " wor"]) {
      yield* client.send(part)
      assert.isTrue(Option.isNone(yield* Timeout.moveOnAfter(lines.next, "1 second")))
    }
    yield* client.send("ld\nnext")
    assert.deepStrictEqual(yield* lines.next, Option.some("hello world"))
    assert.strictEqual(textOf(yield* lines.leftover), "next")
  })

  live("tell a second reader at once that the stream is busy", function*() {
    const [client, server] = yield* MemoryStream.pair({ name: "chat" })
    const lines = Framing.lines(server)
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const first = yield* n.startNow(lines.next)
        assert.strictEqual((yield* Effect.flip(lines.next))._tag, "Busy")
        yield* client.send("a\n")
        assert.deepStrictEqual(yield* first.join, Option.some("a"))
      })
    )
  })

  live("send a line with its end, and refuse one that would be two", function*() {
    const [client, server] = yield* MemoryStream.pair()
    yield* Framing.lines(client).send("a")
    yield* Framing.lines(client, { newline: "\r\n" }).send("b\u20ac")
    assert.deepStrictEqual(yield* server.receive, Option.some(bytesOf("a\nb\u20ac\r\n")))
    for (const line of ["a\nb", "a\r", "\r\n"]) {
      const error = yield* Effect.flip(Framing.lines(client).send(line))
      assert.instanceOf(error, Framing.Malformed)
      assert.include(error.message, JSON.stringify(line))
    }
    assert.strictEqual(server.statistics.unread, 0)
  })

  live("name the stream in errors", function*() {
    const [client, server] = yield* MemoryStream.pair({ name: "chat" })
    yield* client.send("too long\nhalf")
    yield* client.close
    const lines = Framing.lines(server, { maxBytes: 4, unfinished: "fail" })
    assert.strictEqual((yield* Effect.flip(lines.next)).message, "a line from memory chat is longer than the limit of 4; raise the limit or refuse the peer")
    const broken = yield* Effect.flip(lines.next)
    assert.deepInclude(broken, { _tag: "Broken", what: "memory chat" })
    assert.match(String((broken as Errors.Broken).cause), /in the middle of a frame, after 4 bytes/)
    assert.strictEqual(textOf(yield* lines.leftover), "half")
    assert.deepStrictEqual(yield* lines.next, Option.none())
  })

  it("has the error of an invalid line in its type only where it can come", () => {
    const types = (stream: MemoryStream.MemoryStream) => [
      Framing.lines(stream).next satisfies Effect.Effect<Option.Option<string>, Errors.Broken | Errors.Closed | Errors.Busy | Errors.TooLong>,
      // @ts-expect-error Malformed is left
      Framing.lines(stream, { invalid: "fail" }).next satisfies Effect.Effect<Option.Option<string>, Errors.Broken | Errors.Closed | Errors.Busy | Errors.TooLong>
    ]
    assert.isFunction(types)
  })
})

describe("Framing.delimited", () => {
  const cases: ReadonlyArray<readonly [text: string, delimiter: string, frames: ReadonlyArray<string>, options?: Framing.DelimitedOptions]> = [
    ["a;b;;", ";", ["a", "b", ""]],
    ["", ";", []],
    ["a;b", ";", ["a", "!Broken"]],
    ["a;b", ";", ["a", "b"], { unfinished: "keep" }],
    ["a\r\n\r\nb\r\n\r\n", "\r\n\r\n", ["a", "b"]],
    ["a\r\n\rb\r\r\n\r\n", "\r\n\r\n", ["a\r\n\rb\r"]],
    ["--x-----", "---", ["--x", "!Broken"]],
    ["aaaa", "aa", ["", ""]],
    ["\u20ac|\u00e9|", "|", ["\u20ac", "\u00e9"]],
    ["12345||", "||", ["12345"], { maxBytes: 5 }],
    ["123456||b||", "||", ["!TooLong", "b"], { maxBytes: 5 }],
    ["1234567890|x|y||b||", "||", ["!TooLong", "b"], { maxBytes: 5 }],
    ["12345|", "||", ["!TooLong"], { maxBytes: 5 }],
    ["1234567890", "||", ["!TooLong"], { maxBytes: 5, unfinished: "keep" }]
  ]
  for (const [text, delimiter, frames, options] of cases) {
    it(`reads ${JSON.stringify(text)} as ${JSON.stringify(frames)}`, async () => {
      for (const chunks of everyCut(bytesOf(text))) {
        const found = await Effect.runPromise(drain(Framing.reader(sourceOf(chunks), Framing.delimiterCodec(delimiter, options))))
        assert.deepStrictEqual(found.map((frame) => typeof frame === "string" ? frame : textOf(frame)), [...frames], chunks.map(textOf).join(" "))
      }
    })
  }

  live("send a frame with its delimiter, and refuse one in which it would occur", function*() {
    const [client, server] = yield* MemoryStream.pair()
    const frames = Framing.delimited(client, "--")
    yield* frames.send(bytesOf("a-b"))
    for (const frame of ["a--b", "--", "a-"]) assert.strictEqual((yield* Effect.flip(frames.send(bytesOf(frame))))._tag, "Malformed")
    assert.deepStrictEqual(yield* server.receive, Option.some(bytesOf("a-b--")))
  })

  it("refuses limit + 1 before it has taken twice the limit (T08)", async () => {
    const source = sourceOf(cutAt(bytesOf("x".repeat(10_000)), Array.from({ length: 1000 }, (_, i) => i * 10)))
    const error = await Effect.runPromise(Effect.flip(Framing.reader(source, Framing.delimiterCodec("\r\n\r\n", { maxBytes: 1000 })).next))
    assert.strictEqual(error._tag, "TooLong")
    assert.isBelow(source.bytes, 1100)
  })

  it("wants a delimiter and a limit that are some", () => {
    assert.throws(() => Framing.delimiterCodec(""), "Expected `delimiter` to have at least one byte, got none")
    assert.throws(() => Framing.delimiterCodec("\n", { maxBytes: NaN }), "got `NaN` (number)")
    assert.throws(() => Framing.lineCodec({ maxBytes: -1 }), "got `-1` (number)")
  })
})

describe("Framing.lengthPrefixed", () => {
  const prefixes = [1, 2, 4, 8] as const

  it("writes and reads lengths of 1, 2, 4 and 8 bytes, in either order, however they are cut", async () => {
    for (const prefixBytes of prefixes) {
      for (const endian of ["big", "little"] as const) {
        const codec = Framing.lengthPrefixCodec({ prefixBytes, endian })
        const frames = [hello, new Uint8Array(0), new Uint8Array(200).fill(7)]
        const bytes = Buffer.concat(frames.map((frame) => Result.getOrThrow(codec.encode(frame)) as Uint8Array))
        const first = endian === "big" ? prefixBytes - 1 : 0
        assert.deepStrictEqual([...bytes.subarray(0, prefixBytes)], Array.from({ length: prefixBytes }, (_, i) => i === first ? 5 : 0))
        for (const chunks of everyCut(bytes)) {
          const found = await Effect.runPromise(drain(Framing.reader(sourceOf(chunks), codec)))
          assert.deepStrictEqual(found.map((_) => [..._]), frames.map((_) => [..._]))
        }
      }
    }
  })

  it("agrees with DataView on larger numbers", async () => {
    const frame = new Uint8Array(70_000).fill(1)
    for (const endian of ["big", "little"] as const) {
      for (const prefixBytes of [4, 8] as const) {
        const bytes = Result.getOrThrow(Framing.lengthPrefixCodec({ prefixBytes, endian }).encode(frame)) as Uint8Array
        const view = new DataView(bytes.buffer)
        const length = prefixBytes === 4 ? view.getUint32(0, endian === "little") : Number(view.getBigUint64(0, endian === "little"))
        assert.strictEqual(length, frame.length)
      }
    }
  })

  it("refuses a length above the limit as soon as it has come, and then everything", async () => {
    for (const prefixBytes of prefixes) {
      const source = sourceOf([new Uint8Array(prefixBytes).fill(255), "more"])
      const reader = Framing.reader(source, Framing.lengthPrefixCodec({ prefixBytes, maxBytes: 254 }))
      const error = await Effect.runPromise(Effect.flip(reader.next))
      assert.deepInclude(error, { _tag: "TooLong", limit: 254, what: `a frame of ${256 ** prefixBytes - (prefixBytes === 8 ? 0 : 1)} bytes from a stream` })
      assert.strictEqual(await Effect.runPromise(Effect.flip(reader.next)), error)
      assert.strictEqual(source.receives, 1)
    }
  })

  it("sends nothing that the other side would refuse, and never more than the prefix can tell", () => {
    const encode = (length: number, options: Framing.LengthPrefixedOptions) =>
      Result.isSuccess(Framing.lengthPrefixCodec(options).encode(new Uint8Array(length)))
    assert.deepStrictEqual([encode(255, { prefixBytes: 1 }), encode(256, { prefixBytes: 1 })], [true, false])
    assert.deepStrictEqual([encode(65_535, { prefixBytes: 2 }), encode(65_536, { prefixBytes: 2, maxBytes: Infinity })], [true, false])
    assert.deepStrictEqual([encode(10, { maxBytes: 10 }), encode(11, { maxBytes: 10 })], [true, false])
    assert.throws(() => Framing.lengthPrefixCodec({ prefixBytes: 3 as 4 }), "Expected `prefixBytes` to be 1, 2, 4 or 8, got 3 (number)")
  })

  it("sets memory aside for what has come, not for what was promised", async () => {
    const codec = Framing.lengthPrefixCodec({ maxBytes: 2 ** 30 })
    const prefix = Uint8Array.of(0x3f, 255, 255, 255)
    const reader = Framing.reader(sourceOf([prefix, "a", "b"]), codec)
    assert.strictEqual((await Effect.runPromise(Effect.flip(reader.next)))._tag, "Broken")
    const rest = await Effect.runPromise(reader.leftover)
    assert.strictEqual(rest.length, 6)
    assert.isAtMost(rest.buffer.byteLength, 256)
  })

  it("calls a stream broken that ends in the middle of a frame or of its length", async () => {
    for (const bytes of [[0], [0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 2, 1]]) {
      for (const chunks of everyCut(Uint8Array.from(bytes))) {
        assert.deepStrictEqual(await Effect.runPromise(drain(Framing.reader(sourceOf(chunks), Framing.lengthPrefixCodec()))), ["!Broken"])
      }
    }
  })

  live("carry large frames through a stream that takes them in pieces", function*() {
    const [left, right] = yield* MemoryStream.pair({ capacity: 1000, maxChunkBytes: 777 })
    const [sending, receiving] = [Framing.lengthPrefixed(left), Framing.lengthPrefixed(right)]
    const frames = [1_000_000, 0, 1, 65_536].map((length, i) => new Uint8Array(length).fill(i + 1))
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        yield* n.startSoon(Effect.andThen(Effect.forEach(frames, (frame) => sending.send(frame), { discard: true }), left.close))
        const found = yield* Stream.runCollect(receiving.stream)
        assert.deepStrictEqual(found.map((_) => [_.length, _[0]]), frames.map((_) => [_.length, _[0]]))
      })
    )
  })
})

describe("Framing.reader", () => {
  const upTo = (decode: Framing.Decoder<string, Errors.TooLong>["decode"]): Framing.Codec<string, Errors.TooLong> => ({
    decoder: () => ({ decode }),
    encode: (text) => Result.succeed(text)
  })

  it("asks a decoder again only when there are as many bytes as it wanted", async () => {
    const seen: Array<number> = []
    const codec = upTo((bytes) => {
      seen.push(bytes.length)
      return bytes.length < 6 ? { _tag: "More", atLeast: 6 } : { _tag: "Frame", frame: textOf(bytes.subarray(0, 6)), taken: 6 }
    })
    const frames = await Effect.runPromise(drain(Framing.reader(sourceOf([..."abcdefgh"]), codec)))
    assert.deepStrictEqual(frames, ["abcdef", "!Broken"])
    // Each failing `next` asks once more: the end may make a frame of what is there.
    assert.deepStrictEqual(seen.slice(0, 4), [1, 6, 1, 2])
  })

  it("never asks a decoder that wants more again about the same bytes", async () => {
    const seen: Array<string> = []
    const codec = upTo((bytes, ended) => {
      seen.push(`${textOf(bytes)}${ended ? "." : ""}`)
      return ended ? { _tag: "Frame", frame: textOf(bytes), taken: bytes.length } : { _tag: "More", atLeast: 1 }
    })
    assert.deepStrictEqual(await Effect.runPromise(drain(Framing.reader(sourceOf(["a", "", "b"]), codec))), ["ab"])
    assert.deepStrictEqual(seen, ["a", "ab", "ab."])
  })

  it("goes on behind what a decoder skips, and asks nothing about no bytes", async () => {
    const codec = upTo((bytes) => bytes[0] === 32 ? { _tag: "Skip", taken: 1 } : { _tag: "Frame", frame: textOf(bytes.subarray(0, 1)), taken: 1 })
    assert.deepStrictEqual(await Effect.runPromise(drain(Framing.reader(sourceOf(["  a b", " "]), codec))), ["a", "b"])
  })

  it("ends for good with an error that takes nothing, and goes on after one that does", async () => {
    const error = new Errors.TooLong({ what: "it", limit: 1 })
    for (const taken of [undefined, 1]) {
      const codec = upTo((bytes) =>
        bytes[0] === 120
          ? { _tag: "Failed", error, ...(taken === undefined ? {} : { taken }) }
          : { _tag: "Frame", frame: textOf(bytes), taken: bytes.length }
      )
      assert.deepStrictEqual(
        await Effect.runPromise(drain(Framing.reader(sourceOf(["a", "xb", "c"]), codec))),
        taken === undefined ? ["a", "!TooLong"] : ["a", "!TooLong", "b", "c"]
      )
    }
  })

  it("dies when a decoder takes what is not there", async () => {
    for (const taken of [3, -1, 0.5, NaN]) {
      const exit = await Effect.runPromiseExit(Framing.reader(sourceOf(["ab"]), upTo(() => ({ _tag: "Frame", frame: "", taken }))).next)
      assert.isTrue(Exit.isFailure(exit) && exit.cause.reasons[0]!._tag === "Die")
      assert.include(String(exit), `between 0 and 2 bytes, got ${taken} (number)`)
    }
  })

  it("dies when a decoder skips nothing, instead of asking it for ever", async () => {
    const exit = await Effect.runPromiseExit(Framing.reader(sourceOf(["ab"]), upTo(() => ({ _tag: "Skip", taken: 0 }))).next)
    assert.include(String(exit), "to skip at least 1 byte, got 0")
  })

  it("never writes to bytes that it has handed out", async () => {
    // Frames that share memory with what comes after them: all are compared at the end.
    const frames = Array.from({ length: 300 }, (_, i) => "x".repeat(i % 37) + i)
    const bytes = bytesOf(frames.map((frame) => `${frame};`).join(""))
    for (const step of [1, 2, 3, 17, 64, 1000]) {
      const chunks = cutAt(bytes, Array.from({ length: bytes.length / step }, (_, i) => i * step))
      const reader = Framing.reader(sourceOf(chunks), Framing.delimiterCodec(";"))
      const found = await Effect.runPromise(Stream.runCollect(reader.stream))
      assert.deepStrictEqual(found.map(textOf), frames)
    }
  })

  it("takes time in proportion to the bytes when they come one by one", async () => {
    // In proportion to their square it would be 2e10 steps, and the test would not end in time.
    const line = "x".repeat(200_000)
    const reader = Framing.reader(sourceOf([...line, "\n"]), Framing.lineCodec({ maxBytes: 200_000 }))
    assert.strictEqual(Option.getOrThrow(await Effect.runPromise(reader.next)).length, line.length)
  })

  live("leave what it has read ahead to somebody else", function*() {
    const [client, server] = yield* MemoryStream.pair()
    yield* client.send("head\n\x00\x05hello")
    const head = Framing.lines(server)
    assert.deepStrictEqual(yield* head.next, Option.some("head"))
    const rest = yield* head.leftover
    assert.strictEqual((yield* head.leftover).length, 0)
    const body = Framing.reader(sourceOf([rest]), Framing.lengthPrefixCodec({ prefixBytes: 2 }))
    assert.deepStrictEqual(Option.map(yield* body.next, textOf), Option.some("hello"))
  })

  live("lose no line when a busy reader is cancelled between two turns", function*() {
    const total = 20_000
    const source = sourceOf([Array.from({ length: total }, (_, i) => `${i}\n`).join("")])
    const reader = Framing.reader(source, Framing.lineCodec())
    const seen: Array<number> = []
    // The fiber pauses about every 2,000 operations, wherever it is. It is cancelled in one of these pauses.
    for (let steps = 0; steps < 8; steps++) {
      const idle = Array.from({ length: steps }, () => Effect.void)
      const busy = Effect.forever(
        Effect.uninterruptibleMask((restore) =>
          Effect.map(restore(reader.next), (line) => void seen.push(Number(Option.getOrThrow(line))))
        ).pipe(Effect.andThen(Effect.all(idle, { discard: true }))),
        { disableYield: true }
      )
      const fiber = yield* Effect.forkChild(busy, { startImmediately: true })
      yield* Fiber.interrupt(fiber)
    }
    const rest = yield* Stream.runCollect(reader.stream)
    assert.isAbove(seen.length, 0)
    assert.deepStrictEqual([...seen, ...rest.map(Number)], Array.from({ length: total }, (_, i) => i))
  })

  it("loses and doubles no line whatever is cancelled, under exploration", () => {
    const program = Effect.gen(function*() {
      const [client, server] = yield* MemoryStream.pair({ maxChunkBytes: 2 })
      const lines = Framing.lines(server)
      const seen: Array<string> = []
      const take = Effect.uninterruptibleMask((restore) =>
        Effect.map(restore(lines.next), (line) => void (Option.isSome(line) && seen.push(line.value)))
      )
      yield* Nursery.open((n) =>
        Effect.gen(function*() {
          yield* n.startSoon(Effect.andThen(client.send("a\nbc\n\nd"), client.send("ef\ng\n")), { name: "sender" })
          yield* n.startSoon(Timeout.moveOnAfter(Effect.forever(take), "1 second"), { name: "reader" })
        })
      ).pipe(Effect.exit)
      yield* client.close
      const rest = yield* Stream.runCollect(lines.stream)
      return [...seen, ...rest].join("|")
    })
    const whole = "a|bc||def|g"
    const sent = ["", "a|bc||d", whole]
    const report = Explore.run(CancelScope.shield(program), { runs: 400, cancelEverywhere: true, holds: (seen) => sent.includes(seen) })
    assert.strictEqual(report._tag, "Passed", Explore.toText(report))
    // As it is when nobody is cancelled.
    assert.strictEqual(Explore.run(program, { runs: 400, holds: (seen) => seen === whole })._tag, "Passed")
  })
})

describe("Framing.mapCodec", () => {
  const numbers = Framing.mapCodec(Framing.lineCodec({ maxBytes: 5 }), {
    decode: (line) => /^\d+$/.test(line) ? Result.succeed(Number(line)) : Result.fail(new Framing.Malformed({ what: "a number", reason: line })),
    encode: (n: number) => n >= 0 ? Result.succeed(String(n)) : Result.fail(new Framing.Malformed({ what: "a number", reason: String(n) }))
  })

  it("tells the reader what does not decode, and goes on", async () => {
    for (const chunks of everyCut(bytesOf("1\nx\n22\n1234567\n3"))) {
      assert.deepStrictEqual(await Effect.runPromise(drain(Framing.reader(sourceOf(chunks), numbers))), [1, "!Malformed", 22, "!TooLong", 3])
    }
  })

  live("send what encodes", function*() {
    const [client, server] = yield* MemoryStream.pair()
    const framed = Framing.framed(client, numbers)
    yield* framed.send(7)
    assert.deepInclude(yield* Effect.flip(framed.send(-7)), { _tag: "Malformed", reason: "-7" })
    assert.deepStrictEqual(Option.map(yield* server.receive, textOf), Option.some("7\n"))
  })
})

describe("Framing.stream", () => {
  live("can be left, and nothing has been read ahead", function*() {
    const [client, server] = yield* MemoryStream.pair()
    yield* client.send("1\n2\n3\n4\n")
    yield* client.close
    const lines = Framing.lines(server)
    assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(lines.stream, 2)), ["1", "2"])
    assert.deepStrictEqual(yield* lines.next, Option.some("3"))
    assert.deepStrictEqual(yield* Stream.runCollect(lines.stream), ["4"])
    assert.deepStrictEqual(yield* lines.next, Option.none())
    assert.deepStrictEqual(yield* lines.next, Option.none())
  })
})

describe("Framing properties", () => {
  const Cuts = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5000 })))
  const Lines = Schema.Array(Schema.String)
  const Frames = Schema.Array(Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 }))))

  const roundTrip = <A>(codec: Framing.Codec<A, Tagged, any>, frames: ReadonlyArray<A>, cuts: ReadonlyArray<number>) => {
    const bytes = Buffer.concat(frames.map((frame) => {
      const encoded = Result.getOrThrow(codec.encode(frame)) as Uint8Array | string
      return typeof encoded === "string" ? bytesOf(encoded) : encoded
    }))
    return drain(Framing.reader(sourceOf(cutAt(bytes, cuts)), codec))
  }

  effectIt.effect.prop("any lines arrive as they were sent, however they are cut", [Lines, Cuts], ([texts, cuts]) => {
    const lines = texts.map((text) => textOf(bytesOf(text.replaceAll(/[\r\n]/g, " "))))
    return Effect.map(roundTrip(Framing.lineCodec(), lines, cuts), (found) => assert.deepStrictEqual(found, lines))
  })

  effectIt.effect.prop(
    "any frames with a length before them arrive as they were sent, however they are cut",
    [Frames, Cuts, Schema.Literals([1, 2, 4, 8]), Schema.Literals(["big", "little"])],
    ([arrays, cuts, prefixBytes, endian]) => {
      const frames = arrays.map((bytes) => Uint8Array.from(bytes))
      return Effect.map(
        roundTrip(Framing.lengthPrefixCodec({ prefixBytes, endian }), frames, cuts),
        (found) => assert.deepStrictEqual(found.map((_) => [..._]), frames.map((_) => [..._]))
      )
    }
  )

  effectIt.effect.prop(
    "any frames with a delimiter arrive as they were sent, or are refused",
    [Schema.Array(Schema.Array(Schema.Literals([1, 2, 3]))), Cuts, Schema.Literals(["\x01", "\x01\x02", "\x01\x01", "\x01\x02\x01", "\x01\x01\x02\x01\x01"])],
    ([arrays, cuts, delimiter]) => {
      const codec = Framing.delimiterCodec(delimiter)
      const frames = arrays.map((bytes) => Uint8Array.from(bytes)).filter((frame) => Result.isSuccess(codec.encode(frame)))
      return Effect.map(
        roundTrip(codec, frames, cuts),
        (found) => assert.deepStrictEqual(found.map((_) => [..._]), frames.map((_) => [..._]))
      )
    }
  )

  effectIt.effect.prop(
    "any bytes at all are the same lines, however they are cut",
    [Schema.Array(Schema.Literals([10, 13, 65, 0xc3, 0xa9, 0xff])), Cuts, Schema.Literals(["newline", "any"]), Schema.Literals([2, 100])],
    ([bytes, cuts, ends, maxBytes]) =>
      Effect.gen(function*() {
        const all = Uint8Array.from(bytes)
        const options = { ends, maxBytes }
        assert.deepStrictEqual(yield* drainLines(cutAt(all, cuts), options), yield* drainLines([all], options))
      })
  )
})
