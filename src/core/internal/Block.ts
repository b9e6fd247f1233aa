/**
 * A block: something that starts fibers and ends only when all of them have ended.
 *
 * Nurseries, cancel scopes, gather and race are blocks. Each fiber that a block
 * starts is a {@link Member} of it. The block's *owner* is the fiber that opened
 * it and waits. Every body runs in a fiber of its own, because a fiber that has
 * been interrupted in Effect can never go on: only a fiber boundary can absorb a
 * cancellation.
 *
 * **How a cancellation travels.** A block tells its members to stop. A member
 * that waits in a block of its own is not interrupted: its block is told, and
 * passes it on to its own members. So blocks end from the inside out, every one
 * can say what really came out of it, and the member is interrupted only after it
 * has taken that result. (Interrupting it at once would make Effect drop typed
 * errors on their way through the member's handlers.) A fiber that some Effect
 * operator interrupts while it waits in a block comes in by the other door:
 * `ownerInterrupted`.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scheduler from "effect/Scheduler"
import { CancelReason, interruptOf, type Source } from "./CancelReason.ts"
import { interruptStep, type Step, wakeUp } from "./Cascade.ts"
import { type BlockView, type MemberView, type Recorder, recorderFor, type WaitView } from "./Recorder.ts"
import { timersFor } from "./Timers.ts"

export type AnyFiber = Fiber.Fiber<any, any>
export type AnyExit = Exit.Exit<any, any>
/** An effect whose services are provided when it is started, so that nothing is left to ask for here. */
export type AnyEffect = Effect.Effect<any, any>

/** A wait of a member; the next one, if fibers that Effect's operators forked inside the task wait too. */
export interface MemberWait extends WaitView {
  beside: MemberWait | undefined
  besidePrevious: MemberWait | undefined
  wake(exit: AnyEffect): void
}

/** Which member the running fiber belongs to. Fibers that Effect's own operators fork inherit it. */
export const Place = Context.Reference<Member | undefined>("effect-nursery/Place", { defaultValue: () => undefined })

/** A fiber that runs a block for us, such as the one behind a stream: nobody but us can cancel it. */
export const Internal = Context.Reference<boolean>("effect-nursery/Internal", { defaultValue: () => false })

/** A fiber that a block has started, or will start in the next turn. There is one for each task, so it is kept small. */
export class Member implements MemberView {
  /** Changes once, when `started` moves a task from its caller to the nursery. */
  declare block: Block
  /** `undefined` until the fiber runs. */
  declare fiber: AnyFiber | undefined
  /** What to run, until it runs. */
  declare effect: AnyEffect | undefined
  /** The services to run it with, until it runs; from then on its number, if it is recorded. */
  declare context: Context.Context<never> | number | undefined
  /** The exit, when it has ended. */
  declare exit: AnyExit | undefined
  /** The block that its own fiber waits in. */
  declare inner: Block | undefined
  /** Blocks opened by fibers that Effect's operators forked inside it. */
  declare branches: Block | undefined
  /** What it waits for, for the tree and for deadlock reports. */
  declare waits: MemberWait | undefined
  /** Why it was told to stop. */
  declare told: CancelReason | undefined
  declare previous: Member | undefined
  declare next: Member | undefined

  // `declare` and assignments: fields with initializers take twice the time.
  constructor(block: Block, effect: AnyEffect, context: Context.Context<never> | undefined) {
    this.block = block
    this.fiber = undefined
    this.effect = effect
    this.context = context
    this.exit = undefined
    this.inner = undefined
    this.branches = undefined
    this.waits = undefined
    this.told = undefined
    this.previous = undefined
    this.next = undefined
  }

  get kind(): MemberView["kind"] {
    return "body"
  }

  get name(): string {
    return "body"
  }

  get ordinal(): number | undefined {
    return undefined
  }

  get id(): number {
    return typeof this.context === "number" ? this.context : 0
  }

  /** The name of the task that this fiber does the work of: a body works for the task around its block. */
  get task(): string {
    let member: Member | undefined = this
    while (member !== undefined && member.isBody) member = member.block.parent
    return member === undefined ? "main" : member.name
  }

  get isBody(): boolean {
    return true
  }

  /** How its fiber is run. */
  get options(): Effect.RunOptions | undefined {
    return undefined
  }

