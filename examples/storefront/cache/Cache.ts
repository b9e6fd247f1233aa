/**
 * The cache: values that are kept for a while, so that they need not be made again.
 *
 * When many ask for the same value at the same time and it is not there, one of them makes it and the others wait for that
 * one: a hundred questions are one query. If the client of that one goes away, the next of them takes over.
 */
import { Context, Duration, Effect, Layer, Metric, Option, Schema } from "effect"
import { Flight, Flights } from "../Flight.ts"
import { Settings } from "../Settings.ts"
import type { CacheStore, Token } from "./CacheStore.ts"
import { MemoryStore } from "./MemoryStore.ts"
import { RedisConnection } from "./RedisConnection.ts"
import * as RedisStore from "./RedisStore.ts"

/** Values in memory, at most. */
const capacity = 10_000

/** A value that is being read or made. */
class Filling extends Flight<any, any> implements Token {
  readonly id: string
  /** It was removed meanwhile: those who wait get the value that they have asked for, but it is not kept. */
  stale = false

  constructor(id: string) {
    super()
    this.id = id
  }
}

const asked = Metric.counter("storefront_cache_reads_total", { description: "Reads of the cache, by whether the value was there.", incremental: true })
const hits = Metric.withAttributes(asked, { result: "hit" })
const misses = Metric.withAttributes(asked, { result: "miss" })

export class CacheOf {
  readonly #store: CacheStore
  readonly #timeToLive: Duration.Duration
  readonly #fillings = new Flights<Filling>()
  #count = 0
  /** No two processes have the same. */
  readonly #process = Math.random().toString(36).slice(2)

  constructor(store: CacheStore, timeToLive: Duration.Duration) {
    this.#store = store
    this.#timeToLive = timeToLive
  }

  /** The value of a key: the one that is kept, or the one that `make` gives, which is kept from then on. A failure is not. */
  getOrMake<A, E, R>(key: string, schema: Schema.Codec<A, any>, make: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    const json = Schema.fromJsonString(schema)
    return this.#fillings.join(key, {
      begin: () => new Filling(`${this.#process}-${++this.#count}`),
      follow: (filling) => filling.follow({ ifGone: () => this.getOrMake(key, schema, make) }),
      lead: (filling) => this.#readOrMake(key, json, make, filling)
    })
  }

  /** To call after each change of what the value was made of. Who asks after it has ended sees the change. */
  remove(key: string): Effect.Effect<void> {
    const land = Effect.sync(() => this.#land(key))
    // Twice: who has asked while the store removed it may have read it just before.
    return land.pipe(Effect.andThen(this.#store.remove(key)), Effect.andThen(land))
  }

  /** Nobody waits from now on for the one that is under way: it may have begun before the change. */
  #land(key: string): void {
    const filling = this.#fillings.close(key)
    if (filling !== undefined) filling.stale = true
  }

  #readOrMake<A, E, R>(key: string, json: Schema.Codec<A, string>, make: Effect.Effect<A, E, R>, filling: Filling): Effect.Effect<A, E, R> {
    return Effect.gen({ self: this }, function*() {
      const kept = yield* this.#store.read(key, filling)
      // An entry of an older program may have another form: it is made again.
      const read = kept === undefined ? Option.none<A>() : Schema.decodeOption(json)(kept)
      if (Option.isSome(read)) {
        yield* Metric.update(hits, 1)
        return read.value
      }
      yield* Metric.update(misses, 1)
      const value = yield* make
      yield* this.#store.fill(key, filling, Schema.encodeSync(json)(value), this.#timeToLive)
      return value
    })
  }
}

/** Nobody changes a row that the cache does not hear of. */
const usual = Duration.hours(1)

/** Other processes may change rows, and there is no Redis to tell it. */
const amongStrangers = Duration.seconds(5)

export class Cache extends Context.Service<Cache, Pick<CacheOf, "getOrMake" | "remove">>()("storefront/Cache") {
  /** In Redis, if there is one in the configuration; else in memory. */
  static readonly layer = Layer.effect(this)(Effect.gen(function*() {
    const { cacheTimeToLive, databaseUrl, redisPrefix } = yield* Settings
    const connection = yield* RedisConnection
    const store = connection.configured ? yield* RedisStore.make(connection, `${redisPrefix}cache:`) : new MemoryStore(capacity)
    // An embedded database is changed by this process alone.
    const hears = connection.configured || Option.isNone(databaseUrl)
    return new CacheOf(store, Option.getOrElse(cacheTimeToLive, () => hears ? usual : amongStrangers))
  }))
}
