/**
 * Whether an effect gives others a turn.
 *
 * A fiber runs until it suspends. Between two suspensions nobody else runs, and a
 * program may rely on that, as it may rely on others getting their turn. These
 * assertions say which of the two an effect does; the page of this module has the
 * answer for every operation of the library, and a test checks each line of it.
 *
 * Semantics: Trio's `assert_checkpoints` and `assert_no_checkpoints`.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"

/**
 * An effect ended without giving anybody a turn, and was asserted to do so. A defect.
 *
 * **Example** (Nothing to wait for)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Suspends } from "effect-nursery/testing"
 *
 * await Effect.runPromise(Suspends.assertSuspends(Effect.void)).catch((error) => console.log(String(error)))
 * ```
 *
 * ```text output
 * NeverSuspended: Expected the effect to suspend, and it ended without giving anybody a turn
 * ```
 *
 * @since 0.1.0
 */
export class NeverSuspended extends Data.TaggedError("NeverSuspended")<{}> {
  override get message(): string {
    return "Expected the effect to suspend, and it ended without giving anybody a turn"
  }
}

/**
 * An effect gave others a turn, and was asserted never to do so. A defect.
 *
 * **Example** (A wait)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Suspends } from "effect-nursery/testing"
 *
 * await Effect.runPromise(Suspends.assertNeverSuspends(Effect.sleep(1))).catch((error) => console.log(String(error)))
 * ```
 *
 * ```text output
 * Suspended: Expected the effect never to suspend, and it did (1 time): others had a turn before it ended
 * ```
 *
 * @since 0.1.0
 */
export class Suspended extends Data.TaggedError("Suspended")<{
  /** How often it suspended. */
  readonly times: number
}> {
  override get message(): string {
    const times = this.times === 1 ? "1 time" : `${this.times} times`
    return `Expected the effect never to suspend, and it did (${times}): others had a turn before it ended`
  }
}

/**
 * Sees each time a fiber is resumed: Effect counts the operations that a fiber runs
 * in one go from the start again, and asks the scheduler before each of them.
 */
class Watcher implements Scheduler.Scheduler {
  readonly executionMode: "sync" | "async"
  suspensions = 0
  private readonly fiber: Fiber.Fiber<unknown, unknown>
  private readonly around: Scheduler.Scheduler
  private readonly neverPauses: boolean
  /** Unknown before it was asked: the scheduler around may pause until then. */
  private last = 0
  private paused = false

  constructor(fiber: Fiber.Fiber<unknown, unknown>) {
    this.fiber = fiber
    this.around = fiber.cache.scheduler
    this.neverPauses = fiber.cache.preventYield
    this.executionMode = this.around.executionMode
  }

  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    const pauses = !this.neverPauses && this.around.shouldYield(fiber)
    if (fiber === this.fiber) this.step(fiber.currentOpCount, pauses)
    return pauses
  }

  private step(count: number, pauses: boolean): void {
    // A pause that the scheduler takes, after some 2,000 operations of whatever kind, is no doing of the effect.
    if (count <= this.last && !this.paused) this.suspensions++
    this.last = count
    this.paused = pauses
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return this.around.makeDispatcher()
  }
}

/** Some operations of this library pause just before the scheduler would. A fiber that has run for so long begins anew. */
const manyOperations = 1024

const watched = <A, E, R>(self: Effect.Effect<A, E, R>, mistake: (suspensions: number) => unknown): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    if (fiber.currentOpCount > manyOperations) return Effect.andThen(Effect.yieldNow, watched(self, mistake))
    const watcher = new Watcher(fiber)
    const seen = self.pipe(
      Effect.provideService(Scheduler.PreventSchedulerYield, false),
      Effect.provideService(Scheduler.Scheduler, watcher)
    )
    return Effect.flatMap(Effect.exit(seen), (exit): Exit.Exit<A, E> | Effect.Effect<never, E> => {
      const defect = mistake(watcher.suspensions)
      if (defect === undefined) return exit
      const reasons = exit._tag === "Success" ? [] : exit.cause.reasons
      return Effect.failCause(Cause.fromReasons<E>([...reasons, Cause.makeDieReason(defect)]))
    })
  })

/**
 * Runs an effect, and dies with {@link NeverSuspended} if it ended, well or not,
 * without giving others a turn.
 *
 * **Details**
 *
 * What counts is that its fiber stopped running, so that the event loop or another
 * fiber could run. Pauses that the scheduler takes after some 2,000 operations of
 * whatever kind do not count. An effect that is interrupted is not judged.
 *
 * **Example** (A receiver that waits)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { MemoryChannel, Tasks } from "effect-nursery"
 * import { Suspends } from "effect-nursery/testing"
 *
 * const program = Effect.gen(function*() {
 *   const [sender, receiver] = yield* MemoryChannel.make<string>(1)
 *   const [value] = yield* Tasks.gather([Suspends.assertSuspends(receiver.receive), sender.send("it waited")])
 *   console.log(value)
 * })
 *
 * await Effect.runPromise(program)
 * ```
 *
 * ```text output
 * it waited
 * ```
 *
 * @since 0.1.0
 */
export const assertSuspends = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  watched(self, (suspensions) => suspensions > 0 ? undefined : new NeverSuspended())

/**
 * Runs an effect, and dies with {@link Suspended} if it gave others a turn before it
 * ended. So nothing can have changed between its first and its last step.
 *
 * **Example** (A step that must be one)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { MemoryChannel } from "effect-nursery"
 * import { Suspends } from "effect-nursery/testing"
 *
 * const program = Effect.gen(function*() {
 *   const [sender, receiver] = yield* MemoryChannel.make<string>(1)
 *   const passOn = Effect.andThen(sender.send("in one step"), receiver.receive)
 *   console.log(yield* Suspends.assertNeverSuspends(passOn))
 * })
 *
 * await Effect.runPromise(program)
 * ```
 *
 * ```text output
 * in one step
 * ```
 *
 * @since 0.1.0
 */
export const assertNeverSuspends = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  watched(self, (suspensions) => suspensions === 0 ? undefined : new Suspended({ times: suspensions }))
