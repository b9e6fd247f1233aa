/**
 * The connection to the server: makes one, and another one whenever it was lost, until the conversation is over or it has
 * tried for too long.
 */
import { Effect, Option, Random } from "effect"
import { Nursery, Tasks, Timeout } from "effect-nursery"
import { type ByteStream, Framing, Tcp } from "effect-nursery/net"
import { delayMillis } from "./Backoff.ts"
import { inFewWords } from "./Reason.ts"
import type { Talk } from "./Talk.ts"

export interface Place {
  readonly host: string
  readonly port: number
}

/** Why there will be no other connection. */
export type Ended =
  | { readonly _tag: "Unreachable"; readonly why: string }
  | { readonly _tag: "Lost"; readonly why: string }
  | { readonly _tag: "Refused"; readonly why: string; readonly isName: boolean }
  | { readonly _tag: "Removed"; readonly why: string }

/** Longer lines are left out: the server sends none, so somebody else is at the other end. */
const longestLine = 64 * 1024

const connectTimeout = "5 seconds"

/** A server that does not know our first question may say nothing at all. It is asked in the plain protocol then. */
const capsTimeout = "2 seconds"

/** So long a server may think about a name. */
const joinTimeout = "10 seconds"

/** Finds out that a server is gone which never said so: a machine without power, a cable without a plug. */
const keepAlive = "15 seconds"

// #region stay
/** Stays connected. It ends when there is no use in trying again. */
export const stay = (talk: Talk, place: Place, giveUpMillis: number): Effect.Effect<Ended> =>
  Effect.gen(function*() {
    const { conversation } = talk
    let attempt = 0
    let lostAt = yield* Timeout.now
    while (true) {
      const wasPlain = conversation.isPlain
      const session = yield* connectAndTalk(talk, place)
      const { phase } = conversation
      if (phase._tag === "Over") {
        return phase.refused === undefined
          ? { _tag: "Removed", why: phase.why }
          : { _tag: "Refused", why: phase.why, isName: phase.refused === "name" }
      }
      // Who has said goodbye knows how it ends.
      if (talk.leaving) return yield* Effect.never
      if (conversation.isPlain !== wasPlain) continue
      // Who has never been let in has nothing to come back to.
      if (!conversation.everLive) return { _tag: "Unreachable", why: session.why }

      const now = yield* Timeout.now
      if (session.wasLive) [attempt, lostAt] = [0, now]
      const delay = delayMillis(attempt++, yield* Random.next)
      if (now + delay > lostAt + giveUpMillis) return { _tag: "Lost", why: session.why }
      yield* talk.setStatus(`no connection: ${session.brief}, trying again`)
      yield* Effect.sleep(delay)
    }
  })
// #endregion

interface Session {
  readonly why: string
  /** The same in few words. */
  readonly brief: string
  /** Whether we were let in. */
  readonly wasLive: boolean
}

/** One connection, from its first to its last line. */
const connectAndTalk = (talk: Talk, { host, port }: Place): Effect.Effect<Session> => {
  const { conversation } = talk
  let wasLive = false
  const talking = Effect.gen(function*() {
    const stream = yield* Tcp.connect({ host, port, keepAlive }).pipe(Timeout.failAfter(connectTimeout, { name: "connecting" }))
    talk.forgetUnsent()
    yield* talk.react(() => conversation.connected())
    return yield* Nursery.open(
      (both) =>
        Effect.gen(function*() {
          yield* both.startSoon(write(talk, stream), { name: "to the server", service: true })
          // The conversation may find out before the connection does that nothing will come of it.
          const useless = talk.until(() => conversation.phase._tag === "Useless" || conversation.phase._tag === "Over")
          yield* Tasks.firstCompleted([read(talk, stream), Effect.as(useless, "useless")])
          const { phase } = conversation
          wasLive = phase._tag === "Live"
          return phase._tag === "Useless"
            ? { why: phase.why, brief: phase.why }
            : { why: "the server has closed the connection", brief: "closed by the server" }
        }),
      { name: "connection" }
    )
  })
  return talking.pipe(
    Effect.scoped,
    Effect.catch((error) => Effect.sync(() => {
      wasLive = conversation.phase._tag === "Live"
      return { why: error.message, brief: inFewWords(error) }
    })),
    Effect.tap(() => talk.react(() => conversation.lost())),
    Effect.map((reason) => ({ ...reason, wasLive }))
  )
}

/** Tells the conversation each line, until there are no more. */
const read = (talk: Talk, stream: Tcp.TcpStream) =>
  Effect.gen(function*() {
    const { conversation } = talk
    const lines = Framing.lines(stream, { maxBytes: longestLine })
    const next: Effect.Effect<Option.Option<string>, ByteStream.StreamError> = Effect.catchTag(lines.next, "TooLong", () =>
      Effect.andThen(talk.react(() => conversation.overlong()), Effect.suspend(() => next)))
    while (true) {
      const { phase } = conversation
      const line = phase._tag === "Live"
        ? yield* Effect.asSome(next)
        : yield* Timeout.moveOnAfter(next, phase._tag === "Asking" ? capsTimeout : joinTimeout)
      if (Option.isNone(line)) yield* talk.react(() => conversation.unanswered())
      else if (Option.isNone(line.value)) return
      else {
        const { value } = line.value
        const now = yield* Timeout.now
        yield* talk.react(() => conversation.heard(value, now))
        if (conversation.phase._tag === "Live") yield* talk.setStatus("")
      }
      const after = conversation.phase._tag
      if (after === "Useless" || after === "Over") return
    }
  })

/** Sends what there is to be sent, all of it at once; and the end, when we leave. */
const write = (talk: Talk, stream: Tcp.TcpStream) =>
  Effect.gen(function*() {
    while (true) {
      yield* talk.until(({ hasUnsent, leaving }) => hasUnsent || leaving)
      const lines = talk.takeUnsent()
      if (lines.length > 0) yield* stream.send(lines.map((line) => `${line}\n`).join(""))
      else return yield* stream.sendEof
    }
    // What is wrong with the connection, the reader is told, after all lines that have come: the last of them may say why.
  }).pipe(Effect.ignore)
