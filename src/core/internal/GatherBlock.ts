/** The blocks behind gather, map, race and asCompleted: effects known in advance, started as far as a limit allows. */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { type AnyEffect, type AnyExit, type Block, Member, tellAll } from "./Block.ts"
import { type CancelReason, interruptOf } from "./CancelReason.ts"
import { CollectingBlock } from "./CollectingBlock.ts"
import { named } from "./Named.ts"
import { Outcome } from "./Outcome.ts"
import { type Timer, timersFor } from "./Timers.ts"

/** At most this many starts a turn: those that run make garbage that dies young. */
const startsPerTurn = 512

/** One of the effects. */
class Numbered extends Member {
  declare readonly index: number
  constructor(block: Block, effect: AnyEffect, index: number) {
    super(block, effect, undefined)
    this.index = index
  }
  override get kind(): "task" {
    return "task"
  }
  override get name(): string {
    return `${this.block.kind} ${this.index}`
  }
  override get ordinal(): number {
    return this.index
  }
  override get isBody(): boolean {
    return false
  }
}

/** Starts effects by index, at most so many at a time and not all in one turn. */
abstract class Numbering extends CollectingBlock {
  readonly name: string
  protected readonly count: number
  protected readonly limit: number
  private readonly effectAt: (index: number) => AnyEffect
  private next = 0
  private living = 0
  private pumping = false
  private finished = false

  constructor(name: string, count: number, limit: number, effectAt: (index: number) => AnyEffect) {
    super()
    this.name = name
    this.count = count
    this.limit = limit
    this.effectAt = effectAt
  }

  begin(): void {
    if (this.count === 0) this.finish()
    else this.pump()
  }

  protected abstract ended(index: number, exit: AnyExit): void

  /** Starts the next ones. Called again from inside it only sets the limit free. */
  private readonly pump = (): void => {
    if (this.pumping) return
    this.pumping = true
    let started = 0
    while (this.mayStart) {
      if (started++ >= startsPerTurn) {
        this.owner.currentDispatcher.scheduleTask(this.pump, 0)
        break
      }
      this.startNext()
    }
    this.pumping = false
    this.finishIfDone()
  }

  private get mayStart(): boolean {
    return this.cancelled === undefined && this.next < this.count && this.living < this.limit
  }

  protected startNext(): void {
    const index = this.next++
    this.living++
    const member = new Numbered(this, this.effectAt(index), index)
    this.link(member)
    this.start(member)
  }

  protected get hasNext(): boolean {
    return this.cancelled === undefined && this.next < this.count
  }

  memberEnded(member: Member, exit: AnyExit): void {
    this.living--
    this.ended((member as Numbered).index, exit)
    if (this.limit !== Infinity && this.mayStart) this.pump()
    else this.finishIfDone()
  }

  private finishIfDone(): void {
    if (this.living > 0 || this.pumping || this.finished) return
    if (this.cancelled === undefined && this.next < this.count) return
    this.finished = true
    this.finish()
  }

  protected take(index: number, exit: AnyExit): boolean {
    return this.outcome.add(exit, (reason) => named(reason, this.name, `${this.kind} ${index}`))
  }

  cancelMembers(reason: CancelReason): void {
    if (this.cancelled !== undefined) return
    this.cancelled = reason
    tellAll(this.members(), reason)
    this.finishIfDone()
  }
}

/** All values in order; the first failure cancels the others. */
export class GatherBlock extends Numbering {
  readonly kind = "gather"
  private readonly values: Array<unknown>
  private succeeded = 0
  private interrupted: AnyExit | undefined = undefined

  constructor(name: string, count: number, limit: number, effectAt: (index: number) => AnyEffect) {
    super(name, count, limit, effectAt)
    this.values = Array.from({ length: count })
  }

  protected ended(index: number, exit: AnyExit): void {
    if (exit._tag === "Success") {
      this.values[index] = exit.value
      this.succeeded++
      return
    }
    if (!this.take(index, exit) && this.cancelled === undefined) this.interrupted = exit
    this.cancelSiblings(`${this.kind} ${index} failed`)
  }

