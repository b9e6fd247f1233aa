/**
 * The bus of several processes, in Redis: names, rooms and presence are keys of it, and what happens is a stream that every
 * process reads (redis/Scripts.ts has the keys, redis/Tail.ts the reading, redis/Presence.ts what happens when a process
 * dies).
 *
 * What has been answered is as safe as Redis keeps it. Nothing is lost when Redis is killed and started again if it runs with
 * `appendonly yes` and `appendfsync always`. While Redis is away, users wait, and are refused after a time; nobody leaves.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Nursery from "effect-nursery/Nursery"
import * as Timeout from "effect-nursery/Timeout"
import { randomUUID } from "node:crypto"
import { type Bus, type EventOf, type Line, type Missed, NameTaken, NoSuchUser, type Seq, type Stored, type Token, TokenUnknown, Unavailable } from "./Bus.ts"
import { keyOf, type Name } from "./Names.ts"
import * as Connection from "./redis/Connection.ts"
import * as Entries from "./redis/Entries.ts"
import { beatsPerLife, Presence } from "./redis/Presence.ts"
import * as Scripts from "./redis/Scripts.ts"
import * as Seqs from "./redis/Seqs.ts"
import { Tail } from "./redis/Tail.ts"

export interface RedisOptions extends Omit<Connection.ConnectionOptions, "silence"> {
  /** Which chat: those with different names share a Redis and nothing else. */
  readonly name: string
  /** How long a process counts as alive that is not heard of, in milliseconds. */
  readonly deadAfter: number
  /** How long users of a dead process may take to come back, in milliseconds; as long as those who lose the connection. */
  readonly resumeFor: number
  /** How many lines of each room are kept for newcomers. */
  readonly history: number
  /** How much of all that happened is kept for those who come back, in bytes. */
  readonly resumeBytes: number
}

/** What an event takes in the log, about: there the limit is a number of events. */
const eventBytes = 256
const leastLog = 1000

/** A process that ends waits so long for Redis to take notice. */
const goodbye = "2 seconds"

/** So many entries are read at once for somebody who comes back. */
const page = 1000

class RedisBus implements Bus {
  private readonly connection: Connection.Connection
  private readonly options: RedisOptions
  private readonly common: Scripts.Common
  private readonly presence: Presence
  private readonly tail: Tail
  private readonly log: string
  private readonly processes = new Set<(events: ReadonlyArray<Stored>) => void>()
  private operations = 0

  constructor(connection: Connection.Connection, options: RedisOptions) {
    const { deadAfter, history, name, resumeBytes } = options
    // The braces: in a cluster, all keys with this word in them are at one place, as a script needs it.
    const base = `{${name}}`
    this.connection = connection
    this.options = options
    this.log = `${base}:log`
    this.common = { base, process: randomUUID(), deadAfter, history, logLength: Math.max(leastLog, Math.floor(resumeBytes / eventBytes)) }
    this.presence = new Presence(connection, this.common)
    this.tail = new Tail(connection, this.log, deadAfter / beatsPerLife, (events) => this.deliver(events))
  }

  attach(deliver: (events: ReadonlyArray<Stored>) => void): Nursery.Startable<void, void, Unavailable, never> {
    return (started) =>
      Effect.acquireUseRelease(
        Effect.sync(() => this.processes.add(deliver)),
        () => Nursery.open((n) =>
          Effect.gen({ self: this }, function*() {
            yield* this.tail.begin
            yield* this.presence.beat(this.tail)
            yield* n.startSoon(this.connection.watch, { name: "connection" })
            yield* n.startSoon(this.tail.run, { name: "tail" })
            yield* n.startSoon(this.presence.run(this.tail, (events) => this.deliver(events)), { name: "presence" })
            yield* started()
          }), { name: "bus" }),
        () => {
          this.processes.delete(deliver)
          return Effect.ignore(Timeout.moveOnAfter(this.presence.depart, goodbye))
        }
      )
  }

  private deliver(events: ReadonlyArray<Stored>): void {
    for (const event of events) this.presence.follow(event)
    for (const deliver of this.processes) deliver(events)
  }

  /** A word by which Redis knows an operation that is asked for again. */
  private operation(): string {
    return `${this.common.process}:${++this.operations}`
  }

