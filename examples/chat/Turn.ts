/**
 * What has changed in a turn of the event loop is written once, after it.
 *
 * A hundred lines may come from ten users in one turn. If each were written to a thousand receivers at once, that would
 * be a hundred thousand writes. So lines only mark who has something to write, and one task, woken by the first mark,
 * takes its turn after those who are being read from now. After some writes it lets users be read again.
 *
 * News of who comes and goes can wait a little longer: when a thousand users come back after a lost network, the system
 * hands them over one in a turn. So after rooms were written, news waits for ten milliseconds, or until somebody says
 * something, which takes it along. On a quiet server it does not wait.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** Something that has output for its receivers. */
export interface Writer {
  /** Writes what it has, with so many writes at most, and answers with how many. What is left it marks again. */
  flush(most: number): number
}

/** A user who has output of their own. */
export interface Addressee {
  flush(): void
}

/** About a millisecond of work: whoever says something waits no longer for it to begin to be written. */
const writesInARow = 128

/** How long news may wait, so that one write tells many. */
const pauseMillis = 10

export class Turn {
  private readonly clock: Clock.Clock
  /** The one that has waited longest is first. */
  private readonly rooms = new Set<Writer>()
  private users: Array<Addressee> = []
  private afterwards: Array<Effect.Effect<void>> = []
  private readonly patient = new Set<Writer>()
  /** When rooms were written last. */
  private roomsAt = -Infinity
  private wakeWriting: (() => void) | undefined
  private wakeNews: (() => void) | undefined

  constructor(clock: Clock.Clock) {
    this.clock = clock
  }

  private get now(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe()) / 1e6
  }

  /** A room has lines for many. */
  room(writer: Writer): void {
    this.rooms.add(writer)
    this.wakeWriting?.()
  }

  /** A room has news, which can wait. */
  news(writer: Writer): void {
    if (this.rooms.has(writer)) return
    this.patient.add(writer)
    this.wakeNews?.()
  }

  /** A user has lines of their own. Rooms are written first: they take those lines along. */
  user(writer: Addressee): void {
    this.users.push(writer)
    this.wakeWriting?.()
  }

  /** To be done between writes: nobody may come or go in the middle of them. */
  after(effect: Effect.Effect<void>): void {
    this.afterwards.push(effect)
    this.wakeWriting?.()
  }

  /** Writes what is marked, or a part of it. */
  private flush(): void {
    let writes = 0
    for (const room of this.rooms) {
      if (writes >= writesInARow) break
      this.rooms.delete(room)
      this.patient.delete(room)
      writes += room.flush(writesInARow - writes)
    }
    if (writes > 0) this.roomsAt = this.now
    const { users } = this
    this.users = []
    for (const user of users) user.flush()
  }

  private readonly untilMarked = until(
    () => this.rooms.size > 0 || this.users.length > 0 || this.afterwards.length > 0,
    (wake) => this.wakeWriting = wake
  )

  private readonly written = Effect.suspend(() => {
    this.flush()
    if (this.afterwards.length === 0) return Effect.void
    const afterwards = this.afterwards
    this.afterwards = []
    return Effect.forEach(afterwards, (effect) => effect, { discard: true })
  })

  /**
   * The task that writes, for ever, and does something more each time. `yieldNow` lets everybody be read
   * first who has sent something in this turn.
   */
  write(finish: Effect.Effect<void>): Effect.Effect<never> {
    return this.untilMarked.pipe(
      Effect.andThen(Effect.yieldNow),
      Effect.andThen(this.written),
      Effect.andThen(finish),
      Effect.forever({ disableYield: true })
    )
  }

  private readonly untilNews = until(() => this.patient.size > 0, (wake) => this.wakeNews = wake)

  private readonly pause = Effect.suspend(() => {
    const millis = this.roomsAt + pauseMillis - this.now
    return millis > 0 ? Effect.sleep(Duration.millis(millis)) : Effect.void
  })

  private readonly urge = Effect.sync(() => {
    for (const room of this.patient) this.room(room)
    this.patient.clear()
  })

  /** The task that lets news wait, for ever. */
  readonly watchNews: Effect.Effect<never> = this.untilNews.pipe(
    Effect.andThen(this.pause),
    Effect.andThen(this.urge),
    Effect.forever({ disableYield: true })
  )
}

/** Waits until something is so. Who makes it so calls what `setWake` was given last. */
const until = (isSo: () => boolean, setWake: (wake: (() => void) | undefined) => void): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (isSo()) return resume(Effect.void)
    setWake(() => {
      setWake(undefined)
      resume(Effect.void)
    })
    return Effect.sync(() => setWake(undefined))
  })
