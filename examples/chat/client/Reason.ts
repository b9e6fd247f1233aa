/** Why there is no connection, in few words: the line above the input is as long as the window is wide. */
import { Errors } from "effect-nursery"

/** What the system calls it, and what it means. */
const meanings: Readonly<Record<string, string>> = {
  ECONNREFUSED: "refused",
  ECONNRESET: "reset",
  EPIPE: "reset",
  ETIMEDOUT: "no answer",
  EHOSTUNREACH: "no way to the host",
  ENETUNREACH: "no network",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "the host's name cannot be looked up"
}

/** Where a name has several addresses, each has its own reason: an error that names it, or is the reason itself. */
const codesOf = (cause: unknown): ReadonlyArray<string> => {
  if (cause instanceof AggregateError) return cause.errors.flatMap(codesOf)
  if (cause instanceof Errors.Broken) return codesOf(cause.cause)
  return cause instanceof Error && "code" in cause ? [String(cause.code)] : []
}

/** `tcp 127.0.0.1:8000 is broken: connect ECONNREFUSED 127.0.0.1:8000` is just `refused`. */
export const inFewWords = (error: Errors.Broken | Errors.Busy | Errors.Closed | Errors.TooSlow): string => {
  if (error._tag === "TooSlow") return "no answer"
  const codes = codesOf(error)
  return codes.length === 0 ? "broken" : [...new Set(codes.map((code) => meanings[code] ?? code))].join(", ")
}
