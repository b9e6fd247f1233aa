/**
 * Jobs for the tests of `Thread`.
 *
 * A gate is memory that the test and the job share: the job says that it runs, and
 * waits, with its thread blocked, until the test lets it go on.
 */
import { setTimeout as sleep } from "node:timers/promises"
import { threadId } from "node:worker_threads"
import * as FromThread from "effect-nursery/node/FromThread"

export type Gate = Int32Array<SharedArrayBuffer>

const startedIndex = 0
const openIndex = 1
const noteIndex = 2

const say = (gate: Gate, index: number, value: number): void => {
  Atomics.store(gate, index, value)
  Atomics.notify(gate, index)
}
const started = (gate: Gate): void => say(gate, startedIndex, 1)
const opened = (gate: Gate): void => void Atomics.wait(gate, openIndex, 0)
const note = (gate: Gate, value: number): void => say(gate, noteIndex, value)

export interface Loop {
  double(n: number): number
  fails(): string
  names(id: number): Promise<string>
}

export const loop = FromThread.calls<Loop>()

// --- values ---

export const echo = <A>(value: A): A => value
export const fib = (n: number): number => n < 2 ? n : fib(n - 1) + fib(n - 2)
export const later = (millis: number, value: string): Promise<string> => sleep(millis, value)
export const thread = (): number => threadId
export const notAFunction = 1

let calls = 0
export const count = (): readonly [thread: number, calls: number] => [threadId, ++calls]

/** Computes for so long. */
export const busy = (millis: number): number => {
  const until = performance.now() + millis
  let turns = 0
  while (performance.now() < until) turns++
  return turns
}

export const moved = (length: number): Float64Array<ArrayBuffer> => {
  const values = Float64Array.from({ length }, (_, i) => i)
  return FromThread.transfer(values, [values.buffer])
}
export const movedTwice = (): ArrayBuffer => {
  const buffer = new ArrayBuffer(8)
  return FromThread.transfer(buffer, [buffer, buffer])
}

// --- failures ---

export const throwsRange = (value: number): never => {
  throw new RangeError(`${value} is too much`, { cause: new TypeError("really") })
}
export const throwsTagged = (): never => {
  throw Object.assign(new Error("sold out"), { _tag: "OutOfStock", left: 0, notify: () => {} })
}
export const throwsText = (): never => {
  throw "just text"
}
export const throwsFunction = (): never => {
  throw () => {}
}
export const throwsSeveral = (): never => {
  throw new AggregateError([new RangeError("a"), "b"], "two")
}
export const throwsCircle = (): never => {
  const error = new Error("round")
  error.cause = error
  throw error
}
export const rejects = async (): Promise<never> => {
  await sleep(1)
  throw new SyntaxError("later")
}
export const exits = (code: number): never => process.exit(code)
export const eatsMemory = (): number => {
  const all: Array<Array<number>> = []
  for (;;) all.push(Array.from({ length: 10_000 }, Math.random))
}
export const returnsFunction = (): unknown => ({ a: [1, { f() {} }] })

/** Leaves a failed promise behind, and returns well. */
export const leavesRejection = (): string => {
  void Promise.reject(new Error("nobody looks at me"))
  return "fine"
}
/** Something else fails while the job waits. */
export const failsBeside = (): Promise<never> => {
  setTimeout(() => {
    throw new Error("beside")
  }, 1)
  return new Promise(() => {})
}
/** Something fails when the job has ended. */
export const failsAfterwards = (gate: Gate): string => {
  const timer = setInterval(() => {
    if (Atomics.load(gate, openIndex) === 0) return
    clearInterval(timer)
    throw new Error("too late")
  }, 1)
  return "fine"
}

/** Ends the thread when the job has ended. */
export const exitsAfterwards = (gate: Gate): string => {
  const timer = setInterval(() => {
    if (Atomics.load(gate, openIndex) === 0) return
    clearInterval(timer)
    process.exit(4)
  }, 1)
  return "fine"
}

