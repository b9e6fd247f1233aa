/**
 * What has changed in a turn of the event loop is written once, at its end.
 *
 * A hundred lines may come from ten users in one turn. If each were written to a thousand receivers at once, that would
 * be a hundred thousand writes. So lines only mark who has something to write, and one task, woken by the first mark,
 * takes its turn after those who are being read from now.
 */
import { Effect } from "effect"

/** Something that has output for its receivers. */
export interface Writer {
  /** Writes it. Whoever turns out to be too slow is told to `turn.after`. */
  flush(): void
}

export class Turn {
  private rooms: Array<Writer> = []
  private users: Array<Writer> = []
  private afterwards: Array<Effect.Effect<void>> = []
  private wake: (() => void) | undefined

  /** Marks a room: it has lines for many. A writer marks itself once until it is flushed. */
  room(writer: Writer): void {
    this.rooms.push(writer)
    this.wake?.()
  }

  /** Marks a user who has lines of their own. Rooms come first: they take those lines along. */
  user(writer: Writer): void {
    this.users.push(writer)
    this.wake?.()
  }

  /** To be done when everything is written: nothing may come or go in the middle of it. */
  after(effect: Effect.Effect<void>): void {
    this.afterwards.push(effect)
    this.wake?.()
  }

  /** Writes what is marked. */
  flush(): void {
    const { rooms, users } = this
    this.rooms = []
    this.users = []
    for (const room of rooms) room.flush()
    for (const user of users) user.flush()
  }

  private get isIdle(): boolean {
    return this.rooms.length === 0 && this.users.length === 0 && this.afterwards.length === 0
  }

  private readonly untilMarked = Effect.callback<void>((resume) => {
    if (!this.isIdle) return resume(Effect.void)
    this.wake = () => {
      this.wake = undefined
      resume(Effect.void)
    }
    return Effect.sync(() => {
      this.wake = undefined
    })
  })

  private readonly written = Effect.suspend(() => {
    this.flush()
    if (this.afterwards.length === 0) return Effect.void
    const afterwards = this.afterwards
    this.afterwards = []
    return Effect.forEach(afterwards, (effect) => effect, { discard: true })
  })

  /**
   * The task that writes, for ever, and does something more at the end of each turn. `yieldNow` lets everybody be read
   * first who has sent something in this turn.
   */
  run(finish: Effect.Effect<void>): Effect.Effect<never> {
    return this.untilMarked.pipe(
      Effect.andThen(Effect.yieldNow),
      Effect.andThen(this.written),
      Effect.andThen(finish),
      Effect.forever({ disableYield: true })
    )
  }
}
