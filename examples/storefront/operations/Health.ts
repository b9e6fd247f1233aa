/**
 * Two questions that somebody in front of the application asks again and again.
 *
 * `/healthz`: does it live? If not, it should be started again. It says yes as long as the event loop turns; a database
 * that is not there is no reason to start the application again.
 *
 * `/readyz`: should it get requests? Not while its database is not there, and not when it has been asked to stop.
 */
import { Effect, Result } from "effect"
import { Timeout } from "effect-nursery"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { Database } from "../database/Database.ts"
import { problem } from "../http/Faults.ts"

/** A database that takes longer to say "1" has too much to do for more requests. */
const probeLimit = "1 second"

/** Whether it has been asked to stop. */
export class Draining {
  #now = false

  get now(): boolean {
    return this.#now
  }

  readonly begin: Effect.Effect<void> = Effect.sync(() => void (this.#now = true))
}

/** Nobody should remember what these said. */
const headers = { "cache-control": "no-store" }

export const healthRoutes = (draining: Draining) => HttpRouter.use(Effect.fnUntraced(function*(router) {
  const database = yield* Database
  const notReady = (why: string) => problem(503, why, headers)

  // The state alone would not do: the pool is there for good, the server behind it may have gone.
  const probe = Effect.result(Timeout.failAfter(database.query((sql) => sql`select 1`), probeLimit).pipe(
    Effect.catchDefect((defect) => Effect.fail(defect))
  ))

  const readiness = Effect.gen(function*() {
    if (draining.now) return notReady("The application is stopping.")
    if (database.state()._tag === "Starting") return notReady("The database is starting.")
    return Result.isSuccess(yield* probe)
      ? HttpServerResponse.jsonUnsafe({ status: "ready" }, { headers })
      : notReady("The database cannot be reached.")
  })

  yield* router.add("GET", "/healthz", HttpServerResponse.jsonUnsafe({ status: "alive" }, { headers }))
  yield* router.add("GET", "/readyz", readiness)
}))
