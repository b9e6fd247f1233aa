/** The ways in which sockets are read, which nobody sees from outside. */
import type { Socket } from "node:net"
import { Effect, Option, Stream } from "effect"
import type { Connection } from "effect-nursery/net/Network"
import { assert, describe, it } from "vitest"
import { run, text, withBareSocket } from "../sockets.ts"

const socketOf = (stream: Connection): Socket => (stream as unknown as { readonly socket: Socket }).socket
const givesDataEvents = (stream: Connection): boolean => socketOf(stream).listenerCount("data") > 0

/** So many messages there, one after the other. */
const talk = (socket: Socket, stream: Connection, messages: number, size = 10) =>
  Effect.gen(function*() {
    for (let i = 0; i < messages; i++) {
      const message = `${i}`.padStart(size, ".")
      socket.write(message)
      assert.strictEqual(text(Option.getOrThrow(yield* stream.receiveExactly(size))), message)
    }
  })

describe("a stream over a socket of Node", () => {
  it.skipIf(process.platform === "win32")("reads small messages into the buffer that all share, and gives each its own bytes", () =>
    run(Effect.gen(function*() {
      const { socket, stream } = yield* withBareSocket
      yield* talk(socket, stream, 7)
      assert.isTrue(givesDataEvents(stream))
      yield* talk(socket, stream, 10)
      assert.isFalse(givesDataEvents(stream))
      const kept: Array<Uint8Array> = []
      for (let i = 0; i < 20; i++) {
        socket.write(`message ${i}\n`)
        kept.push(Option.getOrThrow(yield* stream.receive))
      }
      assert.strictEqual(Buffer.concat(kept).toString(), Array.from({ length: 20 }, (_, i) => `message ${i}\n`).join(""))
    })))

  it("reads everything in that way, too: much, nothing, the end", () =>
    run(Effect.gen(function*() {
      const { socket, stream } = yield* withBareSocket
      yield* talk(socket, stream, 20)
      const bytes = Buffer.alloc(5_000_000, "0123456789abcdef")
      socket.write(bytes)
      assert.isTrue(bytes.equals(Option.getOrThrow(yield* stream.receiveExactly(bytes.length))))
      // Nobody receives: the socket has to stop, and to go on later.
      socket.write(bytes)
      socket.end("bye")
      yield* Effect.sleep(20)
      assert.isBelow(stream.bytesReceived, 200 + bytes.length + 4 * 65_536)
      const rest = Buffer.concat(yield* Stream.runCollect(stream.chunks))
      assert.isTrue(rest.equals(Buffer.concat([bytes, Buffer.from("bye")])))
      assert.isTrue(Option.isNone(yield* stream.receive))
    })))

  it("stays with data events where messages are large", () =>
    run(Effect.gen(function*() {
      const { socket, stream } = yield* withBareSocket
      for (let i = 0; i < 20; i++) yield* talk(socket, stream, 1, 100_000)
      assert.isTrue(givesDataEvents(stream))
    })))

  it("goes on with data events where Node cannot share a buffer", () =>
    run(Effect.gen(function*() {
      const { socket, stream } = yield* withBareSocket
      const { _handle: handle } = socketOf(stream) as unknown as { readonly _handle: object }
      Object.defineProperty(handle, "useUserBuffer", { value: undefined })
      yield* talk(socket, stream, 100)
      assert.isTrue(givesDataEvents(stream))
      socket.end()
      assert.isTrue(Option.isNone(yield* stream.receive))
    })))
})
