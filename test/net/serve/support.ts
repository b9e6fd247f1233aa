/** What the tests of servers share: peers that know nothing of this library, a log that can be read, and a server around a body. */
import { type Cause, Effect, Logger, Result } from "effect"
import { CancelScope, Nursery, TaskTree } from "effect-nursery"
import type { Server, Tcp } from "effect-nursery/net"
import * as net from "node:net"

/** A peer that is a bare socket of Node. */
export class Peer {
  readonly socket: net.Socket
  received = ""
  /** The peer's end, or an error, has come. */
  readonly ended: Promise<"end" | string>
  readonly connected: Promise<void>
  private readonly looks = new Set<() => void>()

  constructor(at: net.TcpNetConnectOpts | net.IpcNetConnectOpts) {
    this.socket = net.connect({ ...at, allowHalfOpen: true })
    this.connected = new Promise((resolve, reject) => {
      this.socket.once("connect", resolve).once("error", reject)
    })
    this.connected.catch(() => {})
    this.socket.on("data", (bytes) => {
      this.received += bytes.toString("latin1")
      for (const look of this.looks) look()
    })
    this.ended = new Promise((resolve) => {
      this.socket.once("end", () => resolve("end")).once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
        .once("close", () => resolve("close"))
    })
  }

  say(text: string): this {
    this.socket.write(text)
    return this
  }

  /** Waits until it has received this. */
  hears(text: string): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!this.received.includes(text)) return
        this.looks.delete(look)
        resolve()
      }
      this.looks.add(look)
      look()
    })
  }

  leave(): void {
    this.socket.destroy()
  }
}

/** Peers that are gone when the block ends, so that a failed test leaves none. */
export const peers = Effect.acquireRelease(
  Effect.sync(() => {
    const all: Array<Peer> = []
    const dial = async (at: net.TcpNetConnectOpts): Promise<Peer> => {
      const peer = new Peer(at)
      all.push(peer)
      await peer.connected
      return peer
    }
    return {
      all,
      dial: ({ host, port }: { readonly host: string; readonly port: number }, from?: string) =>
        Effect.promise(() => dial({ host, port, ...(from === undefined ? {} : { localAddress: from }) }))
    }
  }),
  ({ all }) => Effect.sync(() => all.forEach((peer) => peer.leave()))
)

export interface Line {
  readonly level: string
  readonly message: string
  readonly cause: Cause.Cause<unknown>
}

/** What goes to the log. */
export const logged = () => {
  const lines: Array<Line> = []
  const looks = new Set<() => void>()
  const logger = Logger.make(({ cause, logLevel, message }) => {
    lines.push({ level: logLevel, message: (Array.isArray(message) ? message : [message]).map(String).join(" "), cause })
    for (const look of looks) look()
  })
  const says = (text: string | RegExp) => Effect.callback<Line>((resume) => {
    const look = () => {
      const line = lines.find(({ message }) => typeof text === "string" ? message.includes(text) : text.test(message))
      if (line === undefined) return
      looks.delete(look)
      resume(Effect.succeed(line))
    }
    looks.add(look)
    look()
    return Effect.sync(() => void looks.delete(look))
  })
  return { lines, says, layer: Logger.layer([logger]) }
}

const connectionsIn = (nodes: ReadonlyArray<TaskTree.Node>): ReadonlyArray<TaskTree.Node> =>
  nodes.flatMap((node) => node.kind === "task" && /^127\.0\.0\.\d+:\d+$/.test(node.name) ? [node] : connectionsIn(node.children))

const waitsBelow = (node: TaskTree.Node): ReadonlyArray<string> => [...node.waitsFor, ...node.children.flatMap(waitsBelow)]

/** Waits until so many handlers wait for what the text says. */
export const atWork = (count: number, waitingFor: RegExp): Effect.Effect<void> =>
  Effect.gen(function*() {
    for (;;) {
      const waiting = connectionsIn(yield* TaskTree.now).filter((node) => waitsBelow(node).some((label) => waitingFor.test(label)))
      if (waiting.length === count) return
      yield* Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
    }
  })

export interface Running {
  readonly address: Tcp.Bound
  readonly scope: CancelScope.CancelScope
  readonly server: Nursery.Task<Server.Report, unknown>
}

/** Runs `body` beside a server, then cancels the server if it still runs. */
export const beside = <A, E, R, E2, R2>(
  server: Nursery.Startable<Tcp.Bound, Server.Report, E2, R2>,
  body: (running: Running) => Effect.Effect<A, E, R>
) =>
  CancelScope.open((scope) =>
    Nursery.open((n) =>
      Effect.gen(function*() {
        let told: (address: Tcp.Bound) => void = () => {}
        const bound = new Promise<Tcp.Bound>((resolve) => told = resolve)
        const task = yield* n.startNow(
          Effect.suspend(() => server((address) => Effect.sync(() => told(address)))),
          { name: "tcp server" }
        )
        const address = yield* Effect.raceFirst(Effect.promise(() => bound), Effect.andThen(task.join, Effect.never))
        return yield* Effect.onExit(body({ address, scope, server: task }), () => task.cancel("the test is over"))
      }), { name: "test" }), { name: "around" }).pipe(Effect.map(Result.getOrThrow))
