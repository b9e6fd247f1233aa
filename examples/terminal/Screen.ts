/**
 * A window with messages that scroll, and below them a line that is being typed.
 *
 * The model is a state and a function: `paint` tells which bytes make the terminal show the state, and remembers what it
 * shows then. Messages are written once, at the place where the footer (notes and input) stands, and the footer is written
 * again below them; so they scroll up like the output of any program, and the terminal keeps those that leave the window.
 *
 * All places are counted from the top of the window, never from where the cursor happens to be. If something went wrong on
 * the screen, the next `paint` does not build on it.
 */
import type { Editor } from "./Editor.ts"
import { emptyEditor } from "./Editor.ts"
import { type Cell, cellsOf, cutRow, type Line, type Row, wrap, written } from "./Line.ts"
import { append, emptyStore, type MessageStore } from "./MessageStore.ts"

export interface Size {
  readonly rows: number
  readonly columns: number
}

export interface Screen {
  readonly size: Size
  readonly colours: boolean
  readonly editor: Editor
  readonly prompt: Line
  /** Lines between the messages and the input that come and go: what is on its way, what is wrong with the connection. */
  readonly notes: ReadonlyArray<Line>
  /** Messages that are not on the screen yet. */
  readonly unwritten: ReadonlyArray<Line>
  /** Messages that are, or have been. */
  readonly store: MessageStore
  readonly shown: Shown
}

type Shown =
  /** Nothing of ours. */
  | { readonly _tag: "Nothing" }
  /** So many rows at the bottom are no messages: the footer, and above it rows that are empty because it was higher before. */
  | { readonly _tag: "Footer"; readonly height: number; readonly stale: boolean }
  /** The window has another size now, and nobody knows where the terminal has put what. */
  | { readonly _tag: "Unknown" }

/** Enough for the highest window there is. */
const mostKept = 500

export const makeScreen = (size: Size, colours: boolean): Screen => ({
  size: usable(size),
  colours,
  editor: emptyEditor,
  prompt: [],
  notes: [],
  unwritten: [],
  store: emptyStore(mostKept),
  shown: { _tag: "Nothing" }
})

/** A terminal that does not know its size says 0. */
const usable = ({ columns, rows }: Size): Size => ({ rows: rows >= 1 ? rows : 24, columns: columns >= 1 ? columns : 80 })

const stale = (shown: Shown): Shown => shown._tag === "Footer" ? { ...shown, stale: true } : shown

export const addMessages = (screen: Screen, lines: ReadonlyArray<Line>): Screen => ({ ...screen, unwritten: [...screen.unwritten, ...lines] })

export const setNotes = (screen: Screen, notes: ReadonlyArray<Line>): Screen => ({ ...screen, notes, shown: stale(screen.shown) })

export const setPrompt = (screen: Screen, prompt: Line): Screen => ({ ...screen, prompt, shown: stale(screen.shown) })

export const setEditor = (screen: Screen, editor: Editor): Screen =>
  editor === screen.editor ? screen : { ...screen, editor, shown: stale(screen.shown) }

export const resize = (screen: Screen, size: Size): Screen => ({ ...screen, size: usable(size), shown: { _tag: "Unknown" } })

/** Draws everything anew, at the next `paint`. */
export const redraw = (screen: Screen): Screen => ({ ...screen, shown: { _tag: "Unknown" } })

/** A pasted line break, and where it stands. */
const lineBreak = "\u21b5"

interface Footer {
  readonly rows: ReadonlyArray<Row>
  /** From the first row of the footer and the first column, both 0. */
  readonly cursor: { readonly row: number; readonly column: number }
}

/** The rows of the input, cut anywhere, and where its cursor is. */
const inputOf = ({ editor, prompt, size }: Screen): Footer => {
  const { columns } = size
  const rows: Array<Array<Cell>> = [[]]
  let width = 0
  let cursor = { row: 0, column: 0 }
  const put = (cell: Cell) => {
    if (width + cell.width > columns) {
      rows.push([])
      width = 0
    }
    rows.at(-1)!.push(cell)
    width += cell.width
  }
  const mark = (next: number) => {
    // The cursor stands on the next character, or where it will be; that may be the row below.
    cursor = width + Math.max(1, next) > columns ? { row: rows.length, column: 0 } : { row: rows.length - 1, column: width }
  }
  for (const cell of cellsOf(prompt, columns)) put(cell)
  for (const [i, cluster] of editor.clusters.entries()) {
    const [cell, ...more] = cellsOf([{ text: cluster === "\n" ? lineBreak : cluster }], columns)
    if (cell === undefined) continue
    if (i === editor.cursor) mark(cell.width)
    put(cell)
    for (const other of more) put(other)
  }
  if (editor.cursor >= editor.clusters.length) mark(1)
  if (cursor.row === rows.length) rows.push([])
  return { rows, cursor }
}

