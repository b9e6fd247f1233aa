/** Networks that are worse than 127.0.0.1: proxies between a peer and a server. */
import * as net from "node:net"

export interface Proxy {
  readonly host: string
  readonly port: number
  close(): Promise<void>
}

type Passing = (from: net.Socket, to: net.Socket) => void

const proxyTo = (port: number, pass: Passing): Promise<Proxy> =>
  new Promise((resolve) => {
    const sockets = new Set<net.Socket>()
    const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
      const far = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true })
      for (const [socket, other] of [[near, far], [far, near]] as const) {
        sockets.add(socket)
        socket.on("error", () => other.destroy()).on("close", () => sockets.delete(socket))
        pass(socket, other)
      }
    })
    server.listen(0, "127.0.0.1", () => {
      const close = () =>
        new Promise<void>((closed) => {
          server.close(() => closed())
          for (const socket of sockets) socket.destroy()
        })
      resolve({ host: "127.0.0.1", port: (server.address() as net.AddressInfo).port, close })
    })
  })

/** From `swallow` on, nothing goes through any more, in neither direction, and nobody is told. */
export const blackHole = async (port: number): Promise<Proxy & { swallow(): void }> => {
  const pausing = new Set<net.Socket>()
  const proxy = await proxyTo(port, (from, to) => {
    pausing.add(from)
    from.pipe(to)
  })
  const swallow = () => {
    for (const socket of pausing) socket.unpipe().pause()
  }
  return { ...proxy, swallow }
}

/** Numbers from 0 to 1 that are the same for each seed (mulberry32). */
export const numbersOf = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
}

/** Holds what comes for 50 to 150 ms, sometimes for 500, and passes it on in slices of 1 to 7 bytes, in order. */
export const slow = (port: number, seed: number): Promise<Proxy> => {
  const random = numbersOf(seed)
  const mostHeld = 1 << 18
  return proxyTo(port, (from, to) => {
    const held: Array<{ readonly bytes: Uint8Array; readonly at: number }> = []
    let size = 0
    let ended = false
    let timer: NodeJS.Timeout | undefined
    const pass = () => {
      timer = undefined
      const now = performance.now()
      while (held.length > 0 && held[0]!.at <= now && to.writableLength < mostHeld) {
        const { bytes } = held.shift()!
        size -= bytes.length
        for (let i = 0; i < bytes.length;) {
          const length = 1 + Math.floor(random() * 7)
          to.write(bytes.subarray(i, i + length))
          i += length
        }
      }
      if (size < mostHeld) from.resume()
      if (held.length > 0) timer = setTimeout(pass, Math.max(1, held[0]!.at - now))
      else if (ended) to.end()
    }
    from.on("data", (bytes: Uint8Array) => {
      const stall = random() < 0.02 ? 500 : 0
      const at = performance.now() + 50 + random() * 100 + stall
      // In order: nothing overtakes.
      held.push({ bytes, at: Math.max(at, held.at(-1)?.at ?? 0) })
      size += bytes.length
      if (size >= mostHeld) from.pause()
      timer ??= setTimeout(pass, held[0]!.at - performance.now())
    })
    from.on("end", () => {
      ended = true
      timer ??= setTimeout(pass, 0)
    })
    from.on("error", () => clearTimeout(timer))
  })
}
