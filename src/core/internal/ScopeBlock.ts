/** The block behind cancel scopes, timeouts and shields: one body, which can be cancelled without the owner. */
import * as Duration from "effect/Duration"
import * as Exit from "effect/Exit"
import { type AnyEffect, type AnyExit, Block, Member, type MemberWait, reasonNow, tellAll } from "./Block.ts"
import { CancelReason, interruptOf, type Source } from "./CancelReason.ts"
import { together, wakeUp } from "./Cascade.ts"
import { Outcome } from "./Outcome.ts"
import { type Due, type Timer, type Timers, timersFor } from "./Timers.ts"
import { WaitQueue } from "./Wait.ts"

/** What a scope makes of its body's end. */
export interface Shape {
  readonly kind: "scope" | "timeout" | "shield"
  readonly value: (exit: Exit.Success<any, any>) => AnyExit
  readonly caught: (scope: ScopeBlock, reason: CancelReason) => AnyExit
}

/** What a scope needs only when somebody asks it to stop, waits for its end, or wants a signal of it. */
interface Ending {
  /** Why it was asked to stop. */
  stopReason: CancelReason | undefined
  /** When the grace of a stop is over. */
  graceEnds: number
  graceTimer: Timer | undefined
  /** Fibers that wait until it has ended. */
  readonly ended: WaitQueue
  /** Aborted when the scope is cancelled, or a scope around it. */
  controller: AbortController | undefined
}

export class ScopeBlock extends Block implements Due {
  declare readonly shape: Shape
  declare readonly name: string
  private declare body: ((scope: ScopeBlock) => AnyEffect) | undefined
  /** The time that it was given when it was opened, in milliseconds. */
  declare readonly limit: number
  /** When its time is up, in milliseconds of the Clock's monotonic time. */
  declare deadline: number
  /** Why it was cancelled, from the moment it was. */
  declare reason: CancelReason | undefined
  /** A body that ends as soon as a scope around is asked to stop. */
  declare readonly endsOnStop: boolean
  private declare ending: Ending | undefined
  private declare timer: Timer | undefined
  private declare ownTimers: Timers | undefined
  private declare exit: AnyExit | undefined

  constructor(shape: Shape, name: string, body: (scope: ScopeBlock) => AnyEffect, limit: number, endsOnStop = false) {
    super()
    this.shape = shape
    this.name = name
    this.body = body
    this.limit = limit
    this.endsOnStop = endsOnStop
    this.deadline = Infinity
    this.reason = undefined
    this.ending = undefined
    this.timer = undefined
    this.ownTimers = undefined
    this.exit = undefined
    if (shape.kind === "shield") this.shielded = true
  }

  private get endingParts(): Ending {
    return this.ending ??= { stopReason: undefined, graceEnds: Infinity, graceTimer: undefined, ended: new WaitQueue(), controller: undefined }
  }

  get stopReason(): CancelReason | undefined {
    return this.ending?.stopReason
  }

  get graceEnds(): number {
    return this.ending === undefined ? Infinity : this.ending.graceEnds
  }

  /** Fibers that wait until it has ended. */
  get ended(): WaitQueue {
    return this.endingParts.ended
  }

  get kind(): Shape["kind"] {
    return this.shape.kind
  }

  get label(): string {
    return `${this.kind} ${this.name}`
  }

  /** Whoever waits for its end waits for these. */
  holders(): Iterable<Member> {
    return this.members()
  }

  private get timers(): Timers {
    return this.ownTimers ??= timersFor(this.owner)
  }

  begin(): void {
    const asked = this.endsOnStop ? stoppingAround(this.parent) : undefined
    if (asked !== undefined) return this.endUnstarted(asked)
    if (this.limit !== Infinity) this.deadline = this.timers.now() + this.limit
    const member = new Member(this, this.body!(this), undefined)
    this.body = undefined
    this.link(member)
    this.start(member)
    if (member.exit !== undefined || this.timer !== undefined) return
    // The body has run to where it first waits: a limit of 0 ends it there.
    if (this.limit <= 0 && this.isOverdue) this.expireAtOnce()
    else this.arm()
  }

  // Asked for when it was opened and again here, in the step that begins it.
  private endUnstarted(asked: CancelReason): void {
    this.reason = asked
    this.exit = Exit.failCause(interruptOf(asked))
    this.finish()
  }

  memberEnded(_member: Member, exit: AnyExit): void {
    this.exit = exit
    this.disarm()
    this.finish()
  }

  cancelMembers(reason: CancelReason): void {
    const controller = this.ending?.controller
    if (controller === undefined) return tellAll(this.members(), reason)
    together(() => {
      // A listener may resume a fiber of Effect at once: first all are told. And
      // before the wake-ups that the telling sets off, so that whoever goes on
      // after the scope finds its signal aborted.
      wakeUp({ run: () => controller.abort(reason) })
      tellAll(this.members(), reason)
    })
  }

  /** The signal that goes with the scope. Most scopes never have one. */
  get signal(): AbortSignal {
    const ending = this.endingParts
    if (ending.controller === undefined) {
      ending.controller = new AbortController()
      const cancelled = this.reason ?? (this.shielded ? undefined : this.told)
      if (cancelled !== undefined) ending.controller.abort(cancelled)
    }
    return ending.controller.signal
  }

  result(): AnyExit {
    const exit = this.exit!
    const reason = this.reason
    this.ending?.ended.wakeAll(Exit.void)
    if (exit._tag === "Success") return this.shape.value(exit)
    const outcome = new Outcome()
    outcome.add(exit)
    const absorbs = reason !== undefined && !this.passesOn
    this.cancelledCaught = absorbs && outcome.cancelled
    if (outcome.errors === undefined) {
      if (absorbs) return this.shape.caught(this, reason)
      const came = this.told ?? reason
      return came === undefined ? exit : Exit.failCause(interruptOf(came))
    }
    if (outcome.errors.length === exit.cause.reasons.length) return exit
    return Exit.failCause(outcome.cause(outcome.cancelled && !absorbs))
  }

