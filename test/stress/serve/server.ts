/** An echo server that says what it holds when it gets SIGUSR2, as a line of JSON. Needs `--expose-gc`. */
import { Effect, Stream } from "effect"
import { Tcp } from "effect-nursery/net"
import { Main } from "effect-nursery/node"
import * as fs from "node:fs"

let connections = 0

const echo = (stream: Tcp.TcpStream) =>
  Effect.acquireUseRelease(
    Effect.sync(() => connections++),
    () => Stream.runForEach(stream.chunks, (bytes) => stream.send(bytes)),
    () => Effect.sync(() => connections--)
  )

process.on("SIGUSR2", () => {
  // Twice, with a turn between: what is freed in one may hold something until the next.
  globalThis.gc!()
  setTimeout(() => {
    globalThis.gc!()
    const { heapUsed, rss } = process.memoryUsage()
    console.log(JSON.stringify({ connections, rss, heap: heapUsed, descriptors: fs.readdirSync("/proc/self/fd").length }))
  }, 50)
})

const maxConnections = Number(process.argv[2] ?? Infinity)
Main.run(Tcp.serve(echo, { port: 0, maxConnections, endInputOnStop: true, onFailure: () => Effect.void })((address) =>
  Effect.sync(() => console.log(`listens on ${address.port}`))
))
