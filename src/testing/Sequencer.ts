/**
 * A sequence of turns across tasks: who has turn 2 waits until turns 0 and 1 are
 * over. For tests that need one certain interleaving.
 *
 * Semantics: Trio's `trio.testing.Sequencer`. Its waits have names in the task
 * tree and in deadlock reports, so a turn that nobody takes is found by
 * `VirtualClock` and `Explore`.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { type AnyEffect, type Member, Place } from "../core/internal/Block.ts"
import { together } from "../core/internal/Cascade.ts"
import { labelOf } from "../core/internal/Count.ts"
import { type Awaited, Wait } from "../core/internal/Wait.ts"

/**
 * A turn was taken that somebody has or had before. A defect of the test.
 *
 * **Example** (Turn 0 twice)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Sequencer } from "effect-nursery/testing"
 *
 * const program = Effect.gen(function*() {
 *   const sequencer = yield* Sequencer.make()
 *   yield* sequencer.at(0, Effect.void)
 *   yield* sequencer.at(0, Effect.void)
 * })
 *
 * await Effect.runPromise(program).catch((error) => console.log(String(error)))
 * ```
 *
 * ```text output
 * TurnTaken: Turn 0 of sequencer was taken before: each number is for one `at`, which runs once
 * ```
 *
 * @since 0.1.0
 */
export class TurnTaken extends Data.TaggedError("TurnTaken")<{
  /** The sequencer. */
  readonly sequencer: string
  readonly turn: number
}> {
  override get message(): string {
    return `Turn ${this.turn} of ${this.sequencer} was taken before: each number is for one \`at\`, which runs once`
  }
}

/**
 * Somebody was cancelled while waiting for a turn, so the sequence has a hole. A
 * defect of all others who wait for a turn, and of those who come later.
 *
 * **Example** (The second dancer left)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Nursery } from "effect-nursery"
 * import { Sequencer } from "effect-nursery/testing"
 *
 * const program = Effect.gen(function*() {
 *   const sequencer = yield* Sequencer.make({ name: "dance" })
 *   yield* Nursery.open((n) =>
 *     Effect.gen(function*() {
 *       const second = yield* n.startNow(sequencer.at(1, Effect.void))
 *       yield* second.cancel()
 *     })
 *   )
 *   yield* sequencer.at(0, Effect.void)
 * })
 *
 * await Effect.runPromise(program).catch((error) => console.log(String(error)))
 * ```
 *
 * ```text output
 * SequenceBroken: The sequence of sequencer dance is broken: who waited for turn 1 was cancelled
 * ```
 *
 * @since 0.1.0
 */
export class SequenceBroken extends Data.TaggedError("SequenceBroken")<{
  /** The sequencer. */
  readonly sequencer: string
  /** The turn that nobody will have. */
  readonly turn: number
}> {
  override get message(): string {
    return `The sequence of ${this.sequencer} is broken: who waited for turn ${this.turn} was cancelled`
  }
}

/**
 * A sequence of turns.
 *
 * @since 0.1.0
 */
export interface Sequencer {
  /**
   * Waits for turn number `turn`, counted from 0, and runs the effect; when it has
   * ended, in whatever way, the next turn begins. Nothing but the effect is in the
   * turn: what comes after it may run beside the next.
   */
  at<A, E, R>(turn: number, self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R>
  at(turn: number): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** The turn that it is now, or that comes next. */
  readonly turn: number
  /** How many wait for a turn. */
  readonly waiting: number
}

/** One use of a number, from asking for the turn to its end. */
class Turn implements Awaited {
  readonly number: number
  state: "new" | "waiting" | "running" = "new"
  place: Member | undefined = undefined
  private readonly sequencer: Handle

  constructor(sequencer: Handle, number: number) {
    this.sequencer = sequencer
    this.number = number
  }

  get label(): string {
    return `turn ${this.number} of ${this.sequencer.label}`
  }

  holders(): Iterable<Member> {
    return this.sequencer.holders()
  }
}

class Handle implements Sequencer {
  turn = 0
  readonly label: string
  private readonly name: string
  private readonly taken = new Set<number>()
  private readonly waits = new Map<number, Wait>()
  private running: Turn | undefined = undefined
  private broken: SequenceBroken | undefined = undefined

