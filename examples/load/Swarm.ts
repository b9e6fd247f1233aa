/** A nursery of virtual users: they come at a rate, stay until the time is up, and are asked to go. */
import { type Duration, Effect, type Exit, Option } from "effect"
import { CancelScope, Nursery, Timeout } from "effect-nursery"
import type { HttpClient } from "effect/http"
import type { Scenario } from "./Scenario.ts"
import type { Statistics } from "./Statistics.ts"
import * as VirtualUser from "./VirtualUser.ts"

export interface Plan {
  readonly scenario: Scenario
  readonly url: URL
  readonly users: number
  /** Users that come in a second. */
  readonly spawnRate: number
  readonly duration: Duration.Duration
}

/** How a run came to its end. */
export interface Ended {
  readonly millis: number
  /** What ended it, such as `the time is up`. */
  readonly reason: string
  /** So many users have come. */
  readonly users: number
  /** A failure is a bug in the scenario. What was found until then is in the statistics. */
  readonly exit: Exit.Exit<unknown>
}

/** So long a request that is under way may take when the run is over. */
export const grace: Duration.Input = "5 seconds"

// #region run
/** Runs the plan. Ctrl-C, or whatever else asks a scope around to stop, ends it early, and in the same way. */
export const run = ({ duration, scenario, spawnRate, url, users }: Plan, statistics: Statistics): Effect.Effect<Ended, never, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const began = yield* Timeout.now
    let reason = ""
    let come = 0

    const exit = yield* Effect.exit(CancelScope.open((scope) =>
      Nursery.open((swarm) =>
        Effect.gen(function*() {
          // The end: the time is up, or somebody asks for it. Then users in a pause go at once, those with a request under
          // way when it is answered, and whoever is still there after the grace is cancelled.
          const end = Effect.gen(function*() {
            const asked = yield* Timeout.moveOnAfter(CancelScope.whenStopping, duration)
            reason = Option.match(asked, { onNone: () => "the time is up", onSome: ({ message }) => message })
            yield* scope.stop({ grace, reason })
          })
          // Not a service: when all users think, they can be gone before it has noted why.
          yield* swarm.startSoon(end, { name: "clock" })

          for (let number = 1; number <= users; number++) {
            // Counted from the beginning: a wait that is late does not make all that follow late.
            const due = began + (number - 1) * 1000 / spawnRate - (yield* Timeout.now)
            if (due > 0 && Option.isNone(yield* CancelScope.untilStopping(Effect.sleep(due)))) break
            come = number
            yield* swarm.startSoon(live(number, url, scenario, statistics), { name: `user ${number}` })
          }
        }), { name: "swarm" }), { name: "load" }))

    return { millis: (yield* Timeout.now) - began, reason: exit._tag === "Success" ? reason : "the scenario has failed", users: come, exit }
  })

/** The life of a user: turn after turn, until the run is over. */
const live = (number: number, url: URL, scenario: Scenario, statistics: Statistics) =>
  Effect.gen(function*() {
    const user = yield* VirtualUser.make(number, url, statistics)
    // Asked here too, because nobody says that a turn has a request or a pause.
    return yield* Effect.forever(Effect.andThen(VirtualUser.unlessOver, Effect.suspend(() => scenario.turn(user))))
  }).pipe(Effect.catchTag("Over", () => Effect.void))
// #endregion
