import { Effect } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { nowhere, type Shop, startShop } from "./shop.ts"

/** Routes that fail in each way that a handler can. */
const failing = HttpRouter.use(Effect.fnUntraced(function*(router) {
  yield* router.add("GET", "/test/defect", Effect.sync(() => {
    throw new Error("the secret of the defect")
  }))
  yield* router.add("GET", "/test/failure", Effect.fail("the secret of the failure"))
  yield* router.add("GET", "/test/division", Effect.sync(() => HttpServerResponse.text(String(1n / BigInt(0)))))
  yield* router.prefixed("/test/prefixed").add("GET", "/one", Effect.succeed(HttpServerResponse.text("one")))
  yield* router.prefixed("/test").prefixed("/prefixed").add("PUT", "/two", Effect.succeed(HttpServerResponse.text("two")))
  yield* router.add("GET", "/test/headers", Effect.succeed(HttpServerResponse.text("x", { headers: { "x-test": "a\nb" } })))
}))

let shop: Shop

beforeAll(async () => {
  shop = await startShop({ database: nowhere, env: { MAX_BODY_BYTES: "1024" }, routes: failing })
})

afterAll(() => shop.stop())

const json = async (path: string, init?: RequestInit) => {
  const answer = await shop.fetch(path, init)
  return { status: answer.status, headers: answer.headers, body: await answer.json() as any }
}

const text = async (path: string, init?: RequestInit) => {
  const answer = await shop.fetch(path, init)
  return { status: answer.status, headers: answer.headers, body: await answer.text() }
}

const post = (body: unknown): RequestInit => ({ method: "POST", headers: { "content-type": "application/json" }, body: typeof body === "string" ? body : JSON.stringify(body) })

describe("the first routes", () => {
  it("say hello, by name too (HA1, S0-1a, S0-3b, S2-7.2.4, S2-7.4.3, S0-9e)", async () => {
    const hello = await text("/hello")
    assert.deepStrictEqual([hello.status, hello.body], [200, "Hello, World!"])
    assert.strictEqual(hello.headers.get("content-type"), "text/plain; charset=utf-8")
    assert.strictEqual((await text("/hello/Alice")).body, "Hello, Alice!")
    assert.strictEqual((await text(`/hello/${encodeURIComponent("Zoë <b>")}`)).body, "Hello, Zoë <b>!")
  })

  it("answer /hello the same through the router, which has the other methods of it (HA5)", async () => {
    const [prepared, routed] = [await text("/hello"), await text("/hello?x=1")]
    assert.strictEqual(routed.body, prepared.body)
    assert.strictEqual(routed.headers.get("content-type"), prepared.headers.get("content-type"))
    const head = await text("/hello", { method: "HEAD" })
    assert.deepStrictEqual([head.status, head.body, head.headers.get("content-length")], [200, "", "13"])
  })

  it("take a greeting as JSON, and say what is wrong with it (S0-3d, S0-6b, S0-10e)", async () => {
    assert.strictEqual((await text("/hello", post({ name: "Bob" }))).body, "Hello, Bob!")
    for (const [body, path] of [[{}, ["body", "name"]], [{ name: "" }, ["body", "name"]], [{ name: 5 }, ["body", "name"]], ["[]", ["body"]]] as const) {
      const refused = await json("/hello", post(body))
      assert.strictEqual(refused.status, 400)
      assert.deepStrictEqual(refused.body.errors.map((error: any) => error.path), [path])
    }
  })

  it("tell the time to the microsecond, with the headers of JSON (S1-9.1, HA3)", async () => {
    const { body, headers, status } = await json("/time")
    const now = new Date()
    assert.strictEqual(status, 200)
    assert.strictEqual(headers.get("content-type"), "application/json")
    assert.deepStrictEqual(Object.keys(body), ["month", "day", "time"])
    assert.match(body.time, /^\d\d:\d\d:\d\d\.\d{6}$/)
    assert.include([now.getUTCMonth() + 1, new Date(now.getTime() - 60_000).getUTCMonth() + 1], body.month)
  })

  it("show what all requests share (S1-shared, HA9)", async () => {
    assert.deepStrictEqual((await json("/shared")).body, { key: "value" })
  })

  it("do not wait for each other (S0-1b, S0-6d, S0-7c, S2-7.4.4, S2-7.5.4)", async () => {
    const began = performance.now()
    const slow = Array.from({ length: 20 }, () => text("/slow"))
    const order: Array<string> = []
    await Promise.all([...slow.map((one) => one.then(() => order.push("slow"))), text("/hello").then(() => order.push("hello"))])
    // One second for all of them; one after the other they would take twenty.
    assert.isBelow(performance.now() - began, 10_000)
    assert.strictEqual(order[0], "hello")
    assert.deepStrictEqual(await Promise.all(slow.map(async (one) => (await one).body)), Array.from({ length: 20 }, () => "That took a second."))
  })

  it("read the number and the query of an item (HA2, S2-7.3.3)", async () => {
    assert.deepStrictEqual((await json("/items/5")).body, { item_id: 5, q: null })
    assert.deepStrictEqual((await json("/items/5?q=red%20lamp")).body, { item_id: 5, q: "red lamp" })
    const refused = await json("/items/abc")
    assert.strictEqual(refused.status, 400)
    assert.deepStrictEqual(refused.body.errors[0].path, ["path", "item_id"])
  })

  it("check a new item, and name each field that is wrong (HA4, S2-7.3.5)", async () => {
    const item = { name: "lamp", price: 9.5 }
    assert.deepStrictEqual((await json("/items/", post(item))).body, item)
    assert.deepStrictEqual((await json("/items", post({ ...item, description: null, tax: 1 }))).body, { ...item, description: null, tax: 1 })
    const refused = await json("/items/", post({ price: "cheap" }))
    assert.deepStrictEqual([refused.status, refused.headers.get("content-type")], [400, "application/problem+json"])
    assert.deepStrictEqual(refused.body.errors.map((error: any) => error.path.join(".")).toSorted(), ["body.name", "body.price"])
  })
})

