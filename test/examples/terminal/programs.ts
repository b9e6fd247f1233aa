/** Programs for the tests of the terminal: `node programs.ts NAME`. */
import { Effect, Option } from "effect"
import { CancelScope } from "effect-nursery"
import { Main } from "effect-nursery/node"
import { line } from "../../../examples/terminal/Line.ts"
import { type Terminal, withTerminal } from "../../../examples/terminal/Terminal.ts"

/** Says what was entered, until the end. */
const echo = (terminal: Terminal) =>
  Effect.gen(function*() {
    yield* terminal.prompt(line("> "))
    while (true) {
      const next = yield* terminal.next
      if (Option.isNone(next)) return yield* terminal.print(line("the end"))
      const did = next.value
      if (did._tag === "Interrupt") return yield* terminal.print(line("interrupted"))
      yield* terminal.print([{ text: "entered " }, { text: JSON.stringify(did.text), style: "green" }])
    }
  })

const programs: Record<string, (terminal: Terminal) => Effect.Effect<unknown>> = {
  echo,
  stops: (terminal) => Effect.andThen(terminal.print(line("ready")), CancelScope.whenStopping),
  deaf: (terminal) => Effect.andThen(terminal.print(line("ready")), Effect.never),
  /** Prints a thousand lines, one in each turn of the loop, while keys come. */
  floods: (terminal) =>
    Effect.gen(function*() {
      yield* terminal.prompt(line("> "))
      yield* terminal.print(line("ready"))
      // The first key has come.
      yield* terminal.next
      for (let i = 0; i < 1_000; i++) yield* Effect.andThen(terminal.print(line(`line ${i}`)), Effect.sleep(1))
      yield* terminal.print(line("flooded"))
      yield* echo(terminal)
    }),
  /** Something in it is broken. */
  dies: (terminal) =>
    Effect.gen(function*() {
      yield* terminal.print(line("ready"))
      yield* terminal.next
      return yield* Effect.die(new Error("the program is broken"))
    }),
  throws: (terminal) =>
    Effect.gen(function*() {
      yield* terminal.print(line("ready"))
      yield* terminal.next
      setTimeout(() => {
        throw new Error("thrown in a callback")
      })
      return yield* Effect.never
    }),
  exits: (terminal) =>
    Effect.gen(function*() {
      yield* terminal.print(line("ready"))
      yield* terminal.next
      process.exit(7)
    }),
  evil: (terminal) => Effect.andThen(terminal.print(line("\u001b[2J\u001b[31mred\u0007", "green")), echo(terminal))
}

const name = process.argv[2] ?? ""
const program = programs[name]
if (program === undefined) throw new Error(`Expected one of ${Object.keys(programs).join(", ")}, got \`${name}\``)
Main.run(withTerminal(program), { grace: "5 seconds" })
