import { assert, describe, it } from "vitest"
import { networkOf } from "../../../examples/storefront/limits/Client.ts"
import { MemoryWindows } from "../../../examples/storefront/limits/Windows.ts"
import { findRedis, hasRedisServer, makePrefix, OwnRedis, removeKeys, withRedis } from "../../support/Redis.ts"
import { eventually } from "./asking.ts"
import { nowhere, type Shop, startShop } from "./shop.ts"

/** A shop without a database: what is limited is answered before anybody would need it. */
const withShop = async (env: Readonly<Record<string, string>>, use: (shop: Shop) => Promise<void>) => {
  const shop = await startShop({ database: nowhere, env: { REDIS_TIMEOUT: "10 seconds", ...env } })
  try {
    await use(shop)
  } finally {
    await shop.stop()
  }
}

const statusesOf = async (shop: Shop, count: number, headers: Record<string, string> = {}): Promise<ReadonlyArray<number>> => {
  const statuses: Array<number> = []
  for (let i = 0; i < count; i++) statuses.push((await shop.fetch("/time", { headers })).status)
  return statuses
}

describe("the windows in memory", () => {
  it("count what a client asks for, until its minute is over (HA50)", () => {
    const windows = new MemoryWindows(60_000, 10)
    assert.deepStrictEqual(windows.take("ada", 0), { count: 1, restMillis: 60_000 })
    assert.deepStrictEqual(windows.take("ada", 20_000), { count: 2, restMillis: 40_000 })
    assert.deepStrictEqual(windows.take("grace", 20_000), { count: 1, restMillis: 60_000 })
    assert.deepStrictEqual(windows.take("ada", 59_999), { count: 3, restMillis: 1 })
    assert.deepStrictEqual(windows.take("ada", 60_000), { count: 1, restMillis: 60_000 })
    assert.deepStrictEqual(windows.take("grace", 60_000), { count: 2, restMillis: 20_000 })
  })

  it("need no more room than they were given, whoever asks", () => {
    const windows = new MemoryWindows(60_000, 1000)
    for (let i = 0; i < 100_000; i++) windows.take(`client ${i}`, i / 1000)
    assert.strictEqual(windows.size, 1000)
    windows.take("later", 1_000_000)
    assert.strictEqual(windows.size, 1)
  })
})

