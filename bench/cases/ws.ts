/**
 * What does it cost to send one message to a thousand WebSockets, and to have two thousand that are silent?
 *
 * Beside it stands `ws`, on which it is built. The receivers are in a process of their own and compare every byte.
 */
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import type { WebSocket } from "effect-nursery/net"
import type { Case, Run, Target } from "../harness/Case.ts"
import { faster, ours, toldAtMost } from "../harness/Case.ts"

const receivers = 1000
const silent = 2000
const rounds = 100
/** 62 bytes with the frame around it, as in the measurements before this library was begun. */
const text = "{\"type\":\"count\",\"users\":1000,\"at\":\"2026-01-01T00:00:00.000\"}"
/** So many messages may be under way to each receiver. */
const underWay = 10

const connect = async (port: number, count: number): Promise<ChildProcess> => {
  const child = fork(fileURLToPath(new URL("./ws-receivers.ts", import.meta.url)), [String(port), String(count), text], { stdio: ["ignore", "ignore", "inherit", "ipc"] })
  child.once("exit", (code) => {
    if (code !== 0) process.exit(1)
  })
  await once(child, "message")
  return child
}

/** Sends to all, again and again, with some under way at a time. */
const fanOut = async (port: number, sendToAll: () => unknown): Promise<Run> => {
  const child = await connect(port, receivers)
  return async (n) => {
    const all = Math.max(1, Math.round(n / receivers))
    for (let sent = 0; sent < all;) {
      const some = Math.min(underWay, all - sent)
      const received = once(child, "message")
      child.send(some)
      for (let i = 0; i < some; i++) await sendToAll()
      await received
      sent += some
    }
    // A section of fewer than a thousand is a round all the same.
    return n
  }
}

const ws = async () => {
  const { WebSocketServer } = await import("ws")
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false })
  await once(server, "listening")
  const messages: { seen: number } = { seen: 0 }
  // What everybody has who serves more than a benchmark.
  server.on("connection", (socket) => {
    socket.on("message", () => messages.seen++)
    socket.on("error", () => {})
  })
  return { server, port: (server.address() as AddressInfo).port }
}

const nursery = async () => {
  const Effect = await import("effect/Effect")
  const { WebSocket } = await import("effect-nursery/net")
  const Nursery = await import("effect-nursery/Nursery")
  const streams = new Set<WebSocket.ServerStream>()
  const handler = (stream: WebSocket.ServerStream) => {
    streams.add(stream)
    return Effect.ensuring(stream.receive, Effect.sync(() => streams.delete(stream)))
  }
  const port = await new Promise<number>((resolve) => {
    const server = WebSocket.serve(handler, { port: 0 })
    void Effect.runPromise(Nursery.open((n) => n.start(server).pipe(Effect.map(({ port }) => resolve(port)))))
  })
  return { Effect, WebSocket, streams, port }
}

const fanOutRaw = async (): Promise<Run> => {
  const { port, server } = await ws()
  return fanOut(port, () => {
    for (const socket of server.clients) socket.send(text)
  })
}

const fanOutRawBuffer = async (): Promise<Run> => {
  const { port, server } = await ws()
  return fanOut(port, () => {
    const bytes = Buffer.from(text)
    for (const socket of server.clients) socket.send(bytes, { binary: false })
  })
}

const fanOutOurs = async (): Promise<Run> => {
  const { Effect, WebSocket, port, streams } = await nursery()
  return fanOut(port, () => Effect.runPromise(WebSocket.broadcast(streams, text)))
}

const fanOutSends = async (): Promise<Run> => {
  const { Effect, port, streams } = await nursery()
  const sendToAll = Effect.gen(function*() {
    for (const stream of streams) yield* stream.send(text)
  })
  return fanOut(port, () => Effect.runPromise(sendToAll))
}

// --- idle ---

const resident = "resident memory of an idle connection, KiB"
const heap = "heap of an idle connection, KiB"

const idle = async (port: number): Promise<Run> => {
  const settled = async () => {
    globalThis.gc?.()
    await new Promise((resume) => setTimeout(resume, 50))
    globalThis.gc?.()
    return process.memoryUsage()
  }
  // The first ones bring code and pools that those after them find.
  const first = await connect(port, 100)
  const before = await settled()
  const others = await connect(port, silent)
  const after = await settled()
  return async (n, _, tell) => {
    tell(resident, (after.rss - before.rss) / 1024 / silent)
    tell(heap, (after.heapUsed - before.heapUsed) / 1024 / silent)
    if (first.exitCode !== null || others.exitCode !== null) throw new Error("the receivers have gone")
    return n
  }
}

const idleRaw = async (): Promise<Run> => idle((await ws()).port)
const idleOurs = async (): Promise<Run> => idle((await nursery()).port)

const besideWs: Target = { ...faster("ws", 0.95, 1), what: `${ours}, CPU of a delivery: of the speed of raw ws` }

const deliveries = receivers * rounds

export const webSocket: ReadonlyArray<Case> = [
  {
    name: "ws",
    question: `What does one message to ${receivers} WebSockets cost, for each of them?`,
    reference: "ws",
    sides: {
      [ours]: { n: deliveries, load: fanOutOurs, note: "`broadcast`: one frame, shared" },
      [`${ours}, send`]: { n: deliveries, load: fanOutSends, note: "`yield* stream.send(text)` for each" },
      ws: { n: deliveries, load: fanOutRaw, note: "`send(text)` for each" },
      "ws, one buffer": { n: deliveries, load: fanOutRawBuffer, note: "the text encoded once, the frame for each" }
    },
    targets: [besideWs, faster("ws, one buffer", 0.95, 1)]
  },
  {
    name: "ws-idle",
    question: `What does a WebSocket cost that is silent, of ${silent}?`,
    reference: "ws",
    sides: {
      [ours]: { n: 1, warm: 1, load: idleOurs, note: "each has a task that receives" },
      ws: { n: 1, warm: 1, load: idleRaw, note: "each has two listeners" }
    },
    targets: [toldAtMost(resident, " KiB", 32, 24), toldAtMost(heap, " KiB", 16, 10)]
  }
]
