/** What went wrong with a statement, in one line. */
import type { SqlError } from "effect/sql"

/** What PostgreSQL tells of an error, if it was PostgreSQL that has told it. */
interface Told {
  readonly code?: string
  readonly message: string
  readonly detail?: string
  readonly hint?: string
}

const toldOf = (error: SqlError.SqlError): Told => {
  const { cause } = error.reason
  if (cause instanceof Error) return cause
  return { message: error.message }
}

/** Words of the system, such as `connect ECONNREFUSED 127.0.0.1:5432`, stand in a cause of a cause. */
const deepest = (error: unknown): string => {
  let message = ""
  for (let at: unknown = error; at instanceof Error; at = at.cause) if (at.message !== "") message = at.message
  return message
}

export const lineOf = (error: SqlError.SqlError): string => {
  const told = toldOf(error)
  const code = told.code !== undefined && /^[0-9A-Z]{5}$/.test(told.code) ? ` ${told.code}` : ""
  const message = code === "" ? deepest(error.reason.cause) || told.message : told.message
  const more = [told.detail, told.hint].filter((text) => text !== undefined && text !== "")
  return `ERROR${code}: ${message}${more.length === 0 ? "" : ` (${more.join("; ")})`}`.replace(/\s*\n\s*/g, " ")
}
