/** The command line of the client. */
import { Duration, Option } from "effect"
import { parseArgs } from "node:util"
import { portFrom } from "../../support/server.ts"
import { mistake, type Parsed } from "../../terminal/CommandLine.ts"

export interface Options {
  readonly host: string
  readonly port: number
  readonly name: string | undefined
  /** So long the client tries to come back, and a message waits to be accepted. */
  readonly giveUpMillis: number
}

export const help = `Usage: npm run example -- examples/chat/client.ts [--host HOST] [--port PORT] [--name NAME] [--give-up TIME]

Joins the chat of a server. Without --name it asks for one.

  --host HOST     where the server is (127.0.0.1)
  --port PORT     and its port (8000)
  --name NAME     who you are: one word
  --give-up TIME  how long it tries to come back after the connection was lost (60s)
  --help          print this

What you say: … is on its way, ✓ the server has it, ✗ it was not delivered. ○ waits for a connection.
/quit or Ctrl-D leaves, Ctrl-C leaves at once, /help is answered by the server.
Keys: those of a shell, such as Ctrl-A, Ctrl-E, Ctrl-W, Alt-B, ↑ and ↓. Ctrl-L draws the screen anew.

From a pipe, or into one, it prints plain lines:  printf 'hi\\n' | … client.ts --name bob

Exit codes: 0 you left, and all you said was delivered    130 Ctrl-C, 143 SIGTERM, 129 SIGHUP
            1 the server was lost, refused or removed you, or did not accept a message
            2 an option that makes no sense`

/** Such as `60s`, `500ms`, `2m`. */
const millisFrom = (text: string): number => {
  const [, number, unit] = /^(\d+)(ms|s|m|h)$/.exec(text) ?? []
  const units = { ms: "millis", s: "seconds", m: "minutes", h: "hours" } as const
  const duration = number === undefined ? Option.none() : Duration.fromInput(`${Number(number)} ${units[unit as keyof typeof units]}`)
  if (Option.isSome(duration)) return Duration.toMillis(duration.value)
  throw new Error(`--give-up takes a time such as 60s, 500ms or 2m, got ${JSON.stringify(text)}`)
}

export const parse = (args: ReadonlyArray<string>): Parsed<Options> => {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        host: { type: "string", default: "127.0.0.1" },
        port: { type: "string", default: "8000" },
        name: { type: "string" },
        "give-up": { type: "string", default: "60s" },
        help: { type: "boolean" }
      }
    })
    if (values.help === true) return { _tag: "Help" }
    if (values.name !== undefined && !/^\S+$/u.test(values.name)) {
      return mistake(`--name takes one word, got ${JSON.stringify(values.name)}`)
    }
    const port = portFrom(values.port)
    if (port === 0) return mistake("--port takes a number from 1 to 65535, got \"0\"")
    return { _tag: "Run", options: { host: values.host, port, name: values.name, giveUpMillis: millisFrom(values["give-up"]) } }
  } catch (error) {
    return mistake((error as Error).message)
  }
}
