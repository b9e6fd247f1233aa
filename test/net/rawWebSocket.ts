/** A WebSocket peer made of bytes: it sends what no library would, and sees what really comes. */
import * as net from "node:net"

export interface Frame {
  readonly fin: boolean
  readonly opcode: number
  readonly payload: Buffer
}

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

export interface FrameOptions {
  readonly fin?: boolean
  /** The three reserved bits, 0 to 7. */
  readonly rsv?: number
  readonly masked?: boolean
}

/** A frame of a client. */
export const frame = (opcode: number, payload: string | Uint8Array = "", { fin = true, masked = true, rsv = 0 }: FrameOptions = {}): Buffer => {
  const data = Buffer.from(payload as string)
  const length = data.length < 126
    ? [data.length]
    : data.length < 65_536
    ? [126, data.length >> 8, data.length & 255]
    : [127, 0, 0, 0, 0, data.length >>> 24, (data.length >> 16) & 255, (data.length >> 8) & 255, data.length & 255]
  length[0]! |= masked ? 0x80 : 0
  const mask = Buffer.from([0x37, 0xfa, 0x21, 0x3d])
  if (masked) for (let i = 0; i < data.length; i++) data[i]! ^= mask[i & 3]!
  return Buffer.concat([Buffer.from([(fin ? 0x80 : 0) | (rsv << 4) | opcode, ...length]), masked ? mask : Buffer.alloc(0), data])
}

export const closeFrame = (code?: number, reason: string | Uint8Array = ""): Buffer => {
  const bytes = Buffer.from(reason as string)
  return frame(opcodes.close, code === undefined ? "" : Buffer.concat([Buffer.from([code >> 8, code & 255]), bytes]))
}

export const codeIn = (closed: Frame): number => closed.payload.length === 0 ? 1005 : closed.payload.readUInt16BE(0)

export const request = (path = "/", more: ReadonlyArray<string> = [], { first = `GET ${path} HTTP/1.1`, without = [] as ReadonlyArray<string> } = {}): string =>
  [
    first,
    ...[
      "Host: test.example",
      "Upgrade: websocket",
      "Connection: Upgrade",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    ].filter((header) => !without.some((name) => header.toLowerCase().startsWith(`${name.toLowerCase()}:`))),
    ...more,
    "",
    ""
  ].join("\r\n")

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What waits longer than this fails, so that no test hangs. */
const patienceMillis = 15_000

export class RawPeer {
  readonly socket: net.Socket
  private bytes: Buffer = Buffer.alloc(0)
  private over: "no" | "ended" | "reset" = "no"
  private changed: () => void = () => {}

  private constructor(socket: net.Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on("data", (chunk: Buffer) => {
      this.bytes = this.bytes.length === 0 ? chunk : Buffer.concat([this.bytes, chunk])
      this.changed()
    })
    const end = (how: "ended" | "reset") => () => {
      if (this.over === "no") this.over = how
      this.changed()
    }
    socket.on("end", end("ended")).on("error", end("reset")).on("close", end("ended"))
  }

  static dial(port: number): Promise<RawPeer> {
    return new Promise((resolve, reject) => {
      const socket = net.connect({ host: "127.0.0.1", port }, () => resolve(new RawPeer(socket)))
      socket.once("error", reject)
    })
  }

  /** One that has shaken hands. */
  static async open(port: number, path = "/", more: ReadonlyArray<string> = []): Promise<RawPeer> {
    const peer = await RawPeer.dial(port)
    peer.send(request(path, more))
    const { status } = await peer.answer()
    if (status !== 101) throw new Error(`expected 101, got ${status}`)
    return peer
  }

  send(data: string | Uint8Array): void {
    this.socket.write(data)
  }

  /** In pieces, each of which the other end may see for itself. */
  async sendInPieces(data: Buffer, size: number): Promise<void> {
    for (let at = 0; at < data.length; at += size) {
      await new Promise<void>((resume) => this.socket.write(data.subarray(at, at + size), () => resume()))
      await new Promise((resume) => setImmediate(resume))
    }
  }

  private until<A>(look: () => A | undefined, what: string): Promise<A> {
    return new Promise((resolve, reject) => {
      const watchdog = setTimeout(() => reject(new Error(`waited for ${what} in vain; there is ${this.bytes.subarray(0, 100).toString("latin1")}`)), patienceMillis)
      const before = this.changed
      this.changed = () => {
        const found = look()
        if (found === undefined && this.over === "no") return
        clearTimeout(watchdog)
        this.changed = before
        if (found === undefined) reject(new Error(`the connection ${this.over} while waiting for ${what}`))
        else resolve(found)
      }
      this.changed()
    })
  }

  answer(): Promise<Answer> {
    return this.until(() => {
      const text = this.bytes.toString("latin1")
      const end = text.indexOf("\r\n\r\n")
      if (end === -1) return undefined
      const [line, ...fields] = text.slice(0, end).split("\r\n")
      const headers = Object.fromEntries(fields.map((field) => [field.slice(0, field.indexOf(":")).toLowerCase(), field.slice(field.indexOf(":") + 1).trim()]))
      const length = Number(headers["content-length"] ?? 0)
      if (text.length < end + 4 + length) return undefined
      this.bytes = this.bytes.subarray(end + 4 + length)
      return { status: Number(line!.split(" ")[1]), headers, body: text.slice(end + 4, end + 4 + length) }
    }, "an HTTP answer")
  }

  frame(): Promise<Frame> {
    return this.until(() => {
      const { bytes } = this
      if (bytes.length < 2) return undefined
      const short = bytes[1]! & 127
      const header = short < 126 ? 2 : short === 126 ? 4 : 10
      if (bytes.length < header) return undefined
      const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
      if (bytes.length < header + length) return undefined
      this.bytes = bytes.subarray(header + length)
      if ((bytes[1]! & 128) !== 0 || (bytes[0]! & 0x70) !== 0) throw new Error("a server masks nothing and sets no reserved bit")
      return { fin: bytes[0]! > 127, opcode: bytes[0]! & 15, payload: bytes.subarray(header, header + length) }
    }, "a frame")
  }

  /** The frames up to the close, and its code. */
  async framesUntilClose(): Promise<{ readonly frames: ReadonlyArray<Frame>; readonly code: number; readonly reason: string }> {
    const frames: Array<Frame> = []
    for (;;) {
      const next = await this.frame()
      if (next.opcode === opcodes.close) return { frames, code: codeIn(next), reason: next.payload.subarray(2).toString() }
      frames.push(next)
    }
  }

  get bytesWaiting(): number {
    return this.bytes.length
  }

  /** Waits until the other end has ended the connection, and says how. */
  async ended(): Promise<"ended" | "reset"> {
    await this.until(() => this.over === "no" ? undefined : true, "the end")
    const { over } = this
    this.socket.destroy()
    return over as "ended" | "reset"
  }

  destroy(): void {
    this.socket.destroy()
  }
}
