import { Duration, Effect } from "effect"
import { Tasks, Timeout } from "effect-nursery"
import { assert, describe, it } from "vitest"
import { inVirtualTime, type Party, type Person } from "./support.ts"

const all = { caps: "ack resume history" }

const chatLines = (person: Person) => person.heard.filter((line) => line.startsWith("SEQ ")).map((line) => line.replace(/^SEQ \S+ /u, ""))
const lastSeq = (person: Person) => person.heard.filter((line) => line.startsWith("SEQ ")).at(-1)?.split(" ")[1] ?? "-"
const tokenOf = (person: Person) => person.find(/^TOKEN (\S+)$/u)

/** Comes back over a new connection. */
const resume = (party: Party, token: string, seq: string, caps = all.caps) =>
  Effect.gen(function*() {
    const person = yield* party.dial
    yield* person.say(`CAPS ${caps}`, `RESUME ${token} ${seq}`)
    yield* person.hears(/^(RESUMED|ERR) /u)
    return person
  })

describe("examples/chat: CAPS", () => {
  it("grants what it knows, in any order, and nothing else", () =>
    inVirtualTime({}, ({ dial }) =>
      Effect.gen(function*() {
        const ada = yield* dial
        yield* ada.say("CAPS history zip ack", "CONNECT Ada")
        yield* ada.hears("Ada connected!")
        assert.deepStrictEqual(ada.heard, ["CAPS ack history", "Welcome! 1 user(s) are online!", "HISTORY 0", "Ada connected!"])
      })))

  it("leaves its words to be text for those who have not asked for it", () =>
    inVirtualTime({}, ({ join }) =>
      Effect.gen(function*() {
        const bob = yield* join("bob")
        yield* bob.say("MSG 1 hi", "CAPS ack", "RESUME x -", "TOKEN t", "SEQ 1 x")
        yield* bob.hears("bob: SEQ 1 x")
        assert.deepStrictEqual(bob.heard.slice(2), ["bob: MSG 1 hi", "bob: CAPS ack", "bob: RESUME x -", "bob: TOKEN t", "bob: SEQ 1 x"])
      })))
})

describe("examples/chat: ack", () => {
  it("acknowledges what was accepted, by its id, and says it to everybody (B18, EX2)", () =>
    inVirtualTime({}, ({ join }) =>
      Effect.gen(function*() {
        const ada = yield* join("Ada", { caps: "ack" })
        const bob = yield* join("bob")
        yield* ada.say("MSG a-1 hello", "MSG a_2 /me waves", "MSG 3 //slash", "MSG 4 /who", "MSG 5 ")
        yield* Tasks.gather(["a-1", "a_2", "3", "4", "5"].map((id) => ada.hears(`ACK ${id}`)))
        yield* bob.hears("Ada: /slash")
        assert.deepStrictEqual(bob.heard.slice(2), ["Ada: hello", "* Ada waves", "Ada: /slash"])
        // The sender hears it, too: that is how a message is known to be delivered (EX3).
        yield* ada.hears("Ada: /slash")
      })))

  it("says once what is sent again, and answers again (B19)", () =>
    inVirtualTime({ floodLimit: undefined }, ({ join }) =>
      Effect.gen(function*() {
        const ada = yield* join("Ada", { caps: "ack" })
        const bob = yield* join("bob")
        const ids = Array.from({ length: 1000 }, (_, i) => `MSG ${i} line ${i}`)
        yield* ada.say(...ids, ...ids, "MSG me /me waves", "MSG me /me waves", "MSG psst /msg bob psst", "MSG psst /msg bob psst", "MSG end end")
        yield* ada.hears("ACK end")
        for (const id of ["0", "999", "me", "psst"]) assert.lengthOf(ada.heard.filter((line) => line === `ACK ${id}`), 2)
        yield* bob.hears("Ada: end")
        assert.deepStrictEqual(bob.heard.slice(2), [...ids.map((line) => line.replace(/^MSG \d+/u, "Ada:")), "* Ada waves", "Ada (private): psst", "Ada: end"])
        // The same id of somebody else is another one.
        const eve = yield* join("Eve", { caps: "ack" })
        yield* eve.say("MSG 1 mine")
        yield* bob.hears("Eve: mine")
      })))

  it("refuses by id, with one word for programs, and what was refused may be sent again", () =>
    inVirtualTime({ floodLimit: { count: 5, millis: 1000 }, maxLine: 100 }, ({ join }) =>
      Effect.gen(function*() {
        const ada = yield* join("Ada", { caps: "ack" })
        yield* ada.say("MSG 1 /nope", "MSG 2 /msg nobody hi", "MSG 3 /nick Ada:", `MSG 4 ${"x".repeat(200)}`)
        yield* ada.send(new Uint8Array([...Buffer.from("MSG 5 "), 0xff, 10]))
        yield* ada.say("MSG 6 a", "MSG 7 b", "MSG 8 c")
        yield* ada.hears(/^NAK 8 /u)
        const answers = ada.heard.filter((line) => /^(ACK|NAK) /u.test(line)).map((line) => line.split(" ").slice(0, 3).join(" "))
        assert.deepStrictEqual(answers.filter((line) => line.startsWith("N")), [
          "NAK 1 unknown-command",
          "NAK 2 no-such-user",
          "NAK 3 name-invalid",
          "NAK 4 too-long",
          "NAK 5 utf8",
          "NAK 8 flood"
        ])
        yield* Effect.sleep("1 second")
        yield* ada.say("MSG 8 c")
        yield* ada.hears("ACK 8")
        yield* ada.hears("Ada: c")
      })))

  it("answers a MSG without a good id as a line of its own", () =>
    inVirtualTime({}, ({ join }) =>
      Effect.gen(function*() {
        const ada = yield* join("Ada", { caps: "ack" })
        yield* ada.say("MSG", "MSG 1", "MSG ! x", "plain")
        yield* ada.hears("Ada: plain")
        assert.deepStrictEqual(ada.heard.slice(3), ["Ada: MSG", "Ada: MSG 1", "Ada: MSG ! x", "Ada: plain"])
      })))
})

