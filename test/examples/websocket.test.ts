import { once } from "node:events"
import * as net from "node:net"
import { assert, describe, it } from "vitest"
import { WebSocket } from "ws"
import { start } from "../node/main/start.ts"

const file = "examples/streams/websocket-echo.ts"

const boundTo = (stdout: string): number => Number(/^websocket echo server listens on 127\.0\.0\.1:(\d+)$/m.exec(stdout)![1])

describe("examples/streams/websocket-echo.ts", () => {
  it("has a page, sends back what it is sent, and tells 1001 to everybody on SIGTERM before it exits with 0", async () => {
    const server = start(file, ["--port", "0"])
    await server.prints("listens on")
    const port = boundTo(server.stdout())
    const page = await (await fetch(`http://127.0.0.1:${port}/`)).text()
    assert.include(page, "new WebSocket(")
    const socket = new WebSocket(`ws://127.0.0.1:${port}/echo`, { origin: `http://127.0.0.1:${port}` })
    await once(socket, "open")
    socket.send("hello")
    const [echoed] = await once(socket, "message") as [Buffer]
    assert.strictEqual(echoed.toString(), "hello")
    const foreign = new WebSocket(`ws://127.0.0.1:${port}/echo`, { origin: "http://evil.example" })
    const [error] = await once(foreign, "error") as [Error]
    assert.include(error.message, "403")
    server.kill("SIGTERM")
    const [code] = await once(socket, "close") as [number]
    assert.strictEqual(code, 1001)
    const ended = await server.ended
    assert.deepStrictEqual([ended.code, ended.signal, ended.stderr], [0, null, ""])
  })

  it("says in one line that its port is busy, and exits with 1", async () => {
    const taken = net.createServer().listen(0, "127.0.0.1")
    await once(taken, "listening")
    const { port } = taken.address() as net.AddressInfo
    const { code, stderr, stdout } = await start(file, ["--port", String(port)]).ended
    taken.close()
    assert.deepStrictEqual([code, stdout], [1, ""])
    assert.match(stderr, new RegExp(`^[^\\n]*127\\.0\\.0\\.1:${port} is in use[^\\n]*\\n$`))
  })

  it("tells how it is used", async () => {
    const { code, stdout } = await start(file, ["--help"]).ended
    assert.strictEqual(code, 0)
    assert.match(stdout, /^Usage: npm run example -- examples\/streams\/websocket-echo\.ts \[--host HOST\] \[--port PORT\]/)
  })
})
