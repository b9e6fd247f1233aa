/** Copying, over sockets of each kind, which have a way of their own, and in memory, where it is a loop. */
import { Effect, Fiber, Option } from "effect"
import { Nursery } from "effect-nursery"
import { ByteStream } from "effect-nursery/net"
import { Instrument } from "effect-nursery/observe"
import { MemoryStream } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"
import { megabyte, numbered, pairs, receiveAll, run, text, waitsIn } from "./sockets.ts"

type Ends = readonly [ByteStream.ByteStream, ByteStream.ByteStream]

const kinds: ReadonlyArray<readonly [kind: string, pair: Effect.Effect<Ends, any, any>]> = [
  ...pairs,
  ["memory", MemoryStream.pair({ name: "left" })],
  ["lock-step memory", MemoryStream.lockstepPair({ name: "left" })]
]

const sendAll = (stream: ByteStream.ByteStream, bytes: Buffer) =>
  Effect.gen(function*() {
    for (let at = 0, size = 1; at < bytes.length; at += size, size = size * 3 % 100_003) yield* stream.send(bytes.subarray(at, at + size))
    yield* stream.sendEof
  })

const receiveText = (stream: ByteStream.ByteStream, length: number) => Effect.map(stream.receiveExactly(length), (bytes) => text(Option.getOrThrow(bytes)))

