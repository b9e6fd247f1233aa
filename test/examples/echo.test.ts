import { spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "vitest"
import { Peer } from "../net/serve/support.ts"
import { nodeArguments, root, type Started, start } from "../node/main/start.ts"
import { piped } from "./piped.ts"

const file = (name: string) => `examples/echo/${name}.ts`

const addressIn = (stdout: string) => {
  const [, host, port] = /listens on ([\d.]+):(\d+)\n/.exec(stdout)!
  return { host: host!, port: Number(port) }
}

const startServer = async (name: string, ...args: ReadonlyArray<string>) => {
  const program = start(file(name), ["--port", "0", ...args])
  await program.prints(/listens on .+:\d+\n/)
  return { program, at: addressIn(program.stdout()) }
}

const stop = async (program: Started) => {
  program.kill("SIGTERM")
  return await program.ended
}

/** Runs the client with this as its input. */
const client = (at: { readonly port: number }, input: string | Uint8Array, args: ReadonlyArray<string> = []) =>
  piped(file("client"), ["--port", String(at.port), ...args], input, { encoding: "latin1", watchdogMillis: 30_000 })

const servers = [["server", "echo server", 8888], ["counting", "counting server", 8000]] as const

for (const [name, title, port] of servers) {
  describe(`examples/echo/${name}.ts`, { timeout: 60_000 }, () => {
    it("prints one line with its address when it is ready, and ends with 0 on SIGTERM", async () => {
      const { at, program } = await startServer(name)
      assert.strictEqual(program.stdout(), `${title} listens on 127.0.0.1:${at.port}\n`)
      assert.isAbove(at.port, 0)
      assert.deepStrictEqual(await stop(program), { code: 0, signal: null, stdout: program.stdout(), stderr: "" })
    })

    it("ends with 0 on SIGTERM while peers are connected, who see its end", async () => {
      const { at, program } = await startServer(name)
      const peers = [new Peer(at), new Peer(at)]
      for (const peer of peers) await peer.say("hello\n").hears("hello\n")
      const { code, stderr } = await stop(program)
      assert.deepStrictEqual([code, stderr], [0, ""])
      for (const peer of peers) assert.strictEqual(await peer.ended, "end")
      assert.match(program.stdout(), /server has stopped: drained 2, forced 0/)
      for (const peer of peers) peer.leave()
    })

    it("says in one line that a port is in use, and ends with 1: T05", async () => {
      const { at, program } = await startServer(name)
      const second = start(file(name), ["--port", String(at.port)])
      assert.deepStrictEqual(await second.ended, {
        code: 1,
        signal: null,
        stdout: "",
        stderr: `127.0.0.1:${at.port} is in use: another program listens there; choose another port with --port\n`
      })
      await stop(program)
    })

    it("says in one line what else is wrong with an address: T05", async () => {
      const elsewhere = await start(file(name), ["--host", "192.0.2.1"]).ended
      assert.deepStrictEqual([elsewhere.code, elsewhere.stdout], [1, ""])
      assert.match(elsewhere.stderr, new RegExp(`^cannot listen on 192\\.0\\.2\\.1:${port}: .*EADDRNOTAVAIL.*\\n$`))
    })

    it("takes --host, and tells what it takes with --help", async () => {
      const { at, program } = await startServer(name, "--host", "127.0.0.1")
      const peer = new Peer(at)
      await peer.say("hello\n").hears("hello\n")
      peer.leave()
      await stop(program)
      const { code, stderr, stdout } = await start(file(name), ["--help"]).ended
      assert.deepStrictEqual([code, stderr], [0, ""])
      for (const words of [`Usage: npm run example -- ${file(name)}`, "--host HOST", `--port PORT  at which port (${port};`, "--help"]) assert.include(stdout, words)
    })

    it("refuses an option that makes no sense in one line, with 2", async () => {
      for (const [args, says] of [[["--port", "http"], /--port takes a number from 0 to 65535, got "http"/], [["--prot", "1"], /--prot/]] as const) {
        const { code, stderr, stdout } = await start(file(name), args).ended
        assert.deepStrictEqual([code, stdout], [2, ""])
        assert.match(stderr, says)
        assert.lengthOf(stderr.trimEnd().split("\n"), 1)
      }
    })
  })
}

describe("examples/echo/server.ts", { timeout: 60_000 }, () => {
  it("sends nothing of its own, and everything back, to each peer its own, and its end after theirs", async () => {
    const { at, program } = await startServer("server")
    const peers = Array.from({ length: 20 }, () => new Peer(at))
    await Promise.all(peers.map((peer) => peer.connected))
    for (const [i, peer] of peers.entries()) peer.say(`I am ${i}`).socket.end()
    for (const [i, peer] of peers.entries()) {
      assert.strictEqual(await peer.ended, "end")
      assert.strictEqual(peer.received, `I am ${i}`)
      peer.leave()
    }
    await stop(program)
  })

  it.skipIf(process.platform !== "linux" || process.getuid?.() !== 0)("says in one line that a port is privileged, and ends with 1: T05", async (test) => {
    const first = Number(fs.readFileSync("/proc/sys/net/ipv4/ip_unprivileged_port_start", "utf8"))
    if (first <= 81) return test.skip("no port is privileged on this machine")
    if (spawnSync("setpriv", ["--version"]).status !== 0) return test.skip("there is no setpriv here, which takes the rights away")
    const shell = "exec setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\""
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "echo-"))
    const { code, stderr } = await start(file("server"), ["--port", "81"], { shell, env: { HOME: folder } }).ended
    fs.rmSync(folder, { recursive: true })
    assert.strictEqual(code, 1)
    assert.strictEqual(stderr, "127.0.0.1:81 is not for everybody: ports below 1024 need the rights of the administrator\n")
  })
})

