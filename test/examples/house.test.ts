import { spawn } from "node:child_process"
import { once } from "node:events"
import * as fs from "node:fs"
import * as net from "node:net"
import * as path from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { Peer } from "../net/serve/support.ts"
import { nodeArguments, root, type Started, start } from "../node/main/start.ts"
import { nowhere } from "./storefront/shop.ts"

// Without a database, for which most of it need not wait.
const open = (args: ReadonlyArray<string> = [], env: Record<string, string> = {}): Started =>
  start("examples/main.ts", ["--http-port", "0", "--chat-port", "0", "--echo-port", "0", ...args], { env: { DATABASE_URL: nowhere, REDIS_URL: "", ...env } })

interface Addresses {
  readonly storefront: string
  readonly chat: { readonly host: string; readonly port: number }
  readonly echo: { readonly host: string; readonly port: number }
}

const addressesOf = async (house: Started): Promise<Addresses> => {
  await house.prints(/echo listens on .+\n.+\n/)
  const at = (name: string) => ({ host: "127.0.0.1", port: Number(new RegExp(`${name} listens on 127\\.0\\.0\\.1:(\\d+)\n`).exec(house.stdout())![1]) })
  return { storefront: /storefront listens on (http:\S+)\n/.exec(house.stdout())![1]!, chat: at("chat"), echo: at("echo") }
}

describe("examples/main.ts", { timeout: 60_000 }, () => {
  describe("the house", () => {
    let house: Started
    let at: Addresses
    beforeAll(async () => {
      house = open()
      at = await addressesOf(house)
    }, 60_000)
    afterAll(() => house.kill("SIGKILL"))

    it("has the storefront, the chat and the echo server in one program", async () => {
      assert.strictEqual(await fetch(`${at.storefront}/hello`).then((answer) => answer.text()), "Hello, World!")
      await new Peer(at.chat).say("CONNECT Ada\n").hears("Ada")
      await new Peer(at.echo).say("is anybody there\n").hears("is anybody there\n")
    })

    it("says how to use each of them, in lines that can be copied", async () => {
      const commands = house.stdout().split("\n").filter((line) => line.startsWith("    ")).map((line) => line.trim())
      assert.strictEqual(commands.length, 3)
      const [curl, chat, echo] = commands as [string, string, string]
      const answer = await fetch(/^curl (\S+)$/.exec(curl)![1]!)
      assert.deepStrictEqual([answer.status, await answer.text()], [200, "Hello, Alice!"])
      const client = async (command: string, input: string, more: ReadonlyArray<string> = []) => {
        const [, file, rest] = /^npm run example -- (\S+\.ts) (.+)$/.exec(command)!
        assert.isTrue(fs.existsSync(path.join(root, file!)))
        const child = spawn(process.execPath, nodeArguments(file!, [...rest!.split(" "), ...more]), { cwd: root, stdio: ["pipe", "pipe", "inherit"], timeout: 30_000 })
        let text = ""
        child.stdout.setEncoding("utf8").on("data", (chunk: string) => text += chunk)
        child.stdin.end(input)
        const [code] = await once(child, "close")
        return { code, text }
      }
      const echoed = await client(echo, "to the echo\n")
      assert.strictEqual(echoed.code, 0)
      assert.include(echoed.text, "to the echo")
      const said = await client(chat, "to the chat\n", ["--name", "Grace"])
      assert.strictEqual(said.code, 0)
      assert.include(said.text, "to the chat")
    })

    it("is one tree of tasks (SIGQUIT)", async () => {
      house.kill("SIGQUIT")
      await house.prints(/nursery house/)
      await house.prints(/nursery chat server/)
      for (const name of ["nursery house", "storefront", "chat", "echo", "service database"]) assert.include(house.stderr(), name)
    })
  })

  it("stops as one, at one signal: requests and connections under way end, each part reports, and the exit code is 0 (P01)", async () => {
    const house = open([], { LOG_FORMAT: "json" })
    const { chat, echo, storefront } = await addressesOf(house)
    const ada = new Peer(chat)
    await ada.say("CONNECT Ada\n").hears("Ada")
    const peer = new Peer(echo)
    await peer.say("first\n").hears("first\n")
    const slow = fetch(`${storefront}/slow`).then((answer) => answer.text())
    // It is under way when a later request has been answered.
    await fetch(`${storefront}/time`).then((answer) => answer.text())
    house.kill("SIGTERM")
    assert.strictEqual(await slow, "That took a second.")
    await ada.ended
    await peer.ended
    const { code, stderr, stdout } = await house.ended
    assert.strictEqual(code, 0)
    const log = stderr.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line))
    // Each of them once (bug: the chat and the echo server told the log, and the house said it again).
    const ends = [...log.map(({ message }) => String(message)), ...stdout.split("\n")].filter((line) => line.includes("has stopped"))
    assert.deepStrictEqual(ends.map((line) => line.replace(/longest .+/, "longest …")).toSorted(), [
      "chat has stopped: drained 1, forced 0, longest …",
      "echo has stopped: drained 1, forced 0, longest …",
      "the server has stopped"
    ])
    const report = log.find(({ message }) => message === "the server has stopped")
    assert.deepInclude(report.annotations, { requestsUnderWay: 1, answered: 1, lost: 0 })
    assert.match(report.task, /^main > house > storefront > /)
    assert.notMatch(stderr, /^\s+at .+:\d+/m)
  })

})

// They are processes that mostly wait: several at a time.
describe.concurrent("examples/main.ts, started", { timeout: 60_000 }, () => {
  it("brings up the storefront on the embedded database when there is no service", async () => {
    const house = open([], { DATABASE_URL: "" })
    const { storefront } = await addressesOf(house)
    // It takes its time; the house is open before it is there.
    assert.match(await fetch(storefront).then((answer) => answer.text()), /The embedded database is (starting|there)/)
    house.kill("SIGINT")
    assert.strictEqual((await house.ended).code, 0)
  })

  it.each(["http-port", "chat-port", "echo-port"])("says in one line that --%s is taken, stops the others, and ends with 1", async (option) => {
    const taken = net.createServer().listen(0, "127.0.0.1")
    await once(taken, "listening")
    const { port } = taken.address() as net.AddressInfo
    try {
      const { code, stderr, stdout } = await open([`--${option}`, String(port)]).ended
      assert.strictEqual(code, 1)
      const lines = stderr.trimEnd().split("\n")
      assert.deepStrictEqual(lines.filter((line) => line.includes("is in use")), [`127.0.0.1:${port} is in use: another program listens there; choose another port with --${option}`])
      assert.notMatch(stderr, /^\s+at .+:\d+/m)
      assert.notInclude(stdout, "The house is open")
    } finally {
      taken.close()
    }
  })

  it("explains itself with --help", async () => {
    const { code, stderr, stdout } = await open(["--help"]).ended
    assert.deepStrictEqual([code, stderr], [0, ""])
    for (const option of ["--host", "--http-port", "--chat-port", "--echo-port"]) assert.include(stdout, option)
  })

  it.each([
    [["--echo-port", "65536"], {}, "--echo-port takes a number from 0 to 65535, got \"65536\" (see --help)\n"],
    [[], { POOL_SIZE: "many" }, "POOL_SIZE: "]
  ] as const)("ends with 2 and one line when it is told something wrong: %j %j", async (args, env, line) => {
    const { code, stderr, stdout } = await open(args, env).ended
    assert.deepStrictEqual([code, stdout], [2, ""])
    assert.isTrue(stderr.startsWith(line), stderr)
    assert.strictEqual(stderr.trimEnd().split("\n").length, 1)
  })
})
