import { Deferred, Duration, Effect, Exit, Fiber, Layer, Logger, Option, Redacted, Schema } from "effect"
import { CancelScope, Nursery, Tasks, Timeout } from "effect-nursery"
import { VirtualClock } from "effect-nursery/testing"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { Cache, CacheOf } from "../../../examples/storefront/cache/Cache.ts"
import { MemoryStore } from "../../../examples/storefront/cache/MemoryStore.ts"
import * as RedisConnection from "../../../examples/storefront/cache/RedisConnection.ts"
import * as RedisStore from "../../../examples/storefront/cache/RedisStore.ts"
import * as Config from "../../../examples/storefront/Config.ts"
import { Settings } from "../../../examples/storefront/Settings.ts"
import { findRedis, hasRedisServer, makePrefix, OwnRedis, removeKeys, withRedis } from "../../support/Redis.ts"
import { eventually, json } from "./asking.ts"
import { databases, openShop, postgres, type ShopWithSql } from "./databases.ts"
import { configOf, type LogLine, nowhere, type Shop, startShop } from "./shop.ts"

const hour = Duration.hours(1)

const token = { id: "t", stale: false }

/** Makes 1, then 2, and so on; says how often it was asked. */
const counter = (work: Effect.Effect<unknown> = Effect.void) => {
  let count = 0
  return { make: Effect.andThen(Effect.sync(() => void count++), Effect.map(work, () => count)), get count() { return count } }
}

describe("the cache in memory, in virtual time", () => {
  const open = () => new CacheOf(new MemoryStore(100), hour)

  it("keeps a value for 3600 seconds, and makes it again afterwards (S0-10b, HA34)", () =>
    VirtualClock.run(Effect.gen(function*() {
      const cache = open()
      const { make } = counter()
      const get = cache.getOrMake("key", Schema.Int, make)
      assert.strictEqual(yield* get, 1)
      yield* Effect.sleep("3599 seconds")
      assert.strictEqual(yield* get, 1)
      yield* Effect.sleep("1 second")
      assert.strictEqual(yield* get, 2)
    })))

  it("makes a value once for 100 who ask at the same time (HA34)", () =>
    VirtualClock.run(Effect.gen(function*() {
      const cache = open()
      const query = counter(Effect.sleep("20 millis"))
      const all = yield* Tasks.gather(Array.from({ length: 100 }, () => cache.getOrMake("key", Schema.Int, query.make)))
      assert.deepStrictEqual(new Set(all), new Set([1]))
      assert.strictEqual(query.count, 1)
      assert.strictEqual(yield* Timeout.now, 20)
    })))

  it("tells a failure to all who wait, and does not keep it", () =>
    VirtualClock.run(Effect.gen(function*() {
      const cache = open()
      let count = 0
      const make = Effect.andThen(Effect.sleep("1 millis"), Effect.suspend(() => Effect.fail(++count)))
      const exits = yield* Tasks.gather(Array.from({ length: 10 }, () => Effect.flip(cache.getOrMake("key", Schema.Int, make))))
      assert.deepStrictEqual(new Set(exits), new Set([1]))
      assert.strictEqual(yield* Effect.flip(cache.getOrMake("key", Schema.Int, make)), 2)
    })))

  it("goes on for those who wait when the one who makes the value goes away, and ends with the last of them", () =>
    VirtualClock.run(Effect.gen(function*() {
      const cache = open()
      let made = 0
      let cancelled = 0
      const make = Effect.sleep("10 millis").pipe(Effect.map(() => ++made), Effect.onInterrupt(() => Effect.sync(() => void cancelled++)))
      const get = cache.getOrMake("key", Schema.Int, make)
      yield* Nursery.open((n) =>
        Effect.gen(function*() {
          const first = yield* n.startNow(get)
          const second = yield* n.startNow(get)
          const third = yield* n.startNow(get)
          yield* Effect.sleep("5 millis")
          yield* first.cancel()
          assert.strictEqual(yield* second.join, 1)
          assert.strictEqual(yield* third.join, 1)
          assert.strictEqual(yield* Timeout.now, 15)
        }))
      assert.deepStrictEqual([made, cancelled], [1, 1])
      yield* cache.remove("key")
      yield* Nursery.open((n) =>
        Effect.gen(function*() {
          for (const task of [yield* n.startNow(get), yield* n.startNow(get)]) yield* task.cancel()
        }))
      // The second had taken over, and was cancelled, too.
      assert.deepStrictEqual([made, cancelled], [1, 3])
    })))

  it("does not keep what was removed while it was made, and gives it to nobody who asks afterwards", () =>
    VirtualClock.run(Effect.gen(function*() {
      const cache = open()
      let row = "old"
      const read = Effect.suspend(() => Effect.delay(Effect.succeed(row), "10 millis"))
      const get = cache.getOrMake("key", Schema.String, read)
      yield* Nursery.open((n) =>
        Effect.gen(function*() {
          const before = yield* n.startNow(get)
          yield* Effect.sleep("5 millis")
          row = "new"
          yield* cache.remove("key")
          assert.strictEqual(yield* get, "new")
          assert.strictEqual(yield* before.join, "old")
        }))
      assert.strictEqual(yield* get, "new")
    })))

  it("makes room for new values by those that were not used for longest", () =>
    VirtualClock.run(Effect.gen(function*() {
      const store = new MemoryStore(3)
      for (const key of ["a", "b", "c"]) yield* store.fill(key, token, key, hour)
      yield* store.read("a")
      for (let i = 0; i < 1000; i++) yield* store.fill(i % 2 === 0 ? "d" : "e", token, "x", hour)
      assert.strictEqual(store.size, 3)
      assert.strictEqual(yield* store.read("a"), "a")
      assert.strictEqual(yield* store.read("b"), undefined)
    })))

  it("makes a value again that an older program has kept in another form", () =>
    VirtualClock.run(Effect.gen(function*() {
      const store = new MemoryStore(3)
      yield* store.fill("key", token, "{\"name\":1}", hour)
      yield* store.fill("cut", token, "{\"na", hour)
      const cache = new CacheOf(store, hour)
      const make = Effect.succeed({ name: "right" })
      for (const key of ["key", "cut"]) assert.deepStrictEqual(yield* cache.getOrMake(key, Schema.Struct({ name: Schema.String }), make), { name: "right" })
    })))
})

