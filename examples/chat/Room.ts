/** The receivers of one room at this process. All that is said in a turn is written once to each, at its end. */
import { Batch } from "./Batch.ts"
import type { Outbox, OutboxHost } from "./Outbox.ts"
import type { Writer } from "./Turn.ts"

export class Room implements Writer {
  readonly name: string
  private readonly host: OutboxHost
  private readonly members = new Set<Outbox>()
  /** What was said in this turn. */
  batch = new Batch()
  /** It will be written at the end of this turn. */
  private isMarked = false

  constructor(name: string, host: OutboxHost) {
    this.name = name
    this.host = host
  }

  get size(): number {
    return this.members.size
  }

  /** Somebody comes in: hears what is said from now on. */
  add(member: Outbox): void {
    this.members.add(member)
  }

  remove(member: Outbox): void {
    this.members.delete(member)
  }

  /** Somebody says something: it is written at the end of this turn. */
  say(line: string, seq: string, author: Outbox | undefined): void {
    if (this.members.size === 0) return
    this.batch.add(line, seq, author)
    if (this.isMarked) return
    this.isMarked = true
    this.host.turn.room(this)
  }

  /** Somebody has come or gone: that can wait a little. */
  tell(line: string, seq: string): void {
    if (this.members.size === 0) return
    this.batch.add(line, seq, undefined)
    if (!this.isMarked) this.host.turn.news(this)
  }

  flush(): void {
    const { batch } = this
    this.isMarked = false
    if (batch.length === 0) return
    // First of all: what is said while it is written belongs to the next turn.
    this.batch = new Batch()
    const { options, stats } = this.host
    for (const member of this.members) member.deliver(batch, !options.echo && batch.isBy(member))
    stats.linesOut += batch.length * this.members.size
  }
}
