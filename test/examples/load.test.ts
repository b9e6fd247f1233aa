/** The load runner: a whole scenario on virtual time against a handler in this process, and the program against a server. */
import { Duration, Effect, Exit, Random, Stream } from "effect"
import { CancelScope, Failures, Timeout } from "effect-nursery"
import { VirtualClock } from "effect-nursery/testing"
import { HttpClient, HttpServerRequest, HttpServerResponse } from "effect/http"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "vitest"
import * as InProcess from "../../examples/http-client/InProcess.ts"
import { Reset } from "../../examples/http-client/StubRoutes.ts"
import { Histogram } from "../../examples/load/Histogram.ts"
import * as Options from "../../examples/load/Options.ts"
import * as Report from "../../examples/load/Report.ts"
import type { Scenario } from "../../examples/load/Scenario.ts"
import visitor from "../../examples/load/scenarios/visitor.ts"
import { Statistics } from "../../examples/load/Statistics.ts"
import * as Swarm from "../../examples/load/Swarm.ts"
import { start } from "../node/main/start.ts"

// --- the scenario, on virtual time ---

const plan: Swarm.Plan = { scenario: visitor, url: new URL("http://127.0.0.1:8080"), users: 20, spawnRate: 10, duration: Duration.seconds(60) }

/** A request as the handler saw it. */
interface Seen {
  readonly at: number
  readonly method: string
  readonly url: string
  readonly cookie: string | undefined
  readonly body: string
}

type Answer = (seen: Seen, number: number) => Effect.Effect<HttpServerResponse.HttpServerResponse, Reset>

const text = (body: string, status = 200) => HttpServerResponse.text(body, { status })

/** GET takes 50 ms, POST 100 ms and gives a cookie with the name of the user. */
const shop: Answer = ({ body, method }) =>
  method === "GET"
    ? Effect.as(Effect.sleep(50), text("hello"))
    : Effect.as(Effect.sleep(100), HttpServerResponse.setCookieUnsafe(text("welcome"), "user", (JSON.parse(body) as { user: string }).user.replace(" ", "-")))

/** Runs a plan in no time: every run of one seed is the same, to the millisecond. */
const simulate = (changes: Partial<Swarm.Plan> = {}, answer: Answer = shop, seed = "one", around = <A>(run: Effect.Effect<A>) => run) =>
  VirtualClock.run(Effect.gen(function*() {
    const seen: Array<Seen> = []
    const handler = Effect.gen(function*() {
      const request = yield* HttpServerRequest.HttpServerRequest
      const one: Seen = { at: yield* Timeout.now, method: request.method, url: request.url, cookie: request.headers["cookie"], body: yield* Effect.orDie(request.text) }
      seen.push(one)
      return yield* answer(one, seen.length)
    })
    const statistics = new Statistics()
    const run = Effect.provideService(Swarm.run({ ...plan, ...changes }, statistics), HttpClient.HttpClient, InProcess.client(handler))
    const ended = yield* around(Random.withSeed(run, seed))
    return { seen, statistics, ended, report: Report.make({ ...plan, ...changes }, ended, statistics) }
  }))

