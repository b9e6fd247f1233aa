/** `it.explore`: a test that runs its program under many schedules. */
import * as Effect from "effect/Effect"
import { it } from "vitest"
import * as Explore from "../../testing/Explore.ts"

/**
 * How a test of `it.explore` runs: as `Explore.run` does, with a `property` instead of `holds`.
 *
 * @since 0.1.0
 */
export interface ExploreOptions<A, E> extends Omit<Explore.Options<A, E>, "holds"> {
  /** What must be true of the value of every run: it returns `false`, or throws as an assertion does, when it is not. */
  readonly property?: (value: A) => boolean | void
  /** How long the test may take, in milliseconds of real time. Default: vitest's `testTimeout`. */
  readonly timeout?: number
}

/** What fails the test. Its message is the whole report. */
class ScheduleFound extends Error {
  override readonly name = "ScheduleFound"
}

type Explored<A, E> = Effect.Effect<A, E> | (() => Effect.Effect<A, E>)

const body = <A, E>(program: Explored<A, E>, { property, timeout: _, ...options }: ExploreOptions<A, E>) => () => {
  const effect = Effect.isEffect(program) ? program : Effect.suspend(program)
  const report = Explore.run(effect, property === undefined ? options : { ...options, holds: property })
  if (report._tag === "Found") throw new ScheduleFound(Explore.toText(report))
}

type Runner = (name: string, test: () => void, timeout?: number) => void

const exploring = (run: Runner) => <A, E>(name: string, program: Explored<A, E>, options: ExploreOptions<A, E> = {}): void =>
  run(name, body(program, options), options.timeout)

export const explore = Object.assign(exploring(it), { only: exploring(it.only), skip: exploring(it.skip), fails: exploring(it.fails) })