interface Opened {
  readonly cache: CacheOf
  readonly connection: RedisConnection.RedisConnection["Service"]
  readonly logs: ReadonlyArray<LogLine>
  readonly run: <A>(effect: Effect.Effect<A, unknown>) => Promise<A>
  /** Waits until Redis answers. */
  readonly connected: () => Promise<unknown>
  readonly close: () => Promise<void>
}

/** A cache as one process has it. */
const openCache = async (url: string, prefix: string, redisTimeout = Duration.seconds(10)): Promise<Opened> => {
  const logs: Array<LogLine> = []
  const logger = Logger.layer([Logger.map(Logger.formatStructured, (line) => void logs.push(line as unknown as LogLine))])
  let scope!: CancelScope.CancelScope
  let connection!: RedisConnection.RedisConnection["Service"]
  const ready = Deferred.makeUnsafe<void>()
  const fiber = Effect.runFork(CancelScope.open((own) => {
    scope = own
    return RedisConnection.run({ redisUrl: Option.some(Redacted.make(url)), redisTimeout })((given) => {
      connection = given
      return Effect.asVoid(Deferred.succeed(ready, undefined))
    })
  }).pipe(Effect.provide(logger)))
  await Effect.runPromise(Deferred.await(ready))
  const run: Opened["run"] = (effect) => Effect.runPromise(Effect.provide(effect, logger))
  const cache = new CacheOf(await Effect.runPromise(RedisStore.make(connection, prefix)), hour)
  return {
    cache,
    connection,
    logs,
    run,
    connected: () =>
      eventually(async () => Exit.isSuccess(await run(Effect.exit(connection.ask((redis) => redis.send("PING"))))) || undefined, "Redis answers"),
    close: async () => {
      await Effect.runPromise(scope.cancel())
      await Effect.runPromise(Fiber.await(fiber))
    }
  }
}

