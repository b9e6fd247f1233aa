/**
 * The lessons on HTTP clients: in this process on virtual time, without a network; in this process on real sockets; and as
 * programs, with what they print.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Duration, Effect, Exit, Layer, type Scope } from "effect"
import { Failures, Nursery, Timeout } from "effect-nursery"
import { LeakCheck, VirtualClock } from "effect-nursery/testing"
import { HttpClient, HttpClientResponse } from "effect/http"
import * as net from "node:net"
import { assert, describe, it } from "vitest"
import * as siblings from "../../examples/http-client/cancelled-siblings.ts"
import * as mirror from "../../examples/http-client/first-mirror.ts"
import * as InProcess from "../../examples/http-client/InProcess.ts"
import * as pipeline from "../../examples/http-client/pipeline.ts"
import * as retries from "../../examples/http-client/retries.ts"
import * as session from "../../examples/http-client/session.ts"
import * as Stub from "../../examples/http-client/stub.ts"
import * as StubRoutes from "../../examples/http-client/StubRoutes.ts"
import * as limits from "../../examples/http-client/time-limits.ts"
import { start } from "../node/main/start.ts"

const base = "http://stub"
const at = (...paths: ReadonlyArray<string>) => paths.map((path) => base + path)

// --- in virtual time, without a network ---

interface World {
  /** What became of each request, such as `answered /page/1 after 0 ms`. */
  readonly visits: ReadonlyArray<string>
  readonly stub: StubRoutes.Stub
}

/** Runs a program against a stub in the same process. All times are exact. */
const inProcess = <A, E>(program: (world: World) => Effect.Effect<A, E, HttpClient.HttpClient | Scope.Scope>): Promise<A> =>
  VirtualClock.run(Effect.scoped(Effect.gen(function*() {
    const visits: Array<string> = []
    const stub = yield* StubRoutes.make((visit) => Effect.sync(() => visits.push(StubRoutes.toText(visit))))
    return yield* Effect.provideService(program({ visits, stub }), HttpClient.HttpClient, InProcess.client(stub.handle))
  })))

/** How long it took, in milliseconds of the clock. */
const timed = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<readonly [A, number], E, R> =>
  Effect.gen(function*() {
    const began = yield* Timeout.now
    const value = yield* effect
    return [value, (yield* Timeout.now) - began] as const
  })

const nobody = () => Effect.void

describe("a session, in virtual time", () => {
  it("gets two pages of 200 ms in 200 ms (S0-4b, HA35)", () =>
    inProcess(() =>
      Effect.gen(function*() {
        const [pages, millis] = yield* timed(session.getAll(at("/delay/200?a", "/delay/200?b"), 2, nobody))
        assert.deepStrictEqual(pages.map((page) => page.status), [200, 200])
        assert.strictEqual(millis, 200)
      })))

  it("takes the sum of the times one after the other, and the longest all together (S0-4a)", () =>
    inProcess(() =>
      Effect.gen(function*() {
        const urls = at("/delay/300", "/delay/200", "/delay/100")
        const orders: Array<Array<string>> = []
        for (const [atOnce, expected] of [[1, 600], [3, 300]] as const) {
          const order: Array<string> = []
          const [pages, millis] = yield* timed(session.getAll(urls, atOnce, (page) => Effect.sync(() => order.push(new URL(page.url).pathname))))
          assert.strictEqual(millis, expected)
          assert.deepStrictEqual(pages.map((page) => page.url), urls, "the result has the order of the list")
          orders.push(order)
        }
        assert.deepStrictEqual(orders, [["/delay/300", "/delay/200", "/delay/100"], ["/delay/100", "/delay/200", "/delay/300"]])
      })))

  it("has never more requests under way than it was told, and no fewer when there is enough to do", () =>
    inProcess(({ stub }) =>
      Effect.gen(function*() {
        const urls = Array.from({ length: 40 }, (_, i) => `${base}/delay/${10 + i % 7}`)
        const pages = yield* session.getAll(urls, 5, nobody)
        assert.lengthOf(pages, 40)
        assert.strictEqual(stub.peak(), 5)
      })))

  it("tells status, time and size of each page; a bad status is a page, and a redirect is followed", () =>
    inProcess(() =>
      Effect.gen(function*() {
        const pages = yield* session.getAll(at("/page/100000", "/status/404", "/redirect/2", "/drip/3"), 4, nobody)
        assert.deepStrictEqual(pages.map(({ bytes, millis, status }) => [status, bytes, millis]), [
          [200, 100_000, 0],
          [404, 11, 0],
          [200, 12, 0],
          [200, 3, 300]
        ])
      })))

  it("cancels the others when one cannot be had", () =>
    inProcess(({ visits }) =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(session.getAll(at("/delay/60000", "/drip/600", "/reset"), 3, nobody))
        assert.match(JSON.stringify(exit), /TransportError/)
        assert.sameMembers([...visits], ["answered /reset after 0 ms", "the client has left /delay/60000 after 0 ms", "the client has left /drip/600 after 0 ms"])
      })))
})

