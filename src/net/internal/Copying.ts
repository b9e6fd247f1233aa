/**
 * Bytes that go from one stream to another without waking anybody for each piece.
 *
 * A task that receives and sends in a loop is resumed for every piece, which is a tenth
 * to a quarter of the price of a small one. Here it waits once: what comes is sent in
 * the step that would have woken it, and it is woken when the other side does not keep
 * up, when a send is refused, and at the end.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { AnyEffect, AnyExit } from "../../core/internal/Block.ts"
import { overOf, type Store, type Take } from "./Takes.ts"

/** What a stream is asked for by those who copy out of it. */
export const taking: unique symbol = Symbol("effect-nursery/taking")
/** What a stream is asked for by those who copy into it. */
export const sendingNow: unique symbol = Symbol("effect-nursery/sendingNow")

/** A stream whose bytes can be taken in the step in which they come. */
export interface Origin {
  [taking](take: Take): AnyEffect
}

/** A stream that sends at once what it can. */
export interface Target {
  /** `Exit.void` when all is sent; otherwise what sends the rest, or says why it cannot. */
  [sendingNow](data: Uint8Array): AnyEffect
}

const finished: AnyExit = Exit.succeed(Effect.void)

/** Sends what comes. What it takes is an effect that must be run before it goes on. */
class Forward implements Take {
  readonly want = 1
  private readonly to: Target
  bytes = 0
  isOver = false

  constructor(to: Target) {
    this.to = to
  }

  from(store: Store): AnyExit | undefined {
    while (store.size > 0) {
      const data = store.shift()
      this.bytes += data.length
      const rest = this.to[sendingNow](data)
      if (rest !== Exit.void) return Exit.succeed(rest)
    }
    const over = overOf(store, finished)
    this.isOver = over !== undefined
    return over
  }
}

/** Sends to `to` what comes from `from`, until its end. The number of bytes; it fails as the streams do. */
export const forward = (from: Origin, to: Target): Effect.Effect<number, any> =>
  Effect.suspend(() => {
    const take = new Forward(to)
    const some = Effect.flatten(from[taking](take) as Effect.Effect<AnyEffect, any>)
    const goOn: Effect.Effect<number, any> = Effect.flatMap(some, () => take.isOver ? Effect.succeed(take.bytes) : goOn)
    return goOn
  })

export const isOrigin = (stream: object): stream is Origin => taking in stream
export const isTarget = (stream: object): stream is Target => sendingNow in stream