  /** Called by its block when it has ended, before the block looks at the exit. */
  ended(_exit: AnyExit): void {}
}

// How deep starts may nest before they go through the scheduler instead. Each
// level costs about six JavaScript frames.
const deepestStart = 64
let startDepth = 0

// Not in the public type of a fiber, and there is no other way to ask. A block
// opened inside a finalizer must not be cancelled from around it, as no other
// finalizer is. test/core/internal/Block.test.ts notices if Effect changes it.
export const isInterruptible = (fiber: AnyFiber): boolean => (fiber as { readonly interruptible?: boolean }).interruptible !== false

let firstRoot: Block | undefined

/** The blocks that no other block is around, in no order. */
export const roots = function*(): Generator<Block> {
  for (let block = firstRoot; block !== undefined; block = block.nextBeside) yield block
}

const by = (place: Member | undefined): string => place === undefined ? "" : place.task

/** Why the fiber that is running now, if any, cancels something. */
export const reasonNow = (source: Source, scope: string, message: string, block: Block): CancelReason => {
  const fiber = Fiber.getCurrent()
  const at = timersFor(block.owner).now()
  return new CancelReason(source, scope, by(fiber?.getRef(Place)), message, at, fiber?.id ?? block.owner.id)
}

/** Tells a member to stop: the block that it waits in, or else its fiber. */
const tell = (member: Member, reason: CancelReason): void => {
  if (member.exit !== undefined || member.options?.uninterruptible === true) return
  if (member.told === undefined) {
    member.told = reason
    // It has not run yet, and never will. A recorder hears of its start all the same, and first.
    if (member.effect !== undefined) member.block.recorder?.started(member, numbered(member))
    member.block.recorder?.cancelled(member, reason)
  }
  if (member.branches !== undefined && member.fiber !== undefined && isInterruptible(member.fiber)) tellTied(member, reason)
  if (member.inner !== undefined) tellInner(member, member.inner, reason)
  else if (member.fiber !== undefined) interrupt(member, member.fiber, reason)
  else if (member.effect !== undefined) member.block.neverStarted(member, reason)
}

let numbers = 0

/** How many members have got a number. */
export const countNumbered = (): number => numbers

/** Gives a number to a member that a recorder is told of. Returns who starts it, which the services tell that came with it. */
const numbered = (member: Member, given = member.context): Member | undefined => {
  member.context = ++numbers
  return typeof given === "object" ? Context.get(given, Place) : member.block.parent
}

const tellInner = (member: Member, inner: Block, reason: CancelReason): void => {
  inner.surrounded(reason)
  if (inner.shielded) member.block.recorder?.cleanupBegan?.(member, inner.kind === "shield" ? "shield" : "uninterruptible", spanOf(member))
}

// What can be cleaned up without a wait has been when `interruptUnsafe` returns.
const interrupt = (member: Member, fiber: AnyFiber, reason: CancelReason): void => {
  const free = isInterruptible(fiber)
  fiber.interruptUnsafe(reason.fiberId)
  if (member.exit !== undefined) return
  member.block.recorder?.cleanupBegan?.(member, free ? "finalizer" : "uninterruptible", spanOf(member))
}

/** The name of the span that a member's fiber is in. */
const spanOf = (member: Member): string | undefined => {
  const span = member.fiber?.cache.span
  return span?._tag === "Span" ? span.name : undefined
}

// At once, and not when the interrupt has found its way through Effect's operators.
const tellTied = (member: Member, reason: CancelReason): void => {
  for (let block = member.branches; block !== undefined; block = block.nextBeside) {
    if (block.tied) block.surrounded(reason)
  }
}

/** The interrupts of one cancel, delivered in one step. */
class Telling implements Step {
  private readonly members: ReadonlyArray<Member>
  private readonly reason: CancelReason
  constructor(members: ReadonlyArray<Member>, reason: CancelReason) {
    this.members = members
    this.reason = reason
  }
  run(): void {
    for (let i = 0; i < this.members.length; i++) tell(this.members[i]!, this.reason)
  }
}

export const tellAll = (members: ReadonlyArray<Member>, reason: CancelReason): void => {
  if (members.length > 0) interruptStep(new Telling(members, reason))
}

