/** The job that the running code belongs to, as seen from inside its thread. */
import { AsyncLocalStorage } from "node:async_hooks"

export interface JobContext {
  /** The name of its function. */
  readonly name: string
  readonly isCancelled: boolean
  readonly signal: AbortSignal
  /** Calls a handler that the caller of the job offers. */
  call(name: string, args: ReadonlyArray<unknown>): Promise<unknown>
  /** The same, and the thread sleeps until the answer is there. */
  callSync(name: string, args: ReadonlyArray<unknown>): unknown
}

const key = Symbol.for("effect-nursery/JobContext")

interface Shared {
  [key]?: AsyncLocalStorage<JobContext>
}

// In one place for all copies of this library: the job's module may have come by
// another one than the thread's own code, such as the build beside the sources.
const shared = globalThis as Shared

export const jobContext: AsyncLocalStorage<JobContext> = shared[key] ??= new AsyncLocalStorage<JobContext>()

const transferKey = Symbol.for("effect-nursery/Transfer")

/** A result whose parts are moved. */
export interface Transfer {
  readonly [transferKey]: { readonly value: unknown; readonly list: ReadonlyArray<unknown> }
}

export const makeTransfer = (value: unknown, list: ReadonlyArray<unknown>): Transfer => ({ [transferKey]: { value, list } })

export const transferOf = (value: unknown): Transfer[typeof transferKey] | undefined =>
  typeof value === "object" && value !== null && transferKey in value ? (value as Transfer)[transferKey] : undefined
