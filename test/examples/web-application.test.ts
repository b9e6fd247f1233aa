/** The lesson on HTTP applications: its program, with real requests, and the commands of its page. */
import { execFile, spawnSync } from "node:child_process"
import { once } from "node:events"
import * as fs from "node:fs"
import * as net from "node:net"
import * as path from "node:path"
import { promisify } from "node:util"
import { assert, describe, it } from "vitest"
import { root, type Started, start } from "../node/main/start.ts"

const file = "examples/learn/web-application.ts"
const page = fs.readFileSync(path.join(root, "docs/learn/a-web-application.md"), "utf8")

interface Desk {
  readonly program: Started
  readonly port: number
  readonly url: string
  readonly get: (path: string) => Promise<Answer>
  readonly post: (path: string, body: string) => Promise<Answer>
  /** How many lines it has printed that say this. */
  readonly said: (line: string) => number
  /** Asks it to stop, and waits for its end. */
  readonly stop: () => Promise<void>
}

interface Answer {
  readonly status: number
  readonly type: string | null
  readonly body: any
}

const answerOf = async (response: Response): Promise<Answer> => ({ status: response.status, type: response.headers.get("content-type"), body: await response.json() })

const open = async (): Promise<Desk> => {
  const program = start(file, ["--port", "0"])
  await program.prints(/listens on .+:\d+\n/)
  const port = Number(/^travel desk listens on 127\.0\.0\.1:(\d+)\n/.exec(program.stdout())![1])
  const url = `http://127.0.0.1:${port}`
  return {
    program,
    port,
    url,
    get: async (path) => answerOf(await fetch(url + path)),
    post: async (path, body) => answerOf(await fetch(url + path, { method: "POST", headers: { "content-type": "application/json" }, body })),
    said: (line) => program.stdout().split("\n").filter((said) => said === line).length,
    stop: async () => {
      program.kill("SIGTERM")
      const { code, signal } = await program.ended
      assert.deepStrictEqual([code, signal], [0, null], program.stderr())
    }
  }
}

/** A client that sends these bytes, and goes when it likes. */
const client = async (port: number, bytes: string) => {
  const socket = net.connect(port, "127.0.0.1").setEncoding("utf8")
  socket.on("error", () => {})
  let heard = ""
  socket.on("data", (text: string) => heard += text)
  await once(socket, "connect")
  socket.write(bytes)
  return { socket, heard: () => heard }
}

const toOslo = JSON.stringify({ city: "Oslo", email: "ada@desk.example" })
const sent = "the ticket to Oslo is sent to ada@desk.example"
const nobodyWaitsFor = (path: string) => `nobody waits any more for ${path}`

