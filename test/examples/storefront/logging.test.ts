import { Cause, Deferred, Effect, type Fiber, Logger, Stream } from "effect"
import { CancelScope, Nursery } from "effect-nursery"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { assert, beforeAll, describe, it } from "vitest"
import { formatJson } from "../../../examples/storefront/Log.ts"
import * as Origin from "../../../examples/storefront/operations/Origin.ts"
import type { Ended, Started } from "../../node/main/start.ts"
import { eventually, json } from "./asking.ts"
import { addressOf, nowhere, startProgram, startShop } from "./shop.ts"

/** Each of them would be found in a log that has it. */
const secrets = ["open-sesame", "redis-word", "collector-key", "report-key", "Bearer-of-news", "crumbs", "in-the-query", "in-the-body"]

describe("the log of the program", { timeout: 60_000 }, () => {
  let program: Started
  let url: string
  let ended: Ended
  let lines: ReadonlyArray<any>
  const asked = new Map<string, string>()

  beforeAll(async () => {
    program = startProgram(["--port", "0"], {
      ACCESS_LOG: "true",
      DATABASE_URL: "postgres://shopkeeper:open-sesame@127.0.0.1:1/shop",
      // Nobody answers at any of these.
      REDIS_URL: "redis://:redis-word@127.0.0.1:1",
      ERROR_REPORT_URL: "http://report-key@127.0.0.1:1/report-key",
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1",
      OTEL_EXPORTER_OTLP_HEADERS: "authorization=collector-key"
    })
    url = await addressOf(program)
    const headers = { authorization: "Bearer-of-news", cookie: "session=crumbs" }
    for (const path of ["/hello", "/hello/Alice?password=in-the-query", "/items/x", "/nothing/here", "/brands", "/readyz", "/metrics"]) {
      const answer = await fetch(url + path, { headers })
      await answer.arrayBuffer()
      asked.set(path, answer.headers.get("x-request-id") ?? "")
    }
    const posted = await fetch(`${url}/send-notification/`, json({ email: "ann@example.com", message: "in-the-body" }))
    assert.strictEqual(posted.status, 202)
    asked.set("/send-notification/", posted.headers.get("x-request-id")!)
    await fetch(`${url}/items/`, json("{\"name\": \"in-the-body"))
    await program.prints("a letter was sent")
    program.kill("SIGTERM")
    ended = await program.ended
    lines = ended.stderr.split("\n").filter((line) => line !== "" && !line.startsWith("SIGTERM")).map((line) => JSON.parse(line))
  }, 60_000)

  const requests = () => lines.filter((line) => line.message === "request")

  it("is lines of JSON, each with its time, its level and its task (HA37, S0-11g)", () => {
    assert.strictEqual(ended.code, 0)
    assert.isAbove(lines.length, 9)
    for (const line of lines) {
      assert.isFalse(Number.isNaN(Date.parse(line.timestamp)))
      assert.include(["INFO", "WARN"], line.level)
      assert.match(line.task, /^main > /)
    }
  })

  it("has one line for each request, with the number that its answer has (S2-7.5.6)", () => {
    assert.strictEqual(requests().length, 9)
    for (const [path, requestId] of asked) {
      const [line, more] = requests().filter(({ annotations }) => annotations.path === path.replace(/\?.*/, ""))
      if (path === "/send-notification/" || path !== "/hello") assert.strictEqual(line.requestId, requestId)
      assert.strictEqual(more, undefined)
      assert.isNumber(line.annotations.millis)
      assert.match(line.task, /^main > .*storefront > background > server$/)
    }
    const [hello] = requests().filter(({ annotations }) => annotations.route === "/hello/:name")
    assert.deepInclude(hello.annotations, { method: "GET", path: "/hello/Alice", status: 200 })
    assert.strictEqual(requests().find(({ annotations }) => annotations.path === "/nothing/here").annotations.route, undefined)
  })

  it("has the task path and the request of what goes on after the answer", () => {
    const letter = lines.find((line) => JSON.stringify(line.message).includes("a letter was sent"))
    assert.match(letter.task, /storefront > background > notification$/)
    assert.strictEqual(letter.requestId, asked.get("/send-notification/"))
  })

  it("has no secrets: neither those of the configuration nor those of clients (H25)", () => {
    for (const secret of secrets) {
      assert.notInclude(ended.stderr, secret)
      assert.notInclude(ended.stdout, secret)
    }
  })
})

