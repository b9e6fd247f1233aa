/** The options of a server, checked once, in the units that the server counts in. */
import type * as Cause from "effect/Cause"
import type * as Effect from "effect/Effect"
import { millisOf } from "../../core/internal/ScopeBlock.ts"
import type * as Duration from "effect/Duration"
import type { Options } from "../Server.ts"
import type { Address } from "./Address.ts"

export interface ServePlan {
  readonly name: string
  readonly maxConnections: number
  readonly maxPerAddress: number
  /** How many may wait while all handlers are busy. */
  readonly maxWaiting: number
  /** What a peer is told that is turned away. */
  readonly rejectText: string | undefined
  readonly graceMillis: number
  readonly endInputOnStop: boolean
  readonly handshakeMillis: number
  readonly idleMillis: number
  readonly writeMillis: number
  readonly heartbeat: Beat | undefined
  readonly onFailure: ((cause: Cause.Cause<any>, peer: Address) => Effect.Effect<unknown>) | undefined
}

export interface Beat {
  readonly everyMillis: number
  readonly message: string | Uint8Array
  readonly missed: number
}

// A second less than `Main` gives, so that a server whose handlers do not listen ends by itself.
const defaultGrace = "4 seconds"
const defaultBacklog = 511
const defaultHandshakeLimit = "10 seconds"
const defaultMissed = 2

const count = (option: string, value: number | undefined, otherwise: number, least = 1): number => {
  if (value === undefined || value === Infinity) return value ?? otherwise
  if (Number.isInteger(value) && value >= least) return value
  throw new RangeError(`Expected \`${option}\` to be an integer from ${least} and up or \`Infinity\`, got \`${value}\` (${typeof value})`)
}

const limit = (option: string, value: Duration.Input | undefined): number => {
  if (value === undefined) return Infinity
  const millis = millisOf(option, value)
  if (millis > 0) return millis
  throw new RangeError(`Expected \`${option}\` to be a duration longer than 0, got \`${String(value)}\` (${typeof value})`)
}

export const planOf = (options: Options<any, any>): ServePlan => {
  const { heartbeat, limits, whenFull = "wait" } = options
  const waits = whenFull === "wait"
  if (!waits && whenFull !== "reject" && typeof whenFull?.reject !== "string") {
    throw new RangeError(`Expected \`whenFull\` to be "wait", "reject" or { reject: "a text" }, got \`${String(whenFull)}\` (${typeof whenFull})`)
  }
  const backlog = count("backlog", options.backlog, defaultBacklog)
  return {
    name: options.name ?? "server",
    maxConnections: count("maxConnections", options.maxConnections, Infinity),
    maxPerAddress: count("maxPerAddress", options.maxPerAddress, Infinity),
    maxWaiting: waits ? backlog : 0,
    rejectText: typeof whenFull === "object" ? whenFull.reject : undefined,
    graceMillis: millisOf("grace", options.grace ?? defaultGrace),
    endInputOnStop: options.endInputOnStop ?? false,
    handshakeMillis: limit("limits.handshake", limits?.handshake ?? defaultHandshakeLimit),
    idleMillis: limit("limits.idle", limits?.idle),
    writeMillis: limit("limits.write", limits?.write),
    heartbeat: heartbeat === undefined ? undefined : {
      everyMillis: limit("heartbeat.every", heartbeat.every),
      message: heartbeat.message,
      missed: count("heartbeat.missed", heartbeat.missed, defaultMissed)
    },
    onFailure: options.onFailure as ServePlan["onFailure"]
  }
}
