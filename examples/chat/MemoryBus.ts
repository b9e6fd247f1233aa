/** The bus of a single process: everything is in memory, and whatever happens is delivered in the same step. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { type Bus, type Event, type EventOf, type Line, type Missed, NameTaken, NoSuchUser, type Seq, type Stored, type Token, TokenUnknown } from "./Bus.ts"
import { Deliveries } from "./Deliveries.ts"
import { EventLog } from "./EventLog.ts"
import { History } from "./History.ts"
import { keyOf, type Name } from "./Names.ts"

export interface MemoryOptions {
  /** How many lines of each room are kept for newcomers. */
  readonly history: number
  /** How much of all that happened is kept for those who come back, in bytes. */
  readonly resumeBytes: number
}

interface User {
  readonly token: Token
  name: Name
  room: Place
  /** The number of the event with which they joined. */
  readonly joined: number
  /** Made for clients that give ids. */
  deliveries: Deliveries | undefined
}

interface Place {
  readonly name: string
  readonly users: Set<User>
  readonly history: History
}

type Deliver = (events: ReadonlyArray<Stored>) => void

// Each method asks and changes in one step, without a yield between: nobody can take a name that was just found free.
class MemoryBus implements Bus {
  private readonly options: MemoryOptions
  private readonly clock: Clock.Clock
  private readonly processes = new Set<Deliver>()
  private readonly users = new Map<Token, User>()
  private readonly byName = new Map<string, User>()
  private readonly rooms = new Map<string, Place>()
  private readonly log: EventLog
  /** How many events there have been: the number of the next one. */
  private count = 0

  constructor(options: MemoryOptions, clock: Clock.Clock) {
    this.options = options
    this.clock = clock
    this.log = new EventLog(options.resumeBytes)
  }

  attach(deliver: Deliver) {
    return (started: (value: void) => Effect.Effect<void>): Effect.Effect<void> =>
      Effect.acquireUseRelease(
        Effect.sync(() => this.processes.add(deliver)),
        () => Effect.andThen(started(), Effect.never),
        () => Effect.sync(() => this.processes.delete(deliver))
      )
  }

  /** The last thing that a method does: whoever is delivered to finds everything as it is afterwards. */
  private store<E extends Event>(event: E): Stored<E> {
    const stored: Stored<E> = { seq: String(this.count++), at: this.clock.currentTimeMillisUnsafe(), event }
    this.log.add(stored)
    for (const deliver of this.processes) deliver([stored])
    return stored
  }

  private place(name: string): Place {
    const room = this.rooms.get(name)
    if (room !== undefined) return room
    const made: Place = { name, users: new Set(), history: new History(this.options.history) }
    this.rooms.set(name, made)
    return made
  }

  private enter(user: User, room: Place): void {
    user.room = room
    room.users.add(user)
  }

  private exit(user: User): void {
    const { room } = user
    room.users.delete(user)
    // The first room stays, and its history with it. The others would fill the memory one day.
    if (room.users.size === 0 && this.rooms.values().next().value !== room) this.rooms.delete(room.name)
  }

  /** For whoever has the token: there is such a user until `leave`. */
  private user(token: Token): User {
    const user = this.users.get(token)
    if (user === undefined) throw new Error("somebody speaks who is not in the chat")
    return user
  }

  private isNew(user: User, id: string | undefined): boolean {
    return id === undefined || (user.deliveries ??= new Deliveries()).isNew(id)
  }

  join({ name, room, token }: Parameters<Bus["join"]>[0]): Effect.Effect<Stored<EventOf<"Joined">>, NameTaken> {
    return Effect.suspend(() => {
      if (this.byName.has(name.key)) return Effect.fail(new NameTaken({ name: name.shown }))
      const user: User = { token, name, room: this.place(room), joined: this.count, deliveries: undefined }
      this.users.set(token, user)
      this.byName.set(name.key, user)
      this.enter(user, user.room)
      return Effect.succeed(this.store({ _tag: "Joined", token, name: name.shown, room, online: this.users.size }))
    })
  }

