/**
 * Several processes that serve as one: this one holds the port (node:cluster), the others take connections from it and answer.
 *
 * Each worker is a task of one nursery, which starts its process again when it dies. A stop asks all of them, and waits.
 */
import { Data, Deferred, type Duration, Effect } from "effect"
import { CancelScope, Nursery } from "effect-nursery"
import cluster, { type Worker } from "node:cluster"
import type { Place } from "../http/HttpServer.ts"

/** What this process says to a worker. A signal would not do: in a terminal, Ctrl-C reaches the workers by itself, and a second one is an order to end at once. */
export const stop = "stop"

export interface Options {
  readonly workers: number
  /** How long a worker has to stop, with its cleanup. */
  readonly grace: Duration.Duration
}

/** The first worker has ended before it has listened. It has said itself why. */
export class NoWorker extends Data.TaggedError("NoWorker")<{ readonly code: number | null }> {
  override get message(): string {
    return `the first worker has ended with ${this.code}`
  }
}

/** A worker that dies young is started again after a while, which doubles: it may not be able to live at all. */
const youngMillis = 5000
const shortestWaitMillis = 100
const longestWaitMillis = 2000

/** Runs the workers until it is asked to stop. A task for `nursery.start`: it says where they listen. */
export const supervise = ({ grace, workers }: Options) => (started: (place: Place) => Effect.Effect<void>): Effect.Effect<void, NoWorker> =>
  Nursery.open((n) =>
    Effect.gen(function*() {
      // Whoever is free takes the next connection. If this process handed them out, as it does by default, one that is on its
      // way to a worker which is killed would be answered by nobody, and not be closed either.
      cluster.schedulingPolicy = cluster.SCHED_NONE
      // Alone, so that a port which is taken is told of once.
      yield* started(yield* n.start(alive(1, grace), { name: "worker 1" }))
      for (let i = 2; i <= workers; i++) yield* n.startSoon(alive(i, grace)(() => Effect.void), { name: `worker ${i}` })
    }), { name: "workers" })

/** One worker after the other, until it is asked to stop. */
const alive = (number: number, grace: Duration.Duration) => (started: (place: Place) => Effect.Effect<void>): Effect.Effect<void, NoWorker> =>
  Effect.gen(function*() {
    let waitMillis = 0
    let everListened = false
    for (;;) {
      const begun = performance.now()
      const end = yield* life(number, grace, (place) => Effect.suspend(() => {
        if (everListened) return Effect.void
        everListened = true
        return started(place)
      }))
      if (end._tag === "Asked") return
      if (!everListened) return yield* new NoWorker({ code: end.code })
      waitMillis = performance.now() - begun > youngMillis ? 0 : Math.min(longestWaitMillis, Math.max(shortestWaitMillis, waitMillis * 2))
      yield* Effect.annotateLogs(Effect.logWarning(`worker ${number} has ended, and is started again`), { by: end.signal ?? end.code, afterMillis: waitMillis })
      if ((yield* CancelScope.untilStopping(Effect.sleep(waitMillis)))._tag === "None") return
    }
  })

type End =
  /** As it was asked to. */
  | { readonly _tag: "Asked" }
  | { readonly _tag: "Died"; readonly code: number | null; readonly signal: NodeJS.Signals | null }

/** One process, from its start to its end. */
const life = (number: number, grace: Duration.Duration, listening: (place: Place) => Effect.Effect<void>): Effect.Effect<End> =>
  Effect.scoped(Effect.gen(function*() {
    const listens = yield* Deferred.make<Place>()
    const exit = yield* Deferred.make<End>()
    const worker = yield* Effect.acquireRelease(
      Effect.sync(() => cluster.fork({ WORKER: String(number) })),
      // However this ends, no process is left over.
      (worker) => Effect.suspend(() => {
        worker.process.kill("SIGKILL")
        return Deferred.await(exit)
      })
    )
    worker.once("listening", ({ address, port }) => Deferred.doneUnsafe(listens, Effect.succeed({ host: address ?? "0.0.0.0", port })))
    worker.once("exit", (code, signal) => Deferred.doneUnsafe(exit, Effect.succeed({ _tag: "Died", code, signal: signal as NodeJS.Signals | null })))
    worker.on("error", () => {
      // There may be no process at all: the system had no room for it.
      if (worker.process.pid === undefined) Deferred.doneUnsafe(exit, Effect.succeed({ _tag: "Died", code: null, signal: null }))
    })
    yield* Effect.annotateLogs(Effect.logInfo(`worker ${number} begins`), { pid: worker.process.pid })
    return yield* Nursery.open((n) =>
      Effect.gen(function*() {
        yield* n.startSoon(Effect.flatMap(Deferred.await(listens), listening), { name: "listening", service: true })
        const asked = yield* n.startSoon(Effect.as(CancelScope.whenStopping, true), { name: "stopping", service: true })
        yield* n.startSoon(Effect.andThen(asked.await, ask(worker, grace)), { name: "ask", service: true })
        const end = yield* Deferred.await(exit)
        return asked.poll._tag === "Some" ? { _tag: "Asked" } as const : end
      }), { name: "life" })
  }))

/** Asks it to stop, and ends it when it has not after its time. */
const ask = (worker: Worker, grace: Duration.Duration): Effect.Effect<void> =>
  Effect.gen(function*() {
    if (worker.isConnected()) worker.send(stop, () => {})
    yield* Effect.sleep(grace)
    worker.process.kill("SIGKILL")
  })