describe("the client of a request", () => {
  it("is an address, and with IPv6 the network of a household", () => {
    assert.strictEqual(networkOf("192.0.2.7"), "192.0.2.7")
    assert.strictEqual(networkOf("::ffff:192.0.2.7"), "192.0.2.7")
    assert.strictEqual(networkOf("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64")
    assert.strictEqual(networkOf("2001:db8:1:2::1"), networkOf("2001:0DB8:0001:0002:ffff:ffff:ffff:ffff"))
    assert.notStrictEqual(networkOf("2001:db8:1:2::1"), networkOf("2001:db8:1:3::1"))
    assert.strictEqual(networkOf("::1"), "0:0:0:0::/64")
    assert.strictEqual(networkOf("fe80::1%eth0"), "fe80:0:0:0::/64")
  })
})

describe("the rate limit", { timeout: 60_000 }, () => {
  it("answers 429 to a client that asks for more, and says when it may ask again (HA50)", () =>
    withShop({ RATE_LIMIT: "5" }, async (shop) => {
      assert.deepStrictEqual(await statusesOf(shop, 7), [200, 200, 200, 200, 200, 429, 429])
      // A path that there is not counts, too.
      const refused = await shop.fetch("/nowhere")
      assert.strictEqual(refused.status, 429)
      assert.strictEqual(refused.headers.get("content-type"), "application/problem+json")
      assert.strictEqual(refused.headers.get("x-content-type-options"), "nosniff")
      const after = Number(refused.headers.get("retry-after"))
      assert.ok(Number.isInteger(after) && after >= 1 && after <= 60)
      assert.strictEqual((await refused.json() as { status: number }).status, 429)
      // The static route, and those who watch, are not limited.
      assert.strictEqual((await shop.fetch("/hello")).status, 200)
      for (const path of ["/healthz", "/readyz", "/metrics"]) assert.notStrictEqual((await shop.fetch(path)).status, 429)
    }))

  it("is off when nobody has asked for one (HA50)", () =>
    withShop({}, async (shop) => assert.deepStrictEqual(new Set(await statusesOf(shop, 200)), new Set([200]))))

  it("believes a client nothing about who it is, and a proxy that is trusted, what it has seen (HA50)", async () => {
    const forwarded = (address: string) => ({ "x-forwarded-for": address })
    await withShop({ RATE_LIMIT: "2" }, async (shop) => {
      assert.deepStrictEqual(await statusesOf(shop, 2, forwarded("192.0.2.1")), [200, 200])
      assert.deepStrictEqual(await statusesOf(shop, 1, forwarded("192.0.2.2")), [429])
    })
    await withShop({ RATE_LIMIT: "2", TRUST_PROXY: "true" }, async (shop) => {
      assert.deepStrictEqual(await statusesOf(shop, 3, forwarded("10.9.9.9, 192.0.2.1")), [200, 200, 429])
      // Only the last entry is the proxy's.
      assert.deepStrictEqual(await statusesOf(shop, 1, forwarded("10.8.8.8, 192.0.2.1")), [429])
      assert.deepStrictEqual(await statusesOf(shop, 1, forwarded("192.0.2.2")), [200])
      // What is no address is nobody's.
      assert.deepStrictEqual(await statusesOf(shop, 3, forwarded("spam")), [200, 200, 429])
    })
  })
})

const redis = await findRedis()

describe.skipIf(redis === undefined)("the rate limit in Redis", { timeout: 60_000 }, () => {
  it("holds for all processes together (HA50)", async () => {
    const prefix = makePrefix()
    const env = { RATE_LIMIT: "5", REDIS_URL: redis!, REDIS_PREFIX: prefix }
    await withShop(env, (one) =>
      withShop(env, async (two) => {
        for (const shop of [one, two]) await eventually(() => shop.logs.find(({ message }) => String(message) === "Redis is ready"), "Redis is there")
        assert.deepStrictEqual(await statusesOf(one, 3), [200, 200, 200])
        assert.deepStrictEqual(await statusesOf(two, 3), [200, 200, 429])
        const [key] = await withRedis(redis!, (client) => client.keys(`${prefix}limit:*`))
        const left = await withRedis(redis!, (client) => client.pTTL(key!))
        assert.ok(left > 0 && left <= 60_000)
        // As Redis does when the minute is over.
        await withRedis(redis!, (client) => client.del(key!))
        assert.deepStrictEqual(await statusesOf(one, 1), [200])
      }))
    await removeKeys(redis!, prefix)
  })
})

describe.skipIf(!hasRedisServer())("the rate limit when Redis fails", { timeout: 60_000 }, () => {
  it("counts in memory while Redis is away, and in Redis again when it is back (HA50)", async () => {
    const own = await OwnRedis.start()
    try {
      await withShop({ RATE_LIMIT: "3", REDIS_URL: own.url }, async (shop) => {
        const ready = () => shop.logs.filter(({ message }) => String(message) === "Redis is ready").length
        await eventually(() => ready() > 0 || undefined, "Redis is there")
        assert.deepStrictEqual(await statusesOf(shop, 4), [200, 200, 200, 429])
        await own.kill9()
        // The memory knows nothing of what Redis has counted.
        assert.deepStrictEqual(await statusesOf(shop, 4), [200, 200, 200, 429])
        await own.startAgain()
        // An empty Redis: the client has its three again.
        await eventually(async () => (await shop.fetch("/time")).status === 200 || undefined, "Redis counts again")
      })
    } finally {
      await own.stop()
    }
  })
})
