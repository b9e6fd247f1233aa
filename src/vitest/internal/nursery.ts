/** `it.nursery`: a test that fails when its program leaves something behind. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { it, type TestContext } from "vitest"
import * as LeakCheck from "../../testing/LeakCheck.ts"

/**
 * How a test of `it.nursery` runs: as `LeakCheck` runs a program, so in virtual time
 * unless `time` is `"live"`.
 *
 * @since 0.1.0
 */
export interface NurseryOptions extends Omit<LeakCheck.Options, "signal"> {
  /** How long the test may take, in milliseconds of real time. Default: vitest's `testTimeout`. */
  readonly timeout?: number
}

/**
 * What `it.nursery` tests: an effect, or a function that makes it anew each time. A
 * `Scope` that it asks for is closed before anything is looked for.
 *
 * @since 0.1.0
 */
export type Program<A, E> = Effect.Effect<A, E, Scope.Scope> | (() => Effect.Effect<A, E, Scope.Scope>)

const body = <A, E>(program: Program<A, E>, { timeout: _, ...options }: NurseryOptions) =>
  // Destructured, because that is how vitest finds the fixtures that a test wants.
  async ({ signal }: Pick<TestContext, "signal">): Promise<void> => {
    await LeakCheck.run(Effect.isEffect(program) ? program : Effect.suspend(program), { ...options, signal })
  }

type Runner = (name: string, test: (context: TestContext) => Promise<void>, timeout?: number) => void

const watching = (run: Runner) => <A, E>(name: string, program: Program<A, E>, options: NurseryOptions = {}): void =>
  run(name, body(program, options), options.timeout)

export const nursery = Object.assign(watching(it), { only: watching(it.only), skip: watching(it.skip), fails: watching(it.fails) })