  result(): AnyExit {
    const { interrupted, outcome } = this
    if (outcome.errors !== undefined) return Exit.failCause(outcome.cause(outcome.cancelled && this.passesOn))
    // A cancellation that came when every value was there has come too late.
    if (this.succeeded === this.count) return Exit.succeed(this.values)
    return interrupted ?? Exit.failCause(interruptOf(this.told ?? this.cancelled!))
  }
}

/** Every exit, each handed out as it comes; failures cancel nobody. */
export class SettleBlock extends Numbering {
  readonly kind = "gather"
  private readonly onExit: (index: number, exit: AnyExit) => void

  constructor(name: string, count: number, limit: number, effectAt: (index: number) => AnyEffect, onExit: (index: number, exit: AnyExit) => void) {
    super(name, count, limit, effectAt)
    this.onExit = onExit
  }

  protected ended(index: number, exit: AnyExit): void {
    if (this.cancelled === undefined) return this.onExit(index, exit)
    // Nobody asks for results any more, but errors of the cleanup must not be silent.
    this.take(index, exit)
  }

  result(): AnyExit {
    const { cancelled, outcome } = this
    if (outcome.errors !== undefined) return Exit.failCause(outcome.cause(outcome.cancelled && this.passesOn))
    return cancelled !== undefined && this.passesOn ? Exit.failCause(interruptOf(cancelled)) : Exit.void
  }
}

/** The first to end, or to succeed, wins; the losers are cancelled and awaited. */
export class RaceBlock extends Numbering {
  readonly kind = "race"
  private readonly until: "completed" | "success"
  private readonly stagger: number
  private winner: AnyExit | undefined = undefined
  private interrupted: AnyExit | undefined = undefined
  /** Failures that count only when nobody succeeds. */
  private readonly aside = new Outcome()
  private timer: Timer | undefined = undefined
  private asked = 0

  constructor(name: string, effects: ReadonlyArray<AnyEffect>, until: "completed" | "success", stagger: number) {
    super(name, effects.length, Infinity, (index) => effects[index]!)
    this.until = until
    this.stagger = stagger
  }

  override begin(): void {
    if (this.stagger > 0) this.nextOne()
    else super.begin()
  }

  private arm(): void {
    if (this.stagger <= 0 || !this.hasNext || this.stagger === Infinity) return
    const timers = timersFor(this.owner)
    this.timer = timers.set(timers.now() + this.stagger, { onDeadline: () => this.nextOne() }, this.owner)
  }

  private disarm(): void {
    if (this.timer !== undefined) timersFor(this.owner).clear(this.timer)
    this.timer = undefined
  }

  /** It is the turn of the next one: its predecessor took too long, or failed. */
  private nextOne(): void {
    this.asked++
    // One that fails at once asks for the next from inside this loop.
    if (this.asked > 1) return
    this.disarm()
    for (; this.asked > 0; this.asked--) if (this.hasNext) this.startNext()
    this.arm()
  }

  protected ended(index: number, exit: AnyExit): void {
    if (exit._tag === "Success") {
      this.winner ??= exit
      return this.cancelSiblings(`race ${index} won`)
    }
    if (this.until === "success") {
      // With a cancellation in it, it is not the plain failure of a contestant.
      if (new Outcome().isMixed(exit)) this.take(index, exit)
      else this.aside.add(exit, (reason) => named(reason, this.name, `race ${index}`))
      if (this.aside.errors === undefined && this.cancelled === undefined) this.interrupted = exit
      if (this.stagger > 0) this.nextOne()
      return
    }
    if (!this.take(index, exit) && this.cancelled === undefined) this.interrupted = exit
    this.cancelSiblings(`race ${index} ended first`)
  }

  override cancelMembers(reason: CancelReason): void {
    this.disarm()
    super.cancelMembers(reason)
  }

  result(): AnyExit {
    const { aside, interrupted, outcome, winner } = this
    if (outcome.errors !== undefined) return Exit.failCause(outcome.cause(outcome.cancelled && this.passesOn))
    if (winner !== undefined) return winner
    if (aside.errors !== undefined) return Exit.failCause(aside.cause(aside.cancelled && this.passesOn))
    return interrupted ?? Exit.failCause(this.cancelled === undefined ? Cause.interrupt() : interruptOf(this.told ?? this.cancelled))
  }
}
