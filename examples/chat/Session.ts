/** One connection: from its first line to its end, whatever ends it. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Tcp from "effect-nursery/net/Tcp"
import type { Line, Token } from "./Bus.ts"
import type { Chat } from "./Chat.ts"
import * as Commands from "./Commands.ts"
import * as Entrance from "./Entrance.ts"
import { FloodLimit } from "./FloodLimit.ts"
import { type Flaw, LineReader } from "./LineReader.ts"
import * as Log from "./Log.ts"
import { Outbox } from "./Outbox.ts"
import * as Protocol from "./Protocol.ts"
import { flawed, goingDown, refusalOf } from "./Refusals.ts"
import type { LeaveReason } from "./Stats.ts"

/** Who speaks. */
export interface Self {
  readonly token: Token
  readonly name: string
}

const nothing: ReadonlySet<Protocol.Capability> = new Set()

/** CAPS, RESUME, and some names. */
const mostTries = 20

export class Session {
  readonly chat: Chat
  readonly stream: Tcp.TcpStream
  readonly outbox: Outbox
  /** What the client has asked for with CAPS. */
  granted: ReadonlySet<Protocol.Capability> = nothing
  private readonly lines: LineReader
  private readonly flood: FloodLimit | undefined
  /** Lines of the chunk in hand that were too many. */
  private flooded = 0
  /** Lines before CONNECT has succeeded. */
  private tries = 0
  /** From CONNECT on. */
  private self: Self | undefined
  /** Why this connection ends. From then on nothing is taken in. */
  private leaving: LeaveReason | undefined

  constructor(chat: Chat, stream: Tcp.TcpStream) {
    const { floodLimit, maxLine } = chat.options
    this.chat = chat
    this.stream = stream
    this.lines = new LineReader(maxLine)
    this.flood = floodLimit === undefined ? undefined : new FloodLimit(floodLimit, chat.now)
    this.outbox = new Outbox(stream, chat, this)
  }

  /** The whole conversation. It ends when either side ends it, and the connection is closed then. */
  readonly run: Effect.Effect<void> = Effect.suspend(() => {
    const { chat } = this
    chat.connections.add(this)
    chat.stats.connected++
    chat.connecting.start(this)
    // Accepted in the last moment: the others have been told already.
    if (chat.isStopping) this.part("shutdown", goingDown)
    // All that has come is taken in at once: many lines in one step of this task.
    const step = Effect.flatMap(this.stream.receive, (bytes) => Option.isNone(bytes) ? this.leavesBecause("end") : this.take(bytes.value))
    return Effect.whileLoop({ while: () => this.leaving === undefined, body: () => step, step: () => {} }).pipe(
      Effect.catchTag("Broken", () => this.leavesBecause("reset")),
      // Nobody else closes this stream or receives from it.
      Effect.orDie,
      Effect.onExit((exit) => this.leave(exit))
    )
  })

  private leavesBecause(reason: LeaveReason): Effect.Effect<void> {
    return Effect.sync(() => {
      this.leaving ??= reason
    })
  }

  /** Is somebody from here on, or is called something else. */
  becomes(self: Self): void {
    this.self = self
    this.chat.users.set(self.token, this)
  }

  /** The name was taken after all, or somebody else goes on as this user. */
  becomesNobody(token: Token): void {
    this.self = undefined
    this.chat.users.delete(token)
  }

  // --- what comes ---

  private take(bytes: Uint8Array): Effect.Effect<void> {
    if (this.leaving !== undefined) return Effect.void
    // Half a line counts, too: whoever types slowly is there.
    if (this.self !== undefined) this.chat.idle.start(this)
    const lines = this.lines.read(bytes)
    return lines.length === 0 ? Effect.void : this.handle(lines, 0)
  }

  /** Lines in their order. What is merely said is said together; with anything else the lines behind it wait. */
  private handle(lines: ReadonlyArray<string | Flaw>, from: number): Effect.Effect<void> {
    const said: Array<Line> = []
    for (let i = from; i < lines.length && this.leaving === undefined; i++) {
      const act = this.self === undefined ? this.knock(lines[i]!) : this.understand(this.self, lines[i]!, said)
      if (act === undefined) continue
      const rest = Effect.andThen(act, Effect.suspend(() => this.handle(lines, i + 1)))
      return said.length === 0 ? rest : Effect.andThen(this.say(said), rest)
    }
    if (this.flooded > 0) this.tellFlood()
    return said.length === 0 ? Effect.void : this.say(said)
  }

  /** A line of somebody who is not a user yet. Whoever tries one name after the other does not go on for long. */
  private knock(line: string | Flaw): Effect.Effect<void> | undefined {
    if (this.tries++ < mostTries) return Entrance.enter(this, line)
    this.part("refused", Protocol.refusal("flood", `at most ${mostTries} lines before CONNECT has succeeded`))
    return undefined
  }

