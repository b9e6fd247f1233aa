/** The client as a library: a conversation between a server and whoever sits at a terminal, from the name to the end. */
import { Effect, Option, Random } from "effect"
import { CancelScope, Nursery, Tasks, Timeout } from "effect-nursery"
import { line } from "../../terminal/Line.ts"
import type { Terminal } from "../../terminal/Terminal.ts"
import { type Ended, stay } from "./Connection.ts"
import type { Options } from "./Options.ts"
import * as Talk from "./Talk.ts"

/** How it ended. */
export type Ending =
  | Ended
  /** The user has left. */
  | { readonly _tag: "Left" }
  /** By Ctrl-C or a signal. */
  | { readonly _tag: "Interrupted"; readonly signal: string }

export interface Result {
  readonly ending: Ending
  /** Whether a message of the user was not delivered. */
  readonly anyFailed: boolean
}

/** While so many lines of a pipe are not delivered, no more are read. */
const mostPiped = 16

/** What the user has said may still be delivered for so long after `/quit`. */
const settleLimit = "5 seconds"

/** And so long the server may take to say goodbye: after `/quit`, and after Ctrl-C. */
const farewellLimit = "2 seconds"
const hurry = "500 millis"

/** Talks until it is over. Where nobody can be asked for a name, there must be one. */
export const chat = (options: Options, terminal: Terminal): Effect.Effect<Result> =>
  Effect.gen(function*() {
    let { name } = options
    while (true) {
      if (name === undefined) {
        const asked = yield* askName(terminal)
        if (asked._tag !== "Name") return { ending: asked, anyFailed: false }
        name = asked.name
      }
      const result = yield* converse(name, options, terminal)
      const { ending } = result
      if (ending._tag !== "Refused" || !ending.isName || !terminal.interactive) return result
      yield* terminal.print(line(`!! ${ending.why}`, "yellow"))
      name = undefined
    }
  })

const askName = (terminal: Terminal): Effect.Effect<Ending | { readonly _tag: "Name"; readonly name: string }> =>
  Effect.gen(function*() {
    yield* terminal.notes([])
    yield* terminal.prompt(line("your name: ", "bold"))
    while (true) {
      const next = yield* CancelScope.untilStopping(terminal.next)
      if (Option.isNone(next)) return { _tag: "Interrupted", signal: (yield* CancelScope.whenStopping).message }
      if (Option.isNone(next.value)) return { _tag: "Left" }
      const did = next.value.value
      if (did._tag === "Interrupt") return { _tag: "Interrupted", signal: "SIGINT" }
      const name = did.text.trim()
      if (/^\S+$/u.test(name)) return { _tag: "Name", name }
      if (name !== "") yield* terminal.print(line("!! a name is one word", "yellow"))
    }
  })

// #region converse
/**
 * Three tasks, each of which may be the first to end: the server has no more to say, the user has not, or the program was
 * told to stop. Then the other two are cancelled, and waited for.
 */
const converse = (name: string, options: Options, terminal: Terminal): Effect.Effect<Result> =>
  Nursery.open(
    (client) =>
      Effect.gen(function*() {
        const idPrefix = (yield* Random.nextIntBetween(0, 2 ** 31)).toString(36)
        const talk = yield* Talk.make(name, terminal, { idPrefix, giveUpMillis: options.giveUpMillis })
        yield* client.startSoon(clock(talk), { name: "clock", service: true })
        const sides = [
          yield* client.startSoon(stay(talk, options, options.giveUpMillis), { name: "server" }),
          yield* client.startSoon(listen(talk, options.giveUpMillis), { name: "user" }),
          yield* client.startSoon(untilTold(talk), { name: "signals" })
        ]
        const { done, pending } = yield* Tasks.wait<Ending, never>(sides, { until: "firstCompleted" })
        yield* Effect.forEach(pending, (side) => side.cancel("the conversation is over"), { discard: true })
        const ending = yield* done[0]!.join
        yield* talk.react(() => talk.conversation.over())
        return { ending, anyFailed: talk.conversation.anyFailed }
      }),
    { name: "client" }
  )
// #endregion

/** Passes on what the user says, until there is no more. */
const listen = (talk: Talk.Talk, giveUpMillis: number): Effect.Effect<Ending> =>
  Effect.gen(function*() {
    const { conversation, terminal } = talk
    const leave = Effect.as(farewell(talk, farewellLimit), { _tag: "Left" } as const)
    const interrupt = Effect.as(farewell(talk, hurry), { _tag: "Interrupted", signal: "SIGINT" } as const)
    while (true) {
      const next = yield* terminal.next
      if (Option.isNone(next) || (next.value._tag === "Entered" && next.value.text.trim() === "/quit")) {
        const settled = talk.until(() => conversation.everLive && conversation.outbox.length === 0)
        // A pipe waits for as long as the messages themselves do; somebody at a screen may not want to.
        const patience = Effect.as(Timeout.moveOnAfter(settled, terminal.interactive ? settleLimit : giveUpMillis), true)
        const wasPatient = yield* terminal.interactive ? Tasks.firstCompleted([patience, Effect.as(interrupted(terminal), false)]) : patience
        return yield* wasPatient ? leave : interrupt
      }
      if (next.value._tag === "Interrupt") return yield* interrupt
      const { text } = next.value
      const now = yield* Timeout.now
      yield* talk.react(() => conversation.entered(text, now))
      if (!terminal.interactive) yield* talk.until(() => conversation.outbox.length < mostPiped)
    }
  })

/** Waits for Ctrl-C; what else is typed has nobody to hear it any more. */
const interrupted = (terminal: Terminal): Effect.Effect<void> =>
  Effect.flatMap(terminal.next, (next) =>
    Option.isNone(next) ? Effect.never : next.value._tag === "Interrupt" ? Effect.void : interrupted(terminal))

/** Ends when the program is asked to stop. */
const untilTold = (talk: Talk.Talk): Effect.Effect<Ending> =>
  Effect.gen(function*() {
    const { message } = yield* CancelScope.whenStopping
    yield* farewell(talk, hurry)
    return { _tag: "Interrupted", signal: message }
  })

/** Says goodbye, and waits until the server has closed the connection, but not for long. Without a goodbye it would keep our place. */
const farewell = (talk: Talk.Talk, limit: "2 seconds" | "500 millis") =>
  Effect.gen(function*() {
    const { conversation } = talk
    if (conversation.phase._tag !== "Live") return
    yield* talk.leave(conversation.isPlain ? [] : ["/quit"])
    yield* Timeout.moveOnAfter(talk.until(() => conversation.phase._tag !== "Live"), limit)
  })

/** Tells the conversation the time whenever it has asked for it. */
const clock = (talk: Talk.Talk) =>
  Effect.gen(function*() {
    const now = yield* Timeout.now
    const { wakeAt } = talk.conversation
    if (wakeAt <= now) yield* talk.react(() => talk.conversation.tick(now))
    else yield* Timeout.moveOnAt(talk.nextChange, wakeAt)
  }).pipe(Effect.forever)
