/** The load: `wrk`, with one thread. It keeps its connections open and asks again as soon as it is answered. */
import { spawn, spawnSync } from "node:child_process"

export interface Loaded {
  readonly requests: number
  readonly seconds: number
  readonly p50: number
  readonly p99: number
  /** Answers with another status than 2xx or 3xx. */
  readonly refused: number
  /** Connections that could not be made, or broke, or were silent for too long. */
  readonly lost: number
}

/** Longer than anyone here takes with 2,000 connections: a slow answer is no lost one. */
const patienceSeconds = 20

export const isHere = (): boolean => spawnSync("wrk", ["-v"], { stdio: "ignore" }).error === undefined

export const load = (url: string, connections: number, seconds: number): Promise<Loaded> =>
  new Promise((resolve, reject) => {
    // Bounded: at most 2,000 connections for a few seconds, to this machine.
    const child = spawn("wrk", ["-t1", `-c${connections}`, `-d${seconds}s`, `--timeout=${patienceSeconds}s`, "--latency", url], { stdio: ["ignore", "pipe", "inherit"] })
    let text = ""
    child.stdout.setEncoding("utf8").on("data", (more: string) => text += more)
    child.on("error", reject)
    child.on("close", (code) => code === 0 ? resolve(read(text)) : reject(new Error(`wrk has ended with ${code}: ${text}`)))
  })

const units: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000 }

const read = (text: string): Loaded => {
  const [, requests, seconds, unit] = /(\d+) requests in ([\d.]+)(\w+),/.exec(text) ?? []
  if (requests === undefined) throw new Error(`wrk has said something else: ${text}`)
  const percentile = (which: number) => {
    const [, figure, of] = new RegExp(`${which}%\\s+([\\d.]+)(us|ms|s|m)\\b`).exec(text) ?? []
    return Number(figure) * units[of!]!
  }
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)?.slice(1) ?? []
  return {
    requests: Number(requests),
    seconds: Number(seconds) * units[unit!]! / 1000,
    p50: percentile(50),
    p99: percentile(99),
    refused: Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0),
    lost: errors.reduce((sum, each) => sum + Number(each), 0)
  }
}
