/**
 * The receivers of one room at this process, who are told in rounds what was said.
 *
 * A round of a thousand receivers takes some seven milliseconds. It is not done in one go: after some writes, users are read
 * (Turn.ts), and what they have said meanwhile goes to the rest of the round with the same write; the others hear it in
 * the next round. So a line need not wait for the end of a round before its own begins, and still nobody is written to
 * more than once a round, however many lines there are.
 */
import type { Outbox, OutboxHost } from "./Outbox.ts"
import { RoomLines } from "./RoomLines.ts"
import type { Writer } from "./Turn.ts"

interface Round {
  readonly members: Iterator<Outbox, undefined>
  /** At most so many are still to be told. Whoever comes meanwhile has heard enough, and if many come, it would never end. */
  left: number
  /** When it is over, everybody has heard what was said before this position. */
  readonly until: number
}

const nextOf = (round: Round): Outbox | undefined => round.left-- > 0 ? round.members.next().value : undefined

export class Room implements Writer {
  readonly name: string
  readonly lines = new RoomLines()
  private readonly host: OutboxHost
  private readonly members = new Set<Outbox>()
  private round: Round | undefined
  /** Behind the last line that somebody has said. What comes after it is news, which can wait. */
  saidUntil = 0

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

  /** Somebody says something: it is written as soon as everybody has been read who has sent something in this turn. */
  say(line: string, seq: string, author: Outbox | undefined): void {
    if (this.members.size === 0) return
    this.lines.add(line, seq, author)
    this.saidUntil = this.lines.end
    this.host.turn.room(this)
  }

  /** Somebody has come or gone: that can wait a little. */
  tell(line: string, seq: string): void {
    if (this.members.size === 0) return
    this.lines.add(line, seq, undefined)
    this.host.turn.news(this)
  }

  flush(most: number): number {
    const { lines } = this
    let writes = 0
    let hasEnded = false
    while (writes < most) {
      if (this.round === undefined) {
        if (lines.first === lines.end) return writes
        if (hasEnded && this.saidUntil <= lines.first) {
          // Came while the others were told, and would keep us busy for as long as people come.
          this.host.turn.news(this)
          return writes
        }
        this.round = { members: this.members.values(), left: this.members.size, until: lines.end }
      }
      const member = nextOf(this.round)
      if (member !== undefined) {
        if (member.deliver(lines)) writes++
        continue
      }
      lines.dropBefore(this.round.until)
      this.round = undefined
      hasEnded = true
    }
    this.host.turn.room(this)
    return writes
  }
}
