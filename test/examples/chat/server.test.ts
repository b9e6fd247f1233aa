import { Duration, Effect, Stream } from "effect"
import { Tasks, Timeout } from "effect-nursery"
import { assert, describe, it } from "vitest"
import { inVirtualTime, type Person } from "./support.ts"

/** What somebody has heard since they were welcomed. */
const afterWelcome = (person: Person) => person.heard.slice(1)

describe("examples/chat: the plain protocol", () => {
  it("is the source's transcript, byte for byte (B15)", async () => {
    const heard = await inVirtualTime({}, ({ dial }) =>
      Effect.gen(function*() {
        const lancelot = yield* dial
        yield* lancelot.say("CONNECT MissIslington")
        yield* lancelot.hears("MissIslington connected!")
        const bedevere = yield* dial
        yield* bedevere.say("CONNECT SirBedevere")
        yield* lancelot.hears("SirBedevere connected!")
        yield* bedevere.say("Is that your nose?")
        yield* lancelot.hears("SirBedevere: Is that your nose?")
        yield* lancelot.say("No, it's a false one!")
        yield* bedevere.hears("MissIslington: No, it's a false one!")
        yield* lancelot.hears("MissIslington: No, it's a false one!")
        return `${lancelot.heard.join("\n")}\n`
      }))
    assert.strictEqual(heard, `Welcome! 1 user(s) are online!
MissIslington connected!
SirBedevere connected!
SirBedevere: Is that your nose?
MissIslington: No, it's a false one!
`)
  })

  it("welcomes with the number of users, tells everybody including the newcomer, and the others who has left (S1-R1)", () =>
    inVirtualTime({}, ({ join }) =>
      Effect.gen(function*() {
        const ada = yield* join("Ada")
        const grace = yield* join("Grace")
        const alan = yield* join("Alan")
        yield* alan.say("/quit")
        assert.strictEqual(yield* alan.ended, "end")
        yield* Tasks.gather([ada.hears("Alan has left the chat"), grace.hears("Alan has left the chat")])
        assert.deepStrictEqual(ada.heard, ["Welcome! 1 user(s) are online!", "Ada connected!", "Grace connected!", "Alan connected!", "Alan has left the chat"])
        assert.deepStrictEqual(grace.heard, ["Welcome! 2 user(s) are online!", "Grace connected!", "Alan connected!", "Alan has left the chat"])
        assert.deepStrictEqual(alan.heard, ["Welcome! 3 user(s) are online!", "Alan connected!"])
        // The name is free again.
        const again = yield* join("Alan")
        assert.strictEqual(again.heard[0], "Welcome! 3 user(s) are online!")
      })))

  it("takes lines that end in LF or CRLF, in pieces of any size (B29)", () =>
    inVirtualTime({}, ({ dial }) =>
      Effect.gen(function*() {
        const telnet = yield* dial
        yield* telnet.send("CONNECT Ada\r\nhello\r\n\r\nand Grüße\nbye\r\n")
        yield* telnet.hears("Ada: bye")
        assert.deepStrictEqual(afterWelcome(telnet), ["Ada connected!", "Ada: hello", "Ada: and Grüße", "Ada: bye"])
      }), { maxChunkBytes: 1 }))

  it("delivers 50 × 20 lines to each of 50, each sender's in order (S1-R2)", () =>
    inVirtualTime({ floodLimit: undefined }, ({ join }) =>
      Effect.gen(function*() {
        const people = yield* Effect.forEach(Array.from({ length: 50 }, (_, i) => `user${i}`), (name) => join(name))
        const talks = people.map((person) =>
          Effect.forEach(Array.from({ length: 20 }, (_, k) => k), (k) => Effect.andThen(person.say(`line ${k}`), Effect.sleep(k % 3)), { discard: true }))
        yield* Tasks.gather(talks)
        yield* Tasks.gather(people.map((person) => person.hears(/: line 19$/u, 50)))
        for (const { heard } of people) {
          const said = heard.filter((line) => / line \d+$/u.test(line))
          assert.lengthOf(said, 1000)
          for (let i = 0; i < 50; i++) {
            assert.deepStrictEqual(said.filter((line) => line.startsWith(`user${i}: `)), Array.from({ length: 20 }, (_, k) => `user${i}: line ${k}`))
          }
        }
      }), { jitter: "5 millis" }))

  it("closes on what is no CONNECT, with one error line, and tells nobody (M01)", async () => {
    const bad = ["connect bob\n", "CONNECT\n", "CONNECT  \n", "CONNECT a b\n", "\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "bob\n", "RESUME x 1\n"]
    const hello = new Uint8Array([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03, 0x0a, 0xff, 0x0a])
    await inVirtualTime({}, ({ dial, join }) =>
      Effect.gen(function*() {
        const ada = yield* join("Ada")
        for (const bytes of [...bad, hello]) {
          const stranger = yield* dial
          yield* stranger.send(bytes)
          assert.strictEqual(yield* stranger.ended, "end", String(bytes))
          assert.lengthOf(stranger.heard, 1)
          assert.match(stranger.heard[0]!, /^ERR (protocol|utf8) .+/u)
        }
        yield* ada.say("still here")
        yield* ada.hears("Ada: still here")
        assert.deepStrictEqual(afterWelcome(ada), ["Ada connected!", "Ada: still here"])
      }))
  })

  it("limits names, and takes those that look alike for the same (M02, B16)", () =>
    inVirtualTime({}, ({ dial, join }) =>
      Effect.gen(function*() {
        yield* join("Admin")
        yield* join("Zoë")
        yield* join("x".repeat(32))
        yield* join("👩‍👩‍👧‍👦")
        const late = yield* dial
        const refused: ReadonlyArray<readonly [string, string]> = [
          ["admin", "name-taken"],
          ["ADMIN", "name-taken"],
          ["Ａdmin", "name-taken"],
          ["Ad\u200Dmin", "name-taken"],
          ["Zoe\u0308", "name-taken"],
          ["x".repeat(33), "name-invalid"],
          ["x".repeat(1000), "name-invalid"],
          ["bob:", "name-invalid"],
          ["b\tob", "name-invalid"],
          ["b\u0007ob", "name-invalid"],
          ["b\u202Eob", "name-invalid"],
          ["\u200D", "name-invalid"],
          ["ERR", "name-invalid"],
          ["*", "name-invalid"]
        ]
        // Whoever was refused may choose again.
        for (const [name] of refused) yield* late.say(`CONNECT ${name}`)
        yield* late.say("CONNECT late")
        yield* late.hears("late connected!")
        assert.deepStrictEqual(late.heard.slice(0, -2).map((line) => line.split(" ")[1]), refused.map(([, reason]) => reason))
        // The composed form is shown.
        const composed = yield* join("Andre\u0301").pipe(Timeout.moveOnAfter("1 minute"))
        assert.strictEqual(composed._tag, "None")
        yield* late.hears("Andr\u00E9 connected!")
      })))

  it("parts from somebody who tries one name after the other, before anybody is asked for the twenty-first", () =>
    inVirtualTime({}, ({ dial, join }) =>
      Effect.gen(function*() {
        yield* join("Ada")
        const guesser = yield* dial
        yield* guesser.say(...Array.from({ length: 100 }, () => "CONNECT Ada"))
        assert.strictEqual(yield* guesser.ended, "end")
        assert.deepStrictEqual(guesser.heard.map((line) => line.split(" ")[1]), [...Array.from({ length: 20 }, () => "name-taken"), "flood"])
      })))

  it("refuses a line or a name that is not UTF-8, and harms nobody (M03)", () =>
    inVirtualTime({}, ({ dial, join }) =>
      Effect.gen(function*() {
        const ada = yield* join("Ada")
        const stranger = yield* dial
        yield* stranger.send(new Uint8Array([...Buffer.from("CONNECT "), 0xff, 0xfe, 10]))
        assert.strictEqual(yield* stranger.ended, "end")
        assert.match(stranger.heard.join(), /^ERR utf8 /u)
        const grace = yield* join("Grace")
        yield* grace.send(new Uint8Array([...Buffer.from("before\nbad "), 0xc3, 0x28, ...Buffer.from("\nafter\n")]))
        yield* ada.hears("Grace: after")
        yield* grace.hears(/^ERR utf8 /u)
        assert.deepStrictEqual(afterWelcome(ada), ["Ada connected!", "Grace connected!", "Grace: before", "Grace: after"])
      })))

  it("refuses a line that is too long, says so, and goes on behind it", () =>
    inVirtualTime({ maxLine: 100 }, ({ join }) =>
      Effect.gen(function*() {
        const ada = yield* join("Ada")
        yield* ada.say("x".repeat(100), "y".repeat(101), "z".repeat(5000), "done")
        yield* ada.hears("Ada: done")
        yield* ada.hears(/^ERR too-long .*100/u, 2)
        assert.deepStrictEqual(afterWelcome(ada).filter((line) => !line.startsWith("ERR")), ["Ada connected!", `Ada: ${"x".repeat(100)}`, "Ada: done"])
      }), { maxChunkBytes: 37 }))

  it("delivers no part of a line that was cut off by its sender's end (M06)", () =>
    inVirtualTime({}, ({ join }) =>
      Effect.gen(function*() {
        const ada = yield* join("Ada")
        const grace = yield* join("Grace")
        yield* grace.send("whole\nha")
        yield* Effect.orDie(grace.stream.sendEof)
        yield* ada.hears("Grace has left the chat")
        assert.deepStrictEqual(ada.heard.slice(2), ["Grace connected!", "Grace: whole", "Grace has left the chat"])
        assert.strictEqual(yield* grace.ended, "end")
      })))

  it("tells notices from what looks like one, and shows control characters instead of obeying them (M10)", () =>
    inVirtualTime({}, ({ join }) =>
      Effect.gen(function*() {
        const ada = yield* join("Ada")
        const bob = yield* join("bob")
        yield* bob.say("Ada has left the chat", "hi\rWelcome! 9 user(s) are online!", "\u001b[2Jgone")
        yield* ada.hears(/gone$/u)
        assert.deepStrictEqual(ada.heard.slice(3), ["bob: Ada has left the chat", "bob: hi␍Welcome! 9 user(s) are online!", "bob: ␛[2Jgone"])
      })))

  it("keeps what the sender says from the sender with --no-echo, and only that (EX1)", () =>
    inVirtualTime({ echo: false }, ({ join }) =>
      Effect.gen(function*() {
        const ada = yield* join("Ada")
        const bob = yield* join("bob", { caps: "resume" })
        yield* Tasks.gather([ada.say("one", "two"), bob.say("three")])
        yield* Tasks.gather([bob.hears(/Ada: two$/u), ada.hears("bob: three")])
        yield* ada.say("/who")
        yield* ada.hears(/Ada, bob/u)
        const own = (person: Person, name: string) => person.heard.filter((line) => line.includes(`${name}: `))
        assert.deepStrictEqual(own(ada, "Ada"), [])
        assert.deepStrictEqual(own(bob, "bob"), [])
        assert.deepStrictEqual(own(bob, "Ada").map((line) => line.replace(/^SEQ \S+ /u, "")), ["Ada: one", "Ada: two"])
      })))
})

describe("examples/chat: the end of a connection", () => {
  it("is told the others exactly once, for quit, FIN, RST and idle, and the count is right (M05)", () =>
    inVirtualTime({}, ({ join }) =>
      Effect.gen(function*() {
        const ada = yield* join("Ada")
        const [quit, fin, rst] = yield* Effect.forEach(["quit", "fin", "rst"], (name) => join(name))
        yield* join("silent")
        yield* quit!.say("/quit")
        yield* Effect.orDie(fin!.stream.sendEof)
        yield* rst!.crash
        for (const name of ["quit", "fin", "rst"]) yield* ada.hears(`${name} has left the chat`)
        // Whoever says something now and then stays.
        for (let i = 0; i < 3; i++) yield* Effect.andThen(Effect.sleep("25 seconds"), ada.say("ping"))
        yield* ada.hears("silent has left the chat")
        const last = yield* join("last")
        assert.strictEqual(last.heard[0], "Welcome! 2 user(s) are online!")
        yield* ada.hears("last connected!")
        for (const name of ["quit", "fin", "rst", "silent"]) {
          assert.lengthOf(ada.heard.filter((line) => line === `${name} has left the chat`), 1)
        }
      })))

  it("comes after 60 silent seconds, not after 59 and a line, and is told (M04, S1-R3)", () =>
    inVirtualTime({}, ({ join }) =>
      Effect.gen(function*() {
        const ada = yield* join("Ada")
        const began = yield* Timeout.now
        const bob = yield* join("bob")
        const watch = Effect.forever(Effect.andThen(Effect.sleep("20 seconds"), ada.say("x")))
        const at = yield* Tasks.firstCompleted([
          watch,
          Effect.gen(function*() {
            yield* Effect.sleep(59_000)
            yield* bob.say("still here")
            yield* Effect.sleep(59_900)
            assert.notInclude(ada.heard, "bob has left the chat")
            yield* ada.hears("bob has left the chat")
            return yield* Timeout.now
          })
        ])
        // A few milliseconds are those of the network.
        assert.closeTo(at - began, 119_000, 20)
        assert.match(bob.heard.at(-1)!, /^ERR idle /u)
        assert.strictEqual(yield* bob.ended, "end")
      })))
})

describe("the defects of the source's chat server, mended (FEATURES 0.6)", () => {
  it("a name with a space or an empty first line does not crash the handler", () =>
    inVirtualTime({}, ({ dial }) =>
      Effect.gen(function*() {
        for (const line of ["CONNECT a b", ""]) {
          const stranger = yield* dial
          yield* stranger.say(line)
          assert.strictEqual(yield* stranger.ended, "end")
          assert.match(stranger.heard.join(), /^ERR protocol /u)
        }
      })))

  it("after a clean close the user is not listed any more", () =>
    inVirtualTime({}, ({ join }) =>
      Effect.gen(function*() {
        const ada = yield* join("Ada")
        const bob = yield* join("bob")
        yield* bob.stream.close
        yield* ada.hears("bob has left the chat")
        yield* ada.say("/who")
        yield* ada.hears("-- 1 in lobby:")
        yield* ada.hears("-- Ada")
      })))

  it("a second user of the same name is refused, and the first one still hears", () =>
    inVirtualTime({}, ({ dial, join }) =>
      Effect.gen(function*() {
        const alice = yield* join("alice")
        const second = yield* dial
        yield* second.say("CONNECT alice")
        yield* second.hears(/^ERR name-taken /u)
        const bob = yield* join("bob")
        yield* bob.say("hello")
        yield* alice.hears("bob: hello")
      })))

  it("a client that never says CONNECT is dropped after 15 seconds", () =>
    inVirtualTime({}, ({ dial, join }) =>
      Effect.gen(function*() {
        const began = yield* Timeout.now
        const [mute, slow] = yield* Tasks.gather([dial, dial])
        yield* slow.send("CONN")
        yield* Tasks.gather([mute.ended, slow.ended])
        assert.closeTo((yield* Timeout.now) - began, 15_000, 20)
        assert.match(mute.heard.join(), /^ERR idle .*15s/u)
        // Whoever has said it in time stays.
        const ada = yield* join("Ada")
        yield* Effect.sleep("20 seconds")
        yield* ada.say("here")
        yield* ada.hears("Ada: here")
      })))

  it("one client that stops reading does not stop the others, and is dropped with its reason (B17)", () =>
    inVirtualTime({ floodLimit: undefined, outbox: 100_000 }, ({ connect, join }) =>
      Effect.gen(function*() {
        const ada = yield* join("Ada")
        const bob = yield* join("bob")
        const deaf = yield* connect
        yield* Effect.orDie(deaf.send("CONNECT deaf\n"))
        yield* ada.hears("deaf connected!")
        const text = "x".repeat(1000)
        for (let i = 0; i < 300; i++) yield* ada.say(`${i} ${text}`)
        yield* bob.hears(`Ada: 299 ${text}`)
        yield* Tasks.gather([ada.hears("deaf has left the chat"), bob.hears("deaf has left the chat")])
        yield* ada.say("/stats")
        yield* ada.hears(/^-- joined 3; connections ended: 1 slow$/u)
        // What it reads at last ends with the reason.
        const heard = yield* Stream.mkString(Stream.decodeText(Stream.orDie(deaf.chunks)))
        assert.match(heard, /\nERR slow more than 100000 bytes were waiting for you\n$/u)
        assert.isAtMost(heard.length, 300_000)
      })))

  it("idle removal tells the others that the user has left", () =>
    inVirtualTime({ idleTimeout: Duration.seconds(5) }, ({ join }) =>
      Effect.gen(function*() {
        const ada = yield* join("Ada")
        const bob = yield* join("bob")
        yield* Effect.sleep("3 seconds")
        yield* ada.say("x")
        yield* ada.hears("bob has left the chat")
        assert.strictEqual(yield* bob.ended, "end")
      })))

  it("no task is left that nobody owns: when the server has stopped, everything has ended", () =>
    inVirtualTime({}, ({ dial, join, stop }) =>
      Effect.gen(function*() {
        const people = yield* Effect.forEach(["Ada", "bob"], (name) => join(name, { caps: "ack resume" }))
        const stranger = yield* dial
        yield* stranger.say("CAPS ack")
        yield* stranger.hears("CAPS ack")
        const report = yield* stop
        assert.deepStrictEqual([report.drained, report.forced], [3, 0])
        for (const person of [...people, stranger]) {
          assert.strictEqual(yield* person.ended, "end")
          assert.strictEqual(person.heard.at(-1), "ERR shutdown the server is going down")
        }
        // Nobody is told that the others leave.
        for (const person of people) assert.notMatch(person.heard.join("\n"), /has left/u)
      })))

  it("a connection that comes while the server stops is told so, too, and holds nothing up", () =>
    inVirtualTime({}, ({ connect, join, stop }) =>
      Effect.gen(function*() {
        yield* join("Ada")
        const began = yield* Timeout.now
        // Some come before the server stops, some after: each has an end.
        const late = (millis: number) =>
          Effect.andThen(Effect.sleep(millis), Effect.scoped(Effect.flatMap(connect, (stream) => Stream.mkString(Stream.decodeText(stream.chunks))))).pipe(
            Effect.catch(() => Effect.succeed(""))
          )
        const [report, ...heard] = yield* Tasks.gather([Effect.andThen(Effect.sleep(10), stop), ...Array.from({ length: 20 }, (_, i) => late(i))])
        assert.strictEqual(report.forced, 0)
        assert.isBelow((yield* Timeout.now) - began, 1000)
        assert.isTrue(heard.every((text) => text === "" || text === "ERR shutdown the server is going down\n"))
        assert.isTrue(heard.some((text) => text !== ""))
      }), { delay: 3 }))

  it("the set of users may change in the middle of a broadcast: 200 a second come and go while others talk (M09)", () =>
    inVirtualTime({ floodLimit: undefined }, ({ connect, join }) =>
      Effect.gen(function*() {
        const ada = yield* join("Ada")
        const bob = yield* join("bob")
        const guest = (i: number) =>
          Effect.scoped(Effect.gen(function*() {
            yield* Effect.sleep(i * 5)
            const stream = yield* connect
            yield* stream.send(`CONNECT guest${i}\n`)
            yield* Effect.sleep(20 + i % 7 * 10)
            if (i % 2 === 0) return yield* stream.abort
            yield* stream.send("/quit\n")
            const heard = yield* Stream.mkString(Stream.decodeText(stream.chunks))
            // Nobody hears of their own going, and nothing after it.
            assert.notInclude(heard, `guest${i} has left`)
            assert.match(heard, new RegExp(`^Welcome! \\d+ user\\(s\\) are online!\\nguest${i} connected!\\n`, "u"))
          })).pipe(Effect.orDie)
        const talk = Effect.forEach(Array.from({ length: 400 }, (_, k) => k), (k) => Effect.andThen(ada.say(`line ${k}`), Effect.sleep(2)), { discard: true })
        yield* Tasks.gather([talk, ...Array.from({ length: 160 }, (_, i) => guest(i))])
        yield* Tasks.gather([ada, bob].map((person) => person.hears(/^guest\d+ has left the chat$/u, 160)))
        yield* bob.hears("Ada: line 399")
        assert.deepStrictEqual(bob.heard.filter((line) => line.startsWith("Ada: ")), Array.from({ length: 400 }, (_, k) => `Ada: line ${k}`))
        yield* ada.say("/who")
        yield* ada.hears("-- Ada, bob")
      }), { jitter: "3 millis" }))
})
