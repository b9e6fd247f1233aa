/** How a room tells its members what was said: a part of them at a time. */
import { Clock, Effect } from "effect"
import { Nursery, Timeout } from "effect-nursery"
import type { Tcp } from "effect-nursery/net"
import { VirtualClock } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"
import { Outbox, type OutboxHost } from "../../../examples/chat/Outbox.ts"
import { Room } from "../../../examples/chat/Room.ts"
import { Stats } from "../../../examples/chat/Stats.ts"
import { type Addressee, Turn, type Writer } from "../../../examples/chat/Turn.ts"
import { numbersOf } from "../../net/serve/proxies.ts"

/** A member whose system takes everything, as long as they read: what was written, in its pieces. */
class Member {
  readonly writes: Array<string> = []
  readonly outbox: Outbox
  reads = true
  slow = 0
  constructor(host: OutboxHost) {
    const offerUnsafe = (data: Uint8Array | string) => {
      this.writes.push(data.toString())
      return this.reads ? 0 : 1001
    }
    const stream = { offerUnsafe } as Pick<Tcp.TcpStream, "offerUnsafe"> as Tcp.TcpStream
    this.outbox = new Outbox(stream, host, { isSlow: () => void this.slow++ })
  }
  get heard(): string {
    return this.writes.join("")
  }
}

const clock = Effect.runSync(Clock.clockWith(Effect.succeed))

const newHost = ({ echo = true, turn = new Turn(clock) } = {}): OutboxHost => ({ options: { outbox: 1000, echo }, turn, stats: new Stats(0) })

const withMembers = (count: number, host = newHost()) => {
  const room = new Room("lobby", host)
  const members = Array.from({ length: count }, () => new Member(host))
  for (const { outbox } of members) outbox.enter(room)
  return { host, room, members }
}

describe("Room.flush", () => {
  it("gives the rest of a round with one write what was said in the middle of it, and the others in the next round", () => {
    const { host, members, room } = withMembers(10)
    room.say("one", "1", undefined)
    assert.strictEqual(room.flush(4), 4)
    room.say("two", "2", undefined)
    assert.strictEqual(room.flush(100), 10)
    assert.deepStrictEqual(members.map(({ writes }) => writes), [...Array(4).fill(["one\n", "two\n"]), ...Array(6).fill(["one\ntwo\n"])])
    assert.strictEqual(room.flush(100), 0)
    assert.strictEqual(host.stats.linesOut, 20)
  })

  it("leaves news that came in the middle of a round for later", () => {
    const { members, room } = withMembers(3)
    room.say("one", "1", undefined)
    assert.strictEqual(room.flush(1), 1)
    room.tell("bob connected!", "2")
    assert.strictEqual(room.flush(100), 2)
    assert.deepStrictEqual(members.map(({ heard }) => heard), ["one\n", "one\nbob connected!\n", "one\nbob connected!\n"])
    assert.strictEqual(room.flush(100), 1)
    assert.strictEqual(members[0]!.heard, "one\nbob connected!\n")
  })

  it("keeps nothing that everybody has heard", () => {
    const { room } = withMembers(5)
    for (let i = 0; i < 1000; i++) {
      room.say(`line ${i}`, `${i}`, undefined)
      // Never at the end of a round.
      room.flush(3)
      assert.isAtMost(room.lines.end - room.lines.first, 10)
    }
    room.flush(100)
    assert.strictEqual(room.lines.end, room.lines.first)
  })

  it("ends a round also when more come in the middle of it than it tells", () => {
    const { host, members, room } = withMembers(10)
    room.say("first", "0", undefined)
    room.flush(1)
    for (let i = 1; i <= 20; i++) {
      for (let j = 0; j < 20; j++) new Member(host).outbox.enter(room)
      room.say(`line ${i}`, `${i}`, undefined)
      room.flush(10)
    }
    assert.include(members[0]!.heard, "line 1\n", "the first of all waits for the next round")
    assert.isBelow(room.lines.end - room.lines.first, 20)
  })

  it("counts a line for each who is told, also for those who got it before their turn, with a private message or because they left", () => {
    const { host, members: [ada, bob], room } = withMembers(3)
    room.say("one", "1", undefined)
    ada!.outbox.whisper("psst", "2")
    bob!.outbox.leaveRoom()
    room.flush(100)
    assert.strictEqual(host.stats.linesOut, 3)
  })
})

