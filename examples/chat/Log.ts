/** What the server writes to its log about users. Names are those of the chat, which have no line breaks. */
import { Effect, type Layer, Logger } from "effect"
import type { Self, Session } from "./Session.ts"
import type { LeaveReason } from "./Stats.ts"

/** Lines for people, or for programs. */
export const logger = (form: "pretty" | "json"): Layer.Layer<never> => Logger.layer([form === "json" ? Logger.consoleJson : Logger.consolePretty()])

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
