/**
 * Something that happens once: tasks wait for it, and somebody sets it.
 *
 * Semantics: Trio's `Event`. Its waits have names in the task tree and in
 * deadlock reports. For an event with a value use Effect's `Deferred`, for one
 * that closes again `Latch`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { together } from "./internal/Cascade.ts"
import { labelOf } from "./internal/Count.ts"
import { waitIn, WaitQueue } from "./internal/Wait.ts"

/**
 * An event: not set, and from some moment on set for good.
 *
 * @since 0.1.0
 */
export interface Event {
  /** Sets it: all who wait go on, in the order in which they came. Setting it again changes nothing. */
  readonly set: Effect.Effect<void>
  /** Waits until it is set; goes on at once when it is. */
  readonly wait: Effect.Effect<void>
  readonly isSet: boolean
  /** How many wait. */
  readonly waiting: number
}

class Handle implements Event {
  isSet = false
  readonly name: string
  readonly label: string
  readonly set: Effect.Effect<void>
  readonly wait: Effect.Effect<void>
  private readonly queue = new WaitQueue()

  constructor(name: string | undefined) {
    this.name = name ?? "event"
    this.label = labelOf("event", name)
    this.set = Effect.sync(() => {
      if (this.isSet) return
      this.isSet = true
      together(() => this.queue.wakeAll(Exit.void))
    })
    const wait = waitIn(this.queue, "waiting for", this, undefined, () => this.isSet ? Exit.void : undefined)
    this.wait = Effect.suspend(() => this.isSet ? Exit.void : wait)
  }

  get waiting(): number {
    return this.queue.length
  }

  private get state(): "set" | "not set" {
    return this.isSet ? "set" : "not set"
  }

  toString(): string {
    return `Event(${this.name}, ${this.state}, ${this.waiting} waiting)`
  }

  toJSON(): unknown {
    return { _id: "Event", name: this.name, state: this.state, waiting: this.waiting }
  }
}

/**
 * Makes an event that is not set.
 *
 * **Example** (A start signal)
 *
 * ```ts
 * import { Console, Effect } from "effect"
 * import { Event, Nursery } from "effect-nursery"
 *
 * const program = Nursery.open((n) =>
 *   Effect.gen(function*() {
 *     const go = yield* Event.make({ name: "go" })
 *     for (const runner of ["Ann", "Bob"]) {
 *       yield* n.startNow(go.wait.pipe(Effect.andThen(Console.log(runner, "runs"))))
 *     }
 *     yield* Console.log(String(go))
 *     yield* go.set
 *   })
 * )
 *
 * await Effect.runPromise(program)
 * ```
 *
 * ```text output
 * Event(go, not set, 2 waiting)
 * Ann runs
 * Bob runs
 * ```
 *
 * @since 0.1.0
 */
export const make = (options?: { readonly name?: string }): Effect.Effect<Event> => Effect.sync(() => new Handle(options?.name))
