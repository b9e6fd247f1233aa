/** The thread that watches another thread's event loop. Started by LoopWatch; imports nothing but Node. */
import { writeSync } from "node:fs"
import { parentPort, workerData } from "node:worker_threads"
import type { Report, Sample, Setup } from "./LoopSample.ts"

const { beats, intervalMillis, question, thresholdMillis } = workerData as Setup

const nanos = (millis: number): bigint => BigInt(Math.round(millis * 1e6))
const millisOf = (nanos: bigint): number => Number(nanos) / 1e6

const threshold = nanos(thresholdMillis)
const interval = nanos(intervalMillis)

/** A loop that does not come round for so long may never do. The watched thread cannot say so any more. */
const stuckMillis = Math.max(5000, 10 * thresholdMillis)

/** From the last sign of life to the next one. */
interface Episode {
  readonly beat: bigint
  readonly samples: Array<Sample>
  told: boolean
}

let episode: Episode | undefined
let asking = false
/** When it meant to look. */
let due = process.hrtime.bigint()
/** A sign of life after which this thread was not running either, so that nothing follows from its age. */
let unknown: bigint | undefined
/** When that was last so. A thread that has been on time for a threshold since then may judge again. */
let unknownAt = 0n

// Loaded only when it is used: there are builds of Node without it.
const inspector = question === undefined ? undefined : await import("node:inspector")

/** Connected only for the question: a process that ends waits for every session that is, and says so. */
const ask = (): void => {
  if (inspector === undefined || asking) return
  asking = true
  const session = new inspector.Session()
  session.connectToMainThread()
  session.post("Runtime.evaluate", { expression: question!, returnByValue: true }, (error, answer) => {
    session.disconnect()
    asking = false
    const text = error === null && answer.exceptionDetails === undefined ? answer.result.value as unknown : undefined
    if (typeof text !== "string" || episode === undefined) return
    const sample = JSON.parse(text) as Sample
    // Or else it has gone on before it could answer.
    if (sample.beat === String(episode.beat)) episode.samples.push(sample)
  })
}

/** What was seen most often, and was anything at all. */
const likeliest = (samples: ReadonlyArray<Sample>): Sample | undefined => {
  const counts = new Map<string, number>()
  let best: Sample | undefined
  let most = 0
  for (const sample of samples) {
    if (sample.path.length === 0 && sample.frames.length === 0) continue
    const key = `${sample.path.join("\u0000")}\u0001${sample.frames.at(-1) ?? ""}`
    const count = (counts.get(key) ?? 0) + 1
    counts.set(key, count)
    if (count > most) {
      most = count
      best = sample
    }
  }
  return best
}

const reportOf = (episode: Episode, until: bigint): Report => {
  const sample = likeliest(episode.samples)
  return {
    millis: Math.round(millisOf(until - episode.beat - interval)),
    path: sample?.path ?? [],
    frames: sample?.frames ?? []
  }
}

/** When it looks next: when the sign of life that it has seen will be too old, or soon while nothing moves. */
const rest = (now: bigint): number => {
  if (episode !== undefined || unknown !== undefined) return intervalMillis
  return Math.max(1, Math.ceil(millisOf(Atomics.load(beats, 0) + interval + threshold - now)))
}

const look = (): void => {
  const now = process.hrtime.bigint()
  const beat = Atomics.load(beats, 0)
  if (episode !== undefined && beat !== episode.beat) {
    parentPort!.postMessage(reportOf(episode, beat))
    episode = undefined
  }
  // The whole process was stopped, or the machine is too busy to say who is late.
  if (episode === undefined && now - due > threshold / 2n) {
    unknown = beat
    unknownAt = now
  } else if (beat !== unknown || now - unknownAt >= threshold) unknown = undefined
  if (episode === undefined && unknown === undefined && now - beat - interval >= threshold) {
    episode = { beat, samples: [], told: false }
  }
  if (episode !== undefined) follow(episode, now)
  const millis = rest(now)
  due = now + nanos(millis)
  setTimeout(look, millis)
}

const follow = (episode: Episode, now: bigint): void => {
  ask()
  if (episode.told || now - episode.beat <= nanos(stuckMillis)) return
  episode.told = true
  const { frames, millis, path } = reportOf(episode, now)
  const by = path.length > 0 ? path.join(" › ") : "code outside of tasks"
  writeSync(2, [`The event loop has been blocked for ${millis} ms by ${by}, and still is`, ...frames.map((frame) => `  at ${frame}`), ""].join("\n"))
}

look()
parentPort!.postMessage("ready")
