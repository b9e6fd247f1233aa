/** Something that one makes for all who want it: the first of them makes it, and the others wait for that one. */
import { Deferred, Effect, Exit, Option } from "effect"
import { forOthers } from "./ToldElsewhere.ts"

export class Flight<A, E> {
  /** How it has ended; nothing when whoever made it has gone. */
  readonly #landed = Deferred.makeUnsafe<Option.Option<Exit.Exit<A, E>>>()

  /** Makes it, and does `after` when that is over. */
  lead<R>(make: Effect.Effect<A, E, R>, after: () => void): Effect.Effect<A, E, R> {
    return Effect.onExit(make, (exit) =>
      Effect.withFiber((fiber) => {
        after()
        const gone = Exit.isFailure(exit) && Exit.hasInterrupts(exit)
        return Deferred.succeed(this.#landed, gone ? Option.none() : Option.some(forOthers(exit, fiber)))
      }))
  }

  /**
   * Waits for it. When whoever makes it goes away, the one who waits does `ifGone`, and may have to make it; `ifFailed`, if it
   * is given, when it was made and has failed.
   */
  follow<R>({ ifFailed, ifGone }: {
    readonly ifGone: () => Effect.Effect<A, E, R>
    readonly ifFailed?: () => Effect.Effect<A, E, R>
  }): Effect.Effect<A, E, R> {
    return Effect.flatMap(Deferred.await(this.#landed), (landed): Effect.Effect<A, E, R> => {
      if (Option.isNone(landed)) return ifGone()
      return ifFailed !== undefined && Exit.isFailure(landed.value) ? ifFailed() : landed.value
    })
  }
}

/** Those that can be joined, by their keys. */
export class Flights<F extends Flight<any, any>> {
  readonly #open = new Map<string, F>()

  /**
   * Joins the one with this key. If there is none, it is begun, and made by `lead`; others can join until that is over, or
   * until `close` is called.
   */
  join<A, E, R>(key: string, { begin, follow, lead }: {
    readonly begin: () => F
    readonly follow: (flight: F) => Effect.Effect<A, E, R>
    readonly lead: (flight: F, close: () => void) => Effect.Effect<A, E, R>
  }): Effect.Effect<A, E, R> {
    // From the step in which others can find it until its end is taken care of, nobody is cancelled: it would never land, and those
    // who wait for it would wait for ever. What it makes may be.
    return Effect.uninterruptibleMask((restore) =>
      Effect.suspend(() => {
        const open = this.#open.get(key)
        if (open !== undefined) return restore(follow(open))
        // Registered in the same step in which it was not found: nobody else can have begun.
        const flight = begin()
        this.#open.set(key, flight)
        const close = () => {
          if (this.#open.get(key) === flight) this.#open.delete(key)
        }
        return flight.lead(restore(lead(flight, close)), close)
      })
    )
  }

  /** Nobody joins it from now on. Answers with the one that was there. */
  close(key: string): F | undefined {
    const flight = this.#open.get(key)
    this.#open.delete(key)
    return flight
  }
}