  /** Runs a script that needs this process to be known as alive. */
  private registered<A>(script: Scripts.Script<A>, ...own: ReadonlyArray<Scripts.Argument>): Effect.Effect<Exclude<A, typeof Scripts.unregistered>, Unavailable> {
    return this.connection.run(script, this.common, ...own).pipe(
      Effect.filterOrFail((answer): answer is Exclude<A, typeof Scripts.unregistered> => answer !== Scripts.unregistered, () => notRegistered),
      // The next beat tells that we are. Until then it is as if Redis were not there.
      Effect.retry({ while: (error) => error === notRegistered, schedule: Schedule.spaced("100 millis") }),
      Timeout.failAfter(this.options.giveUpAfter, { name: "the registration" }),
      Effect.catchTag("TooSlow", (cause) => Effect.fail(new Unavailable({ cause })))
    )
  }

  /**
   * What a newcomer is told begins with what happens after they have come in: so that has to have been delivered before
   * they get an answer.
   */
  private delivered(seq: Seq): Effect.Effect<void, Unavailable> {
    return this.tail.until(seq).pipe(
      Timeout.failAfter(this.options.giveUpAfter, { name: "the log" }),
      Effect.mapError((cause) => new Unavailable({ cause }))
    )
  }

  join({ mayResume, name, room, token }: Parameters<Bus["join"]>[0]): Effect.Effect<Stored<EventOf<"Joined">>, NameTaken | Unavailable> {
    const grace = mayResume ? this.options.resumeFor : 0
    return Effect.gen({ self: this }, function*() {
      const answer = yield* this.registered(Scripts.join, token, name.shown, name.key, room, grace)
      if (answer === null) return yield* new NameTaken({ name: name.shown })
      const [seq, online] = answer
      this.presence.arrive(token, name, room, grace)
      yield* this.delivered(seq)
      const event = { _tag: "Joined", token, name: name.shown, room, online: Number(online) } as const
      return { seq, at: Seqs.millisOf(seq), event }
    }).pipe(
      // They may be in, and nobody has told us. A name that nobody uses must not stay taken.
      Effect.tapErrorTag("Unavailable", () => Effect.ignore(this.presence.leave(token)))
    )
  }

  leave(token: Token): Effect.Effect<void, Unavailable> {
    return this.presence.leave(token)
  }

  away(token: Token, forMillis: number): Effect.Effect<void, Unavailable> {
    return Effect.suspend(() => {
      this.presence.lose(token)
      return Effect.asVoid(this.connection.run(Scripts.lose, this.common, token, forMillis))
    })
  }

  resume(token: Token, by: string): Effect.Effect<Stored<EventOf<"Resumed">>, TokenUnknown | Unavailable> {
    return this.presence.resumes(by, Effect.gen({ self: this }, function*() {
      const answer = yield* this.registered(Scripts.resume, token, by)
      if (answer === null) return yield* new TokenUnknown()
      const [seq, name, room] = answer
      this.presence.arrive(token, { shown: name, key: keyOf(name) }, room, this.options.resumeFor)
      yield* this.delivered(seq)
      return { seq, at: Seqs.millisOf(seq), event: { _tag: "Resumed", token, name, room, by } as const }
    }))
  }

  missed(token: Token, after: Seq | undefined, before: Seq): Effect.Effect<Missed, Unavailable> {
    return Effect.gen({ self: this }, function*() {
      const known = yield* this.known<"joined" | "room">(token, "joined", "room")
      const isUsable = after !== undefined && Seqs.isSeq(after) && Seqs.compare(after, known.joined) > 0
      const from = isUsable ? Seqs.entryAt(after) : known.joined
      const events: Array<Stored> = []
      let begin = from
      for (;;) {
        const entries = yield* this.connection.ask<ReadonlyArray<Entries.Entry>>("XRANGE", this.log, begin, `(${before}`, "COUNT", String(page))
        events.push(...entries.map(Entries.read))
        if (entries.length < page) break
        begin = `(${entries.at(-1)![0]}`
      }
      // The entry that was read last is still there, or others may be missing, too.
      const isComplete = events[0]?.seq === from
      if (isComplete && isUsable) events.shift()
      return { room: roomBefore(events, token) ?? known.room, isComplete, events }
    })
  }

