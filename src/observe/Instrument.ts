/**
 * Everything that happens in a program, as one list of events: which nurseries
 * opened, who started whom, what was waited for, what was cancelled and why, how
 * all of it ended.
 *
 * An {@link Instrument} keeps the last events in a ring, at a cost that production
 * can bear. The timeline and the cancellation report are made from its events.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as CancelScope from "../core/CancelScope.ts"
import { timersFor } from "../core/internal/Timers.ts"
import * as TaskTree from "../core/TaskTree.ts"
import { EventReader, ReadAloud } from "./internal/EventReader.ts"
import { EventRing } from "./internal/EventRing.ts"
import { Book, NoteTaker } from "./internal/NoteTaker.ts"

/**
 * How a task or a block has ended. Errors are one line of text.
 *
 * @since 0.1.0
 */
export type Outcome =
  | { readonly _tag: "succeeded" }
  | { readonly _tag: "failed"; readonly error: string }
  | { readonly _tag: "died"; readonly defect: string }
  | { readonly _tag: "cancelled" }

/**
 * Something that happened.
 *
 * **Details**
 *
 * `at` is in milliseconds of the program's Clock, as `Timeout.now` gives it. Blocks,
 * tasks and waits are counted from 1 in the order in which the instrument hears of
 * them, each kind for itself, so the same run has the same events. (While several
 * programs are recorded at once, numbers of tasks may be left out.) A body is a
 * task, too: the one that its block starts by itself.
 *
 * @since 0.1.0
 */
export type Event =
  /** A block begins. `parent` is the task that opened it; none at the root of what is recorded. */
  | {
    readonly _tag: "opened"
    readonly at: number
    readonly block: number
    readonly parent: number | undefined
    readonly kind: TaskTree.BlockInfo["kind"]
    readonly name: string
  }
  /** Everything in a block has ended. `caught`: it was cancelled and absorbed that, what is around it goes on. */
  | { readonly _tag: "closed"; readonly at: number; readonly block: number; readonly outcome: Outcome; readonly caught: boolean }
  /** A task begins to run. `by` is the task that called `startSoon`, or opened the gather or race. */
  | {
    readonly _tag: "started"
    readonly at: number
    readonly task: number
    readonly block: number
    readonly kind: TaskTree.TaskInfo["kind"]
    readonly name: string
    readonly by: number | undefined
  }
  /** A task that was started with `start` has said that it is ready: it lives in the nursery from now on, which may be outside of what is recorded. */
  | { readonly _tag: "moved"; readonly at: number; readonly task: number; readonly block: number | undefined }
  | { readonly _tag: "ended"; readonly at: number; readonly task: number; readonly outcome: Outcome }
  /** A block is cancelled, or a task is told to stop. The events of one cancel share one `reason`. */
  | {
    readonly _tag: "cancelled"
    readonly at: number
    readonly target: { readonly _tag: "block" | "task"; readonly id: number }
    readonly by: number | undefined
    readonly reason: CancelScope.CancelReason
  }
  /**
   * A task that was told to stop did not end at once. `what` holds it: its `finalizer`, or something that it was in
   * and that cannot be stopped: an `uninterruptible` region (of which an acquisition, or a finalizer that had begun
   * before, is one) or a `shield`; with the name of the span, if it is in one.
   */
  | { readonly _tag: "cleanupBegan"; readonly at: number; readonly task: number; readonly what: string }
  | { readonly _tag: "cleanupEnded"; readonly at: number; readonly task: number }
  /** `task` waits for something of this library; none when no task of it does the waiting. */
  | {
    readonly _tag: "waiting"
    readonly at: number
    readonly task: number | undefined
    readonly wait: number
    readonly label: string
  }
  /** That wait is over, in whatever way. */
  | { readonly _tag: "resumed"; readonly at: number; readonly task: number | undefined; readonly wait: number }

/**
 * How an instrument is set up.
 *
 * @since 0.1.0
 */
export interface Options {
  /** So many events are kept, the newest; `Infinity` for all. Default: 65,536. */
  readonly capacity?: number
  /**
   * Is called with each event as it happens. Must not throw, and costs more than
   * the ring, which makes no event before somebody asks.
   */
  readonly onEvent?: (event: Event) => void
}

/**
 * Takes notes of programs.
 *
 * @since 0.1.0
 */
