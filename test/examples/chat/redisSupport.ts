/** Chat servers as processes that share a Redis, and people who talk to them over real sockets. */
import * as net from "node:net"
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
