/** What all connections of a server share: its users and rooms, the bus, deadlines and counts. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Bus, Event, Stored, Token } from "./Bus.ts"
import { Deadlines } from "./Deadlines.ts"
import * as MemoryBus from "./MemoryBus.ts"
import { noticesOf } from "./Notices.ts"
import type { ChatOptions } from "./Options.ts"
import type { Outbox } from "./Outbox.ts"
import * as Protocol from "./Protocol.ts"
import { goingDown } from "./Refusals.ts"
import { Room } from "./Room.ts"
import type { Session } from "./Session.ts"
import { Stats } from "./Stats.ts"
import { Turn } from "./Turn.ts"

export class Chat {
  readonly options: ChatOptions
  readonly bus: Bus
  readonly clock: Clock.Clock
  readonly stats: Stats
  readonly turn: Turn
  /** All connections. */
  readonly connections = new Set<Session>()
  /** The users who are connected here. */
  readonly users = new Map<Token, Session>()
  /** Connections that have asked to go on as a user, and are not told yet. */
  readonly resuming = new Map<string, Session>()
  private readonly rooms = new Map<string, Room>()
  /** Who has not said CONNECT, who has said nothing, who has lost the connection. */
  readonly connecting: Deadlines<Session>
  readonly idle: Deadlines<Session>
  readonly away: Deadlines<Token>
  /** Everybody has been told that the server stops. */
  isStopping = false

  constructor(options: ChatOptions, bus: Bus, clock: Clock.Clock) {
    this.options = options
    this.bus = bus
    this.clock = clock
    this.stats = new Stats(clock.currentTimeMillisUnsafe())
    this.turn = new Turn(clock)
    this.connecting = new Deadlines(options.connectTimeout, clock)
    this.idle = new Deadlines(options.idleTimeout, clock)
    this.away = new Deadlines(options.resumeFor, clock)
  }

  /** Milliseconds that never go back. */
  get now(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe()) / 1e6
  }

  private room(name: string): Room {
    const room = this.rooms.get(name)
    if (room !== undefined) return room
    const made = new Room(name, this)
    this.rooms.set(name, made)
    return made
  }

  private enter(outbox: Outbox, name: string): void {
    outbox.enter(this.room(name))
  }

  /** The bus tells what happened. All of it is put where it belongs in one step, and written later (Turn.ts). */
  readonly deliver = (events: ReadonlyArray<Stored>): void => {
    for (const stored of events) this.happened(stored)
  }

  private happened(stored: Stored): void {
    const { event, seq } = stored
    this.follow(event, seq)
    const isSaid = event._tag === "Said" || event._tag === "Acted"
    const author = this.users.get(event.token)?.outbox
    for (const { line, room } of noticesOf(stored)) {
      if (isSaid) this.rooms.get(room)?.say(line, seq, author)
      else this.rooms.get(room)?.tell(line, seq)
    }
    if (event._tag === "Left" || event._tag === "Moved") this.forgetEmpty(event._tag === "Left" ? event.room : event.from)
  }

  /** What an event means for the connection of the user that it is about. */
  private follow(event: Event, seq: string): void {
    const user = this.users.get(event.token)
    switch (event._tag) {
      case "Joined":
        return user && this.enterNew(user, event.room)
      case "Moved":
        return user && this.enter(user.outbox, event.room)
      case "Renamed":
        return user?.becomes({ token: event.token, name: event.name })
      case "Left":
        return user?.forgotten()
      case "Resumed": {
        this.away.stop(event.token)
        user?.replaced()
        const next = this.resuming.get(event.by)
        if (next === undefined) return
        next.becomes({ token: event.token, name: event.name })
        return this.enterNew(next, event.room)
      }
      case "Whispered":
        return this.users.get(event.to)?.outbox.whisper(Protocol.whispers(event.name, event.text), seq)
      case "Said":
      case "Acted":
        return
    }
  }

  /** The greeting comes first, and may have to be asked for. */
  private enterNew(user: Session, room: string): void {
    user.outbox.awaitGreeting()
    this.enter(user.outbox, room)
  }

  private forgetEmpty(name: string): void {
    const room = this.rooms.get(name)
    if (room !== undefined && room.size === 0) this.rooms.delete(name)
  }

  /** The time to come back is over: now everybody is told. */
  notResumed(token: Token): Effect.Effect<void> {
    this.stats.leave("not-resumed")
    return Effect.ignore(this.bus.leave(token))
  }

  /** After each time of writing. */
  readonly publish: Effect.Effect<void> = Effect.suspend(() => {
    this.stats.users = this.users.size
    return this.stats.publish
  })

  /** The server stops: everybody is told, and all that has come is still taken in. */
  readonly stop: Effect.Effect<void> = Effect.suspend(() => {
    this.isStopping = true
    const connections = [...this.connections]
    for (const connection of connections) connection.outbox.leaveRoom()
    return Effect.forEach(connections, (connection) => connection.drop(goingDown, "shutdown"), { discard: true })
  })
}

export const make = (options: ChatOptions): Effect.Effect<Chat> =>
  Clock.clockWith((clock) =>
    Effect.map(
      options.bus === undefined ? MemoryBus.make({ history: options.history, resumeBytes: options.resumeBuffer }) : Effect.succeed(options.bus),
      (bus) => new Chat(options, bus, clock)
    ))