describe("Outbox.flush", () => {
  it("leaves an answer to the round that comes with what was said, and writes it at once when there is only news", () => {
    const { members, room } = withMembers(2)
    for (const { outbox } of members) outbox.write("-- an answer")
    room.say("one", "1", undefined)
    members[0]!.outbox.flush()
    room.flush(100)
    room.tell("bob connected!", "2")
    members[1]!.outbox.write("-- another one")
    members[1]!.outbox.flush()
    assert.deepStrictEqual(members.map(({ writes }) => writes), [["-- an answer\none\n"], ["-- an answer\none\n", "-- another one\n"]])
  })
})

/** Takes the place of the tasks that write: a test says when which room is written, and how much of it. */
class Steps extends Turn {
  private readonly marked = new Set<Writer>()
  private readonly waiting = new Set<Writer>()
  private owed: Array<Addressee> = []

  override room(writer: Writer): void {
    this.marked.add(writer)
  }

  override news(writer: Writer): void {
    if (!this.marked.has(writer)) this.waiting.add(writer)
  }

  override user(writer: Addressee): void {
    this.owed.push(writer)
  }

  flushRoom(most: number): void {
    for (const room of this.marked) {
      this.marked.delete(room)
      this.waiting.delete(room)
      return assert.isAtMost(room.flush(most), most)
    }
  }

  flushUsers(): void {
    for (const user of this.owed.splice(0)) user.flush()
  }

  hurry(): void {
    for (const room of this.waiting) this.room(room)
    this.waiting.clear()
  }

  /** Nobody says anything any more: what is still to be written was marked, or is forgotten. */
  finish(): void {
    for (let i = 0; this.marked.size + this.waiting.size + this.owed.length > 0; i++) {
      assert.isBelow(i, 1000, "it goes on for ever")
      this.hurry()
      this.flushRoom(3)
      this.flushUsers()
    }
  }
}

interface Guest {
  readonly member: Member
  readonly withSeq: boolean
  /** What they must read: all lines but answers, in this order. */
  readonly chat: Array<string>
  readonly answers: Array<string>
  isGreeted: boolean
}

/** Rooms and guests, as Chat.ts treats them, and what each of the guests must read. */
class Model {
  readonly turn = new Steps(clock)
  readonly host: OutboxHost
  readonly everyRoom: Array<Room> = []
  private readonly rooms = new Map<string, Room>()
  readonly guests = new Map<Guest, string>()
  private seq = 0
  /** How often a line of a room went to somebody. */
  told = 0

  constructor(echo: boolean) {
    this.host = newHost({ echo, turn: this.turn })
  }

  private room(name: string): Room {
    const room = this.rooms.get(name) ?? new Room(name, this.host)
    if (!this.rooms.has(name)) this.everyRoom.push(room)
    this.rooms.set(name, room)
    return room
  }

  private hears(guest: Guest, seq: string, line: string): void {
    guest.chat.push(guest.withSeq ? `SEQ ${seq} ${line}` : line)
  }

  notice(name: string, what: "say" | "tell", author?: Guest): void {
    const seq = `${++this.seq}`
    const line = `${what} ${seq}`
    if (what === "say") this.rooms.get(name)?.say(line, seq, author?.member.outbox)
    else this.rooms.get(name)?.tell(line, seq)
    for (const [guest, where] of this.guests) {
      if (where !== name || (guest === author && !this.host.options.echo)) continue
      this.hears(guest, seq, line)
      this.told++
    }
  }

  whisper(guest: Guest): void {
    const seq = `${++this.seq}`
    guest.member.outbox.whisper(`psst ${seq}`, seq)
    this.hears(guest, seq, `psst ${seq}`)
  }

  answer(guest: Guest): void {
    const line = `-- ${++this.seq}`
    guest.member.outbox.write(line)
    guest.answers.push(line)
  }