describe("what goes wrong", () => {
  it("is a problem for each way to ask wrongly (HA5, HA6, S0-2a, S0-3a, S0-6c)", async () => {
    const table: ReadonlyArray<readonly [string, string, number, RequestInit?]> = [
      ["GET", "/nothing", 404], ["POST", "/nothing/at/all", 404], ["GET", "/hello/%ff", 404], ["GET", `/hello/${"x".repeat(500)}`, 400],
      ["DELETE", "/hello", 405], ["PUT", "/time", 405], ["PATCH", "/items/5", 405], ["POST", "/items/5", 405], ["GET", "/items/", 405], ["POST", "/", 405], ["DELETE", "/openapi.json", 405],
      ["POST", "/items/", 415, { body: "<item/>", headers: { "content-type": "application/xml" } }],
      ["POST", "/items/", 413, { body: JSON.stringify({ name: "x".repeat(2000), price: 1 }), headers: { "content-type": "application/json" } }]
    ]
    for (const [method, path, status, init] of table) {
      const answer = await shop.fetch(path, { method, ...init })
      const said = `${method} ${path}`
      assert.strictEqual(answer.status, status, said)
      assert.strictEqual(answer.headers.get("content-type"), "application/problem+json", said)
      const problem = await answer.json() as any
      assert.deepStrictEqual([problem.status, problem.type], [status, "about:blank"], said)
      assert.isString(problem.title, said)
    }
  })

  it("is told with what is allowed (HA5, S0-2a)", async () => {
    for (const [path, allow] of [["/hello", "GET, POST, OPTIONS, HEAD"], ["/items/", "POST, OPTIONS"], ["/products/1", "GET, PUT, DELETE, OPTIONS, HEAD"],
      ["/test/prefixed/one", "GET, OPTIONS, HEAD"], ["/test/prefixed/two", "PUT, OPTIONS"]] as const) {
      const refused = await shop.fetch(path, { method: "PATCH" })
      assert.deepStrictEqual([refused.status, refused.headers.get("allow")], [405, allow])
      await refused.arrayBuffer()
      const asked = await shop.fetch(path, { method: "OPTIONS" })
      assert.deepStrictEqual([asked.status, asked.headers.get("allow")], [204, allow])
    }
  })

  it("says where malformed JSON breaks (HA53, EX8)", async () => {
    const { body, status } = await json("/items/", post("{\"name\": \"lamp\", price: 1}"))
    assert.strictEqual(status, 400)
    assert.deepStrictEqual(body.errors[0].path, ["body"])
    assert.match(body.errors[0].message, /position 17/)
  })

  it("is 413 for two megabytes (HA53)", async () => {
    const { status } = await text("/items/", post({ name: "x".repeat(2_000_000), price: 1 }))
    assert.strictEqual(status, 413)
  })

  it("is 500 without a word of the cause, which the log has once, with the number of the request (HA6, S0-2c)", async () => {
    for (const [path, secret] of [["/test/defect", "the secret of the defect"], ["/test/failure", "the secret of the failure"], ["/test/division", "Division by zero"]] as const) {
      const before = shop.logs.length
      const answer = await text(path, { headers: { "x-request-id": `number${path.replaceAll("/", ".")}` } })
      assert.strictEqual(answer.status, 500)
      assert.notInclude(answer.body, secret)
      assert.deepStrictEqual(Object.keys(JSON.parse(answer.body)), ["type", "status", "title", "detail", "instance"])
      assert.strictEqual(JSON.parse(answer.body).instance, `urn:request:number${path.replaceAll("/", ".")}`)
      const lines = shop.logs.slice(before).filter((line) => line.level === "ERROR")
      assert.lengthOf(lines, 1)
      assert.include(JSON.stringify(lines[0]), secret)
      assert.strictEqual(lines[0]!.annotations["requestId"], `number${path.replaceAll("/", ".")}`)
    }
  })

  it("is 500, not a broken answer, when a header cannot be written (H15)", async () => {
    assert.strictEqual((await text("/test/headers")).status, 500)
  })
})

