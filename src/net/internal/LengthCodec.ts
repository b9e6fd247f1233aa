/** Frames that say first how long they are. */
import * as Result from "effect/Result"
import * as Errors from "../../core/Errors.ts"
import type { Codec, Decoded, Decoder } from "./Codec.ts"

export interface LengthRules {
  readonly prefixBytes: 1 | 2 | 4 | 8
  readonly littleEndian: boolean
  readonly maxBytes: number
}

class LengthDecoder implements Decoder<Uint8Array, Errors.TooLong> {
  private readonly from: string
  private readonly rules: LengthRules

  constructor(from: string, rules: LengthRules) {
    this.from = from
    this.rules = rules
  }

  decode(bytes: Uint8Array): Decoded<Uint8Array, Errors.TooLong> {
    const { littleEndian, maxBytes, prefixBytes } = this.rules
    if (bytes.length < prefixBytes) return { _tag: "More", atLeast: prefixBytes }
    let length = 0
    for (let i = 0; i < prefixBytes; i++) length = length * 256 + bytes[littleEndian ? prefixBytes - 1 - i : i]!
    // Above 2^53 the number is no longer exact, and far above every limit.
    if (length > maxBytes) {
      // A peer that speaks another protocol looks like this: what follows is not worth reading.
      const what = `a frame of ${length} bytes from ${this.from}`
      return { _tag: "Failed", error: new Errors.TooLong({ what, limit: maxBytes }) }
    }
    const end = prefixBytes + length
    return bytes.length < end ? { _tag: "More", atLeast: end } : { _tag: "Frame", frame: bytes.subarray(prefixBytes, end), taken: end }
  }
}

export class LengthCodec implements Codec<Uint8Array, Errors.TooLong> {
  private readonly rules: LengthRules

  constructor(rules: LengthRules) {
    this.rules = rules
  }

  decoder(from: string): Decoder<Uint8Array, Errors.TooLong> {
    return new LengthDecoder(from, this.rules)
  }

  encode(frame: Uint8Array): Result.Result<Uint8Array, Errors.TooLong> {
    const { littleEndian, maxBytes, prefixBytes } = this.rules
    if (frame.length > maxBytes) {
      return Result.fail(new Errors.TooLong({ what: `a frame of ${frame.length} bytes to send`, limit: maxBytes }))
    }
    const bytes = new Uint8Array(prefixBytes + frame.length)
    let rest = frame.length
    for (let i = prefixBytes - 1; i >= 0; i--) {
      bytes[littleEndian ? prefixBytes - 1 - i : i] = rest % 256
      rest = Math.floor(rest / 256)
    }
    bytes.set(frame, prefixBytes)
    return Result.succeed(bytes)
  }
}
