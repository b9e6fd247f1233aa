/** Lines of text with styles, and the rows of a window that they fill. */
import { clustersOf, widthOf } from "./Clusters.ts"
import { harmless } from "./Harmless.ts"

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "blue" | "magenta" | "cyan"

export interface Span {
  readonly text: string
  readonly style?: Style | undefined
}

export type Line = ReadonlyArray<Span>

/** A line of one style, or of none. */
export const line = (text: string, style?: Style): Line => [{ text, style }]

/** The words of a line without its styles. */
export const textOf = (line: Line): string => line.map(({ text }) => text).join("")

/** One character at its place, with the columns that it takes. */
export interface Cell {
  readonly text: string
  readonly width: number
  readonly style: Style | undefined
}

export type Row = ReadonlyArray<Cell>

/** Stands for a character that is wider than the window. */
const tooWide = "?"

/**
 * The cells of a line. This is the one way from a line to the screen, and it leads through `harmless`: nobody who prints
 * can forget it.
 */
export const cellsOf = (line: Line, columns: number): Array<Cell> => {
  const cells: Array<Cell> = []
  for (const { style, text } of line) {
    for (const cluster of clustersOf(harmless(text))) {
      const width = widthOf(cluster)
      cells.push(width <= columns ? { text: cluster, width, style } : { text: tooWide, width: 1, style })
    }
  }
  return cells
}

/** The rows of a line in a window so wide: broken between words where that is possible, else anywhere. At least one. */
export const wrap = (line: Line, columns: number): Array<Row> => {
  const rows: Array<Row> = []
  let row: Array<Cell> = []
  let width = 0
  /** How many cells of the row there are up to its last space, that space included. */
  let words = 0
  for (const cell of cellsOf(line, columns)) {
    if (width + cell.width > columns) {
      if (cell.text === " ") {
        // The space at which a row is broken is not shown.
        rows.push(row)
        ;[row, width, words] = [[], 0, 0]
        continue
      }
      const rest = words > 0 ? row.splice(words) : []
      rows.push(words > 0 ? row.slice(0, -1) : row)
      row = rest
      width = rest.reduce((sum, { width }) => sum + width, 0)
      words = 0
    }
    row.push(cell)
    width += cell.width
    if (cell.text === " ") words = row.length
  }
  rows.push(row)
  return rows
}

/** One row of a line, cut with "…" where it is longer than the window. */
export const cutRow = (line: Line, columns: number): Row => {
  const cells = cellsOf(line, columns)
  let width = 0
  for (const [i, cell] of cells.entries()) {
    width += cell.width
    if (width <= columns) continue
    const kept = cells.slice(0, i)
    for (let left = width - cell.width; left > columns - 1; left -= kept.pop()!.width);
    return [...kept, { text: "…", width: 1, style: cell.style }]
  }
  return cells
}

const codes: Readonly<Record<Style, string>> = {
  bold: "1",
  dim: "2",
  red: "31",
  green: "32",
  yellow: "33",
  blue: "34",
  magenta: "35",
  cyan: "36"
}

/** What is written to the terminal for a row. */
export const written = (row: Row, colours: boolean): string => {
  let text = ""
  let style: Style | undefined = undefined
  for (const cell of row) {
    if (colours && cell.style !== style) {
      text += cell.style === undefined ? "\u001b[0m" : `\u001b[0;${codes[cell.style]}m`
      style = cell.style
    }
    text += cell.text
  }
  return style === undefined ? text : `${text}\u001b[0m`
}

/** A line for something that is no screen: harmless, and in one piece. */
export const writtenPlain = (line: Line, colours: boolean): string => written(cellsOf(line, Infinity), colours)