describe("the time that a value is kept", () => {
  const settings = (env: Readonly<Record<string, string>>) => configOf({ env })
  const kept = async (env: Readonly<Record<string, string>>, configured = false) => {
    const services = Layer.mergeAll(
      Layer.succeed(Settings, settings(env)),
      Layer.succeed(RedisConnection.RedisConnection, { configured, ask: () => Effect.fail(new RedisConnection.RedisAway({})) })
    )
    let seconds = 0
    await VirtualClock.run(Effect.gen(function*() {
      const cache = yield* Cache
      const { make } = counter()
      const get = cache.getOrMake("key", Schema.Int, make)
      for (yield* get; (yield* get) === 1; seconds++) yield* Effect.sleep("1 second")
    }).pipe(Effect.provide(Cache.layer.pipe(Layer.provide(services)))))
    return seconds
  }

  it("is short where others may change a row and nobody says so, and as the configuration says where it does (S0-10b)", async () => {
    assert.strictEqual(await kept({}), 3600)
    assert.strictEqual(await kept({ DATABASE_URL: nowhere }), 5)
    assert.strictEqual(await kept({ DATABASE_URL: nowhere, CACHE_TTL: "10 minutes" }), 600)
    // While Redis is away, too.
    assert.strictEqual(await kept({ DATABASE_URL: nowhere, REDIS_URL: "redis://127.0.0.1:1" }, true), 5)
  })

  it("is a time that can be kept", () => {
    for (const [name, value] of [["CACHE_TTL", "0 seconds"], ["REDIS_TIMEOUT", "0 millis"], ["JOB_LEASE", "10 millis"], ["CACHE_TTL", "Infinity"], ["JOB_LEASE", "soon"]] as const) {
      const asked = Config.read([], { [name]: value })
      assert.strictEqual(asked._tag, "Mistake")
      if (asked._tag === "Mistake") assert.match(asked.why, new RegExp(`^${name}: expected `))
    }
  })
})

const redis = await findRedis()

describe.skipIf(redis === undefined)("the cache in Redis", () => {
  const prefix = makePrefix()
  let one: Opened
  let two: Opened

  beforeAll(async () => {
    one = await openCache(redis!, prefix)
    two = await openCache(redis!, prefix)
    await one.connected()
    await two.connected()
  })

  afterAll(async () => {
    await one.close()
    await two.close()
    await removeKeys(redis!, prefix)
  })

  it("keeps a value for 3600 seconds, for all processes (S0-10b, HA34)", async () => {
    const { make } = counter()
    const get = ({ cache, run }: Opened) => run(cache.getOrMake("shared", Schema.Int, make))
    assert.deepStrictEqual([await get(one), await get(one), await get(two)], [1, 1, 1])
    const left = await withRedis(redis!, (client) => client.pTTL(`${prefix}shared`))
    assert.ok(left > 3_500_000 && left <= 3_600_000)
    // As Redis does when the time is up.
    await withRedis(redis!, (client) => client.del(`${prefix}shared`))
    assert.deepStrictEqual([await get(two), await get(one)], [2, 2])
  })

  it("makes a value once for 100 who ask at the same time (HA34)", async () => {
    const query = counter(Effect.sleep("20 millis"))
    const all = await one.run(Tasks.gather(Array.from({ length: 100 }, () => one.cache.getOrMake("stampede", Schema.Int, query.make))))
    assert.deepStrictEqual(new Set(all), new Set([1]))
    assert.strictEqual(query.count, 1)
  })

  it("removes a value for all processes, also one that another process is just about to keep", async () => {
    let row = "old"
    const gate = Deferred.makeUnsafe<void>()
    const asked = Deferred.makeUnsafe<void>()
    // Process one has read the row, and is slow.
    const slow = one.run(one.cache.getOrMake("row", Schema.String, Effect.suspend(() => {
      const seen = row
      return Effect.andThen(Deferred.succeed(asked, undefined), Effect.as(Deferred.await(gate), seen))
    })))
    await one.run(Deferred.await(asked))
    // Process two changes it meanwhile.
    row = "new"
    await two.run(two.cache.remove("row"))
    Deferred.doneUnsafe(gate, Effect.void)
    assert.strictEqual(await slow, "old")
    const read = ({ cache, run }: Opened) => run(cache.getOrMake("row", Schema.String, Effect.sync(() => row)))
    assert.deepStrictEqual([await read(two), await read(one)], ["new", "new"])
    await two.run(two.cache.remove("row"))
    row = "newest"
    assert.deepStrictEqual([await read(one), await read(two)], ["newest", "newest"])
  })
})