describe("time limits, in virtual time", () => {
  it("give up on a request at the limit, and the server sees it (S0-8e)", () =>
    inProcess(({ visits }) =>
      Effect.gen(function*() {
        const [error, millis] = yield* timed(Effect.flip(limits.oneRequest(`${base}/delay/30000`)))
        assert.strictEqual(error.message, "the request took longer than 200ms")
        assert.strictEqual(millis, 200)
        assert.deepStrictEqual(visits, ["the client has left /delay/30000 after 200 ms"])
      })))

  it("leave alone what is in time", () =>
    inProcess(({ visits }) =>
      Effect.gen(function*() {
        assert.strictEqual(yield* limits.oneRequest(`${base}/delay/199`), "that took 199 ms\n")
        assert.deepStrictEqual(visits, ["answered /delay/199 after 199 ms"])
      })))

  it("hold for a body that drips when they stand around it", () =>
    inProcess(({ visits }) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(limits.withBody(`${base}/drip/100`))
        assert.strictEqual(error.message, "head and body took longer than 250ms")
        assert.deepStrictEqual(visits, ["the client has left /drip/100 after 250 ms"])
        assert.strictEqual(yield* limits.withBody(`${base}/drip/2`), "..")
      })))

  it("do not hold for the body when they stand around the head alone: the pitfall of the page", () =>
    inProcess(() =>
      Effect.gen(function*() {
        const headOnly = HttpClient.get(`${base}/drip/100`).pipe(Timeout.failAfter("250 millis"), Effect.flatMap((response) => response.text))
        const [text, millis] = yield* timed(headOnly)
        assert.deepStrictEqual([text.length, millis], [100, 10_000])
      })))

  it("give a default instead", () =>
    inProcess(() =>
      Effect.gen(function*() {
        assert.strictEqual(yield* limits.orDefault(`${base}/delay/30000`, "no news"), "no news")
        assert.strictEqual(yield* limits.orDefault(`${base}/delay/100`, "no news"), "that took 100 ms\n")
      })))

  it("cancel all requests of a group", () =>
    inProcess(({ visits }) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(limits.allOfThem(at("/page/5", "/delay/30000", "/drip/100")))
        assert.strictEqual(error.message, "the three together took longer than 200ms")
        assert.sameMembers([...visits], ["answered /page/5 after 0 ms", "the client has left /delay/30000 after 200 ms", "the client has left /drip/100 after 200 ms"])
      })))

  it("show the parts that are done, name those that are pending, and cancel these (S0-4e)", () =>
    inProcess(({ visits }) =>
      Effect.gen(function*() {
        const [page, millis] = yield* timed(limits.page(at("/delay/20", "/delay/500", "/delay/40")))
        assert.deepStrictEqual(page, { texts: ["that took 20 ms", "that took 40 ms"], leftOut: ["/delay/500"] })
        assert.strictEqual(millis, 250)
        assert.deepStrictEqual(visits, ["answered /delay/20 after 20 ms", "answered /delay/40 after 40 ms", "the client has left /delay/500 after 250 ms"])
      })))

  it("wait no longer than for the last part, if all are in time (S0-4e)", () =>
    inProcess(() =>
      Effect.gen(function*() {
        const [page, millis] = yield* timed(limits.page(at("/delay/20", "/delay/40")))
        assert.deepStrictEqual(page, { texts: ["that took 20 ms", "that took 40 ms"], leftOut: [] })
        assert.strictEqual(millis, 40)
      })))
})

