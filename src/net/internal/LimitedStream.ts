/** A connection whose sends have a time limit, and into which heartbeats go when the peer is silent. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Errors from "../../core/Errors.ts"
import { type AnyEffect, open } from "../../core/internal/Block.ts"
import type { ScopeBlock, Shape } from "../../core/internal/ScopeBlock.ts"
import { waitIn, WaitQueue } from "../../core/internal/Wait.ts"
import type { StreamError } from "../ByteStream.ts"
import { ForwardedConnection } from "./ForwardedConnection.ts"
import { labelOfStream } from "./FrameReader.ts"
import { ProgressScope } from "./ProgressScope.ts"
import type { Connection } from "./Transport.ts"

/** A limit that has passed is the error `TooSlow`. */
export const tooSlow: Shape = {
  kind: "timeout",
  value: (exit) => exit,
  caught: (scope: ScopeBlock) => Exit.fail(new Errors.TooSlow({ scope: scope.name, after: Duration.millis(scope.limit) }))
}

/** Of a limit of 20 seconds it may take 5 more until it is found out. */
export const looksPerLimit = 4

type Sending = "nobody" | "handler" | "heartbeat"

export class LimitedStream extends ForwardedConnection {
  private readonly writeMillis: number
  private sending: Sending = "nobody"
  private readonly free = new WaitQueue()
  /** Why the time limit ended it. */
  private slow: Errors.Broken | undefined = undefined

  constructor(inner: Connection, writeMillis: number) {
    super(inner)
    this.writeMillis = writeMillis
  }

  /** As what it stands for calls itself, in errors and in waits. */
  get label(): string {
    return labelOfStream(this.inner)
  }

  // Whoever receives when the time limit of a send ends the stream is told why.
  private readonly because = <E>(error: E): E | Errors.Broken => this.slow ?? error

  override get receive(): Effect.Effect<Option.Option<Uint8Array>, StreamError> {
    return Effect.mapError(this.inner.receive, this.because)
  }
  override receiveExactly(bytes: number): Effect.Effect<Option.Option<Uint8Array>, StreamError> {
    return Effect.mapError(this.inner.receiveExactly(bytes), this.because)
  }
  override receiveUntil(
    delimiter: string | Uint8Array,
    options?: { readonly maxBytes?: number }
  ): Effect.Effect<Option.Option<Uint8Array>, StreamError | Errors.TooLong> {
    return Effect.mapError(this.inner.receiveUntil(delimiter, options), this.because)
  }
  override get chunks(): Stream.Stream<Uint8Array, StreamError> {
    return Stream.mapError(this.inner.chunks, this.because)
  }
  override get lines(): Stream.Stream<string, StreamError | Errors.TooLong> {
    return Stream.mapError(this.inner.lines, this.because)
  }

  override send(data: Uint8Array | string): Effect.Effect<void, StreamError> {
    return this.exclusively(this.limited(this.inner.send(data)))
  }

  override get sendEof(): Effect.Effect<void, StreamError> {
    return this.exclusively(this.limited(this.inner.sendEof))
  }

  // The handler's own second send is the inner stream's business: that one says `Busy`.
  private exclusively<A, E>(self: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.suspend(() => {
      if (this.sending === "handler") return self
      if (this.sending === "nobody") return this.as("handler", self)
      // Looked at again by whoever goes on: a heartbeat may have been faster.
      const ready = () => this.sending === "nobody" ? Exit.void : undefined
      return Effect.andThen(waitIn(this.free, "waiting for a heartbeat to", this, undefined, ready), this.exclusively(self))
    })
  }

  private as<A, E>(who: Sending, self: Effect.Effect<A, E>): Effect.Effect<A, E> {
    this.sending = who
    return Effect.ensuring(self, Effect.sync(() => {
      this.sending = "nobody"
      this.free.wakeAll(Exit.void)
    }))
  }

  private limited<A>(self: Effect.Effect<A, StreamError>): Effect.Effect<A, StreamError> {
    if (this.writeMillis === Infinity) return self
    const { inner, writeMillis } = this
    const progress = { now: () => inner.bytesSent }
    const body = () => self as AnyEffect
    const scope = open(() => new ProgressScope(tooSlow, "write", body, writeMillis, writeMillis / looksPerLimit, progress)) as Effect.Effect<
      A,
      StreamError | Errors.TooSlow
    >
    return Effect.catchTag(scope, "TooSlow", (cause) => {
      this.slow = new Errors.Broken({ what: this.label, cause })
      return Effect.andThen(inner.abort, Effect.fail(this.slow))
    })
  }

  /** Sends a heartbeat, unless something is being sent anyway. */
  beat(message: string | Uint8Array): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.sending === "nobody" ? Effect.ignore(this.as("heartbeat", this.limited(this.inner.send(message)))) : Effect.void
    )
  }
}
