/**
 * `chat-load.c` for machines without a C compiler: the same commands, the same answers, every byte checked. It takes several times
 * the processor of the fast servers: then ratios of wall time and latencies say little, ratios of CPU what they always say.
 *
 *     chat-load.ts HOST PORT FRAMING
 */
import * as net from "node:net"
import { createInterface } from "node:readline"
import { WebSocket } from "ws"

const period = 65_521
const mostBytes = 4096
/** So many have connected and are not welcomed yet: the queue of a listener has 511 places. */
const atTheDoor = 500
const pattern = Array.from({ length: period + mostBytes }, (_, i) => String.fromCharCode(97 + (Math.imul(i % period, 2_654_435_761) >>> 13) % 26)).join("")

const [host = "127.0.0.1", port = "0", framing = "lines"] = process.argv.slice(2)

const fail = (why: string): never => {
  console.error(`Error: chat-load: ${why}`)
  process.exit(1)
}

// --- how lines travel ---

interface Wire {
  readonly send: (lines: ReadonlyArray<string>) => void
  readonly pause: () => void
  readonly destroy: () => void
}

let dialled = 0
// Many addresses, because each has ports for 28,000 connections of the last minute only. Where there is only one, it must do.
const local = () => process.platform === "linux" ? { localAddress: `127.0.0.${2 + dialled++ % 250}` } : {}

const overLines = (heard: (line: string) => void, opened: () => void): Wire => {
  let rest = ""
  const socket = net.connect({ host, port: Number(port), noDelay: true, ...local() })
  socket.setEncoding("latin1")
  socket.on("connect", opened)
  socket.on("data", (text: unknown) => {
    const lines = (rest + String(text)).split("\n")
    rest = lines.pop()!
    lines.forEach(heard)
  })
  socket.on("error", (error) => fail(error.message))
  socket.on("end", () => fail("the server has closed a connection"))
  return { send: (lines) => socket.write(`${lines.join("\n")}\n`), pause: () => socket.pause(), destroy: () => socket.removeAllListeners().on("error", () => {}).destroy() }
}

const overWebSocket = (path: string, heard: (text: string) => void, opened: () => void): WebSocket =>
  new WebSocket(`ws://${host}:${port}${path}`, { perMessageDeflate: false, ...local() })
    .on("open", opened)
    .on("message", (data) => heard(String(data)))
    .on("error", (error) => fail(error.message))
    .on("close", () => fail("the server has closed a connection"))

const wireOf = (socket: WebSocket, framed: (line: string) => string): Wire => ({
  send: (lines) => lines.forEach((line) => socket.send(framed(line))),
  pause: () => socket.pause(),
  destroy: () => socket.removeAllListeners().on("error", () => {}).terminate()
})

const overSocketIo = (heard: (line: string) => void, opened: () => void): Wire => {
  const packet = (text: string): void => {
    if (text.startsWith("42[\"line\",\"")) return heard((JSON.parse(text.slice(2)) as [string, string])[1])
    if (text.startsWith("40")) return opened()
    if (text.startsWith("0")) return socket.send("40")
    if (text === "2") return socket.send("3")
    fail(`got the packet ${JSON.stringify(text.slice(0, 80))}`)
  }
  const socket = overWebSocket("/socket.io/?EIO=4&transport=websocket", packet, () => {})
  return wireOf(socket, (line) => `42${JSON.stringify(["line", line])}`)
}

const wire = (heard: (line: string) => void, opened: () => void): Wire =>
  framing === "lines"
    ? overLines(heard, opened)
    : framing === "ws"
    ? wireOf(overWebSocket("/", heard, opened), (line) => line)
    : overSocketIo(heard, opened)

// --- the users ---

let users: Array<User> = []
let silent: Array<net.Socket> = []
let generation = 0
let welcomed = 0
let noticed = 0
let left = 0
let latencies: Array<number> = []

