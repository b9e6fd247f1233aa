/**
 * Bytes to lines: all complete lines of a chunk in one step. Lines end in LF or CRLF. What is wrong with a line concerns
 * this line alone: the next one is read as if nothing had been.
 */
import { isUtf8 } from "node:buffer"

/** A line that cannot be used. */
export interface Flaw {
  readonly _tag: "Flaw"
  readonly reason: "too-long" | "utf8"
  /** How it begins, so that it can be told which one it was. */
  readonly head: string
}

const newline = 10
const carriageReturn = 13
/** As much as a command with an id may take before its text. */
const headBytes = 72
const none: ReadonlyArray<never> = []

export class LineReader {
  private readonly maxBytes: number
  /** A line that has begun. */
  private rest: Buffer | undefined
  /** It is too long already: only its beginning is kept. */
  private isSkipping = false

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }

  /** Takes in what has come, and gives the lines that are complete. */
  read(chunk: Uint8Array): ReadonlyArray<string | Flaw> {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    const end = bytes.lastIndexOf(newline)
    if (end === -1) {
      this.begin(bytes)
      return none
    }
    const lines = this.linesOf(bytes.subarray(0, end))
    if (end + 1 < bytes.length) this.begin(bytes.subarray(end + 1))
    return lines
  }

  private begin(bytes: Buffer): void {
    if (this.isSkipping) return
    // A copy, unless it is all there is: a few bytes must not keep a large chunk.
    this.rest = this.rest === undefined ? Buffer.from(bytes) : Buffer.concat([this.rest, bytes])
    // One byte more may be a carriage return.
    if (this.rest.length <= this.maxBytes + 1) return
    this.isSkipping = true
    this.rest = Buffer.from(this.rest.subarray(0, headBytes))
  }

  /** Whole lines, without the last newline. */
  private linesOf(bytes: Buffer): ReadonlyArray<string | Flaw> {
    const { isSkipping, rest } = this
    this.rest = undefined
    this.isSkipping = false
    if (isSkipping) {
      const end = bytes.indexOf(newline)
      const flaw = flawOf("too-long", rest!)
      return end === -1 ? [flaw] : [flaw, ...this.split(bytes.subarray(end + 1))]
    }
    return this.split(rest === undefined ? bytes : Buffer.concat([rest, bytes]))
  }

  private split(bytes: Buffer): ReadonlyArray<string | Flaw> {
    // Mostly nothing is wrong, and all lines can be decoded at once.
    if (isUtf8(bytes)) {
      const text = bytes.toString("utf8")
      const lines = text.includes("\r") ? text.split("\n").map(withoutReturn) : text.split("\n")
      if (bytes.length <= this.maxBytes || lines.every((line) => Buffer.byteLength(line) <= this.maxBytes)) return lines
    }
    const lines: Array<string | Flaw> = []
    for (let from = 0; from <= bytes.length;) {
      const at = bytes.indexOf(newline, from)
      const end = at === -1 ? bytes.length : at
      lines.push(this.lineOf(bytes.subarray(from, end)))
      from = end + 1
    }
    return lines
  }

  private lineOf(bytes: Buffer): string | Flaw {
    const line = bytes.length > 0 && bytes[bytes.length - 1] === carriageReturn ? bytes.subarray(0, -1) : bytes
    if (line.length > this.maxBytes) return flawOf("too-long", line)
    return isUtf8(line) ? line.toString("utf8") : flawOf("utf8", line)
  }
}

const withoutReturn = (line: string): string => line.endsWith("\r") ? line.slice(0, -1) : line

const flawOf = (reason: Flaw["reason"], line: Buffer): Flaw => ({ _tag: "Flaw", reason, head: line.subarray(0, headBytes).toString("utf8") })
