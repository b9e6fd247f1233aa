import { Effect } from "effect"
import { Nursery } from "effect-nursery"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { Database } from "../../../examples/storefront/database/Database.ts"
import { findPostgres, makeDatabase, type OwnDatabase } from "../../support/Postgres.ts"
import { type Collector, startCollector } from "./collector.ts"
import { eventually } from "./asking.ts"
import { nowhere, type Shop, startShop } from "./shop.ts"

interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly attributes: ReadonlyArray<{ readonly key: string; readonly value: Readonly<Record<string, unknown>> }>
  readonly events: ReadonlyArray<{ readonly name: string; readonly attributes: Span["attributes"] }>
  readonly status: { readonly code: number }
}

const failed = 2

const spansIn = (collector: Collector): ReadonlyArray<Span> =>
  collector.received.flatMap(({ body }) => body.resourceSpans).flatMap(({ scopeSpans }) => scopeSpans).flatMap(({ spans }) => spans)

const attribute = (span: Span, key: string): unknown => {
  const found = span.attributes.find((one) => one.key === key)?.value
  return found === undefined ? undefined : Object.values(found)[0]
}

const traceparent = { id: "0af7651916cd43dd8448eb211c80319c", span: "b7ad6b7169203331" }

const routes = HttpRouter.use(Effect.fnUntraced(function*(router) {
  yield* router.add("GET", "/test/page/:name", Nursery.open((n) =>
    Effect.gen(function*() {
      yield* n.startSoon(Effect.void, { name: "header" })
      yield* n.startSoon(Effect.void.pipe(Effect.withSpan("price list")), { name: "prices" })
      return HttpServerResponse.text("page")
    }), { name: "page" }))
  yield* router.add("GET", "/test/broken", Effect.die(new Error("broken")))
}))

