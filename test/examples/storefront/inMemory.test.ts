import { Context, Effect, Fiber, Layer } from "effect"
import { Etag, HttpPlatform } from "effect/http"
import { HttpApiTest } from "effect/http-api"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { TestClock } from "effect/testing"
import { Api } from "../../../examples/storefront/Api.ts"
import { BasicsRoutes, Shared } from "../../../examples/storefront/basics/BasicsRoutes.ts"
import { Brands } from "../../../examples/storefront/brands/Brands.ts"
import { BrandsRoutes } from "../../../examples/storefront/brands/BrandsRoutes.ts"
import { Database } from "../../../examples/storefront/database/Database.ts"
import { csvOf } from "../../../examples/storefront/http/Csv.ts"
import { hasAlready, tagOf, versionsIn } from "../../../examples/storefront/http/ETag.ts"
import { preferred } from "../../../examples/storefront/http/Negotiation.ts"
import * as Problem from "../../../examples/storefront/Problem.ts"
import { Settings } from "../../../examples/storefront/Settings.ts"
import { configOf } from "./shop.ts"

const platform = Layer.mergeAll(HttpPlatform.layer, Etag.layer).pipe(Layer.provideMerge(NodeServices.layer))

/** What the handlers have asked of the service. */
const asked: Array<unknown> = []

const fakeBrands = Layer.succeed(Brands, {
  json: (page) => Effect.sync(() => {
    asked.push(page)
    return { json: "[{\"brand_id\":7,\"brand_name\":\"Fake\"}]", count: 1, last: 7 }
  }),
  rows: () => Effect.fail(new Problem.Unavailable({ detail: "The fake has no rows." }))
})

describe("the handlers, without a socket and without a database", () => {
  it.effect("are called by the typed client in memory, with a service in place of the database (HA48, S0-2b)", () =>
    Effect.gen(function*() {
      asked.length = 0
      const client = yield* HttpApiTest.groups(Api, ["brands"])
      assert.deepStrictEqual(yield* client.brands.list({ query: { limit: 5 } }), [{ brand_id: 7, brand_name: "Fake" }])
      // Once, with what the request says and what it does not say.
      assert.deepStrictEqual(asked, [{ limit: 5, after: 0 }])
    }).pipe(Effect.provide(BrandsRoutes.pipe(Layer.provide(fakeBrands), Layer.provideMerge(platform)))))

  it.effect("sleep on the clock of the test: a slow answer takes no time (S0-9c, S0-1b)", () =>
    Effect.gen(function*() {
      const client = yield* HttpApiTest.groups(Api, ["basics"])
      const slow = yield* Effect.forkChild(client.basics.slow())
      yield* TestClock.adjust("999 millis")
      assert.isUndefined(slow.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Fiber.join(slow), "That took a second.")
      yield* TestClock.setTime(Date.UTC(2026, 10, 21, 16, 24, 23, 41))
      assert.deepStrictEqual(yield* client.basics.time(), { month: 11, day: 21, time: "16:24:23.041000" })
      assert.deepStrictEqual(yield* client.basics.shared(), { key: "of the test" })
    }).pipe(Effect.provide(BasicsRoutes.pipe(Layer.provide(Layer.succeed(Shared, { key: "of the test" })), Layer.provideMerge(platform)))))

  it.effect("fail with the problem of a database that is not there (HA6)", () =>
    Effect.gen(function*() {
      const brands = Context.get(yield* Layer.build(Brands.layer), Brands)
      const error = yield* Effect.flip(brands.json({ limit: 1, after: 0 }))
      assert.strictEqual(error._tag, "Unavailable")
    }).pipe(Effect.provide(Layer.succeed(Settings, configOf({}))), Effect.provide(Layer.succeed(Database, {
      sql: Effect.fail(new Problem.Unavailable({})),
      query: () => Effect.fail(new Problem.Unavailable({})),
      transact: () => Effect.fail(new Problem.Unavailable({})),
      state: () => ({ _tag: "Starting" }),
      kind: "test"
    }))))
})

describe("preferred", () => {
  const types = ["application/json", "text/csv"] as const

  it("takes the type of the highest quality, and the first of equals (EX7)", () => {
    const table: ReadonlyArray<readonly [string | undefined, string | undefined]> = [
      [undefined, "application/json"], ["", "application/json"], ["*/*", "application/json"], ["text/csv", "text/csv"], ["text/*", "text/csv"],
      ["text/csv, application/json", "application/json"], ["application/json;q=0.5, text/csv", "text/csv"], ["*/*;q=0.1, text/csv;q=0.2", "text/csv"],
      ["application/json;q=0, */*", "text/csv"], ["text/*;q=0.9, text/csv;q=0.1, */*;q=0.5", "application/json"], ["image/png", undefined], ["text/csv;q=0", undefined],
      ["text/csv;q=x", undefined], ["text/csv;q=2", undefined], ["text/csv; charset=utf-8; q=0.5", "text/csv"], [",,;", undefined]
    ]
    for (const [accept, expected] of table) assert.strictEqual(preferred(accept, types), expected, String(accept))
  })
})

describe("the tags of versions", () => {
  it("are compared weakly by who reads, and strictly by who writes", () => {
    for (const [header, expected] of [[undefined, false], ["*", true], ["\"1\"", true], ["W/\"1\"", true], ["\"2\", \"1\"", true], ["\"11\"", false], ["1", false]] as const) {
      assert.strictEqual(hasAlready(header, tagOf(1)), expected, header)
    }
    for (const [header, expected] of [[undefined, undefined], ["*", undefined], ["\"1\"", [1]], ["\"1\", \"22\"", [1, 22]], ["W/\"1\"", [-1]], ["\"x\"", [-1]], ["", [-1]]] as const) {
      assert.deepStrictEqual(versionsIn(header), expected, header)
    }
  })
})

describe("csvOf", () => {
  it("quotes what would be read as something else, and makes no formulas (RFC 4180)", () => {
    const rows = [{ id: 1, name: "plain" }, { id: -2, name: "a, \"b\"\r\nc" }, { id: 3, name: "=1+1" }]
    assert.strictEqual(csvOf(["id", "name"], rows), "id,name\r\n1,plain\r\n-2,\"a, \"\"b\"\"\r\nc\"\r\n3,'=1+1\r\n")
  })
})
