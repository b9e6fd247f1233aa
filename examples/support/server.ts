/**
 * What all servers of the examples have in common: `--host`, `--port` and `--help`, options of their own, the line that
 * says where they listen, and the line that says why they cannot.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type * as Errors from "effect-nursery/Errors"
import { parseArgs } from "node:util"

/** Where a server listens: what it was asked for, or what it has got. */
export interface Place {
  readonly host: string
  readonly port: number
}

export interface About {
  /** Such as `echo server`. */
  readonly name: string
  /** The file, for the first line of the help. */
  readonly file: string
  /** What it does, for the second one. */
  readonly does: string
  /** The port, if none is given. */
  readonly port: number
}

/** An option that a server has besides. */
export interface Setting<out A> {
  /** What its value is called in the help, such as `TIME`. */
  readonly argument: string
  /** What it is for, in a few words. */
  readonly does: string
  /** Its value, as it would be typed, if it is not given; none when that means something of its own. */
  readonly default?: string
  /** Makes sense of what was typed, or throws an error that says what was expected. It is not asked when there is nothing. */
  read(text: string): A
}

/** An option without a value. */
export interface Switch {
  readonly does: string
}

export type Settings = Readonly<Record<string, Setting<unknown> | Switch>>

/** What has been read: a switch is true when it was given, and a setting without a default may be missing. */
export type Values<S extends Settings> = {
  readonly [Name in keyof S]: S[Name] extends Setting<infer A> ? S[Name] extends { readonly default: string } ? A : A | undefined : boolean
}

/** Reads the command line of a server that has only a place. */
export const placeFrom = (about: About, args?: ReadonlyArray<string>): Place => optionsFrom(about, {}, args)

/** Reads the command line. `--help` prints the help and ends the program; so does a mistake, with exit code 2. */
export const optionsFrom = <const S extends Settings>(about: About, settings: S, args: ReadonlyArray<string> = process.argv.slice(2)): Place & Values<S> => {
  const end = (code: number, text: string): never => {
    ;(code === 0 ? process.stdout : process.stderr).write(`${text}\n`)
    process.exit(code)
  }
  try {
    const own = Object.fromEntries(Object.entries(settings).map(([name, setting]) => [name, { type: "argument" in setting ? "string" : "boolean" } as const]))
    const { values } = parseArgs({
      args: [...args],
      options: { ...own, host: { type: "string", default: "127.0.0.1" }, port: { type: "string", default: String(about.port) }, help: { type: "boolean" } }
    })
    if (values.help === true) return end(0, help(about, settings))
    const given = values as Readonly<Record<string, string | boolean | undefined>>
    const read = Object.entries(settings).map(([name, setting]) => [name, valueOf(name, setting, given[name])])
    return { ...Object.fromEntries(read) as Values<S>, host: values.host, port: portFrom(values.port) }
  } catch (error) {
    return end(2, `${(error as Error).message} (see --help)`)
  }
}

const valueOf = (name: string, setting: Setting<unknown> | Switch, given: string | boolean | undefined): unknown => {
  if (!("argument" in setting)) return given === true
  const text = typeof given === "string" ? given : setting.default
  if (text === undefined) return undefined
  try {
    return setting.read(text)
  } catch (error) {
    throw new Error(`--${name}: ${(error as Error).message}`, { cause: error })
  }
}

/** Reads a port. 0 stands for any free one. */
export const portFrom = (text: string): number => {
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= 65535) return port
  throw new Error(`--port takes a number from 0 to 65535, got ${JSON.stringify(text)}`)
}

const help = ({ does, file, name, port }: About, settings: Settings): string => {
  const lines = [
    ["--host HOST", "where to listen (127.0.0.1; 0.0.0.0 is every network of this machine)"],
    ["--port PORT", `at which port (${port}; 0 is any free one)`],
    ...Object.entries(settings).map(([option, setting]) =>
      "argument" in setting
        ? [`--${option} ${setting.argument}`, `${setting.does}${setting.default === undefined ? "" : ` (${setting.default})`}`]
        : [`--${option}`, setting.does]
    ),
    ["--help", "print this"]
  ]
  const width = Math.max(...lines.map(([option]) => option!.length))
  const more = Object.keys(settings).length === 0 ? "" : " [OPTIONS]"
  return `Usage: npm run example -- ${file} [--host HOST] [--port PORT]${more}

The ${name} ${does}.

${lines.map(([option, text]) => `  ${option!.padEnd(width)}  ${text}`).join("\n")}

Ctrl-C or SIGTERM stops it.`
}

/** Says where the server listens: the one line that it prints when it is ready. */
export const announce = (name: string) => (place: Place): Effect.Effect<void> => Console.log(`${name} listens on ${written(place)}`)

/** Says in one line why a server cannot listen, and lets the program end with 1. */
export const orSayWhy = (place: Place, option = "--port") => <A, R>(server: Effect.Effect<A, Errors.Broken, R>): Effect.Effect<A | void, never, R> =>
  Effect.catchTag(server, "Broken", (error) =>
    Console.error(whyNot(place, option, error)).pipe(Effect.andThen(Effect.sync(() => void (process.exitCode = 1)))))

const whyNot = (place: Place, option: string, { cause, message }: Errors.Broken): string => {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined
  if (code === "EADDRINUSE") return `${written(place)} is in use: another program listens there; choose another port with ${option}`
  if (code === "EACCES") return `${written(place)} is not for everybody: ports below 1024 need the rights of the administrator`
  return `cannot listen on ${written(place)}: ${cause instanceof Error ? cause.message : message}`
}

/** An address in one word. */
export const written = ({ host, port }: Place): string => host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`
