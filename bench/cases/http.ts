/**
 * What does a request cost in examples/storefront, beside servers by hand, frameworks of Node, raw Effect, and Python?
 *
 * The storefront is built, and runs as its image runs it. What it is compared with are single files beside their packages.
 * Every server is a process of its own, whose figures count. The load is `wrk`, for a time; each server has shown before
 * and after it that it answers what it should.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { ByTime, Case, Rows, Side, Target } from "../harness/Case.ts"
import { faster, ours, toldAtMost } from "../harness/Case.ts"
import { sharesOf } from "../harness/profile.ts"
import { make } from "../load/http-database.ts"
import { HttpProcess, type Recipe, recipes } from "../load/http-process.ts"
import { build } from "../load/http-storefront.ts"
import * as wrk from "../load/http-wrk.ts"

const byApi = `${ours}, HttpApi`
const embedded = `${ours}, PGlite`
const raw = "node:http"
const router = "Effect's HttpRouter"
const api = "Effect's HttpApi"
const starlette = "Starlette"
const aiohttp = "aiohttp"
const flask = "Flask"

interface Load {
  readonly recipe: Recipe
  readonly path: string
  readonly connections: number
  /** With the database that the storefront brings along. */
  readonly embedded?: true
}

// --- what is asked, and what must come ---

const text = "Hello, World!"
/** The same text through a contract: of ours, and of raw Effect's HttpApi. */
const named = "/hello/World"

const isRight = (path: string, answer: string): boolean => {
  if (path !== "/brands") return answer === text
  const rows = JSON.parse(answer) as ReadonlyArray<{ readonly brand_id: unknown; readonly brand_name: unknown }>
  return rows.length === 100 && rows.every((row, i) => row.brand_id === i + 1 && typeof row.brand_name === "string") && rows[99]!.brand_name === "Juniper Brothers"
}

const check = async (server: HttpProcess, path: string): Promise<void> => {
  const answer = await server.answer(path)
  if (!isRight(path, answer)) throw new Error(`${path} answers ${answer.slice(0, 100)}`)
}

/** Lends a server with a database of its own. */
const withServer = async <A>({ embedded, path, recipe }: Load, nodeOptions: ReadonlyArray<string>, use: (server: HttpProcess) => Promise<A>): Promise<A> => {
  if (!wrk.isHere()) throw new Error("wrk is not here (it is a package of Debian)")
  const database = await make(recipe.makesTables === true)
  try {
    const server = await HttpProcess.start(recipe, embedded === true ? undefined : database.url, nodeOptions)
    try {
      // It may still make its tables.
      await check(server, "/brands")
      await check(server, path)
      return await use(server)
    } finally {
      await server.end()
    }
  } finally {
    await database.drop()
  }
}

// --- requests ---

const requests = 10_000
const warmSeconds = 2
const seconds = 2

const perSecond = "requests a second"
const median = "p50 in ms"
const p99 = "p99 in ms"
const bad = "answers other than 2xx, and connections lost"

const loading = (load: Load): ByTime => Object.assign<ByTime, Pick<ByTime, "profile">>(
  (n, tell) =>
    withServer(load, [], async (server) => {
      // Asked whether it is here: it is.
      if (n === 1) {
        server.keepCompiled()
        return { wallMs: 0, cpuMs: 0, rssMB: 0 }
      }
      const url = server.url + load.path
      const warm = n < requests ? undefined : await wrk.load(url, load.connections, warmSeconds)
      server.resetPeak()
      const before = server.cpuMs()
      const loaded = await wrk.load(url, load.connections, seconds)
      const cpuMs = server.cpuMs() - before
      await check(server, load.path)
      tell(perSecond, loaded.requests / loaded.seconds)
      tell(median, loaded.p50)
      tell(p99, loaded.p99)
      tell(bad, loaded.refused + loaded.lost + (warm === undefined ? 0 : warm.refused + warm.lost))
      return { wallMs: loaded.seconds * 1000 / loaded.requests * n, cpuMs: cpuMs / loaded.requests * n, rssMB: server.peakMB() }
    }),
  { profile: () => profiling(load) }
)

