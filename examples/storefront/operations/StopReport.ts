/** Says at the end of the program what became of the requests that were under way when it was asked to stop. */
import { Effect, Exit } from "effect"
import type { Requests } from "./Requests.ts"

export interface StopReport {
  /** Remembers how things stand now. */
  readonly begin: Effect.Effect<void>
  /** Runs the server, and reports when it has ended after `begin`. */
  readonly around: <A, E, R>(server: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

export const make = (requests: Requests): StopReport => {
  let begun: { readonly at: number; readonly underWay: number; readonly answered: number; readonly lost: number } | undefined
  return {
    begin: Effect.sync(() => {
      begun = { at: performance.now(), underWay: requests.inFlight, answered: requests.answered, lost: requests.lost }
    }),
    around: (server) =>
      Effect.onExit(server, (exit) =>
        Effect.suspend(() => {
          if (begun === undefined) return Effect.void
          const report = {
            seconds: Math.round(performance.now() - begun.at) / 1000,
            requestsUnderWay: begun.underWay,
            answered: requests.answered - begun.answered,
            // Cut off by the end of the grace, or given up by their clients.
            lost: requests.lost - begun.lost + requests.inFlight
          }
          const complete = Exit.isSuccess(exit) && report.lost === 0
          return Effect.annotateLogs(complete ? Effect.logInfo("the server has stopped") : Effect.logWarning("the server has stopped, and requests were lost"), report)
        }))
  }
}