/** Where a block stands on its way: its owner registers it, waits, and goes on. */
type Phase =
  /** It is being begun; the owner does not wait yet. */
  | "entering"
  /** Everything in it ended before the owner could wait. */
  | "endedAtOnce"
  | "waiting"
  /** The owner has what came out of it, or is about to take it. */
  | "closed"

export abstract class Block implements Step, BlockView {
  abstract readonly kind: BlockView["kind"]
  abstract readonly name: string
  /** The fiber that opened it. */
  declare owner: AnyFiber
  /** The member that the owner belongs to. */
  declare parent: Member | undefined
  /** Hears what happens in it, if somebody listens. */
  declare recorder: Recorder | undefined
  /** No cancellation from around reaches its members. */
  declare shielded: boolean
  /** A cancellation from around it, which the owner will take when the block has ended. */
  declare told: CancelReason | undefined
  declare cancelledCaught: boolean
  /** Its owner is a fiber of its own, and it is cancelled with the task that it stands in all the same. */
  declare tied: boolean
  declare first: Member | undefined
  declare last: Member | undefined
  declare previousBeside: Block | undefined
  declare nextBeside: Block | undefined
  private declare phase: Phase
  private declare ownerIs: "member" | "other" | "interrupted"
  private declare resume: (exit: AnyEffect) => void

  constructor() {
    this.owner = undefined!
    this.parent = undefined
    this.recorder = undefined
    this.shielded = false
    this.told = undefined
    this.cancelledCaught = false
    this.tied = false
    this.first = undefined
    this.last = undefined
    this.previousBeside = undefined
    this.nextBeside = undefined
    this.phase = "entering"
    this.ownerIs = "other"
    this.resume = undefined!
  }

  get turns(): Scheduler.SchedulerDispatcher {
    return this.owner.currentDispatcher
  }

  get closed(): boolean {
    return this.phase === "closed"
  }

  /** Starts what the block runs. It may end before this returns. */
  abstract begin(): void
  /** A member has ended. */
  abstract memberEnded(member: Member, exit: AnyExit): void
  /** What comes out of the block, when everything in it has ended. */
  abstract result(): AnyExit
  /** Tells the members to stop. */
  abstract cancelMembers(reason: CancelReason): void

  /** The cancellations of the members go on to the owner: they came from around the block. */
  get passesOn(): boolean {
    return this.told !== undefined && !this.shielded
  }

  private enter(owner: AnyFiber, resume: (exit: AnyEffect) => void): void {
    this.owner = owner
    this.resume = resume
    const parent = this.parent = owner.getRef(Place)
    this.recorder = recorderFor(owner)
    if (!isInterruptible(owner)) this.shielded = true
    if (parent === undefined) {
      this.putBeside(firstRoot)
      firstRoot = this
    } else if (parent.fiber === owner) {
      this.ownerIs = "member"
      parent.inner = this
    } else {
      this.putBeside(parent.branches)
      parent.branches = this
    }
    this.recorder?.opened(this)
  }

  private putBeside(next: Block | undefined): void {
    this.nextBeside = next
    if (next !== undefined) next.previousBeside = this
  }

  private leave(): void {
    const { nextBeside: next, parent, previousBeside: previous } = this
    if (parent?.inner === this) {
      parent.inner = undefined
      return
    }
    if (previous !== undefined) previous.nextBeside = next
    else if (firstRoot === this) firstRoot = next
    else if (parent?.branches === this) parent.branches = next
    if (next !== undefined) next.previousBeside = previous
    this.previousBeside = this.nextBeside = undefined
  }

  /** A cancellation from around the block. */
  surrounded(reason: CancelReason): void {
    if (this.told !== undefined || this.closed) return
    this.told = reason
    if (!this.shielded) this.cancelMembers(reason)
  }

  /** Effect itself interrupts the owner. It waits, uninterruptibly, until the block has ended. */
  private ownerInterrupted(): AnyEffect {
    return Effect.callback<any, any>((resume) => {
      if (this.closed) {
        resume(Exit.void)
        return
      }
      this.ownerIs = "interrupted"
      this.resume = resume
      const around = this.parent?.told
      this.surrounded(around ?? reasonNow("parent", this.name, "the fiber around it was interrupted", this))
    })
  }

  /** Everything in it has ended: the owner goes on when the cascade that led here allows it. */
  finish(): void {
    if (this.phase === "entering") this.phase = "endedAtOnce"
    else wakeUp(this)
  }

