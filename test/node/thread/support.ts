/** The test's side of what jobs.ts does. */
import { Effect, type Layer } from "effect"
import { Thread } from "effect-nursery/node"
import type * as Jobs from "./jobs.ts"

export const jobs = Thread.module<typeof Jobs>(new URL("./jobs.ts", import.meta.url))

/** So that jobs import the sources, as the tests do. */
export const execArgv = ["--conditions=effect-nursery:source", "--disable-warning=ExperimentalWarning"]

export const layer = (options?: Thread.LayerOptions): Layer.Layer<Thread.Threads> =>
  Thread.layer({ maxThreads: 2, execArgv, ...options })

export const run = <A, E>(program: Effect.Effect<A, E, Thread.Threads>, options?: Thread.LayerOptions): Promise<A> =>
  Effect.runPromise(Effect.provide(program, layer(options)))

export const gate = (): Jobs.Gate => new Int32Array(new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT))

// The types of ES2024.
const { waitAsync } = Atomics as unknown as {
  waitAsync(array: Jobs.Gate, index: number, value: number): { readonly value: string | Promise<string> }
}

const changed = (gate: Jobs.Gate, index: number) =>
  Effect.promise(async () => {
    await waitAsync(gate, index, 0).value
    return Atomics.load(gate, index)
  })

/** The job runs. */
export const started = (gate: Jobs.Gate): Effect.Effect<number> => changed(gate, 0)

/** Lets the job go on. */
export const open = (gate: Jobs.Gate): Effect.Effect<void> =>
  Effect.sync(() => {
    Atomics.store(gate, 1, 1)
    Atomics.notify(gate, 1)
  })

/** What the job has noted at its end. */
export const noted = (gate: Jobs.Gate): Effect.Effect<number> => changed(gate, 2)
export const notedNow = (gate: Jobs.Gate): number => Atomics.load(gate, 2)
