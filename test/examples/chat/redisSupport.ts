/** Chat servers as processes that share a Redis, and people who talk to them over real sockets. */
import { Duration, Effect, Logger } from "effect"
import { once } from "node:events"
import * as net from "node:net"
import { chatServer } from "../../../examples/chat/ChatServer.ts"
import * as RedisBus from "../../../examples/chat/RedisBus.ts"
import type { RedisOptions } from "../../../examples/chat/RedisBus.ts"
import { type Started, start } from "../../node/main/start.ts"

export interface Server {
  readonly program: Started
  readonly port: number
}

/** A server process on a bus. */
export const startServer = async (url: string, name: string, ...args: ReadonlyArray<string>): Promise<Server> => {
  const program = start("examples/chat/server.ts", ["--port", "0", "--bus", url, "--bus-name", name, "--flood-limit", "off", ...args], { watchdogMillis: 120_000 })
  await program.prints(/listens on .+:\d+\n/)
  return { program, port: Number(/listens on [\d.]+:(\d+)\n/.exec(program.stdout())![1]) }
}

/** One connection, and the lines that came over it. */
export class Talker {
  readonly socket: net.Socket
  readonly heard: Array<string> = []
  received = ""
  isClosed = false
  private readonly looks = new Set<() => void>()

  constructor(port: number) {
    this.socket = net.connect({ host: "127.0.0.1", port })
    let rest = ""
    this.socket.setEncoding("utf8").on("data", (text: string) => {
      this.received += text
      const lines = (rest + text).split("\n")
      rest = lines.pop()!
      this.heard.push(...lines)
      this.look()
    })
    this.socket.on("error", () => {}).on("close", () => {
      this.isClosed = true
      this.look()
    })
  }

  private look(): void {
    for (const look of this.looks) look()
  }

  say(...lines: ReadonlyArray<string>): this {
    this.socket.write(lines.map((line) => `${line}\n`).join(""))
    return this
  }

  /** Waits until something is so; asked again when a line comes or the connection ends. */
  until(isSo: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const isNow = isSo()
        if (!isNow && !this.isClosed) return
        this.looks.delete(look)
        if (isNow) resolve()
        else reject(new Error(`the connection has ended without it; heard:\n${this.heard.join("\n")}`))
      }
      this.looks.add(look)
      look()
    })
  }

  /** Waits for a line that fits, at the earliest the one with this number; gives what it has in its first group. */
  async hears(pattern: string | RegExp, from = 0): Promise<string> {
    const isIt = (line: string) => typeof pattern === "string" ? line === pattern : pattern.test(line)
    await this.until(() => this.heard.slice(from).some(isIt))
    const line = this.heard.slice(from).find(isIt)!
    return typeof pattern === "string" ? line : pattern.exec(line)![1] ?? line
  }

  count(pattern: string | RegExp): number {
    return this.heard.filter((line) => typeof pattern === "string" ? line === pattern : pattern.test(line)).length
  }

  /** The lines of the chat, without their `SEQ`. */
  get chat(): ReadonlyArray<string> {
    return this.heard.flatMap((line) => /^SEQ \S+ (.*)$/u.exec(line)?.[1] ?? [])
  }

  get lastSeq(): string {
    return this.heard.flatMap((line) => /^SEQ (\S+) /u.exec(line)?.[1] ?? []).at(-1) ?? "-"
  }

  /** Is in the chat as this one. */
  async connect(name: string): Promise<this> {
    this.say(`CONNECT ${name}`)
    await this.hears(/^Welcome! /u)
    return this
  }

  /** The same, with acknowledgements and a token. */
  async connectCapable(name: string): Promise<string> {
    this.say("CAPS ack resume", `CONNECT ${name}`)
    return await this.hears(/^TOKEN (\S+)$/u)
  }

  /** Is gone without a word. */
  leave(): void {
    this.socket.destroy()
  }

  /** Leaves for good, if it is there. Whoever is gone without a word might come back. */
  async quit(): Promise<void> {
    if (this.isClosed) return
    const closed = new Promise((resolve) => this.socket.once("close", resolve))
    this.socket.end("/quit\n")
    await closed
  }
}

