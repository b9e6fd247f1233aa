/** More users than are told in one go: what each of them reads while others talk, move, and come back. */
import { Effect, type Scope } from "effect"
import { type Errors, Tasks } from "effect-nursery"
import { assert, describe, it } from "vitest"
import { numbersOf } from "../../net/serve/proxies.ts"
import { inVirtualTime, type Party, type Person } from "./support.ts"

interface Heard {
  readonly seq: number
  readonly text: string
}

const chatOf = (lines: ReadonlyArray<string>): ReadonlyArray<Heard> =>
  lines.flatMap((line) => {
    const found = /^SEQ (\d+) (.*)$/u.exec(line)
    return found === null ? [] : [{ seq: Number(found[1]), text: found[2]! }]
  })

/** What came before everybody was told the end; somebody may know more already. */
const untilEnd = (heard: ReadonlyArray<Heard>): ReadonlyArray<Heard> => heard.slice(0, heard.findIndex(({ text }) => text === "bell: end") + 1)

/** A user, over one connection after the other. */
class Guest {
  private readonly party: Party
  readonly name: string
  private person: Person
  private readonly before: Array<string> = []
  private count = 0
  readonly whispered: Array<string> = []

  constructor(party: Party, name: string, person: Person) {
    this.party = party
    this.name = name
    this.person = person
  }

  static join = (party: Party, name: string): Effect.Effect<Guest, Errors.Broken, Scope.Scope> =>
    Effect.map(party.join(name, { caps: "ack resume history" }), (person) => new Guest(party, name, person))

  get lines(): ReadonlyArray<string> {
    return [...this.before, ...this.person.heard]
  }

  does(text: string): Effect.Effect<void> {
    return this.person.say(`MSG ${++this.count} ${text}`)
  }

  /** All that was said so far is acknowledged. */
  get settled(): Effect.Effect<void> {
    return this.count === 0 ? Effect.void : this.person.until(() => this.lines.includes(`ACK ${this.count}`))
  }

  hears(text: string): Effect.Effect<void> {
    return this.person.hears(new RegExp(`^SEQ \\S+ ${text}$`, "u"))
  }

  /** Loses the connection in the middle of whatever the others do, and comes back. */
  get comesBack(): Effect.Effect<void, Errors.Broken, Scope.Scope> {
    return Effect.gen({ self: this }, function*() {
      yield* this.settled
      const token = /^TOKEN (\S+)$/mu.exec(this.lines.join("\n"))![1]!
      yield* this.person.crash
      this.before.push(...this.person.heard)
      const last = chatOf(this.before).at(-1)?.seq ?? "-"
      this.person = yield* this.party.dial
      yield* this.person.say("CAPS ack resume history", `RESUME ${token} ${last}`)
      yield* this.person.hears(`RESUMED ${this.name}`)
    })
  }

  /** What came over all connections is what these two have read who never went anywhere. */
  check(logs: Readonly<Record<string, ReadonlyArray<Heard>>>, echo: boolean): void {
    const acks = this.lines.flatMap((line) => /^ACK (\d+)$/u.exec(line)?.[1] ?? [])
    assert.deepStrictEqual(acks, Array.from({ length: this.count }, (_, i) => `${i + 1}`), this.name)
    const all = untilEnd(chatOf(this.lines))
    all.forEach(({ seq }, i) => assert.isTrue(i === 0 || all[i - 1]!.seq < seq, `${this.name}: ${seq} after ${all[i - 1]?.seq}`))
    assert.deepStrictEqual(all.filter(({ text }) => text.includes(" (private): ")).map(({ text }) => text), this.whispered)
    const expected: Array<Heard> = []
    const places = all.flatMap(({ seq, text }) => {
      const room = text === `${this.name} connected!` ? "lobby" : new RegExp(`^${this.name} joined (\\S+)$`, "u").exec(text)?.[1]
      return room === undefined ? [] : [{ seq, room }]
    })
    places.forEach(({ room, seq }, i) => {
      const until = places[i + 1]?.seq ?? Infinity
      for (const heard of logs[room]!) {
        if (heard.seq < seq || heard.seq >= until) continue
        if (echo || !heard.text.startsWith(`${this.name}: `)) expected.push(heard)
      }
    })
    assert.deepStrictEqual(all.filter(({ text }) => !text.includes(" (private): ")), expected, this.name)
  }

  /** Whoever came late has read before everything else what was said last. */
  checkGreeting(log: ReadonlyArray<Heard>): void {
    const kinds = this.lines.map((line) => line.split(" ")[0])
    const past = this.lines.filter((line) => line.startsWith("PAST ")).map((line) => line.replace(/^PAST \d+ /u, ""))
    assert.deepStrictEqual(kinds.slice(0, past.length + 5), ["CAPS", "Welcome!", "HISTORY", ...past.map(() => "PAST"), "TOKEN", "SEQ"])
    const [own] = chatOf(this.lines)
    assert.strictEqual(own!.text, `${this.name} connected!`)
    const said = log.filter(({ seq, text }) => seq < own!.seq && /^\w+: /u.test(text)).map(({ text }) => text)
    assert.deepStrictEqual(past, said.slice(-50))
  }
}

