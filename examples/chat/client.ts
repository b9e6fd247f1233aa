/**
 * A chat client for a terminal: messages scroll, and what you type stays at the bottom.
 *
 * Run it:        npm run example -- examples/chat/server.ts      (the server, in a first terminal)
 *                npm run example -- examples/chat/client.ts      (in a second and a third one)
 * From a pipe:   printf 'hi\n' | npm run -s example -- examples/chat/client.ts --name bob
 *
 * Then try:
 *   1. Type half a line in one terminal and say something in the other.
 *   2. Stop the server with Ctrl-Z for ten seconds, say something, and let it go on (`fg`). Watch the marks: … and ✓.
 *   3. End it with `kill -9` and start it again within a minute. The client comes back, and delivers what you said meanwhile.
 */
import { Effect } from "effect"
import { Main } from "effect-nursery/node"
import { obey } from "../terminal/CommandLine.ts"
import { codeOfSignal, exitWith } from "../terminal/ExitCode.ts"
import { line } from "../terminal/Line.ts"
import { withTerminal } from "../terminal/Terminal.ts"
import { chat, type Ending, type Result } from "./client/Client.ts"
import { help, type Options, parse } from "./client/Options.ts"

const wordsOf = (ending: Ending): string => {
  switch (ending._tag) {
    case "Left":
    case "Interrupted":
      return ""
    case "Unreachable":
      return `cannot reach the server: ${ending.why}`
    case "Lost":
      return `the server is lost: ${ending.why}`
    case "Refused":
      return `the server has refused: ${ending.why}`
    case "Removed":
      return `the server has ended it: ${ending.why}`
  }
}

const codeOf = ({ anyFailed, ending }: Result): number => {
  if (ending._tag === "Interrupted") return codeOfSignal(ending.signal)
  return ending._tag === "Left" && !anyFailed ? 0 : 1
}

const client = (options: Options) =>
  withTerminal((terminal) =>
    Effect.gen(function*() {
      if (options.name === undefined && !terminal.interactive) {
        yield* terminal.complain(line("nobody can be asked for a name here: give one with --name (see --help)"))
        return yield* exitWith(2)
      }
      const result = yield* chat(options, terminal)
      const words = wordsOf(result.ending)
      if (words !== "") yield* terminal.complain(line(words, "red"))
      yield* exitWith(codeOf(result))
    })
  )

Main.run(obey(parse(process.argv.slice(2)), help, client))