describe.skipIf(!hasRedisServer())("the cache when Redis fails", { timeout: 60_000 }, () => {
  let own: OwnRedis

  beforeAll(async () => {
    own = await OwnRedis.start({ durable: true })
  })

  afterAll(() => own.stop())

  it("answers without Redis, soon, and uses it again when it is back; what was removed meanwhile stays removed (S0-10b, HA34)", async () => {
    const opened = await openCache(own.url, "a:")
    await opened.connected()
    let row = 1
    const made = counter()
    const get = () => opened.run(opened.cache.getOrMake("row", Schema.Int, Effect.andThen(made.make, Effect.sync(() => row))))
    assert.strictEqual(await get(), 1)

    await own.kill9()
    const start = performance.now()
    for (let i = 0; i < 50; i++) assert.strictEqual(await get(), 1)
    // Not one of them has waited for Redis for long, and not all of them have asked the database.
    assert.isBelow(performance.now() - start, 5000)
    assert.isBelow(made.count, 10)
    row = 2
    await opened.run(opened.cache.remove("row"))
    assert.strictEqual(await get(), 2)

    await own.startAgain()
    await opened.connected()
    assert.strictEqual(await get(), 2)
    assert.strictEqual(await withRedis(own.url, (client) => client.get("a:row")), "2")
    await opened.close()
  })

  it("answers while Redis hangs: one waits for a moment, the others do not wait at all; and it ends at once", async () => {
    const opened = await openCache(own.url, "b:", Duration.millis(250))
    await opened.connected()
    const { make } = counter()
    own.pause()
    try {
      const timed = async (key: string) => {
        const start = performance.now()
        await opened.run(opened.cache.getOrMake(key, Schema.Int, make))
        return performance.now() - start
      }
      assert.isAtLeast(await timed("first"), 200)
      const others = await Promise.all(Array.from({ length: 20 }, (_, i) => timed(`other ${i}`)))
      assert.isBelow(others.toSorted((a, b) => a - b)[9]!, 200)
      const start = performance.now()
      await opened.close()
      assert.isBelow(performance.now() - start, 3000)
    } finally {
      own.resume()
    }
  })

  it("works before Redis is there, and says once more when it is", async () => {
    await own.kill9()
    const opened = await openCache(own.url, "c:")
    const { make } = counter()
    assert.strictEqual(await opened.run(opened.cache.getOrMake("key", Schema.Int, make)), 1)
    const told = (what: string) => opened.logs.filter(({ message }) => String(message).includes(what))
    const said = (what: string, times: number) => eventually(() => told(what).length >= times || undefined, `the log says ${times} times: ${what}`)
    await said("Redis is not there", 1)
    await own.startAgain()
    await opened.connected()
    await said("Redis is ready", 1)
    // Once, however often it was tried, and in a few words.
    assert.match(String(told("Redis is not there")[0]!.annotations["why"]), /^connect ECONNREFUSED [\d.:]+$/)
    await own.kill9()
    await said("Redis is not there", 2)
    await own.startAgain()
    await said("Redis is ready", 2)
    assert.deepStrictEqual(opened.logs.filter(({ level }) => level === "WARN").length, 2)
    await opened.connected()
    await opened.run(opened.cache.remove("key"))
    await opened.run(opened.cache.getOrMake("key", Schema.Int, make))
    assert.strictEqual(await withRedis(own.url, (client) => client.exists("c:key")), 1)
    await opened.close()
  })
})