describe("retries, in virtual time", () => {
  const cases: ReadonlyArray<readonly [what: string, path: string, result: string, millis: number, requests: number]> = [
    ["are not needed when all is well; the JSON is parsed (S0-8e)", "/item/7", "item 7 costs 700", 0, 1],
    ["wait 100 and 200 ms for a server that fails twice", "/flaky/2", "item 3 costs 300", 300, 3],
    ["succeed at the fourth and last try", "/flaky/3", "item 4 costs 400", 700, 4],
    ["give up after the fourth, with the status", "/flaky/4", "the server says 503", 700, 4],
    ["leave alone what would be the same again", "/status/404", "the server says 404", 0, 1],
    ["are made after a connection that broke, and say so in the end (S0-5c)", "/reset", "no connection: broken", 700, 4],
    ["are cut off by the budget, each by its own limit before (S0-5c)", "/delay/30000", "gave up: the budget took longer than 2s", 2000, 3]
  ]
  for (const [what, path, result, millis, requests] of cases) {
    it(what, () =>
      inProcess(({ visits }) =>
        Effect.gen(function*() {
          assert.deepStrictEqual(yield* timed(retries.getItem(base + path)), [result, millis])
          assert.lengthOf(visits, requests)
        })))
  }

  it("wait as long as Retry-After says, and no longer than the budget", () =>
    inProcess(() =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* timed(retries.getItem(`${base}/busy/1`)), ["item 2 costs 200", 1000])
        assert.deepStrictEqual(yield* timed(retries.getItem(`${base}/busy/2?for=long`)), ["gave up: the budget took longer than 2s", 2000])
      })))

  it("are made when a body broke off", () =>
    inProcess(({ visits }) =>
      Effect.gen(function*() {
        const [error, millis] = yield* timed(Effect.flip(retries.getItem(`${base}/cut`)))
        assert.strictEqual(error._tag === "HttpClientError" ? error.reason._tag : error._tag, "DecodeError")
        assert.strictEqual(millis, 700)
        assert.lengthOf(visits, 4)
      })))

  it("let an error without an answer go on to the nursery, which cancels the others (S0-5c)", () =>
    inProcess(({ visits }) =>
      Effect.gen(function*() {
        const both = Nursery.open((n) =>
          Effect.gen(function*() {
            yield* n.startSoon(retries.getItem(`${base}/delay/400`), { name: "slow" })
            yield* n.startSoon(retries.getItem(`${base}/not-json`), { name: "no JSON" })
          }), { name: "items" })
        const exit = yield* Effect.exit(both)
        assert.isTrue(Exit.isFailure(exit))
        if (Exit.isFailure(exit)) assert.strictEqual(Failures.pretty(exit.cause), "1 failure\n└─ items\n   └─ no JSON\n      └─ HttpClientError: Decode error (200 GET http://stub/not-json)")
        assert.sameMembers([...visits], ["answered /not-json after 0 ms", "the client has left /delay/400 after 0 ms"])
      })))
})

describe("a mocked client", () => {
  const answering = (answer: (url: URL) => Response) =>
    Layer.succeed(HttpClient.HttpClient, HttpClient.make((request, url) => Effect.succeed(HttpClientResponse.fromWeb(request, answer(url)))))

  it("is a layer: the code under test does not know (S0-9b)", async () => {
    const mock = answering(() => Response.json({ id: 1, name: "tea", price: 3 }))
    assert.strictEqual(await VirtualClock.run(Effect.provide(retries.getItem("http://shop.example/items/1"), mock)), "tea costs 3")
  })

  it("fails as a server would, for a test of the error (S0-9b)", async () => {
    const mock = answering(() => new Response("gone", { status: 410 }))
    assert.strictEqual(await VirtualClock.run(Effect.provide(retries.getItem("http://shop.example/items/1"), mock)), "the server says 410")
  })

  it("is a spy: it was called once, with this (S0-9d)", async () => {
    const calls: Array<readonly [method: string, url: string, agent: string | undefined]> = []
    const spy = HttpClient.make((request, url) => {
      calls.push([request.method, url.href, request.headers["user-agent"]])
      return Effect.succeed(HttpClientResponse.fromWeb(request, new Response("four")))
    })
    const page = await VirtualClock.run(Effect.provideService(session.getPage("http://shop.example/news?n=1"), HttpClient.HttpClient, spy))
    assert.deepStrictEqual(calls, [["GET", "http://shop.example/news?n=1", "effect-nursery-example"]])
    assert.deepStrictEqual(page, { url: "http://shop.example/news?n=1", status: 200, bytes: 4, millis: 0 })
  })
})

