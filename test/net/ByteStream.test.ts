/** What every stream over a socket does, over real sockets of each kind. */
import * as net from "node:net"
import { Cause, Effect, Exit, Fiber, Option, Stream } from "effect"
import { Nursery, Timeout } from "effect-nursery"
import type { ByteStream, StreamError } from "effect-nursery/net/ByteStream"
import type { Connection } from "effect-nursery/net/Network"
import * as Framing from "effect-nursery/net/Framing"
import { VirtualClock } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"
import { megabyte, numbered, pairs, receiveAll, run, text, until, waitsIn, withBareSocket } from "./sockets.ts"

const receiveText = (stream: ByteStream) => Effect.map(stream.receive, Option.match({ onNone: () => "(end)", onSome: text }))

/** Sends until the peer does not keep up, and gives up; returns how often it was accepted. */
const clog = (stream: Connection, data: Uint8Array): Effect.Effect<number, StreamError> =>
  Effect.gen(function*() {
    for (let count = 1;; count++) {
      const sending = yield* Effect.forkChild(stream.send(data), { startImmediately: true })
      if (sending.pollUnsafe() === undefined) {
        // TLS tells only in the next turn that the system has taken it.
        const sent = stream.bytesSent
        yield* Effect.sleep(30)
        if (sending.pollUnsafe() === undefined && stream.bytesSent === sent) {
          yield* Fiber.interrupt(sending)
          return count
        }
      }
      const exit = yield* Fiber.await(sending)
      if (Exit.isFailure(exit)) return yield* Effect.failCause(exit.cause)
    }
  })

