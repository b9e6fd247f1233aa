/** The teaching HTTP client and server, as processes: against each other, against node:http, and against curl where there is one. */
import { spawn, spawnSync } from "node:child_process"
import * as http from "node:http"
import * as net from "node:net"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { root, type Started, start } from "../node/main/start.ts"

const server = "examples/streams/http-server.ts"
const client = "examples/streams/http-client.ts"

let program: Started
let port: number

const started = async () => {
  const program = start(server, ["--port", "0"])
  await program.prints(/listens on .+:\d+\n/)
  return { program, port: Number(/:(\d+)\n/.exec(program.stdout())![1]) }
}

const get = (url: string) => start(client, [url]).ended

/** Sends bytes as they are, and gives all that comes back until the end. */
const raw = (port: number, text: string, ends = true) =>
  new Promise<string>((resolve, reject) => {
    const socket = net.connect(port, "127.0.0.1")
    const watchdog = setTimeout(() => socket.destroy(new Error("no end after 20 seconds")), 20_000)
    let answer = ""
    socket.setEncoding("latin1").on("data", (data: string) => answer += data).on("error", reject).on("close", () => {
      clearTimeout(watchdog)
      resolve(answer)
    })
    if (ends) socket.end(text, "latin1")
    else socket.write(text, "latin1")
  })

const isOpen = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = net.connect(port, "127.0.0.1")
    socket.on("error", () => resolve(false)).on("connect", () => {
      socket.destroy()
      resolve(true)
    })
  })

const statusesOf = (answer: string) => [...answer.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => Number(status))

interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: Buffer
  readonly reused: boolean
}

const request = (options: http.RequestOptions, body?: Buffer | string) =>
  new Promise<Answer>((resolve, reject) => {
    const asking = http.request({ host: "127.0.0.1", port, ...options }, (response) => {
      const chunks: Array<Buffer> = []
      response.on("data", (chunk: Buffer) => chunks.push(chunk)).on("error", reject).on("end", () =>
        resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks), reused: asking.reusedSocket }))
    })
    asking.on("error", reject).end(body)
  })

/** A server for the tests of one block: none lives longer than a minute. */
const serving = () => {
  beforeAll(async () => {
    ;({ program, port } = await started())
  })
  afterAll(() => program.kill("SIGKILL"))
}

