import * as fs from "node:fs"
import * as http from "node:http"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "vitest"
import * as Config from "../../../examples/storefront/Config.ts"
import { start } from "../../node/main/start.ts"
import { addressOf, nowhere, startProgram } from "./shop.ts"

describe("examples/storefront/main.ts", { timeout: 120_000 }, () => {
  it("prints one line with its address as soon as it listens, which does not wait for the database; SIGTERM ends it with 0 (S0-5a)", async () => {
    const program = startProgram(["--port", "0"], { DATABASE_URL: nowhere })
    const url = await addressOf(program)
    assert.strictEqual(program.stdout(), `storefront listens on ${url}\n`)
    assert.strictEqual((await fetch(`${url}/hello`)).status, 200)
    assert.strictEqual((await fetch(`${url}/brands`)).status, 503)
    program.kill("SIGTERM")
    const { code, signal } = await program.ended
    assert.deepStrictEqual([code, signal], [0, null])
  })

  it("lets requests finish that are under way, and does not wait for connections that are idle (P01, HA8)", async () => {
    const program = startProgram(["--port", "0"], { DATABASE_URL: nowhere, GRACE: "20 seconds" })
    const url = await addressOf(program)
    const agent = new http.Agent({ keepAlive: true })
    const get = (path: string) => new Promise<string>((resolve, reject) => {
      http.get(url + path, { agent }, (answer) => {
        let text = ""
        answer.setEncoding("utf8").on("data", (chunk: string) => text += chunk).on("end", () => resolve(text))
      }).on("error", reject)
    })
    // Two connections that stay open, one of them in the middle of a request.
    await Promise.all([get("/hello"), get("/time")])
    const slow = get("/slow")
    await get("/hello")
    const began = performance.now()
    program.kill("SIGTERM")
    assert.strictEqual(await slow, "That took a second.")
    assert.strictEqual((await program.ended).code, 0)
    // Keep-alive connections would have held it for five seconds more.
    assert.isBelow(performance.now() - began, 5000)
    agent.destroy()
  })

  it("cuts what is under way when the grace is over, and ends with 143 (P01)", async () => {
    const program = startProgram(["--port", "0"], { DATABASE_URL: nowhere, GRACE: "100 millis" })
    const url = await addressOf(program)
    const slow = fetch(`${url}/slow`).then(async (answer) => `${answer.status} ${await answer.text()}`, () => "cut")
    await fetch(`${url}/hello`)
    program.kill("SIGTERM")
    assert.notInclude(await slow, "That took a second.")
    assert.strictEqual((await program.ended).code, 143)
  })

  it("ends at once with 143 when a second signal comes (P01)", async () => {
    const program = startProgram(["--port", "0"], { DATABASE_URL: nowhere, GRACE: "60 seconds" })
    const url = await addressOf(program)
    // Half a request: it would be waited for.
    const request = http.request(`${url}/items/`, { method: "POST", headers: { "content-length": 100 } }).on("error", () => {})
    request.write("{")
    await fetch(`${url}/hello`)
    program.kill("SIGTERM")
    await program.prints(/once more ends it at once/)
    program.kill("SIGTERM")
    assert.strictEqual((await program.ended).code, 143)
  })

  it("says in one line that a port is in use, and ends with 1 (T05)", async () => {
    const first = startProgram(["--port", "0"], { DATABASE_URL: nowhere })
    const { port } = new URL(await addressOf(first))
    const second = await startProgram(["--port", port], { DATABASE_URL: nowhere }).ended
    assert.deepStrictEqual([second.code, second.stdout], [1, ""])
    assert.include(second.stderr.split("\n"), `127.0.0.1:${port} is in use: another program listens there; choose another port with --port`)
    assert.notMatch(second.stderr, /\n\s+at /)
    // The embedded database, which had begun to start meanwhile, holds nobody up.
    const third = await startProgram(["--port", port]).ended
    assert.deepStrictEqual([third.code, third.stdout], [1, ""])
    first.kill("SIGTERM")
    await first.ended
  })

  it("says in one line that an address is none of this machine's, and ends with 1 (T05)", async () => {
    const { code, stderr, stdout } = await startProgram(["--port", "0", "--host", "192.0.2.1"], { DATABASE_URL: nowhere }).ended
    assert.deepStrictEqual([code, stdout], [1, ""])
    assert.match(stderr, /^cannot listen on 192\.0\.2\.1:0: .*EADDRNOTAVAIL/m)
  })

  it("says in a few words why there is no database (bug: each time it was tried, a page of what the driver knew)", async () => {
    const program = startProgram(["--port", "0"], { DATABASE_URL: nowhere })
    await program.prints(/is tried again.+\n/)
    program.kill("SIGTERM")
    const { stderr } = await program.ended
    const { annotations, level } = JSON.parse(stderr.split("\n").find((line) => line.includes("is tried again"))!)
    assert.strictEqual(level, "WARN")
    assert.match(annotations.why, /^connect ECONNREFUSED \S+$/)
    assert.deepStrictEqual(Object.keys(annotations), ["why"])
  })

  it("tells what it takes with --help", async () => {
    const { code, stderr, stdout } = await startProgram(["--help"]).ended
    assert.deepStrictEqual([code, stderr, stdout], [0, "", `${Config.help}\n`])
  })

  it("reads a file .env, the environment over it, and the command line over both (HA39, S0-11d)", async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "storefront-"))
    fs.writeFileSync(path.join(folder, ".env"), `PORT=http\nHOST=localhost\nDATABASE_URL=${nowhere}\n`)
    const env = { PORT: undefined, HOST: undefined, DATABASE_URL: undefined, REDIS_URL: undefined } as unknown as NodeJS.ProcessEnv
    const shell = `cd '${folder}' && exec "$@"`
    const run = (args: ReadonlyArray<string>, more: NodeJS.ProcessEnv = {}) => start("examples/storefront/main.ts", args, { shell, env: { ...env, ...more } })
    const wrong = await run([]).ended
    assert.deepStrictEqual([wrong.code, wrong.stdout], [2, ""])
    assert.match(wrong.stderr, /^PORT: .*, got "http"/)
    for (const program of [run([], { PORT: "0" }), run(["--port", "0"], { PORT: "x" })]) {
      const url = await addressOf(program)
      assert.match(url, /^http:\/\/localhost:\d+$/)
      program.kill("SIGTERM")
      assert.strictEqual((await program.ended).code, 0)
    }
    fs.rmSync(folder, { recursive: true })
  })

  it("never writes a password down (H25, HA39)", async () => {
    const secret = "correct-horse-battery"
    const program = startProgram(["--port", "0"], { DATABASE_URL: `postgres://shop:${secret}@127.0.0.1:1/shop`, REDIS_URL: `redis://:${secret}@127.0.0.1:1`, ACCESS_LOG: "true" })
    const url = await addressOf(program)
    const bodies = await Promise.all(["/", "/brands", "/customers/1?token=x", "/nothing", "/openapi.json"].map((path) => fetch(url + path, { headers: { authorization: `Bearer ${secret}`, cookie: `session=${secret}` } }).then((answer) => answer.text())))
    await program.prints(/is not there/)
    program.kill("SIGQUIT")
    await program.prints(/SIGQUIT/)
    program.kill("SIGTERM")
    const { stderr, stdout } = await program.ended
    for (const text of [stdout, stderr, ...bodies]) assert.notInclude(text, secret)
  })
})

