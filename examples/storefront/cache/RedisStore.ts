/**
 * Kept values in Redis, shared by all processes. While Redis is away, values are kept in memory, and only for a few seconds:
 * a process does not hear then what others change.
 */
import { Duration, Effect } from "effect"
import type { Redis } from "effect/persistence"
import type { CacheStore, Token } from "./CacheStore.ts"
import { MemoryStore } from "./MemoryStore.ts"
import type { RedisConnection } from "./RedisConnection.ts"

/** How old a value may be while Redis is away. */
const withoutRedis = Duration.seconds(5)

const capacityWithoutRedis = 1000

/** Who has asked, and got nothing, has so long to fill it in. Longer than a query may take. */
const tokenMillis = 60_000

/** Each of them is one step of Redis: nobody comes between what it reads and what it writes. */
interface Scripts {
  readonly read: (key: string, token: string) => (redis: Redis.Redis["Service"]) => Effect.Effect<string | null, Redis.RedisError>
  readonly fill: (key: string, token: string, value: string, millis: number) => (redis: Redis.Redis["Service"]) => Effect.Effect<void, Redis.RedisError>
}

const makeScripts = async (): Promise<Scripts> => {
  const { Redis } = await import("effect/persistence")
  const read = Redis.script((key: string, token: string) => [key, `${key}:token`, token, tokenMillis], {
    numberOfKeys: 2,
    lua: `local value = redis.call("GET", KEYS[1])
      if not value then redis.call("SET", KEYS[2], ARGV[1], "PX", ARGV[2]) end
      return value`
  }).withReturnType<string | null>()
  const fill = Redis.script((key: string, token: string, value: string, millis: number) => [key, `${key}:token`, token, value, millis], {
    numberOfKeys: 2,
    lua: `if redis.call("GET", KEYS[2]) == ARGV[1] then
        redis.call("SET", KEYS[1], ARGV[2], "PX", ARGV[3])
        redis.call("DEL", KEYS[2])
      end`
  })
  return {
    read: (key, token) => (redis) => redis.eval(read)(key, token),
    fill: (key, token, value, millis) => (redis) => redis.eval(fill)(key, token, value, millis)
  }
}

export const make = (connection: RedisConnection["Service"], prefix: string): Effect.Effect<CacheStore> =>
  Effect.map(Effect.promise(makeScripts), (scripts) => new RedisStore(connection, prefix, scripts))

class RedisStore implements CacheStore {
  readonly #connection: RedisConnection["Service"]
  readonly #prefix: string
  readonly #scripts: Scripts
  readonly #memory = new MemoryStore(capacityWithoutRedis)
  /** What could not be removed while Redis was away: no more than there are rows that have been changed meanwhile. */
  readonly #unremoved = new Set<string>()

  constructor(connection: RedisConnection["Service"], prefix: string, scripts: Scripts) {
    this.#connection = connection
    this.#prefix = prefix
    this.#scripts = scripts
  }

  readonly read = (key: string, token: Token): Effect.Effect<string | undefined> =>
    Effect.catch(
      Effect.map(this.#ask(this.#scripts.read(this.#prefix + key, token.id)), (value) => value ?? undefined),
      () => this.#memory.read(key)
    )

  readonly fill = (key: string, token: Token, value: string, timeToLive: Duration.Duration): Effect.Effect<void> =>
    Effect.catch(
      this.#ask(this.#scripts.fill(this.#prefix + key, token.id, value, Duration.toMillis(timeToLive))),
      () => this.#memory.fill(key, token, value, Duration.min(timeToLive, withoutRedis))
    )

  readonly remove = (key: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      // Added first: if this is cut in the middle, it is done with the next question.
      this.#unremoved.add(this.#prefix + key)
      return Effect.andThen(this.#memory.remove(key), Effect.ignore(this.#ask(() => Effect.void)))
    })

  /** Before anything else, what could not be removed is: nobody reads an old value after Redis has come back. */
  #ask<A>(use: (redis: Redis.Redis["Service"]) => Effect.Effect<A, Redis.RedisError>) {
    return this.#connection.ask((redis) => this.#unremoved.size === 0 ? use(redis) : Effect.andThen(this.#removeAll(redis), use(redis)))
  }

  #removeAll(redis: Redis.Redis["Service"]): Effect.Effect<void, Redis.RedisError> {
    return Effect.suspend(() => {
      const keys = [...this.#unremoved]
      return Effect.map(redis.send("UNLINK", ...keys.flatMap((key) => [key, `${key}:token`])), () => {
        for (const key of keys) this.#unremoved.delete(key)
      })
    })
  }
}
