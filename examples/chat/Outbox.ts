/**
 * What one client is to be told. It is written without waiting, and what the client's system does not take stays with the
 * stream: so a client needs no task for its output, and a slow one keeps nobody waiting. When too much of it stays, the
 * client is given up.
 */
import type * as Tcp from "effect-nursery/net/Tcp"
import type { Batch } from "./Batch.ts"
import * as Protocol from "./Protocol.ts"
import type { Room } from "./Room.ts"
import type { Stats } from "./Stats.ts"
import type { Turn, Writer } from "./Turn.ts"

/** What all outboxes of a server have in common. */
export interface OutboxHost {
  readonly options: {
    /** So many bytes may wait for a client. */
    readonly outbox: number
    /** Whether clients hear what they have said themselves. */
    readonly echo: boolean
  }
  readonly turn: Turn
  readonly stats: Stats
}

/** Whose outbox it is. */
export interface Owner {
  /** The client has left more waiting than it may. Called once. */
  isSlow(): void
}

/** While a user comes in, what the others say has to wait behind the greeting. */
type Greeting = { readonly _tag: "Done" } | { readonly _tag: "Awaited"; readonly before: string }

const done: Greeting = { _tag: "Done" }

export class Outbox implements Writer {
  private readonly stream: Tcp.TcpStream
  private readonly host: OutboxHost
  private readonly owner: Owner
  /** Lines have their `SEQ`. */
  withSeq = false
  /** What is for this client alone, or was said in a room before it left, and is not written yet. */
  private own = ""
  private isMarked = false
  private greeting: Greeting = done
  private room: Room | undefined
  /** Its first line in the batch of its room. */
  private from = 0
  private isGivenUp = false

  constructor(stream: Tcp.TcpStream, host: OutboxHost, owner: Owner) {
    this.stream = stream
    this.host = host
    this.owner = owner
  }

  /** A line for this client alone, that does not belong to the chat: an answer, an error. */
  write(line: string): void {
    this.own += `${line}\n`
    this.mark()
  }

  /** A line of the chat for this client alone. It comes behind what was said in the room before. */
  whisper(line: string, seq: string): void {
    this.settle()
    this.write(this.withSeq ? Protocol.seq(seq, line) : line)
  }

  private mark(): void {
    if (this.isMarked || this.greeting !== done) return
    this.isMarked = true
    this.host.turn.user(this)
  }

  /** From now on it hears what is said in a room. */
  enter(room: Room): void {
    this.leaveRoom()
    this.room = room
    this.from = room.batch.length
    room.add(this)
  }

  leaveRoom(): void {
    this.settle()
    this.room?.remove(this)
    this.room = undefined
  }

  /** Everything that comes from now on waits for `greet`. */
  awaitGreeting(): void {
    this.greeting = { _tag: "Awaited", before: this.own }
    this.own = ""
  }

  greet(lines: ReadonlyArray<string>): void {
    const before = this.greeting._tag === "Awaited" ? this.greeting.before : ""
    this.own = before + lines.map((line) => `${line}\n`).join("") + this.own
    this.greeting = done
    this.mark()
  }

  /** Takes over what was said in the room, so that something else can come behind it. */
  private settle(): void {
    if (this.room === undefined) return
    const { batch } = this.room
    this.own += this.textOf(batch)
    this.from = batch.length
    if (this.own !== "") this.mark()
  }

  private textOf(batch: Batch): string {
    if (this.from === batch.length) return ""
    return batch.textFrom(this.from, this.withSeq, this.host.options.echo ? undefined : this)
  }

  /** The turn of its room is over. With few words: it is what the server does most. */
  deliver(batch: Batch, isMuted: boolean): void {
    if (this.own === "" && this.from === 0 && this.greeting === done && !isMuted) this.send(batch.bytes(this.withSeq))
    else this.deliverOwn(batch, isMuted)
  }

  private deliverOwn(batch: Batch, isMuted: boolean): void {
    const { from, own } = this
    if (this.greeting !== done || isMuted) {
      this.own += this.textOf(batch)
      this.from = 0
      if (this.own !== "") this.mark()
      return
    }
    this.from = 0
    if (from === batch.length) return
    this.own = ""
    // One write is cheaper than two, also with the copy.
    const bytes = batch.bytesFrom(from, this.withSeq)
    this.send(own === "" ? bytes : Buffer.concat([Buffer.from(own), bytes]))
  }

  flush(): void {
    this.isMarked = false
    if (this.own === "" || this.greeting !== done) return
    const own = this.own
    this.own = ""
    this.send(own)
  }

  /** Writes what there is, also an answer to somebody who never got a greeting. */
  flushNow(): void {
    if (this.greeting !== done) this.greet([])
    this.flush()
  }

  private send(data: Uint8Array | string): void {
    if (this.isGivenUp) return
    // `undefined`: the connection is gone. Whoever receives from it learns why.
    const unsent = this.stream.offerUnsafe(data)
    if (unsent === undefined || unsent === 0) return
    const { options, stats } = this.host
    if (unsent > stats.outboxPeak) stats.outboxPeak = unsent
    if (unsent <= options.outbox) return
    this.isGivenUp = true
    this.owner.isSlow()
  }

  /** The last line, also for a client that was given up. */
  farewell(line: string): void {
    this.leaveRoom()
    if (!this.isGivenUp) {
      this.write(line)
      this.flushNow()
    } else this.stream.offerUnsafe(`${line}\n`)
    this.isGivenUp = true
  }
}