describe("examples/chat: history", () => {
  it("tells newcomers the last 50 lines of the room, before they come in themselves (B22)", () =>
    inVirtualTime({ floodLimit: undefined }, ({ join }) =>
      Effect.gen(function*() {
        const ada = yield* join("Ada")
        yield* ada.say(...Array.from({ length: 120 }, (_, i) => `line ${i}`), "/me rests", "/msg Ada secret")
        yield* ada.hears("* Ada rests")
        const bob = yield* join("bob", { caps: "history" })
        assert.deepStrictEqual(bob.heard, [
          "CAPS history",
          "Welcome! 2 user(s) are online!",
          "HISTORY 50",
          ...Array.from({ length: 49 }, (_, i) => `PAST 0 Ada: line ${i + 71}`),
          "PAST 0 * Ada rests",
          "bob connected!"
        ])
        yield* ada.say("/history 2", "/history 0", "/history 7x")
        yield* ada.hears(/^ERR protocol say \/history/u)
        assert.deepStrictEqual(ada.heard.slice(-4).map((line) => line.replace(/^-- 1970\S+/u, "-- at")), [
          "-- at Ada: line 119",
          "-- at * Ada rests",
          "-- nothing was said",
          "ERR protocol say /history [N]"
        ])
      })))

  it("can be shorter, or none", () =>
    inVirtualTime({ history: 0 }, ({ join }) =>
      Effect.gen(function*() {
        const ada = yield* join("Ada")
        yield* ada.say("one")
        yield* ada.hears("Ada: one")
        const bob = yield* join("bob", { caps: "history" })
        assert.strictEqual(bob.heard[2], "HISTORY 0")
      })))
})