const microseconds = () => Number(process.hrtime.bigint() / 1000n)

/** A server in Node writes its profile when it ends. */
const profiling = async (load: Load) => {
  const folder = mkdtempSync(join(tmpdir(), "effect-nursery-profile-"))
  try {
    const [from, to] = await withServer(load, ["--cpu-prof", "--cpu-prof-dir", folder], async (server) => {
      await wrk.load(server.url + load.path, load.connections, warmSeconds)
      const from = microseconds()
      await wrk.load(server.url + load.path, load.connections, seconds)
      return [from, microseconds()]
    })
    const [file] = readdirSync(folder)
    if (file === undefined) return []
    const all = JSON.parse(readFileSync(join(folder, file), "utf8")) as Parameters<typeof sharesOf>[0]
    // Only while it was under load: the clock is the same.
    let at = all.startTime
    const samples = all.samples!.filter((_, i) => {
      at += all.timeDeltas![i]!
      return at >= from && at < to
    })
    return sharesOf({ ...all, samples })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const side = (recipe: Recipe, path: string, rounds: number, more: Partial<Side> & { readonly connections?: number; readonly embedded?: true } = {}): Side => {
  const { connections = 200, embedded, ...rest } = more
  return { n: requests, atMostRounds: rounds, byTime: loading({ recipe, path, connections, ...(embedded && { embedded }) }), ...rest }
}

// --- targets ---

const ofTheCpuOf = (peer: string, must: number, stretch?: number, of = ours): Target => ({
  ...faster(peer, must, stretch, of),
  what: `${of}, CPU: of the speed of ${peer}`,
  unit: " ×"
})

const ofTheRateOf = (peer: string, must: number): Target => ({
  what: `${ours}, by the clock: times as fast as ${peer}`,
  unit: " ×",
  better: "higher",
  must,
  value: (rows: Rows) => {
    const [a, b] = [rows.get(ours), rows.get(peer)]
    return a && b && b.wallNs / a.wallNs
  }
})

const memoryOf = (peer: string, must: number): Target => ({
  what: `${ours}: peak RSS under load, to that of ${peer}`,
  unit: " ×",
  better: "lower",
  must,
  value: (rows: Rows) => {
    const [a, b] = [rows.get(ours), rows.get(peer)]
    return a && b && a.rssMB / b.rssMB
  }
})

const allGood = (of = ours): Target => toldAtMost(bad, "", 0, undefined, of)

const stamp = "each answer has headers for security, and is counted for /metrics"
const numbered = `${stamp}; also a number, and how long it took`

const hello: Case = {
  name: "http-hello",
  prepare: build,
  question: `What does a request cost that is answered with "${text}", over 200 connections?`,
  reference: raw,
  sides: {
    [ours]: side(recipes.ours, "/hello", 3, { note: `examples/storefront: the answer is prepared, before any router; ${stamp}` }),
    [byApi]: side(recipes.ours, named, 3, { note: `${named}: through the router, the contract and its schemas; ${numbered}` }),
    [raw]: side(recipes.node, "/hello", 3),
    [router]: side(recipes.router, "/hello", 2),
    [api]: side(recipes.api, named, 2, { note: named }),
    Fastify: side(recipes.fastify, "/hello", 2),
    Hono: side(recipes.hono, "/hello", 2),
    [starlette]: side(recipes.starlette, "/hello", 2, { note: "on uvicorn with uvloop and httptools" }),
    [aiohttp]: side(recipes.aiohttp, "/hello", 1),
    [flask]: side(recipes.flask, "/hello", 1, { note: "on gunicorn, one worker" })
  },
  targets: [
    ofTheCpuOf(raw, 0.92),
    ofTheCpuOf(ours, 0.9, undefined, byApi),
    memoryOf(raw, 1.3),
    ofTheRateOf(starlette, 1.4),
    allGood(),
    allGood(byApi)
  ],
  notes: ["Time and CPU are those of 10,000 requests, of the process of the server."]
}

const brands: Case = {
  name: "http-brands",
  prepare: build,
  question: "What does a request cost that is answered with 100 rows of PostgreSQL as JSON, over 200 connections, with a pool of 6?",
  reference: raw,
  sides: {
    [ours]: side(recipes.ours, "/brands", 3, { note: `examples/storefront: through the router and the contract; requests that come together share a query; PostgreSQL writes the JSON; ${numbered}` }),
    [raw]: side(recipes.node, "/brands", 3, { note: "with pg" }),
    [router]: side(recipes.router, "/brands", 2, { note: "with @effect/sql-pg" }),
    [api]: side(recipes.api, "/brands", 2, { note: "with @effect/sql-pg, and a schema of the rows" }),
    Fastify: side(recipes.fastify, "/brands", 2, { note: "with pg, and a schema of the rows" }),
    Hono: side(recipes.hono, "/brands", 2, { note: "with pg" }),
    [starlette]: side(recipes.starlette, "/brands", 2, { note: "on uvicorn with uvloop and httptools, with asyncpg" }),
    [aiohttp]: side(recipes.aiohttp, "/brands", 2, { note: "with asyncpg" }),
    [flask]: side(recipes.flask, "/brands", 2, { note: "on gunicorn, one worker, with psycopg2; it opens a connection for each request, as Flask's tutorial does" }),
    [`${flask}, one connection`]: side(recipes.flaskKept, "/brands", 2, { note: "the worker has one connection, and keeps it" }),
    [embedded]: side(recipes.ours, "/brands", 1, { embedded: true, note: "with its embedded database, a process of its own that is in no figure" })
  },
  targets: [
    ofTheCpuOf(raw, 1.1, 1.4),
    memoryOf(raw, 1.3),
    ofTheRateOf(starlette, 1.7),
    ofTheRateOf(aiohttp, 2),
    ofTheRateOf(flask, 25),
    allGood()
  ],
  notes: ["Time and CPU are those of 10,000 requests, of the process of the server, without PostgreSQL's own."]
}

const many = { connections: 2000 }

const crowd: Case = {
  name: "http-2000",
  prepare: build,
  question: "Does everybody get a good answer, of 2,000 connections at once?",
  reference: ours,
  sides: {
    [ours]: side(recipes.ours, "/hello", 1, many),
    [byApi]: side(recipes.ours, named, 1, { ...many, note: named }),
    [`${ours}, /brands`]: side(recipes.ours, "/brands", 1, many)
  },
  targets: [allGood(), allGood(byApi), allGood(`${ours}, /brands`)]
}

// --- the start ---

const toHello = "from the start to the first answer at /hello, in ms"
const toBrands = "from the start to the first answer from the database, in ms"

const starting = (onPostgres: boolean): ByTime => async (_, tell) => {
  const database = await make(true)
  const url = onPostgres ? database.url : undefined
  try {
    // The tables are there already, and fetch is loaded here.
    const first = await HttpProcess.start(recipes.ours, url)
    await check(first, "/brands")
    await first.end()
    const before = performance.now()
    const server = await HttpProcess.start(recipes.ours, url)
    await check(server, "/hello")
    tell(toHello, performance.now() - before)
    await check(server, "/brands")
    const wallMs = performance.now() - before
    tell(toBrands, wallMs)
    const figures = { wallMs, cpuMs: server.cpuMs(), rssMB: server.peakMB() }
    await server.end()
    return figures
  } finally {
    await database.drop()
  }
}

const start: Case = {
  name: "http-start",
  prepare: build,
  question: "How soon does examples/storefront answer?",
  reference: ours,
  sides: {
    [ours]: { n: 1, atMostRounds: 3, byTime: starting(true), note: "with PostgreSQL, whose tables are there" },
    [embedded]: { n: 1, atMostRounds: 1, byTime: starting(false), note: "with its embedded database in memory, which is made first" }
  },
  targets: [toldAtMost(toBrands, " ms", 1000)],
  notes: ["Without Node's compile cache, as in its image."]
}

export const http: ReadonlyArray<Case> = [hello, brands, crowd, start]
