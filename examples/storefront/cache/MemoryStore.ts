/** Kept values in the memory of this process. Those that were not used for longest make room for new ones. */
import { Clock, Duration, Effect } from "effect"
import type { CacheStore, Token } from "./CacheStore.ts"

interface Entry {
  readonly value: string
  /** In milliseconds of the clock. */
  readonly until: number
}

export class MemoryStore implements CacheStore {
  /** In the order of their last use. */
  readonly #entries = new Map<string, Entry>()
  readonly #capacity: number

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get size(): number {
    return this.#entries.size
  }

  readonly read = (key: string): Effect.Effect<string | undefined> =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      const entry = this.#entries.get(key)
      if (entry === undefined) return undefined
      this.#entries.delete(key)
      if (entry.until <= now) return undefined
      this.#entries.set(key, entry)
      return entry.value
    })

  readonly fill = (key: string, token: Token, value: string, timeToLive: Duration.Duration): Effect.Effect<void> =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      // All changes come through this process, so it knows of them.
      if (token.stale) return
      this.#entries.delete(key)
      this.#entries.set(key, { value, until: now + Duration.toMillis(timeToLive) })
      if (this.#entries.size > this.#capacity) this.#entries.delete(this.#entries.keys().next().value!)
    })

  readonly remove = (key: string): Effect.Effect<void> => Effect.sync(() => void this.#entries.delete(key))
}
