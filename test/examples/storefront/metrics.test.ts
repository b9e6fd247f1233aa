import { Deferred, Effect } from "effect"
import { Nursery, Timeout } from "effect-nursery"
import { HttpRouter, HttpServerResponse } from "effect/http"
import * as net from "node:net"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { Database } from "../../../examples/storefront/database/Database.ts"
import { execute, findPostgres, makeDatabase, type OwnDatabase } from "../../support/Postgres.ts"
import { type Family, parse } from "./exposition.ts"
import { type Shop, startShop } from "./shop.ts"

/** Nobody listens at this port, and the address has a secret in it. */
const nowhere = "postgres://shopkeeper:open-sesame@127.0.0.1:1/shop"

const read = async (shop: Shop): Promise<{ readonly text: string; readonly families: ReadonlyMap<string, Family> }> => {
  const answer = await shop.fetch("/metrics")
  assert.strictEqual(answer.status, 200)
  const text = await answer.text()
  return { text, families: parse(text) }
}

const valueOf = (families: ReadonlyMap<string, Family>, name: string, labels: Readonly<Record<string, string>> = {}): number | undefined =>
  families.get(name)?.samples.find((sample) => sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value))?.value

const until = async (fact: () => Promise<boolean>): Promise<void> => {
  for (const deadline = Date.now() + 20_000; !(await fact());) if (Date.now() > deadline) throw new Error("it has not become so")
}

/** Sends requests one behind the other on one connection, and counts the answers with each status. */
const pipelined = (port: number, requests: ReadonlyArray<string>): Promise<ReadonlyMap<string, number>> =>
  new Promise((resolve, reject) => {
    const counts = new Map<string, number>()
    const socket = net.connect(port, "127.0.0.1")
    let text = ""
    socket.setEncoding("latin1").on("data", (chunk: string) => {
      text += chunk
      for (let end = text.lastIndexOf("HTTP/1.1 "), at = text.indexOf("HTTP/1.1 "); at < end; at = text.indexOf("HTTP/1.1 ", at + 9)) count(text.slice(at + 9, at + 12))
      text = text.slice(text.lastIndexOf("HTTP/1.1 "))
    })
    const count = (status: string) => counts.set(status, (counts.get(status) ?? 0) + 1)
    socket.on("end", () => {
      count(text.slice(9, 12))
      resolve(counts)
    }).on("error", reject)
    for (const [i, line] of requests.entries()) socket.write(`${line} HTTP/1.1\r\nhost: shop\r\n${i === requests.length - 1 ? "connection: close\r\n" : ""}\r\n`)
  })

