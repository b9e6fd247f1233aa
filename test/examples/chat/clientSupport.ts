/** What the tests of the chat client share: a terminal without a screen, and a server that does what it is told. */
import { Effect, Option } from "effect"
import { MemoryChannel } from "effect-nursery"
import * as net from "node:net"
import { type Line, textOf } from "../../../examples/terminal/Line.ts"
import type { Entered, Terminal } from "../../../examples/terminal/Terminal.ts"

export interface FakeTerminal {
  readonly terminal: Terminal
  /** What was printed, without styles. */
  readonly printed: Array<string>
  readonly complaints: Array<string>
  /** All prompts that there were. */
  readonly prompts: Array<string>
  readonly notes: () => ReadonlyArray<string>
  /** The user does this. */
  type(...lines: ReadonlyArray<string>): Effect.Effect<void>
  readonly interrupt: Effect.Effect<void>
  /** Ctrl-D, or the end of the input. */
  readonly end: Effect.Effect<void>
}

/** A terminal without a screen. */
export const fakeTerminal = (interactive: boolean): Effect.Effect<FakeTerminal> =>
  Effect.gen(function*() {
    const [sender, receiver] = yield* MemoryChannel.make<Option.Option<Entered>>(Infinity, { name: "typed" })
    const printed: Array<string> = []
    const complaints: Array<string> = []
    const prompts: Array<string> = []
    let notes: ReadonlyArray<string> = []
    const into = (texts: Array<string>) => (...lines: ReadonlyArray<Line>) => Effect.sync(() => void texts.push(...lines.map(textOf)))
    return {
      printed,
      complaints,
      prompts,
      notes: () => notes,
      terminal: {
        interactive,
        columns: 80,
        print: into(printed),
        complain: into(interactive ? printed : complaints),
        notes: (lines) => Effect.sync(() => void (notes = lines.map(textOf))),
        prompt: into(prompts),
        next: Effect.orDie(receiver.receive)
      },
      type: (...lines) => Effect.orDie(Effect.forEach(lines, (text) => sender.send(Option.some({ _tag: "Entered", text })), { discard: true })),
      interrupt: Effect.orDie(sender.send(Option.some({ _tag: "Interrupt" }))),
      end: Effect.orDie(sender.send(Option.none()))
    }
  })

/** One connection as a scripted server sees it. */
export class Guest {
  readonly socket: net.Socket
  heard = ""
  closed = false
  private readonly looking = new Set<() => void>()

  constructor(socket: net.Socket) {
    this.socket = socket
    socket.setEncoding("utf8").on("data", (text: string) => {
      this.heard += text
      this.look()
    })
    socket.on("error", () => {}).on("close", () => {
      this.closed = true
      this.look()
    })
  }

  say(text: string): this {
    this.socket.write(text)
    return this
  }

  /** Waits until the client has sent this, and gives what it has sent up to its end of line. */
  hears(pattern: string | RegExp): Promise<string> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const lines = this.heard.split("\n").slice(0, -1)
        const found = lines.find((line) => typeof pattern === "string" ? line === pattern : pattern.test(line))
        if (found !== undefined) resolve(found)
        else if (this.closed) reject(new Error(`the client is gone, it has sent ${JSON.stringify(this.heard)}`))
        else return
        this.looking.delete(look)
      }
      this.looking.add(look)
      look()
    })
  }

  get ended(): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (this.closed || this.socket.readableEnded) resolve()
      }
      this.looking.add(look)
      this.socket.on("end", look)
      look()
    })
  }

  private look(): void {
    for (const look of this.looking) look()
  }

  /** Lets the client in, with all that it has asked for. */
  async welcome(name: string): Promise<this> {
    await this.hears("CAPS ack resume history")
    this.say("CAPS ack resume history\n")
    await this.hears(`CONNECT ${name}`)
    return this.say(`Welcome! 1 user(s) are online!\nTOKEN t1\nHISTORY 0\nSEQ 1 ${name} connected!\n`)
  }

  /** Takes the next message, and says it to everybody. */
  async accept(text: string, name: string, seq: number): Promise<this> {
    const message = await this.hears(new RegExp(`^MSG \\S+ ${text}$`))
    const id = message.split(" ")[1]!
    return this.say(`ACK ${id}\nSEQ ${seq} ${name}: ${text}\n`)
  }
}

/** A server that does what the test says, well or badly. */
export class ScriptedServer {
  private readonly server = net.createServer({ allowHalfOpen: false }, (socket) => this.arrived(new Guest(socket)))
  private readonly guests: Array<Guest> = []
  private readonly waiting: Array<(guest: Guest) => void> = []
  port = 0

  static async listen(port = 0): Promise<ScriptedServer> {
    const scripted = new ScriptedServer()
    await new Promise<void>((resolve, reject) => scripted.server.on("error", reject).listen(port, "127.0.0.1", resolve))
    scripted.port = (scripted.server.address() as net.AddressInfo).port
    return scripted
  }

  private readonly all: Array<Guest> = []

  private arrived(guest: Guest): void {
    this.all.push(guest)
    const waiting = this.waiting.shift()
    if (waiting === undefined) this.guests.push(guest)
    else waiting(guest)
  }

  /** The next connection. */
  get guest(): Promise<Guest> {
    const guest = this.guests.shift()
    return guest === undefined ? new Promise((resolve) => this.waiting.push(resolve)) : Promise.resolve(guest)
  }

  /** Listens no more, and cuts off everybody. */
  stop(): Promise<void> {
    const stopped = new Promise<void>((resolve) => this.server.close(() => resolve()))
    for (const guest of this.all) guest.socket.destroy()
    return stopped
  }
}