for (const [kind, pair] of pairs) {
  describe(`over ${kind}`, () => {
    describe("ByteStream.receive", () => {
      it("gives what was sent, and the end again and again", () =>
        run(Effect.gen(function*() {
          const [a, b] = yield* pair
          yield* a.send("hello")
          assert.strictEqual(yield* receiveText(b), "hello")
          yield* a.send(new Uint8Array([119, 111]))
          yield* a.send("")
          yield* a.sendEof
          assert.strictEqual(yield* receiveText(b), "wo")
          assert.strictEqual(yield* receiveText(b), "(end)")
          assert.strictEqual(yield* receiveText(b), "(end)")
          assert.isTrue(Option.isNone(yield* b.receiveExactly(1)))
          assert.isTrue(Option.isNone(yield* b.receiveUntil("\n")))
          assert.deepStrictEqual(yield* Stream.runCollect(b.chunks), [])
          assert.deepStrictEqual(yield* Stream.runCollect(b.lines), [])
        })))

      it("loses no byte when it is cancelled while it waits", () =>
        run(Effect.gen(function*() {
          const [a, b] = yield* pair
          for (let i = 0; i < 20; i++) {
            const waiting = yield* Effect.forkChild(b.receive, { startImmediately: true })
            if (i % 2 === 0) yield* Fiber.interrupt(waiting)
            yield* a.send(`${i}`)
            if (i % 2 === 1) assert.strictEqual(text(Option.getOrThrow(yield* Fiber.join(waiting))), `${i}`)
            else assert.strictEqual(yield* receiveText(b), `${i}`)
          }
        })))

      it("loses and repeats no byte when it is cancelled at any moment", () =>
        run(Effect.gen(function*() {
          const [a, b] = yield* pair
          const total = 4 * megabyte
          const sent = numbered(0, total)
          const sender = yield* Effect.forkChild(Effect.gen(function*() {
            for (let at = 0, i = 0; at < total; i++) {
              const next = Math.min(total, at + 1 + i * 7919 % 50_000)
              yield* a.send(sent.subarray(at, next))
              at = next
            }
            yield* a.sendEof
          }))
          const received: Array<Uint8Array> = []
          const receive = Effect.map(b.receive, (chunk) => Option.isSome(chunk) ? received.push(chunk.value) > 0 : false)
          for (let i = 0, more = true; more; i++) {
            const waiting = yield* Effect.forkChild(receive, { startImmediately: true })
            if (i % 3 === 0) yield* Effect.yieldNow
            if (i % 5 === 0) yield* Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
            if (i % 2 === 0) yield* Fiber.interrupt(waiting)
            const exit = yield* Fiber.await(waiting)
            if (Exit.isSuccess(exit)) more = exit.value
          }
          yield* Fiber.join(sender)
          assert.isTrue(Buffer.concat(received).equals(sent))
        })))

      it("does not read on while nobody receives, so that the peer has to wait", () =>
        run(Effect.gen(function*() {
          const [a, b] = yield* pair
          yield* a.send("x")
          assert.strictEqual(yield* receiveText(b), "x")
          const data = numbered(0, 256 * 1024)
          const accepted = yield* clog(a, data)
          const { bytesReceived } = b
          // What the inbox holds, and one read in front of it and behind it.
          assert.isBelow(bytesReceived, 4 * 65_536 + 32_768)
          yield* Effect.forkChild(a.sendEof)
          assert.strictEqual((yield* receiveAll(b)).length, accepted * data.length)
        })))
    })

    describe("ByteStream.receiveExactly", () => {
      it("puts together what comes in pieces, and leaves the rest", () =>
        run(Effect.gen(function*() {
          const [a, b] = yield* pair
          const bytes = numbered(0, 300_000)
          const sender = yield* Effect.forkChild(Effect.gen(function*() {
            for (let at = 0; at < bytes.length; at += 997) yield* a.send(bytes.subarray(at, at + 997))
            yield* a.sendEof
          }))
          assert.lengthOf(Option.getOrThrow(yield* b.receiveExactly(0)), 0)
          let at = 0
          for (const count of [1, 2, 996, 1, 5000, 100_000, 65_536, 120_000]) {
            assert.isTrue(bytes.subarray(at, at += count).equals(Option.getOrThrow(yield* b.receiveExactly(count))), `at ${at}`)
          }
          const rest = yield* receiveAll(b)
          assert.isTrue(rest.equals(bytes.subarray(at)))
          yield* Fiber.join(sender)
        })))

      it("keeps what has come when it is cancelled, for whoever receives next", () =>
        run(Effect.gen(function*() {
          const [a, b] = yield* pair
          const waiting = yield* Effect.forkChild(b.receiveExactly(10), { startImmediately: true })
          yield* a.send("abc")
          yield* until(() => b.bytesReceived > 2)
          yield* Fiber.interrupt(waiting)
          assert.strictEqual(text(Option.getOrThrow(yield* b.receiveExactly(2))), "ab")
          assert.strictEqual(yield* receiveText(b), "c")
        })))

      it("says how much is missing when the end comes in the middle, and the rest can still be received", () =>
        run(Effect.gen(function*() {
          const [a, b] = yield* pair
          yield* a.send("abc")
          yield* a.sendEof
          const error = yield* Effect.flip(b.receiveExactly(10))
          assert.strictEqual(error._tag, "Broken")
          assert.match(error.message, /is broken: the peer sent its end after 3 of 10 bytes$/)
          assert.strictEqual(yield* receiveText(b), "abc")
          assert.strictEqual(yield* receiveText(b), "(end)")
        })))

      it("dies of a count that is none, and says which", () =>
        run(Effect.gen(function*() {
          const [, b] = yield* pair
          for (const count of [-1, 1.5, NaN, Infinity, "7" as never]) {
            const exit = yield* Effect.exit(b.receiveExactly(count))
            assert.isTrue(Exit.isFailure(exit))
            if (Exit.isFailure(exit)) assert.include(String(Cause.squash(exit.cause)), `${count}`)
          }
        })))
    })

    describe("ByteStream.receiveUntil", () => {
      it("finds a delimiter however it is cut", () =>
        run(Effect.gen(function*() {
          const [a, b] = yield* pair
          const message = "one\r\n\r\ntwo\r\r\n\r\n\r\n\r\n"
          for (let cut = 0; cut <= message.length; cut++) {
            const waiting = yield* Effect.forkChild(Effect.all([b.receiveUntil("\r\n\r\n"), b.receiveUntil("\r\n\r\n"), b.receiveUntil("\r\n\r\n")]), {
              startImmediately: true
            })
            yield* a.send(message.slice(0, cut))
            yield* Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
            yield* a.send(message.slice(cut))
            const found = (yield* Fiber.join(waiting)).map((bytes) => text(Option.getOrThrow(bytes)))
            assert.deepStrictEqual(found, ["one", "two\r", ""], `cut at ${cut}`)
          }
        })))

      it("finds it when each byte comes alone", () =>
        run(Effect.gen(function*() {
          const [a, b] = yield* pair
          const waiting = yield* Effect.forkChild(b.receiveUntil(new Uint8Array([97, 97, 98])), { startImmediately: true })
          for (const byte of "xaaaaabc") {
            yield* a.send(byte)
            yield* Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
          }
          assert.strictEqual(text(Option.getOrThrow(yield* Fiber.join(waiting))), "xaaa")
          assert.strictEqual(yield* receiveText(b), "c")
        })))

      it("allows as many bytes as the limit says, and refuses one more, which stays", () =>
        run(Effect.gen(function*() {
          const [a, b] = yield* pair
          yield* a.send("12345\n123456\nx")
          const limit = { maxBytes: 5 }
          assert.strictEqual(text(Option.getOrThrow(yield* b.receiveUntil("\n", limit))), "12345")
          const error = yield* Effect.flip(b.receiveUntil("\n", limit))
          assert.strictEqual(error._tag, "TooLong")
          assert.match(error.message, /^what ends with "\\n" from (tcp|tls|unix) .* is longer than the limit of 5; raise the limit or refuse the peer$/)
          assert.strictEqual(text(Option.getOrThrow(yield* b.receiveUntil("\n"))), "123456")
          // Without a delimiter in sight it is refused as soon as that is certain.
          const waiting = yield* Effect.forkChild(b.receiveUntil("\r\n", limit), { startImmediately: true })
          yield* a.send("2345\r")
          yield* Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
          assert.isUndefined(waiting.pollUnsafe())
          yield* a.send("\r")
          assert.strictEqual((yield* Effect.flip(Fiber.join(waiting)))._tag, "TooLong")
          assert.strictEqual(text(Option.getOrThrow(yield* b.receiveExactly(7))), "x2345\r\r")
        })))

      it("keeps what has come when it is cancelled, and says so when the end comes instead", () =>
        run(Effect.gen(function*() {
          const [a, b] = yield* pair
          const waiting = yield* Effect.forkChild(b.receiveUntil("\n"), { startImmediately: true })
          yield* a.send("abc")
          yield* until(() => b.bytesReceived > 2)
          yield* Fiber.interrupt(waiting)
          yield* a.sendEof
          const error = yield* Effect.flip(b.receiveUntil("\n"))
          assert.match(error.message, /the peer sent its end after 3 bytes without "\\n"$/)
          assert.strictEqual(yield* receiveText(b), "abc")
          assert.isTrue(Option.isNone(yield* b.receiveUntil("\n")))
        })))

      it("dies of an empty delimiter", () =>
        run(Effect.gen(function*() {
          const [, b] = yield* pair
          const exit = yield* Effect.exit(b.receiveUntil(""))
          assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
        })))
    })

    describe("ByteStream.lines", () => {
      it("gives what Framing.lines gives", () =>
        run(Effect.gen(function*() {
          const input = "a\nb\r\n\r\n\nc\rd\r\r\ne€\xff\n" + "x".repeat(65_536) + "\r\n\ufefflast"
          const results = yield* Effect.forEach([0, 1], (which) => Effect.gen(function*() {
            const [a, b] = yield* pair
            const sender = yield* Effect.forkChild(Effect.gen(function*() {
              const bytes = Buffer.from(input)
              for (let at = 0; at < bytes.length; at += 9973) yield* a.send(bytes.subarray(at, at + 9973))
              yield* a.sendEof
            }))
            const lines = yield* Stream.runCollect(which === 0 ? b.lines : Framing.lines(b).stream)
            yield* Fiber.join(sender)
            return lines
          }))
          assert.deepStrictEqual(results[0], results[1])
          assert.lengthOf(results[0]!, 8)
        })))

      it("leaves the bytes behind the last line that was taken", () =>
        run(Effect.gen(function*() {
          const [a, b] = yield* pair
          yield* a.send("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbodyrest")
          assert.deepStrictEqual(yield* Stream.runCollect(Stream.takeWhile(b.lines, (line) => line !== "")), ["POST / HTTP/1.1", "Content-Length: 4"])
          assert.strictEqual(text(Option.getOrThrow(yield* b.receiveExactly(4))), "body")
          assert.strictEqual(yield* receiveText(b), "rest")
        })))

      it("refuses a line of more than 64 KiB, whose end does not count", () =>
        run(Effect.gen(function*() {
          for (const [line, fits] of [["x".repeat(65_536), true], ["x".repeat(65_537), false]] as const) {
            for (const end of ["\n", "\r\n"]) {
              const [a, b] = yield* pair
              const sender = yield* Effect.forkChild(Effect.andThen(a.send(line + end), a.sendEof))
              const exit = yield* Effect.exit(Stream.runCollect(b.lines))
              if (fits) assert.deepStrictEqual(exit, Exit.succeed([line]))
              else assert.strictEqual(Exit.isFailure(exit) ? (Cause.squash(exit.cause) as Error).name : "", "TooLong")
              yield* Fiber.interrupt(sender)
            }
          }
        })))
    })

    describe("ByteStream.send", () => {
      it("brings 8 MiB to the other side and back, at once", () =>
        run(Effect.gen(function*() {
          const [a, b] = yield* pair
          const bytes = numbered(0, 8 * megabyte)
          yield* Effect.forkChild(Effect.andThen(Stream.runForEach(b.chunks, (chunk) => b.send(chunk)), b.sendEof))
          yield* Effect.forkChild(Effect.gen(function*() {
            for (let at = 0, size = 1; at < bytes.length; at += size, size = size * 3 % 100_003) yield* a.send(bytes.subarray(at, at + size))
            yield* a.sendEof
          }))
          assert.isTrue((yield* receiveAll(a)).equals(bytes))
        })), 30_000)

      it("T04: 100,000 sends of one byte come back exactly", () =>
        run(Effect.gen(function*() {
          const [a, b] = yield* pair
          const bytes = numbered(0, 100_000)
          yield* Effect.forkChild(Effect.andThen(Stream.runForEach(b.chunks, (chunk) => b.send(chunk)), b.sendEof))
          yield* Effect.forkChild(Effect.gen(function*() {
            for (let i = 0; i < bytes.length; i++) yield* a.send(bytes.subarray(i, i + 1))
            yield* a.sendEof
          }))
          assert.isTrue((yield* receiveAll(a)).equals(bytes))
        })), 60_000)

      it("waits for a peer that does not read, and however often it is cancelled, no more than one send is held", () =>
        run(Effect.gen(function*() {
          const [a, b] = yield* pair
          const data = numbered(0, 64 * 1024)
          const accepted = yield* clog(a, data)
          const before = process.memoryUsage().arrayBuffers
          for (let i = 0; i < 200; i++) {
            const sending = yield* Effect.forkChild(a.send(Buffer.alloc(data.length)), { startImmediately: true })
            yield* Effect.yieldNow
            yield* Fiber.interrupt(sending)
          }
          // 200 of them would be 12.5 MiB.
          assert.isBelow(process.memoryUsage().arrayBuffers - before, 14 * megabyte)
          yield* Effect.forkChild(Effect.ignore(a.sendEof))
          const received = yield* receiveAll(b)
          // The one that was cancelled while the system had a part of it has come as a whole, and of the others none.
          assert.strictEqual(received.length, accepted * data.length)
          for (let i = 0; i < accepted; i++) assert.isTrue(received.subarray(i * data.length, (i + 1) * data.length).equals(data))
        })), 30_000)

      it("is usable after it was cancelled: what was accepted goes out as a whole, and in order", () =>
        run(Effect.gen(function*() {
          const [a, b] = yield* pair
          const first = numbered(0, 3 * megabyte)
          const sending = yield* Effect.forkChild(clog(a, first))
          const accepted = yield* Fiber.join(sending)
          yield* Effect.forkChild(Effect.andThen(a.send("the end"), a.sendEof))
          const received = yield* receiveAll(b)
          assert.strictEqual(received.length, accepted * first.length + 7)
          assert.strictEqual(text(received.subarray(-7)), "the end")
        })))

      it("a second one at the same time is told who is sending", () =>
        run(Effect.gen(function*() {
          const [a, b] = yield* pair
          yield* Nursery.open((n) => Effect.gen(function*() {
            const data = Buffer.alloc(16 * megabyte)
            yield* n.startSoon(Effect.andThen(a.send(data), a.sendEof), { name: "uploader" })
            yield* waitsIn("sending to")
            const error = yield* Effect.flip(a.send("x"))
            assert.strictEqual(error._tag, "Busy")
            assert.match(error.message, new RegExp(`^the sending half of ${kind} .* is in use by uploader$`))
            assert.strictEqual((yield* Effect.flip(a.sendEof))._tag, "Busy")
            assert.lengthOf(yield* receiveAll(b), data.length)
          }))
        })))
    })

    describe("ByteStream.sendEof", () => {
      it("ends one direction only, and each in its time", () =>
        run(Effect.gen(function*() {
          const [a, b] = yield* pair
          yield* a.send("question")
          yield* a.sendEof
          yield* a.sendEof
          assert.strictEqual(yield* receiveText(b), "question")
          assert.strictEqual(yield* receiveText(b), "(end)")
          const error = yield* Effect.flip(a.send("more"))
          assert.strictEqual(error._tag, "Closed")
          assert.include(error.message, "the sending half of")
          yield* b.send("answer")
          assert.strictEqual(yield* receiveText(a), "answer")
          yield* b.sendEof
          assert.strictEqual(yield* receiveText(a), "(end)")
          assert.strictEqual((yield* Effect.flip(b.send("more")))._tag, "Closed")
          assert.strictEqual(yield* receiveText(a), "(end)")
        })))
    })

    describe("ByteStream.receive, by two at once", () => {
      it("tells the second who receives, and the first goes on", () =>
        run(Effect.gen(function*() {
          const [a, b] = yield* pair
          yield* Nursery.open((n) => Effect.gen(function*() {
            const first = yield* n.startSoon(receiveText(b), { name: "reader" })
            yield* waitsIn("receiving from")
            for (const second of [b.receive, b.receiveExactly(1), b.receiveUntil("\n"), Stream.runDrain(b.chunks), Stream.runDrain(b.lines)]) {
              const error = yield* Effect.flip(second as Effect.Effect<unknown, { readonly _tag: string; readonly message: string }>)
              assert.strictEqual(error._tag, "Busy")
              assert.match(error.message, new RegExp(`^the receiving half of ${kind} .* is in use by reader$`))
            }
            yield* a.send("for the first")
            assert.strictEqual(yield* first.join, "for the first")
          }))
        })))
    })

    describe("ByteStream.close", () => {
      it("tells whoever receives or sends, and everybody after, and again does nothing", () =>
        run(Effect.gen(function*() {
          const [a] = yield* pair
          yield* clog(a, numbered(0, megabyte))
          const receiving = yield* Effect.forkChild(Effect.flip(a.receive), { startImmediately: true })
          const sending = yield* Effect.forkChild(Effect.flip(a.send("x")), { startImmediately: true })
          const closing = yield* Effect.forkChild(a.close, { startImmediately: true })
          assert.strictEqual((yield* Fiber.join(receiving))._tag, "Closed")
          assert.strictEqual((yield* Fiber.join(sending))._tag, "Closed")
          yield* a.close
          const told = [a.receive, a.receiveExactly(1), a.receiveUntil("\n"), a.send("x"), a.sendEof, Stream.runDrain(a.chunks), Stream.runDrain(a.lines)]
          for (const effect of told) {
            const error = yield* Effect.flip(effect as Effect.Effect<unknown, { readonly _tag: string; readonly message: string }>)
            assert.strictEqual(error._tag, "Closed")
            assert.match(error.message, new RegExp(`^${kind} .* was closed by its user`))
          }
          yield* a.abort
          yield* Fiber.await(closing)
        })))

      it("brings the peer what was sent, and the end", () =>
        run(Effect.gen(function*() {
          const [a, b] = yield* pair
          yield* a.send("bye")
          yield* a.close
          assert.strictEqual(yield* receiveText(b), "bye")
          assert.strictEqual(yield* receiveText(b), "(end)")
        })))

      it("brings the peer also what a cancelled sender has left, and waits for that", () =>
        run(Effect.gen(function*() {
          const [a, b] = yield* pair
          const data = numbered(0, megabyte)
          const accepted = yield* clog(a, data)
          const closing = yield* Effect.forkChild(a.close, { startImmediately: true })
          assert.isUndefined(closing.pollUnsafe())
          const received = yield* receiveAll(b)
          assert.strictEqual(received.length, accepted * data.length)
          assert.isTrue(received.subarray(-data.length).equals(data))
          yield* Fiber.join(closing)
        })))

      it("waits 5 seconds at most for a peer that does not read", () =>
        run(Effect.gen(function*() {
          const [a] = yield* pair
          yield* clog(a, numbered(0, megabyte))
          const millis = yield* Effect.promise(() =>
            VirtualClock.run(Effect.gen(function*() {
              const before = yield* Timeout.now
              yield* Effect.uninterruptible(a.close)
              return (yield* Timeout.now) - before
            })))
          assert.strictEqual(millis, 5_000)
        })))

      it("aborts when it is cancelled", () =>
        run(Effect.gen(function*() {
          const [a, b] = yield* pair
          const data = numbered(0, megabyte)
          const accepted = yield* clog(a, data)
          const closing = yield* Effect.forkChild(a.close, { startImmediately: true })
          yield* Fiber.interrupt(closing)
          const received = yield* Effect.exit(receiveAll(b))
          if (Exit.isSuccess(received)) assert.isBelow(received.value.length, accepted * data.length)
        })))
    })

    describe("ByteStream.abort", () => {
      it("tells whoever receives, ends a close that waits, and again does nothing", () =>
        run(Effect.gen(function*() {
          const [a, b] = yield* pair
          const receiving = yield* Effect.forkChild(Effect.flip(a.receive), { startImmediately: true })
          yield* a.abort
          yield* a.abort
          assert.strictEqual((yield* Fiber.join(receiving))._tag, "Closed")
          assert.strictEqual((yield* Effect.flip(a.send("x")))._tag, "Closed")
          const end = yield* Effect.exit(b.receive)
          assert.isTrue(Exit.isFailure(end) || Option.isNone(end.value))
          yield* clog(b, numbered(0, megabyte)).pipe(Effect.ignore)
          const closing = yield* Effect.forkChild(b.close, { startImmediately: true })
          yield* b.abort
          yield* Fiber.await(closing)
        })))
    })

    describe("a task that waits for a stream", () => {
      it("says in the task tree for what", () =>
        run(Effect.gen(function*() {
          const [a, b] = yield* pair
          yield* Nursery.open((n) => Effect.gen(function*() {
            yield* n.startSoon(b.receive, { name: "reader" })
            yield* waitsIn(`receiving from ${kind} `)
            yield* n.startSoon(Effect.andThen(clog(a, numbered(0, megabyte)), a.send("x")), { name: "writer" })
            yield* n.cancelTasks()
          }))
          yield* clog(b, numbered(0, megabyte))
          yield* Nursery.open((n) => Effect.gen(function*() {
            yield* n.startSoon(b.send("x"), { name: "writer" })
            yield* waitsIn(`sending to ${kind} `)
            yield* n.cancelTasks()
            yield* n.startSoon(b.close, { name: "closer" })
            yield* waitsIn(`closing ${kind} `)
            yield* n.cancelTasks()
          }))
        })))
    })

    describe("Connection.endInput", () => {
      it("ends the input as if the peer had, behind what has come, and sending goes on", () =>
        run(Effect.gen(function*() {
          const [a, b] = yield* pair
          yield* a.send("xabc")
          assert.strictEqual(text(Option.getOrThrow(yield* b.receiveExactly(1))), "x")
          yield* b.endInput
          assert.strictEqual(yield* receiveText(b), "abc")
          assert.strictEqual(yield* receiveText(b), "(end)")
          yield* a.send("too late")
          assert.strictEqual(yield* receiveText(b), "(end)")
          yield* b.send("bye")
          assert.strictEqual(yield* receiveText(a), "bye")
        })))

      it("wakes whoever receives", () =>
        run(Effect.gen(function*() {
          const [, b] = yield* pair
          const receiving = yield* Effect.forkChild(receiveText(b), { startImmediately: true })
          yield* b.endInput
          assert.strictEqual(yield* Fiber.join(receiving), "(end)")
        })))
    })
  })
}