for (const [kind, pair] of kinds) {
  describe(`ByteStream.copy over ${kind}`, () => {
    it("brings 4 MiB through, as they are, to a peer that answers in the same way", () =>
      run(Effect.gen(function*() {
        const [client, near] = yield* pair
        const [far, server] = yield* pair
        const bytes = numbered(0, 4 * megabyte)
        const [back, echoed] = yield* Effect.all([
          receiveAll(client),
          Effect.tap(ByteStream.copy(server, server), () => server.sendEof),
          Effect.tap(ByteStream.copy(near, far), () => far.sendEof),
          Effect.tap(ByteStream.copy(far, near), () => near.sendEof),
          sendAll(client, bytes)
        ], { concurrency: "unbounded" })
        assert.isTrue(back.equals(bytes))
        assert.strictEqual(echoed, bytes.length)
      })), 30_000)

    it("gives the number of bytes, and leaves both streams open", () =>
      run(Effect.gen(function*() {
        const [client, near] = yield* pair
        const [far, server] = yield* pair
        yield* Effect.forkChild(Effect.andThen(Effect.andThen(client.send("abc"), client.send("defg")), client.sendEof))
        const copying = yield* Effect.forkChild(ByteStream.copy(near, far))
        assert.strictEqual(yield* receiveText(server, 7), "abcdefg")
        assert.strictEqual(yield* Fiber.join(copying), 7)
        assert.strictEqual(yield* ByteStream.copy(near, far), 0)
        yield* Effect.forkChild(Effect.andThen(far.send("!"), near.send("?")))
        assert.strictEqual(yield* receiveText(server, 1), "!")
        assert.strictEqual(yield* receiveText(client, 1), "?")
      })))

    it("receives no more than the other side takes", () =>
      run(Effect.gen(function*() {
        const [client, near] = yield* pair
        const [far, server] = yield* pair
        const bytes = numbered(0, 32 * megabyte)
        yield* Nursery.open((n) => Effect.gen(function*() {
          let sent = 0
          yield* n.startSoon(Effect.gen(function*() {
            for (; sent < bytes.length; sent += 65_536) yield* client.send(bytes.subarray(sent, sent + 65_536))
            yield* client.sendEof
          }), { name: "client" })
          const copying = yield* n.startSoon(Effect.tap(ByteStream.copy(near, far), () => far.sendEof), { name: "copy" })
          yield* waitsIn("copy (sending to")
          yield* waitsIn("client (sending to")
          assert.isBelow(sent, bytes.length)
          assert.isTrue((yield* receiveAll(server)).equals(bytes))
          assert.strictEqual(yield* copying.join, bytes.length)
        }))
      })), 30_000)

    it("loses no byte when it is cancelled while it waits for some", () =>
      run(Effect.gen(function*() {
        const [client, near] = yield* pair
        const [far, server] = yield* pair
        for (let i = 0; i < 20; i++) {
          const copying = yield* Effect.forkChild(ByteStream.copy(near, far), { startImmediately: true })
          yield* Effect.forkChild(client.send("a"))
          assert.strictEqual(yield* receiveText(server, 1), "a")
          yield* Fiber.interrupt(copying)
          const sending = yield* Effect.forkChild(client.send("b"), { startImmediately: true })
          assert.strictEqual(yield* receiveText(near, 1), "b")
          yield* Fiber.join(sending)
        }
      })))

    it("fails with what either stream fails with", () =>
      run(Effect.gen(function*() {
        const [client, near] = yield* pair
        const [far] = yield* pair
        yield* far.close
        yield* Effect.forkChild(Effect.ignore(client.send("abc")))
        assert.strictEqual((yield* Effect.flip(ByteStream.copy(near, far)))._tag, "Closed")

        yield* near.close
        assert.strictEqual((yield* Effect.flip(ByteStream.copy(near, near)))._tag, "Closed")

        // What it had not read makes the abort a reset.
        const [source, from] = yield* pair
        const [to, gone] = yield* pair
        yield* Effect.forkChild(Effect.ignore(to.send("unread")), { startImmediately: true })
        yield* gone.abort
        yield* Effect.forkChild(Effect.ignore(Effect.forever(Effect.andThen(source.send("abc"), Effect.sleep(1)))))
        assert.strictEqual((yield* Effect.flip(ByteStream.copy(from, to)))._tag, "Broken")
      })))

    it("ends while it waits for the other side, when that one is closed", () =>
      run(Effect.gen(function*() {
        const [client, near] = yield* pair
        const [far] = yield* pair
        yield* Nursery.open((n) => Effect.gen(function*() {
          const flood = yield* n.startSoon(Effect.ignore(Effect.forever(client.send(numbered(0, megabyte)))))
          const copying = yield* n.startSoon(Effect.flip(ByteStream.copy(near, far)), { name: "copy" })
          yield* waitsIn("copy (sending to")
          yield* far.abort
          assert.strictEqual((yield* copying.join)._tag, "Closed")
          yield* flood.cancel()
        }))
      })))

    it("shows what it waits for, and holds the receiving half", () =>
      run(Effect.gen(function*() {
        const [client, near] = yield* pair
        yield* Nursery.open((n) => Effect.gen(function*() {
          const copying = yield* n.startSoon(ByteStream.copy(near, near), { name: "echo" })
          yield* waitsIn("echo (receiving from")
          const error = yield* Effect.flip(near.receive)
          assert.strictEqual(error._tag, "Busy")
          assert.match(error.message, /is in use by echo$/)
          assert.strictEqual((yield* Effect.flip(ByteStream.copy(near, near)))._tag, "Busy")
          // Sending is free while it waits for bytes.
          yield* n.startSoon(near.send("hello "))
          assert.strictEqual(yield* receiveText(client, 6), "hello ")
          yield* n.startSoon(client.send("you"))
          assert.strictEqual(yield* receiveText(client, 3), "you")
          yield* client.sendEof
          assert.strictEqual(yield* copying.join, 3)
        }))
      })))
  })
}

for (const [kind, pair] of pairs) {
  it(`ByteStream.copy over ${kind} waits once for many pieces`, () =>
    run(Effect.gen(function*() {
      const [client, server] = yield* pair
      const talk = Effect.gen(function*() {
        for (let i = 0; i < 10; i++) {
          yield* client.send("ping")
          assert.strictEqual(yield* receiveText(client, 4), "ping")
        }
        yield* client.sendEof
      })
      const instrument = Instrument.make()
      yield* Nursery.open((n) => Effect.andThen(n.startSoon(ByteStream.copy(server, server)), talk)).pipe(Instrument.record(instrument))
      const waits = instrument.events().filter((event) => event._tag === "waiting" && event.task !== undefined)
      // The copy's, and the client's for each answer, and for its end.
      assert.strictEqual(waits.length, 12)
    })))
}
