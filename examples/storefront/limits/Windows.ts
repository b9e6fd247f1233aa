/** Counts what each client has asked for: so many requests in a window of time, which begins with its first one. */
import type { Redis } from "effect/persistence"
import { Effect } from "effect"

export interface Taken {
  /** With this one. */
  readonly count: number
  /** Until the window ends, and the client may begin again. */
  readonly restMillis: number
}

/** In the memory of this process. */
export class MemoryWindows {
  /** All windows have the same length, so the map is also in the order in which they end. */
  readonly #windows = new Map<string, { count: number; readonly until: number }>()
  readonly #millis: number
  readonly #capacity: number

  constructor(millis: number, capacity: number) {
    this.#millis = millis
    this.#capacity = capacity
  }

  get size(): number {
    return this.#windows.size
  }

  take(client: string, now: number): Taken {
    this.#forgetEnded(now)
    const window = this.#windows.get(client)
    if (window !== undefined) return { count: ++window.count, restMillis: window.until - now }
    // So many clients are no clients: somebody has many addresses. Those that came first are forgotten.
    if (this.#windows.size >= this.#capacity) this.#windows.delete(this.#windows.keys().next().value!)
    this.#windows.set(client, { count: 1, until: now + this.#millis })
    return { count: 1, restMillis: this.#millis }
  }

  #forgetEnded(now: number): void {
    for (const [client, { until }] of this.#windows) {
      if (until > now) return
      this.#windows.delete(client)
    }
  }
}

/** In Redis, for all processes together: a key for each client, which Redis removes when its window ends. */
export const makeRedisWindows = async (prefix: string, millis: number): Promise<(client: string) => (redis: Redis.Redis["Service"]) => Effect.Effect<Taken, Redis.RedisError>> => {
  const { Redis } = await import("effect/persistence")
  const take = Redis.script((key: string) => [key, millis], {
    numberOfKeys: 1,
    lua: `local count = redis.call("INCR", KEYS[1])
      if count == 1 then redis.call("PEXPIRE", KEYS[1], ARGV[1]) end
      return {count, redis.call("PTTL", KEYS[1])}`
  }).withReturnType<readonly [number, number]>()
  return (client) => (redis) => Effect.map(redis.eval(take)(prefix + client), ([count, restMillis]) => ({ count, restMillis: Math.max(restMillis, 1) }))
}