describe("examples/streams", { timeout: 60_000 }, () => {
  describe("http-server.ts", () => {
    serving()

    it("prints one line when it is ready, says when its port is taken, and ends with 0 on SIGTERM: T05", async () => {
      const other = await started()
      assert.strictEqual(other.program.stdout(), `HTTP server listens on 127.0.0.1:${other.port}\n`)
      const { code, stderr } = await start(server, ["--port", String(other.port)]).ended
      assert.deepStrictEqual([code, stderr], [1, `127.0.0.1:${other.port} is in use: another program listens there; choose another port with --port\n`])
      const idle = net.connect(other.port, "127.0.0.1")
      await new Promise((resolve) => idle.once("connect", resolve))
      other.program.kill("SIGTERM")
      const ended = await other.program.ended
      assert.deepStrictEqual([ended.code, ended.stderr], [0, ""])
      idle.destroy()
      const help = await start(server, ["--help"]).ended
      assert.strictEqual(help.code, 0)
      assert.include(help.stdout, "teaching only")
    })

    it("answers node:http over one connection, in turn", async () => {
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
      const one = await request({ path: "/", agent })
      assert.deepStrictEqual([one.status, String(one.body), one.headers["content-length"]], [200, "Hello! Try /count/5, or POST something to /echo.\n", "49"])
      const two = await request({ path: "/count/3", agent })
      assert.deepStrictEqual([two.status, String(two.body), two.headers["transfer-encoding"], two.reused], [200, "1\n2\n3\n", "chunked", true])
      const head = await request({ path: "/count/3", method: "HEAD", agent })
      assert.deepStrictEqual([head.status, head.body.length, head.reused], [200, 0, true])
      const missing = await request({ path: "/nothing?x=1", agent })
      assert.deepStrictEqual([missing.status, String(missing.body), missing.reused], [404, "there is nothing at /nothing\n", true])
      const put = await request({ path: "/", method: "DELETE", agent })
      assert.deepStrictEqual([put.status, put.headers.allow, put.reused], [405, "GET, HEAD", true])
      agent.destroy()
    })

    it("gives every byte of a body back, of known length or in chunks", async () => {
      const body = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 31) >> 2))
      const known = await request({ path: "/echo", method: "POST", headers: { "content-length": body.length } }, body)
      assert.isTrue(known.body.equals(body))
      const chunked = await request({ path: "/echo", method: "POST", headers: { "transfer-encoding": "chunked" } }, body)
      assert.isTrue(chunked.body.equals(body))
      const none = await request({ path: "/echo", method: "POST" })
      assert.deepStrictEqual([none.status, none.body.length], [200, 0])
    })

    it("takes the chunks of a body apart wherever the network cuts them", async () => {
      const text = "POST /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n5;ext=1\r\nhello\r\n1\r\n!\r\n0\r\ntrailer: x\r\n\r\n"
      const answer = await new Promise<string>((resolve, reject) => {
        const socket = net.connect(port, "127.0.0.1").setNoDelay()
        let answer = ""
        socket.setEncoding("latin1").on("data", (data: string) => answer += data).on("error", reject).on("close", () => resolve(answer))
        const next = (at: number): void => {
          if (at < text.length) socket.write(text[at]!, () => setImmediate(next, at + 1))
        }
        next(0)
      })
      assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/)
      assert.strictEqual(answer.slice(answer.indexOf("\r\n\r\n") + 4).replaceAll(/[0-9a-f]+\r\n(.*)\r\n/g, "$1"), "hello!")
    })

    it("answers several requests that come at once, in order (H02)", async () => {
      const many = 200
      const answer = await raw(port, Array.from({ length: many }, (_, i) => `GET /${i} HTTP/1.1\r\nhost: a\r\n\r\n`).join(""))
      assert.deepStrictEqual([...answer.matchAll(/nothing at \/(\d+)/g)].map(([, i]) => Number(i)), Array.from({ length: many }, (_, i) => i))
    })

    // H01, H04, H05: each is answered and cut off, none hangs.
    const bad: ReadonlyArray<readonly [name: string, text: string, statuses: ReadonlyArray<number>]> = [
      ["no request line", "hello\r\n\r\n", [400]],
      ["no version", "GET /\r\n\r\n", [400]],
      ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [505]],
      ["TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", [400]],
      ["no host", "GET / HTTP/1.1\r\n\r\n", [400]],
      ["two hosts", "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", [400]],
      ["a whole URL", "GET http://evil/ HTTP/1.1\r\nhost: a\r\n\r\n", [400]],
      ["a space before the colon", "GET / HTTP/1.1\r\nhost: a\r\ncontent-length : 5\r\n\r\n", [400]],
      ["a folded header", "GET / HTTP/1.1\r\nhost: a\r\nx: 1\r\n 2\r\n\r\n", [400]],
      ["a lone line end in a header", "GET / HTTP/1.1\r\nhost: a\nx: 1\r\n\r\n", [400]],
      ["two lengths", "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", [400]],
      ["a length that is none", "GET / HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\nx\r\n\r\n", [200, 400]],
      ["a head without end", `GET / HTTP/1.1\r\nhost: a\r\n${"x: y\r\n".repeat(10_000)}`, [431]]
    ]
    for (const [name, text, statuses] of bad) {
      it(`refuses ${name}`, async () => assert.deepStrictEqual(statusesOf(await raw(port, text, false)), [...statuses]))
    }

    it("cuts an answer off when the body behind it turns out to be bad, so that nobody takes it for whole", async () => {
      const head = "POST /echo HTTP/1.1\r\nhost: a\r\n"
      const bodies = [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "content-length: -1\r\n\r\n",
        "transfer-encoding: gzip\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\nz\r\n",
        "transfer-encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n",
        "content-length: 9999999\r\n\r\n" + "x".repeat(2_000_000)
      ]
      for (const body of bodies) {
        const answer = await raw(port, head + body, false).catch(String)
        assert.notInclude(answer, "\r\n0\r\n\r\n", body.slice(0, 60))
      }
      assert.strictEqual((await request({ path: "/" })).status, 200)
    })

    it("ends an answer that has begun before it stops", async () => {
      const other = await started()
      const socket = net.connect(other.port, "127.0.0.1")
      let answer = ""
      const over = new Promise<void>((resolve) => socket.setEncoding("latin1").on("close", () => resolve()))
      socket.write("POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")
      await new Promise<void>((resolve) => socket.on("data", (data: string) => {
        answer += data
        if (answer.includes("abc")) resolve()
      }))
      other.program.kill("SIGTERM")
      // It has stopped accepting when its port is free.
      while (await isOpen(other.port)) await new Promise(setImmediate)
      socket.write("3\r\ndef\r\n0\r\n\r\n")
      await over
      assert.match(answer, /3\r\ndef\r\n0\r\n\r\n$/)
      assert.strictEqual((await other.program.ended).code, 0)
    })
  })

  describe("http-client.ts", () => {
    serving()

    /** Runs `use` against a server that answers each connection with this, however it asks. */
    const answering = async <A>(answer: string, use: (port: number) => Promise<A>): Promise<A> => {
      const fake = net.createServer((socket) => {
        socket.on("error", () => {}).once("data", () => socket.end(answer, "latin1"))
      })
      await new Promise<void>((resolve) => fake.listen(0, "127.0.0.1", resolve))
      try {
        return await use((fake.address() as net.AddressInfo).port)
      } finally {
        fake.close()
      }
    }

    it("gets pages from http-server.ts", async () => {
      const counted = await get(`http://127.0.0.1:${port}/count/5`)
      assert.deepStrictEqual([counted.code, counted.stdout], [0, "1\n2\n3\n4\n5\n"])
      assert.match(counted.stderr, /^HTTP\/1\.1 200 OK\n/)
      const missing = await get(`http://127.0.0.1:${port}/nothing`)
      assert.deepStrictEqual([missing.code, missing.stdout], [1, "there is nothing at /nothing\n"])
    })

    it("gets pages from node:http, of known length, in chunks, and with early hints before them", async () => {
      let seen = ""
      const real = http.createServer((request, response) => {
        seen = `${request.method} ${request.url} ${request.headers.host}`
        if (request.url === "/length") return void response.end("known")
        if (request.url === "/nothing") return void response.writeHead(204).end()
        response.writeEarlyHints({ link: "</a.css>; rel=preload" })
        response.writeHead(200, { trailer: "x-sum" })
        response.write("in ")
        setImmediate(() => {
          response.addTrailers({ "x-sum": "1" })
          response.end("chunks")
        })
      })
      await new Promise<void>((resolve) => real.listen(0, "127.0.0.1", resolve))
      const { port } = real.address() as net.AddressInfo
      assert.strictEqual((await get(`http://127.0.0.1:${port}/length`)).stdout, "known")
      assert.strictEqual(seen, `GET /length 127.0.0.1:${port}`)
      assert.strictEqual((await get(`http://127.0.0.1:${port}/chunks?a=b`)).stdout, "in chunks")
      const nothing = await get(`http://127.0.0.1:${port}/nothing`)
      assert.deepStrictEqual([nothing.code, nothing.stdout], [0, ""])
      real.close()
    })

    it("reads a body of unknown length up to the end", async () => {
      const { code, stdout } = await answering("HTTP/1.0 200 OK\r\n\r\nuntil the end", (port) => get(`http://127.0.0.1:${port}/`))
      assert.deepStrictEqual([code, stdout], [0, "until the end"])
    })

    it("says in one line what is wrong with an answer, and ends with 1", async () => {
      const wrong: ReadonlyArray<readonly [answer: string, says: RegExp]> = [
        ["", /^the server has ended without an answer\n$/],
        ["SMTP ready\r\n\r\n", /^this is no status line: "SMTP ready"\n$/],
        ["HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", /is broken/],
        ["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfoo\r\n", /is broken|a chunk does not say how long it is/]
      ]
      for (const [answer, says] of wrong) {
        const { code, stderr } = await answering(answer, (port) => get(`http://127.0.0.1:${port}/`))
        assert.strictEqual(code, 1, answer)
        assert.match(stderr.split("\n").filter((line) => line !== "").at(-1)! + "\n", says)
      }
    })

    it("says when nobody is there, and when it was given no URL", async () => {
      const nobody = await answering("", (port) => Promise.resolve(port)).then((port) => get(`http://127.0.0.1:${port}/`))
      assert.strictEqual(nobody.code, 1)
      assert.include(nobody.stderr, "ECONNREFUSED")
      assert.deepStrictEqual((({ code, stderr }) => [code, stderr])(await get("https://example.org/")), [
        2,
        "Expected a URL that begins with http://, got https://example.org/ (see --help)\n"
      ])
    })
  })

  const hasCurl = spawnSync("curl", ["--version"]).status === 0
  if (!hasCurl) console.info("curl is not installed: the tests of http-server.ts with curl are skipped")

  describe.skipIf(!hasCurl)("http-server.ts and curl", () => {
    serving()

    const curl = (...args: ReadonlyArray<string>) =>
      new Promise<{ readonly code: number | null; readonly stdout: string }>((resolve) => {
        const child = spawn("curl", ["-sS", "--max-time", "20", ...args], { cwd: root })
        let stdout = ""
        child.stdout.setEncoding("latin1").on("data", (data: string) => stdout += data)
        child.on("close", (code) => resolve({ code, stdout }))
      })
    const at = (path: string) => `http://127.0.0.1:${port}${path}`

    it("agree on pages, heads, bodies and versions", async () => {
      assert.deepStrictEqual(await curl(at("/count/3")), { code: 0, stdout: "1\n2\n3\n" })
      assert.deepStrictEqual(await curl("--http1.0", at("/count/3")), { code: 0, stdout: "1\n2\n3\n" })
      assert.deepStrictEqual(await curl("-d", "some=form", at("/echo")), { code: 0, stdout: "some=form" })
      assert.deepStrictEqual(await curl("-d", "chunked", "-H", "transfer-encoding: chunked", at("/echo")), { code: 0, stdout: "chunked" })
      assert.deepStrictEqual(await curl("-d", "waits", "-H", "expect: 100-continue", at("/echo")), { code: 0, stdout: "waits" })
      const { code, stdout } = await curl("-I", at("/"))
      assert.strictEqual(code, 0)
      assert.match(stdout, /^HTTP\/1\.1 200 OK\r\n[^]*content-length: 49\r\n/)
    })

    it("use one connection for several requests", async () => {
      const { code, stdout } = await curl("-w", "%{num_connects} ", "-o", "/dev/null", "-o", "/dev/null", "-o", "/dev/null", at("/"), at("/count/2"), at("/no"))
      assert.deepStrictEqual([code, stdout.trim()], [0, "1 0 0"])
    })
  })
})

describe("examples/learn/framing.ts", () => {
  it("shows chunks that are no messages, lines, a refused line and a stream that was cut", async () => {
    const { code, stderr, stdout } = await start("examples/learn/framing.ts").ended
    assert.deepStrictEqual([code, stderr], [0, ""])
    const [chunks, lines, limit, cut] = stdout.split(/^(?=\S)/m)
    assert.strictEqual(chunks!.split("\n").length, 5)
    assert.include(chunks, "\ufffd")
    assert.strictEqual(lines, "the same as lines:\n  \"2 tea\"\n  \"1 soup, no salt\"\n  \"1 caf\u00e9 cr\u00e8me\"\n")
    assert.match(limit!, /refused: .*limit of 40.*\n {2}2 eggs\n$/)
    assert.match(cut!, /\n {2}2 tea\n {2}memory table 4 is broken: .*in the middle of a frame/)
  })
})
