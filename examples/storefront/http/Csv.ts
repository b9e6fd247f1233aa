/** Rows as text/csv (RFC 4180): values with a comma, a quote or a line end stand in quotes. */
export const csvOf = <K extends string>(columns: ReadonlyArray<K>, rows: ReadonlyArray<Readonly<Record<K, string | number>>>): string =>
  [columns.join(","), ...rows.map((row) => columns.map((column) => field(row[column])).join(","))].join("\r\n") + "\r\n"

const field = (value: string | number): string => {
  const text = typeof value === "string" ? harmless(value) : String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll("\"", "\"\"")}"` : text
}

/** A spreadsheet takes a text that begins like this for a formula, and runs it. */
const harmless = (text: string): string => /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