  come(name: string, withSeq: boolean): void {
    const guest: Guest = { member: new Member(this.host), withSeq, chat: ["Welcome!"], answers: [], isGreeted: false }
    guest.member.outbox.withSeq = withSeq
    this.answer(guest)
    guest.member.outbox.awaitGreeting()
    this.move(guest, name)
  }

  greet(guest: Guest): void {
    if (!guest.isGreeted) guest.member.outbox.greet(["Welcome!"])
    guest.isGreeted = true
  }

  move(guest: Guest, name: string): void {
    const from = this.guests.get(guest)
    guest.member.outbox.enter(this.room(name))
    this.guests.set(guest, name)
    this.notice(name, "tell")
    if (from !== undefined) this.forgetEmpty(from)
  }

  /** Without `farewell` the connection was lost: the room stays, because its user may come back. */
  go(guest: Guest, farewell: string | undefined): void {
    const name = this.guests.get(guest)!
    const { outbox } = guest.member
    this.greet(guest)
    if (farewell === undefined) outbox.leaveRoom()
    else outbox.farewell(farewell)
    outbox.flushNow()
    this.guests.delete(guest)
    if (farewell !== undefined) this.forgetEmpty(name)
  }

  private forgetEmpty(name: string): void {
    if (this.rooms.get(name)?.size === 0) this.rooms.delete(name)
  }
}

const linesOf = (member: Member): ReadonlyArray<string> => member.heard.split("\n").slice(0, -1)

const checkHeard = ({ answers, chat, member }: Guest, seed: number, end: ReadonlyArray<string> = []): void => {
  const lines = linesOf(member)
  assert.deepStrictEqual(lines.filter((line) => line.startsWith("-- ")), answers, `seed ${seed}`)
  assert.deepStrictEqual(lines.filter((line) => !line.startsWith("-- ")), [...chat, ...end], `seed ${seed}`)
}

/** Whoever was given up has read a first part of it, and why it ends. */
const checkGivenUp = ({ chat, member }: Guest, seed: number): void => {
  const lines = linesOf(member).filter((line) => !line.startsWith("-- "))
  assert.deepStrictEqual([member.slow, lines.at(-1)], [1, "ERR slow"], `seed ${seed}`)
  assert.deepStrictEqual(lines.slice(0, -1), chat.slice(0, lines.length - 1), `seed ${seed}`)
}

describe("Room, with others", () => {
  it("tells everybody exactly what was said where they were, in order, whoever comes, moves, goes or stops reading in the middle of rounds", () => {
    let givenUp = 0
    for (let seed = 0; seed < 400; seed++) {
      const random = numbersOf(seed)
      const below = (n: number) => Math.floor(random() * n)
      const echo = seed % 2 === 0
      const model = new Model(echo)
      const { guests, turn } = model
      const somewhere = () => `room ${below(3)}`
      for (let i = 0; i < 8; i++) model.come(somewhere(), i % 2 === 0)
      for (let step = 0; step < 300; step++) {
        const some = [...guests.keys()][below(guests.size)]
        const dice = random()
        if (dice < 0.2) model.notice(some === undefined ? somewhere() : guests.get(some)!, "say", some)
        else if (dice < 0.28) model.notice(somewhere(), "tell")
        else if (dice < 0.34) model.come(somewhere(), random() < 0.5)
        else if (dice < 0.7 && some === undefined) continue
        else if (dice < 0.42) model.move(some!, somewhere())
        else if (dice < 0.46) model.whisper(some!)
        else if (dice < 0.52) model.answer(some!)
        else if (dice < 0.62) model.greet(some!)
        else if (dice < 0.66 && some!.member.reads) {
          const farewell = random() < 0.5 ? "ERR idle" : undefined
          model.go(some!, farewell)
          // Not in some turn: the connection ends now.
          checkHeard(some!, seed, farewell === undefined ? [] : [farewell])
        } else if (dice < 0.66) {
          // The rest of the turn comes first, and then this.
          if (some!.member.slow === 0) continue
          model.go(some!, "ERR slow")
          checkGivenUp(some!, seed)
          givenUp++
        } else if (dice < 0.67) some!.member.reads = false
        else if (dice < 0.9) turn.flushRoom(1 + below(6))
        else if (dice < 0.97) turn.flushUsers()
        else turn.hurry()
      }
      for (const guest of guests.keys()) model.greet(guest)
      turn.finish()
      for (const guest of guests.keys()) {
        if (guest.member.reads) checkHeard(guest, seed)
      }
      for (const room of model.everyRoom) assert.strictEqual(room.lines.end, room.lines.first, "kept for nobody")
      if (echo) assert.strictEqual(model.host.stats.linesOut, model.told, `seed ${seed}`)
    }
    assert.isAbove(givenUp, 20)
  })
})

