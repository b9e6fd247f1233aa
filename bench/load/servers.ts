/** The echo servers that are compared: each starts one in this process and returns its port. */
import type { Effect } from "effect/Effect"
import type * as ByteStream from "effect-nursery/net/ByteStream"
import type * as Tcp from "effect-nursery/net/Tcp"
import type { AddressInfo } from "node:net"

export type Server = () => Promise<number>

const served = async (handler: (stream: Tcp.TcpStream) => Effect<unknown, ByteStream.StreamError>): Promise<number> => {
  const Effect = await import("effect/Effect")
  const Tcp = await import("effect-nursery/net/Tcp")
  return await new Promise((resolve) => {
    Effect.runFork(Tcp.serve(handler, { port: 0 })((address) => Effect.sync(() => resolve(address.port))))
  })
}

/** As in examples/echo. */
export const ours: Server = async () => {
  const ByteStream = await import("effect-nursery/net/ByteStream")
  return await served((stream) => ByteStream.copy(stream, stream))
}

/** What comes is received and sent back, and then again: as a handler does that looks at it. */
export const oursByLoop: Server = async () => {
  const Effect = await import("effect/Effect")
  return await served((stream) => {
    const again: Effect<void, ByteStream.StreamError> = Effect.flatMap(
      stream.receive,
      (bytes) => bytes._tag === "None" ? Effect.void : Effect.flatMap(stream.send(bytes.value), () => again)
    )
    return again
  })
}

/** The same as one writes it, with a stream of Effect. */
export const oursByStream: Server = async () => {
  const Stream = await import("effect/Stream")
  return await served((stream) => Stream.runForEach(stream.chunks, (bytes) => stream.send(bytes)))
}

/** As short as it can be without a peer that does not read filling the memory. */
export const raw: Server = async () => {
  const net = await import("node:net")
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on("data", (bytes) => {
      if (socket.write(bytes)) return
      socket.pause()
      socket.once("drain", () => socket.resume())
    })
    socket.on("end", () => socket.end())
    socket.on("error", () => socket.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", 511, resolve))
  return (server.address() as AddressInfo).port
}

export const effect: Server = async () => {
  const Effect = await import("effect/Effect")
  const NodeSocketServer = await import("@effect/platform-node/NodeSocketServer")
  const server = Effect.gen(function*() {
    const server = yield* NodeSocketServer.make({ host: "127.0.0.1", port: 0 })
    const run = server.run((socket) =>
      Effect.scoped(Effect.gen(function*() {
        const reader = yield* socket.reader
        const writer = yield* socket.writer
        while (true) yield* writer.writeAll(yield* reader.pull)
        // The end of the peer is an error there.
      })).pipe(Effect.ignore)
    )
    yield* Effect.forkDetach(run)
    return server.address._tag === "UnixPathAddress" ? 0 : server.address.port
  })
  const Scope = await import("effect/Scope")
  return await Effect.runPromise(Scope.provide(server, Scope.makeUnsafe()))
}