describe("the visitor, on virtual time (HA40, S0-11j)", () => {
  it("looks at the first page, logs in, thinks for one to three seconds, and again", async () => {
    const { seen } = await simulate()
    const logins = new Map<string, Array<number>>()
    for (const { at, body, method, url } of seen) {
      assert.strictEqual(`${method} ${url.replace("http://127.0.0.1:8080", "")}`, method === "GET" ? "GET /" : "POST /login")
      if (method === "POST") {
        const { password, user } = JSON.parse(body) as { user: string; password: string }
        assert.strictEqual(password, "a password")
        logins.set(user, [...logins.get(user) ?? [], at])
      }
    }
    assert.sameMembers([...logins.keys()], Array.from({ length: 20 }, (_, i) => `visitor ${i + 1}`))
    // From login to login: the login itself (100), the pause, the first page (50).
    const pauses = [...logins.values()].flatMap((times) => times.slice(1).map((time, i) => time - times[i]! - 150))
    assert.isAbove(pauses.length, 400)
    for (const pause of pauses) assert.isTrue(pause >= 1000 && pause <= 3000, `${pause}`)
    assert.isBelow(Math.min(...pauses), 1100)
    assert.isAbove(Math.max(...pauses), 2900)
    assert.closeTo(pauses.reduce((sum, pause) => sum + pause, 0) / pauses.length, 2000, 100)
  })

  it("come ten in a second, and there are never more of them than were wanted", async () => {
    const { ended, seen } = await simulate()
    const firsts = seen.filter(({ cookie, method }) => method === "GET" && cookie === undefined).map(({ at }) => at)
    assert.deepStrictEqual(firsts.map(Math.round), Array.from({ length: 20 }, (_, i) => i * 100))
    assert.strictEqual(ended.users, 20)
  })

  it("have a session each: the cookie of one is not sent by another", async () => {
    const { seen } = await simulate()
    const logins = seen.filter(({ cookie, method }) => method === "POST" && cookie !== undefined)
    assert.isAbove(logins.length, 400)
    for (const { body, cookie } of logins) assert.strictEqual(cookie, `user=${(JSON.parse(body) as { user: string }).user.replace(" ", "-")}`)
  })

  it("are counted and timed as they were: count, p50, p95, p99, requests in a second", async () => {
    const slow: Answer = (seen, number) => number % 20 === 0 ? Effect.delay(shop(seen, number), 900) : shop(seen, number)
    const { report, seen } = await simulate({}, slow)
    const gets = seen.filter(({ method }) => method === "GET").length
    const [get, post] = report.requests
    assert.deepStrictEqual([get!.name, get!.count, get!.failed, post!.name, post!.count, post!.failed], ["GET /", gets, 0, "POST /login", seen.length - gets, 0])
    assert.strictEqual(report.all.count, seen.length)
    assert.deepStrictEqual([get!.bytes, post!.bytes], [5 * gets, 7 * (seen.length - gets)])
    // Every twentieth takes 900 ms longer; which of the two kinds that is, depends on chance.
    assert.closeTo(get!.millis.p50, 50, 0.5)
    assert.closeTo(post!.millis.p50, 100, 1)
    assert.closeTo(report.all.millis.p99, 950, 60)
    assert.closeTo(report.all.perSecond, report.all.count / report.seconds, 0.001)
  })

  it("makes the same run of the same seed, and another one of another", async () => {
    const [one, again, other] = [await simulate(), await simulate(), await simulate({}, shop, "two")]
    assert.deepStrictEqual(again.seen, one.seen)
    assert.deepStrictEqual(again.report, one.report)
    assert.notDeepEqual(other.seen, one.seen)
  })

  it("takes as long as it was told: then nobody asks again, and what is under way is answered", async () => {
    const { ended, report, seen } = await simulate({ duration: Duration.seconds(10) })
    assert.strictEqual(ended.reason, "the time is up")
    assert.isTrue(ended.millis >= 10_000 && ended.millis <= 10_100, `${ended.millis}`)
    for (const { at } of seen) assert.isBelow(at, 10_000)
    assert.strictEqual(report.all.unfinished, 0)
    assert.strictEqual(report.all.count, seen.length)
  })

  it("cancels after a grace of five seconds what is never answered, and does not count it", async () => {
    const never: Answer = (seen, number) => number > 100 ? Effect.never : shop(seen, number)
    const { ended, report } = await simulate({ duration: Duration.seconds(20) }, never)
    assert.strictEqual(ended.millis, 25_000)
    assert.strictEqual(report.all.unfinished, 20)
    assert.strictEqual(report.all.count, 100)
    assert.include(Report.toText(report), "20 request(s) were under way when the run was over, and are not counted")
  })

  it("ends early in the same way when a scope around is asked to stop, as Ctrl-C does", async () => {
    const { ended, report, seen } = await simulate({ users: 1000 }, shop, "one", (run) =>
      Effect.map(CancelScope.open((scope) =>
        Effect.gen(function*() {
          const stop = Effect.andThen(Effect.sleep("5 seconds"), scope.stop({ grace: "1 minute", reason: "SIGINT" }))
          yield* Effect.forkChild(stop)
          return yield* run
        })), (result) => result._tag === "Success" ? result.success : assert.fail("was cancelled")))
    assert.strictEqual(ended.reason, "SIGINT")
    assert.isTrue(ended.millis >= 5000 && ended.millis <= 5100, `${ended.millis}`)
    assert.strictEqual(ended.users, 50, "those that had come by then")
    assert.strictEqual(report.all.count, seen.length)
  })

  it("says why it has ended also when all users were in a pause, and were gone before anybody else was told", async () => {
    const thinking: Scenario = { name: "thinking", turn: (user) => user.pause("1 hour", "2 hours") }
    const { ended } = await simulate({ scenario: thinking }, shop, "one", (run) =>
      Effect.map(CancelScope.open((scope) =>
        Effect.gen(function*() {
          yield* Effect.forkChild(Effect.andThen(Effect.sleep("5 seconds"), scope.stop({ grace: "1 minute", reason: "SIGINT" })))
          return yield* run
        })), (result) => result._tag === "Success" ? result.success : assert.fail("was cancelled")))
    assert.deepStrictEqual([ended.reason, ended.millis], ["SIGINT", 5000])
  })

  it("counts failures by kind, each with its request, and goes on", async () => {
    const cut = HttpServerResponse.stream(Stream.concat(Stream.make(new Uint8Array(3)), Stream.fail(new Reset())))
    const bad: Answer = (seen, number) =>
      number === 1 ? Effect.succeed(text("no", 404))
      : number === 2 ? Effect.succeed(text("busy", 503))
      : number === 3 ? Effect.fail(new Reset())
      : number === 4 ? Effect.succeed(cut)
      : number === 5 ? Effect.never
      : shop(seen, number)
    const { report, seen } = await simulate({ users: 1 }, bad)
    assert.sameDeepMembers([...report.failures], [
      { request: "GET /", kind: "status 404", count: 1 },
      { request: "POST /login", kind: "status 503", count: 1 },
      { request: "GET /", kind: "no answer", count: 1 },
      { request: "POST /login", kind: "the answer broke off", count: 1 },
      { request: "GET /", kind: "no answer within 30s", count: 1 }
    ])
    assert.strictEqual(report.all.failed, 5)
    assert.strictEqual(report.all.count, seen.length)
    assert.isAbove(report.all.count, 20)
    assert.include(Report.toText(report), "\nfailures:\n  1 × ")
    assert.closeTo(report.all.millis.max, 30_000, 1)
  })

  it("keeps what was found when the scenario has a bug, and tells the bug", async () => {
    const buggy: Scenario = {
      name: "buggy",
      turn: (user) => Effect.andThen(user.get("/"), user.number === 3 ? Effect.die(new Error("oops")) : user.pause("1 second", "1 second"))
    }
    const { ended, report } = await simulate({ scenario: buggy })
    assert.strictEqual(report.ended, "the scenario has failed")
    assert.strictEqual(report.requests[0]!.count, 3)
    assert.strictEqual(Exit.isFailure(ended.exit) && Failures.pretty(ended.exit.cause), "1 failure\n└─ swarm\n   └─ user 3\n      └─ Error: oops (defect)")
    assert.strictEqual(ended.millis, 250)
  })

  it("ends on time although a scenario neither asks nor pauses", async () => {
    const { ended, report } = await simulate({ scenario: { name: "sleeper", turn: () => Effect.sleep("300 millis") }, users: 1, duration: Duration.seconds(1) })
    assert.deepStrictEqual([ended.reason, ended.millis, report.all.count], ["the time is up", 1200, 0])
  })

  it("never leaves the server that it was started for", async () => {
    const answered: Array<string> = []
    for (const elsewhere of ["http://example.org/", "//example.org/", "http://127.0.0.1:9999/", "https://127.0.0.1:8080/"]) {
      const { ended, seen } = await simulate({ scenario: { name: "elsewhere", turn: (user) => user.get(elsewhere) }, users: 1 })
      answered.push(...seen.map(({ url }) => url))
      assert.isTrue(Exit.isFailure(ended.exit))
      assert.include(Exit.isFailure(ended.exit) ? Failures.pretty(ended.exit.cause) : "", "which is somewhere else (defect)")
    }
    assert.deepStrictEqual(answered, [])
  })

  it("does not follow where the server leads", async () => {
    const { report, seen } = await simulate({ users: 1, duration: Duration.seconds(1) }, () => Effect.succeed(HttpServerResponse.redirect("http://example.org/")))
    assert.isTrue(seen.every(({ url }) => !url.includes("example.org")))
    assert.strictEqual(report.all.failed, 0)
  })

  it("names a request by its path without the query, or as it is told", async () => {
    const names: Scenario = {
      name: "names",
      turn: (user) =>
        Effect.gen(function*() {
          yield* user.get("/products?page=7")
          yield* user.get("/products/42", { name: "GET /products/{id}" })
          yield* user.pause("1 second", "2 seconds")
        })
    }
    const { report } = await simulate({ scenario: names, users: 2, duration: Duration.seconds(5) })
    assert.deepStrictEqual(report.requests.map(({ name }) => name), ["GET /products", "GET /products/{id}"])
  })
})

