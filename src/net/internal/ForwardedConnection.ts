/** A connection that does what another one does: the base of those that differ from it in something. */
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Stream from "effect/Stream"
import type { TooLong } from "../../core/Errors.ts"
import type { StreamError } from "../ByteStream.ts"
import type { Address } from "./Address.ts"
import type { Connection } from "./Transport.ts"

export class ForwardedConnection<A extends Address = Address> implements Connection<A> {
  protected readonly inner: Connection<A>

  constructor(inner: Connection<A>) {
    this.inner = inner
  }

  get peer(): A {
    return this.inner.peer
  }
  get local(): A {
    return this.inner.local
  }
  get bytesReceived(): number {
    return this.inner.bytesReceived
  }
  get bytesSent(): number {
    return this.inner.bytesSent
  }

  get receive(): Effect.Effect<Option.Option<Uint8Array>, StreamError> {
    return this.inner.receive
  }
  receiveExactly(bytes: number): Effect.Effect<Option.Option<Uint8Array>, StreamError> {
    return this.inner.receiveExactly(bytes)
  }
  receiveUntil(
    delimiter: string | Uint8Array,
    options?: { readonly maxBytes?: number }
  ): Effect.Effect<Option.Option<Uint8Array>, StreamError | TooLong> {
    return this.inner.receiveUntil(delimiter, options)
  }
  get chunks(): Stream.Stream<Uint8Array, StreamError> {
    return this.inner.chunks
  }
  get lines(): Stream.Stream<string, StreamError | TooLong> {
    return this.inner.lines
  }
  get endInput(): Effect.Effect<void> {
    return this.inner.endInput
  }

  send(data: Uint8Array | string): Effect.Effect<void, StreamError> {
    return this.inner.send(data)
  }
  offerUnsafe(data: Uint8Array | string): number | undefined {
    return this.inner.offerUnsafe(data)
  }
  get sendEof(): Effect.Effect<void, StreamError> {
    return this.inner.sendEof
  }

  get close(): Effect.Effect<void> {
    return this.inner.close
  }
  get abort(): Effect.Effect<void> {
    return this.inner.abort
  }
}
