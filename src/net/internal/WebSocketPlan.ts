/** The options of a WebSocket, checked once, in the units that it counts in. */
import type * as Duration from "effect/Duration"
import { countOf } from "../../core/internal/Count.ts"
import { oneOf } from "../../core/internal/Options.ts"
import { millisOf } from "../../core/internal/ScopeBlock.ts"
import type { StreamOptions } from "./WebSocketOptions.ts"

export interface WebSocketPlan {
  readonly maxPayload: number
  readonly inboxBytes: number
  readonly outboxBytes: number
  readonly overflow: "wait" | "drop" | "disconnect"
  readonly incoming: "receive" | "ignore" | "refuse"
  readonly pingMillis: number
  readonly pingsMissed: number
  readonly maxPingsPerSecond: number
  readonly closeMillis: number
  readonly compression: false | object
}

const defaultMaxPayload = 1_048_576
/** What one read of the system brings. */
const defaultInboxBytes = 65_536
/** As much as Node itself holds before it says that it is enough. */
const defaultOutboxBytes = 65_536
const defaultPing = { every: "30 seconds", missed: 2 } as const
const defaultMaxPingsPerSecond = 100
const defaultCloseTimeout = "1 second"
// In 32 bits: `ws` would take more for no limit at all.
const mostPayload = 2 ** 31 - 1

const positive = (option: string, input: Duration.Input): number => {
  const millis = millisOf(option, input)
  if (millis > 0) return millis
  throw new RangeError(`Expected \`${option}\` to be a duration longer than 0, got \`${String(input)}\` (${typeof input})`)
}

const atLeastOne = (option: string, value: number): number => {
  if (countOf(option, value) >= 1) return value
  throw new RangeError(`Expected \`${option}\` to be an integer from 1 and up, got \`${value}\` (${typeof value})`)
}

export const webSocketPlanOf = (options: StreamOptions): WebSocketPlan => {
  const { compression = false, ping = defaultPing } = options
  oneOf("overflow", options.overflow, ["wait", "drop", "disconnect"])
  oneOf("incoming", options.incoming, ["receive", "ignore", "refuse"])
  return {
    maxPayload: Math.min(atLeastOne("maxPayload", options.maxPayload ?? defaultMaxPayload), mostPayload),
    inboxBytes: countOf("inboxBytes", options.inboxBytes ?? defaultInboxBytes),
    outboxBytes: atLeastOne("outboxBytes", options.outboxBytes ?? defaultOutboxBytes),
    overflow: options.overflow ?? "wait",
    incoming: options.incoming ?? "receive",
    pingMillis: ping === false ? Infinity : positive("ping.every", ping.every),
    pingsMissed: ping === false ? Infinity : atLeastOne("ping.missed", ping.missed ?? defaultPing.missed),
    maxPingsPerSecond: countOf("maxPingsPerSecond", options.maxPingsPerSecond ?? defaultMaxPingsPerSecond),
    closeMillis: positive("closeTimeout", options.closeTimeout ?? defaultCloseTimeout),
    compression: compression === false ? false : deflateOf(compression === true ? {} : compression)
  }
}

const defaultThreshold = 1024

// A context that is kept from message to message packs better and costs each
// connection 300 KiB for good; without one the memory is that of one message.
const deflateOf = ({ threshold = defaultThreshold }: { readonly threshold?: number }): object => ({
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  threshold: countOf("compression.threshold", threshold),
  zlibDeflateOptions: { level: 3, memLevel: 7 }
})

/**
 * How many pieces a message may come in, be it frames or reads of the system: each
 * is an object of more than a hundred bytes, whatever lies in it. 32 bytes a piece
 * are fewer than anybody sends who does not mean harm.
 */
export const mostPieces = (maxPayload: number): number => Math.max(4096, Math.ceil(maxPayload / 32))

/** `ws` has it in 32 bits, and Node's timers, too. */
export const wsMillis = (millis: number): number => Math.min(millis, 2 ** 31 - 1)

/**
 * Pongs that the system has not taken: `ws` cuts off a peer that lets more pile up. All
 * of those that are allowed in a second may come at once.
 */
const mostPongs = ({ maxPingsPerSecond }: WebSocketPlan): number => maxPingsPerSecond === Infinity ? 0 : 2 * maxPingsPerSecond + 2

export const wsLimits = (plan: WebSocketPlan) => ({
  maxPayload: plan.maxPayload,
  maxPendingAutoPongs: mostPongs(plan),
  maxBufferedChunks: mostPieces(plan.maxPayload),
  maxFragments: mostPieces(plan.maxPayload),
  closeTimeout: wsMillis(plan.closeMillis),
  perMessageDeflate: plan.compression
})