// Each is a process that mostly waits: several at a time.
describe.concurrent(file, { timeout: 60_000 }, () => {
  it("puts a trip together from two answers", async () => {
    const desk = await open()
    assert.deepStrictEqual(await desk.get("/trips/Oslo"), {
      status: 200,
      type: "application/json",
      body: { city: "Oslo", weather: "rain", train: "07:02 from platform 19" }
    })
    await desk.stop()
  })

  it("cancels one question when the other one has no answer, over the network", async () => {
    const desk = await open()
    assert.deepStrictEqual(await desk.get("/trips/Atlantis"), {
      status: 404,
      type: "application/problem+json",
      body: { type: "about:blank", status: 404, title: "Not Found", detail: "Nobody knows a way to Atlantis." }
    })
    await desk.program.prints(nobodyWaitsFor("/weather/Atlantis"))
    await desk.stop()
  })

  it("says 504 after a second, and cancels both questions", async () => {
    const desk = await open()
    const began = performance.now()
    const { body, status, type } = await desk.get("/trips/Narnia")
    assert.isAtLeast(performance.now() - began, 999)
    assert.deepStrictEqual([status, type, body.detail], [504, "application/problem+json", "That took longer than a second."])
    await desk.program.prints(nobodyWaitsFor("/weather/Narnia"))
    await desk.program.prints(nobodyWaitsFor("/trains/Narnia"))
    await desk.stop()
  })

  it("asks nobody any more for a client that has gone", async () => {
    const desk = await open()
    // Somebody who is about to learn that it takes too long.
    const began = performance.now()
    const { heard, socket } = await client(desk.port, "GET /trips/Narnia HTTP/1.1\r\nhost: desk\r\n\r\n")
    // It is under way when a later request has been answered by those who are asked.
    await desk.get("/trips/Paris")
    assert.strictEqual(heard(), "")
    socket.destroy()
    await desk.program.prints(nobodyWaitsFor("/weather/Narnia"))
    await desk.program.prints(nobodyWaitsFor("/trains/Narnia"))
    assert.isBelow(performance.now() - began, 1000, "the time limit has done it")
    await desk.stop()
  })

  it("says what is wrong with a request, value by value, and answers nothing but JSON", async () => {
    const desk = await open()
    const refused = { type: "about:blank", status: 400, title: "Bad Request", detail: "Request validation failed" }
    const city = "Expected a city, such as Oslo"
    assert.deepStrictEqual(await desk.get("/trips/7"), { status: 400, type: "application/problem+json", body: { ...refused, errors: [{ path: ["params", "city"], message: city }] } })
    assert.deepStrictEqual((await desk.post("/tickets", JSON.stringify({ city: "../admin" }))).body, {
      ...refused,
      errors: [{ path: ["payload", "city"], message: city }, { path: ["payload", "email"], message: "Missing key" }]
    })
    assert.deepStrictEqual((await desk.post("/tickets", "{")).body, { ...refused, errors: [{ path: ["payload"], message: "Expected a valid JSON body" }] })
    const { body, status, type } = await desk.get("/nowhere")
    assert.deepStrictEqual([status, type, body.detail], [404, "application/problem+json", "There is nothing at this path."])
    await desk.stop()
    assert.strictEqual(desk.program.stderr(), "")
    assert.strictEqual(desk.program.stdout().split("\n").length, 2, "nobody was asked")
  })

  it("publishes its contract, with all that may go wrong", async () => {
    const desk = await open()
    const { body } = await desk.get("/openapi.json")
    assert.sameMembers(Object.keys(body.paths), ["/trips/{city}", "/tickets"])
    assert.sameMembers(Object.keys(body.paths["/trips/{city}"].get.responses), ["200", "400", "404", "500", "502", "504"])
    await desk.stop()
  })

  it("sends a ticket after its answer, also when the client has gone", async () => {
    const desk = await open()
    const { heard, socket } = await client(
      desk.port,
      `POST /tickets HTTP/1.1\r\nhost: desk\r\ncontent-type: application/json\r\ncontent-length: ${toOslo.length}\r\n\r\n${toOslo}`
    )
    await once(socket, "data")
    assert.match(heard(), /^HTTP\/1\.1 202 /)
    assert.strictEqual(desk.said(sent), 0)
    socket.resetAndDestroy()
    await desk.program.prints(sent)
    await desk.stop()
  })

  it("on SIGTERM takes nobody new, answers who has asked, sends the tickets, and ends with 0", async () => {
    const desk = await open()
    // Its connection stays open for a next request, and must not keep the server.
    assert.strictEqual((await desk.post("/tickets", toOslo)).status, 202)
    const trip = desk.get("/trips/Oslo")
    await desk.get("/nowhere")
    desk.program.kill("SIGTERM")
    assert.strictEqual((await trip).status, 200)
    await desk.program.prints("SIGTERM: stopping")
    const late = net.connect(desk.port, "127.0.0.1")
    const [error] = await once(late, "error")
    assert.strictEqual(error.code, "ECONNREFUSED")
    assert.strictEqual(desk.said(sent), 0, "the ticket is still under way")
    assert.deepStrictEqual(await desk.program.ended, {
      code: 0,
      signal: null,
      stdout: `travel desk listens on 127.0.0.1:${desk.port}\n${sent}\n`,
      stderr: "SIGTERM: stopping, within 5s; once more ends it at once\n"
    })
  })

  it("waits at its end for nobody who has asked nothing, or not all of it", async () => {
    const desk = await open()
    const silent = await client(desk.port, "")
    const slow = await client(desk.port, "GET /trips/Os")
    await desk.get("/nowhere")
    await desk.stop()
    assert.deepStrictEqual([silent.heard(), slow.heard()], ["", ""])
    assert.strictEqual(desk.program.stderr(), "SIGTERM: stopping, within 5s; once more ends it at once\n")
  })

  it("shows what runs on SIGQUIT: a ticket is a task of the application, a request one of the server", async () => {
    const desk = await open()
    await desk.post("/tickets", toOslo)
    const trip = desk.get("/trips/Narnia")
    await desk.get("/trips/Paris")
    desk.program.kill("SIGQUIT")
    await desk.program.prints(/service others.*\n/)
    assert.strictEqual(desk.program.stderr(), /```text\n(SIGQUIT: [^`]*)```/.exec(page)![1])
    await trip
    await desk.stop()
  })

  it("says in one line that its port is in use, and ends with 1", async () => {
    const desk = await open()
    const { code, stderr, stdout } = await start(file, ["--port", String(desk.port)]).ended
    assert.deepStrictEqual([code, stdout], [1, ""])
    assert.strictEqual(stderr, `127.0.0.1:${desk.port} is in use: another program listens there; choose another port with --port\n`)
    await desk.stop()
  })
})

/** Commands, and the text that follows them. */
const typed = [...page.matchAll(/```sh\n([^`]*curl[^`]*)```\n\n```text\n([^`]*)```/g)].map(([, commands, answer]) => ({ commands: commands!, answer: answer! }))

const hasCurl = spawnSync("curl", ["--version"]).status === 0
if (!hasCurl) console.warn("skipped: the commands of a-web-application.md, for curl is not installed here")

describe("docs/learn/a-web-application.md", { timeout: 60_000, skip: !hasCurl }, () => {
  it("shows what its commands print, and what the program says meanwhile", async () => {
    assert.isAbove(typed.length, 3)
    const desk = await open()
    for (const { answer, commands } of typed) {
      const { stdout } = await promisify(execFile)("bash", ["-c", commands.replaceAll("http://127.0.0.1:8082", desk.url)])
      assert.strictEqual(stdout.replaceAll("\r", "").trimEnd(), answer.trimEnd())
    }
    await desk.stop()
    const shown = /```text\ntravel desk listens on 127\.0\.0\.1:8082\n([^`]*)```/.exec(page)![1]!
    // In a terminal the signal is a key, and the two whom nobody waits for any more are told in any order.
    const lines = (text: string) => text.trimEnd().split("\n").filter((line) => !line.includes("SIG")).sort()
    assert.deepStrictEqual(lines(shown), lines(desk.program.stdout().replace(/^.*\n/, "")))
  })
})
