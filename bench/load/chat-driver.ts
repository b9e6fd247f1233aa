/** The users of a chat: a program in C where there is a compiler, else the same in Node, which is slower. */
import { fileURLToPath } from "node:url"
import type { ChatProcess } from "./chat-process.ts"
import { compile } from "./Load.ts"
import { Program } from "./Program.ts"

export interface Delivered {
  /** Lines that have come and were as they must be, over all receivers. */
  readonly delivered: number
  readonly seconds: number
  /** From the moment a line was sent, or was due, until a receiver had it, in microseconds. */
  readonly p50: number
  readonly p99: number
  readonly max: number
  /** How many were told that the one has left who does not read. */
  readonly left: number
}

export class ChatUsers {
  private readonly program: Program

  constructor({ framing, port }: ChatProcess) {
    const args = ["127.0.0.1", String(port), framing]
    const compiled = compile("chat-load.c")
    this.program = compiled === undefined
      ? new Program(process.execPath, [fileURLToPath(new URL("chat-load.ts", import.meta.url)), ...args])
      : new Program(compiled, args)
    this.program.keepOn(1)
  }

  private async ask(command: string): Promise<Delivered> {
    return JSON.parse(await this.program.ask(command)) as Delivered
  }

  /** All connect and say their names; what is delivered are the notices. */
  join(users: number): Promise<Delivered> {
    return this.ask(`join ${users}`)
  }
  /** Each sender has `window` lines under way. */
  say(lines: number, senders: number, window: number, size: number): Promise<Delivered> {
    return this.ask(`say ${lines} ${senders} ${window} ${size}`)
  }
  /** So many lines a second, whether the earlier ones have come or not. */
  pace(lines: number, senders: number, perSecond: number, size: number): Promise<Delivered> {
    return this.ask(`pace ${lines} ${senders} ${perSecond} ${size}`)
  }
  /** The last user reads no more. */
  async stop(): Promise<void> {
    await this.program.ask("stop")
  }
  /** How long it may last until something comes, when something must. */
  async patience(seconds: number): Promise<void> {
    await this.program.ask(`patience ${seconds}`)
  }
  /** So many connections more that say nothing. */
  async idle(connections: number): Promise<void> {
    await this.program.ask(`idle ${connections}`)
  }
  end(): void {
    this.program.child.stdin!.end()
  }
}