describe("traces", { timeout: 60_000 }, () => {
  let collector: Collector
  let shop: Shop

  beforeAll(async () => {
    collector = await startCollector()
    shop = await startShop({
      database: nowhere,
      routes,
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/`, OTEL_EXPORTER_OTLP_HEADERS: "authorization=Basic%20key,x-tenant=shop", OTEL_SERVICE_NAME: "corner-shop", JOB_WORKERS: "0" }
    })
  })
  afterAll(async () => {
    await shop.stop()
    await collector.close()
  })

  const spanOf = (what: string, fits: (span: Span) => boolean) => eventually(() => spansIn(collector).find(fits), `a span: ${what}`)

  it("have a span for each request, with its route, and below it its nurseries and tasks", async () => {
    await shop.fetch("/test/page/main?q=1", { headers: { authorization: "Bearer-of-news" } }).then((answer) => answer.text())
    const request = await spanOf("the request", (span) => attribute(span, "http.route") === "/test/page/:name")
    assert.strictEqual(request.parentSpanId, undefined)
    assert.strictEqual(request.kind, 2)
    assert.equal(attribute(request, "http.response.status_code"), 200)
    const mine = spansIn(collector).filter((span) => span.traceId === request.traceId)
    const named = (name: string) => mine.find((span) => span.name === name)!
    assert.sameMembers(mine.map((span) => span.name), [request.name, "page", "header", "prices", "price list"])
    assert.strictEqual(named("page").parentSpanId, request.spanId)
    assert.strictEqual(named("header").parentSpanId, named("page").spanId)
    assert.strictEqual(named("prices").parentSpanId, named("page").spanId)
    assert.strictEqual(named("price list").parentSpanId, named("prices").spanId)
    // What a client is trusted with is not told to others.
    assert.notInclude(JSON.stringify(mine), "Bearer-of-news")
  })

  it("are one for each request, or go on with the one that the client names", async () => {
    await Promise.all([shop.fetch("/items/1"), shop.fetch("/items/2")])
    await shop.fetch("/items/3", { headers: { traceparent: `00-${traceparent.id}-${traceparent.span}-01` } })
    const of = (path: string) => spanOf(path, (span) => attribute(span, "url.path") === path)
    const [one, two, three] = [await of("/items/1"), await of("/items/2"), await of("/items/3")]
    assert.notStrictEqual(one.traceId, two.traceId)
    assert.strictEqual(three.traceId, traceparent.id)
    assert.strictEqual(three.parentSpanId, traceparent.span)
  })

  it("mark a request that has failed", async () => {
    await shop.fetch("/test/broken").then((answer) => answer.text())
    const span = await spanOf("the failed one", (one) => attribute(one, "http.route") === "/test/broken")
    assert.strictEqual(span.status.code, failed)
  })

  it("are sent under the name of the service, with the headers for the collector", () => {
    const [first] = collector.received
    assert.strictEqual(first!.path, "/v1/traces")
    assert.strictEqual(first!.headers["authorization"], "Basic key")
    assert.strictEqual(first!.headers["x-tenant"], "shop")
    const { attributes } = first!.body.resourceSpans[0].resource
    assert.strictEqual(attributes.find(({ key }: { readonly key: string }) => key === "service.name").value.stringValue, "corner-shop")
  })

  it("have the nurseries and tasks of the application when it ends", async () => {
    const other = await startCollector()
    const short = await startShop({ database: nowhere, env: { OTEL_EXPORTER_OTLP_ENDPOINT: other.url } })
    await short.stop()
    const spans = spansIn(other)
    const named = (name: string) => spans.find((span) => span.name === name)!
    assert.strictEqual(named("storefront").parentSpanId, undefined)
    for (const name of ["database", "background"]) assert.strictEqual(named(name).parentSpanId, named("storefront").spanId)
    // Its end is told by the reason.
    assert.deepStrictEqual(named("database").events.map((event) => event.name), ["cancelled"])
    await other.close()
  })
})

describe("a collector that is not there", { timeout: 60_000 }, () => {
  it("is no fault: requests are answered, and the program ends in time", async () => {
    const shop = await startShop({ database: nowhere, env: { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" } })
    for (let i = 0; i < 10; i++) assert.strictEqual((await shop.fetch(`/items/${i + 1}`)).status, 200)
    const begun = performance.now()
    await shop.stop()
    assert.isBelow(performance.now() - begun, 4000)
  })

  it("that does not answer keeps the program for a second at most", async () => {
    const collector = await startCollector()
    collector.answer = "never"
    const shop = await startShop({ database: nowhere, env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url } })
    assert.strictEqual((await shop.fetch("/items/1")).status, 200)
    const begun = performance.now()
    await shop.stop()
    assert.isBelow(performance.now() - begun, 4000)
    assert.isAtLeast(collector.received.length, 1)
    await collector.close()
  })
})

const postgres = await findPostgres()

describe.skipIf(postgres === undefined)("traces of queries", { timeout: 60_000 }, () => {
  let own: OwnDatabase
  beforeAll(async () => {
    own = await makeDatabase(postgres!)
  }, 60_000)
  afterAll(() => own.drop())

  it("have a span for each, below the request, with its text and without its values", async () => {
    const collector = await startCollector()
    const byName = HttpRouter.use(Effect.fnUntraced(function*(router) {
      const { query } = yield* Database
      yield* router.add("GET", "/test/brand/:name", Effect.flatMap(HttpRouter.params, ({ name }) =>
        Effect.as(query((sql) => sql`select brand_id from brand where brand_name = ${name!}`), HttpServerResponse.text("found"))))
    }))
    const shop = await startShop({ database: own.url, routes: byName, env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url } })
    await shop.ready()
    await shop.fetch("/test/brand/a-private-name").then((answer) => answer.text())
    const request = await eventually(() => spansIn(collector).find((span) => attribute(span, "http.route") === "/test/brand/:name"), "the request")
    const query = spansIn(collector).find((span) => span.parentSpanId === request.spanId)!
    assert.include(JSON.stringify(query.attributes), "select brand_id from brand where brand_name = $1")
    assert.notInclude(JSON.stringify(query), "a-private-name")
    await shop.stop()
    await collector.close()
  })
})
