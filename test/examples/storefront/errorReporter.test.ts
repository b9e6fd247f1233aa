import { Cause, Data, Deferred, Effect, Option, Stream } from "effect"
import { CapacityLimiter, Nursery } from "effect-nursery"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { afterAll, assert, beforeAll, beforeEach, describe, it } from "vitest"
import { Background } from "../../../examples/storefront/Background.ts"
import { SharedQuery } from "../../../examples/storefront/database/SharedQuery.ts"
import { type ErrorReport, reportOf } from "../../../examples/storefront/operations/ErrorReport.ts"
import { type Collector, startCollector } from "./collector.ts"
import { eventually } from "./asking.ts"
import { nowhere, type Shop, startShop } from "./shop.ts"

class OutOfMilk extends Data.TaggedError("OutOfMilk")<{ readonly litres: number }> {
  override get message(): string {
    return `${this.litres} litres are missing`
  }
}

/** Requests that ask the same, of a shelf that is looked at when the door opens. */
const shelf = { asked: 0, seen: 0, door: Deferred.makeUnsafe<void>() }

const routes = HttpRouter.use(Effect.fnUntraced(function*(router) {
  const background = yield* Background
  // The first failure cancels the other task, which fails in its cleanup.
  const group = Nursery.open((n) =>
    Effect.gen(function*() {
      yield* n.startNow(Effect.never.pipe(Effect.onExit(() => Effect.die(new TypeError("no oven")))), { name: "cake" })
      yield* n.startSoon(Effect.fail(new OutOfMilk({ litres: 2 })), { name: "tea" })
      return HttpServerResponse.text("breakfast")
    }), { name: "breakfast" })
  yield* router.add("GET", "/test/group/:n", group)
  yield* router.add("GET", "/test/address", Effect.die(new Error("cannot reach postgres://shopkeeper:open-sesame@10.0.0.1/shop")))
  yield* router.add("GET", "/test/never", Effect.never)
  yield* router.add("POST", "/test/later", Effect.as(background.start(Effect.fail(new OutOfMilk({ litres: 7 })), { name: "shopping" }), HttpServerResponse.text("soon")))
  const shared = new SharedQuery(yield* CapacityLimiter.make(1))
  const look = Effect.suspend(() => {
    shelf.seen++
    return Effect.andThen(Deferred.await(shelf.door), Effect.die(new Error("the shelf is empty")))
  })
  yield* router.add("GET", "/test/shared", Effect.suspend(() => {
    shelf.asked++
    return shared.ask("shelf", look)
  }))
  yield* router.add("GET", "/test/half", HttpServerResponse.stream(Stream.fail(new Error("gone"))))
}))

