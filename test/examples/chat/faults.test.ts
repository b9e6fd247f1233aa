/** The failure points of a chat, each with what it must do (EX6). Those of the network are here; the others' tests are named in PROTOCOL.md. */
import { Duration, Effect } from "effect"
import { Tasks, Timeout } from "effect-nursery"
import { Tcp } from "effect-nursery/net"
import { assert, describe, it } from "vitest"
import * as MemoryBus from "../../../examples/chat/MemoryBus.ts"
import { type Bus, Unavailable } from "../../../examples/chat/Bus.ts"
import { inVirtualTime, port } from "./support.ts"

describe("examples/chat: the failure points (EX6)", () => {
  it("a network that is cut for a while delays lines, and loses and doubles none", () =>
    inVirtualTime({}, ({ join, network }) =>
      Effect.gen(function*() {
        const ada = yield* join("Ada")
        const bob = yield* join("bob")
        yield* network.partition("laptop", "server")
        yield* ada.say("into the void")
        yield* Effect.sleep("5 seconds")
        assert.notInclude(bob.heard, "Ada: into the void")
        yield* network.heal("laptop", "server")
        yield* Tasks.gather([ada, bob].map((person) => person.hears("Ada: into the void")))
        yield* bob.say("end")
        yield* ada.hears("bob: end")
        assert.lengthOf(ada.heard.filter((line) => line === "Ada: into the void"), 1)
      })))

  it("a user whose machine has lost its power leaves after the idle time, and is told of once", () =>
    inVirtualTime({ idleTimeout: Duration.seconds(30) }, ({ join, network }) =>
      Effect.gen(function*() {
        const ada = yield* join("Ada")
        const desktop = yield* network.on("desktop", Tcp.connect({ host: "server", port }))
        yield* Effect.orDie(desktop.send("CONNECT bob\n"))
        yield* ada.hears("bob connected!")
        const began = yield* Timeout.now
        yield* network.crash("desktop")
        yield* Effect.sleep("20 seconds")
        yield* ada.say("still here")
        yield* ada.hears("bob has left the chat")
        assert.closeTo((yield* Timeout.now) - began, 30_000, 20)
        yield* ada.say("end")
        yield* ada.hears("Ada: end")
        assert.lengthOf(ada.heard.filter((line) => line === "bob has left the chat"), 1)
      })))

  it("a bus that cannot be reached: what is said is refused, not lost in silence, and may be said again", async () => {
    const { breakable, bus } = await breakableBus()
    await inVirtualTime({ bus }, ({ dial, join }) =>
      Effect.gen(function*() {
        const ada = yield* join("Ada", { caps: "ack" })
        const bob = yield* join("bob")
        breakable.isBroken = () => true
        yield* ada.say("MSG 1 hello", "plain", "/who", "MSG 2 /me waves")
        yield* Tasks.gather([ada.hears(/^NAK 1 unavailable /u), ada.hears(/^NAK 2 unavailable /u), ada.hears(/^ERR unavailable /u, 2)])
        const late = yield* dial
        yield* late.say("CONNECT late")
        yield* late.hears(/^ERR unavailable /u)
        breakable.isBroken = () => false
        yield* ada.say("MSG 1 hello")
        yield* late.say("CONNECT late")
        yield* late.hears("late connected!")
        yield* bob.hears("late connected!")
        assert.deepStrictEqual(bob.heard.slice(2), ["Ada: hello", "late connected!"])
      }))
  })

  it("a bus that is gone in the middle of RESUME: the user is still there for the next connection", async () => {
    const { breakable, bus } = await breakableBus()
    await inVirtualTime({ bus }, ({ dial, join }) =>
      Effect.gen(function*() {
        const bob = yield* join("bob")
        const ada = yield* join("Ada", { caps: "ack resume" })
        const token = yield* ada.find(/^TOKEN (\S+)$/u)
        yield* ada.crash
        breakable.isBroken = (method) => method === "missed"
        const unlucky = yield* dial
        yield* unlucky.say("CAPS ack resume", `RESUME ${token} -`)
        assert.strictEqual(yield* unlucky.ended, "end")
        assert.match(unlucky.heard.at(-1)!, /^ERR unavailable /u)
        breakable.isBroken = () => false
        const back = yield* dial
        yield* back.say("CAPS ack resume", `RESUME ${token} -`, "MSG 1 here")
        yield* bob.hears("Ada: here")
        assert.notMatch(bob.heard.join("\n"), /has left/u)
      }))
  })
})

/** A bus in memory that fails as one over a network would, when it is told to. */
const breakableBus = async () => {
  const memory = await Effect.runPromise(MemoryBus.make({ history: 50, resumeBytes: 100_000 }))
  const breakable = { isBroken: (_method: keyof Bus): boolean => false }
  const unless = <A, E>(method: keyof Bus, self: Effect.Effect<A, E>): Effect.Effect<A, E | Unavailable> =>
    Effect.suspend((): Effect.Effect<A, E | Unavailable> => breakable.isBroken(method) ? Effect.fail(new Unavailable({})) : self)
  const bus: Bus = {
    attach: (deliver) => memory.attach(deliver),
    join: (user) => unless("join", memory.join(user)),
    leave: (token) => unless("leave", memory.leave(token)),
    away: (token, millis) => unless("away", memory.away(token, millis)),
    resume: (token, by) => unless("resume", memory.resume(token, by)),
    missed: (token, after, before) => unless("missed", memory.missed(token, after, before)),
    say: (token, lines) => unless("say", memory.say(token, lines)),
    whisper: (token, to, text, id) => unless("whisper", memory.whisper(token, to, text, id)),
    rename: (token, name) => unless("rename", memory.rename(token, name)),
    move: (token, room) => unless("move", memory.move(token, room)),
    roomOf: (token) => unless("roomOf", memory.roomOf(token)),
    who: (room) => unless("who", memory.who(room)),
    online: unless("online", memory.online),
    history: (room, count, before) => unless("history", memory.history(room, count, before))
  }
  return { bus, breakable }
}
