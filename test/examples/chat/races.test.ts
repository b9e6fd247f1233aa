/** What two connections do at the same time, in many orders of events. */
import { Duration, Effect } from "effect"
import { Tasks } from "effect-nursery"
import { assert, describe, it } from "vitest"
import { explored, type Party } from "./support.ts"

const network = { jitter: "4 millis" } as const

/** What became of somebody who came back: heard what, and whether the connection is still there. */
const resume = (party: Party, token: string) =>
  Effect.gen(function*() {
    const person = yield* party.dial
    yield* person.say("CAPS ack resume", `RESUME ${token} -`)
    yield* Tasks.firstCompleted([person.hears(/^(RESUMED|ERR) /u), person.ended])
    return person
  })

describe("examples/chat, in many orders of events", () => {
  it("gives a name to one of those who want it at the same time", () => {
    explored({}, ({ dial, join }) =>
      Effect.gen(function*() {
        const observer = yield* join("observer")
        const wants = Effect.gen(function*() {
          const person = yield* dial
          yield* person.say("CONNECT Ada")
          yield* person.hears(/^(Ada connected!|ERR name-taken .*)$/u)
          return person.heard.some((line) => line.startsWith("Welcome!"))
        })
        const got = yield* Tasks.gather([wants, wants, wants])
        yield* observer.hears("Ada connected!")
        yield* observer.say("/who")
        yield* observer.hears("-- observer, Ada")
        return { got: got.filter(Boolean).length, told: observer.heard.filter((line) => line === "Ada connected!").length }
      }), { runs: 100, network, holds: (value) => assert.deepStrictEqual(value, { got: 1, told: 1 }) })
  })

  it("lets one of several connections go on as the user, whichever was last, and tells of the leave once", () => {
    explored({ resumeFor: Duration.seconds(5) }, (party) =>
      Effect.gen(function*() {
        const observer = yield* party.join("observer")
        const ada = yield* party.join("Ada", { caps: "ack resume" })
        const token = yield* ada.find(/^TOKEN (\S+)$/u)
        const [first, second] = yield* Tasks.gather([resume(party, token), resume(party, token), ada.crash])
        // One of the two is told that the other one goes on, or never got an answer; the other one talks.
        const loser = yield* Tasks.firstCompleted([Effect.as(first.ended, first), Effect.as(second.ended, second)])
        const winner = loser === first ? second : first
        yield* winner.hears("RESUMED Ada")
        yield* winner.say("MSG 1 here", "MSG 2 /who")
        yield* winner.hears("ACK 2")
        yield* observer.hears("Ada: here")
        yield* winner.crash
        yield* observer.hears("Ada has left the chat")
        yield* observer.say("/who")
        yield* observer.hears("-- observer")
        return {
          last: loser.heard.at(-1)?.split(" ").slice(0, 2).join(" "),
          notices: observer.heard.filter((line) => /^Ada (connected|has left)/u.test(line))
        }
      }), {
      runs: 150,
      network,
      holds: (value) => assert.deepStrictEqual(value, { last: "ERR resumed", notices: ["Ada connected!", "Ada has left the chat"] })
    })
  })

  it("tells of a leave once, when a user quits, is cut off and says nothing for too long at the same time", () => {
    explored({ idleTimeout: Duration.millis(50) }, (party) =>
      Effect.gen(function*() {
        const observer = yield* party.dial
        yield* observer.say("CONNECT observer")
        yield* observer.hears("observer connected!")
        const ping = Effect.forever(Effect.andThen(Effect.sleep(10), observer.say("")))
        return yield* Tasks.firstCompleted([ping, Effect.gen(function*() {
          const ada = yield* party.join("Ada")
          yield* Effect.sleep(44)
          yield* Tasks.gather([Effect.ignore(ada.stream.send("/quit\n")), Effect.andThen(Effect.sleep(1), ada.crash)])
          yield* observer.hears("Ada has left the chat")
          const bob = yield* party.join("bob")
          yield* observer.hears("bob connected!")
          return { notices: observer.heard.filter((line) => line === "Ada has left the chat").length, welcome: bob.heard[0] }
        })])
      }), { runs: 150, network, holds: (value) => assert.deepStrictEqual(value, { notices: 1, welcome: "Welcome! 2 user(s) are online!" }) })
  })

  it("ends everything when the server is asked to stop while users come, talk and go", () => {
    explored({}, (party) =>
      Effect.gen(function*() {
        const guest = (name: string) =>
          Effect.gen(function*() {
            const person = yield* party.dial
            yield* person.send(`CAPS ack resume\nCONNECT ${name}\nMSG 1 hello\n`).pipe(Effect.exit)
            return yield* person.ended
          }).pipe(Effect.catch(() => Effect.succeed("refused")))
        const [report, ...ends] = yield* Tasks.gather([Effect.andThen(Effect.sleep(5), party.stop), guest("Ada"), guest("bob"), guest("Eve")])
        return { forced: report.forced, known: ends.every((end) => ["end", "refused", "Broken"].includes(end)) }
      }), { runs: 150, network, holds: (value) => assert.deepStrictEqual(value, { forced: 0, known: true }) })
  })
})
