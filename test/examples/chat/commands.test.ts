import { Effect, Metric } from "effect"
import { Tasks } from "effect-nursery"
import { assert, describe, it } from "vitest"
import { inVirtualTime } from "./support.ts"

describe("examples/chat: commands (B21)", () => {
  it("/who tells who is in the room, in lines that a terminal can show", () =>
    inVirtualTime({}, ({ join }) =>
      Effect.gen(function*() {
        const names = Array.from({ length: 60 }, (_, i) => `somebody-${i}`)
        const people = yield* Effect.forEach(names, (name) => join(name))
        const [first] = people
        yield* first!.say("/who", "end")
        yield* first!.hears("somebody-0: end")
        const replies = first!.heard.filter((line) => line.startsWith("-- "))
        assert.strictEqual(replies[0], "-- 60 in lobby:")
        assert.isTrue(replies.every((line) => line.length < 450))
        assert.deepStrictEqual(replies.slice(1).flatMap((line) => line.slice(3).split(", ")), names)
      })))

  it("/nick changes the name for everybody in the room, frees the old one, and keeps the new one for itself", () =>
    inVirtualTime({}, ({ dial, join }) =>
      Effect.gen(function*() {
        const ada = yield* join("Ada")
        const bob = yield* join("bob")
        yield* ada.say("/nick Countess", "hello")
        yield* bob.hears("Countess: hello")
        assert.deepStrictEqual(bob.heard.slice(2), ["Ada is now known as Countess", "Countess: hello"])
        yield* bob.say("/nick countess", "/nick", "/nick a b", "/nick BOB", "end")
        yield* bob.hears("BOB: end")
        const heard = bob.heard.slice(4)
        assert.deepStrictEqual(heard.filter((line) => !line.startsWith("ERR")), ["bob is now known as BOB", "BOB: end"])
        assert.deepStrictEqual(heard.filter((line) => line.startsWith("ERR")).map((line) => line.split(" ")[1]), ["name-taken", "protocol", "name-invalid"])
        const next = yield* dial
        yield* next.say("CONNECT Ada")
        yield* next.hears("Ada connected!")
      })))

  it("/msg tells one user, in whichever room, and the sender to whom", () =>
    inVirtualTime({}, ({ join }) =>
      Effect.gen(function*() {
        const [ada, bob, eve] = yield* Effect.forEach(["Ada", "bob", "Eve"], (name) => join(name))
        yield* bob!.say("/join tea")
        yield* bob!.hears("bob joined tea")
        yield* ada!.say("/msg BOB  psst, you", "/msg nobody hi", "/msg bob", "/msg", "end")
        yield* eve!.hears("Ada: end")
        yield* Tasks.gather([bob!.hears("Ada (private): psst, you"), ada!.hears("-- to bob: psst, you"), ada!.hears(/^ERR no-such-user .*nobody/u), ada!.hears(/^ERR protocol say \/msg/u, 2)])
        assert.notMatch(eve!.heard.join("\n"), /psst/u)
      })))

  it("/me says what somebody does", () =>
    inVirtualTime({}, ({ join }) =>
      Effect.gen(function*() {
        const ada = yield* join("Ada")
        yield* ada.say("/me waves at all", "/me")
        yield* ada.hears("* Ada waves at all")
        yield* ada.hears("ERR protocol say /me TEXT")
      })))

  it("/join leaves one room for another, each told in its own words, and a room hears only its own", () =>
    inVirtualTime({}, ({ join }) =>
      Effect.gen(function*() {
        const [ada, bob, eve] = yield* Effect.forEach(["Ada", "bob", "Eve"], (name) => join(name))
        yield* ada!.say("last words", "/join tea", "first words")
        yield* bob!.hears("Ada has left for tea")
        yield* ada!.hears("Ada: first words")
        yield* eve!.say("/join TEA", "good tea")
        yield* ada!.hears("Eve: good tea")
        yield* bob!.say("alone?")
        yield* bob!.hears("bob: alone?")
        yield* ada!.say("/join tea", "/join", "/join a:", "/who")
        yield* ada!.hears("-- Ada, Eve")
        yield* ada!.hears(/^ERR (protocol|room-invalid) /u, 2)
        assert.deepStrictEqual(ada!.heard.filter((line) => !/^(--|ERR)/u.test(line)).slice(4), ["Ada: last words", "Ada joined tea", "Ada: first words", "Eve joined tea", "Eve: good tea"])
        assert.deepStrictEqual(bob!.heard.slice(3), ["Ada: last words", "Ada has left for tea", "Eve has left for tea", "bob: alone?"])
        // Welcome counts everybody, and everybody starts in the first room.
        const last = yield* join("last")
        assert.strictEqual(last.heard[0], "Welcome! 4 user(s) are online!")
        yield* bob!.hears("last connected!")
        assert.notInclude(ada!.heard, "last connected!")
      })))

  it("/stats, /help, /quit and a command that does not exist answer one user alone (B37)", () =>
    inVirtualTime({ floodLimit: undefined }, ({ join }) =>
      Effect.gen(function*() {
        const ada = yield* join("Ada")
        const bob = yield* join("bob")
        yield* bob.say("hello", "/stats", "/help", "/frobnicate x", "/", "/constructor", "//me is not a command", "/quit")
        assert.strictEqual(yield* bob.ended, "end")
        yield* ada.hears("bob has left the chat")
        assert.deepStrictEqual(ada.heard.slice(2), ["bob connected!", "bob: hello", "bob: /me is not a command", "bob has left the chat"])
        assert.include(bob.heard, "-- joined 2; connections ended: none")
        for (const command of ["who", "nick", "msg", "me", "join", "history", "stats", "help", "quit"]) {
          assert.isTrue(bob.heard.some((line) => line.startsWith(`-- /${command}`)), command)
        }
        assert.lengthOf(bob.heard.filter((line) => line.startsWith("ERR unknown-command ")), 3)
      })))

  it("counts for whoever reads the metrics of Effect (B37)", () =>
    inVirtualTime({ floodLimit: undefined, outbox: 50_000 }, ({ connect, join }) =>
      Effect.gen(function*() {
        const ada = yield* join("Ada")
        const bob = yield* join("bob")
        const deaf = yield* connect
        yield* Effect.orDie(deaf.send("CONNECT deaf\n"))
        yield* ada.hears("deaf connected!")
        for (let i = 0; i < 200; i++) yield* Effect.andThen(ada.say(`${i} ${"x".repeat(1000)}`), ada.hears(new RegExp(`^Ada: ${i} `, "u")))
        yield* ada.hears("deaf has left the chat")
        yield* bob.say("/quit")
        yield* ada.hears("bob has left the chat")
        const now = new Map((yield* Metric.snapshot).map(({ attributes, id, state }) => [`${id} ${attributes?.["reason"] ?? ""}`.trim(), state]))
        const count = (name: string) => (now.get(name) as { readonly count?: number; readonly value?: number } | undefined)
        assert.deepStrictEqual(["chat_joined", "chat_left slow", "chat_left quit", "chat_lines_in"].map((name) => count(name)?.count), [3, 1, 1, 201])
        assert.deepStrictEqual(["chat_connected", "chat_users"].map((name) => count(name)?.value), [1, 1])
        assert.isAbove(count("chat_outbox_peak_bytes")!.value!, 50_000)
        assert.isAtLeast(count("chat_lines_out")!.count!, 400)
      })))

  it("lets a user say 20 lines in a second, tells how many more were not said, and then goes on (B23)", () =>
    inVirtualTime({}, ({ join }) =>
      Effect.gen(function*() {
        const ada = yield* join("Ada")
        const bob = yield* join("bob")
        yield* ada.say(...Array.from({ length: 50 }, (_, i) => `line ${i}`))
        yield* ada.hears("ERR flood 30 lines were not said: at most 20 in 1s")
        yield* Effect.sleep("500 millis")
        yield* ada.say(...Array.from({ length: 11 }, (_, i) => `more ${i}`))
        yield* ada.hears("ERR flood 1 line was not said: at most 20 in 1s")
        yield* bob.say("me too")
        yield* bob.hears("bob: me too")
        assert.deepStrictEqual(bob.heard.slice(2), [...Array.from({ length: 20 }, (_, i) => `Ada: line ${i}`), ...Array.from({ length: 10 }, (_, i) => `Ada: more ${i}`), "bob: me too"])
      })))

  it("lets in only so many users, and only so many connections", () =>
    inVirtualTime({ maxUsers: 2, maxConnections: 4 }, ({ dial, join }) =>
      Effect.gen(function*() {
        yield* join("Ada")
        const bob = yield* join("bob")
        const third = yield* dial
        yield* third.say("CONNECT Eve")
        assert.strictEqual(yield* third.ended, "end")
        assert.match(third.heard.join(), /^ERR full 2 users/u)
        yield* Tasks.gather([dial, dial])
        const fifth = yield* dial
        yield* fifth.ended
        assert.match(fifth.heard.join(), /^ERR full 4 connections/u)
        yield* bob.say("/quit")
        assert.strictEqual(yield* bob.ended, "end")
        yield* join("Eve")
      })))
})
