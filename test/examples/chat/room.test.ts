/** How a room tells its members what was said: a part of them at a time. */
import { Clock, Effect } from "effect"
import type { Tcp } from "effect-nursery/net"
import { assert, describe, it } from "vitest"
import { Outbox, type OutboxHost } from "../../../examples/chat/Outbox.ts"
import { Room } from "../../../examples/chat/Room.ts"
import { Stats } from "../../../examples/chat/Stats.ts"
import { Turn } from "../../../examples/chat/Turn.ts"
import { numbersOf } from "../../net/serve/proxies.ts"

/** A member whose system takes everything: what was written, in its pieces. */
class Member {
  readonly writes: Array<string> = []
  readonly outbox: Outbox
  constructor(host: OutboxHost) {
    const stream = { offerUnsafe: (data: Uint8Array | string) => (this.writes.push(data.toString()), 0) } as Pick<Tcp.TcpStream, "offerUnsafe"> as Tcp.TcpStream
    this.outbox = new Outbox(stream, host, { isSlow: () => assert.fail("nobody is slow here") })
  }
  get heard(): string {
    return this.writes.join("")
  }
}

const newHost = (echo = true): OutboxHost => ({
  options: { outbox: 1000, echo },
  turn: new Turn(Effect.runSync(Clock.clockWith(Effect.succeed))),
  stats: new Stats(0)
})

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

  it("tells every member exactly what was said while they were there, in order, whoever comes and goes meanwhile", () => {
    for (let seed = 0; seed < 200; seed++) {
      const random = numbersOf(seed)
      const echo = seed % 2 === 0
      const { host, members, room } = withMembers(5, newHost(echo))
      const inside = new Set(members)
      const expected = new Map(members.map((member) => [member, ""]))
      const tell = (line: string, author?: Member) => {
        for (const member of inside) if (echo || member !== author) expected.set(member, `${expected.get(member)!}${line}\n`)
      }
      for (let step = 0; step < 200; step++) {
        const some = [...inside][Math.floor(random() * inside.size)]
        const dice = random()
        if (dice < 0.35) {
          room.say(`line ${step}`, `${step}`, some?.outbox)
          tell(`line ${step}`, some)
        } else if (dice < 0.45) {
          room.tell(`news ${step}`, `${step}`)
          tell(`news ${step}`)
        } else if (dice < 0.55) {
          const member = new Member(host)
          member.outbox.enter(room)
          inside.add(member)
          expected.set(member, "")
        } else if (dice < 0.62 && some !== undefined) {
          some.outbox.leaveRoom()
          inside.delete(some)
        } else if (dice < 0.7 && some !== undefined) {
          some.outbox.whisper(`psst ${step}`, `${step}`)
          expected.set(some, `${expected.get(some)!}psst ${step}\n`)
        } else if (dice < 0.75) some?.outbox.flush()
        else room.flush(1 + Math.floor(random() * 8))
      }
      for (let writes = 1; writes > 0;) writes = room.flush(1000)
      for (const [member, text] of expected) {
        member.outbox.flushNow()
        assert.strictEqual(member.heard, text, `seed ${seed}`)
      }
    }
  })
})