export interface Instrument {
  /** For `TaskTree.record`. {@link record} is simpler, and knows the program's Clock from the start. */
  readonly recorder: TaskTree.Recorder
  /** What is kept, in the order in which it happened. */
  events(): ReadonlyArray<Event>
  /** How many events had to make room for newer ones. */
  readonly dropped: number
  /** Forgets all events. Who lives on keeps its number. */
  clear(): void
}

const defaultCapacity = 65_536

const capacityOf = (options: Options | undefined): number => {
  const capacity = options?.capacity ?? defaultCapacity
  if (capacity === Infinity || (Number.isInteger(capacity) && capacity >= 1)) return capacity
  throw new RangeError(
    `Expected \`capacity\` to be an integer from 1 and up or \`Infinity\`, got \`${String(capacity)}\` (${typeof capacity})`
  )
}

class Handle implements Instrument {
  readonly recorder: NoteTaker
  readonly #ring: EventRing
  readonly #book: Book

  constructor(options: Options | undefined) {
    const ring = this.#ring = new EventRing(capacityOf(options))
    const onEvent = options?.onEvent
    // Straight to the ring, if nobody listens.
    this.#book = new Book(onEvent === undefined ? ring : new ReadAloud(ring, () => this.#reader(onEvent)))
    this.recorder = new NoteTaker(this.#book)
  }

  events(): ReadonlyArray<Event> {
    const events: Array<Event> = []
    this.#ring.replay(this.#reader((event) => void events.push(event)))
    return events
  }

  #reader(out: (event: Event) => void): EventReader {
    return new EventReader(this.#book, out)
  }

  get dropped(): number {
    return this.#ring.dropped
  }

  clear(): void {
    this.#ring.clear()
  }

  toString(): string {
    return `Instrument(${this.#ring.size} events kept, ${this.dropped} dropped)`
  }

  toJSON(): unknown {
    return { _id: "Instrument", kept: this.#ring.size, dropped: this.dropped, capacity: this.#ring.capacity }
  }
}

/**
 * An instrument that has heard nothing yet.
 *
 * **Example** (The last three events)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Nursery } from "effect-nursery"
 * import { Instrument } from "effect-nursery/observe"
 *
 * const instrument = Instrument.make({ capacity: 3 })
 * const program = Nursery.open((n) => n.startSoon(Effect.void, { name: "greeter" }), { name: "hall" })
 *
 * await Effect.runPromise(program.pipe(Instrument.record(instrument)))
 * console.log(instrument.events().map((event) => event._tag), `and ${instrument.dropped} before`)
 * ```
 *
 * ```text output
 * [ 'started', 'ended', 'closed' ] and 3 before
 * ```
 *
 * @since 0.1.0
 */
export const make = (options?: Options): Instrument => new Handle(options)

/**
 * Runs an effect, and has an instrument take notes of it.
 *
 * **Details**
 *
 * Recordings nest: each instrument around a program is told of it. One instrument
 * may record several programs, one after the other or beside each other.
 *
 * **Example** (What happened, and when)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Event, Nursery } from "effect-nursery"
 * import { Instrument } from "effect-nursery/observe"
 * import { VirtualClock } from "effect-nursery/testing"
 *
 * const program = Nursery.open((n) =>
 *   Effect.gen(function*() {
 *     const bell = yield* Event.make({ name: "bell" })
 *     yield* n.startNow(bell.wait, { name: "pupil" })
 *     yield* Effect.sleep(45)
 *     yield* bell.set
 *   }), { name: "lesson" })
 *
 * const instrument = Instrument.make()
 * await VirtualClock.run(program.pipe(Instrument.record(instrument)))
 *
 * for (const event of instrument.events()) {
 *   const what = event._tag === "waiting" ? `: ${event.label}` : "name" in event ? `: ${event.name}` : ""
 *   console.log(`${event.at} ${event._tag}${what}`)
 * }
 * ```
 *
 * ```text output
 * 0 opened: lesson
 * 0 started: body
 * 0 started: pupil
 * 0 waiting: waiting for event bell
 * 45 ended
 * 45 resumed
 * 45 ended
 * 45 closed
 * ```
 *
 * @since 0.1.0
 */
export const record = (instrument: Instrument) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const { recorder } = instrument
    return TaskTree.record(recorder instanceof NoteTaker ? recorder.on(timersFor(fiber)) : recorder)(self)
  })