// --- numbers ---

describe("Histogram", () => {
  it("is at most 1 % off, for any values and any share", () => {
    let seed = 7
    const random = () => (seed = seed * 48271 % 2147483647) / 2147483647
    for (const make of [() => random() * 100, () => 10 ** (random() * 9 - 3), () => 50, () => random() < 0.99 ? 1 : 5000]) {
      const values = Array.from({ length: 5000 }, make)
      const histogram = new Histogram()
      for (const value of values) histogram.add(value)
      const sorted = values.toSorted((a, b) => a - b)
      for (const share of [0, 0.01, 0.5, 0.9, 0.95, 0.99, 0.999, 1]) {
        const exact = sorted[Math.max(1, Math.ceil(share * values.length)) - 1]!
        assert.isAtMost(Math.abs(histogram.quantile(share) - exact), Math.max(exact * 0.0101, 0.001), `${share} of ${exact}`)
      }
      assert.strictEqual(histogram.max, sorted.at(-1))
      assert.strictEqual(histogram.count, values.length)
      assert.closeTo(histogram.mean, values.reduce((sum, value) => sum + value, 0) / values.length, 1e-6 * sorted.at(-1)!)
    }
  })

  it("takes nothing, zero, and more than an hour", () => {
    const empty = new Histogram()
    assert.deepStrictEqual([empty.quantile(0.5), empty.mean, empty.max, empty.count], [0, 0, 0, 0])
    const zero = new Histogram()
    zero.add(0)
    assert.deepStrictEqual([zero.quantile(0), zero.quantile(0.5), zero.quantile(1)], [0, 0, 0])
    const long = new Histogram()
    long.add(86_400_000)
    assert.deepStrictEqual([long.quantile(0.99), long.max], [86_400_000, 86_400_000])
  })
})