// One database is enough: which one it is makes no difference to the cache.
for (const [name, server] of databases.slice(-1)) {
  describe(`cached products on ${name}`, { timeout: 60_000 }, () => {
    let shop: ShopWithSql

    beforeAll(async () => {
      shop = await openShop(server, { env: { CACHE_TTL: "1 hour" } })
    }, 60_000)

    afterAll(() => shop.stop())

    const get = async (id: number, headers: Record<string, string> = {}) => {
      const answer = await shop.fetch(`/products/${id}`, { headers })
      const text = await answer.text()
      return { status: answer.status, etag: answer.headers.get("etag"), body: text === "" ? undefined : JSON.parse(text) }
    }
    const renameBehind = (id: number, name: string) => shop.sql(`update product set product_name = '${name}', version = version + 1 where product_id = ${id} returning 1`)

    it("asks the database for a product once, and again when it was changed (S0-10b, HA34)", async () => {
      const first = await get(1)
      // Behind the back of the application: it answers what it has kept.
      await renameBehind(1, "Unseen")
      assert.deepStrictEqual(await get(1), first)
      assert.strictEqual((await get(1, { "if-none-match": first.etag! })).status, 304)
      const put = await shop.fetch("/products/1", json({ product_name: "Seen", brand_id: 3 }, "PUT"))
      assert.strictEqual(put.status, 200)
      assert.deepStrictEqual(await get(1), { status: 200, etag: put.headers.get("etag"), body: { product_id: 1, product_name: "Seen", brand_id: 3 } })
      assert.strictEqual((await get(1, { "if-none-match": first.etag! })).status, 200)
    })

    it("forgets a product that is deleted, and keeps no answer that says that there is none", async () => {
      assert.strictEqual((await get(2)).status, 200)
      assert.strictEqual((await shop.fetch("/products/2", { method: "DELETE" })).status, 204)
      assert.strictEqual((await get(2)).status, 404)
      assert.strictEqual((await get(2000)).status, 404)
      await shop.sql("insert into product (product_id, product_name, brand_id) overriding system value values (2000, 'Late', 1) returning 1")
      assert.strictEqual((await get(2000)).status, 200)
    })
  })
}

describe.skipIf(redis === undefined || postgres === undefined)("cached products of two processes", { timeout: 60_000 }, () => {
  it("are changed for both by each of them (HA34)", async () => {
    const prefix = makePrefix()
    const one = await openShop(postgres, { env: { REDIS_URL: redis!, REDIS_PREFIX: prefix, REDIS_TIMEOUT: "10 seconds" } })
    const two = await startShop({ database: one.database!, env: { REDIS_URL: redis!, REDIS_PREFIX: prefix, REDIS_TIMEOUT: "10 seconds" } })
    try {
      await two.ready()
      for (const shop of [one, two]) await eventually(() => shop.logs.find(({ message }) => String(message) === "Redis is ready"), "Redis is there")
      const nameAt = async (shop: Shop) => (await (await shop.fetch("/products/7")).json() as { product_name: string }).product_name
      assert.strictEqual(await nameAt(one), "Mug No. 7")
      await one.sql("update product set product_name = 'Unseen' where product_id = 7 returning 1")
      assert.deepStrictEqual([await nameAt(one), await nameAt(two)], ["Mug No. 7", "Mug No. 7"])
      await two.fetch("/products/7", json({ product_name: "Cup", brand_id: 1 }, "PUT"))
      assert.deepStrictEqual([await nameAt(one), await nameAt(two)], ["Cup", "Cup"])
      await one.fetch("/products/7", json({ product_name: "Bowl", brand_id: 1 }, "PUT"))
      assert.deepStrictEqual([await nameAt(two), await nameAt(one)], ["Bowl", "Bowl"])
    } finally {
      await two.stop()
      await one.stop()
      await removeKeys(redis!, prefix)
    }
  })
})
