/** The last things that happened, for users who come back. It forgets the oldest ones when they are too large together. */
import type { Stored } from "./Bus.ts"

/** What an event takes besides its texts, roughly. */
const eventBytes = 200

const sizeOf = ({ event }: Stored): number =>
  eventBytes + 2 * event.name.length + ("text" in event ? 2 * event.text.length : 0)

export class EventLog {
  private readonly maxBytes: number
  private events: Array<Stored> = []
  /** Where the oldest one that still counts lies in `events`. */
  private first = 0
  private bytes = 0
  /** How many were forgotten. */
  forgotten = 0

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }

  add(event: Stored): void {
    this.events.push(event)
    this.bytes += sizeOf(event)
    while (this.bytes > this.maxBytes && this.first < this.events.length) this.forgetFirst()
  }

  private forgetFirst(): void {
    this.bytes -= sizeOf(this.events[this.first++]!)
    this.forgotten++
    // Taking one after the other from the front of an array would move the rest each time.
    if (this.first > 1024 && this.first * 2 > this.events.length) {
      this.events = this.events.slice(this.first)
      this.first = 0
    }
  }

  /** The events from the one with this number on; the very first one has the number 0. */
  since(number: number): ReadonlyArray<Stored> {
    return this.events.slice(this.first + Math.max(0, number - this.forgotten))
  }
}
