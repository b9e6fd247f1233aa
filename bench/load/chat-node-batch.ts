/**
 * A chat on bare `node:net`, written for speed by hand: what is said in one turn of the loop is encoded once and written
 * once to each user, and so is the news of who comes and goes. Prints its port.
 *
 * It has what it cannot do without: lines are cut where they end, and a user who does not read is dropped. It has no limits of
 * time, no rooms, no commands, no history, no log.
 */
import * as net from "node:net"

const mostUnread = 1 << 20
const mostLine = 4096

interface User {
  readonly socket: net.Socket
  name: string | undefined
  /** The beginning of a line. */
  rest: string
  /** Set in the turn in which the user comes: the welcome, and how much was told before it. */
  welcome: string | undefined
  from: number
}

const users = new Set<User>()
let told: Array<string> = []

const tell = (line: string): void => {
  if (told.push(line) === 1) setImmediate(endTurn)
}

const endTurn = (): void => {
  const lines = told
  told = []
  const all = Buffer.from(lines.join(""))
  for (const user of users) {
    const { socket } = user
    if (user.welcome === undefined) socket.write(all)
    else {
      socket.write(user.welcome + lines.slice(user.from).join(""))
      user.welcome = undefined
    }
    if (socket.writableLength > mostUnread) leave(user)
  }
}

const leave = (user: User): void => {
  user.socket.destroy()
  if (users.delete(user)) tell(`${user.name} has left the chat\n`)
}

const heard = (user: User, line: string): void => {
  if (user.name !== undefined) {
    if (line !== "") tell(`${user.name}: ${line}\n`)
    return
  }
  if (!line.startsWith("CONNECT ")) return leave(user)
  user.name = line.slice(8)
  users.add(user)
  user.welcome = `Welcome! ${users.size} user(s) are online!\n`
  user.from = told.length
  tell(`${user.name} connected!\n`)
}

const server = net.createServer({ noDelay: true }, (socket) => {
  const user: User = { socket, name: undefined, rest: "", welcome: undefined, from: 0 }
  socket.setEncoding("utf8")
  socket.on("data", (text: string) => {
    const lines = (user.rest + text).split("\n")
    user.rest = lines.pop()!
    for (const line of lines) heard(user, line.endsWith("\r") ? line.slice(0, -1) : line)
    if (user.rest.length > mostLine) leave(user)
  })
  socket.on("error", () => leave(user))
  socket.on("close", () => leave(user))
})
server.listen(0, "127.0.0.1", 511, () => console.log((server.address() as net.AddressInfo).port))