  /** A line of a user. What is to be said is put to `said`; what is wrong is answered; what takes a command is given back. */
  private understand(self: Self, line: string | Flaw, said: Array<Line>): Effect.Effect<void> | undefined {
    this.chat.stats.linesIn++
    const withIds = this.granted.has("ack")
    if (typeof line !== "string") return this.refuse(flawed(line, this.chat.options.maxLine), withIds ? Protocol.idIn(line.head) : undefined)
    const { id, text } = withIds ? Protocol.readNumbered(line) : { id: undefined, text: line }
    const heard = Protocol.readSaid(text)
    if (heard._tag === "Nothing") return this.accept(id)
    if (this.flood !== undefined && !this.flood.allows(this.chat.now)) return this.refuseFlood(this.flood, id)
    if (heard._tag === "Command") {
      return Effect.match(Commands.run(this, self, heard, id), {
        onFailure: (why) => this.refuse(refusalOf(why), id),
        onSuccess: () => this.accept(id)
      })
    }
    said.push({ id, manner: "Said", text: heard.text })
    return undefined
  }

  private say(lines: ReadonlyArray<Line>): Effect.Effect<void> {
    return Effect.match(this.chat.bus.say(this.self!.token, lines), {
      onFailure: (why) => lines.forEach(({ id }) => this.refuse(refusalOf(why), id)),
      onSuccess: () => lines.forEach(({ id }) => this.accept(id))
    })
  }

  // --- answers ---

  private accept(id: string | undefined): undefined {
    if (id !== undefined) this.outbox.write(Protocol.ack(id))
  }

  refuse(why: Protocol.Refusal, id?: string): undefined {
    this.outbox.write(id === undefined ? Protocol.error(why) : Protocol.nak(id, why))
  }

  private refuseFlood(flood: FloodLimit, id: string | undefined): undefined {
    if (id === undefined) this.flooded++
    else this.refuse(Protocol.refusal("flood", `not said: ${flood.words}`), id)
  }

  // One answer for many lines: it must not cost more to refuse them than to say them.
  private tellFlood(): void {
    this.refuse(Protocol.refusal("flood", `${this.flooded} ${this.flooded === 1 ? "line was" : "lines were"} not said: ${this.flood!.words}`))
    this.flooded = 0
  }

  // --- the end ---

  /** The client has done something after which we part. It is told why. */
  part(reason: LeaveReason, why?: Protocol.Refusal): void {
    if (this.leaving !== undefined) return
    this.leaving = reason
    if (why !== undefined) this.outbox.farewell(Protocol.error(why))
  }

  /** The server parts from the client, at any time. */
  drop(why: Protocol.Refusal, reason: LeaveReason): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.leaving !== undefined) return Effect.void
      this.part(reason, why)
      // Wakes whoever receives here.
      return this.stream.endInput
    })
  }

  /** Whoever writes to a room has found that this one is slow, and goes on with the others first. */
  isSlow(): void {
    const { options, turn } = this.chat
    turn.after(this.drop(Protocol.refusal("slow", `more than ${options.outbox} bytes were waiting for you`), "slow"))
  }

  /** The user goes on over another connection. */
  replaced(): void {
    if (this.self !== undefined) this.becomesNobody(this.self.token)
    this.partSoon("resumed", Protocol.refusal("resumed", "you are here with another connection"))
  }

  /** Some other process took ours for dead, and has told everybody that the user has left. */
  forgotten(): void {
    this.partSoon("failed", Protocol.refusal("unavailable", "this server was cut off, and the others were told that you have left: come back"))
  }

  /** Nothing is taken in any more; whoever receives here is woken at the end of the turn, not in the middle of somebody else's step. */
  private partSoon(reason: LeaveReason, why: Protocol.Refusal): void {
    this.part(reason, why)
    this.chat.turn.after(this.stream.endInput)
  }

  private leave(exit: Exit.Exit<void>): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { chat, outbox, self } = this
      const reason = this.leaving ??= Exit.isSuccess(exit) ? "end" : Exit.hasInterrupts(exit) ? "shutdown" : "failed"
      chat.connections.delete(this)
      chat.connecting.stop(this)
      chat.idle.stop(this)
      chat.stats.connected--
      chat.stats.leave(reason)
      // In this order: nobody reads that they themselves have left.
      outbox.leaveRoom()
      outbox.flushNow()
      const told = Log.left(this, self, reason)
      if (self === undefined) return told
      chat.users.delete(self.token)
      // Who has lost the connection may come back. Nobody is told before the time for that is over.
      const mayComeBack = this.granted.has("resume") && (reason === "end" || reason === "reset" || reason === "unavailable")
      const gone = mayComeBack
        ? Effect.andThen(Effect.sync(() => chat.away.start(self.token)), chat.bus.away(self.token, chat.away.millis))
        : chat.bus.leave(self.token)
      return Effect.andThen(Effect.catchTag(gone, "Unavailable", () => Log.notTold(this, self)), told)
    })
  }
}