  cancel(source: Source, message: string): void {
    if (this.reason !== undefined || this.closed) return
    this.cancelWith(reasonNow(source, this.name, message, this))
  }

  private cancelWith(reason: CancelReason): void {
    this.reason = reason
    this.disarm()
    this.recorder?.cancelled(this, reason)
    this.cancelMembers(reason)
  }

  onDeadline(): void {
    this.expire()
  }

  private expire(): void {
    this.expireWith("deadline", "its time was up", this.deadline)
  }

  private expireGrace(): void {
    const { message, source } = this.stopReason!
    this.expireWith(source, message, this.graceEnds)
  }

  private expireWith(source: Source, message: string, at: number): void {
    if (this.reason !== undefined || this.closed) return
    this.cancelWith(new CancelReason(source, this.name, this.stopReason?.by ?? "", message, at, this.owner.id))
  }

  // A scope around whose time is up as well, and which is only being begun, has
  // not told anybody yet. Of equal deadlines the outer one wins.
  private expireAtOnce(): void {
    const now = this.timers.now()
    together(() => {
      if (!this.shielded) {
        for (const block of around(this.parent)) {
          if (block instanceof ScopeBlock && block.deadline <= now) block.expire()
        }
      }
      this.expire()
    })
  }

  setDeadline(at: number): void {
    if (this.reason !== undefined || this.closed) return
    this.deadline = at
    this.clear()
    if (this.isOverdue) this.expire()
    else this.arm()
  }

  /** Asks everybody inside to stop, and cancels them when the grace is over. */
  stop(graceMillis: number, message: string, source: "shutdown" | "signal" = "shutdown"): void {
    if (this.reason !== undefined || this.closed) return
    const ending = this.endingParts
    const ends = this.timers.now() + graceMillis
    const first = ending.stopReason === undefined
    ending.stopReason ??= reasonNow(source, this.name, message, this)
    // A second stop may shorten the grace.
    if (ends < ending.graceEnds) {
      ending.graceEnds = ends
      if (graceMillis <= 0) return this.expireGrace()
      if (ending.graceTimer !== undefined) this.timers.clear(ending.graceTimer)
      if (ends !== Infinity) ending.graceTimer = this.timers.set(ends, { onDeadline: () => this.expireGrace() }, this.owner)
    }
    if (first) announce(this, ending.stopReason)
  }

  private get isOverdue(): boolean {
    return this.deadline <= this.timers.now()
  }

  // Without another look at the time, which is a fifth of what a limit costs.
  private arm(): void {
    if (this.deadline === Infinity || this.reason !== undefined) return
    this.timer = this.timers.set(this.deadline, this, this.owner)
  }

  private clear(): void {
    if (this.timer === undefined) return
    this.timers.clear(this.timer)
    this.timer = undefined
  }

  private disarm(): void {
    this.clear()
    const ending = this.ending
    if (ending?.graceTimer === undefined) return
    this.timers.clear(ending.graceTimer)
    ending.graceTimer = undefined
  }
}

/** The blocks around a member, from the inside out, up to a shield. */
export const around = function*(place: Member | undefined): Generator<Block> {
  for (let member = place; member !== undefined;) {
    const block: Block = member.block
    yield block
    if (block.shielded) return
    member = block.parent
  }
}

/** What a scope around the member was asked to stop for. */
export const stoppingAround = (place: Member | undefined): CancelReason | undefined => {
  for (const block of around(place)) {
    if (block instanceof ScopeBlock && block.stopReason !== undefined) return block.stopReason
  }
  return undefined
}

/** What `whenStopping` waits on. */
export const stopping = { label: "a stop" }

// Walks down when somebody stops instead of registering upwards when somebody
// waits: stopping is rare, and `started` may have moved the waiting task. Nobody
// is told before all are found, because who is told may end and leave its block.
const announce = (below: Block | Member, reason: CancelReason): void => {
  const waits: Array<MemberWait> = []
  const ending: Array<ScopeBlock> = []
  const blocks: Array<Block> = []
  const look = (member: Member): void => {
    for (let wait = member.waits; wait !== undefined; wait = wait.beside) if (wait.on === stopping) waits.push(wait)
    if (member.inner !== undefined) blocks.push(member.inner)
    for (let branch = member.branches; branch !== undefined; branch = branch.nextBeside) blocks.push(branch)
  }
  const lookInside = (block: Block): void => {
    for (let member = block.first; member !== undefined; member = member.next) look(member)
  }
  if (below instanceof Member) look(below)
  else lookInside(below)
  for (let block = blocks.pop(); block !== undefined; block = blocks.pop()) {
    if (block.shielded) continue
    if (block instanceof ScopeBlock && block.endsOnStop) ending.push(block)
    else lookInside(block)
  }
  together(() => {
    for (const block of ending) block.cancel(reason.source, reason.message)
    for (const wait of waits) wait.wake(Exit.succeed(reason))
  })
}

/** A task that has just moved hears of a stop that was announced where it is now. */
export const announceTo = (member: Member): void => {
  const reason = stoppingAround(member)
  if (reason !== undefined) announce(member, reason)
}

/** Reads a time limit. A raw NaN is a mistake that `Duration` would turn into 0. */
export const millisOf = (what: string, input: Duration.Input): number => {
  if (typeof input === "number" && Number.isNaN(input)) {
    throw new RangeError(`Expected \`${what}\` to be a duration, got \`NaN\` (number)`)
  }
  return Duration.toMillis(input)
}