describe("Statistics", () => {
  it("have a limit: what comes after a hundred names and thirty kinds is counted together, and nothing is lost", () => {
    const statistics = new Statistics()
    for (let i = 0; i < 5000; i++) statistics.add(`GET /${i}`, { _tag: "Answered", bytes: 1 }, 1)
    for (let i = 0; i < 1000; i++) statistics.add("GET /0", { _tag: "Failed", kind: `status ${i}` }, 1)
    assert.lengthOf(statistics.byName, 101)
    assert.strictEqual(statistics.byName.at(-1)!.name, "other requests")
    assert.strictEqual(statistics.byName.reduce((sum, tally) => sum + tally.count, 0), 6000)
    assert.strictEqual(statistics.all.count, 6000)
    const kinds = [...statistics.byName[0]!.failures]
    assert.lengthOf(kinds, 31)
    assert.deepStrictEqual(kinds.at(-1), ["other failures", 970])
  })
})

describe("Report", () => {
  const statistics = new Statistics()
  for (let i = 1; i <= 100; i++) statistics.add("GET /", { _tag: "Answered", bytes: 10 }, i)
  statistics.add("POST /login", { _tag: "Failed", kind: "status 500" }, 1234)
  statistics.add("POST /login", { _tag: "Failed", kind: "status 500" }, 1234)
  statistics.add("POST /login", { _tag: "Failed", kind: "no answer: ECONNRESET" }, 1234)
  statistics.add("POST /login", { _tag: "Unfinished" }, 5)
  const report = Report.make(plan, { millis: 10_000, reason: "the time is up", users: 20, exit: Exit.void }, statistics)

  it("is a table", () => {
    assert.deepStrictEqual(Report.toText(report).split("\n"), [
      "visitor: 20 user(s) at http://127.0.0.1:8080/, 10.0 s (the time is up)",
      "",
      "request      count  failed      p50      p95      p99      max  req/s",
      `GET /          100       0  ${cell(report.requests[0]!.millis.p50)}  ${cell(report.requests[0]!.millis.p95)}  ${cell(report.requests[0]!.millis.p99)}   100 ms   10.0`,
      "POST /login      3       3  1234 ms  1234 ms  1234 ms  1234 ms    0.3",
      `all            103       3  ${cell(report.all.millis.p50)}  ${cell(report.all.millis.p95)}  1234 ms  1234 ms   10.3`,
      "",
      "failures:",
      "  2 × POST /login: status 500",
      "  1 × POST /login: no answer: ECONNRESET",
      "",
      "1 request(s) were under way when the run was over, and are not counted"
    ])
    assert.closeTo(report.requests[0]!.millis.p95, 95, 0.95)
  })

  it("is JSON with the same numbers", () => {
    assert.deepStrictEqual(JSON.parse(Report.toJson(report)), report)
    assert.deepStrictEqual(report.failures[0], { request: "POST /login", kind: "status 500", count: 2 })
  })

  it("of nothing is a table of nothing", () => {
    const empty = Report.make(plan, { millis: 0, reason: "the time is up", users: 0, exit: Exit.void }, new Statistics())
    assert.deepStrictEqual(Report.toText(empty).split("\n").slice(2), [
      "request  count  failed     p50     p95     p99     max  req/s",
      "all          0       0  0.0 ms  0.0 ms  0.0 ms  0.0 ms    0.0"
    ])
  })
})

