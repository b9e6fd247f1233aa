/**
 * What does it cost to run a function in a thread, does the event loop go on meanwhile, and how soon is a
 * thread stopped that computes?
 *
 * Four threads, as the measurements before this library was begun had them. Beside it stands the pool that
 * it is built on, without Effect, a limiter, or a say in what a cancellation does.
 */
import { monitorEventLoopDelay } from "node:perf_hooks"
import type { Context as ContextType } from "effect/Context"
import type { Effect as EffectType } from "effect/Effect"
import type { Thread } from "effect-nursery/node"
import type { Case, Run, Tell, Target } from "../harness/Case.ts"
import { ours, toldAtMost } from "../harness/Case.ts"
import type * as Jobs from "./thread-jobs.ts"

const threads = 4
const url = new URL("./thread-jobs.ts", import.meta.url)

/** Threads that live as long as the process, as those of a server do. */
const pool = async () => {
  const Effect = await import("effect/Effect")
  const Layer = await import("effect/Layer")
  const Scope = await import("effect/Scope")
  const { Thread } = await import("effect-nursery/node")
  const context = await Effect.runPromise(Scope.provide(Layer.build(Thread.layer({ maxThreads: threads })), Scope.makeUnsafe()))
  const jobs = Thread.module<typeof Jobs>(url)
  const run = <A, E>(effect: EffectType<A, E, Thread.Threads>) => Effect.runPromise(Effect.provideContext(effect, context as ContextType<Thread.Threads>))
  return { Effect, jobs, run }
}

const raw = async () => {
  const { Piscina } = await import("piscina")
  return new Piscina({ filename: url.href, minThreads: threads, maxThreads: threads, idleTimeout: Infinity })
}

// --- how many ---

const manyOurs = async (): Promise<Run> => {
  const { Effect, jobs, run } = await pool()
  const Tasks = await import("effect-nursery/Tasks")
  return async (n) => {
    let done = 0
    const job = (i: number) => Effect.map(jobs.run("next", [i]), (value) => done += value - i)
    await run(Tasks.map(Array.from({ length: n }, (_, i) => i), job, { concurrency: threads }))
    return done
  }
}

/** All at once: they wait in the limiter. */
const waitingOurs = async (): Promise<Run> => {
  const { Effect, jobs, run } = await pool()
  const Tasks = await import("effect-nursery/Tasks")
  return async (n) => {
    let done = 0
    const job = (i: number) => Effect.map(jobs.run("next", [i]), (value) => done += value - i)
    await run(Tasks.map(Array.from({ length: n }, (_, i) => i), job))
    return done
  }
}

const manyRaw = async (): Promise<Run> => {
  const piscina = await raw()
  return async (n) => {
    let done = 0
    let i = 0
    const lane = async () => {
      while (i < n) {
        const argument = i++
        const value = await piscina.run(argument, { name: "next" }) as number
      done += value - argument
      }
    }
    await Promise.all(Array.from({ length: threads }, lane))
    return done
  }
}

const waitingRaw = async (): Promise<Run> => {
  const piscina = await raw()
  return async (n) => {
    let done = 0
    const job = async (i: number) => {
      const value = await piscina.run(i, { name: "next" }) as number
      done += value - i
    }
    await Promise.all(Array.from({ length: n }, (_, i) => job(i)))
    return done
  }
}

const jobsPerSecond: Target = {
  what: `${ours}: jobs per second`,
  unit: " k",
  better: "higher",
  must: 15,
  stretch: 30,
  value: (rows) => {
    const row = rows.get(ours)
    return row && 1e6 / row.wallNs
  }
}

const besideThePool: Target = {
  what: `${ours}, CPU: of the speed of raw piscina`,
  unit: " ×",
  better: "higher",
  // The limiter, the ways to be cancelled and errors that cross whole: less than the pool itself.
  must: 0.5,
  stretch: 0.8,
  value: (rows) => {
    const [a, b] = [rows.get(ours), rows.get("piscina")]
    return a && b && b.cpuNs / a.cpuNs
  }
}

// --- the loop ---

const computeMillis = 250
const lag = "lag of the event loop, p99 in ms"

const measureLag = async (tell: Tell, body: () => Promise<unknown>): Promise<void> => {
  const delays = monitorEventLoopDelay({ resolution: 1 })
  delays.enable()
  await body()
  delays.disable()
  tell(lag, delays.percentile(99) / 1e6)
  tell("lag of the event loop, longest in ms", delays.max / 1e6)
}