describe("cancelled siblings, in virtual time", () => {
  it("have left when the first failure is told, and the error is the one of the sibling (S0-4b, S0-4d)", () =>
    inProcess(({ stub, visits }) =>
      Effect.gen(function*() {
        const [error, millis] = yield* timed(Effect.flip(siblings.together(base)))
        assert.strictEqual(error.reason._tag === "StatusCodeError" && error.reason.response.status, 500)
        assert.strictEqual(millis, 100)
        assert.deepStrictEqual(visits, [
          "answered /delay/10 after 10 ms",
          "answered /delay/100 after 100 ms",
          "answered /status/500 after 0 ms",
          "the client has left /delay/30000 after 100 ms"
        ])
        assert.strictEqual(stub.inFlight.get, 0)
      })))

  it("go on to their end when all exits are wanted, in the shape of the request (S0-4d)", () =>
    inProcess(({ visits }) =>
      Effect.gen(function*() {
        const [exits, millis] = yield* timed(siblings.settled(base))
        assert.deepStrictEqual(Object.entries(exits).map(([name, exit]) => [name, exit._tag]), [["profile", "Success"], ["orders", "Failure"], ["advice", "Success"]])
        assert.deepStrictEqual(exits.advice, Exit.succeed("that took 300 ms"))
        assert.strictEqual(millis, 300)
        assert.strictEqual(visits.at(-1), "answered /delay/300 after 300 ms")
      })))
})

describe("the first mirror, in virtual time", () => {
  const mirrors = (paths: Record<string, string>) => Object.entries(paths).map(([name, path]) => ({ name, url: base + path }))

  it("is the first that has the file: the next is asked after 250 ms, or when the one before has failed", () =>
    inProcess(({ visits }) =>
      Effect.gen(function*() {
        const [winner, millis] = yield* timed(mirror.fromFirst(mirrors({ Paris: "/delay/30000", Oslo: "/status/503", Lima: "/delay/50" })))
        assert.deepStrictEqual([winner.name, millis], ["Lima", 300])
        assert.deepStrictEqual(visits, ["answered /status/503 after 0 ms", "answered /delay/50 after 50 ms", "the client has left /delay/30000 after 300 ms"])
      })))

  it("is the only one that is asked, if it is well", () =>
    inProcess(({ visits }) =>
      Effect.gen(function*() {
        const winner = yield* mirror.fromFirst(mirrors({ Lima: "/delay/50", Paris: "/delay/30000", Oslo: "/status/503" }))
        assert.strictEqual(winner.name, "Lima")
        assert.deepStrictEqual(visits, ["answered /delay/50 after 50 ms"])
      })))

  it("tells the errors of all when there is none", () =>
    inProcess(() =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(mirror.fromFirst(mirrors({ Paris: "/status/500", Oslo: "/reset", Lima: "/status/404" })))
        const reasons = Exit.isFailure(exit) ? exit.cause.reasons.map((reason) => reason._tag === "Fail" ? reason.error.reason._tag : reason._tag) : []
        assert.deepStrictEqual(reasons, ["StatusCodeError", "TransportError", "StatusCodeError"])
      })))
})

