/** Lines of UTF-8 text. */
import * as Result from "effect/Result"
import * as Errors from "../../core/Errors.ts"
import type { Codec, Decoded, Decoder } from "./Codec.ts"
import { Malformed } from "./Malformed.ts"

const newline = 10
const carriageReturn = 13

export interface LineRules {
  readonly maxBytes: number
  /** A `\r` without `\n` ends a line, too. */
  readonly universal: boolean
  readonly refusesInvalid: boolean
  readonly keepsUnfinished: boolean
  readonly newline: "\n" | "\r\n"
}

// A byte order mark is text like any other: taking it away is not the framing's business.
const replacing = new TextDecoder("utf-8", { ignoreBOM: true })
const refusing = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true })

class LineDecoder implements Decoder<string, Errors.TooLong | Malformed> {
  private readonly what: string
  private readonly rules: LineRules
  /** Bytes at the front in which no line ends. */
  private searched = 0
  /** The line was too long; what is left of it is thrown away. */
  private skipping = false
  /** A lone `\r` has ended a line. If a `\n` follows, it belongs to it. */
  private afterReturn = false

  constructor(from: string, rules: LineRules) {
    this.what = `a line from ${from}`
    this.rules = rules
  }

  decode(bytes: Uint8Array, ended: boolean): Decoded<string, Errors.TooLong | Malformed> {
    if (this.afterReturn) {
      this.afterReturn = false
      if (bytes[0] === newline) return { _tag: "Skip", taken: 1 }
    }
    const end = this.endOf(bytes)
    if (end >= 0) {
      this.searched = 0
      this.afterReturn = bytes[end] === carriageReturn
      // Where a lone `\r` ends a line, there is none before an end.
      const length = end > 0 && bytes[end - 1] === carriageReturn ? end - 1 : end
      return this.lineOf(bytes, length, end + 1)
    }
    if (this.skipping) return { _tag: "Skip", taken: bytes.length }
    // A `\r` at the end may belong to the end of the line.
    const known = !this.rules.universal && !ended && bytes[bytes.length - 1] === carriageReturn ? bytes.length - 1 : bytes.length
    if (known > this.rules.maxBytes) {
      this.skipping = true
      this.searched = 0
      return this.tooLong(bytes.length)
    }
    if (ended && this.rules.keepsUnfinished) return this.lineOf(bytes, bytes.length, bytes.length)
    this.searched = bytes.length
    return { _tag: "More" }
  }

  private endOf(bytes: Uint8Array): number {
    if (!this.rules.universal) return bytes.indexOf(newline, this.searched)
    for (let i = this.searched; i < bytes.length; i++) {
      if (bytes[i] === newline || bytes[i] === carriageReturn) return i
    }
    return -1
  }

  private lineOf(bytes: Uint8Array, length: number, taken: number): Decoded<string, Errors.TooLong | Malformed> {
    if (this.skipping) {
      this.skipping = false
      return { _tag: "Skip", taken }
    }
    if (length > this.rules.maxBytes) return this.tooLong(taken)
    const text = bytes.subarray(0, length)
    if (!this.rules.refusesInvalid) return { _tag: "Frame", frame: replacing.decode(text), taken }
    try {
      return { _tag: "Frame", frame: refusing.decode(text), taken }
    } catch {
      return { _tag: "Failed", error: new Malformed({ what: this.what, reason: "it is not UTF-8" }), taken }
    }
  }

  private tooLong(taken: number): Decoded<never, Errors.TooLong> {
    return { _tag: "Failed", error: new Errors.TooLong({ what: this.what, limit: this.rules.maxBytes }), taken }
  }
}

export class LineCodec implements Codec<string, Errors.TooLong | Malformed, Malformed> {
  private readonly rules: LineRules

  constructor(rules: LineRules) {
    this.rules = rules
  }

  decoder(from: string): Decoder<string, Errors.TooLong | Malformed> {
    return new LineDecoder(from, this.rules)
  }

  encode(line: string): Result.Result<string, Malformed> {
    // Sent as it is, it would arrive as two: with somebody else's words in it, as a message that nobody wrote.
    if (line.includes("\n") || line.includes("\r")) {
      return Result.fail(new Malformed({ what: "a line to send", reason: `it has the end of a line in it: ${JSON.stringify(line)}` }))
    }
    return Result.succeed(line + this.rules.newline)
  }
}
