import { once } from "node:events"
import * as http from "node:http"
import * as net from "node:net"
import { afterEach, assert, describe, it } from "vitest"
import * as Config from "../../../examples/storefront/Config.ts"
import { nodeArguments, plainEnv, type Started } from "../../node/main/start.ts"
import { ctrlC, terminalWorks, typed } from "../../node/main/terminal.ts"
import { eventually } from "./databases.ts"
import { addressOf, keptAlive, nowhere, startProgram } from "./shop.ts"

const linesOf = (program: Started): ReadonlyArray<any> =>
  program.stderr().split("\n").slice(0, -1).filter((line) => line.startsWith("{")).map((line) => JSON.parse(line))

/** The processes of a worker, the last one last. */
const pidsOf = (program: Started, worker: number): ReadonlyArray<number> =>
  linesOf(program).filter(({ message }) => message === `worker ${worker} begins`).map(({ annotations }) => annotations.pid)

const lives = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

interface Answered {
  readonly status: number
  readonly text: string
  readonly requestId: string
}

const get = (url: string, agent?: http.Agent): Promise<Answered> =>
  new Promise((resolve, reject) => {
    http.get(url, { agent, timeout: 10_000 }, (answer) => {
      let text = ""
      answer.setEncoding("utf8").on("data", (chunk: string) => text += chunk).on("end", () => resolve({ status: answer.statusCode!, text, requestId: answer.headers["x-request-id"] as string }))
    }).on("error", reject).on("timeout", () => reject(new Error("nobody answers")))
  })

/** Connections that stay open, one to each worker, found by the log line of a request on them. */
const connectionToEach = async (program: Started, url: string): Promise<ReadonlyMap<number, http.Agent>> => {
  const found = new Map<number, http.Agent>()
  await eventually(async () => {
    const agent = keptAlive()
    const { requestId } = await get(`${url}/time`, agent)
    const worker = Number(await eventually(() => linesOf(program).find((line) => line.requestId === requestId)?.annotations.worker, "the line of the request"))
    if (found.has(worker)) agent.destroy()
    else found.set(worker, agent)
    return found.size === 2 || undefined
  }, "a connection to each worker", 40_000)
  return found
}

