/**
 * Deadlines that are all equally long, such as sixty seconds of silence: whoever was heard of longest ago is due first.
 * So they need no timer each, only one task that sleeps until the first one is due.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

export class Deadlines<K> {
  readonly millis: number
  private readonly clock: Clock.Clock
  /** When each is due, in this order. */
  private readonly due = new Map<K, number>()
  private wake: (() => void) | undefined

  constructor(limit: Duration.Duration, clock: Clock.Clock) {
    this.millis = Duration.toMillis(limit)
    this.clock = clock
  }

  private get now(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe()) / 1e6
  }

  /** Starts a deadline, or starts it anew. */
  start(key: K): void {
    this.due.delete(key)
    this.due.set(key, this.now + this.millis)
    this.wake?.()
  }

  /** Takes it away; tells whether it was there. */
  stop(key: K): boolean {
    return this.due.delete(key)
  }

  private readonly untilOne = Effect.callback<void>((resume) => {
    if (this.due.size > 0) return resume(Effect.void)
    this.wake = () => {
      this.wake = undefined
      resume(Effect.void)
    }
    return Effect.sync(() => {
      this.wake = undefined
    })
  })

  /** How long until the first one is due. */
  private get wait(): Duration.Duration {
    for (const at of this.due.values()) return Duration.millis(Math.max(0, at - this.now))
    return Duration.zero
  }

  private takeDue(): Array<K> {
    const keys: Array<K> = []
    const { now } = this
    for (const [key, at] of this.due) {
      if (at > now) break
      this.due.delete(key)
      keys.push(key)
    }
    return keys
  }

  /** The task that tells who is due, for ever. */
  run(expire: (key: K) => Effect.Effect<void>): Effect.Effect<never> {
    return this.untilOne.pipe(
      Effect.andThen(Effect.suspend(() => Effect.sleep(this.wait))),
      Effect.andThen(Effect.suspend(() => Effect.forEach(this.takeDue(), expire, { discard: true }))),
      Effect.forever({ disableYield: true })
    )
  }
}
