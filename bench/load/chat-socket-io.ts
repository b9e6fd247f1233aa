/** The same chat with Socket.IO, over WebSockets: a line is an event, and goes to all who are in the room. Prints its port. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { Server } from "socket.io"

const http = createServer()
const io = new Server(http, { transports: ["websocket"], serveClient: false })
const room = io.to("chat")
let online = 0

io.on("connection", (socket) => {
  let name: string | undefined
  socket.on("line", (line: string) => {
    if (name !== undefined) room.emit("line", `${name}: ${line}`)
    else if (line.startsWith("CONNECT ")) {
      name = line.slice(8)
      socket.emit("line", `Welcome! ${++online} user(s) are online!`)
      void socket.join("chat")
      room.emit("line", `${name} connected!`)
    } else socket.disconnect()
  })
  socket.on("disconnect", () => {
    if (name === undefined) return
    online--
    room.emit("line", `${name} has left the chat`)
  })
})
http.listen(0, "127.0.0.1", 511, () => console.log((http.address() as AddressInfo).port))
