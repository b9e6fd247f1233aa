/**
 * What one client is to be told. It is written without waiting, and what the client's system does not take stays with the
 * stream: so a client needs no task for its output, and a slow one keeps nobody waiting. When too much of it stays, the
 * client is given up.
 */
import type * as Tcp from "effect-nursery/net/Tcp"
import * as Protocol from "./Protocol.ts"
import type { Room } from "./Room.ts"
import type { RoomLines } from "./RoomLines.ts"
import type { Stats } from "./Stats.ts"
import type { Addressee, Turn } from "./Turn.ts"

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

export class Outbox implements Addressee {
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
  /** How far it has heard what was said in its room: the position of the first line that it has not. */
  private heard = 0
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
    this.heard = room.lines.end
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
    this.takeOver(this.room.lines)
  }

  private takeOver(lines: RoomLines): void {
    const { heard, host } = this
    this.hear(lines)
    if (heard < lines.end) this.own += lines.textFrom(heard, this.withSeq, host.options.echo ? undefined : this)
    if (this.own !== "") this.mark()
  }

  private hear(lines: RoomLines): void {
    this.host.stats.linesOut += lines.end - this.heard
    this.heard = lines.end
  }

  /** It is told what it has not heard of this. Answers whether there was any. With few words: it is what the server does most. */
  deliver(lines: RoomLines): boolean {
    const { heard, host, own } = this
    if (heard === lines.end) return false
    if (this.greeting !== done || (!host.options.echo && lines.hasBy(this, heard))) {
      this.takeOver(lines)
      return true
    }
    this.hear(lines)
    const bytes = lines.bytesFrom(heard, this.withSeq)
    if (own === "") this.send(bytes)
    else {
      this.own = ""
      // One write is cheaper than two, also with the copy.
      this.send(Buffer.concat([Buffer.from(own), bytes]))
    }
    return true
  }

  flush(): void {
    this.isMarked = false
    // What is said in the room comes soon, and takes it along.
    if (this.room !== undefined && this.heard < this.room.saidUntil) return
    this.flushOwn()
  }

  private flushOwn(): void {
    if (this.own === "" || this.greeting !== done) return
    const own = this.own
    this.own = ""
    this.send(own)
  }

  /** Writes what there is, also an answer to somebody who never got a greeting. */
  flushNow(): void {
    if (this.greeting !== done) this.greet([])
    this.flushOwn()
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
