/** How a connection becomes a user: CAPS, CONNECT, RESUME. */
import * as Effect from "effect/Effect"
import { randomUUID } from "node:crypto"
import type { EventOf, Stored } from "./Bus.ts"
import type { Flaw } from "./LineReader.ts"
import * as Log from "./Log.ts"
import * as Names from "./Names.ts"
import { replay } from "./Notices.ts"
import * as Protocol from "./Protocol.ts"
import { flawed, refusalOf } from "./Refusals.ts"
import type { Session } from "./Session.ts"

/** Takes a line of somebody who is not a user yet. */
export const enter = (session: Session, line: string | Flaw): Effect.Effect<void> => {
  if (typeof line !== "string") return refused(session, flawed(line, session.chat.options.maxLine))
  const hello = Protocol.readHello(line)
  switch (hello._tag) {
    case "Caps":
      return grant(session, hello.names)
    case "Connect":
      return connect(session, hello.name)
    case "Resume":
      return resume(session, hello.token, hello.lastSeq)
    case "Unknown":
      return refused(session, Protocol.refusal("protocol", "say CONNECT and a name of one word first"))
  }
}

/** Whoever speaks another language here will not learn ours. */
const refused = (session: Session, why: Protocol.Refusal): Effect.Effect<void> => Effect.sync(() => session.part("refused", why))

/** Whoever has chosen a name that cannot be may choose again. */
const again = (session: Session, why: Protocol.Refusal): Effect.Effect<void> => Effect.sync(() => session.refuse(why))

const grant = (session: Session, names: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.sync(() => {
    const granted = Protocol.capabilities.filter((capability) => names.includes(capability))
    session.granted = new Set(granted)
    session.outbox.withSeq = session.granted.has("resume")
    session.outbox.write(Protocol.caps(granted))
  })

const connect = (session: Session, text: string): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { chat } = session
    const { maxUsers, room } = chat.options
    const name = Names.read(text)
    if (name._tag === "NotAName") return again(session, Protocol.refusal("name-invalid", name.why))
    if (chat.users.size >= maxUsers) return refused(session, Protocol.refusal("full", `${maxUsers} users are here, and no more may be`))
    // Before anybody can hear of the newcomer: what they are told waits for the greeting.
    const token = randomUUID()
    session.becomes({ token, name: name.shown })
    return Effect.matchEffect(chat.bus.join({ token, name, room, mayResume: session.granted.has("resume") }), {
      onFailure: (why) => {
        session.becomesNobody(token)
        return again(session, refusalOf(why))
      },
      onSuccess: (joined) => welcome(session, token, joined)
    })
  })

const welcome = (session: Session, token: string, { event, seq }: Stored<EventOf<"Joined">>): Effect.Effect<void> => {
  const { chat, granted, outbox } = session
  chat.connecting.stop(session)
  chat.idle.start(session)
  chat.stats.joined++
  const history = granted.has("history") ? chat.bus.history(event.room, chat.options.history, seq) : Effect.succeed([])
  // Without the history the user is in, nevertheless.
  return Effect.flatMap(Effect.catchTag(history, "Unavailable", () => Effect.succeed([])), (past) => {
    outbox.greet([
      Protocol.welcome(event.online),
      ...granted.has("history") ? [Protocol.history(past.length), ...past.map((said) => Protocol.past(said))] : [],
      ...granted.has("resume") ? [Protocol.token(token)] : []
    ])
    return Log.joined(session, event.name)
  })
}

const resume = (session: Session, token: string, lastSeq: string): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { chat, granted, outbox } = session
    if (!granted.has("resume")) return refused(session, Protocol.refusal("protocol", "RESUME comes after CAPS resume"))
    const by = randomUUID()
    chat.resuming.set(by, session)
    return chat.bus.resume(token, by).pipe(
      Effect.flatMap((resumed) =>
        Effect.map(chat.bus.missed(token, lastSeq === "-" ? undefined : lastSeq, resumed.seq), (missed) => {
          chat.connecting.stop(session)
          chat.idle.start(session)
          outbox.greet([Protocol.resumed(resumed.event.name), ...replay(missed, token, chat.options.echo)])
          return resumed.event.name
        })
      ),
      Effect.flatMap((name) => Log.resumed(session, name)),
      Effect.catchTag("TokenUnknown", () => again(session, Protocol.refusal("resume-unknown", "nobody can come back with this token: say CONNECT"))),
      // Perhaps the user is back, and cannot be told what was missed: then the next connection can try again.
      Effect.catchTag("Unavailable", (why) => Effect.sync(() => session.part("unavailable", refusalOf(why)))),
      Effect.ensuring(Effect.sync(() => chat.resuming.delete(by)))
    )
  })