/** Runs the tasks that write, and does something beside them. */
const withTurn = <A, E>(body: (host: OutboxHost, finished: () => number) => Effect.Effect<A, E>): Promise<A> =>
  VirtualClock.run(Clock.clockWith((clock) =>
    Nursery.open((n) =>
      Effect.gen(function*() {
        const turn = new Turn(clock)
        let finished = 0
        yield* n.startSoon(turn.write(Effect.sync(() => void finished++)), { service: true })
        yield* n.startSoon(turn.watchNews, { service: true })
        return yield* body(newHost({ turn }), () => finished)
      }))
  ))

const written = (members: ReadonlyArray<Member>): number => members.reduce((sum, { writes }) => sum + writes.length, 0)

/** Lets the others go on until something is so. */
const untilSo = (isSo: () => boolean, meanwhile: () => void = () => {}): Effect.Effect<void> =>
  Effect.suspend(() => {
    let turns = 0
    return Effect.whileLoop({
      while: () => !isSo(),
      body: () => {
        assert.isBelow(turns++, 10_000, "it never is")
        meanwhile()
        return Effect.yieldNow
      },
      step: () => {}
    })
  })

describe("Turn.write", () => {
  it("lets a small room in between, however much is said in large ones", () =>
    withTurn((host) =>
      Effect.gen(function*() {
        const large = [withMembers(1000, host), withMembers(1000, host)]
        const small = withMembers(2, host)
        const toLarge = () => large.reduce((sum, { members }) => sum + written(members), 0)
        let seq = 0
        const talk = () => large.forEach(({ room }) => room.say("on and on", `${seq++}`, undefined))
        yield* untilSo(() => toLarge() > 500, talk)
        small.room.say("hello?", `${seq++}`, undefined)
        const before = toLarge()
        yield* untilSo(() => written(small.members) === 2, talk)
        assert.isAtMost(toLarge() - before, 3 * 128)
      })))

  it("does what is to be done between writes, also when a room is never silent", () =>
    withTurn((host, finished) =>
      Effect.gen(function*() {
        const { members, room } = withMembers(1000, host)
        let seq = 0
        const talk = () => room.say("on and on", `${seq++}`, undefined)
        yield* untilSo(() => written(members) > 500, talk)
        const [before, finishedBefore] = [written(members), finished()]
        let isDone = false
        host.turn.after(Effect.sync(() => void (isDone = true)))
        yield* untilSo(() => isDone, talk)
        yield* untilSo(() => finished() > finishedBefore, talk)
        assert.isAtMost(written(members) - before, 2 * 128)
      })))

  it("tells news that came in the middle of a round within ten milliseconds, when nobody says anything any more", () =>
    withTurn((host) =>
      Effect.gen(function*() {
        const [lobby, side] = [withMembers(300, host), withMembers(300, host)]
        const all = [...lobby.members, ...side.members]
        lobby.room.say("one", "1", undefined)
        side.room.say("one", "2", undefined)
        yield* untilSo(() => written(lobby.members) > 0)
        assert.isBelow(written(lobby.members), 300)
        lobby.room.tell("bob has left for side", "3")
        side.room.tell("bob joined side", "3")
        yield* Effect.sleep("10 millis")
        yield* untilSo(() => all.every(({ heard }) => heard.includes("bob")))
        assert.strictEqual(yield* Timeout.now, 10)
        assert.isTrue(all.every(({ heard }) => /^one\nbob [a-z ]+\n$/u.test(heard)))
      })))
})
