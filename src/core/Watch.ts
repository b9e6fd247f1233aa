/**
 * A value that tasks can watch: read it, set it, wait until it is as wanted.
 *
 * It is a condition variable that cannot miss a change: checking the value and
 * waiting for the next one are one step.
 *
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import { together } from "./internal/Cascade.ts"
import { labelOf } from "./internal/Count.ts"
import { type Wait, waitIn, WaitQueue } from "./internal/Wait.ts"

/**
 * A watched value.
 *
 * @since 0.1.0
 */
export interface Watch<in out A> {
  /** The value now. */
  readonly get: A
  /** Sets the value. Those who waited for such a value go on, in the order in which they came. */
  set(value: A): Effect.Effect<void>
  /** Sets the value to what `f` makes of it, in one step, and returns it. */
  update(f: (value: A) => A): Effect.Effect<A>
  /**
   * Waits for a value for which `predicate` is true, and returns that value,
   * also if it has changed again by the time this task runs. The predicate is
   * asked about each value that is set; if it throws, the waiting task dies.
   */
  waitUntil(predicate: (value: A) => boolean): Effect.Effect<A>
  /**
   * The value now, then each change. Who is slow sees the latest value and not
   * those in between. Setting an equal value counts as a change (`Stream.changes`
   * takes them out). It never ends by itself.
   */
  readonly changes: Stream.Stream<A>
}

/** Tells a waiting task whether to go on with a value: what with, or `undefined`. */
type Asked<A> = (value: A) => Exit.Exit<A> | undefined

class Handle<in out A> implements Watch<A> {
  get: A
  readonly name: string
  readonly label: string
  private version = 0
  private readonly queue = new WaitQueue()

  constructor(value: A, name: string | undefined) {
    this.get = value
    this.name = name ?? "watch"
    this.label = labelOf("watch", name)
  }

  set(value: A): Effect.Effect<void> {
    return Effect.sync(() => this.change(value))
  }

  update(f: (value: A) => A): Effect.Effect<A> {
    return Effect.sync(() => {
      const value = f(this.get)
      this.change(value)
      return value
    })
  }

  private change(value: A): void {
    this.get = value
    this.version++
    if (this.queue.first === undefined) return
    // Together: who goes on may set the next value, and those behind have to be asked about this one first.
    together(() => {
      for (let wait = this.queue.first; wait !== undefined;) {
        const next: Wait | undefined = wait.next
        const exit = (wait.brought as Asked<A>)(value)
        if (exit !== undefined) wait.wake(exit)
        wait = next
      }
    })
  }

  waitUntil(predicate: (value: A) => boolean): Effect.Effect<A> {
    const asked: Asked<A> = (value) => {
      try {
        return predicate(value) ? Exit.succeed(value) : undefined
      } catch (defect) {
        return Exit.die(defect)
      }
    }
    return this.askedUntil(asked, () => asked(this.get))
  }

  private askedUntil(asked: Asked<A>, now: () => Exit.Exit<A> | undefined): Effect.Effect<A> {
    return Effect.suspend(() => now() ?? waitIn<A>(this.queue, "waiting for a change of", this, asked, now))
  }

  get changes(): Stream.Stream<A> {
    return Stream.suspend(() => {
      let seen = -1
      const latest = (): Exit.Exit<A> | undefined => seen === this.version ? undefined : Exit.succeed(this.get)
      // Read when the reader runs, not when it was woken: it may have been set again.
      const pull = Effect.map(this.askedUntil((value) => Exit.succeed(value), latest), () => {
        seen = this.version
        return Arr.of(this.get)
      })
      return Stream.fromPull(Effect.succeed(pull))
    })
  }

  toString(): string {
    return `Watch(${this.name}, ${this.queue.length} waiting)`
  }

  toJSON(): unknown {
    return { _id: "Watch", name: this.name, value: this.get, waiting: this.queue.length }
  }
}

/**
 * Makes a watched value.
 *
 * **Example** (Waiting for the tenth)
 *
 * ```ts
 * import { Console, Effect } from "effect"
 * import { Nursery, Watch } from "effect-nursery"
 *
 * const program = Nursery.open((n) =>
 *   Effect.gen(function*() {
 *     const count = yield* Watch.make(0, { name: "visitors" })
 *     yield* n.startNow(
 *       count.waitUntil((n) => n >= 10).pipe(Effect.flatMap((n) => Console.log(`visitor ${n}: a cake for you`)))
 *     )
 *     for (let i = 0; i < 12; i++) yield* count.update((n) => n + 1)
 *     yield* Console.log(`${count.get} visitors`)
 *   })
 * )
 *
 * await Effect.runPromise(program)
 * ```
 *
 * ```text output
 * visitor 10: a cake for you
 * 12 visitors
 * ```
 *
 * @since 0.1.0
 */
export const make = <A>(value: A, options?: { readonly name?: string }): Effect.Effect<Watch<A>> =>
  Effect.sync(() => new Handle(value, options?.name))