/** What is being said. */
interface Talk {
  readonly size: number
  /** Until when each sender speaks, and when its lines were sent. */
  readonly speakers: ReadonlyArray<Speaker>
  delivered: number
}

interface Speaker {
  readonly first: number
  readonly end: number
  sent: number
  back: number
  readonly times: Array<number>
}

let talk: Talk = { size: 0, speakers: [], delivered: 0 }
const saidSoFar: Array<number> = []
/** Looks whether what is waited for has come. */
let look = () => {}

const textOf = (sender: number, line: number, size: number): string => {
  const from = (sender * 7919 + line * 104_729) % period
  return `${String(line).padStart(8, "0")} ${pattern.slice(from, from + size - 9)}`
}

class User {
  readonly index: number
  readonly name: string
  number = 0
  readonly told: Array<string> = []
  isStopped = false
  private readonly next: Array<number> = []
  readonly wire: Wire

  constructor(index: number) {
    this.index = index
    this.name = `u${String(generation % 100).padStart(2, "0")}${String(index).padStart(4, "0")}`
    this.wire = wire((line) => this.heard(line), () => this.wire.send([`CONNECT ${this.name}`]))
  }

  private heard(line: string): void {
    if (this.isStopped) return
    if (this.number === 0) {
      this.number = Number(/^Welcome! (\d+) user\(s\) are online!$/.exec(line)?.[1] ?? fail(`instead of a welcome user ${this.index} got ${JSON.stringify(line)}`))
      welcomed++
      return look()
    }
    const [who, rest] = [line.slice(0, 7), line.slice(7)]
    if (rest.startsWith(": ")) return this.message(Number(who.slice(3)), who, rest.slice(2))
    if (rest === " connected!") {
      this.told.push(who)
      noticed++
      return look()
    }
    if (rest === " has left the chat" && users[Number(who.slice(3))]?.isStopped === true) {
      left++
      return
    }
    fail(`user ${this.index} got ${JSON.stringify(line.slice(0, 80))}`)
  }

  private message(sender: number, who: string, text: string): void {
    const speaker = talk.speakers[sender]
    const line = this.next[sender] ?? 0
    if (speaker === undefined || who !== users[sender]!.name || line >= speaker.sent) return fail(`user ${this.index} got a line that nobody has said: ${JSON.stringify(text.slice(0, 80))}`)
    if (text !== textOf(sender, line, talk.size)) fail(`user ${this.index} wanted line ${line} of user ${sender} and got ${JSON.stringify(text.slice(0, 80))}`)
    this.next[sender] = line + 1
    latencies.push((performance.now() - speaker.times[line - speaker.first]!) * 1000)
    talk.delivered++
    if (this.index === sender) speaker.back++
    look()
  }
}

const speak = (sender: number, until: number, time: number): void => {
  const speaker = talk.speakers[sender]!
  const lines = []
  for (; speaker.sent < until; speaker.sent++) {
    lines.push(textOf(sender, speaker.sent, talk.size))
    speaker.times.push(time)
  }
  saidSoFar[sender] = speaker.sent
  if (lines.length > 0) users[sender]!.wire.send(lines)
}

// --- commands ---

let patienceSeconds = 30

const until = (isSo: () => boolean, soFar: () => string): Promise<void> =>
  new Promise((resolve) => {
    const watchdog = setTimeout(() => fail(`${soFar()}, and none for ${patienceSeconds} s`), patienceSeconds * 1000)
    look = () => {
      watchdog.refresh()
      if (!isSo()) return
      look = () => {}
      clearTimeout(watchdog)
      resolve()
    }
    look()
  })

const answer = (began: number, delivered: number) => {
  const sorted = Float64Array.from(latencies).sort()
  latencies = []
  const at = (share: number) => Math.round(sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? 0)
  return { delivered, seconds: (performance.now() - began) / 1000, p50: at(0.5), p99: at(0.99), max: at(1), left }
}

