/** How frames become bytes and bytes frames, and the streams that the bytes come from and go to. */
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Result from "effect/Result"

/**
 * Where bytes come from: any `ByteStream`, or whatever has this one member.
 *
 * @since 0.1.0
 */
export interface Source<out E> {
  /** The next bytes; `None` at the end. Bytes that it has given and that then were not taken are lost, so it must give none to somebody who is cancelled. */
  readonly receive: Effect.Effect<Option.Option<Uint8Array>, E>
}

/**
 * Where bytes come from and go to: any `ByteStream`.
 *
 * @since 0.1.0
 */
export interface Duplex<out E> extends Source<E> {
  send(data: Uint8Array | string): Effect.Effect<void, E>
}

/**
 * What a decoder makes of the bytes it is shown.
 *
 * - `Frame`: the first `taken` bytes were a frame
 * - `More`: there is no whole frame yet; it need not be asked again before there
 *   are `atLeast` bytes
 * - `Skip`: the first `taken` bytes are part of no frame, and it goes on behind them
 * - `Failed`: the reader is told. With `taken`, the next frame begins behind so
 *   many bytes; without, what follows means nothing, and the reader ends with this
 *   error for good
 *
 * @since 0.1.0
 */
export type Decoded<A, E> =
  | { readonly _tag: "Frame"; readonly frame: A; readonly taken: number }
  | { readonly _tag: "More"; readonly atLeast?: number }
  | { readonly _tag: "Skip"; readonly taken: number }
  | { readonly _tag: "Failed"; readonly error: E; readonly taken?: number }

/**
 * Finds the frames of one stream.
 *
 * @since 0.1.0
 */
export interface Decoder<out A, out E> {
  /**
   * Looks at all bytes that have come and were not taken, at least one. When
   * `ended`, no others will come: `More` then means that the stream was cut in the
   * middle of a frame, which the reader reports as `Broken`.
   *
   * A frame may be a view of `bytes`: they are not written to again.
   */
  decode(bytes: Uint8Array, ended: boolean): Decoded<A, E>
}

/**
 * How frames become bytes, and bytes frames. `SE` is what encoding may fail with.
 *
 * @since 0.1.0
 */
export interface Codec<in out A, out E = never, out SE = E> {
  /** A decoder for one stream, named `from` in its errors. It may remember what it has seen. */
  decoder(from: string): Decoder<A, E>
  /** The bytes of a frame, with all that marks its bounds. */
  encode(frame: A): Result.Result<Uint8Array | string, SE>
}