describe("every answer", () => {
  it("has the headers for security: 200, 304, 404, 405, 500, 503 (HA30, S0-10i)", async () => {
    for (const [path, status] of [["/hello", 200], ["/time", 200], ["/", 200], ["/nothing", 404], ["/items/", 405], ["/test/defect", 500], ["/brands", 503]] as const) {
      const answer = await shop.fetch(path)
      await answer.arrayBuffer()
      assert.strictEqual(answer.status, status)
      assert.strictEqual(answer.headers.get("x-frame-options"), "DENY", path)
      assert.strictEqual(answer.headers.get("x-content-type-options"), "nosniff", path)
      assert.match(answer.headers.get("content-security-policy")!, /^default-src 'self'/, path)
      assert.notInclude(answer.headers.get("content-security-policy")!, "script-src 'self' 'unsafe-inline'", path)
    }
  })

  it("has a number of its own, or the one that came with the request when that can be written down (HA7)", async () => {
    const ids = await Promise.all(Array.from({ length: 10 }, async () => (await text("/time")).headers.get("x-request-id")))
    assert.lengthOf(new Set(ids), 10)
    assert.strictEqual((await text("/time", { headers: { "x-request-id": "abc-1" } })).headers.get("x-request-id"), "abc-1")
    for (const bad of ["a b", "x".repeat(65), "<script>"]) assert.notStrictEqual((await text("/time", { headers: { "x-request-id": bad } })).headers.get("x-request-id"), bad)
  })

  it("says how long it took (HA7, S0-7d)", async () => {
    const [, millis] = /^app;dur=(\d+\.\d\d)$/.exec((await text("/slow")).headers.get("server-timing")!)!
    assert.isAtLeast(Number(millis), 990)
  })

  it("says 503 and when to come back while there is no database (D01)", async () => {
    const { body, headers, status } = await json("/brands")
    assert.deepStrictEqual([status, headers.get("retry-after"), headers.get("content-type")], [503, "1", "application/problem+json"])
    assert.match(body.detail, /database/)
    assert.match((await text("/")).body, /database \(PostgreSQL\) (is starting|cannot be reached)/)
  })

  it("gives no other site leave to read it: CORS is for nobody (H14)", async () => {
    for (const origin of ["null", "https://evil.example"]) {
      for (const method of ["GET", "OPTIONS"]) {
        const answer = await shop.fetch("/time", { method, headers: { origin, "access-control-request-method": "POST" } })
        await answer.arrayBuffer()
        for (const name of ["access-control-allow-origin", "access-control-allow-credentials"]) assert.isNull(answer.headers.get(name))
      }
    }
  })
})