/** One does some things, at some times. */
const live = (guest: Guest, others: ReadonlyArray<Guest>, random: () => number) =>
  Effect.gen(function*() {
    const one = <A>(from: ReadonlyArray<A>) => from[Math.floor(random() * from.length)]!
    for (let i = 0; i < 12; i++) {
      // Whoever goes on as soon as they have an answer is heard in the middle of the round that has brought it.
      if (random() < 0.5) yield* Effect.sleep(Math.floor(random() * 4))
      else yield* guest.settled
      const dice = random()
      if (dice < 0.5) yield* guest.does(`line ${i}`)
      else if (dice < 0.75) yield* guest.does(`/join ${one(["lobby", "side"])}`)
      else if (dice < 0.9) {
        const other = one(others)
        yield* guest.does(`/msg ${other.name} psst ${i}`)
        // In this order, because nobody else whispers to them.
        other.whispered.push(`${guest.name} (private): psst ${i}`)
      } else yield* guest.comesBack
    }
    yield* guest.settled
  })

describe("examples/chat, with a room of 200", () => {
  for (const [seed, echo] of [[1, true], [2, false], [3, true]] as const) {
    it(`lets everybody read what was said where they were, once and in order, whoever talks, moves and comes back meanwhile (${seed}${echo ? "" : ", --no-echo"})`, () =>
      inVirtualTime({ echo, floodLimit: undefined }, (party) =>
        Effect.gen(function*() {
          const random = numbersOf(seed)
          const lobby = yield* Guest.join(party, "lobby")
          const side = yield* Guest.join(party, "side")
          yield* side.does("/join side")
          yield* side.settled
          // Told before the crowd.
          const busy = yield* Tasks.gather(Array.from({ length: 20 }, (_, i) => Guest.join(party, `busy${i}`)))
          const crowd = yield* Tasks.gather(Array.from({ length: 200 }, (_, i) => Guest.join(party, `crowd${i}`)))
          const late: Array<Guest> = []
          const come = Effect.forEach(Array.from({ length: 10 }, (_, i) => i), (i) =>
            Effect.gen(function*() {
              yield* Effect.sleep(3)
              late.push(yield* Guest.join(party, `late${i}`))
            }))
          yield* Tasks.gather([come, ...busy.map((guest, i) => live(guest, crowd.slice(10 * i, 10 * i + 10), random))])
          // Somebody of whom nothing else is expected: without echo they do not hear themselves.
          const bell = yield* Guest.join(party, "bell")
          yield* bell.does("end")
          yield* bell.does("/join side")
          yield* bell.does("end")
          const all = [lobby, side, ...crowd, ...busy, ...late]
          yield* Tasks.gather(all.map((guest) => guest.hears("bell: end")))
          const logs = { lobby: untilEnd(chatOf(lobby.lines)), side: untilEnd(chatOf(side.lines)) }
          for (const guest of all) guest.check(logs, echo)
          for (const guest of late) guest.checkGreeting(logs.lobby)
          assert.isAbove(logs.side.length, 50)
        }), { delay: 0 }))
  }

  // The line arrives after a millisecond, and is told in two parts: the server stops between them, or behind them.
  for (let turns = 0; turns < 4; turns++) {
    it(`tells everybody the same, and why it ends, when it stops ${turns} turns after somebody has said something`, () =>
      inVirtualTime({}, (party) =>
        Effect.gen(function*() {
          const crowd = yield* Tasks.gather(Array.from({ length: 200 }, (_, i) => party.join(`crowd${i}`)))
          yield* Effect.sleep("1 second")
          const before = crowd.map(({ heard }) => heard.length)
          yield* crowd[0]!.say("hello?")
          yield* Effect.sleep("1 milli")
          for (let i = 0; i < turns; i++) yield* Effect.yieldNow
          const { forced } = yield* party.stop
          yield* Tasks.gather(crowd.map(({ ended }) => ended))
          assert.deepStrictEqual(crowd.map(({ heard }, i) => heard.slice(before[i])), crowd.map(() => ["crowd0: hello?", "ERR shutdown the server is going down"]))
          assert.strictEqual(forced, 0)
        })))
  }

  it("drops whoever does not read, and tells the others the rest of the round", () =>
    inVirtualTime({ outbox: 2000 }, (party) =>
      Effect.gen(function*() {
        const crowd = yield* Tasks.gather(Array.from({ length: 150 }, (_, i) => party.join(`crowd${i}`)))
        const slow = yield* party.connect
        yield* slow.send("CONNECT slow\n")
        yield* crowd[0]!.hears("slow connected!")
        const after = yield* Tasks.gather(Array.from({ length: 50 }, (_, i) => party.join(`after${i}`)))
        const all = [...crowd, ...after]
        for (let i = 0; i < 15; i++) {
          yield* crowd[0]!.say(`${i} ${"x".repeat(500)}`)
          yield* Tasks.gather(all.map((person) => person.hears(new RegExp(`^crowd0: ${i} `, "u"))))
        }
        yield* Tasks.gather(all.map((person) => person.hears("slow has left the chat")))
        for (const { heard } of all) {
          assert.lengthOf(heard.filter((line) => line.startsWith("crowd0: ")), 15)
          assert.lengthOf(heard.filter((line) => line === "slow has left the chat"), 1)
        }
      }), { delay: 0, windowBytes: 4096 }))
})
