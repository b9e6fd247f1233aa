/**
 * A chat on bare `node:net` as one writes it first: each line goes to each user in a write of its own. Prints its port.
 */
import * as net from "node:net"

const mostUnread = 1 << 20
const users = new Map<net.Socket, string>()

const tell = (line: string): void => {
  for (const socket of users.keys()) {
    socket.write(line)
    if (socket.writableLength > mostUnread) socket.destroy()
  }
}

const server = net.createServer({ noDelay: true }, (socket) => {
  let rest = ""
  socket.setEncoding("utf8")
  socket.on("data", (text: string) => {
    const lines = (rest + text).split("\n")
    rest = lines.pop()!
    for (const line of lines) {
      const name = users.get(socket)
      if (name !== undefined) tell(`${name}: ${line}\n`)
      else if (line.startsWith("CONNECT ")) {
        const newcomer = line.slice(8)
        users.set(socket, newcomer)
        socket.write(`Welcome! ${users.size} user(s) are online!\n`)
        tell(`${newcomer} connected!\n`)
      } else socket.destroy()
    }
  })
  socket.on("error", () => socket.destroy())
  socket.on("close", () => {
    const name = users.get(socket)
    if (users.delete(socket)) tell(`${name} has left the chat\n`)
  })
})
server.listen(0, "127.0.0.1", 511, () => console.log((server.address() as net.AddressInfo).port))