describe("/metrics", { timeout: 60_000 }, () => {
  let shop: Shop

  const routes = HttpRouter.use(Effect.fnUntraced(function*(router) {
    yield* router.add("GET", "/test/too-slow", Effect.as(Timeout.moveOnAfter(Effect.never, 1), HttpServerResponse.text("given up")))
    yield* router.add("GET", "/test/never", Effect.never)
    yield* router.add("GET", "/test/broken", Effect.die(new Error("broken")))
    yield* router.add("GET", "/test/tasks", Nursery.open((n) => n.startSoon(Effect.void)).pipe(Effect.as(HttpServerResponse.text("done"))))
  }))

  beforeAll(async () => {
    // Without jobs, which make figures of their own.
    shop = await startShop({ database: nowhere, routes, env: { JOB_WORKERS: "0" } })
  })
  afterAll(() => shop.stop())

  it("counts requests by method and route, as many as there were, and never by path (S0-11i)", async () => {
    for (let i = 1; i <= 7; i++) await shop.fetch(`/items/${i}?q=secret-${i}`).then((answer) => answer.text())
    for (let i = 0; i < 5; i++) await shop.fetch("/hello").then((answer) => answer.text())
    await shop.fetch("/hello", { method: "HEAD" })
    await shop.fetch("/items/x").then((answer) => answer.text())
    await shop.fetch("/hello", { method: "DELETE" }).then((answer) => answer.text())
    await shop.fetch("/test/broken").then((answer) => answer.text())
    const { families, text } = await read(shop)
    const total = (method: string, route: string, status: string) => valueOf(families, "http_requests_total", { method, route, status })
    assert.strictEqual(total("GET", "/items/:item_id", "200"), 7)
    assert.strictEqual(total("GET", "/hello", "200"), 5)
    assert.strictEqual(total("HEAD", "/hello", "200"), 1)
    assert.strictEqual(total("GET", "/items/:item_id", "400"), 1)
    assert.strictEqual(total("DELETE", "/hello", "405"), 1)
    assert.strictEqual(total("GET", "/test/broken", "500"), 1)
    assert.notInclude(text, "secret-")
    // The time of the same requests.
    const seconds = families.get("http_request_duration_seconds")!.samples
    assert.strictEqual(seconds.find(({ labels, name }) => name.endsWith("_count") && labels["method"] === "GET" && labels["route"] === "/items/:item_id")?.value, 8)
  })

  it("has no series more after 10,000 random paths, in valid exposition format, without secrets (H20)", async () => {
    const random = (n: number) => Array.from({ length: n }, () => `GET /${Math.random().toString(36).slice(2)}/${Math.random().toString(36).slice(2)}?${Math.random()}`)
    await pipelined(shop.port, [...random(1), "PROPFIND /a", "MKCOL /b"])
    const before = (await read(shop)).families
    const counts = await Promise.all(Array.from({ length: 4 }, () => pipelined(shop.port, random(2500))))
    for (const count of counts) assert.deepStrictEqual([...count], [["404", 2500]])
    // Methods that nobody knows have one label in common.
    await pipelined(shop.port, ["LOCK /c", "REPORT /d", "M-SEARCH /e"])
    const { families, text } = await read(shop)
    const seriesOf = (all: ReadonlyMap<string, Family>) => [...all.values()].flatMap(({ samples }) => samples.map(({ labels, name }) => JSON.stringify([name, labels]))).filter((series) => !series.includes("/metrics")).toSorted()
    assert.deepStrictEqual(seriesOf(families), seriesOf(before))
    const missing = (all: ReadonlyMap<string, Family>) => valueOf(all, "http_requests_total", { method: "GET", route: "(none)", status: "404" })!
    assert.strictEqual(missing(families) - missing(before), 10_000)
    for (const secret of ["open-sesame", "shopkeeper"]) assert.notInclude(text, secret)
  })

  it("shows the requests that are under way, and counts a client that has gone before its answer", async () => {
    const client = new AbortController()
    const gone = shop.fetch("/test/never", { signal: client.signal }).catch(() => "gone")
    // The one that asks, and the other one.
    await until(async () => valueOf((await read(shop)).families, "http_requests_in_flight") === 2)
    client.abort()
    assert.strictEqual(await gone, "gone")
    await until(async () => valueOf((await read(shop)).families, "http_requests_total", { route: "/test/never", status: "499" }) === 1)
    assert.strictEqual(valueOf((await read(shop)).families, "http_requests_in_flight"), 1)
  })

  it("has the library's own figures: tasks that live, and cancels by what they came from", async () => {
    const before = valueOf((await read(shop)).families, "nursery_tasks_living")!
    await shop.fetch("/test/too-slow").then((answer) => answer.text())
    await shop.fetch("/test/tasks").then((answer) => answer.text())
    const { families } = await read(shop)
    assert.strictEqual(valueOf(families, "nursery_cancels", { source: "deadline" }), 1)
    assert.isAtLeast(before, 1)
    assert.strictEqual(valueOf(families, "nursery_tasks_living"), before)
  })

  it("has the memory and the computing time of the process", async () => {
    const { families } = await read(shop)
    assert.isAbove(valueOf(families, "process_resident_memory_bytes")!, 1e7)
    assert.isAbove(valueOf(families, "process_cpu_seconds_total")!, 0)
    assert.closeTo(valueOf(families, "process_start_time_seconds")!, Date.now() / 1000 - process.uptime(), 5)
  })

  it("keeps the figures of two applications in one process apart", async () => {
    const other = await startShop({ database: nowhere })
    try {
      assert.strictEqual((await read(other)).families.get("http_requests_total"), undefined)
    } finally {
      await other.stop()
    }
  })
})