describe("reports of errors", { timeout: 60_000 }, () => {
  let collector: Collector
  let shop: Shop
  const reports = () => collector.received.map(({ body }) => body as ErrorReport)
  let before = 0

  beforeAll(async () => {
    collector = await startCollector()
    shop = await startShop({ database: nowhere, routes, env: { ERROR_REPORT_URL: `${collector.url.replace("//", "//shop:report-key@")}/errors?project=7` } })
  })
  beforeEach(() => {
    before = collector.received.length
  })
  afterAll(async () => {
    await shop.stop()
    await collector.close()
  })

  it("show both failures of a group, each with its task, and the request (HA38, S0-11f)", async () => {
    const answer = await shop.fetch("/test/group/1")
    assert.strictEqual(answer.status, 500)
    // The client learns nothing of it but its number.
    assert.notInclude(await answer.text(), "litres")
    const report = await eventually(() => reports()[before], "a report")
    assert.deepStrictEqual(report.failures.map(({ message, task, type }) => ({ task, type, message })), [
      { task: "tea", type: "OutOfMilk", message: "2 litres are missing" },
      { task: "cake", type: "TypeError", message: "no oven" }
    ])
    for (const { stack } of report.failures) assert.match(stack!, /errorReporter\.test\.ts/)
    assert.strictEqual(report.requestId, answer.headers.get("x-request-id"))
    assert.strictEqual(report.method, "GET")
    assert.strictEqual(report.route, "/test/group/:n")
    assert.isFalse(Number.isNaN(Date.parse(report.timestamp)))
    assert.strictEqual(collector.received[before]!.path, "/errors?project=7")
    assert.strictEqual(collector.received[before]!.headers["authorization"], `Basic ${btoa("shop:report-key")}`)
  })

  it("come also of work that goes on after the answer", async () => {
    assert.strictEqual((await shop.fetch("/test/later", { method: "POST" })).status, 200)
    const report = await eventually(() => reports()[before], "a report")
    assert.deepStrictEqual(report.failures.map(({ message, task }) => ({ task, message })), [{ task: "shopping", message: "7 litres are missing" }])
    // The log has it, too, and once.
    assert.strictEqual(shop.logs.filter((line) => line.cause?.includes("7 litres") === true).length, 1)
  })

  it("come once of a fault that requests share: the log of the others names the request that has it, and each gets its own number", async () => {
    const ask = async () => {
      const answer = await shop.fetch("/test/shared")
      const requestId = answer.headers.get("x-request-id")!
      assert.strictEqual(answer.status, 500)
      assert.strictEqual((await answer.json() as { readonly instance: string }).instance, `urn:request:${requestId}`)
      return requestId
    }
    const first = ask()
    await eventually(() => shelf.seen === 1 || undefined, "a query")
    const others = Array.from({ length: 5 }, ask)
    await eventually(() => shelf.asked === 6 || undefined, "all requests")
    Deferred.doneUnsafe(shelf.door, Effect.void)
    const requestIds = await Promise.all([first, ...others])
    const lines = shop.logs.filter(({ annotations }) => requestIds.includes(String(annotations["requestId"])))
    assert.strictEqual(lines.length, 6)
    // The first query, the one of the next, and one once more for those who have waited: three have failed, and no more.
    const told = lines.filter(({ cause }) => cause!.includes("the shelf is empty"))
    assert.strictEqual(told.length, 3)
    const [, , last] = told
    for (const { cause } of lines.filter((line) => !told.includes(line))) assert.strictEqual(cause, `ToldElsewhere: the same fault as that of request ${String(last!.annotations["requestId"])}`)
    // A fault comes after them, and so does its report.
    await shop.fetch("/test/address").then((answer) => answer.text())
    await eventually(() => reports().find(({ route }, i) => i >= before && route === "/test/address"), "a report")
    assert.deepStrictEqual(reports().slice(before).map(({ route }) => route), ["/test/shared", "/test/shared", "/test/shared", "/test/address"])
  })

  it("do not come of what is no fault of ours: wrong requests, missing things, clients that go", async () => {
    for (const path of ["/items/x", "/nothing", "/brands"]) await shop.fetch(path).then((answer) => answer.text())
    const client = new AbortController()
    const gone = shop.fetch("/test/never", { signal: client.signal }).catch(() => "gone")
    await eventually(async () => (await shop.fetch("/metrics").then((answer) => answer.text())).includes("http_requests_in_flight 2") || undefined, "it is under way")
    client.abort()
    await gone
    // A fault comes after them, and so does its report.
    await shop.fetch("/test/group/2").then((answer) => answer.text())
    await eventually(() => reports()[before], "a report")
    assert.deepStrictEqual(reports().slice(before + 1), [])
    assert.strictEqual(reports()[before]!.failures.length, 2)
  })

  it("name no password of an address", async () => {
    await shop.fetch("/test/address").then((answer) => answer.text())
    const report = await eventually(() => reports()[before], "a report")
    assert.include(report.failures[0]!.message, "postgres://shopkeeper:<redacted>@10.0.0.1/shop")
    assert.notInclude(JSON.stringify(report), "open-sesame")
  })

  it("are sent again when the collector is busy, and given up with a line in the log", async () => {
    collector.answer = 503
    await shop.fetch("/test/group/3").then((answer) => answer.text())
    await eventually(() => shop.logs.find(({ message }) => JSON.stringify(message).includes("could not be delivered")), "a line in the log")
    assert.strictEqual(reports().length, before + 4)
    collector.answer = 200
    // The next one gets through.
    await shop.fetch("/test/address").then((answer) => answer.text())
    await eventually(() => reports()[before + 4], "a report")
    assert.notInclude(JSON.stringify(shop.logs), "report-key")
  })
})

describe("the last reports", { timeout: 60_000 }, () => {
  it("are delivered before the program ends", async () => {
    const collector = await startCollector()
    const shop = await startShop({ database: nowhere, routes, env: { ERROR_REPORT_URL: collector.url } })
    await Promise.all(Array.from({ length: 20 }, () => shop.fetch("/test/address").then((answer) => answer.text())))
    await shop.stop()
    assert.strictEqual(collector.received.length, 20)
    await collector.close()
  })

  it("do not keep a program for long when the collector does not answer, and those that are too many are dropped", async () => {
    const collector = await startCollector()
    collector.answer = "never"
    const shop = await startShop({ database: nowhere, routes, env: { ERROR_REPORT_URL: collector.url } })
    await Promise.all(Array.from({ length: 120 }, () => shop.fetch("/test/address").then((answer) => answer.text())))
    assert.strictEqual(shop.logs.filter(({ message }) => JSON.stringify(message).includes("are dropped")).length, 1)
    const begun = performance.now()
    await shop.stop()
    assert.isBelow(performance.now() - begun, 4000)
    await collector.close()
  })
})

describe("reportOf", () => {
  const report = (cause: Cause.Cause<unknown>) => Effect.runSync(Effect.withFiber((fiber) => Effect.succeed(reportOf(cause, fiber, 0n))))

  it("has nothing to say about an interruption alone", () => {
    assert.deepStrictEqual(report(Cause.interrupt(1)), Option.none())
  })

  it("leaves an interruption out that came with a failure", () => {
    const both = Cause.fromReasons([...Cause.interrupt(1).reasons, ...Cause.fail("no milk").reasons])
    assert.deepStrictEqual(Option.getOrThrow(report(both)).failures, [{ task: "", type: "string", message: "no milk" }])
  })

  it("describes whatever was thrown", () => {
    const round: Record<string, unknown> = {}
    round["self"] = round
    for (const value of [undefined, null, 5, 5n, { litres: 3 }, round, Symbol("s")]) assert.isTrue(Option.isSome(report(Cause.die(value))))
  })
})
