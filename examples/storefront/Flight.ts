/** Something that one makes for all who want it: the first of them makes it, and the others wait for that one. */
import { Deferred, Effect, Exit, Option } from "effect"

export class Flight<A, E> {
  /** How it has ended; nothing when whoever made it has gone. */
  readonly #landed = Deferred.makeUnsafe<Option.Option<Exit.Exit<A, E>>>()

  /**
   * Makes it, and does `after` when that is over. Not to be cancelled from the step in which others can find the flight: it
   * would never land, and those who wait for it would wait for ever. What it makes may be.
   */
  lead<R>(make: Effect.Effect<A, E, R>, after: () => void): Effect.Effect<A, E, R> {
    return Effect.onExit(make, (exit) => {
      after()
      const gone = Exit.isFailure(exit) && Exit.hasInterrupts(exit)
      return Deferred.succeed(this.#landed, gone ? Option.none() : Option.some(exit))
    })
  }

  /**
   * Waits for it. When the one who makes it goes away, whoever waits does `again`, and may have to make it; so, too, when it
   * ends in a way that is not `accepted`.
   */
  follow<R>(again: () => Effect.Effect<A, E, R>, accepted: (exit: Exit.Exit<A, E>) => boolean = () => true): Effect.Effect<A, E, R> {
    return Effect.flatMap(Deferred.await(this.#landed), (landed): Effect.Effect<A, E, R> => Option.isSome(landed) && accepted(landed.value) ? landed.value : again())
  }
}