// --- being cancelled ---

/** Blocks until the gate opens. */
export const hold = (gate: Gate): string => {
  started(gate)
  opened(gate)
  note(gate, 1)
  return "let go"
}
export const holdAndThrow = (gate: Gate): never => {
  started(gate)
  opened(gate)
  throw new Error("after all")
}
export const spin = (gate: Gate): never => {
  started(gate)
  for (;;) note(gate, 1)
}
export const spinUntilCancelled = (gate: Gate): never => {
  started(gate)
  try {
    for (;;) FromThread.checkCancelled()
  } finally {
    note(gate, 1)
  }
}
export const sleepUntilCancelled = async (gate: Gate): Promise<void> => {
  const signal = FromThread.signal()
  started(gate)
  try {
    await sleep(3_600_000, undefined, { signal })
  } finally {
    note(gate, (signal.reason as { readonly _tag?: string })._tag === "Cancelled" ? 1 : 2)
  }
}
/** Looks once, blocked until then. Notes 1 for cancelled. */
export const lookAfterwards = (gate: Gate): void => {
  started(gate)
  opened(gate)
  note(gate, FromThread.signal().aborted ? 1 : 2)
}

// --- calling back ---

export const doubleTwice = (n: number): number => loop.runSync("double", [loop.runSync("double", [n])])
export const doubleTwiceLater = async (n: number): Promise<number> => loop.run("double", [await loop.run("double", [n])])
export const doubleAll = (ns: ReadonlyArray<number>): Promise<ReadonlyArray<number>> => Promise.all(ns.map((n) => loop.run("double", [n])))
/** Two calls under way, and a third one for which the thread sleeps. */
export const doubleBoth = async (n: number): Promise<ReadonlyArray<number>> => {
  const first = loop.run("double", [n])
  const second = loop.run("double", [n + 1])
  const third = loop.runSync("double", [n + 2])
  return [await first, await second, third]
}
export const nameOf = (id: number): string => loop.runSync("names", [id])
export const seen = (): unknown => {
  try {
    return loop.runSync("fails", [])
  } catch (error) {
    const { cause, why } = error as FromThread.CallError
    return { isCallError: error instanceof FromThread.CallError, why, tag: (cause as { readonly _tag?: string } | undefined)?._tag, message: String(error) }
  }
}
export const throughIt = (): string => loop.runSync("fails", [])
export const sendsFunction = (): number => loop.runSync("double", [(() => {}) as never])
/** Calls when the gate opens, and notes what it gets: 2 for `over`. */
export const callAfterwards = (gate: Gate): void => {
  started(gate)
  opened(gate)
  try {
    loop.runSync("double", [1])
    note(gate, 1)
  } catch (error) {
    note(gate, (error as FromThread.CallError).why === "over" ? 2 : 3)
  }
}
export const callAsyncAfterwards = async (gate: Gate): Promise<void> => {
  started(gate)
  opened(gate)
  await loop.run("double", [1]).then(() => note(gate, 1), (error: FromThread.CallError) => note(gate, error.why === "over" ? 2 : 3))
}
/** Waits for an answer that never comes. */
export const callForEver = (gate: Gate): void => {
  started(gate)
  try {
    loop.runSync("double", [1])
    note(gate, 1)
  } catch (error) {
    note(gate, (error as FromThread.CallError).why === "over" ? 2 : 3)
  }
}
export const callForEverAsync = async (gate: Gate): Promise<void> => {
  started(gate)
  await loop.run("double", [1]).then(() => note(gate, 1), (error: FromThread.CallError) => note(gate, error.why === "over" ? 2 : 3))
}
/** Ends when the handler runs, and does not wait for its answer. */
export const callAndLeave = (gate: Gate): string => {
  loop.run("double", [1]).catch(() => {})
  opened(gate)
  return "gone"
}
