/** The watched side of a watch on the event loop. */
import { isMainThread, Worker } from "node:worker_threads"
import type * as Duration from "effect/Duration"
import { millisOf } from "../../core/internal/ScopeBlock.ts"
import { fileBeside } from "./FileBeside.ts"
import { type Report, sampleNow, type Setup } from "./LoopSample.ts"

// Where the watchdog finds whom to ask, one entry for each watch.
const questions: Record<number, () => string> = {}
const registry = "effect-nursery/LoopWatch"
let count = 0

/** Signs of life for each time that the threshold is long. */
const beatsPerThreshold = 4

/** Reads a threshold. */
export const thresholdMillisOf = (what: string, input: Duration.Input): number => {
  const millis = millisOf(what, input)
  if (millis >= 1 && millis !== Infinity) return millis
  throw new RangeError(`Expected \`${what}\` to be a time from 1 millisecond and up, got ${String(millis)} milliseconds`)
}

// The inspector can be connected to the main thread only, and Node aborts the process where it is not permitted to.
const canAsk = (): boolean => isMainThread && process.features.inspector && process.permission?.has("inspector") !== false

/** It keeps a few short strings. */
const resourceLimits = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 16 }

export interface Hearer {
  readonly blocked: (report: Report) => void
  /** There is no thread that watches, or it has died. */
  readonly failed: (error: unknown) => void
}

export class LoopWatcher {
  private readonly worker: Worker | undefined
  private readonly timer: NodeJS.Timeout
  private readonly id = ++count
  /** When it watches. */
  readonly ready: Promise<void>

  constructor(thresholdMillis: number, hearer: Hearer) {
    const intervalMillis = Math.max(1, thresholdMillis / beatsPerThreshold)
    const beats = new BigInt64Array(new SharedArrayBuffer(8))
    const beat = () => void Atomics.store(beats, 0, process.hrtime.bigint())
    questions[this.id] = () => sampleNow(beats)
    Object.assign(globalThis, { [Symbol.for(registry)]: questions })
    const setup: Setup = {
      beats,
      thresholdMillis,
      intervalMillis,
      question: canAsk() ? `globalThis[Symbol.for(${JSON.stringify(registry)})][${this.id}]()` : undefined
    }
    beat()
    // Neither keeps the process alive.
    this.timer = setInterval(beat, intervalMillis).unref()
    try {
      // Without the loaders and conditions of this process: it imports nothing but Node.
      this.worker = new Worker(fileBeside(import.meta.url, "LoopWatchdog"), { workerData: setup, execArgv: [], name: "loop watch", resourceLimits })
    } catch (error) {
      // Not permitted, or no memory for a thread, or a bundler has not taken its file along.
      hearer.failed(error)
      this.worker = undefined
    }
    const { worker } = this
    worker?.unref()
    this.ready = worker === undefined ? Promise.resolve() : new Promise((resolve) => {
      worker.on("message", (message: Report | "ready") => {
        if (message === "ready") resolve()
        else hearer.blocked(message)
      })
      worker.on("error", (error) => {
        hearer.failed(error)
        resolve()
      })
    })
  }

  async stop(): Promise<void> {
    clearInterval(this.timer)
    delete questions[this.id]
    await this.worker?.terminate()
  }
}
