/**
 * A terminal as far as the examples need one: takes the bytes that a program writes, and tells what stands on the screen.
 * Written from the manual of xterm, and on purpose without a line of the code that it tests.
 */

const joins = /[\p{Mn}\p{Me}\p{Cf}]/u
const wide = /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u

interface Cell {
  text: string
  width: 1 | 2
}

type Row = Array<Cell | undefined>

export class VirtualScreen {
  rows: number
  columns: number
  row = 0
  column = 0
  /** Rows that have left the screen at its top. */
  readonly scrollback: Array<string> = []
  cursorVisible = true
  wraps = true
  bracketedPaste = false
  /** Sequences that it does not know: a test should find none. */
  readonly unknown: Array<string> = []
  bells = 0
  private grid: Array<Row>
  /** The last column was written, and the cursor has not gone to the next row yet. */
  private wrapPending = false
  private pending = ""

  constructor(rows: number, columns: number) {
    this.rows = rows
    this.columns = columns
    this.grid = Array.from({ length: rows }, () => [])
  }

  write(text: string): this {
    this.pending += text
    while (this.pending !== "") {
      const length = this.step(this.pending)
      if (length === 0) break
      this.pending = this.pending.slice(length)
    }
    return this
  }

  /** What stands on it, row by row, without spaces at the ends. */
  get lines(): Array<string> {
    return this.grid.map((row) => textOf(row))
  }

  get text(): string {
    return this.lines.join("\n")
  }

  /** Another size, as terminals do that do not reflow: what is too much at the top goes to the scrollback. */
  resize(rows: number, columns: number): this {
    while (this.grid.length > rows) {
      if (this.row === 0) this.grid.pop()
      else this.scroll()
      if (this.row > 0) this.row--
    }
    while (this.grid.length < rows) this.grid.push([])
    this.rows = rows
    this.columns = columns
    this.grid = this.grid.slice(0, rows).map((row) => row.slice(0, columns))
    this.row = Math.min(this.row, rows - 1)
    this.column = Math.min(this.column, columns - 1)
    this.wrapPending = false
    return this
  }

  private step(text: string): number {
    const char = String.fromCodePoint(text.codePointAt(0)!)
    if (char === "\u001b") return this.escape(text)
    if (char === "\r") [this.column, this.wrapPending] = [0, false]
    else if (char === "\n") this.lineFeed()
    else if (char === "\b") this.column = Math.max(0, this.column - 1)
    else if (char === "\u0007") this.bells++
    else if (char < " " || (char >= "\u007f" && char <= "\u009f")) this.unknown.push(JSON.stringify(char))
    else this.put(char)
    return char.length
  }

  private put(char: string): void {
    const before = this.cellBefore()
    if (before !== undefined && (joins.test(char) || before.text.endsWith("\u200d"))) {
      before.text += char
      return
    }
    const width = wide.test(char) ? 2 : 1
    if (this.wrapPending && this.wraps) {
      this.column = 0
      this.lineFeed()
    }
    this.wrapPending = false
    if (this.column + width > this.columns) this.column = Math.max(0, this.columns - width)
    const row = this.grid[this.row]!
    row[this.column] = { text: char, width }
    if (width === 2) row[this.column + 1] = undefined
    this.column += width
    if (this.column >= this.columns) {
      this.column = this.columns - 1
      this.wrapPending = true
    }
  }

  private cellBefore(): Cell | undefined {
    const row = this.grid[this.row]!
    const last = this.wrapPending ? this.column : this.column - 1
    return row[last] ?? (last > 0 && row[last - 1]?.width === 2 ? row[last - 1] : undefined)
  }

  private lineFeed(): void {
    this.wrapPending = false
    if (this.row < this.rows - 1) this.row++
    else this.scroll()
  }

  private scroll(): void {
    this.scrollback.push(textOf(this.grid.shift()!))
    this.grid.push([])
  }

  private escape(text: string): number {
    // eslint-disable-next-line no-control-regex
    const found = /^\u001b\[(\??)([0-9;]*)([A-Za-z])/.exec(text)
    if (found === null) {
      if (text.length < 16) return 0
      this.unknown.push(JSON.stringify(text.slice(0, 8)))
      return 1
    }
    const [all, isPrivate, numbers, last] = found
    const [first = 0, second = 0] = numbers!.split(";").map(Number)
    if (isPrivate === "?") this.mode(first, last!)
    else this.control(last!, first, second, all)
    return all.length
  }

  private mode(number: number, last: string): void {
    if (number === 25) this.cursorVisible = last === "h"
    else if (number === 7) this.wraps = last === "h"
    else if (number === 2004) this.bracketedPaste = last === "h"
    else this.unknown.push(`?${number}${last}`)
  }

  private control(last: string, first: number, second: number, all: string): void {
    if (last === "m") return
    this.wrapPending = false
    if (last === "H") {
      this.row = Math.min(Math.max(first, 1), this.rows) - 1
      this.column = Math.min(Math.max(second, 1), this.columns) - 1
    } else if (last === "J" && first === 0) {
      this.grid[this.row]!.splice(this.column)
      for (let row = this.row + 1; row < this.rows; row++) this.grid[row] = []
    } else if (last === "K" && first === 0) this.grid[this.row]!.splice(this.column)
    else this.unknown.push(JSON.stringify(all))
  }
}

const textOf = (row: Row): string => {
  let text = ""
  for (let column = 0; column < row.length; column++) {
    const cell = row[column]
    if (cell !== undefined) text += cell.text
    else if (row[column - 1]?.width !== 2) text += " "
  }
  return text.trimEnd()
}
