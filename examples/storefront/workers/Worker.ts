/** One of several processes that serve as one (Supervisor.ts): it stops when the first one asks it to. */
import { type Duration, Effect } from "effect"
import { CancelScope } from "effect-nursery"
import cluster from "node:cluster"
import { stop } from "./Supervisor.ts"

/** Runs what a worker does. Its log lines say which worker it is. */
export const work = <E>(program: Effect.Effect<void, E>, grace: Duration.Duration): Effect.Effect<void, E> =>
  CancelScope.open((scope) =>
    Effect.gen(function*() {
      const context = yield* Effect.context<never>()
      const asked = (message: unknown) => {
        if (message === stop) Effect.runForkWith(context)(scope.stop({ grace, reason: "the supervisor stops" }))
      }
      yield* Effect.acquireUseRelease(
        Effect.sync(() => process.on("message", asked)),
        () => program,
        () => Effect.sync(() => {
          process.off("message", asked)
          // The channel to the supervisor would keep the process, however the program has ended.
          cluster.worker?.disconnect()
        })
      )
    }), { name: "worker" }).pipe(Effect.asVoid, Effect.annotateLogs({ worker: process.env["WORKER"] }))
