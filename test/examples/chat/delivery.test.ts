/**
 * What was accepted is shown exactly once, in the order in which its sender said it: under loss, cut connections and in
 * every order of events. The clients here do what PROTOCOL.md asks of a capable client, and no more.
 */
import { type Duration, Effect } from "effect"
import { Event, Nursery, Tasks, Timeout } from "effect-nursery"
import { assert, describe, it } from "vitest"
import { explored, inVirtualTime, type Party, type Person } from "./support.ts"

/** Far more than the troubles below can need: then something is lost for good. */
const mostConnections = 60

/** A user who goes on over new connections until everything is said, and everything heard. */
class Stubborn {
  readonly name: string
  readonly shown: Array<string> = []
  connections = 0
  private readonly party: Party
  /** What was not acknowledged yet. */
  private readonly toSay: Array<{ readonly id: number; readonly text: string }>
  private token: string | undefined
  private lastSeq = "-"
  /** Lines of the connection in use that were looked at. */
  private seen = 0

  constructor(party: Party, name: string, lines: ReadonlyArray<string>) {
    this.party = party
    this.name = name
    this.toSay = lines.map((text, id) => ({ id, text }))
  }

  get said(): ReadonlyArray<string> {
    return this.shown.filter((line) => line.includes(" says "))
  }

  /** Comes in, tells `here`, talks after `go`, and stays until `total` lines were shown and everybody else has them, too. */
  run(total: number, here: Effect.Effect<void>, go: Event.Event, done: Effect.Effect<void>, end: Event.Event): Effect.Effect<void> {
    const once = Effect.gen({ self: this }, function*() {
      const person = yield* this.party.dial
      this.seen = 0
      if (++this.connections > mostConnections) return yield* Effect.die(`${this.name} has shown ${this.said.length} of ${total}: ${person.heard.join("\n")}`)
      yield* person.say("CAPS ack resume", this.token === undefined ? `CONNECT ${this.name}` : `RESUME ${this.token} ${this.lastSeq}`)
      yield* this.hear(person, () => person.heard.some((line) => /^(TOKEN|RESUMED) /u.test(line)))
      yield* here
      yield* this.unlessGone(person, go.wait)
      while (this.toSay.length > 0) {
        // Two are on the way at a time. What is not answered is said again over the next connection.
        const next = this.toSay.slice(0, 2)
        yield* person.say(...next.map(({ id, text }) => `MSG ${id} ${text}`))
        yield* this.hear(person, () => !next.some((line) => this.toSay.includes(line)))
      }
      yield* this.hear(person, () => this.said.length >= total)
      yield* done
      yield* this.unlessGone(person, end.wait)
    }).pipe(
      // A connection over which nothing comes is of no use, although nobody has said that it is broken.
      Timeout.moveOnAfter("10 seconds"),
      Effect.scoped,
      Effect.catch(() => Effect.void)
    )
    return Effect.whileLoop({ while: () => !end.isSet, body: () => Effect.andThen(once, Effect.sleep("20 millis")), step: () => {} })
  }

  private unlessGone(person: Person, self: Effect.Effect<void>) {
    return Tasks.firstCompleted([self, Effect.andThen(person.ended, Effect.fail("gone" as const))])
  }

  private hear(person: Person, isSo: () => boolean) {
    return this.unlessGone(person, person.until(() => {
      while (this.seen < person.heard.length) this.take(person.heard[this.seen++]!)
      return isSo()
    }))
  }

  private take(line: string): void {
    const [word, first, ...rest] = line.split(" ")
    if (word === "TOKEN") this.token = first!
    if (word === "ACK") {
      const at = this.toSay.findIndex(({ id }) => String(id) === first)
      if (at >= 0) this.toSay.splice(at, 1)
    }
    if (word === "SEQ") {
      this.lastSeq = first!
      this.shown.push(rest.join(" "))
    }
    if (word === "ERR" && first === "resume-unknown") throw new Error(`${this.name} was forgotten: ${line}`)
  }
}

interface Troubles {
  readonly users: number
  readonly lines: number
  /** How often all connections are reset, and how long after one another. */
  readonly cuts: number
  readonly every: Duration.Input
}

interface Outcome {
  readonly name: string
  readonly said: ReadonlyArray<string>
  readonly shown: ReadonlyArray<string>
  readonly connections: number
}

/** Everybody talks, and the network fails now and then. */
const conversation = ({ cuts, every, lines, users }: Troubles) => (party: Party): Effect.Effect<ReadonlyArray<Outcome>> =>
  Effect.gen(function*() {
    const people = Array.from({ length: users }, (_, u) => new Stubborn(party, `user${u}`, Array.from({ length: lines }, (_, i) => `user${u} says ${i}`)))
    const [go, end] = [yield* Event.make({ name: "go" }), yield* Event.make({ name: "end" })]
    const here = new Set<Stubborn>()
    const done = new Set<Stubborn>()
    const when = (all: Set<Stubborn>, person: Stubborn, event: Event.Event) =>
      Effect.suspend(() => all.add(person).size === users ? event.set : Effect.void)
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        for (const person of people) {
          yield* n.startSoon(person.run(users * lines, when(here, person, go), go, when(done, person, end), end), { name: person.name })
        }
        yield* go.wait
        for (let i = 0; i < cuts; i++) {
          yield* Effect.sleep(every)
          yield* party.network.reset("laptop", "server")
        }
      }), { name: "conversation" })
    return people.map(({ connections, name, said, shown }) => ({ name, said, shown, connections }))
  })

/** Once each, each sender's in order, and the same order for everybody. */
const assertExactlyOnce = (people: ReadonlyArray<Outcome>, lines: number): void => {
  const [first] = people
  for (const { said, name } of people) {
    assert.lengthOf(said, people.length * lines, name)
    assert.deepStrictEqual(said, first!.said, name)
  }
  for (const { name } of people) {
    assert.deepStrictEqual(first!.said.filter((line) => line.startsWith(`${name}: `)), Array.from({ length: lines }, (_, i) => `${name}: ${name} says ${i}`))
  }
  // Nobody seemed to leave while they were only cut off.
  for (const { shown } of people) assert.notMatch(shown.join("\n"), /user\d+ has left the chat/u)
}

describe("examples/chat: acknowledged lines", () => {
  it("are shown exactly once and in order under 20 % loss and cut connections (EX4, B19, M08 on a small scale)", async () => {
    for (const seed of [1, 2, 3]) {
      const people = await inVirtualTime(
        { floodLimit: undefined },
        conversation({ users: 8, lines: 25, cuts: 12, every: "300 millis" }),
        { seed, lossChance: 0.2, jitter: "30 millis", maxChunkBytes: 40 }
      ).catch((error: unknown) => {
        throw new Error(`seed ${seed}`, { cause: error })
      })
      assertExactlyOnce(people, 25)
      assert.isTrue(people.some(({ connections }) => connections > 5), "the network has cut connections")
    }
  })

  it("are shown exactly once and in order in every order of events that was tried", () => {
    explored({ floodLimit: undefined }, conversation({ users: 3, lines: 3, cuts: 3, every: "15 millis" }), {
      runs: 60,
      maxSteps: 2_000_000,
      network: { jitter: "10 millis", lossChance: 0.05 },
      holds: (people) => assertExactlyOnce(people, 3)
    })
  })
})
