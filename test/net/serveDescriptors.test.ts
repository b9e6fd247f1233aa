import { assert, describe, it } from "vitest"
import { start } from "../node/main/start.ts"
import { Peer } from "./serve/support.ts"

const portOf = (stdout: string): number => Number(/listens on 127\.0\.0\.1:(\d+)/.exec(stdout)![1])

/** Whether the peer was served, or turned away. */
const served = (peer: Peer): Promise<boolean> =>
  Promise.race([peer.say("hello").hears("hello").then(() => true), peer.ended.then(() => false)])

describe("Tcp.serve in a process with 128 file descriptors", () => {
  it.skipIf(process.platform !== "linux")("survives 1,000 connections, says why it turns some away, and serves again when others have left: B4", { timeout: 60_000 }, async () => {
    const server = start("examples/echo/server.ts", ["--port", "0"], { shell: "ulimit -n 128; exec \"$@\"" })
    await server.prints("listens on")
    const at = { host: "127.0.0.1", port: portOf(server.stdout()) }
    const peers = Array.from({ length: 1000 }, () => new Peer(at))
    const outcomes = await Promise.all(peers.map(served))
    const many = outcomes.filter((each) => each).length
    assert.isAbove(many, 50)
    assert.isBelow(many, 128)
    await server.prints(/all 128 file descriptors of this process are in use/)

    for (const peer of peers) peer.leave()
    // It has descriptors again as soon as it has seen them leave.
    for (let again = false; !again;) {
      const peer = new Peer(at)
      again = await served(peer)
      peer.leave()
    }
    server.kill("SIGTERM")
    const { code } = await server.ended
    assert.strictEqual(code, 0)
  })
})
