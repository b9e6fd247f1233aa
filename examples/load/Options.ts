/** The command line of the load runner: what it takes, its limits, and that it loads this machine only. */
import { Data, Duration, Effect } from "effect"
import { lookup } from "node:dns/promises"
import { BlockList, isIP } from "node:net"
import { parseArgs } from "node:util"

/** The command line makes no sense. The message says why in one line. */
export class BadOptions extends Data.TaggedError("BadOptions")<{ readonly message: string }> {}

export interface Options {
  readonly help: boolean
  readonly json: boolean
  readonly url: URL
  readonly users: number
  readonly spawnRate: number
  readonly duration: Duration.Duration
  /** A file with a scenario; without one it is the visitor. */
  readonly scenario: string | undefined
}

/** So that nobody fills a machine by a slip of the finger, and no run is forgotten. */
const mostUsers = 5000
const mostPerSecond = 1000
const leastDuration = Duration.millis(100)
const mostDuration = Duration.hours(1)

export const help = `Usage: npm run example -- examples/load/main.ts [options]

Lets virtual users visit a web server on this machine, and says how long it took to answer.

  --url URL         the server (http://127.0.0.1:8080)
  --users N         how many users there are (10; at most ${mostUsers})
  --spawn-rate N    how many of them come in a second (1; at most ${mostPerSecond})
  --duration TIME   how long it takes in all, such as 500ms, 30s or 5m (30s; at most 60m)
  --scenario FILE   what a user does: a module whose default export is a scenario
                    (examples/load/scenarios/visitor.ts: GET /, POST /login, wait 1 to 3 s)
  --json            the report as JSON
  --help            print this

Ctrl-C ends it early, with the report. It ends with 1 if a request has failed.`

/** Reads the command line. */
export const parse = (args: ReadonlyArray<string>): Effect.Effect<Options, BadOptions> =>
  Effect.try({
    try: () => {
      const { values } = parseArgs({
        args: [...args],
        options: {
          url: { type: "string", default: "http://127.0.0.1:8080" },
          users: { type: "string", default: "10" },
          "spawn-rate": { type: "string", default: "1" },
          duration: { type: "string", default: "30s" },
          scenario: { type: "string" },
          json: { type: "boolean", default: false },
          help: { type: "boolean", default: false }
        }
      })
      return {
        help: values.help,
        json: values.json,
        url: urlFrom(values.url),
        users: numberFrom("--users", values.users, /^\d+$/, 1, mostUsers),
        spawnRate: numberFrom("--spawn-rate", values["spawn-rate"], /^\d+(\.\d+)?$/, 0.01, mostPerSecond),
        duration: durationFrom(values.duration),
        scenario: values.scenario
      }
    },
    catch: (error) => new BadOptions({ message: error instanceof Error ? error.message : String(error) })
  })

const numberFrom = (option: string, text: string, form: RegExp, least: number, most: number): number => {
  const number = Number(text)
  if (form.test(text) && number >= least && number <= most) return number
  throw new Error(`${option} takes a number from ${least} to ${most}, got ${JSON.stringify(text)}`)
}

const units = { ms: Duration.millis, s: Duration.seconds, m: Duration.minutes }

const durationFrom = (text: string): Duration.Duration => {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text) ?? []
  const duration = number === undefined ? undefined : units[unit as keyof typeof units](Number(number))
  if (duration !== undefined && Duration.between(duration, { minimum: leastDuration, maximum: mostDuration })) return duration
  throw new Error(`--duration takes a time from 100ms to 60m, such as 500ms, 30s or 5m, got ${JSON.stringify(text)}`)
}

const urlFrom = (text: string): URL => {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol)) throw new Error(`--url takes a URL that begins with http:// or https://, got ${JSON.stringify(text)}`)
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "" || url.username !== "") throw new Error(`--url takes a server, such as http://127.0.0.1:8080, got ${JSON.stringify(text)}`)
  return url
}

// #region local
const loopback = new BlockList()
loopback.addSubnet("127.0.0.0", 8, "ipv4")
loopback.addAddress("::1", "ipv6")

/** Whether an address is one of this machine, which nobody else can have. */
export const isLoopback = (address: string): boolean => {
  const version = isIP(address)
  return version !== 0 && loopback.check(address, version === 4 ? "ipv4" : "ipv6")
}

/**
 * Refuses a server that is not on this machine: to load one of somebody else is an attack. There is no option against it.
 *
 * Of names only `localhost` will do, and is looked up: what another name means may be something else a moment later.
 */
export const refuseOthers = ({ hostname }: URL): Effect.Effect<void, BadOptions> =>
  Effect.gen(function*() {
    const host = hostname.replace(/^\[|\]$/g, "")
    const found = host === "localhost" ? yield* Effect.promise(() => lookup(host, { all: true }).catch(() => [])) : [{ address: host }]
    if (found.length > 0 && found.every(({ address }) => isLoopback(address))) return
    return yield* new BadOptions({ message: `${host} is not on this machine: only 127.0.0.1, ::1 and localhost are loaded` })
  })
// #endregion
