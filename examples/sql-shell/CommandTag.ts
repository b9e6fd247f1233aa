/**
 * What PostgreSQL calls a statement that it has done, such as `CREATE TABLE`. The driver keeps only the first word of that, so
 * the others are read from the statement.
 */
import { wordsOf } from "./Statements.ts"

/** Commands that are called by the kind of thing that they are about. */
const ofKinds = new Set(["CREATE", "ALTER", "DROP"])

/** What may stand between the command and the kind. */
const asides = new Set([
  "OR", "REPLACE", "GLOBAL", "LOCAL", "TEMPORARY", "TEMP", "UNLOGGED", "UNIQUE", "RECURSIVE", "CONSTRAINT", "TRUSTED", "PROCEDURAL"
])

/** Kinds of more than one word. */
const longKinds = [
  "ACCESS METHOD", "DEFAULT PRIVILEGES", "EVENT TRIGGER", "FOREIGN DATA WRAPPER", "FOREIGN TABLE", "LARGE OBJECT", "MATERIALIZED VIEW", "OPERATOR CLASS", "OPERATOR FAMILY",
  "TEXT SEARCH CONFIGURATION", "TEXT SEARCH DICTIONARY", "TEXT SEARCH PARSER", "TEXT SEARCH TEMPLATE", "USER MAPPING"
]

/** To PostgreSQL, users and groups are roles. */
const otherNames: Readonly<Record<string, string>> = { USER: "ROLE", GROUP: "ROLE" }

/** Commands that are always called the same, in more words than one. */
const called: Readonly<Record<string, string>> = {
  CLOSE: "CLOSE CURSOR",
  DECLARE: "DECLARE CURSOR",
  LOCK: "LOCK TABLE",
  REFRESH: "REFRESH MATERIALIZED VIEW",
  START: "START TRANSACTION",
  TRUNCATE: "TRUNCATE TABLE"
}

/** The name of what a statement has done, of which `command` is the first word. */
export const tagOf = (statement: string, command: string): string => ofKinds.has(command) ? `${command}${kindIn(statement)}` : called[command] ?? command

const kindIn = (statement: string): string => {
  const words = wordsOf(statement, 8).slice(1).map((word) => word.toUpperCase())
  const from = words.findIndex((word) => !asides.has(word))
  if (from === -1) return ""
  const text = words.slice(from).join(" ")
  const kind = longKinds.find((kind) => text === kind || text.startsWith(`${kind} `)) ?? words[from]!
  return ` ${otherNames[kind] ?? kind}`
}
