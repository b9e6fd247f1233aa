/** The same chat with `ws`: a line is a message, and goes to all clients as in the broadcast of its readme. Prints its port. */
import type { AddressInfo } from "node:net"
import { type WebSocket, WebSocketServer } from "ws"

const names = new Map<WebSocket, string>()

const tell = (line: string): void => {
  for (const socket of names.keys()) socket.send(line)
}

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false })
server.on("connection", (socket) => {
  socket.on("message", (data) => {
    const line = String(data)
    const name = names.get(socket)
    if (name !== undefined) tell(`${name}: ${line}`)
    else if (line.startsWith("CONNECT ")) {
      const newcomer = line.slice(8)
      names.set(socket, newcomer)
      socket.send(`Welcome! ${names.size} user(s) are online!`)
      tell(`${newcomer} connected!`)
    } else socket.close()
  })
  socket.on("error", () => {})
  socket.on("close", () => {
    const name = names.get(socket)
    if (names.delete(socket)) tell(`${name} has left the chat`)
  })
})
server.on("listening", () => console.log((server.address() as AddressInfo).port))
