/**
 * One query for all who ask the same at the same time.
 *
 * Two hundred requests that come within a few milliseconds and ask for the same page are answered by one query, or by
 * some. Nothing is kept: an answer is never older than the question. So nobody joins a query that has begun, because a row
 * may have been changed since, by the very client that asks now. Those who come while queries are under way wait together
 * for the next one.
 *
 * A failure may be that of one connection. So it is told to the one whose query it was; the others ask once more together,
 * and a second failure is told to all of them, but to the log by one (ToldElsewhere.ts).
 *
 * A query belongs to one of those who wait for it, with its trace and the lines that it logs. When that one's client goes
 * away, or its time is over, the query is cancelled, and the next of them asks anew, as often as that happens: it is no
 * failure. Not for queries in a transaction: the others would read what was never committed.
 */
import { Effect } from "effect"
import type { CapacityLimiter } from "effect-nursery"
import { Flight, Flights } from "../Flight.ts"

export class SharedQuery {
  /** So many queries are under way at most; others begin when one of them ends. */
  readonly #limiter: CapacityLimiter.CapacityLimiter
  /** Those that have not begun. */
  readonly #boarding = new Flights<Flight<any, any>>()

  constructor(limiter: CapacityLimiter.CapacityLimiter) {
    this.#limiter = limiter
  }

  /** The answer of a query. What has the same key must be the same query. */
  ask<A, E, R>(key: string, query: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return this.#ask(key, query, false)
  }

  #ask<A, E, R>(key: string, query: Effect.Effect<A, E, R>, hasFailed: boolean): Effect.Effect<A, E, R> {
    return this.#boarding.join(key, {
      begin: () => new Flight<A, E>(),
      follow: (flight: Flight<A, E>) =>
        flight.follow({
          // Not without end: each time there is one client less, and at last the query is one's own.
          ifGone: () => this.#ask(key, query, hasFailed),
          ...(hasFailed ? {} : { ifFailed: () => this.#ask(key, query, true) })
        }),
      lead: (_, close) => {
        const begin = Effect.suspend(() => {
          close()
          return query
        })
        // Whoever asks in the same turn may join, such as all those whose owner has just gone.
        return Effect.andThen(Effect.yieldNow, this.#limiter.withToken(begin))
      }
    })
  }
}