const lagOurs = async (): Promise<Run> => {
  const { jobs, run } = await pool()
  const Tasks = await import("effect-nursery/Tasks")
  return async (n, _, tell) => {
    await measureLag(tell, () => run(Tasks.map(Array.from({ length: n }), () => jobs.run("compute", [computeMillis]))))
    return n
  }
}

const lagRaw = async (): Promise<Run> => {
  const piscina = await raw()
  return async (n, _, tell) => {
    await measureLag(tell, () => Promise.all(Array.from({ length: n }, () => piscina.run(computeMillis, { name: "compute" }))))
    return n
  }
}

const lagNone = async (): Promise<Run> => {
  const { compute } = await import("./thread-jobs.ts")
  return async (n, _, tell) => {
    await measureLag(tell, async () => {
      for (let i = 0; i < n; i++) {
        compute(computeMillis)
        await new Promise((resume) => setTimeout(resume, 2))
      }
    })
    return n
  }
}

// --- being stopped ---

const cancelling = "from the cancel until the thread is gone, in ms"
const again = "from the cancel until the next job has ended, in ms"

const gate = () => new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))

// The types of ES2024.
const { waitAsync } = Atomics as unknown as {
  waitAsync(array: Int32Array<SharedArrayBuffer>, index: number, value: number): { readonly value: string | Promise<string> }
}

const stopOurs = async (): Promise<Run> => {
  const { Effect, jobs, run } = await pool()
  const Fiber = await import("effect/Fiber")
  return async (n, _, tell) => {
    const program = Effect.gen(function*() {
      for (let i = 0; i < n; i++) {
        const running = gate()
        const fiber = yield* Effect.forkChild(jobs.run("spin", [running], { onCancel: "terminate" }), { startImmediately: true })
        yield* Effect.promise(async () => waitAsync(running, 0, 0).value)
        const before = performance.now()
        yield* Fiber.interrupt(fiber)
        tell(cancelling, performance.now() - before)
        yield* jobs.run("next", [1])
        tell(again, performance.now() - before)
      }
    })
    await run(program)
    return n
  }
}

const stopRaw = async (): Promise<Run> => {
  const piscina = await raw()
  return async (n, _, tell) => {
    for (let i = 0; i < n; i++) {
      const running = gate()
      const controller = new AbortController()
      const job = piscina.run(running, { name: "spin", signal: controller.signal })
      job.catch(() => {})
      await waitAsync(running, 0, 0).value
      const worker = piscina.threads
      const before = performance.now()
      controller.abort()
      const gone = worker.filter((each) => !piscina.threads.includes(each))
      await Promise.all(gone.map((each) => new Promise((resume) => each.once("exit", resume))))
      tell(cancelling, performance.now() - before)
      await piscina.run(1, { name: "next" })
      tell(again, performance.now() - before)
    }
    return n
  }
}

const jobs = 10_000
const stops = 10

export const thread: ReadonlyArray<Case> = [
  {
    name: "thread",
    question: "What does it cost to run a function in one of four threads?",
    reference: "piscina",
    sides: {
      [ours]: { n: jobs, load: manyOurs, note: "four jobs under way" },
      [`${ours}, all at once`]: { n: jobs, load: waitingOurs },
      piscina: { n: jobs, load: manyRaw, note: "four jobs under way" },
      "piscina, all at once": { n: jobs, load: waitingRaw }
    },
    targets: [jobsPerSecond, besideThePool]
  },
  {
    name: "thread-lag",
    question: `Does the event loop go on while eight jobs compute for ${computeMillis} ms each, four at a time?`,
    reference: "piscina",
    sides: {
      [ours]: { n: 8, warm: 1, load: lagOurs },
      piscina: { n: 8, warm: 1, load: lagRaw },
      "no threads": { n: 8, warm: 1, load: lagNone, note: "the same in the event loop" }
    },
    targets: [toldAtMost(lag, " ms", 30, 10)]
  },
  {
    name: "thread-stop",
    question: "How soon is a thread stopped that computes, by `onCancel: \"terminate\"`?",
    reference: "piscina",
    sides: {
      [ours]: { n: stops, warm: 1, load: stopOurs },
      piscina: { n: stops, warm: 1, load: stopRaw, note: "by an AbortSignal; its other three threads are there already" }
    },
    targets: [toldAtMost(cancelling, " ms", 10, 5)]
  }
]
