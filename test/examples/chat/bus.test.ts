/** Two servers on one bus are one chat (B25). With the bus in memory both are in this process; what they do is the same. */
import { Duration, Effect, Logger, type Scope } from "effect"
import { CancelScope, Nursery, Tasks } from "effect-nursery"
import { SimulatedNetwork, VirtualClock } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"
import { chatServer } from "../../../examples/chat/ChatServer.ts"
import * as MemoryBus from "../../../examples/chat/MemoryBus.ts"
import { dialFrom, type Person, port } from "./support.ts"

interface Two {
  /** A user of the first or the second server. */
  join(server: 1 | 2, name: string, caps?: string): Effect.Effect<Person, unknown, Scope.Scope>
  dial(server: 1 | 2): Effect.Effect<Person, unknown, Scope.Scope>
  /** Asks one of them to stop, and waits until it has. */
  stop(server: 1 | 2): Effect.Effect<void>
}

const withTwo = <A>(body: (two: Two) => Effect.Effect<A, unknown, Scope.Scope>): Promise<A> =>
  VirtualClock.run(Nursery.open((n) =>
    Effect.gen(function*() {
      const network = yield* SimulatedNetwork.make({ hosts: { server: ["10.0.0.1"], server2: ["10.0.0.2"] } })
      const bus = yield* MemoryBus.make({ history: 50, resumeBytes: 100_000 })
      const serve = (host: string) =>
        n.start((started: (scope: CancelScope.CancelScope) => Effect.Effect<void>) =>
          CancelScope.open((scope) =>
            network.on(host, chatServer({ host: "0.0.0.0", port, bus, resumeFor: Duration.seconds(10) })(() => started(scope)))), { name: host })
      const scopes = { 1: yield* serve("server"), 2: yield* serve("server2") }
      const dial: Two["dial"] = (server) => dialFrom("laptop", network, n, server === 1 ? "server" : "server2")
      const stop: Two["stop"] = (server) => scopes[server].stop({ grace: "1 minute" })
      const join: Two["join"] = (server, name, caps) =>
        Effect.gen(function*() {
          const person = yield* dial(server)
          yield* person.say(...caps === undefined ? [] : [`CAPS ${caps}`], `CONNECT ${name}`)
          yield* person.hears(new RegExp(`^(SEQ \\S+ )?${name} connected!$`, "u"))
          return person
        })
      const value = yield* Effect.scoped(body({ join, dial, stop }))
      yield* Tasks.gather([stop(1), stop(2)])
      return value
    }), { name: "test" }).pipe(Effect.orDie, Effect.provideService(Logger.CurrentLoggers, new Set<Logger.Logger<unknown, unknown>>())))

describe("examples/chat: two servers on one bus (B25)", () => {
  it("share users, rooms, messages, private messages, names and history", () =>
    withTwo(({ dial, join }) =>
      Effect.gen(function*() {
        const ada = yield* join(1, "Ada")
        const bob = yield* join(2, "bob")
        assert.strictEqual(bob.heard[0], "Welcome! 2 user(s) are online!")
        yield* ada.say("hello", "/msg BOB psst", "/nick Countess")
        yield* bob.hears("Ada is now known as Countess")
        const late = yield* dial(2)
        yield* late.say("CONNECT countess")
        yield* late.hears(/^ERR name-taken /u)
        yield* late.say("CONNECT Ada")
        yield* ada.hears("Ada connected!", 2)
        yield* bob.say("/join tea", "alone")
        yield* ada.hears("bob has left for tea")
        yield* ada.say("/join tea", "/who", "/history 1")
        yield* ada.hears("-- bob, Countess")
        yield* ada.hears(/^-- \S+ bob: alone$/u)
        yield* bob.say("/quit")
        yield* ada.hears("bob has left the chat")
        assert.deepStrictEqual(bob.heard.slice(1), ["bob connected!", "Ada: hello", "Ada (private): psst", "Ada is now known as Countess", "Ada connected!", "bob joined tea", "bob: alone", "Countess joined tea"])
      })))

  it("let a user who has lost one come back at the other, and nobody hears of it", () =>
    withTwo(({ dial, join }) =>
      Effect.gen(function*() {
        const bob = yield* join(1, "bob")
        const ada = yield* join(1, "Ada", "ack resume")
        const token = yield* ada.find(/^TOKEN (\S+)$/u)
        yield* ada.crash
        yield* bob.say("are you there?")
        yield* bob.hears("bob: are you there?")
        const back = yield* dial(2)
        yield* back.say("CAPS ack resume", `RESUME ${token} -`, "MSG 1 yes")
        yield* bob.hears("Ada: yes")
        // The time in which she might have come back to the first one passes.
        yield* Effect.sleep("20 seconds")
        yield* back.say("MSG 2 still here")
        yield* bob.hears("Ada: still here")
        assert.deepStrictEqual(bob.heard.slice(2), ["Ada connected!", "bob: are you there?", "Ada: yes", "Ada: still here"])
        // And the other way round, while the second one believes that she is there.
        const again = yield* dial(1)
        yield* again.say("CAPS ack resume", `RESUME ${token} -`, "/quit")
        assert.strictEqual(yield* back.ended, "end")
        assert.match(back.heard.at(-1)!, /^ERR resumed /u)
        yield* bob.hears("Ada has left the chat")
        assert.lengthOf(bob.heard.filter((line) => line.startsWith("Ada has left")), 1)
      })))

  it("go on when one of them stops: its users have left, the others are told", () =>
    withTwo(({ join, stop }) =>
      Effect.gen(function*() {
        const ada = yield* join(1, "Ada")
        const bob = yield* join(2, "bob")
        const eve = yield* join(2, "Eve", "resume")
        yield* stop(2)
        yield* Tasks.gather([ada.hears("bob has left the chat"), ada.hears("Eve has left the chat")])
        for (const person of [bob, eve]) assert.strictEqual(person.heard.at(-1), "ERR shutdown the server is going down")
        const next = yield* join(1, "bob")
        assert.strictEqual(next.heard[0], "Welcome! 2 user(s) are online!")
      })))
})
