/** Says at the end of the program what became of the requests that were under way when it was asked to stop. */
import { Effect } from "effect"
import { CancelScope } from "effect-nursery"
import type { Requests } from "./Requests.ts"

/** How things stood at a moment. */
interface Standing {
  readonly at: number
  readonly inFlight: number
  readonly answered: number
  readonly lost: number
}

const standing = ({ answered, inFlight, lost }: Requests): Standing => ({ at: performance.now(), inFlight, answered, lost })

export interface StopReport {
  /** Remembers how things stand now. */
  readonly begin: Effect.Effect<void>
  /** Runs the server, and reports when it has ended after `begin`. */
  readonly around: <E, R>(server: Effect.Effect<void, E, R>) => Effect.Effect<void, E, R>
}

export const make = (requests: Requests): StopReport => {
  let begun: Standing | undefined
  let cut: Standing | undefined

  const report = Effect.suspend(() => {
    if (begun === undefined) return Effect.void
    const { answered, inFlight, lost } = cut ?? standing(requests)
    const figures = {
      seconds: Math.round(performance.now() - begun.at) / 1000,
      requestsUnderWay: begun.inFlight,
      answered: answered - begun.answered,
      // Cut off when the grace was over, or given up by their clients.
      lost: lost - begun.lost + inFlight
    }
    const line = figures.lost === 0 ? Effect.logInfo("the server has stopped") : Effect.logWarning("the server has stopped, and requests were lost")
    return Effect.annotateLogs(line, figures)
  })

  return {
    begin: Effect.sync(() => {
      begun = standing(requests)
    }),
    around: (server) =>
      Effect.asVoid(CancelScope.open((scope) => {
        // At the moment of the cancel: a little later, those that are cut off are over, too.
        scope.signal.addEventListener("abort", () => cut = standing(requests), { once: true })
        return Effect.ensuring(server, report)
      }, { name: "serving" }))
  }
}