const drop = () => {
  for (const { wire } of users) wire.destroy()
  for (const socket of silent) socket.removeAllListeners().on("error", () => {}).destroy()
  users = []
  silent = []
  welcomed = noticed = left = saidSoFar.length = 0
}

/** The one that was welcomed first is told of all, the last one of itself alone; all in the same order. */
const checkNotices = () => {
  const inOrder = users.toSorted((a, b) => a.number - b.number)
  const names = inOrder.map(({ name }) => name)
  inOrder.forEach((user, i) => {
    if (user.number !== i + 1) fail(`the welcomes skip the number ${i + 1}`)
    if (user.told.join() !== names.slice(i).join()) fail(`user ${user.index} was told of others than those who came`)
  })
}

const plan = (lines: number, senders: number, size: number): number => {
  if (senders > users.length || size > mostBytes || size < 10) fail(`what shall ${senders} senders say?`)
  const speakers = Array.from({ length: senders }, (_, i) => {
    const first = saidSoFar[i] ?? 0
    return { first, end: first + Math.floor(lines / senders) + (i < lines % senders ? 1 : 0), sent: first, back: first, times: [] }
  })
  talk = { size, speakers, delivered: 0 }
  return lines * users.filter(({ isStopped }) => !isStopped).length
}

const commands: Record<string, (...numbers: ReadonlyArray<number>) => Promise<unknown>> = {
  join: async (count = 0) => {
    const began = performance.now()
    drop()
    generation++
    const wanted = count * (count + 1) / 2
    await until(() => {
      while (users.length < count && users.length - welcomed < atTheDoor) users.push(new User(users.length))
      return noticed === wanted && welcomed === count
    }, () => `${welcomed} of ${count} are welcome and ${noticed} of ${wanted} notices have come`)
    checkNotices()
    return answer(began, noticed)
  },
  say: async (lines = 0, senders = 1, window = 1, size = 10) => {
    const began = performance.now()
    const wanted = plan(lines, senders, size)
    await until(() => {
      talk.speakers.forEach(({ back, end, sent }, i) => {
        if (sent < Math.min(back + window, end)) speak(i, Math.min(back + window, end), performance.now())
      })
      return talk.delivered === wanted
    }, () => `${talk.delivered} of ${wanted} lines have come`)
    return answer(began, talk.delivered)
  },
  pace: async (lines = 0, senders = 1, perSecond = 1, size = 10) => {
    const began = performance.now()
    const wanted = plan(lines, senders, size)
    for (let said = 0; said < lines; said++) {
      const due = began + said * 1000 / perSecond
      await new Promise((resume) => setTimeout(resume, Math.max(due - performance.now(), 0)))
      speak(said % senders, talk.speakers[said % senders]!.sent + 1, due)
    }
    await until(() => talk.delivered === wanted, () => `${talk.delivered} of ${wanted} lines have come`)
    return answer(began, talk.delivered)
  },
  stop: async () => {
    const last = users.at(-1) ?? fail("there is no user who could stop")
    last.isStopped = true
    last.wire.pause()
    return {}
  },
  patience: async (seconds = 0) => {
    patienceSeconds = seconds
    return {}
  },
  idle: async (count = 0) => {
    const began = performance.now()
    let ready = 0
    for (let i = 0; i < count; i++) {
      const socket = net.connect({ host, port: Number(port), ...local() }, () => {
        ready++
        look()
      })
      socket.on("data", () => fail("a client that has said nothing got something"))
      socket.on("error", (error) => fail(error.message))
      socket.on("end", () => fail("the server has closed a connection"))
      silent.push(socket)
    }
    await until(() => ready === count, () => `${ready} of ${count} are connected`)
    return answer(began, 0)
  },
  drop: async () => {
    drop()
    return {}
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const [name = "", ...numbers] = line.split(" ")
  const command = commands[name] ?? fail(`unknown command ${line}`)
  console.log(JSON.stringify(await command(...numbers.map(Number))))
}
process.exit(0)