  constructor(name: string | undefined) {
    this.name = name ?? "sequencer"
    this.label = labelOf("sequencer", name)
  }

  get waiting(): number {
    return this.waits.size
  }

  holders(): Iterable<Member> {
    const place = this.running?.place
    return place === undefined ? [] : [place]
  }

  readonly at = (number: number, self?: Effect.Effect<any, any, any>): any =>
    self === undefined ? (effect: Effect.Effect<any, any, any>) => this.run(number, effect) : this.run(number, self)

  private run<A, E, R>(number: number, self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      const turn = new Turn(this, number)
      const inTurn = Effect.flatMap(this.wait(turn), () => {
        turn.state = "running"
        return self
      })
      // In place before the turn is taken, so that no cancellation can come between the two and leave the others waiting.
      return Effect.onExit(inTurn, () => {
        if (turn.state === "running") this.next()
        else if (turn.state === "waiting") this.break(turn)
        return Exit.void
      })
    })
  }

  // Takes the number and registers the wait in one step.
  private wait(turn: Turn): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      const refusal = this.refusal(turn.number)
      if (refusal !== undefined) {
        resume(Exit.die(refusal))
        return undefined
      }
      this.taken.add(turn.number)
      turn.state = "waiting"
      turn.place = Fiber.getCurrent()!.getRef(Place)
      if (turn.number === this.turn) {
        this.running = turn
        resume(Exit.void)
        return undefined
      }
      const wait = new Wait("waiting for", turn, turn, resume as (effect: AnyEffect) => void)
      this.waits.set(turn.number, wait)
      return Effect.sync(() => {
        this.waits.delete(turn.number)
        wait.leaveNow()
      })
    })
  }

  private refusal(number: number): unknown {
    if (!Number.isInteger(number) || number < 0) {
      return new RangeError(`Expected \`turn\` to be an integer from 0 and up, got \`${String(number)}\` (${typeof number})`)
    }
    if (this.taken.has(number)) return new TurnTaken({ sequencer: this.label, turn: number })
    return this.broken
  }

  private next(): void {
    this.turn++
    this.running = undefined
    const wait = this.waits.get(this.turn)
    if (wait === undefined) return
    this.waits.delete(this.turn)
    this.running = wait.brought as Turn
    wait.wake(Exit.void)
  }

  private break(turn: Turn): void {
    if (this.broken !== undefined) return
    const broken = this.broken = new SequenceBroken({ sequencer: this.label, turn: turn.number })
    const waits = [...this.waits.values()]
    this.waits.clear()
    together(() => {
      for (const wait of waits) wait.wake(Exit.die(broken))
    })
  }

  toString(): string {
    return `Sequencer(${this.name}, turn ${this.turn}, ${this.waiting} waiting${this.broken === undefined ? "" : ", broken"})`
  }

  toJSON(): unknown {
    return { _id: "Sequencer", name: this.name, turn: this.turn, waiting: this.waiting, broken: this.broken !== undefined }
  }
}

/**
 * Makes a sequencer, at turn 0.
 *
 * **Example** (Three parts of two tasks, in one certain order)
 *
 * ```ts
 * import { Console, Effect } from "effect"
 * import { Nursery } from "effect-nursery"
 * import { Sequencer } from "effect-nursery/testing"
 *
 * const program = Nursery.open((n) =>
 *   Effect.gen(function*() {
 *     const sequencer = yield* Sequencer.make()
 *     yield* n.startSoon(Effect.gen(function*() {
 *       yield* sequencer.at(0, Console.log("Ann reads"))
 *       yield* sequencer.at(2, Console.log("Ann writes"))
 *     }))
 *     yield* n.startSoon(Console.log("Bob writes").pipe(sequencer.at(1)))
 *   })
 * )
 *
 * await Effect.runPromise(program)
 * ```
 *
 * ```text output
 * Ann reads
 * Bob writes
 * Ann writes
 * ```
 *
 * @since 0.1.0
 */
export const make = (options?: { readonly name?: string }): Effect.Effect<Sequencer> => Effect.sync(() => new Handle(options?.name))