describe("fetch, process, fetch, process, in virtual time", () => {
  const urls = Array.from({ length: 4 }, (_, i) => `${base}/delay/100?item-${i + 1}`)
  const run = (how: typeof pipeline.inTurn | typeof pipeline.pipelined, of = urls) =>
    inProcess(() =>
      Effect.gen(function*() {
        const results: Array<string> = []
        const [exit, millis] = yield* timed(Effect.exit(how(of, (result) => Effect.sync(() => results.push(result)))))
        return { exit, millis, results: results.map((result) => result.split(":")[0]) }
      }))

  it("takes 800 ms in turn and 500 ms as a pipeline, with the same results in the same order (S0-5b)", async () => {
    const results = ["item-1", "item-2", "item-3", "item-4"]
    assert.deepStrictEqual(await run(pipeline.inTurn), { exit: Exit.void, millis: 800, results })
    assert.deepStrictEqual(await run(pipeline.pipelined), { exit: Exit.void, millis: 500, results })
  })

  it("ends with the failure of an item, in both ways (S0-5b)", async () => {
    const bad = [urls[0]!, `${base}/status/404`, urls[1]!]
    for (const how of [pipeline.inTurn, pipeline.pipelined]) {
      const { exit } = await run(how, bad)
      assert.match(JSON.stringify(exit), /"status":404/)
    }
  })
})

// --- on real sockets ---

/** Runs a program against a stub that listens, with one session whose connections are counted. */
const onSockets = <A, E>(connections: number, program: (stub: Stub.Listening) => Effect.Effect<A, E, HttpClient.HttpClient>) =>
  Nursery.open((n) => Effect.flatMap(n.start(Stub.serve({ host: "127.0.0.1", port: 0 }), { name: "stub", service: true }), program)).pipe(
    Effect.provide(NodeHttpClient.layerUndiciOptions({ connections }))
  )

// What closes may take its time on a busy machine.
const onTime: LeakCheck.Options = { time: "live", grace: "10 seconds" }

describe("a session on real sockets", () => {
  it("has three requests under way at the same time: each waits for the two others (S2-7.2.3, HA35)", async () => {
    const pages = await Effect.runPromise(onSockets(3, ({ url }) => session.getAll([1, 2, 3].map((i) => `${url}/meet/3?${i}`), 3, nobody)))
    assert.deepStrictEqual(pages.map((page) => page.status), [200, 200, 200])
  })

  it("gets from three servers at once, and tells the status of each (S2-7.2.3)", async () => {
    const told: Array<number> = []
    const program = Nursery.open((n) =>
      Effect.gen(function*() {
        const stubs = yield* Effect.forEach([200, 404, 500], () => n.start(Stub.serve({ host: "127.0.0.1", port: 0 }), { service: true }))
        const urls = stubs.map(({ url }, i) => `${url}/status/${[200, 404, 500][i]}`)
        return yield* session.getAll(urls, 3, (page) => Effect.sync(() => told.push(page.status)))
      })).pipe(Effect.provide(NodeHttpClient.layerUndici))
    const pages = await Effect.runPromise(program)
    assert.deepStrictEqual(pages.map((page) => page.status), [200, 404, 500])
    assert.sameMembers(told, [200, 404, 500])
  })

  it("uses its connections again, also after redirects and bad statuses", async () => {
    const used = await Effect.runPromise(onSockets(3, ({ connections, url }) =>
      Effect.gen(function*() {
        const paths = ["/page/20000", "/status/404", "/drip/2", "/item/1", "/delay/20"]
        yield* session.getAll(Array.from({ length: 30 }, (_, i) => url + paths[i % paths.length]!), 3, nobody)
        return connections()
      })))
    assert.isAtMost(used, 3)
  })

  it("tells before and after, and leaves nothing alive (S0-4c)", async () => {
    const told: Array<string> = []
    const tell = (text: string) => Effect.sync(() => void told.push(text))
    const program = onSockets(2, ({ url }) =>
      Effect.gen(function*() {
        yield* tell("before")
        yield* session.getAll([`${url}/delay/50`, `${url}/page/10`], 2, nobody)
        yield* tell("after")
      }))
    await LeakCheck.run(program, onTime)
    assert.deepStrictEqual(told, ["before", "after"])
  })

  it("leaves nothing alive either when it is cancelled in the middle (S0-4c, S0-8e)", async () => {
    const visits: Array<StubRoutes.Visit> = []
    const program = Nursery.open((n) =>
      Effect.gen(function*() {
        const serve = Stub.serve({ host: "127.0.0.1", port: 0 }, (visit) => Effect.sync(() => visits.push(visit)))
        const { inFlight, url } = yield* n.start(serve, { service: true })
        const task = yield* n.startSoon(session.getAll([`${url}/delay/60000`, `${url}/drip/600`], 2, nobody))
        yield* inFlight.waitUntil((requests) => requests === 2)
        yield* task.cancel("not needed")
        yield* inFlight.waitUntil((requests) => requests === 0)
      })).pipe(Effect.provide(NodeHttpClient.layerUndici))
    await LeakCheck.run(program, onTime)
    assert.deepStrictEqual(visits.map((visit) => visit._tag), ["Left", "Left"])
    for (const { after } of visits) assert.isBelow(Duration.toMillis(after), 30_000)
  })
})