describe("the access log", () => {
  const broken = HttpRouter.use((router) => router.add("GET", "/test/broken", Effect.die(new Error("broken"))))
  const linesOf = async (env: Record<string, string>) => {
    const shop = await startShop({ database: nowhere, env, routes: broken })
    for (let i = 0; i < 20; i++) await shop.fetch("/time").then((answer) => answer.text())
    for (let i = 0; i < 3; i++) await shop.fetch("/test/broken").then((answer) => answer.text())
    await shop.stop()
    const requests = shop.logs.filter((line) => line.message === "request")
    return { usual: requests.filter((line) => line.annotations["status"] === 200).length, faults: requests.filter((line) => line.annotations["status"] === 500).length }
  }

  it("is off unless it is asked for", async () => {
    assert.deepStrictEqual(await linesOf({}), { usual: 0, faults: 0 })
  })

  it("writes only each n-th request when it is told to, and each of our faults", async () => {
    assert.deepStrictEqual(await linesOf({ ACCESS_LOG: "true", ACCESS_LOG_EVERY: "5" }), { usual: 4, faults: 3 })
  })

  it("marks a request whose client has gone", async () => {
    const never = HttpRouter.use((router) => router.add("GET", "/test/never", Effect.never))
    const shop = await startShop({ database: nowhere, env: { ACCESS_LOG: "true" }, routes: never })
    const client = new AbortController()
    const gone = shop.fetch("/test/never", { signal: client.signal }).catch(() => "gone")
    await eventually(async () => (await shop.fetch("/metrics").then((answer) => answer.text())).includes("http_requests_in_flight 2") || undefined, "two requests at once")
    client.abort()
    await gone
    const line = await eventually(() => shop.logs.find(({ annotations }) => annotations["path"] === "/test/never"), "a line")
    assert.deepInclude(line.annotations, { status: 499, lost: true, route: "/test/never" })
    await shop.stop()
  })
})

describe("a fault", () => {
  it("after the head of its answer cuts the connection, and is logged once (H24)", async () => {
    const read = Deferred.makeUnsafe<void>()
    const bytes = new TextEncoder().encode("half of it")
    const half = Stream.concat(Stream.make(bytes), Stream.fromEffect(Effect.andThen(Deferred.await(read), Effect.fail(new Error("the other half is gone")))))
    const routes = HttpRouter.use((router) => router.add("GET", "/test/half", HttpServerResponse.stream(half)))
    const shop = await startShop({ database: nowhere, routes })
    const answer = await shop.fetch("/test/half")
    assert.strictEqual(answer.status, 200)
    const reader = answer.body!.getReader()
    assert.deepStrictEqual((await reader.read()).value, bytes)
    Deferred.doneUnsafe(read, Effect.void)
    // A clean end would pass for the whole of it.
    await reader.read().then((more) => assert.fail(`it ended well: ${JSON.stringify(more)}`), () => {})
    const told = () => shop.logs.filter((line) => JSON.stringify(line).includes("the other half is gone"))
    await eventually(() => told()[0], "a line")
    // Others are served as before.
    assert.strictEqual((await shop.fetch("/time")).status, 200)
    await shop.stop()
    assert.strictEqual(told().length, 1)
  })
})

describe("a log line", () => {
  const lineOf = async (effect: Effect.Effect<void>): Promise<string> => {
    const lines: Array<string> = []
    await Effect.runPromise(Effect.provide(effect, Logger.layer([Logger.map(formatJson, (line) => void lines.push(line))])))
    assert.strictEqual(lines.length, 1)
    return lines[0]!
  }

  it("hides the password of an address, wherever in it that stands (H25)", async () => {
    const address = "postgres://shopkeeper:open-sesame@10.0.0.1/shop"
    const line = await lineOf(Effect.annotateLogs(Effect.logError(`lost ${address}`, { address }, Cause.die(new Error(address))), { address }))
    assert.notInclude(line, "open-sesame")
    // As many as there were: in the message twice, in the annotation, in the cause.
    assert.isAtLeast(line.split("postgres://shopkeeper:<redacted>@10.0.0.1/shop").length - 1, 4)
    assert.doesNotThrow(() => JSON.parse(line))
  })

  it("takes nothing else for a password", async () => {
    const values = { one: "http://127.0.0.1:8080", two: "ada@shop.example", three: "http://host:80/a@b", four: "no address: a@b" }
    assert.deepInclude(JSON.parse(await lineOf(Effect.annotateLogs(Effect.logInfo("addresses"), values))).annotations, values)
  })
})

describe("Origin", () => {
  it("knows the whole path of a task, through nurseries and scopes in it", async () => {
    const lines: Array<any> = []
    const logger = Logger.map(formatJson, (line) => void lines.push(JSON.parse(line)))
    const program = Nursery.open((n) =>
      n.startSoon(CancelScope.open(() => Nursery.open((inner) => inner.startSoon(Effect.logInfo("here"), { name: "innermost" }), { name: "inner" }), { name: "scope" }), { name: "task" }), { name: "outer" })
    await Effect.runPromise(program.pipe(Origin.record, Effect.provide(Logger.layer([logger]))))
    assert.strictEqual(lines[0].task, "outer > task > scope > inner > innermost")
  })

  it("says nothing where nothing is known", async () => {
    const origin = await Effect.runPromise(Effect.withFiber((fiber: Fiber.Fiber<unknown, unknown>) => Effect.succeed(Origin.originOf(fiber))))
    assert.deepStrictEqual(origin, {})
  })
})
