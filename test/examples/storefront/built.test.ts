/** The program as its image has it: what the Dockerfile builds, with nothing beside it but what the image copies. */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { plainEnv, type Started, startCommand } from "../../node/main/start.ts"
import { makeDatabase } from "../../support/Postgres.ts"
import { findRedis, makePrefix, removeKeys, withRedis } from "../../support/Redis.ts"
import { eventually } from "./asking.ts"
import { postgres } from "./databases.ts"
import { build, command, healthcheck, withNode } from "./image.ts"
import { addressOf, nowhere } from "./shop.ts"

const redis = await findRedis()

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "storefront-image-"))
let app: string

beforeAll(() => {
  app = build(folder)
}, 60_000)

afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

const open = (args: ReadonlyArray<string> = [], env: Readonly<Record<string, string>> = {}): Started =>
  startCommand([...withNode(command), ...args], { cwd: app, env: { HOST: "127.0.0.1", PORT: "0", DATABASE_URL: "", REDIS_URL: "", NODE_COMPILE_CACHE: "", ...env } })

const stop = async (program: Started): Promise<void> => {
  program.kill("SIGTERM")
  const { code, signal, stderr } = await program.ended
  assert.deepStrictEqual([code, signal], [0, null])
  assert.include(stderr, "the server has stopped")
  assert.notMatch(stderr, /^\s+at .+:\d+/m)
}

/** The answer when it is ready: 200. */
const got = (url: string): Promise<Response> =>
  eventually(async () => {
    const answer = await fetch(url)
    return answer.status === 200 ? answer : undefined
  }, `200 of ${url}`, 60_000)

const lives = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const childrenOf = (pid: number): ReadonlyArray<number> => fs.readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number)

const withDatabase = async (use: (url: string) => Promise<void>): Promise<void> => {
  const own = await makeDatabase(postgres!)
  try {
    await use(own.url)
  } finally {
    await own.drop()
  }
}

// They are processes that mostly wait: several at a time.
describe.concurrent("the storefront, built as its image has it", { timeout: 90_000 }, () => {
  it("imports Node, its own files, and the packages that are copied", () => {
    const files = fs.readdirSync(app).filter((name) => name.endsWith(".mjs"))
    assert.includeMembers(files, ["main.mjs", "pglite-main.mjs", "healthcheck.mjs"])
    const imported = new Set(files.flatMap((name) => [...fs.readFileSync(path.join(app, name), "utf8").matchAll(/^(?:import|export) (?:[^"\n]*? from )?"([^"]+)"|\bimport\("([^"]+)"\)/gm)].map((found) => found[1] ?? found[2]!)))
    const strangers = [...imported].filter((name) => !name.startsWith("node:") && !(name.startsWith("./") && files.includes(name.slice(2))))
    // The client of Redis takes the second one for a kind of digest that nobody asks for here.
    assert.sameMembers(strangers, ["@electric-sql/pglite", "@node-rs/xxhash"])
    assert.isTrue(fs.existsSync(path.join(app, "node_modules/@electric-sql/pglite")))
  })

  it("answers on its embedded database, a process that ends with it", async () => {
    const program = open()
    const url = await addressOf(program)
    const brands = await got(`${url}/brands`).then((answer) => answer.json()) as ReadonlyArray<unknown>
    assert.strictEqual(brands.length, 100)
    const [database] = childrenOf(program.pid)
    assert.isTrue(lives(database!))
    await stop(program)
    assert.isFalse(lives(database!))
  })

  it.skipIf(postgres === undefined)("answers on PostgreSQL: pages, the contract, metrics; and is found healthy", () =>
    withDatabase(async (database) => {
      const program = open([], { DATABASE_URL: database })
      const url = await addressOf(program)
      await got(`${url}/readyz`)
      assert.strictEqual((await got(`${url}/brands`).then((answer) => answer.json()) as ReadonlyArray<unknown>).length, 100)
      for (const [page, text] of [["/hello", "Hello, World!"], ["/hello/Ada", "Hello, Ada!"], ["/docs", "SwaggerUIBundle"], ["/redoc", "scalar"], ["/openapi.json", "\"openapi\":"], ["/metrics", "http_requests_in_flight"]] as const) {
        assert.include(await got(url + page).then((answer) => answer.text()), text, page)
      }
      // What is wrong is said by the schemas, field by field.
      const refused = await fetch(`${url}/items/`, { method: "POST", headers: { "content-type": "application/json" }, body: "{\"price\": \"cheap\"}" })
      assert.deepStrictEqual((await refused.json() as { readonly errors: unknown }).errors, [{ path: ["body", "name"], message: "Missing key" }, { path: ["body", "price"], message: "Expected number" }])
      const { port } = new URL(url)
      const checked = () => {
        const [node, ...args] = withNode(healthcheck)
        return spawnSync(node!, args, { cwd: app, env: plainEnv({ PORT: port }), encoding: "utf8", timeout: 20_000 })
      }
      assert.deepInclude(checked(), { status: 0, stdout: "", stderr: "" })
      await stop(program)
      // And now it is not healthy any more.
      assert.strictEqual(checked().status, 1)
    }))

  it.skipIf(postgres === undefined || redis === undefined)("keeps its cache in Redis", () =>
    withDatabase(async (database) => {
      const prefix = makePrefix()
      const program = open([], { DATABASE_URL: database, REDIS_URL: redis!, REDIS_PREFIX: prefix })
      await program.prints("Redis is ready")
      const url = await addressOf(program)
      await got(`${url}/readyz`)
      assert.strictEqual((await got(`${url}/products/1`).then((answer) => answer.json()) as { readonly product_id: number }).product_id, 1)
      assert.isAbove(await withRedis(redis!, async (client) => (await client.keys(`${prefix}*`)).length), 0)
      await stop(program)
      await removeKeys(redis!, prefix)
    }))

  it("serves with several workers, which start the same file", async () => {
    const program = open([], { DATABASE_URL: nowhere, WORKERS: "2" })
    const url = await addressOf(program)
    await program.prints("worker 2 begins")
    assert.match(program.stdout(), /\(2 workers\)\n/)
    assert.strictEqual(await got(`${url}/hello`).then((answer) => answer.text()), "Hello, World!")
    await stop(program)
  })

  it("explains how it is started, and ends with 2 and one line at a wrong option", async () => {
    const [help, wrong] = await Promise.all([open(["--help"]).ended, open(["--port", "http"]).ended])
    assert.deepStrictEqual([help.code, help.stderr], [0, ""])
    assert.match(help.stdout, /^Usage: node main\.mjs \[--host HOST\]/)
    assert.deepStrictEqual([wrong.code, wrong.stdout], [2, ""])
    assert.match(wrong.stderr, /^--port: .*"http" \(see --help\)\n$/)
  })
})