describe("two workers", { timeout: 90_000 }, () => {
  let program: Started | undefined
  afterEach(() => program?.kill("SIGKILL"))

  const start = (env: Record<string, string> = {}) => program = startProgram(["--port", "0", "--workers", "2"], { DATABASE_URL: nowhere, ACCESS_LOG: "true", JOB_WORKERS: "0", ...env })

  it("serve as one: a worker that is killed is replaced, connections of the other one live on, and all stop at one signal (P03, HA41)", async () => {
    const shop = start({ GRACE: "15 seconds" })
    const url = await addressOf(shop)
    assert.match(shop.stdout(), /listens on http:\/\/127\.0\.0\.1:\d+ \(2 workers\)\n/)
    const agents = await connectionToEach(shop, url)
    const slow = get(`${url}/slow`, agents.get(2)!)
    const [killed] = pidsOf(shop, 1)
    const killedAt = Date.now()
    process.kill(killed!, "SIGKILL")
    // Nobody who comes now is kept waiting for the dead.
    for (let i = 0; i < 50; i++) assert.strictEqual((await get(`${url}/time`, new http.Agent())).status, 200)
    const again = await eventually(() => pidsOf(shop, 1)[1], "another process")
    const begins = linesOf(shop).find(({ annotations }) => annotations?.pid === again)
    assert.isBelow(Date.parse(begins.timestamp) - killedAt, 2000)
    const line = linesOf(shop).find(({ message }) => message === "worker 1 has ended, and is started again")
    assert.strictEqual(line.annotations.by, "SIGKILL")
    assert.isAtMost(line.annotations.afterMillis, 2000)
    // The other one has not noticed: its answer comes, on the same connection, which goes on.
    assert.strictEqual((await slow).text, "That took a second.")
    const { requestId } = await get(`${url}/time`, agents.get(2)!)
    await eventually(() => linesOf(shop).find((one) => one.requestId === requestId && one.annotations.worker === "2"), "the same worker")
    // And the new one serves.
    agents.get(1)!.destroy()
    agents.get(2)!.destroy()
    const both = await connectionToEach(shop, url)
    const slows = [...both.values()].map((agent) => get(`${url}/slow`, agent))
    // They are under way when later requests have been answered by both.
    for (const agent of (await connectionToEach(shop, url)).values()) agent.destroy()
    shop.kill("SIGTERM")
    for (const { text } of await Promise.all(slows)) assert.strictEqual(text, "That took a second.")
    for (const agent of both.values()) agent.destroy()
    const { code, stderr } = await shop.ended
    assert.strictEqual(code, 0)
    assert.strictEqual(linesOf(shop).filter(({ message }) => message === "the server has stopped").length, 2)
    assert.notMatch(stderr, /^\s+at .+:\d+/m)
    for (const pid of [again, ...pidsOf(shop, 2)]) assert.isFalse(lives(pid))
  })

  it("end when the first process is killed: none is left over", async () => {
    const shop = start()
    await addressOf(shop)
    const pids = await eventually(() => {
      const all = [...pidsOf(shop, 1), ...pidsOf(shop, 2)]
      return all.length === 2 ? all : undefined
    }, "two processes")
    shop.kill("SIGKILL")
    await eventually(() => pids.every((pid) => !lives(pid)) || undefined, "no process")
  })

  it("stop also while one of them is still starting", async () => {
    const shop = start({ GRACE: "40 seconds" })
    await addressOf(shop)
    const begun = performance.now()
    shop.kill("SIGTERM")
    assert.strictEqual((await shop.ended).code, 0)
    // It has heard that it should stop; one that has not is killed when the grace is over.
    assert.isBelow(performance.now() - begun, 30_000)
  })

  it.skipIf(!terminalWorks)("say which of them they are when Ctrl-C in a terminal stops all (bug: two lines were the same)", async () => {
    const command = [process.execPath, ...nodeArguments("examples/storefront/main.ts", ["--port", "0", "--workers", "2"])]
    const env = plainEnv({ DATABASE_URL: nowhere, REDIS_URL: "", JOB_WORKERS: "0", DRAIN_DELAY: "1 second" })
    // What the second one logs first.
    const { code, printed } = await typed(command, [["(2 workers)", ""], [`"worker":"2"`, ctrlC]], { env })
    assert.strictEqual(code, 0)
    const stopping = printed.split("\n").flatMap((line) => /^(?:\^C)?(.*)SIGINT: stopping/.exec(line)?.[1] ?? [])
    assert.deepStrictEqual(stopping.toSorted(), ["", "worker 1: ", "worker 2: "])
  })

  it("say once that the port is taken, and end with 1", async () => {
    const taken = net.createServer().listen(0, "127.0.0.1")
    await once(taken, "listening")
    const { port } = taken.address() as net.AddressInfo
    program = startProgram(["--port", String(port), "--workers", "2"], { DATABASE_URL: nowhere })
    const { code, stderr } = await program.ended
    taken.close()
    assert.strictEqual(code, 1)
    assert.strictEqual(stderr.split("\n").filter((line) => line.includes("is in use")).length, 1)
    assert.notMatch(stderr, /^\s+at .+:\d+/m)
  })

  it("need a database that is not embedded in one of them", () => {
    assert.deepStrictEqual(Config.read(["--workers", "2"], {}), { _tag: "Mistake", why: "more than one worker need DATABASE_URL: the embedded database belongs to one process (see --help)" })
    assert.strictEqual(Config.read(["--workers", "2"], { DATABASE_URL: nowhere })._tag, "Run")
    assert.strictEqual(Config.read(["--workers", "0"], { DATABASE_URL: nowhere })._tag, "Mistake")
  })
})