describe("examples/chat: resume", () => {
  it("brings back what was missed, in order and once, and nobody hears of it (B20)", () =>
    inVirtualTime({}, (party) =>
      Effect.gen(function*() {
        const ada = yield* party.join("Ada", all)
        const bob = yield* party.join("bob")
        const token = yield* tokenOf(ada)
        yield* bob.say("before")
        yield* ada.hears(/bob: before$/u)
        const seq = lastSeq(ada)
        yield* ada.crash
        yield* bob.say("one", "/msg Ada psst", "/join tea", "in tea", "/join lobby", "two")
        yield* bob.hears("bob: two")
        const back = yield* resume(party, token, seq)
        yield* bob.say("three")
        yield* back.hears(/bob: three$/u)
        assert.deepStrictEqual(back.heard.slice(0, 2), ["CAPS ack resume history", "RESUMED Ada"])
        assert.deepStrictEqual(chatLines(back), ["bob: one", "bob (private): psst", "bob has left for tea", "bob joined lobby", "bob: two", "bob: three"])
        // Numbers ascend, and none comes twice.
        const seqs = back.heard.filter((line) => line.startsWith("SEQ ")).map((line) => Number(line.split(" ")[1]))
        assert.deepStrictEqual(seqs, [...new Set(seqs)].sort((a, b) => a - b))
        assert.notMatch(bob.heard.join("\n"), /Ada (has left|connected)/u)
      })))

  it("keeps the name while a user is away, and tells exactly once that they have left when they do not come back", () =>
    inVirtualTime({ resumeFor: Duration.seconds(30) }, (party) =>
      Effect.gen(function*() {
        const bob = yield* party.join("bob")
        const ada = yield* party.join("Ada", all)
        const token = yield* tokenOf(ada)
        const began = yield* Timeout.now
        yield* ada.crash
        const eve = yield* party.dial
        yield* eve.say("CONNECT ada")
        yield* eve.hears(/^ERR name-taken /u)
        yield* bob.hears("Ada has left the chat")
        assert.closeTo((yield* Timeout.now) - began, 30_000, 20)
        const late = yield* resume(party, token, "-")
        assert.match(late.heard[1]!, /^ERR resume-unknown /u)
        // The connection stays, and CONNECT may follow.
        yield* late.say("CONNECT Ada")
        yield* late.hears(/Ada connected!$/u)
        yield* bob.hears("Ada connected!", 2)
        assert.lengthOf(bob.heard.filter((line) => line === "Ada has left the chat"), 1)
      })))

  it("knows the ids of before, in the room and under the name of before", () =>
    inVirtualTime({}, (party) =>
      Effect.gen(function*() {
        const ada = yield* party.join("Ada", all)
        const bob = yield* party.join("bob")
        yield* bob.say("/join tea")
        yield* ada.say("MSG 1 /join tea", "MSG 2 /nick Countess", "MSG 3 hello")
        yield* bob.hears("Countess: hello")
        const token = yield* tokenOf(ada)
        yield* ada.hears("ACK 3")
        const seq = lastSeq(ada)
        yield* ada.crash
        const back = yield* resume(party, token, seq)
        assert.strictEqual(back.heard[1], "RESUMED Countess")
        yield* back.say("MSG 2 /nick Countess", "MSG 3 hello", "MSG 4 again")
        yield* Tasks.gather([back.hears("ACK 2"), back.hears("ACK 3"), back.hears("ACK 4")])
        yield* bob.hears("Countess: again")
        assert.lengthOf(bob.heard.filter((line) => line === "Countess: hello"), 1)
      })))

  it("takes over from a connection that the server does not know to be dead", () =>
    inVirtualTime({}, (party) =>
      Effect.gen(function*() {
        const bob = yield* party.join("bob")
        const ada = yield* party.join("Ada", all)
        const back = yield* resume(party, yield* tokenOf(ada), lastSeq(ada))
        assert.strictEqual(yield* ada.ended, "end")
        assert.match(ada.heard.at(-1)!, /^ERR resumed /u)
        yield* back.say("here")
        yield* bob.hears("Ada: here")
        yield* back.say("/who")
        yield* back.hears("-- bob, Ada")
        yield* back.say("/quit")
        yield* bob.hears("Ada has left the chat")
        assert.deepStrictEqual(bob.heard.slice(2), ["Ada connected!", "Ada: here", "Ada has left the chat"])
      })))

  it("says that something is missing when more was missed than is kept", () =>
    inVirtualTime({ resumeBuffer: 5_000, floodLimit: undefined }, (party) =>
      Effect.gen(function*() {
        const ada = yield* party.join("Ada", all)
        const bob = yield* party.join("bob")
        yield* ada.hears(/bob connected!$/u)
        const [token, seq] = [yield* tokenOf(ada), lastSeq(ada)]
        yield* ada.crash
        yield* bob.say(...Array.from({ length: 100 }, (_, i) => `line ${i}`))
        yield* bob.hears("bob: line 99")
        const back = yield* resume(party, token, seq)
        yield* back.hears(/bob: line 99$/u)
        assert.strictEqual(back.heard[2], "-- some messages were missed")
        const numbers = chatLines(back).map((line) => Number(line.split(" ")[2]))
        assert.isAbove(numbers.length, 5)
        assert.deepStrictEqual(numbers, Array.from({ length: numbers.length }, (_, i) => 100 - numbers.length + i))
      })))

  it("begins with the user's own arrival when nothing was seen", () =>
    inVirtualTime({}, (party) =>
      Effect.gen(function*() {
        yield* party.join("early")
        const ada = yield* party.join("Ada", all)
        const token = yield* tokenOf(ada)
        yield* ada.crash
        const back = yield* resume(party, token, "-")
        assert.deepStrictEqual(chatLines(back), ["Ada connected!"])
        const nonsense = yield* resume(party, token, "what?")
        assert.deepStrictEqual([nonsense.heard[1], nonsense.heard[2]], ["RESUMED Ada", "-- some messages were missed"])
      })))

  it("needs a token that was given out, and the capability", () =>
    inVirtualTime({}, (party) =>
      Effect.gen(function*() {
        const ada = yield* party.join("Ada", all)
        const unknown = yield* resume(party, "not-a-token", "-")
        assert.match(unknown.heard[1]!, /^ERR resume-unknown /u)
        const token = yield* tokenOf(ada)
        const incapable = yield* resume(party, token, "-", "ack")
        assert.match(incapable.heard[1]!, /^ERR protocol /u)
        assert.strictEqual(yield* incapable.ended, "end")
        yield* ada.say("MSG 1 still here")
        yield* ada.hears("ACK 1")
      })))

  it("is not for those who have quit, or were dropped for silence", () =>
    inVirtualTime({ idleTimeout: Duration.seconds(10) }, (party) =>
      Effect.gen(function*() {
        const ada = yield* party.join("Ada", all)
        const bob = yield* party.join("bob", all)
        const tokens = [yield* tokenOf(ada), yield* tokenOf(bob)]
        yield* ada.say("MSG 1 /quit")
        assert.strictEqual(yield* ada.ended, "end")
        assert.strictEqual(yield* bob.ended, "end")
        for (const token of tokens) {
          const late = yield* resume(party, token, "-")
          assert.match(late.heard[1]!, /^ERR resume-unknown /u)
        }
      })))
})
