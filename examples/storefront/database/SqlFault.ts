/** What an error of the database means for a client: try again, it contradicts something, or a mistake of ours. */
import type { SqlError } from "effect/sql"

export type SqlFault =
  /** The database is not there, or has too much to do. The same request may succeed in a moment. */
  | "unavailable"
  /** Another transaction was in the way. It may succeed in a moment, too. */
  | "conflict"
  | "bug"

/**
 * Codes of PostgreSQL that the driver does not tell apart from mistakes: the server is told to stop (57P01), has crashed
 * (57P02), starts or recovers (57P03), has no room for a connection (53300), no memory (53200) or no disk (53100).
 */
const passing = /^(57P0[1235]|53[0-9A-Z]{3})$/

export const sqlFaultOf = (error: SqlError.SqlError): SqlFault => {
  switch (error.reason._tag) {
    case "ConnectionError":
    case "AuthenticationError":
    case "LockTimeoutError":
    case "StatementTimeoutError":
      return "unavailable"
    case "SerializationError":
    case "DeadlockError":
      return "conflict"
    default:
      return passing.test(codeOf(error) ?? "") ? "unavailable" : "bug"
  }
}

/** The five characters by which PostgreSQL names an error. */
export const codeOf = (error: SqlError.SqlError): string | undefined => {
  const { cause } = error.reason
  return typeof cause === "object" && cause !== null && "code" in cause && typeof cause.code === "string" ? cause.code : undefined
}