// --- as programs ---

const folder = "examples/http-client"
const millis = /\d+ ms/g

/** What a program has printed, with its times and ports taken away. */
const printed = async (file: string, args: ReadonlyArray<string> = []) => {
  const { code, stderr, stdout } = await start(`${folder}/${file}.ts`, args).ended
  assert.deepStrictEqual([code, stderr], [0, ""])
  return stdout.trimEnd().split("\n").map((line) => line.replaceAll(millis, "N ms").replaceAll(/127\.0\.0\.1:\d+/g, "stub").replaceAll(/ +/g, " ").trim())
}

describe.concurrent("examples/http-client", { timeout: 60_000 }, () => {
  it("session.ts prints each page as it completes, and that three connections were enough", async () => {
    const lines = await printed("session")
    assert.strictEqual(lines[0], "8 pages, 3 at a time:")
    assert.sameMembers(lines.slice(1, 9), [
      "200 N ms 17 bytes http://stub/delay/400",
      "200 N ms 17 bytes http://stub/delay/300",
      "200 N ms 100000 bytes http://stub/page/100000",
      "404 N ms 11 bytes http://stub/status/404",
      "200 N ms 17 bytes http://stub/delay/200",
      "200 N ms 3 bytes http://stub/drip/3",
      "200 N ms 36 bytes http://stub/item/7",
      "200 N ms 12 bytes http://stub/redirect/2"
    ])
    assert.strictEqual(lines[9], "together N ms, one after the other N ms")
    assert.match(lines[10]!, /^the stub has seen [1-3] connections, and at most [1-3] requests at a time$/)
    assert.lengthOf(lines, 11)
  })

  it("session.ts takes URLs and how many at a time, and says in one line what makes no sense", async () => {
    for (const [args, says] of [
      [["--at-once", "0"], /^--at-once takes a number from 1 to 9999, got "0" \(see --help\)\n$/],
      [["ftp://127.0.0.1/"], /^Expected a URL that begins with http:\/\/ or https:\/\/, got ftp:\/\/127\.0\.0\.1\/ \(see --help\)\n$/],
      [["--nonsense"], /^[^\n]*--nonsense[^\n]*\(see --help\)\n$/]
    ] as const) {
      const { code, stderr, stdout } = await start(`${folder}/session.ts`, args).ended
      assert.deepStrictEqual([code, stdout], [2, ""])
      assert.match(stderr, says)
    }
    assert.include((await start(`${folder}/session.ts`, ["--help"]).ended).stdout, "--at-once N")
  })

  it("session.ts ends with 1 and the error of a URL at which nobody listens", async () => {
    const { code, stderr, stdout } = await start(`${folder}/session.ts`, ["http://127.0.0.1:1/"]).ended
    assert.deepStrictEqual([code, stdout], [1, "1 page, 3 at a time:\n"])
    assert.include(stderr, "HttpClientError: Transport error (GET http://127.0.0.1:1/)")
  })

  it("time-limits.ts shows five ways to give up, and that the stub sees each", async () => {
    const lines = await printed("time-limits")
    const four = lines.indexOf("4. three at once")
    // The two that leave together may be seen in either order.
    assert.deepStrictEqual([...lines.slice(0, four + 1), ...lines.slice(four + 1, four + 4).sort(), ...lines.slice(four + 4)], [
      "1. one request",
      "stub: the client has left /delay/30000 after N ms",
      "the request took longer than 200ms",
      "2. a body that drips",
      "stub: the client has left /drip/100 after N ms",
      "head and body took longer than 250ms",
      "3. with a default",
      "stub: the client has left /delay/30000 after N ms",
      "no news today",
      "4. three at once",
      "stub: answered /page/5 after N ms",
      "stub: the client has left /delay/30000 after N ms",
      "stub: the client has left /drip/100 after N ms",
      "the three together took longer than 200ms",
      "5. the parts of a page",
      "stub: answered /delay/20 after N ms",
      "stub: answered /delay/40 after N ms",
      "stub: the client has left /delay/500 after N ms",
      "that took N ms, that took N ms; left out: /delay/500"
    ])
  })

  it("retries.ts shows what is tried again and what is not, and what becomes of each kind of error (S0-5c)", async () => {
    const lines = await printed("retries")
    assert.sameMembers(lines.slice(0, 8), [
      "at once N ms item 1 costs 100",
      "not found N ms the server says 404",
      "fails twice N ms item 3 costs 300",
      "nobody there N ms no connection: ECONNREFUSED",
      "fails on N ms the server says 503",
      "breaks off N ms no connection: ECONNRESET",
      "busy for a second N ms item 2 costs 200",
      "too slow N ms gave up: the budget took longer than 2s"
    ])
    assert.deepStrictEqual(lines.slice(8), [
      "",
      "an error without an answer cancels the others:",
      "1 failure",
      "└─ gather",
      "└─ gather 0",
      "└─ HttpClientError: Decode error (200 GET http://stub/not-json)"
    ])
  })

  it("cancelled-siblings.ts shows who leaves, with a nursery and with promises (S0-4b)", async () => {
    assert.deepStrictEqual(await printed("cancelled-siblings"), [
      "Tasks.gather: the first failure cancels the others",
      "stub: answered /delay/10 after N ms",
      "stub: answered /delay/100 after N ms",
      "stub: answered /status/500 after N ms",
      "stub: the client has left /delay/30000 after N ms",
      "1 failure",
      "└─ gather",
      "└─ gather 1",
      "└─ HttpClientError: StatusCode: non 2xx status code (500 GET http://stub/status/500)",
      "",
      "Promise.all: the first failure is told, and the others go on",
      "stub: answered /delay/10 after N ms",
      "stub: answered /delay/100 after N ms",
      "stub: answered /status/500 after N ms",
      "the error is here",
      "stub: answered /delay/600 after N ms",
      "",
      "Tasks.gatherSettled: each to its end",
      "stub: answered /delay/10 after N ms",
      "stub: answered /delay/100 after N ms",
      "stub: answered /status/500 after N ms",
      "stub: answered /delay/300 after N ms",
      "profile: Success",
      "orders: Failure",
      "advice: Success"
    ])
  })

  it("first-mirror.ts takes the file from Lima, leaves Paris, and tells all errors when nobody has it", async () => {
    assert.deepStrictEqual(await printed("first-mirror"), [
      "Paris hangs, Oslo is down, Lima is well:",
      "Oslo: answered /status/503 after N ms",
      "Lima: answered /delay/50 after N ms",
      "Paris: the client has left /delay/30000 after N ms",
      "Lima has won: that took N ms",
      "",
      "All are down:",
      "Paris: answered /status/500 after N ms",
      "Oslo: the client has left /reset after N ms",
      "Lima: answered /status/404 after N ms",
      "3 failures",
      "└─ firstSuccess",
      "├─ race 0",
      "│ └─ HttpClientError: StatusCode: non 2xx status code (500 GET http://stub/status/500)",
      "├─ race 1",
      "│ └─ HttpClientError: Transport error (GET http://stub/reset)",
      "└─ race 2",
      "└─ HttpClientError: StatusCode: non 2xx status code (404 GET http://stub/status/404)"
    ])
  })

  it("pipeline.ts finishes the same four items in both ways (S0-5b)", async () => {
    const items = [1, 2, 3, 4].map((i) => `N ms item-${i}: 17 characters`)
    assert.deepStrictEqual(await printed("pipeline"), ["in turn:", ...items, "as a pipeline:", ...items])
  })
})

