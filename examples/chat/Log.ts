/** What the server writes to its log about users. Names are those of the chat, which have no line breaks. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Formatter from "effect/Formatter"
import type * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import { visible } from "./Protocol.ts"
import type { Self, Session } from "./Session.ts"
import type { LeaveReason } from "./Stats.ts"

/** Such as `2026-11-21T16:42:06.408Z left user=Ada reason=quit`. What could be taken for something else is quoted. */
const formatPretty = Logger.make(({ cause, date, fiber, logLevel, message }) => {
  const words = (Array.isArray(message) ? message : [message]).map((part) => typeof part === "string" ? visible(part) : Formatter.format(part))
  const facts = Object.entries(fiber.getRef(References.CurrentLogAnnotations)).map(([key, value]) => `${key}=${quoted(String(value))}`)
  const level = logLevel === "Info" ? [] : [logLevel.toUpperCase()]
  const why = cause.reasons.length === 0 ? [] : [`\n${Cause.pretty(cause)}`]
  return [date.toISOString(), ...level, ...words, ...facts, ...why].join(" ")
})

const quoted = (text: string): string => /^[^\s"=]+$/u.test(text) ? text : JSON.stringify(text)

/** A line of the log may wait so long, so that a thousand users who come at once are one write. */
const window = "100 millis"

/** Lines for people, or for programs, on standard output. */
export const logger = (form: "pretty" | "json"): Layer.Layer<never> =>
  Logger.layer([
    Logger.batched(form === "json" ? Logger.formatJson : formatPretty, {
      window,
      flush: (lines) => Effect.sync(() => void process.stdout.write(`${lines.join("\n")}\n`))
    })
  ])

const peerOf = ({ stream: { peer } }: Session): string => peer.host.includes(":") ? `[${peer.host}]:${peer.port}` : `${peer.host}:${peer.port}`

const about = (session: Session, user: string | undefined, more?: Record<string, string>) =>
  Effect.annotateLogs({ peer: peerOf(session), ...(user === undefined ? {} : { user }), ...more })

export const joined = (session: Session, user: string): Effect.Effect<void> => about(session, user)(Effect.logInfo("joined"))

export const resumed = (session: Session, user: string): Effect.Effect<void> => about(session, user)(Effect.logInfo("resumed"))

/** Somebody who never was a user is no news. */
export const left = (session: Session, self: Self | undefined, reason: LeaveReason): Effect.Effect<void> =>
  about(session, self?.name, { reason })(self === undefined ? Effect.logDebug("disconnected") : Effect.logInfo("left"))

export const notTold = (session: Session, self: Self): Effect.Effect<void> =>
  about(session, self.name)(Effect.logWarning("left, and the other servers are not told: the bus cannot be reached"))
