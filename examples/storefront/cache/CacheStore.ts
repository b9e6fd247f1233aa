/** Where kept values are: in memory, or in Redis. */
import type { Duration, Effect } from "effect"

/** The right to fill a value in, of whoever has asked for it and got none. */
export interface Token {
  readonly id: string
  /** The value was removed in this process since. Looked at in the step that fills it in, and not before. */
  readonly stale: boolean
}

export interface CacheStore {
  /**
   * The value of a key. When there is none, whoever has asked may fill it in, and shows the same token then: a removal in
   * between makes the token worthless, so that an old value is never filled in after it was removed.
   */
  readonly read: (key: string, token: Token) => Effect.Effect<string | undefined>
  readonly fill: (key: string, token: Token, value: string, timeToLive: Duration.Duration) => Effect.Effect<void>
  readonly remove: (key: string) => Effect.Effect<void>
}
