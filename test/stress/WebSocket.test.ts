import * as net from "node:net"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { Effect, Option, Stream } from "effect"
import { Nursery, TaskTree } from "effect-nursery"
import { WebSocket } from "effect-nursery/net"
import { assert, describe, it } from "vitest"
import { request } from "../net/rawWebSocket.ts"
import { serving } from "../net/webSocketServer.ts"

const echo = (stream: WebSocket.ServerStream) => Stream.runForEach(stream.messages, (message) => stream.send(message))

const turn = () => new Promise((resume) => setImmediate(resume))

/** The connections that the server has not let go of. */
const sockets = () => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length

const settled = async (most: number): Promise<void> => {
  const end = performance.now() + 30_000
  while (sockets() > most) {
    if (performance.now() > end) throw new Error(`${sockets()} sockets are left`)
    await turn()
  }
}

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc") as () => void

/** Bytes that are in use when all is collected that can be. */
const used = async (): Promise<number> => {
  for (let i = 0; i < 3; i++) {
    collect()
    await turn()
  }
  return process.memoryUsage().heapUsed
}

describe("WebSocket under load", () => {
  it("lets go of all that come and go, in whichever way, and of their memory", () =>
    serving(echo, {}, async ({ logged, port, url }) => {
      const visit = (i: number) =>
        Effect.scoped(Effect.gen(function*() {
          const stream = yield* WebSocket.connect(url)
          const message = "x".repeat(i % 3000)
          yield* stream.send(message)
          assert.deepStrictEqual(yield* stream.receive, Option.some(message))
          if (i % 3 === 0) yield* stream.abort
          else if (i % 3 === 1) yield* stream.close(4000, "enough")
        }))
      const round = () => Effect.runPromise(Effect.forEach(Array.from({ length: 1000 }, (_, i) => i), visit, { concurrency: 50, discard: true }))
      await round()
      await settled(0)
      const before = await used()
      for (let i = 0; i < 5; i++) await round()
      await settled(0)
      // 10,000 ends that were kept would have 3 KiB each, at the least.
      assert.isBelow(await used() - before, 5e6)
      assert.strictEqual(logged().filter((line) => line.startsWith("Error")).length, 0)

      // Reset at whatever time: before the handshake, within it, after it.
      for (let i = 0; i < 1000; i++) {
        const socket = net.connect(port, "127.0.0.1").on("error", () => {})
        socket.on("connect", () => {
          socket.write(request())
          if (i % 5 === 0) socket.resetAndDestroy()
          else setTimeout(() => socket.resetAndDestroy(), i % 5)
        })
        if (i % 50 === 0) await turn()
      }
      await settled(0)
      for (const line of logged()) assert.notMatch(line, /task \d+|Error/)
      const tree = await Effect.runPromise(Effect.map(TaskTree.now, TaskTree.toText))
      assert.notMatch(tree, /127\.0\.0\.1:\d+/)
      await Effect.runPromise(visit(5))
    }), 120_000)

  it("tells 3,000 at once, who all have the same bytes, and ends them when it stops", () => {
    const streams = new Set<WebSocket.ServerStream>()
    const handler = (stream: WebSocket.ServerStream) => {
      streams.add(stream)
      return Effect.ensuring(stream.receive, Effect.sync(() => streams.delete(stream)))
    }
    return serving(handler, { backlog: 4096 }, async ({ stop, url }) => {
      const count = 3000
      let got = 0
      let over = 0
      const listener = Effect.scoped(Effect.gen(function*() {
        const stream = yield* WebSocket.connect(url)
        yield* Stream.runForEach(stream.messages, (message) => Effect.sync(() => {
          assert.strictEqual(message, "to all")
          got++
        }))
        assert.strictEqual((yield* stream.whenClosed).code, 1001)
        over++
      }))
      const listening = Effect.runPromise(Nursery.open((n) =>
        Effect.gen(function*() {
          for (let i = 0; i < count; i++) {
            yield* n.startSoon(listener)
            while (i - streams.size > 200) yield* Effect.promise(turn)
          }
        })
      ))
      while (streams.size < count) await turn()
      assert.isAtLeast(sockets(), count)
      for (let i = 0; i < 5; i++) await Effect.runPromise(WebSocket.broadcast(streams, "to all"))
      while (got < 5 * count) await turn()
      const report = await stop()
      await listening
      assert.deepStrictEqual([over, report.drained, report.forced], [count, count, 0])
    })
  }, 120_000)
})