  say(token: Token, lines: ReadonlyArray<Line>): Effect.Effect<void, Unavailable> {
    return Effect.suspend(() => {
      const flat = lines.flatMap(({ id, manner, text }) => [id ?? "", manner, text])
      return Effect.flatMap(this.connection.run(Scripts.say, this.common, token, this.operation(), ...flat), found)
    })
  }

  whisper(token: Token, to: string, text: string, id: string | undefined): Effect.Effect<string, NoSuchUser | Unavailable> {
    return Effect.suspend(() =>
      Effect.flatMap(this.connection.run(Scripts.whisper, this.common, token, this.operation(), keyOf(to), text, id ?? ""), (answer): Effect.Effect<string, NoSuchUser | Unavailable> => {
        if (answer === null) return Effect.fail(new NoSuchUser({ name: to }))
        return answer === Scripts.unknown ? Effect.fail(notHere) : Effect.succeed(answer[0])
      })
    )
  }

  rename(token: Token, name: Name): Effect.Effect<void, NameTaken | Unavailable> {
    return Effect.flatMap(this.connection.run(Scripts.rename, this.common, token, name.shown, name.key), (answer): Effect.Effect<void, NameTaken | Unavailable> =>
      answer === null ? Effect.fail(new NameTaken({ name: name.shown })) : found(answer))
  }

  move(token: Token, room: string): Effect.Effect<void, Unavailable> {
    return Effect.flatMap(this.connection.run(Scripts.move, this.common, token, room), found)
  }

  roomOf(token: Token): Effect.Effect<string, Unavailable> {
    return Effect.map(this.known<"room">(token, "room"), ({ room }) => room)
  }

  who(room: string): Effect.Effect<ReadonlyArray<string>, Unavailable> {
    return this.connection.run(Scripts.who, this.common, room)
  }

  get online(): Effect.Effect<number, Unavailable> {
    return this.connection.ask<number>("HLEN", `${this.common.base}:names`)
  }

  history(room: string, count: number, before?: Seq): Effect.Effect<ReadonlyArray<Stored>, Unavailable> {
    if (count === 0) return Effect.succeed([])
    const end = before === undefined ? "+" : `(${before}`
    return Effect.map(
      this.connection.ask<ReadonlyArray<Entries.Entry>>("XREVRANGE", `${this.common.base}:said:${room}`, end, "-", "COUNT", String(count)),
      (entries) => entries.map(Entries.read).toReversed()
    )
  }

  /** What Redis knows of a user. */
  private known<Field extends string>(token: Token, ...fields: ReadonlyArray<Field>): Effect.Effect<Record<Field, string>, Unavailable> {
    return Effect.flatMap(this.connection.ask<ReadonlyArray<string | null>>("HMGET", `${this.common.base}:user:${token}`, ...fields), (values) =>
      values.includes(null)
        ? Effect.fail(notHere)
        : Effect.succeed(Object.fromEntries(fields.map((field, index) => [field, values[index]])) as Record<Field, string>))
  }
}

/** The others have said goodbye to the user: this process was taken for dead. The event `Left` is on its way. */
const notHere = new Unavailable({ cause: "there is no such user any more" })

const notRegistered = new Unavailable({ cause: "this process is being registered again" })

const found = (answer: typeof Scripts.unknown | 1): Effect.Effect<void, Unavailable> => answer === Scripts.unknown ? Effect.fail(notHere) : Effect.void

/** Where the user was before the first of these events, as far as they tell. */
const roomBefore = (events: ReadonlyArray<Stored>, token: Token): string | undefined => {
  for (const { event } of events) {
    if (event.token === token && event._tag === "Moved") return event.from
  }
  return undefined
}

/** Connects to Redis, or fails when that takes too long. The connection is closed with the scope. */
export const make = (options: RedisOptions): Effect.Effect<Bus, Unavailable, Scope.Scope> =>
  // So a connection that is dead is replaced before this process is taken for dead.
  Effect.map(Connection.make({ ...options, silence: options.deadAfter / 2 }), (connection) => new RedisBus(connection, options))
