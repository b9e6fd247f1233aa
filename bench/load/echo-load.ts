/**
 * `echo-load.c` for machines without a C compiler: the same commands, the same answers, every byte checked. It takes several times
 * the processor of the servers that it tests: then ratios of wall time say little, those of CPU what they always say.
 *
 *     echo-load.ts HOST PORT
 */
import * as net from "node:net"
import { createInterface } from "node:readline"

const period = 65_521
const chunk = 1 << 20
const pattern = new Uint8Array(period + chunk).map((_, i) => (Math.imul(i % period, 2_654_435_761) >>> 13) & 255)
const patienceMillis = 60_000

const [host = "127.0.0.1", port = "0"] = process.argv.slice(2)

const fail = (why: string): never => {
  console.error(`Error: echo-load: ${why}`)
  process.exit(1)
}

let latencies: Array<number> = []
let all: Array<Connection> = []

class Connection {
  readonly socket: net.Socket
  private readonly start: number
  private sent = 0
  private received = 0
  private allowed = 0
  private target = 0
  private size = 1
  private depth = 1
  private began: Array<number> = []
  private done = () => {}

  constructor(index: number) {
    this.start = index * 7919 % period
    // Many addresses, because each has ports for 28,000 connections of the last minute only. Where there is only one, it must do.
    const localAddress = process.platform === "linux" ? `127.0.0.${2 + index % 250}` : undefined
    this.socket = net.connect({ host, port: Number(port), noDelay: true, ...(localAddress === undefined ? {} : { localAddress }) })
    this.socket.on("data", (bytes: Buffer) => this.pull(bytes))
    this.socket.on("error", (error) => fail(error.message))
    this.socket.on("end", () => this.received === this.target || fail(`the server has closed a connection after ${this.received} of ${this.target} bytes`))
  }

  run(messages: number, size: number, depth: number): Promise<void> {
    this.size = size
    this.depth = depth
    this.target = this.sent + messages * size
    this.allowed = this.sent + Math.min(messages, depth) * size
    return new Promise((resolve) => {
      this.done = resolve
      this.push()
    })
  }

  private push(): void {
    while (this.sent < this.allowed) {
      const length = Math.min(this.allowed - this.sent, chunk)
      const time = performance.now()
      for (let m = Math.ceil(this.sent / this.size); m * this.size < this.sent + length; m++) this.began[m % this.depth] = time
      const from = (this.start + this.sent) % period
      this.sent += length
      this.socket.write(pattern.subarray(from, from + length))
    }
  }

  private pull(bytes: Uint8Array): void {
    if (this.received + bytes.length > this.sent) fail("more came back than was sent")
    const from = (this.start + this.received) % period
    if (Buffer.compare(bytes, pattern.subarray(from, from + bytes.length)) !== 0) fail(`other bytes came back, near byte ${this.received}`)
    const before = Math.floor(this.received / this.size)
    this.received += bytes.length
    const time = performance.now()
    for (let m = before; m < Math.floor(this.received / this.size); m++) {
      latencies.push((time - this.began[m % this.depth]!) * 1000)
      if (this.allowed < this.target) this.allowed += this.size
    }
    if (this.received === this.target) this.done()
    else this.push()
  }
}

const statistics = (messages: number) => {
  const sorted = Float64Array.from(latencies).sort()
  latencies = []
  const at = (share: number) => Math.round(sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? 0)
  return { messages, p50: at(0.5), p99: at(0.99), max: at(1) }
}

const drop = () => {
  for (const { socket } of all.splice(0)) socket.destroy()
}

const connect = async (count: number, size: number, depth: number) => {
  drop()
  while (all.length < count) {
    const some = Array.from({ length: Math.min(100, count - all.length) }, (_, i) => new Connection(all.length + i))
    all.push(...some)
    await Promise.all(some.map((connection) => connection.run(1, size, depth)))
  }
  return statistics(count)
}

let size = 1
let depth = 1

const commands: Record<string, (...numbers: ReadonlyArray<number>) => Promise<unknown>> = {
  open: (count = 0, ...rest) => {
    ;[size = 1, depth = 1] = rest
    return connect(count, size, depth)
  },
  echo: async (messages = 0) => {
    const share = (i: number) => Math.floor(messages / all.length) + (i < messages % all.length ? 1 : 0)
    await Promise.all(all.map((connection, i) => share(i) === 0 ? undefined : connection.run(share(i), size, depth)))
    return statistics(messages)
  },
  dial: async (times = 0, atOnce = 1, size = 1) => {
    let begun = 0
    const lane = async () => {
      while (begun < times) {
        const connection = new Connection(begun++)
        await connection.run(1, size, 1)
        connection.socket.destroy()
      }
    }
    await Promise.all(Array.from({ length: atOnce }, lane))
    return statistics(times)
  },
  idle: (count = 0) => connect(count, 1, 1),
  drop: async () => {
    drop()
    return {}
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const [name = "", ...numbers] = line.split(" ")
  const command = commands[name] ?? fail(`unknown command ${line}`)
  const watchdog = setTimeout(() => fail("not done after 60 s"), patienceMillis)
  console.log(JSON.stringify(await command(...numbers.map(Number))))
  clearTimeout(watchdog)
}
process.exit(0)
