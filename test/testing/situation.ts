/** What the situations of `operations.ts` and `netOperations.ts` are made of. */
import { Effect } from "effect"
import { Nursery } from "effect-nursery"

export type Check = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

export type Situation = (check: Check) => Effect.Effect<unknown, unknown, any>

/** Where the operation finds nothing to wait for (`free`), and where it does (`held`). Each runs it through `check`. */
export interface Situations {
  readonly free?: ReadonlyArray<Situation>
  readonly held?: ReadonlyArray<Situation>
}

export const gen = (body: (check: Check) => Generator<Effect.Effect<any, any, any>, unknown, any>): Situation => (check) =>
  Effect.gen(() => body(check))

/** Runs `others` as soon as the operation lets others run. */
export const beside = (others: Effect.Effect<unknown, any, any>, self: Effect.Effect<unknown, any, any>): Effect.Effect<unknown, any, any> =>
  Nursery.open((n) => Effect.andThen(n.startSoon(others), self))

export const pause = Effect.sleep(1)
export const ready = Effect.succeed("ready")

/** An operation that runs an effect: it suspends as that one does. */
export const runs = (operator: (self: Effect.Effect<any, any, any>) => Effect.Effect<any, any, any>): Situations => ({
  free: [(check) => check(operator(ready)), (check) => Effect.exit(check(operator(Effect.fail("no"))))],
  held: [(check) => check(operator(pause))]
})

export const never = (...free: ReadonlyArray<Situation>): Situations => ({ free })