describe("the configuration", () => {
  const mistake = (args: ReadonlyArray<string>, env: Record<string, string> = {}) => {
    const asked = Config.read(args, env)
    return asked._tag === "Mistake" ? asked.why : asked._tag
  }

  it("has a default for everything (HA39)", () => {
    const asked = Config.read([], {})
    assert.strictEqual(asked._tag, "Run")
    if (asked._tag !== "Run") return
    assert.deepStrictEqual([asked.config.host, asked.config.port, asked.config.poolSize, asked.config.databaseUrl._tag], ["127.0.0.1", 8080, 6, "None"])
  })

  it("says in one line which value is wrong, and what it should be (HA39, S0-11d)", () => {
    const table: ReadonlyArray<readonly [ReadonlyArray<string>, Record<string, string>, RegExp]> = [
      [["--port", "http"], {}, /^--port: expected a whole number from 0 to 65535, got "http" \(see --help\)$/],
      [["--port", "65536"], {}, /^--port: expected a whole number from 0 to 65535, got "65536"/],
      [["--port", "1.5"], {}, /^--port: expected a whole number from 0 to 65535, got "1\.5"/],
      [[], { PORT: "http" }, /^PORT: expected a whole number from 0 to 65535, got "http" \(see --help\)$/],
      [["--prot", "1"], {}, /'--prot'.*\(see --help\)$/],
      [["folder"], {}, /folder/],
      [[], { POOL_SIZE: "0" }, /^POOL_SIZE: expected a whole number from 1 to 100, got "0"/],
      [[], { LOG_FORMAT: "xml" }, /^LOG_FORMAT: .*"json".*"xml"/],
      [[], { GRACE: "soon" }, /^GRACE: expected a time such as "5 seconds", got "soon"/],
      [[], { STATEMENT_TIMEOUT: "-5 seconds" }, /^STATEMENT_TIMEOUT: expected a time from 0 seconds to a year/],
      [[], { JOB_LEASE: "10" }, /^JOB_LEASE: expected a time such as "5 seconds", got "10"/],
      [[], { ACCESS_LOG: "perhaps" }, /^ACCESS_LOG: .*"perhaps"/]
    ]
    for (const [args, env, says] of table) {
      const why = mistake(args, env)
      assert.match(why, says)
      assert.notInclude(why, "\n")
    }
  })

  it("does not repeat a secret that is wrong (HA39, H25)", () => {
    assert.strictEqual(mistake([], { DATABASE_URL: "mysql://root:hunter2@localhost/shop" }), "DATABASE_URL: expected an address like postgres://user:password@host:5432/name (see --help)")
    assert.strictEqual(mistake([], { REDIS_URL: "hunter2" }), "REDIS_URL: expected an address like redis://host:6379 (see --help)")
  })

  it("prints <redacted> in place of a secret (HA39)", () => {
    const asked = Config.read([], { DATABASE_URL: "postgres://shop:hunter2@localhost/shop" })
    assert.notInclude(JSON.stringify(asked), "hunter2")
    assert.include(JSON.stringify(asked), "redacted")
  })
})