  leave(token: Token): Effect.Effect<void> {
    return Effect.sync(() => {
      const user = this.users.get(token)
      if (user === undefined) return
      this.users.delete(token)
      this.byName.delete(user.name.key)
      this.exit(user)
      this.store({ _tag: "Left", token, name: user.name.shown, room: user.room.name })
    })
  }

  // The process that calls it is the only one, and it calls `leave` when the time is over.
  away(): Effect.Effect<void> {
    return Effect.void
  }

  resume(token: Token, by: string): Effect.Effect<Stored<EventOf<"Resumed">>, TokenUnknown> {
    return Effect.suspend(() => {
      const user = this.users.get(token)
      if (user === undefined) return Effect.fail(new TokenUnknown())
      return Effect.succeed(this.store({ _tag: "Resumed", token, name: user.name.shown, room: user.room.name, by }))
    })
  }

  missed(token: Token, after: Seq | undefined, before: Seq): Effect.Effect<Missed> {
    return Effect.sync(() => {
      const user = this.user(token)
      const from = Math.max(after === undefined ? 0 : Number(after) + 1, user.joined)
      const events = this.log.since(from).filter(({ seq }) => Number(seq) < Number(before))
      return { room: roomBefore(events, token) ?? user.room.name, isComplete: from >= this.log.forgotten, events }
    })
  }

  say(token: Token, lines: ReadonlyArray<Line>): Effect.Effect<void> {
    return Effect.sync(() => {
      const user = this.user(token)
      const { name: { shown: name }, room } = user
      for (const { id, manner, text } of lines) {
        if (this.isNew(user, id)) room.history.add(this.store({ _tag: manner, token, name, room: room.name, text }))
      }
    })
  }

  whisper(token: Token, to: string, text: string, id: string | undefined): Effect.Effect<string, NoSuchUser> {
    return Effect.suspend(() => {
      const user = this.user(token)
      const other = this.byName.get(keyOf(to))
      if (other === undefined) return Effect.fail(new NoSuchUser({ name: to }))
      if (this.isNew(user, id)) this.store({ _tag: "Whispered", token, name: user.name.shown, to: other.token, text })
      return Effect.succeed(other.name.shown)
    })
  }

  rename(token: Token, name: Name): Effect.Effect<void, NameTaken> {
    return Effect.suspend(() => {
      const user = this.user(token)
      const holder = this.byName.get(name.key)
      if (holder !== undefined && holder !== user) return Effect.fail(new NameTaken({ name: name.shown }))
      const old = user.name
      if (old.shown === name.shown) return Effect.void
      this.byName.delete(old.key)
      this.byName.set(name.key, user)
      user.name = name
      this.store({ _tag: "Renamed", token, name: name.shown, room: user.room.name, old: old.shown })
      return Effect.void
    })
  }

  move(token: Token, room: string): Effect.Effect<void> {
    return Effect.sync(() => {
      const user = this.user(token)
      const from = user.room.name
      if (from === room) return
      this.exit(user)
      this.enter(user, this.place(room))
      this.store({ _tag: "Moved", token, name: user.name.shown, room, from })
    })
  }

  roomOf(token: Token): Effect.Effect<string> {
    return Effect.sync(() => this.user(token).room.name)
  }

  who(room: string): Effect.Effect<ReadonlyArray<string>> {
    return Effect.sync(() => Array.from(this.rooms.get(room)?.users ?? [], ({ name }) => name.shown))
  }

  readonly online: Effect.Effect<number> = Effect.sync(() => this.users.size)

  history(room: string, count: number, before?: Seq): Effect.Effect<ReadonlyArray<Stored>> {
    return Effect.sync(() => {
      const lines = this.rooms.get(room)?.history.all ?? []
      const earlier = before === undefined ? lines : lines.filter(({ seq }) => Number(seq) < Number(before))
      return count === 0 ? [] : earlier.slice(-count)
    })
  }
}

/** Where the user was before the first of these events, as far as they tell. */
const roomBefore = (events: ReadonlyArray<Stored>, token: Token): string | undefined => {
  for (const { event } of events) {
    if (event.token === token && event._tag === "Moved") return event.from
  }
  return undefined
}

export const make = (options: MemoryOptions): Effect.Effect<Bus> => Clock.clockWith((clock) => Effect.sync(() => new MemoryBus(options, clock)))
