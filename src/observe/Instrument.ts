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
import { timersFor } from "../core/internal/Timers.ts"
import * as TaskTree from "../core/TaskTree.ts"
import type { Event } from "./internal/Event.ts"
import { EventReader, ReadAloud } from "./internal/EventReader.ts"
import { EventRing } from "./internal/EventRing.ts"
import { Book, NoteTaker } from "./internal/NoteTaker.ts"

export type { Event, Outcome } from "./internal/Event.ts"

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
