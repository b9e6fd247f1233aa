/**
 * The other ends of the WebSockets, in a process of their own, so that their work is not counted: plain
 * sockets that shake hands and compare every byte that comes with the frame that must come.
 *
 * `ws-receivers.ts PORT COUNT TEXT`; it says "open" when all are open, and "round" when all of them have got as
 * many frames more as the last message from the parent said.
 */
import * as net from "node:net"

const [port, count, text] = [Number(process.argv[2]), Number(process.argv[3]), process.argv[4]!]
const payload = Buffer.from(text)
const frame = Buffer.concat([Buffer.from([0x81, payload.length]), payload])
/** Enough of them for whatever one read brings. */
const expected = Buffer.concat(Array.from({ length: 2048 }, () => frame))

let open = 0
let wanted = 0
let got = 0

const look = () => {
  if (wanted === 0 || got < wanted) return
  if (got > wanted) throw new Error(`${got - wanted} bytes came that nobody sent`)
  wanted = got = 0
  process.send!("round")
}

const connect = () => {
  let head = ""
  let at = 0
  const socket = net.connect({ host: "127.0.0.1", port })
  socket.on("error", (error) => {
    throw error
  })
  socket.on("data", (chunk: Buffer) => {
    if (head !== "done") {
      head += chunk.toString("latin1")
      if (!head.endsWith("\r\n\r\n")) return
      if (!head.startsWith("HTTP/1.1 101 ")) throw new Error(head)
      head = "done"
      if (++open === count) process.send!("open")
      return
    }
    if (!chunk.equals(expected.subarray(at, at + chunk.length))) throw new Error("other bytes came than were sent")
    at = (at + chunk.length) % frame.length
    got += chunk.length
    look()
  })
  socket.write(
    "GET / HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
  )
}

process.on("message", (frames: number) => {
  wanted = frames * frame.length * count
  look()
})
process.on("disconnect", () => process.exit(0))
for (let i = 0; i < count; i++) connect()
