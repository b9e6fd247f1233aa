/** What the command line of a program of a terminal asks for, and doing it. */
import { Console, Effect } from "effect"
import { exitWith } from "./ExitCode.ts"

export type Parsed<Options> =
  | { readonly _tag: "Run"; readonly options: Options }
  | { readonly _tag: "Help" }
  | { readonly _tag: "Mistake"; readonly message: string }

export const mistake = (message: string): Parsed<never> => ({ _tag: "Mistake", message: `${message} (see --help)` })

/** Prints the help, or says in one line what is wrong and lets the program end with 2, or runs it. */
export const obey = <Options, E, R>(parsed: Parsed<Options>, help: string, run: (options: Options) => Effect.Effect<unknown, E, R>): Effect.Effect<unknown, E, R> => {
  switch (parsed._tag) {
    case "Help":
      return Console.log(help)
    case "Mistake":
      return Effect.andThen(Console.error(parsed.message), exitWith(2))
    case "Run":
      return run(parsed.options)
  }
}
