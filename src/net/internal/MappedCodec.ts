/** The frames of another codec, as something else. */
import * as Result from "effect/Result"
import type { Codec, Decoded, Decoder } from "./Codec.ts"

export interface FrameMap<in out A, in out B, out E, out SE> {
  readonly decode: (frame: A) => Result.Result<B, E>
  readonly encode: (frame: B) => Result.Result<A, SE>
}

class MappedDecoder<A, E, B, E2> implements Decoder<B, E | E2> {
  private readonly inner: Decoder<A, E>
  private readonly map: Pick<FrameMap<A, B, E2, unknown>, "decode">

  constructor(inner: Decoder<A, E>, map: Pick<FrameMap<A, B, E2, unknown>, "decode">) {
    this.inner = inner
    this.map = map
  }

  decode(bytes: Uint8Array, ended: boolean): Decoded<B, E | E2> {
    const decoded = this.inner.decode(bytes, ended)
    if (decoded._tag !== "Frame") return decoded
    const { taken } = decoded
    const mapped = this.map.decode(decoded.frame)
    return Result.isSuccess(mapped)
      ? { _tag: "Frame", frame: mapped.success, taken }
      : { _tag: "Failed", error: mapped.failure, taken }
  }
}

export class MappedCodec<A, E, SE, B, E2, SE2> implements Codec<B, E | E2, SE | SE2> {
  private readonly inner: Codec<A, E, SE>
  private readonly map: FrameMap<A, B, E2, SE2>

  constructor(inner: Codec<A, E, SE>, map: FrameMap<A, B, E2, SE2>) {
    this.inner = inner
    this.map = map
  }

  decoder(from: string): Decoder<B, E | E2> {
    return new MappedDecoder(this.inner.decoder(from), this.map)
  }

  encode(frame: B): Result.Result<Uint8Array | string, SE | SE2> {
    const mapped = this.map.encode(frame)
    return Result.isSuccess(mapped) ? this.inner.encode(mapped.success) : Result.fail(mapped.failure)
  }
}