  /** Starts it for an owner that is about to wait. A block that ends at once never makes its owner suspend. */
  enterAndBegin(owner: AnyFiber, resume: (exit: AnyEffect) => void): AnyEffect | undefined {
    this.enter(owner, resume)
    this.begin()
    if (this.phase !== "entering") {
      this.run()
      return undefined
    }
    this.phase = "waiting"
    return Effect.suspend(() => this.closed ? Exit.void : this.ownerInterrupted())
  }

  run(): void {
    const atOnce = this.phase === "endedAtOnce"
    this.phase = "closed"
    const exit = this.result()
    this.leave()
    this.recorder?.closed(this, exit)
    const { ownerIs, parent, told } = this
    if (ownerIs === "interrupted") return this.resume(this.leftOver(exit))
    if (told === undefined || ownerIs === "other" || parent === undefined) return this.resume(exit)
    if (!this.shielded && exit._tag === "Failure" && Cause.hasInterruptsOnly(exit.cause)) {
      return tell(parent, told)
    }
    this.resume(exit)
    // The owner has taken the result and gone on to where it waits next, or, if
    // the block ended before it could wait, takes the result after us.
    if (atOnce) {
      this.owner.currentDispatcher.scheduleTask(() => interruptStep({ run: () => tell(parent, told) }), 0)
    } else tell(parent, told)
  }

  /** What the finalizer of an owner that Effect interrupted ends with. */
  protected leftOver(exit: AnyExit): AnyExit {
    return exit._tag === "Failure" && !Cause.hasInterruptsOnly(exit.cause) ? exit : Exit.void
  }

  link(member: Member): void {
    member.previous = this.last
    if (this.last === undefined) this.first = member
    else this.last.next = member
    this.last = member
  }

  unlink(member: Member): void {
    if (member.previous === undefined) this.first = member.next
    else member.previous.next = member.next
    if (member.next === undefined) this.last = member.previous
    else member.next.previous = member.previous
    member.previous = member.next = undefined
  }

  /** The members living now. Taken before they are told: telling one can end another. */
  members(): Array<Member> {
    const members: Array<Member> = []
    for (let member = this.first; member !== undefined; member = member.next) members.push(member)
    return members
  }

  /** Runs a linked member until it first waits; later if starts are already deeply nested. */
  start(member: Member): void {
    if (startDepth >= deepestStart) {
      return this.owner.currentDispatcher.scheduleTask(() => {
        if (member.exit === undefined) this.startNow(member)
      }, 0)
    }
    this.startNow(member)
  }

  startNow(member: Member): void {
    const effect = member.effect!
    const given = member.context as Context.Context<never> | undefined
    let context = Context.add(given ?? this.owner.context, Place, member)
    member.effect = undefined
    member.context = undefined
    this.recorder?.started(member, numbered(member, given))
    context = this.recorder?.contextOf?.(member, context) ?? context
    startDepth++
    const fiber = Effect.runForkWith(context)(Effect.withFiber((fiber) => {
      // Its first step, so that whoever asks during the first run knows the fiber.
      member.fiber = fiber
      return effect
    }), member.options)
    member.fiber = fiber
    startDepth--
    const exit = fiber.pollUnsafe()
    // `member.block`, not `this`: `started` may have moved it meanwhile.
    if (exit !== undefined) return member.block.end(member, exit)
    fiber.addObserver((exit) => member.block.end(member, exit))
    // It was told before its first step, in which a scheduler made it pause.
    if (member.told !== undefined && member.inner === undefined) interrupt(member, fiber, member.told)
  }

  /** A member was told to stop before its fiber ran: it never runs. */
  neverStarted(member: Member, reason: CancelReason): void {
    member.effect = undefined
    if (typeof member.context === "object") member.context = undefined
    this.end(member, Exit.failCause(interruptOf(reason)))
  }

  end(member: Member, exit: AnyExit): void {
    member.exit = exit
    this.unlink(member)
    this.recorder?.ended(member, exit)
    member.ended(exit)
    this.memberEnded(member, exit)
  }
}

/** Opens a block: the current fiber waits until it has ended. */
export const open = (make: () => Block): AnyEffect =>
  // `void`: a block that has ended at once has nothing to do on an interrupt.
  Effect.callback<any, any>((resume) => make().enterAndBegin(Fiber.getCurrent()!, resume) as Effect.Effect<void>)