describe("examples/echo/counting.ts", { timeout: 60_000 }, () => {
  it("greets with the number of users, tells the others when it changes, and sends lines back", async () => {
    const { at, program } = await startServer("counting")
    const ada = new Peer(at)
    await ada.hears("Welcome! 1 user(s) are online!\n")
    const grace = new Peer(at)
    await grace.hears("Welcome! 2 user(s) are online!\n")
    await ada.hears("2 user(s) are online!\n")
    await ada.say("hello\r\nworld\n").hears("hello\nworld\n")
    grace.socket.end()
    assert.strictEqual(await grace.ended, "end")
    await ada.hears("world\n1 user(s) are online!\n")
    assert.strictEqual(grace.received, "Welcome! 2 user(s) are online!\n")
    assert.strictEqual(ada.received, "Welcome! 1 user(s) are online!\n2 user(s) are online!\nhello\nworld\n1 user(s) are online!\n")
    for (const peer of [ada, grace]) peer.leave()
    await stop(program)
  })

  it("counts those down who are reset or cut off, too", async () => {
    const { at, program } = await startServer("counting")
    const ada = new Peer(at)
    await ada.hears("Welcome! 1 user(s) are online!\n")
    const grace = new Peer(at)
    await ada.hears("2 user(s) are online!\n")
    grace.socket.resetAndDestroy()
    await ada.hears("2 user(s) are online!\n1 user(s) are online!\n")
    ada.leave()
    await stop(program)
  })

  it("parts from somebody who never ends a line, and says why", async () => {
    const { at, program } = await startServer("counting")
    const peer = new Peer(at)
    peer.say("x".repeat(200_000))
    await peer.hears("longer than the limit")
    await peer.ended
    peer.leave()
    await stop(program)
  })
})

describe("examples/echo/client.ts", { timeout: 60_000 }, () => {
  it("sends its input and prints what comes back, byte by byte", async () => {
    const { at, program } = await startServer("server")
    const bytes = Uint8Array.from({ length: 1_000_000 }, (_, i) => i * 31 >>> 3 & 255)
    const { code, stderr, stdout } = await client(at, bytes)
    assert.deepStrictEqual([code, stderr], [0, ""])
    assert.isTrue(Buffer.from(stdout, "latin1").equals(bytes))
    await stop(program)
  })

  it("ends when the server ends, although nobody has typed anything", async () => {
    const { at, program } = await startServer("counting")
    const child = spawn(process.execPath, nodeArguments(file("client"), ["--port", String(at.port)]), { cwd: root, stdio: ["pipe", "pipe", "inherit"] })
    const code = new Promise((resolve) => child.on("close", resolve))
    await new Promise((resolve) => child.stdout.once("data", resolve))
    await stop(program)
    assert.strictEqual(await code, 0)
  })

  it("says in one line that nobody listens, and ends with 1", async () => {
    const { at, program } = await startServer("server")
    await stop(program)
    const { code, stderr, stdout } = await client(at, "hello")
    assert.deepStrictEqual([code, stdout], [1, ""])
    assert.match(stderr, new RegExp(`^tcp 127\\.0\\.0\\.1:${at.port} is broken: .*ECONNREFUSED.*\\n$`))
  })

  it("tells what it takes with --help", async () => {
    const { code, stdout } = await start(file("client"), ["--help"]).ended
    assert.strictEqual(code, 0)
    assert.include(stdout, "Usage: npm run example -- examples/echo/client.ts")
  })
})