describe("a peer that resets the connection", () => {
  const isReset = (error: { readonly _tag: string; readonly cause?: unknown }) =>
    error._tag === "Broken" && ["ECONNRESET", "EPIPE"].includes((error.cause as { readonly code: string }).code)

  it("breaks whoever receives, and then everybody, with what the system says", () =>
    run(Effect.gen(function*() {
      const { socket, stream } = yield* withBareSocket
      const receiving = yield* Effect.forkChild(Effect.flip(stream.receive), { startImmediately: true })
      socket.resetAndDestroy()
      const error = yield* Fiber.join(receiving)
      assert.isTrue(isReset(error))
      assert.match(error.message, /^tcp 127\.0\.0\.1:\d+ is broken: read ECONNRESET$/)
      assert.isTrue(isReset(yield* Effect.flip(stream.receive)))
      assert.isTrue(isReset(yield* Effect.flip(stream.send("x"))))
      assert.isTrue(isReset(yield* Effect.flip(stream.sendEof)))
      yield* stream.close
      assert.strictEqual((yield* Effect.flip(stream.receive))._tag, "Closed")
    })))

  it("leaves the bytes that have come before", () =>
    run(Effect.gen(function*() {
      const { socket, stream } = yield* withBareSocket
      socket.write("abc")
      assert.strictEqual(text(Option.getOrThrow(yield* stream.receiveExactly(1))), "a")
      socket.resetAndDestroy()
      yield* until(() => (stream as unknown as { readonly socket: { readonly destroyed: boolean } }).socket.destroyed)
      yield* Effect.yieldNow
      assert.strictEqual(yield* receiveText(stream), "bc")
      assert.isTrue(isReset(yield* Effect.flip(stream.receive)))
    })))

  it("breaks whoever sends", () =>
    run(Effect.gen(function*() {
      const { socket, stream } = yield* withBareSocket
      yield* clog(stream, Buffer.alloc(megabyte))
      const sending = yield* Effect.forkChild(Effect.flip(stream.send("x")), { startImmediately: true })
      socket.resetAndDestroy()
      assert.isTrue(isReset(yield* Fiber.join(sending)))
    })))

  it("is found out by sends, when nobody receives", () =>
    run(Effect.gen(function*() {
      const { socket, stream } = yield* withBareSocket
      socket.resetAndDestroy()
      const error = yield* Effect.flip(Effect.forever(Effect.andThen(stream.send("x"), Effect.sleep(1))))
      assert.isTrue(isReset(error))
    })))

  it("while a half is closed: the end stays the end, and sending breaks", () =>
    run(Effect.gen(function*() {
      const { socket, stream } = yield* withBareSocket
      socket.end("abc")
      assert.strictEqual((yield* receiveAll(stream)).toString(), "abc")
      socket.resetAndDestroy()
      const error = yield* Effect.flip(Effect.forever(Effect.andThen(stream.send("x"), Effect.sleep(1))))
      assert.isTrue(isReset(error))
      assert.strictEqual(yield* receiveText(stream), "(end)")
    })))

  it("while it is being closed: the close ends", () =>
    run(Effect.gen(function*() {
      const { socket, stream } = yield* withBareSocket
      yield* clog(stream, Buffer.alloc(megabyte))
      const closing = yield* Effect.forkChild(stream.close, { startImmediately: true })
      assert.isUndefined(closing.pollUnsafe())
      socket.resetAndDestroy()
      yield* Fiber.join(closing)
    })))

  it("T01: a thousand times in a row before anybody has accepted it, the others do not notice", () =>
    run(Effect.gen(function*() {
      const { socket, stream } = yield* withBareSocket
      const port = socket.remotePort!
      for (let i = 0; i < 1000; i++) {
        const other = net.connect({ host: "127.0.0.1", port })
        other.on("error", () => {})
        yield* Effect.promise(() => new Promise((resolve) => other.once("connect", resolve)))
        other.resetAndDestroy()
      }
      yield* stream.send("still here")
      yield* until(() => socket.bytesRead === 10)
    })), 30_000)
})