describe.concurrent("examples/http-client/stub.ts", { timeout: 60_000 }, () => {
  const startStub = async () => {
    const program = start(`${folder}/stub.ts`, ["--port", "0"])
    await program.prints(/listens on .+:\d+\n/)
    return { program, url: `http://${/listens on (\S+)\n/.exec(program.stdout())![1]}` }
  }

  it("answers as its list says, and refuses what would be too much", async () => {
    const { program, url } = await startStub()
    const get = async (path: string, init?: RequestInit) => {
      const response = await fetch(url + path, { redirect: "manual", ...init })
      return [response.status, await response.text()] as const
    }
    assert.deepStrictEqual(await get("/page/3"), [200, "xxx"])
    assert.deepStrictEqual(await get("/status/204"), [204, ""])
    assert.deepStrictEqual(await get("/flaky/1?for=me"), [503, "failure 1 of 1\n"])
    assert.strictEqual((await get("/flaky/1?for=you"))[0], 503)
    assert.strictEqual((await get("/flaky/1?for=me"))[0], 200)
    assert.strictEqual((await get("/redirect/1"))[0], 302)
    assert.deepStrictEqual(await get("/drip/2"), [200, ".."])
    assert.deepStrictEqual(await get("/nowhere"), [404, ""])
    for (const path of ["/page/1000001", "/delay/60001", "/delay/-1", "/delay/1.5", "/delay/soon", "/drip/601", "/redirect/51", "/meet/1001", "/status/600"]) {
      const [status, text] = await get(path)
      assert.strictEqual(status, 400, path)
      assert.match(text, /^expected a whole number from 0 to \d+\n$/)
    }
    const login = (body: string) => get("/login", { method: "POST", body, headers: { "content-type": "application/json" } })
    assert.deepStrictEqual(await login("{\"user\":\"Ada\",\"password\":\"x\"}"), [200, "{\"welcome\":\"Ada\"}"])
    for (const body of ["", "{", "[]", "{\"user\":\"Ada\"}", "{\"user\":\"\",\"password\":\"x\"}", `{"user":"${"x".repeat(20_000)}","password":"x"}`]) {
      assert.deepStrictEqual(await login(body), [400, "expected a user and a password as JSON\n"])
    }
    for (const path of ["/reset", "/cut"]) assert.isTrue(await get(path).then(() => false, () => true), path)
    program.kill("SIGTERM")
    assert.strictEqual((await program.ended).code, 0)
  })

  it("sees a client that leaves", async () => {
    const { program, url } = await startStub()
    const leaving = new AbortController()
    const request = fetch(`${url}/drip/600`, { signal: leaving.signal })
    await request
    leaving.abort()
    await program.prints(/the client has left \/drip\/600 after \d+ ms/)
    program.kill("SIGTERM")
    assert.strictEqual((await program.ended).code, 0)
  })

  it("lets a request finish on SIGTERM that is nearly there, cuts off one that is not, and ends with 0", async () => {
    const { program, url } = await startStub()
    // Somebody who is connected and asks for nothing must not hold it up.
    const idle = net.connect(Number(new URL(url).port), "127.0.0.1")
    const closed = new Promise((resolve) => idle.once("close", resolve))
    idle.on("error", () => {}).resume()
    // When the head is here, the request is under way.
    const far = await fetch(`${url}/drip/600`)
    const near = await fetch(`${url}/drip/2`)
    program.kill("SIGTERM")
    assert.strictEqual(await near.text(), "..")
    assert.isTrue(await far.text().then(() => false, () => true), "the other one is cut off")
    await closed
    const { code, stdout } = await program.ended
    assert.strictEqual(code, 0)
    assert.match(stdout, /answered \/drip\/2 after/)
    assert.match(stdout, /the client has left \/drip\/600 after/)
  })

  it("prints one line when it is ready, says in one line that a port is in use, and what it takes", async () => {
    const { program, url } = await startStub()
    const port = new URL(url).port
    assert.strictEqual(program.stdout(), `stub listens on 127.0.0.1:${port}\n`)
    const second = await start(`${folder}/stub.ts`, ["--port", port]).ended
    assert.deepStrictEqual([second.code, second.stdout, second.stderr], [1, "", `127.0.0.1:${port} is in use: another program listens there; choose another port with --port\n`])
    assert.include((await start(`${folder}/stub.ts`, ["--help"]).ended).stdout, "Usage: npm run example -- examples/http-client/stub.ts")
    program.kill("SIGTERM")
    await program.ended
  })
})
