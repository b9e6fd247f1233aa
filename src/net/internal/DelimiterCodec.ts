/** Frames that end with certain bytes. */
import * as Result from "effect/Result"
import * as Errors from "../../core/Errors.ts"
import type { Codec, Decoded, Decoder } from "./Codec.ts"
import { Malformed } from "./Malformed.ts"

export interface DelimiterRules {
  readonly delimiter: Uint8Array
  readonly maxBytes: number
  readonly keepsUnfinished: boolean
}

/** Where `delimiter` begins in `bytes`, at `from` or behind; -1 when it does not. */
export const indexOfBytes = (bytes: Uint8Array, delimiter: Uint8Array, from: number): number => {
  const first = delimiter[0]!
  for (let at = bytes.indexOf(first, from); at >= 0; at = bytes.indexOf(first, at + 1)) {
    if (at + delimiter.length > bytes.length) return -1
    let same = 1
    while (same < delimiter.length && bytes[at + same] === delimiter[same]) same++
    if (same === delimiter.length) return at
  }
  return -1
}

class DelimiterDecoder implements Decoder<Uint8Array, Errors.TooLong> {
  private readonly what: string
  private readonly rules: DelimiterRules
  /** No delimiter begins in so many bytes at the front. */
  private searched = 0
  private skipping = false

  constructor(from: string, rules: DelimiterRules) {
    this.what = `a frame from ${from}`
    this.rules = rules
  }

  decode(bytes: Uint8Array, ended: boolean): Decoded<Uint8Array, Errors.TooLong> {
    const { delimiter, keepsUnfinished, maxBytes } = this.rules
    const end = indexOfBytes(bytes, delimiter, this.searched)
    if (end >= 0) {
      this.searched = 0
      const taken = end + delimiter.length
      if (this.skipping) {
        this.skipping = false
        return { _tag: "Skip", taken }
      }
      return end > maxBytes ? this.tooLong(taken) : { _tag: "Frame", frame: bytes.subarray(0, end), taken }
    }
    // The last bytes may be the first ones of a delimiter.
    const known = ended ? bytes.length : Math.max(0, bytes.length - (delimiter.length - 1))
    if (this.skipping) {
      this.searched = 0
      return known === 0 ? { _tag: "More" } : { _tag: "Skip", taken: known }
    }
    if (known > maxBytes) {
      this.skipping = true
      this.searched = 0
      return this.tooLong(known)
    }
    if (ended && keepsUnfinished) return { _tag: "Frame", frame: bytes, taken: bytes.length }
    this.searched = known
    return { _tag: "More" }
  }

  private tooLong(taken: number): Decoded<never, Errors.TooLong> {
    return { _tag: "Failed", error: new Errors.TooLong({ what: this.what, limit: this.rules.maxBytes }), taken }
  }
}

export class DelimiterCodec implements Codec<Uint8Array, Errors.TooLong, Malformed> {
  private readonly rules: DelimiterRules

  constructor(rules: DelimiterRules) {
    this.rules = rules
  }

  decoder(from: string): Decoder<Uint8Array, Errors.TooLong> {
    return new DelimiterDecoder(from, this.rules)
  }

  encode(frame: Uint8Array): Result.Result<Uint8Array, Malformed> {
    const { delimiter } = this.rules
    const bytes = new Uint8Array(frame.length + delimiter.length)
    bytes.set(frame)
    bytes.set(delimiter, frame.length)
    // Searched with the delimiter behind it: the two together may spell one that begins earlier.
    if (indexOfBytes(bytes, delimiter, 0) < frame.length) {
      return Result.fail(new Malformed({ what: "a frame to send", reason: "its delimiter occurs in it" }))
    }
    return Result.succeed(bytes)
  }
}