/** A server in this process, for what a whole process would be too slow. */
export const serveHere = async (options: Partial<RedisOptions> & { readonly url: string; readonly name: string }) => {
  let resolve: (port: number) => void
  let reject: (why: Error) => void
  const bound = new Promise<number>((...settle) => [resolve, reject] = settle)
  const stop = new AbortController()
  const server = Effect.flatMap(RedisBus.make({ giveUpAfter: 20_000, deadAfter: 20_000, resumeFor: 10_000, history: 50, resumeBytes: 1_048_576, ...options }), (bus) =>
    chatServer({ port: 0, bus, resumeFor: Duration.millis(options.resumeFor ?? 10_000) })(({ port }) => Effect.sync(() => resolve(port))))
  const ended = Effect.runPromiseExit(Effect.scoped(server).pipe(Effect.provide(Logger.layer([]))), { signal: stop.signal })
  void ended.then((exit) => reject(new Error(`the server has ended: ${String(exit)}`)))
  return {
    port: await bound,
    stop: async () => {
      stop.abort()
      await ended
    }
  }
}

/** A way to Redis that can be cut. */
export class Cable {
  readonly url: string
  private readonly server: net.Server
  private readonly pairs = new Set<readonly [near: net.Socket, far: net.Socket]>()
  private state: "whole" | "cut" | "deaf" = "whole"
  /** Requests that came while answers were lost. */
  private unanswered = ""
  private readonly looks = new Set<() => void>()

  private constructor(server: net.Server) {
    this.server = server
    this.url = `redis://127.0.0.1:${(server.address() as net.AddressInfo).port}`
  }

  static async lay(to: { readonly host: string; readonly port: number }): Promise<Cable> {
    const server = net.createServer()
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    const cable = new Cable(server)
    server.on("connection", (near) => cable.join(near, net.connect(to)))
    return cable
  }

  private join(near: net.Socket, far: net.Socket): void {
    const pair = [near, far] as const
    if (this.state !== "whole") return this.end(pair)
    this.pairs.add(pair)
    near.on("data", (bytes) => {
      if (this.state === "cut" || !this.pairs.has(pair)) return
      if (this.state === "deaf") this.unanswered += bytes.toString("latin1")
      far.write(bytes)
      for (const look of this.looks) look()
    })
    far.on("data", (bytes) => {
      if (this.state === "whole" && this.pairs.has(pair)) near.write(bytes)
    })
    for (const socket of pair) socket.on("error", () => {}).on("close", () => this.end(pair))
  }

  private end(pair: readonly [net.Socket, net.Socket]): void {
    this.pairs.delete(pair)
    for (const socket of pair) socket.on("error", () => {}).destroy()
  }

  /** Nothing goes through any more, in either direction; whoever is connected does not learn it. */
  cut(): void {
    this.state = "cut"
  }

  /** Redis hears, but its answers are lost. */
  deafen(): void {
    this.unanswered = ""
    this.state = "deaf"
  }

  /** Waits until Redis was asked this, to which the answer is lost. */
  asked(text: string): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!this.unanswered.includes(text)) return
        this.looks.delete(look)
        resolve()
      }
      this.looks.add(look)
      look()
    })
  }

  /** New connections work again. The old ones stay as they are: dead, and nobody says so. */
  bypass(): void {
    this.pairs.clear()
    this.state = "whole"
  }

  /** Works again, for new connections. */
  mend(): void {
    for (const pair of this.pairs) this.end(pair)
    this.state = "whole"
  }

  async remove(): Promise<void> {
    this.mend()
    for (const pair of this.pairs) this.end(pair)
    this.server.close()
    await once(this.server, "close")
  }
}
