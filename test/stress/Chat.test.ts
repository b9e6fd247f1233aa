import { assert, describe, it } from "vitest"
import * as path from "node:path"
import { Peer } from "../net/serve/support.ts"
import { numbersOf } from "../net/serve/proxies.ts"
import { root, start, type Started } from "../node/main/start.ts"

interface Holding {
  readonly rss: number
  readonly heap: number
  readonly descriptors: number
}

const holdings = (program: Started): ReadonlyArray<Holding> =>
  program.stdout().split("\n").filter((line) => line.startsWith("{\"rss\"")).map((line) => JSON.parse(line) as Holding)

const holds = async (program: Started): Promise<Holding> => {
  const before = holdings(program).length
  program.kill("SIGUSR2")
  await program.prints(new RegExp(`(\\{"rss".*\\}\\n[^{]*){${before + 1}}`))
  return holdings(program)[before]!
}

const users = 200
const soakSeconds = Number(process.env["SOAK_S"] ?? 60)

describe("examples/chat/server.ts under load", () => {
  it(`holds no more memory and no more descriptors after ${soakSeconds} s of ${users} users who come, talk and go in every way, and counts them back to 0: M14`, { timeout: (soakSeconds + 90) * 1000 }, async () => {
    const seed = Number(process.env["SEED"] ?? Date.now() % 100_000)
    const random = numbersOf(seed)
    const below = (n: number) => Math.floor(random() * n)
    const program = start("examples/chat/server.ts", ["--port", "0", "--resume-for", "2s", "--resume-buffer", "256KiB", "--outbox", "4MiB"], {
      node: ["--expose-gc", "--import", path.join(root, "test/stress/chat/holds.ts")],
      watchdogMillis: (soakSeconds + 80) * 1000
    })
    await program.prints(/listens on .+:\d+\n/)
    const at = { host: "127.0.0.1", port: Number(/listens on 127\.0\.0\.1:(\d+)/.exec(program.stdout())![1]) }
    const until = performance.now() + soakSeconds * 1000
    let visits = 0

    const connect = async (hello: string, answer: string) => {
      const peer = new Peer(at)
      peer.socket.on("error", () => {})
      await peer.connected
      await peer.say(hello).hears(answer)
      return peer
    }

    /** One user, who goes in one of the ways in which users go. */
    const visit = async (lane: number) => {
      const name = `user${lane}-${++visits}`
      const way = below(5)
      const capable = way === 3 || way === 4
      let peer = await connect(`${capable ? "CAPS ack resume history\n" : ""}CONNECT ${name}\n`, `${name} connected!\n`)
      try {
        for (let i = below(4); i >= 0; i--) {
          const text = `${below(1e9)} of ${name}`
          peer.received = ""
          await peer.say(capable ? `MSG ${i} ${text}\n` : `${text}\n`).hears(`${name}: ${text}\n`)
          // People talk slowly, and the others have to read it.
          await new Promise((resume) => setTimeout(resume, 300 + below(900)))
        }
        if (way === 0) peer.say("/quit\n")
        if (way === 1) peer.socket.end()
        if (way === 2) return void peer.socket.resetAndDestroy()
        if (way === 3) {
          // Loses the connection. Its token came before all that was forgotten above, so it does not come back.
          return void peer.socket.destroy()
        }
        if (way === 4) {
          peer.socket.destroy()
          peer = await connect(`CAPS resume\nCONNECT ${name}-again\n`, `${name}-again connected!\n`)
          const token = /TOKEN (\S+)/.exec(peer.received)![1]!
          peer.socket.resetAndDestroy()
          peer = await connect(`CAPS resume\nRESUME ${token} -\n`, `RESUMED ${name}-again\n`)
          peer.say("/quit\n")
        }
        await peer.ended
      } finally {
        peer.leave()
      }
    }
    const lane = async (number: number) => {
      while (performance.now() < until) await visit(number)
    }

    const samples: Array<Holding & { readonly minutes: number }> = []
    const began = performance.now()
    const before = await holds(program)
    const visiting = Promise.all(Array.from({ length: users }, (_, i) => lane(i)))
    while (performance.now() < until) {
      await new Promise((resume) => setTimeout(resume, soakSeconds * 1000 / 30))
      samples.push({ ...await holds(program), minutes: (performance.now() - began) / 60_000 })
    }
    await visiting
    // Those who might come back count until their time is over.
    for (;;) {
      const last = await connect("CONNECT last\n", "last connected!\n")
      const alone = last.received.startsWith("Welcome! 1 user(s)")
      last.socket.end("/quit\n")
      await last.ended
      last.leave()
      if (alone) break
    }
    const after = await holds(program)
    assert.isAtMost(after.descriptors, before.descriptors, "descriptors")

    // The first third, at most five minutes, is for what grows once: caches, compiled code, the young generation.
    const settled = samples.filter(({ minutes }) => minutes >= Math.min(5, soakSeconds / 180))
    const heap = slope(settled.map(({ heap, minutes }) => [minutes, heap / 2 ** 20]))
    const rss = slope(settled.map(({ minutes, rss }) => [minutes, rss / 2 ** 20]))
    console.log(`${visits} visits; MB in 10 minutes: heap ${(heap * 10).toFixed(2)}, resident ${(rss * 10).toFixed(2)}; seed ${seed}`)
    // In a minute the heap swings by more than what a leak of some bytes for each visit is in it.
    assert.isBelow(heap * 10, soakSeconds >= 1200 ? 1 : 15, `MB of heap in 10 minutes, seed ${seed}`)
    if (soakSeconds >= 1200) {
      const resident = settled.map(({ rss }) => rss / 2 ** 20)
      assert.isBelow(Math.abs(rss * settled.at(-1)!.minutes), 5, `MB resident, more than at the beginning, seed ${seed}: ${resident.join(" ")}`)
    }
    program.kill("SIGTERM")
    assert.strictEqual((await program.ended).code, 0)
  })
})

/** Of the line that fits best. */
const slope = (points: ReadonlyArray<readonly [x: number, y: number]>): number => {
  const mean = (of: (point: readonly [number, number]) => number) => points.reduce((sum, point) => sum + of(point), 0) / points.length
  const [x, y] = [mean(([x]) => x), mean(([, y]) => y)]
  return mean((point) => (point[0] - x) * (point[1] - y)) / mean((point) => (point[0] - x) ** 2)
}
