/**
 * Workers: each takes a job, runs it (JobRun.ts), and takes the next. They end when the program is asked to stop, after the
 * job that they have in hand.
 */
import { Cause, Duration, Effect, Exit, Option } from "effect"
import { CancelScope, CapacityLimiter, Nursery, Timeout } from "effect-nursery"
import { Database } from "../database/Database.ts"
import type { Handler } from "./Job.ts"
import { perform } from "./JobRun.ts"
import { Jobs } from "./Jobs.ts"
import * as JobTable from "./JobTable.ts"

export interface Options {
  readonly handlers: ReadonlyArray<Handler>
  /** So many jobs at a time. */
  readonly workers: number
  /** So long after its last heartbeat a worker is taken for dead. */
  readonly lease: Duration.Duration
  /** How often to look for jobs when nobody rings: those of other processes, and those whose time comes. */
  readonly poll: Duration.Duration
  /** The wait after the first failure; it doubles with each further one. */
  readonly retryDelay: Duration.Duration
}

/** A job in hand, and when our lease ends, in milliseconds of the clock of this process that never jumps. */
export interface Taken extends JobTable.Claimed {
  readonly until: number
}

/** Works until the program is asked to stop. */
export const run = (options: Options) =>
  Effect.gen(function*() {
    const { query } = yield* Database
    const jobs = yield* Jobs
    // One worker at a time looks for a job; the others wait in line. So the table is asked once, not once per worker.
    const lookout = yield* CapacityLimiter.make(1, { name: "lookout" })
    const handlers = new Map(options.handlers.map((handler) => [handler.kind, handler]))
    const next = nextJob(query, jobs, options)
    const work = Effect.gen(function*() {
      for (;;) {
        const taken = yield* CancelScope.untilStopping(lookout.withToken(next))
        if (Option.isNone(taken)) return
        yield* perform(taken.value, { handler: handlers.get(taken.value.kind), query, ...options })
      }
    })
    yield* Nursery.open((n) =>
      Effect.forEach(Array.from({ length: options.workers }), (_, i) => n.startSoon(work, { name: `worker ${i + 1}` }), { discard: true }), { name: "workers" })
  })

/** Waits for a job. */
const nextJob = (query: Database["Service"]["query"], jobs: Jobs["Service"], { lease, poll }: Options): Effect.Effect<Taken> =>
  Effect.gen(function*() {
    let reachable = true
    for (;;) {
      // Before the question: the database counts from when it hears it, so ours ends first.
      const asked = yield* Timeout.now
      const found = yield* Effect.exit(query((sql) => JobTable.claim(sql, lease)))
      if (Exit.isSuccess(found) && found.value !== undefined) return { ...found.value, until: asked + Duration.toMillis(lease) }
      // Said once: the database may be away for long. That it is not there yet is nothing to say.
      if (Exit.isFailure(found) && Cause.hasDies(found.cause) && reachable) yield* Effect.logWarning("no jobs can be taken now", found.cause)
      reachable = Exit.isSuccess(found)
      yield* Timeout.moveOnAfter(jobs.rung, poll)
    }
  })
