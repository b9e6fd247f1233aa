/** Where kept values are: in memory, or in Redis. */
import type { Duration, Effect } from "effect"

export interface CacheStore {
  /**
   * The value of a key. When there is none, whoever has asked may fill it in, and shows the same token then: a removal in
   * between makes the token worthless, so that an old value is never filled in after it was removed.
   */
  readonly read: (key: string, token: string) => Effect.Effect<string | undefined>
  readonly fill: (key: string, token: string, value: string, timeToLive: Duration.Duration) => Effect.Effect<void>
  readonly remove: (key: string) => Effect.Effect<void>
}
