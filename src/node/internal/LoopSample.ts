/**
 * What the watchdog thread and the watched thread say to each other.
 *
 * The watchdog knows nothing of fibers. It asks the watched thread, through the
 * inspector, which interrupts synchronous code to answer.
 */
import * as Fiber from "effect/Fiber"
import { Place } from "../../core/internal/Block.ts"
import { framesOf } from "../../core/internal/StackFrames.ts"

/** Who was running when the watchdog asked. */
export interface Sample {
  /** The last sign of life before it, to tell a late answer. */
  readonly beat: string
  readonly path: ReadonlyArray<string>
  readonly frames: ReadonlyArray<string>
}

/** What the watchdog tells when the loop has come round again. */
export interface Report {
  readonly millis: number
  readonly path: ReadonlyArray<string>
  readonly frames: ReadonlyArray<string>
}

/** What happened, in words. */
export const wordsOf = ({ frames, millis, path }: Report): string => {
  const by = path.length > 0
    ? path.join(" › ")
    : frames.length > 0 ? "code outside of tasks" : "nobody who could be asked: native code, garbage collection or a busy machine"
  return [`The event loop was blocked for ${millis} ms by ${by}`, ...frames.map((frame) => `  at ${frame}`)].join("\n")
}

/** How the watchdog is set up. */
export interface Setup {
  /** One number: when the watched thread was last alive, in nanoseconds of `process.hrtime`. */
  readonly beats: BigInt64Array<SharedArrayBuffer>
  readonly thresholdMillis: number
  readonly intervalMillis: number
  /** An expression that answers with a sample; `undefined`: nobody can be asked. */
  readonly question: string | undefined
}

/** The names of nurseries and tasks around the running fiber, outermost first. */
const pathNow = (): ReadonlyArray<string> => {
  const fiber = Fiber.getCurrent()
  if (fiber === undefined) return []
  const path: Array<string> = []
  let outermost = ""
  for (let member = fiber.getRef(Place); member !== undefined; member = member.block.parent) {
    const { block } = member
    outermost = block.name
    if (!member.isBody) path.unshift(member.name)
    if (block.kind === "nursery") path.unshift(block.name)
  }
  if (path.length > 0) return path
  return [outermost === "" ? `fiber #${fiber.id}` : outermost]
}

const framesNow = (): ReadonlyArray<string> => {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = deepestStack
  const stack = new Error().stack ?? ""
  Error.stackTraceLimit = limit
  // Above stands this module, then the expression that asked.
  const lines = stack.split("\n")
  const asked = lines.findIndex((line) => line.includes("<anonymous>:1:"))
  return framesOf(lines.slice(asked + 1).join("\n"), process.cwd()).slice(0, mostFrames)
}

const deepestStack = 50
const mostFrames = 5

/** Answers the watchdog. It is called in the middle of whatever is running. */
export const sampleNow = (beats: BigInt64Array): string => {
  const sample: Sample = { beat: String(Atomics.load(beats, 0)), path: pathNow(), frames: framesNow() }
  return JSON.stringify(sample)
}
