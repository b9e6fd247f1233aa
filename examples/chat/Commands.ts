/** What users can do besides talking: the lines that begin with `/`. */
import * as Effect from "effect/Effect"
import type { NameTaken, NoSuchUser, Unavailable } from "./Bus.ts"
import * as Names from "./Names.ts"
import * as Protocol from "./Protocol.ts"
import type { Self, Session } from "./Session.ts"

type Failure = Protocol.Refusal | NameTaken | NoSuchUser | Unavailable

interface Command {
  readonly usage: string
  readonly does: string
  run(session: Session, self: Self, rest: string, id: string | undefined): Effect.Effect<unknown, Failure>
}

const refuse = (reason: Protocol.Reason, text: string): Effect.Effect<never, Protocol.Refusal> => Effect.fail(Protocol.refusal(reason, text))

const usage = (name: string): Effect.Effect<never, Protocol.Refusal> => refuse("protocol", `say ${commands[name]!.usage}`)

const reply = (session: Session, lines: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.sync(() => lines.forEach((line) => session.outbox.write(Protocol.reply(line))))

const commands: Readonly<Record<string, Command>> = {
  who: {
    usage: "/who",
    does: "who is in your room",
    run: (session, self) =>
      Effect.gen(function*() {
        const room = yield* session.chat.bus.roomOf(self.token)
        const names = yield* session.chat.bus.who(room)
        yield* reply(session, [`${names.length} in ${room}:`, ...inLines(names)])
      })
  },
  nick: {
    usage: "/nick NAME",
    does: "be called something else",
    run: (session, { token }, rest) => {
      if (rest === "") return usage("nick")
      const name = Names.read(rest)
      return name._tag === "Name" ? session.chat.bus.rename(token, name) : refuse("name-invalid", name.why)
    }
  },
  msg: {
    usage: "/msg NAME TEXT",
    does: "say something to one user alone",
    run: (session, { token }, rest, id) => {
      const space = rest.indexOf(" ")
      const text = space === -1 ? "" : rest.slice(space + 1).trim()
      if (text === "") return usage("msg")
      return Effect.flatMap(session.chat.bus.whisper(token, rest.slice(0, space), Protocol.visible(text), id), (to) => reply(session, [`to ${to}: ${Protocol.visible(text)}`]))
    }
  },
  me: {
    usage: "/me TEXT",
    does: "say what you do",
    run: (session, { token }, rest, id) =>
      rest === "" ? usage("me") : session.chat.bus.say(token, [{ id, manner: "Acted", text: Protocol.visible(rest) }])
  },
  join: {
    usage: "/join ROOM",
    does: "go to another room",
    // The rules for names are good for rooms as well.
    run: (session, { token }, rest) => {
      if (rest === "") return usage("join")
      const room = Names.read(rest)
      return room._tag === "Name" ? session.chat.bus.move(token, room.key) : refuse("room-invalid", room.why.replace("a name", "a room's name"))
    }
  },
  history: {
    usage: "/history [N]",
    does: "what was said last in your room",
    run: (session, { token }, rest) =>
      Effect.gen(function*() {
        const { chat } = session
        const most = chat.options.history
        if (!/^\d{0,9}$/u.test(rest)) return yield* usage("history")
        const room = yield* chat.bus.roomOf(token)
        const lines = yield* chat.bus.history(room, rest === "" ? most : Math.min(Number(rest), most))
        yield* reply(session, lines.length === 0 ? ["nothing was said"] : lines.map((said) => `${new Date(said.at).toISOString()} ${Protocol.textOf(said)}`))
      })
  },
  stats: {
    usage: "/stats",
    does: "how the server is doing",
    run: (session) =>
      Effect.flatMap(session.chat.bus.online, (online) => reply(session, session.chat.stats.lines(session.chat.clock.currentTimeMillisUnsafe(), online)))
  },
  help: {
    usage: "/help",
    does: "this list",
    run: (session) =>
      reply(session, [...Object.values(commands).map(({ does, usage }) => `${usage.padEnd(16)} ${does}`), "//TEXT           say something that begins with /"])
  },
  quit: {
    usage: "/quit",
    does: "leave",
    run: (session) => Effect.sync(() => session.part("quit"))
  }
}

export const run = (session: Session, self: Self, said: { readonly name: string; readonly rest: string }, id: string | undefined): Effect.Effect<unknown, Failure> => {
  const command = Object.hasOwn(commands, said.name) ? commands[said.name] : undefined
  if (command !== undefined) return command.run(session, self, said.rest, id)
  return refuse("unknown-command", `there is no /${Protocol.visible(said.name)}; try /help, or // to say a text that begins with /`)
}

/** So many characters a line, or a terminal would be full of one. */
const widthOfNames = 400

const inLines = (names: ReadonlyArray<string>): ReadonlyArray<string> => {
  const lines: Array<string> = []
  let line = ""
  for (const name of names) {
    if (line.length + name.length > widthOfNames) {
      lines.push(line)
      line = ""
    }
    line += line === "" ? name : `, ${name}`
  }
  return [...lines, line]
}
