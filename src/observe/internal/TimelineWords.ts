/** The words of a timeline, the same in every form of it. */
import type { Outcome } from "./Event.ts"
import { type Cancel, type Cleanup, isBlock, type Row, type Timeline } from "./TimelineModel.ts"

/** How a row ended, with a shape of its own for each. */
export type Ending = "succeeded" | "failed" | "died" | "cancelled" | "caught" | "running"

export const endingOf = (row: Pick<Row, "outcome" | "caught">): Ending => {
  if (row.outcome === undefined) return "running"
  if (row.outcome._tag === "succeeded" && row.caught) return "caught"
  return row.outcome._tag
}

export const glyphs: { readonly [K in Ending]: string } = {
  succeeded: "✓",
  failed: "✗",
  died: "‼",
  cancelled: "⊘",
  caught: "↷",
  running: "…"
}

export const endingWords: { readonly [K in Ending]: string } = {
  succeeded: "succeeded",
  failed: "failed",
  died: "died",
  cancelled: "cancelled",
  caught: "cancelled, went on",
  running: "still running"
}

/** The order in which endings are counted. */
export const endings: ReadonlyArray<Ending> = ["failed", "died", "cancelled", "caught", "succeeded", "running"]

const errorOf = (outcome: Outcome | undefined): string | undefined =>
  outcome?._tag === "failed" ? outcome.error : outcome?._tag === "died" ? outcome.defect : undefined

/** The error in full, as it was given. */
export const fullError = (row: Pick<Row, "outcome">): string | undefined => {
  const error = errorOf(row.outcome)
  return error === undefined ? undefined : capped(error)
}

/** Such as `failed: OutOfTea: pot 1 is empty`, on one line. */
export const endingText = (row: Pick<Row, "outcome" | "caught">): string => {
  const error = errorOf(row.outcome)
  const word = endingWords[endingOf(row)]
  return error === undefined ? word : `${word}: ${oneLine(error)}`
}

/** Such as `nursery breakfast`. Of a task the name alone. */
export const titleOf = (row: Pick<Row, "kind" | "name">): string => {
  const kind = kindWord(row)
  const name = nameOf(row)
  return kind === "" ? name : name === "" ? kind : `${kind} ${name}`
}

/** The word before the name; none for a task. */
export const kindWord = (row: Pick<Row, "kind">): string => row.kind === "task" || row.kind === "outside" ? "" : row.kind

/** The name, if it says more than the word before it. */
export const nameOf = (row: Pick<Row, "kind" | "name">): string =>
  row.name === row.kind ? "" : oneLine(row.name)

export const plural = (count: number, noun: string, nouns = `${noun}s`): string => `${withCommas(count)} ${count === 1 ? noun : nouns}`

const withCommas = (count: number): string => String(count).replaceAll(/\B(?=(\d{3})+$)/g, ",")

/** Such as `9,990 succeeded, 10 cancelled`. */
export const countEndings = (rows: Iterable<Row>): string => {
  const counts = new Map<Ending, number>()
  for (const row of rows) counts.set(endingOf(row), (counts.get(endingOf(row)) ?? 0) + 1)
  return endings.filter((ending) => counts.has(ending)).map((ending) => `${withCommas(counts.get(ending)!)} ${endingWords[ending]}`).join(", ")
}

/** One line about the whole run. */
export const summaryOf = (timeline: Timeline): string => {
  if (timeline.rows.length === 0) return "nothing was recorded"
  const tasks = timeline.rows.filter((row) => row.kind === "task" || row.kind === "service")
  const blocks = timeline.rows.filter(isBlock)
  const parts = [plural(blocks.length, "block")]
  if (tasks.length > 0) parts.push(`${plural(tasks.length, "task")} (${countEndings(tasks)})`)
  parts.push(duration(timeline.millis))
  return parts.join(" · ")
}

/** Such as `its finalizer`, of what held a task that was told to stop. */
export const cleanupText = ({ what }: Cleanup): string => {
  const said = oneLine(what)
  return said.startsWith("uninterruptible") ? said.replace("uninterruptible", "its uninterruptible region") : `its ${said}`
}

/** Why, with where it came from if that is not in the words. */
export const cancelText = (cancel: Cancel): string => {
  const message = oneLine(cancel.message)
  return cancel.source === "explicit" || cancel.source === "signal" || cancel.source === "shutdown" ? `${message} (${cancel.source})` : message
}

// --- times ---

const units: ReadonlyArray<readonly [millis: number, unit: string]> = [
  [86_400_000, "d"], [3_600_000, "h"], [60_000, "min"], [1_000, "s"], [1, "ms"], [0.001, "µs"], [0.000001, "ns"]
]

// Four digits are as many as anybody reads.
const rounded = (value: number): string => String(Number(value.toPrecision(4)))

/** Such as `350 ms`, `1.5 s`, `2 min 5 s`. */
export const duration = (millis: number): string => {
  if (millis === 0) return "0 ms"
  for (let i = 0; i < units.length; i++) {
    const [size, unit] = units[i]!
    if (millis < size && i < units.length - 1) continue
    if (size <= 1_000) return `${rounded(millis / size)} ${unit}`
    const [below, belowUnit] = units[i + 1]!
    let whole = Math.floor(millis / size)
    let rest = Math.round((millis - whole * size) / below)
    if (rest * below >= size) {
      whole++
      rest = 0
    }
    return rest === 0 ? `${whole} ${unit}` : `${whole} ${unit} ${rest} ${belowUnit}`
  }
  return "0 ms"
}

// --- text from the program ---

/** Longer texts help nobody, and an error may carry a whole document. */
const longestText = 2_000

const capped = (text: string): string => {
  const clean = printable(text)
  return clean.length <= longestText ? clean : `${clean.slice(0, longestText).replace(/[\uD800-\uDBFF]$/, "")}…`
}

/**
 * Names and errors come from anywhere. What no document may contain, what would
 * steer a terminal, and what turns the direction of a line round is shown as a sign.
 */
const printable = (text: string): string =>
  text.replaceAll(/\r\n?/g, "\n").replaceAll(/\p{Surrogate}|[\uFFFE\uFFFF]/gu, "\uFFFD")
    // oxlint-disable-next-line no-control-regex
    .replaceAll(/[\u0000-\u0008\u000B-\u001F]/g, (char) => String.fromCharCode(0x2400 + char.charCodeAt(0)))
    .replaceAll(/[\u007F-\u009F]/g, "\uFFFD")
    .replaceAll(/[\u200E\u200F\u2028-\u202E\u2066-\u2069]/g, "")

/** On one line: a line break is a sign. */
export const oneLine = (text: string): string => capped(text).replaceAll(/\s*\n\s*/g, " ↵ ").replaceAll("\t", " ").trim()

/** As it is, with its lines. */
export const manyLines = (text: string): string => capped(text)

/** For XML and HTML, between tags and in quoted attributes. */
export const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("\"", "&quot;").replaceAll("'", "&#39;")
