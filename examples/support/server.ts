/**
 * What all servers of the examples have in common: `--host`, `--port` and `--help`, the line that says where they listen,
 * and the line that says why they cannot.
 */
import { Console, Effect } from "effect"
import type { Errors } from "effect-nursery"
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

/** Reads the command line. `--help` prints the help and ends the program; so does a mistake, with exit code 2. */
export const placeFrom = (about: About, args: ReadonlyArray<string> = process.argv.slice(2)): Place => {
  const end = (code: number, text: string): never => {
    ;(code === 0 ? process.stdout : process.stderr).write(`${text}\n`)
    process.exit(code)
  }
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { host: { type: "string", default: "127.0.0.1" }, port: { type: "string", default: String(about.port) }, help: { type: "boolean" } }
    })
    if (values.help === true) return end(0, help(about))
    return { host: values.host, port: portFrom(values.port) }
  } catch (error) {
    return end(2, `${(error as Error).message} (see --help)`)
  }
}

/** Reads a port. 0 stands for any free one. */
export const portFrom = (text: string): number => {
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= 65535) return port
  throw new Error(`--port takes a number from 0 to 65535, got ${JSON.stringify(text)}`)
}

const help = ({ does, file, name, port }: About): string =>
  `Usage: npm run example -- ${file} [--host HOST] [--port PORT]

The ${name} ${does}.

  --host HOST  where to listen (127.0.0.1; 0.0.0.0 is every network of this machine)
  --port PORT  at which port (${port}; 0 is any free one)
  --help       print this

Ctrl-C or SIGTERM stops it.`

/** Says where the server listens: the one line that it prints when it is ready. */
export const announce = (name: string) => (place: Place): Effect.Effect<void> => Console.log(`${name} listens on ${written(place)}`)

/** Says in one line why a server cannot listen, and lets the program end with 1. */
export const orSayWhy = (place: Place) => <A, R>(server: Effect.Effect<A, Errors.Broken, R>): Effect.Effect<A | void, never, R> =>
  Effect.catchTag(server, "Broken", (error) =>
    Console.error(whyNot(place, error)).pipe(Effect.andThen(Effect.sync(() => void (process.exitCode = 1)))))

const whyNot = (place: Place, { cause, message }: Errors.Broken): string => {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined
  if (code === "EADDRINUSE") return `${written(place)} is in use: another program listens there; choose another port with --port`
  if (code === "EACCES") return `${written(place)} is not for everybody: ports below 1024 need the rights of the administrator`
  return `cannot listen on ${written(place)}: ${cause instanceof Error ? cause.message : message}`
}

const written = ({ host, port }: Place): string => host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`
