/** Rows as an aligned table, no wider than the window. */
import { columnsOf, cutTo, padTo } from "../terminal/Clusters.ts"
import { harmless } from "../terminal/Harmless.ts"
import type { Line, Span } from "../terminal/Line.ts"

export interface Table {
  readonly names: ReadonlyArray<string>
  readonly rows: ReadonlyArray<ReadonlyArray<unknown>>
}

interface Cell {
  readonly text: string
  readonly isNull: boolean
  readonly isNumber: boolean
}

const hex = (bytes: Uint8Array): string => `\\x${Buffer.from(bytes).toString("hex")}`

const jsonOf = (value: unknown): string => JSON.stringify(value, (_, part: unknown) => typeof part === "bigint" ? String(part) : part) ?? ""

const textOf = (value: unknown): string => {
  if (typeof value === "string") return value
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "invalid date" : value.toISOString()
  if (value instanceof Uint8Array) return hex(value)
  return typeof value === "object" ? jsonOf(value) : String(value)
}

const cellOf = (value: unknown): Cell => {
  if (value === null || value === undefined) return { text: "NULL", isNull: true, isNumber: false }
  // A value may have line breaks in it; a row of the table is one row.
  const text = harmless(textOf(value).replace(/\r?\n/g, "↵"))
  return { text, isNull: false, isNumber: typeof value === "number" || typeof value === "bigint" || /^-?\d+(\.\d+)?$/.test(text) }
}

/** A column is cut to this, but not further, when the table is too wide for the window. */
const narrowest = 6

const between = 3

/** Takes columns from the widest until all fit, or none can give more. */
const fit = (widths: ReadonlyArray<number>, columns: number): ReadonlyArray<number> => {
  const fitted = [...widths]
  let excess = fitted.reduce((sum, width) => sum + width + between, -between) - columns
  while (excess > 0) {
    const widest = Math.max(...fitted)
    if (widest <= narrowest) break
    // Down to the next one in size, so that a table of a thousand columns takes no thousand steps for each.
    const next = Math.max(narrowest, ...fitted.filter((width) => width < widest))
    const at = fitted.indexOf(widest)
    const give = Math.min(excess, widest - next)
    fitted[at] = widest - Math.max(1, give)
    excess -= Math.max(1, give)
  }
  return fitted
}

/** The lines of a table: names, a rule, and the rows. */
export const tableLines = ({ names, rows }: Table, columns: number): ReadonlyArray<Line> => {
  const heads = names.map((name) => harmless(name))
  const cells = rows.map((row) => row.map(cellOf))
  const wide = heads.map((head, i) => Math.max(columnsOf(head), ...cells.map((row) => columnsOf(row[i]!.text))))
  const widths = fit(wide, columns)
  const isNumeric = heads.map((_, i) => cells.some((row) => row[i]!.isNumber) && cells.every((row) => row[i]!.isNumber || row[i]!.isNull))
  const last = heads.length - 1
  const fitted = (text: string, i: number) => {
    const cut = cutTo(text, widths[i]!)
    if (isNumeric[i]!) return padTo(cut, widths[i]!, "right")
    return i === last ? cut : padTo(cut, widths[i]!)
  }
  const joined = (spans: ReadonlyArray<Span>): Line => spans.flatMap((span, i) => i === 0 ? [span] : [{ text: " │ ", style: "dim" as const }, span])
  return [
    joined(heads.map((head, i) => ({ text: fitted(head, i), style: "bold" }))),
    [{ text: widths.map((width) => "─".repeat(width)).join("─┼─"), style: "dim" }],
    ...cells.map((row) => joined(row.map((cell, i) => ({ text: fitted(cell.text, i), style: cell.isNull ? "dim" as const : undefined }))))
  ]
}
