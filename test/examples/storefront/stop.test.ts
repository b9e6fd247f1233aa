import * as http from "node:http"
import { assert, describe, it } from "vitest"
import type { Ended, Started } from "../../node/main/start.ts"
import { eventually } from "./asking.ts"
import { addressOf, keptAlive, nowhere, startProgram } from "./shop.ts"

const start = (env: Record<string, string> = {}): Started => startProgram(["--port", "0"], { DATABASE_URL: nowhere, ...env })

/** What it says about its end. */
const reportOf = ({ stderr }: Ended): any =>
  stderr.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line)).find(({ message }) => String(message).startsWith("the server has stopped"))

const withoutStack = (ended: Ended): void => {
  for (const text of [ended.stderr, ended.stdout]) assert.notMatch(text, /^\s+at .+:\d+/m)
}

/** Waits until this many requests are under way, besides the one that asks. */
const underWay = (url: string, n: number) =>
  eventually(async () => (await fetch(`${url}/metrics`).then((answer) => answer.text())).includes(`http_requests_in_flight ${n + 1}\n`) || undefined, `${n} requests under way`)

describe("the storefront, as a process", { timeout: 60_000 }, () => {
  it("lets the requests under way end at the first SIGTERM, closes the connections that are kept alive, and says so (P01)", async () => {
    const program = start()
    const url = await addressOf(program)
    // Idle, and kept alive for five seconds more.
    const agent = keptAlive()
    await new Promise<void>((resolve, reject) => http.get(`${url}/hello`, { agent }, (answer) => answer.resume().on("end", resolve)).on("error", reject))
    const slow = Array.from({ length: 3 }, () => fetch(`${url}/slow`).then(async (answer) => [answer.status, await answer.text()] as const))
    await underWay(url, 3)
    const begun = performance.now()
    program.kill("SIGTERM")
    assert.deepStrictEqual(await Promise.all(slow), Array.from({ length: 3 }, () => [200, "That took a second."] as const))
    const ended = await program.ended
    const seconds = (performance.now() - begun) / 1000
    agent.destroy()
    assert.strictEqual(ended.code, 0)
    // The grace is five seconds, and so is the time for which Node keeps a connection.
    assert.isBelow(seconds, 4.5)
    const report = reportOf(ended)
    assert.strictEqual(report.level, "INFO")
    assert.deepInclude(report.annotations, { requestsUnderWay: 3, answered: 3, lost: 0 })
    withoutStack(ended)
  })

  it("cuts off what takes longer than the grace, and says how many that were", async () => {
    const program = start({ GRACE: "200 millis" })
    const url = await addressOf(program)
    const slow = fetch(`${url}/slow`).then((answer) => answer.status, (error: Error) => (error.cause as NodeJS.ErrnoException).code)
    await underWay(url, 1)
    program.kill("SIGTERM")
    // It is told so, if there is still time for that.
    assert.include([503, "UND_ERR_SOCKET", "ECONNRESET"], await slow)
    const ended = await program.ended
    assert.strictEqual(ended.code, 143)
    const report = reportOf(ended)
    assert.strictEqual(report.level, "WARN")
    assert.deepInclude(report.annotations, { requestsUnderWay: 1, answered: 0, lost: 1 })
    withoutStack(ended)
  })

  it("ends at once at the second SIGINT, in the middle of its stop (P01)", async () => {
    const program = start({ GRACE: "30 seconds", DRAIN_DELAY: "20 seconds" })
    await addressOf(program)
    program.kill("SIGINT")
    // It says so, and then the second one is a second one.
    await program.prints("SIGINT: stopping")
    const begun = performance.now()
    program.kill("SIGINT")
    const ended = await program.ended
    assert.strictEqual(ended.code, 130)
    assert.isBelow(performance.now() - begun, 3000)
    withoutStack(ended)
  })

  it("stops while its database is still starting (P01)", async () => {
    // The embedded one takes seconds.
    const program = startProgram(["--port", "0"])
    const url = await addressOf(program)
    assert.strictEqual((await fetch(`${url}/readyz`)).status, 503)
    program.kill("SIGTERM")
    const ended = await program.ended
    assert.strictEqual(ended.code, 0)
    withoutStack(ended)
  })

  it("is not ready any more before it refuses connections, and serves until then", async () => {
    const program = start({ DRAIN_DELAY: "700 millis" })
    const url = await addressOf(program)
    program.kill("SIGTERM")
    const answer = await eventually(async () => {
      const text = await fetch(`${url}/readyz`).then((ready) => ready.text())
      return text.includes("The application is stopping.") || undefined
    }, "not ready")
    assert.isTrue(answer)
    assert.strictEqual(await fetch(`${url}/hello`).then((hello) => hello.text()), "Hello, World!")
    const ended = await program.ended
    assert.strictEqual(ended.code, 0)
    await fetch(`${url}/hello`).then(() => assert.fail("it still listens"), () => {})
    assert.isAtLeast(reportOf(ended).annotations.seconds, 0.7)
  })
})
