/**
 * A TCP listener in front of an embedded PostgreSQL (PGlite), so that the same driver talks to both.
 *
 * PGlite is one session of PostgreSQL in this process. Here several connections share it, and each has to see answers to
 * its own questions only. So a connection has its turn for a whole cycle: from the first message up to `Sync`, and in a
 * transaction up to its end. (The server of @electric-sql/pglite-socket gives each message a turn of its own. With a pool
 * of six and some load, a connection gets the rows of another one there.)
 *
 * What one session cannot do stays missing: LISTEN, cancelling a running query, two transactions at the same time.
 */
import type { PGlite } from "@electric-sql/pglite"
import * as net from "node:net"

export interface Options {
  readonly host: string
  readonly port: number
  /** More connections are closed at once. */
  readonly maxConnections: number
}

/** Listens, and says at which port. */
export const listen = (db: PGlite, { host, maxConnections, port }: Options): Promise<net.Server> =>
  new Promise((resolve, reject) => {
    const turns = new Turns(db)
    const server = net.createServer((socket) => new Connection(socket, turns))
    server.maxConnections = maxConnections
    server.on("error", reject)
    server.listen(port, host, () => resolve(server))
  })

/** Gives one connection after the other its turn with the database. */
class Turns {
  readonly #db: PGlite
  readonly #waiting: Array<Connection> = []
  /** The one that is in a transaction: nobody else may come between. */
  #holder: Connection | undefined
  #running = false

  constructor(db: PGlite) {
    this.#db = db
  }

  /** The connection has a whole cycle to send, or has gone. */
  ask(connection: Connection): void {
    if (connection !== this.#holder && !this.#waiting.includes(connection)) this.#waiting.push(connection)
    if (!this.#running) void this.#run()
  }

  async #run(): Promise<void> {
    this.#running = true
    for (;;) {
      const next = this.#holder?.wantsTurn === false ? undefined : this.#holder ?? this.#waiting.shift()
      if (next === undefined) break
      const inTransaction = await this.#turn(next)
      this.#holder = inTransaction ? next : undefined
      // It may have sent more than one cycle at once: the others come first.
      if (!inTransaction && next.wantsTurn && !next.gone) this.#waiting.push(next)
    }
    this.#running = false
  }

  /** One cycle of a connection. Says whether it is in a transaction now. */
  async #turn(connection: Connection): Promise<boolean> {
    if (connection.gone) {
      // What it has begun is undone, as PostgreSQL does when a client goes away.
      if (this.#holder === connection) await this.#db.exec("ROLLBACK").catch(() => {})
      return false
    }
    try {
      const answer = await this.#db.runExclusive(() => this.#db.execProtocolRaw(connection.takeCycle()))
      connection.send(answer)
      return statusOf(answer) !== "I"
    } catch (error) {
      connection.fail(error)
      return false
    }
  }
}

const sslRequest = 80_877_103
const cancelRequest = 80_877_102

class Connection {
  readonly #socket: net.Socket
  readonly #turns: Turns
  #buffer: Buffer = Buffer.alloc(0)
  /** Whole cycles that wait for their turn. */
  readonly #cycles: Array<Uint8Array> = []
  #started = false
  gone = false

  constructor(socket: net.Socket, turns: Turns) {
    this.#socket = socket
    this.#turns = turns
    socket.setNoDelay(true)
    socket.on("data", (bytes: Buffer) => this.#received(bytes))
    socket.on("error", () => {})
    socket.on("close", () => {
      this.gone = true
      turns.ask(this)
    })
  }

  get wantsTurn(): boolean {
    return this.gone || this.#cycles.length > 0
  }

  takeCycle(): Uint8Array {
    return this.#cycles.shift() ?? new Uint8Array()
  }

  send(answer: Uint8Array): void {
    // The answer is memory of PGlite that the next one overwrites.
    if (!this.gone) this.#socket.write(Buffer.from(answer))
  }

  fail(error: unknown): void {
    console.error(`a query could not be run: ${String(error)}`)
    this.#socket.destroy()
  }

  #received(bytes: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? bytes : Buffer.concat([this.#buffer, bytes])
    if (!this.#started && !this.#start()) return
    this.#splitCycles()
    if (this.#cycles.length > 0) this.#turns.ask(this)
  }

  /** The first message has no type: a start, or a question whether this speaks TLS, or a wish to cancel. */
  #start(): boolean {
    while (this.#buffer.length >= 8) {
      const length = this.#buffer.readInt32BE(0)
      const code = this.#buffer.readInt32BE(4)
      if (length < 8 || code === cancelRequest) {
        this.#socket.destroy()
        return false
      }
      if (this.#buffer.length < length) return false
      const message = this.#buffer.subarray(0, length)
      this.#buffer = this.#buffer.subarray(length)
      if (code === sslRequest) {
        this.#socket.write("N")
        continue
      }
      this.#cycles.push(message)
      this.#started = true
      return true
    }
    return false
  }

  /** A message is a letter, a length, and content. `Sync`, and a simple query, end a cycle. */
  #splitCycles(): void {
    let begin = 0
    let at = 0
    while (this.#buffer.length - at >= 5) {
      const end = at + 1 + this.#buffer.readInt32BE(at + 1)
      if (end > this.#buffer.length || end <= at) break
      const type = String.fromCharCode(this.#buffer[at]!)
      at = end
      if (type === "X") {
        this.#socket.end()
        return
      }
      // Query, Sync, function call; Flush asks for what there is, the turn goes on.
      if (type === "Q" || type === "S" || type === "F" || type === "H") {
        this.#cycles.push(this.#buffer.subarray(begin, end))
        begin = end
      }
    }
    if (begin > 0) this.#buffer = this.#buffer.subarray(begin)
  }
}

const readyForQuery = 0x5a

/** An answer that ends a cycle ends with the six bytes of ReadyForQuery; the last one says I, T or E. */
const statusOf = (answer: Uint8Array): string =>
  answer.length >= 6 && answer[answer.length - 6] === readyForQuery ? String.fromCharCode(answer[answer.length - 1]!) : "T"
