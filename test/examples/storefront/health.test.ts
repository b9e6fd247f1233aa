import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { OwnPostgres, postgresPrograms } from "../../support/Postgres.ts"
import { keptAlive, type Shop, startShop } from "./shop.ts"
import * as http from "node:http"

const nowhere = "postgres://shopkeeper:open-sesame@127.0.0.1:1/shop"

/** Waits until `/readyz` has this status, and gives its answer. */
const untilReady = async (shop: Shop, status: number): Promise<Response> => {
  for (const deadline = Date.now() + 30_000;;) {
    const answer = await shop.fetch("/readyz")
    if (answer.status === status) return answer
    await answer.text()
    if (Date.now() > deadline) throw new Error(`/readyz is ${answer.status}`)
  }
}

describe("health without a database (HA47)", () => {
  let shop: Shop
  beforeAll(async () => {
    shop = await startShop({ database: nowhere, env: { DRAIN_DELAY: "300 millis" } })
  })
  afterAll(() => shop.stop())

  it("lives, and is not ready, and says why without saying where the database is", async () => {
    const alive = await shop.fetch("/healthz")
    assert.strictEqual(alive.status, 200)
    assert.deepStrictEqual(await alive.json(), { status: "alive" })
    assert.strictEqual(alive.headers.get("cache-control"), "no-store")
    const ready = await untilReady(shop, 503)
    assert.strictEqual(ready.headers.get("content-type"), "application/problem+json")
    assert.isNotNull(ready.headers.get("retry-after"))
    const text = await ready.text()
    assert.match(text, /The database (is starting|cannot be reached)\./)
    assert.notInclude(text, "127.0.0.1")
    assert.notInclude(text, "shopkeeper")
  })
})

// A server of its own, for it is killed.
describe.skipIf(postgresPrograms() === undefined)("readiness (HA47)", { timeout: 60_000 }, () => {
  let own: OwnPostgres
  let shop: Shop
  beforeAll(async () => {
    own = await OwnPostgres.start()
    shop = await startShop({ database: own.url, env: { DRAIN_DELAY: "400 millis" } })
    await shop.ready()
  }, 60_000)
  afterAll(async () => {
    await shop.stop(0)
    await own.stop()
  })

  it("goes with the database, and comes back with it, while the application lives on", async () => {
    assert.deepStrictEqual(await (await untilReady(shop, 200)).json(), { status: "ready" })
    await own.kill9()
    assert.include(await (await untilReady(shop, 503)).text(), "The database cannot be reached.")
    assert.strictEqual((await shop.fetch("/healthz")).status, 200)
    await own.startAgain()
    await untilReady(shop, 200)
  })

  it("flips first when the application is asked to stop: others are still served, and then nobody may connect", async () => {
    await untilReady(shop, 200)
    const stopped = shop.stop()
    const answer = await untilReady(shop, 503)
    assert.include(await answer.text(), "The application is stopping.")
    assert.strictEqual((await shop.fetch("/brands?limit=1")).status, 200)
    assert.strictEqual((await shop.fetch("/healthz")).status, 200)
    await stopped
    await shop.fetch("/healthz").then(() => assert.fail("somebody has answered"), (error: Error) => assert.include(String((error.cause as Error).message), "ECONNREFUSED"))
  })
})

describe("draining", () => {
  it("closes connections that are kept alive, without a delay of its own", async () => {
    const shop = await startShop({ database: nowhere })
    const agent = keptAlive()
    const get = () =>
      new Promise<number>((resolve, reject) => http.get(`${shop.url}/hello`, { agent }, (answer) => answer.resume().on("end", () => resolve(answer.statusCode!))).on("error", reject))
    assert.strictEqual(await get(), 200)
    const begun = performance.now()
    await shop.stop()
    assert.isBelow(performance.now() - begun, 2500)
    agent.destroy()
  })
})