const postgres = await findPostgres()

describe.skipIf(postgres === undefined)("the pool in /metrics", { timeout: 60_000 }, () => {
  let own: OwnDatabase
  let shop: Shop
  const gate = Deferred.makeUnsafe<void>()

  const routes = HttpRouter.use(Effect.fnUntraced(function*(router) {
    const { transact } = yield* Database
    yield* router.add("POST", "/test/hold", transact(() => Effect.as(Deferred.await(gate), HttpServerResponse.text("let go"))))
  }))

  beforeAll(async () => {
    own = await makeDatabase(postgres!)
    // Nobody else may ask: workers look for jobs once a second, and wait in line for it.
    shop = await startShop({ database: own.url, routes, env: { JOB_WORKERS: "0" } })
    await shop.ready()
  }, 60_000)
  afterAll(async () => {
    await shop.stop()
    await own.drop()
  })

  it("says how many connections are used and how many wait, as PostgreSQL itself sees it", async () => {
    const pool = async () => {
      const { families } = await read(shop)
      return ["size", "used", "waiting"].map((what) => valueOf(families, `db_pool_${what}`))
    }
    assert.deepStrictEqual(await pool(), [6, 0, 0])
    const holding = Array.from({ length: 8 }, () => shop.fetch("/test/hold", { method: "POST" }).then((answer) => answer.text()))
    await until(async () => (await pool())[1] === 6 && (await pool())[2] === 2)
    const inTransaction = () =>
      execute(own.url, (sql) => sql`select count(*)::int as n from pg_stat_activity where datname = current_database() and application_name = 'storefront' and state = 'idle in transaction'`)
    await until(async () => (await inTransaction())[0].n === 6)
    Deferred.doneUnsafe(gate, Effect.void)
    assert.deepStrictEqual(await Promise.all(holding), Array.from({ length: 8 }, () => "let go"))
    assert.deepStrictEqual(await pool(), [6, 0, 0])
  })
})

describe("the strict reader", () => {
  const cases: ReadonlyArray<readonly [why: string, text: string]> = [
    ["a sample without TYPE", "a 1\n"],
    ["no end of the last line", "# TYPE a gauge\na 1"],
    ["a series twice", "# TYPE a gauge\na{x=\"1\"} 1\na{x=\"1\"} 2\n"],
    ["a family in two places", "# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\n# TYPE a gauge\na{x=\"1\"} 1\n"],
    ["a quote that is not escaped", "# TYPE a gauge\na{x=\"1\"2\"} 1\n"],
    ["a word for a number", "# TYPE a gauge\na one\n"],
    ["a counter below 0", "# TYPE a counter\na -1\n"],
    ["buckets that shrink", "# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n"],
    ["an infinite bucket that is not the count", "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 2\n"]
  ]
  it.each(cases)("refuses %s", (_, text) => {
    assert.throws(() => parse(text))
  })

  it("reads escapes, exponents and infinities", () => {
    const family = parse("# HELP a what it is\n# TYPE a gauge\na{x=\"\\\\ \\\" \\n\"} 1e-7\na +Inf\n").get("a")!
    assert.deepStrictEqual(family.samples, [{ name: "a", labels: { x: "\\ \" \n" }, value: 1e-7 }, { name: "a", labels: {}, value: Infinity }])
    assert.strictEqual(family.help, "what it is")
  })
})