const footerOf = (screen: Screen): Footer => {
  const { columns, rows: height } = screen.size
  const input = inputOf(screen)
  // The input has at most half of the window, around the cursor.
  const inputHeight = Math.min(input.rows.length, Math.max(1, Math.floor(height / 2)))
  const first = Math.min(Math.max(0, input.cursor.row - inputHeight + 1), input.rows.length - inputHeight)
  const inputRows = input.rows.slice(first, first + inputHeight)
  // Notes never push out the messages, and never the input: where there is little room, the last ones are seen.
  const notesHeight = Math.min(screen.notes.length, Math.max(0, Math.floor(height / 2) - inputHeight + 1), height - inputHeight)
  const notes = notesHeight === 0 ? [] : screen.notes.slice(-notesHeight).map((note) => cutRow(note, columns))
  return {
    rows: [...notes, ...inputRows],
    cursor: { row: notes.length + input.cursor.row - first, column: input.cursor.column }
  }
}

const to = (row: number, column: number): string => `\u001b[${row + 1};${column + 1}H`
const clearBelow = "\u001b[J"
// While rows are written, the cursor is hidden and rows do not wrap by themselves: where a terminal and our table disagree
// on the width of a character, a row is cut by one column, but the next one still begins at its own place.
const beginPaint = "\u001b[?25l\u001b[?7l"
const endPaint = "\u001b[?7h\u001b[?25h"
const newRow = "\r\n"

/** What makes the terminal show this state, and the state after that. Nothing is to be written when nothing has changed. */
export const paint = (screen: Screen): readonly [Screen, string] => {
  const { shown } = screen
  if (shown._tag === "Footer" && !shown.stale && screen.unwritten.length === 0) return [screen, ""]
  const footer = footerOf(screen)
  if (shown._tag !== "Unknown") return paintBelow(screen, footer, shown._tag === "Footer" ? shown.height : 1)
  const [drawn, all] = paintAll(screen, footer)
  if (drawn.unwritten.length === 0) return [drawn, all]
  // What is new goes in by the usual way, so that the terminal keeps what does not fit.
  const [next, more] = paintBelow(drawn, footer, footer.rows.length)
  return [next, all + more]
}

/** Writes what is new from the first row below the messages on. */
const paintBelow = (screen: Screen, footer: Footer, shownHeight: number): readonly [Screen, string] => {
  const { size } = screen
  const height = Math.min(shownHeight, size.rows)
  const messages = screen.unwritten.flatMap((line) => wrap(line, size.columns))
  // A footer that has become lower leaves empty rows above it. The next messages fill them, and nothing has to scroll back.
  const gap = Math.max(0, height - messages.length - footer.rows.length)
  const gapRows: ReadonlyArray<Row> = Array.from({ length: gap }, () => [])
  const rows = [...messages, ...gapRows, ...footer.rows]
  const bytes = beginPaint + to(size.rows - height, 0) + clearBelow + rowsOf(screen, rows) + cursorAt(size, footer) + endPaint
  return [afterWriting(screen, footer.rows.length + gap), bytes]
}

/** Clears the window, and writes the last messages and the footer at its bottom. */
const paintAll = (screen: Screen, footer: Footer): readonly [Screen, string] => {
  const { size, store } = screen
  const room = size.rows - footer.rows.length
  const messages: Array<Row> = []
  for (let i = store.lines.length - 1; i >= 0 && messages.length < room; i--) messages.unshift(...wrap(store.lines[i]!, size.columns))
  const visible = room === 0 ? [] : messages.slice(-room)
  const rows = [...visible, ...footer.rows]
  const bytes = beginPaint + to(0, 0) + clearBelow + to(size.rows - rows.length, 0) + rowsOf(screen, rows) + cursorAt(size, footer) + endPaint
  return [{ ...screen, shown: { _tag: "Footer", height: footer.rows.length, stale: false } }, bytes]
}

const rowsOf = ({ colours }: Screen, rows: ReadonlyArray<Row>): string => rows.map((row) => written(row, colours)).join(newRow)

// The footer ends at the bottom.
const cursorAt = ({ rows }: Size, footer: Footer): string => to(rows - footer.rows.length + footer.cursor.row, footer.cursor.column)

const afterWriting = (screen: Screen, height: number): Screen => ({
  ...screen,
  unwritten: [],
  store: append(screen.store, screen.unwritten),
  shown: { _tag: "Footer", height, stale: false }
})

/** What is left to be written when the program ends: the last messages, and nothing of the footer. */
export const leave = (screen: Screen): string => {
  const { size } = screen
  const { shown } = paint(screen)[0]
  const height = shown._tag === "Footer" ? Math.min(shown.height, size.rows) : 1
  return paint(screen)[1] + to(size.rows - height, 0) + clearBelow
}
