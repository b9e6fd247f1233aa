/** Takes chunks from a source and gives frames, one when one is asked for. */
import type * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as Errors from "../../core/Errors.ts"
import { isAboutToPause } from "../../core/internal/Pauses.ts"
import type { Codec, Decoder, Duplex, Source } from "./Codec.ts"
import { FrameBuffer } from "./FrameBuffer.ts"

type AnyFiber = Fiber.Fiber<any, any>

const noMore = Exit.succeed(Option.none<never>())

export class FrameReader<A, E, CE> {
  readonly next: Effect.Effect<Option.Option<A>, E | CE | Errors.Broken>
  private readonly label: string
  private readonly codec: Codec<A, CE, any>
  private readonly buffer = new FrameBuffer()
  private readonly more: Effect.Effect<Option.Option<A>, E | CE | Errors.Broken>
  private decoder: Decoder<A, CE>
  /** How many bytes there must be before it is worth asking the decoder. */
  private needed = 1
  private ended = false
  /** What every further `next` ends with: the bytes that follow mean nothing. */
  private lost: Exit.Exit<never, CE> | undefined = undefined

  constructor(source: Source<E>, codec: Codec<A, CE, any>, label: string) {
    this.label = label
    this.codec = codec
    this.decoder = codec.decoder(label)
    this.next = Effect.withFiber((fiber) => this.nextIn(fiber))
    this.more = Effect.flatMap(source.receive, (chunk) => {
      if (Option.isNone(chunk)) this.ended = true
      else this.buffer.push(chunk.value)
      return this.nextIn(Fiber.getCurrent())
    })
  }

  private nextIn(fiber: AnyFiber | undefined): Effect.Effect<Option.Option<A>, E | CE | Errors.Broken> {
    if (this.lost !== undefined) return this.lost
    const { buffer } = this
    while (buffer.length >= this.needed || (this.ended && buffer.length > 0)) {
      // A frame that is taken out of the buffer must reach the caller.
      if (fiber !== undefined && isAboutToPause(fiber)) return Effect.flatMap(Effect.yieldNow, () => this.nextIn(undefined))
      const decoded = this.decoder.decode(buffer.view, this.ended)
      this.needed = 1
      switch (decoded._tag) {
        case "Frame":
          buffer.drop(decoded.taken)
          return Exit.succeed(Option.some(decoded.frame))
        case "Failed":
          if (decoded.taken === undefined) return this.lost = Exit.fail(decoded.error)
          buffer.drop(decoded.taken)
          return Exit.fail(decoded.error)
        case "Skip":
          // It would be asked the same for ever.
          if (decoded.taken === 0) throw new RangeError("Expected a decoder to skip at least 1 byte, got 0; say `More` when there is nothing to skip")
          buffer.drop(decoded.taken)
          break
        case "More":
          if (this.ended) return this.cutShort
          this.needed = Math.max(decoded.atLeast ?? 0, buffer.length + 1)
      }
    }
    return this.ended ? noMore : this.more
  }

  private get cutShort(): Exit.Exit<never, Errors.Broken> {
    const cause = new Error(`the peer sent its end in the middle of a frame, after ${this.buffer.length} bytes of it`)
    return Exit.fail(new Errors.Broken({ what: this.label, cause }))
  }

  // One frame at a time: who leaves the stream finds the next one where it was.
  get stream(): Stream.Stream<A, E | CE | Errors.Broken> {
    const pull = Effect.flatMap(
      this.next,
      (frame): Effect.Effect<Arr.NonEmptyReadonlyArray<A>, Cause.Done> => Option.isNone(frame) ? Cause.done() : Exit.succeed([frame.value])
    )
    return Stream.fromPull(Effect.succeed(pull))
  }

  readonly leftover: Effect.Effect<Uint8Array> = Effect.withFiber((fiber) => this.leftoverIn(fiber))

  private leftoverIn(fiber: AnyFiber | undefined): Effect.Effect<Uint8Array> {
    if (fiber !== undefined && isAboutToPause(fiber)) return Effect.flatMap(Effect.yieldNow, () => this.leftoverIn(undefined))
    const bytes = this.buffer.view
    this.buffer.clear()
    this.needed = 1
    this.decoder = this.codec.decoder(this.label)
    return Exit.succeed(bytes)
  }
}

export class FramedStream<A, E, CE, SE> extends FrameReader<A, E, CE> {
  private readonly duplex: Duplex<E>
  private readonly encoder: Codec<A, CE, SE>

  constructor(duplex: Duplex<E>, codec: Codec<A, CE, SE>, label: string) {
    super(duplex, codec, label)
    this.duplex = duplex
    this.encoder = codec
  }

  send(frame: A): Effect.Effect<void, E | SE> {
    return Effect.suspend((): Effect.Effect<void, E | SE> => {
      const encoded = this.encoder.encode(frame)
      return Result.isSuccess(encoded) ? this.duplex.send(encoded.success) : Exit.fail(encoded.failure)
    })
  }
}

/** How a stream calls itself, such as `tcp 127.0.0.1:5000`. */
export const labelOfStream = (stream: Source<unknown>): string => {
  const { label } = stream as { readonly label?: unknown }
  return typeof label === "string" ? label : "a stream"
}