const cell = (millis: number) => `${millis < 100 ? millis.toFixed(1) : millis.toFixed(0)} ms`.padStart(7)

describe("the options of the load runner", () => {
  const message = (...args: ReadonlyArray<string>) => Effect.runPromise(Effect.map(Effect.flip(Options.parse(args)), (error) => error.message))

  it("are read, with their defaults", async () => {
    const { duration, json, scenario, spawnRate, url, users } = await Effect.runPromise(Options.parse([]))
    assert.deepStrictEqual([url.href, users, spawnRate, Duration.toMillis(duration), json, scenario], ["http://127.0.0.1:8080/", 10, 1, 30_000, false, undefined])
    const given = await Effect.runPromise(Options.parse(["--url", "http://[::1]:99", "--users", "5000", "--spawn-rate", "0.5", "--duration", "60m", "--json"]))
    assert.deepStrictEqual([given.url.href, given.users, given.spawnRate, Duration.toMillis(given.duration), given.json], ["http://[::1]:99/", 5000, 0.5, 3_600_000, true])
  })

  it("have limits in count and time, and say them", async () => {
    for (const users of ["0", "5001", "-1", "1e3", "many", ""]) assert.match(await message(`--users=${users}`), /^--users takes a number from 1 to 5000, got "/)
    for (const rate of ["0", "1001", "fast"]) assert.match(await message(`--spawn-rate=${rate}`), /^--spawn-rate takes a number from 0\.01 to 1000, got "/)
    for (const time of ["0s", "99ms", "61m", "10", "1h", "-5s", "s"]) assert.match(await message(`--duration=${time}`), /^--duration takes a time from 100ms to 60m, such as 500ms, 30s or 5m, got "/)
    for (const url of ["127.0.0.1", "ftp://127.0.0.1", ""]) assert.match(await message(`--url=${url}`), /^--url takes a URL that begins with http/)
    for (const url of ["http://127.0.0.1/shop", "http://127.0.0.1/?q", "http://me@127.0.0.1"]) assert.match(await message(`--url=${url}`), /^--url takes a server/)
    assert.match(await message("--nonsense"), /--nonsense/)
    // There is no way around it.
    assert.match(await message("--allow-remote"), /--allow-remote/)
  })

  it("load this machine only, however another one is written", async () => {
    const allowed = (url: string) => Effect.runPromise(Effect.map(Effect.exit(Options.refuseOthers(new URL(url))), Exit.isSuccess))
    for (const url of ["http://127.0.0.1", "http://127.255.255.254:1", "http://localhost:8080", "http://LOCALHOST", "http://[::1]:8080", "http://127.1", "http://2130706433", "http://[::ffff:127.0.0.1]"]) {
      assert.isTrue(await allowed(url), url)
    }
    for (const url of ["http://example.org", "http://10.0.0.1", "http://192.168.1.1", "http://0.0.0.0", "http://128.0.0.1", "http://[::]", "http://[::2]", "http://[::ffff:10.0.0.1]", "http://localhost.example.org", "http://127.0.0.1.example.org", "http://169.254.169.254"]) {
      assert.isFalse(await allowed(url), url)
    }
  })
})

// --- the program ---

const file = "examples/load/main.ts"

const startStub = async () => {
  const program = start("examples/http-client/stub.ts", ["--port", "0"])
  await program.prints(/listens on .+:\d+\n/)
  return { program, url: `http://${/listens on (\S+)\n/.exec(program.stdout())![1]}` }
}

describe.concurrent("examples/load/main.ts (HA40, S0-11j)", { timeout: 60_000 }, () => {
  it("visits a server, prints a table, and ends with 0", async () => {
    const { program, url } = await startStub()
    const { code, stderr, stdout } = await start(file, ["--url", url, "--users", "5", "--spawn-rate", "50", "--duration", "2s"]).ended
    program.kill("SIGTERM")
    assert.deepStrictEqual([code, stderr], [0, `5 user(s) at ${url}/; Ctrl-C ends it with the report\n`])
    const lines = stdout.trimEnd().split("\n")
    assert.match(lines[0]!, new RegExp(`^visitor: 5 user\\(s\\) at ${url}/, \\d+\\.\\d s \\(the time is up\\)$`))
    const counts = lines.slice(3).map((line) => /^(\S+(?: \S+)?) +(\d+) +0 +\d/.exec(line)!.slice(1, 3))
    assert.deepStrictEqual(counts.map(([name]) => name), ["GET /", "POST /login", "all"])
    const [get, post, all] = counts.map(([, count]) => Number(count))
    assert.isAtLeast(get!, 5)
    assert.strictEqual(all, get! + post!)
    const answered = (await program.ended).stdout.match(/answered \S+ after/g)!
    assert.strictEqual(answered.length, all, "the server has counted the same")
  })

  it("gives the report on Ctrl-C, long before the time is up, as JSON if it is told so", async () => {
    const { program: stub, url } = await startStub()
    const program = start(file, ["--url", url, "--users", "3", "--spawn-rate", "10", "--duration", "60m", "--json"])
    await stub.prints(/answered \/login/)
    program.kill("SIGINT")
    const { code, stdout } = await program.ended
    stub.kill("SIGTERM")
    const report = JSON.parse(stdout) as Report.Report
    assert.strictEqual(code, 0)
    assert.strictEqual(report.ended, "SIGINT")
    assert.isAtLeast(report.all.count, 2)
    assert.strictEqual(report.all.failed, 0)
    assert.isBelow(report.seconds, 50)
    await stub.ended
  })

  it("waits on Ctrl-C for a request that is under way, and gives the report", async () => {
    const { program: stub, url } = await startStub()
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "load-"))
    const scenario = path.join(folder, "slow.mjs")
    fs.writeFileSync(scenario, "let turns = 0\nexport default { name: \"slow\", turn: (user) => user.get(turns++ === 0 ? \"/page/1\" : \"/delay/1500\") }\n")
    const program = start(file, ["--url", url, "--users", "1", "--scenario", scenario, "--duration", "5m"])
    await stub.prints("answered /page/1")
    program.kill("SIGINT")
    const { code, stdout } = await program.ended
    stub.kill("SIGTERM")
    await stub.ended
    fs.rmSync(folder, { recursive: true })
    assert.strictEqual(code, 0)
    assert.match(stdout, /^slow: 1 user\(s\) at .* \(SIGINT\)\n/)
    assert.notInclude(stdout, "were under way")
  })

  it("ends with 1 when requests have failed, and says how", async () => {
    const { code, stdout } = await start(file, ["--url", "http://127.0.0.1:1", "--users", "2", "--spawn-rate", "100", "--duration", "500ms"]).ended
    assert.strictEqual(code, 1)
    assert.match(stdout, /\n {2}2 × GET \/: no answer: ECONNREFUSED\n {2}2 × POST \/login: no answer: ECONNREFUSED\n$/)
  })

  it("says in one line what makes no sense, with 2", async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "load-"))
    const empty = path.join(folder, "empty.mjs")
    fs.writeFileSync(empty, "export default 1\n")
    for (const [args, says] of [
      [["--url", "http://example.org"], /^example\.org is not on this machine: only 127\.0\.0\.1, ::1 and localhost are loaded \(see --help\)\n$/],
      [["--users", "many"], /^--users takes a number from 1 to 5000, got "many" \(see --help\)\n$/],
      [["--scenario", "no-such-file.ts"], /^--scenario no-such-file\.ts cannot be loaded: [^\n]+ \(see --help\)\n$/],
      [["--scenario", empty], /^--scenario \S+ has no scenario as its default export \(see --help\)\n$/]
    ] as const) {
      const { code, stderr, stdout } = await start(file, args).ended
      assert.deepStrictEqual([code, stdout], [2, ""])
      assert.match(stderr, says)
    }
    fs.rmSync(folder, { recursive: true })
    assert.include((await start(file, ["--help"]).ended).stdout, "--spawn-rate N")
  })
})
