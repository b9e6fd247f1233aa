/**
 * What the halves of a memory channel share, and the subscribers of a broadcast
 * each have: a buffer, those who wait at its two ends, and how many handles are
 * open.
 *
 * A value is given to a waiting receiver only in the step that lets it run: one
 * that was chosen earlier could be cancelled in between, and the value with it.
 * Until that step the value lies in the buffer, promised. So the buffer may hold
 * as many values more than its capacity as receivers wait.
 *
 * A receiver never runs anybody else's code while it has a value in its hand:
 * they could cancel it. The senders that it lets go on run in the next turn.
 */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { type AnyEffect, type AnyFiber, type Member, Place } from "./Block.ts"
import { type Step, together, wakeUp } from "./Cascade.ts"
import { isAboutToPause } from "./Pauses.ts"
import { isRecording } from "./Recorder.ts"
import { Ring } from "./Ring.ts"
import { type Awaited, Wait, WaitQueue } from "./Wait.ts"

/** Counts for each handle how many wait on it, so that closing one of many handles need not look at all waits. */
class HandleQueue extends WaitQueue {
  override push(wait: Wait): void {
    ;(wait.on as Handle).waiting++
    super.push(wait)
  }
  override remove(wait: Wait): void {
    if (wait.queue === this) (wait.on as Handle).waiting--
    super.remove(wait)
  }
}

interface Handle extends Awaited {
  waiting: number
}

// Inside `together`, because who is woken may change the queue.
const wakeThoseOn = (handle: Handle, queue: WaitQueue, exit: AnyEffect): void => {
  for (let wait = queue.first; wait !== undefined && handle.waiting > 0;) {
    const next: Wait | undefined = wait.next
    if (wait.on === handle) wait.wake(exit)
    wait = next
  }
}

export interface Statistics {
  readonly used: number
  readonly capacity: number
  readonly peak: number
  readonly waitingSenders: number
  readonly waitingReceivers: number
  readonly senders: number
  readonly receivers: number
}

/** The errors, which belong to the floor above. */
export interface Refusals {
  closed(what: string): Failed
  broken(what: string): Failed
  ended(what: string): Failed
}

type Failed = Exit.Exit<never, any>

/** The tasks that have used an end of a channel. Noted only while somebody records, for deadlock reports. */
class Users {
  private seen: Set<Member> | undefined = undefined

  note(): void {
    const place = isRecording() ? Fiber.getCurrent()?.getRef(Place) : undefined
    if (place !== undefined) (this.seen ??= new Set()).add(place)
  }

  living(): Array<Member> {
    return [...this.seen ?? []].filter((member) => member.exit === undefined)
  }
}

export class ChannelState<A> implements Step {
  readonly refusals: Refusals
  /** Such as `channel orders`. */
  readonly label: string
  readonly name: string
  readonly capacity: number
  readonly buffer: Ring<A> = new Ring<A>()
  readonly senders: WaitQueue = new HandleQueue()
  readonly receivers: WaitQueue = new HandleQueue()
  openSenders = 1
  openReceivers = 1
  readonly sentBy = new Users()
  readonly receivedBy = new Users()
  /** What a receiver is told when the buffer is empty and no more values will come. */
  over: Failed | undefined = undefined
  private peak = 0
  private serving = false
  private inTurn = false
  private released: Array<Wait> = []
  /** Values go to waiting receivers at once, not in the next turn. */
  private readonly direct: boolean

  constructor(refusals: Refusals, label: string, name: string, capacity: number, direct: boolean) {
    this.refusals = refusals
    this.label = label
    this.name = name
    this.capacity = capacity
    this.direct = direct
  }

  get hasRoom(): boolean {
    return this.senders.length === 0 && this.buffer.length < this.capacity + this.receivers.length
  }

  /** Puts a value where there is room. */
  put(value: A): void {
    if (isRecording()) this.sentBy.note()
    this.store(value)
    if (this.receivers.length > 0) this.serve()
  }

  private store(value: A): void {
    this.buffer.push(value)
    this.notePeak()
  }

  // Values that were on their way to a receiver are in the buffer when it leaves.
  private notePeak(): void {
    const used = this.buffer.length - this.receivers.length
    if (used > this.peak) this.peak = used
  }

  /** Whether a value can be taken by somebody who came now. */
  get hasValue(): boolean {
    return this.receivers.length === 0 && (this.buffer.length > 0 || this.senders.length > 0)
  }

  take(): A {
    if (isRecording()) this.receivedBy.note()
    if (this.buffer.length > 0) {
      const value = this.buffer.shift()
      this.moved()
      return value
    }
    return this.release(this.senders.first!)
  }

  /** There may be room now: the longest waiting senders' values move up. */
  moved(): void {
    for (let wait = this.senders.first; wait !== undefined; wait = this.senders.first) {
      if (this.buffer.length >= this.capacity + this.receivers.length) return
      this.store(this.release(wait))
      if (this.receivers.length > 0) this.serve()
    }
  }

  /** Takes the value of a waiting sender, who goes on in the next turn. */
  private release(wait: Wait): A {
    this.senders.remove(wait)
    this.released.push(wait)
    this.nextTurn(wait)
    return wait.brought as A
  }

  private serve(): void {
    if (this.serving) return
    this.serving = true
    if (this.direct) wakeUp(this)
    else this.nextTurn(this.receivers.first!)
  }

  // With a buffer a turn is worth its price: the sender fills the buffer before
  // the receiver runs, and the receiver empties it, instead of one wait a value.
  private nextTurn(wait: Wait): void {
    if (this.inTurn) return
    this.inTurn = true
    const fiber = Fiber.getCurrent() ?? wait.fiber
    fiber.currentDispatcher.scheduleTask(this.turn, 0)
  }

  private readonly turn = (): void => {
    this.inTurn = false
    const released = this.released
    if (released.length > 0) {
      this.released = []
      for (let i = 0; i < released.length; i++) released[i]!.resumeNow(Exit.void)
    }
    if (this.serving && !this.direct) this.run()
  }

  /** Gives the promised values to those who wait for them. */
  run(): void {
    this.serving = false
    // Who is resumed may wait here again, and send to itself: such a circle must
    // not keep the others out, so the rest has a step of its own.
    let most = this.receivers.length
    for (let wait = this.receivers.first; wait !== undefined && this.buffer.length > 0; wait = this.receivers.first) {
      if (most-- === 0) return this.serve()
      wait.resumeNow(Exit.succeed(this.buffer.shift()))
    }
    if (this.over !== undefined && this.buffer.length === 0) this.receivers.wakeAll(this.over)
  }

  /** No more values will come. */
  end(over: Failed): void {
    this.openSenders = 0
    this.over = over
    // Otherwise those who wait are promised what is there, and the others are told after it.
    if (this.buffer.length === 0) this.receivers.wakeAll(over)
  }

  /** Nobody will receive any more. */
  abandoned(): void {
    this.buffer.clear()
    if (this.senders.length > 0) this.senders.wakeAll(this.refusals.broken(this.label))
  }

  /** A waiting receiver has gone. */
  receiverLeft(): void {
    this.notePeak()
  }

  get statistics(): Statistics {
    const promised = Math.min(this.buffer.length, this.receivers.length)
    return {
      used: this.buffer.length - promised,
      capacity: this.capacity,
      peak: this.peak,
      waitingSenders: this.senders.length,
      waitingReceivers: this.receivers.length - promised,
      senders: this.openSenders,
      receivers: this.openReceivers
    }
  }
}

const yes = Exit.succeed(true)
const no = Exit.succeed(false)

export class SenderHandle<A> implements Handle {
  waiting = 0
  private readonly state: ChannelState<A>
  private closed = false

  constructor(state: ChannelState<A>) {
    this.state = state
  }

  get label(): string {
    return this.state.label
  }

  holders(): Iterable<Member> {
    return this.state.receivedBy.living()
  }

  private get refusal(): Failed | undefined {
    const { openReceivers, refusals } = this.state
    if (this.closed) return refusals.closed(`sender of ${this.label}`)
    return openReceivers === 0 ? refusals.broken(this.label) : undefined
  }

  send(value: A): Effect.Effect<void, any> {
    return Effect.withFiber((fiber) => this.sendIn(fiber, value))
  }

  private sendIn(fiber: AnyFiber | undefined, value: A): Effect.Effect<void, any> {
    const state = this.state
    if (this.closed || state.openReceivers === 0) return this.refusal!
    if (!state.hasRoom) return this.waitWith(value)
    if (fiber !== undefined && isAboutToPause(fiber)) return Effect.flatMap(Effect.yieldNow, () => this.sendIn(undefined, value))
    state.put(value)
    return Exit.void
  }

  private waitWith(value: A): Effect.Effect<void, any> {
    return Effect.callback((resume) => {
      const state = this.state
      // Asked again: a scheduler may have let others run since.
      if (this.closed || state.openReceivers === 0 || state.hasRoom) {
        resume(this.sendIn(Fiber.getCurrent(), value))
        return undefined
      }
      state.sentBy.note()
      const wait = new Wait("sending to", this, value, resume as (effect: AnyEffect) => void)
      state.senders.push(wait)
      return wait.leave
    })
  }

  trySend(value: A): Effect.Effect<boolean, any> {
    return Effect.withFiber((fiber) => this.trySendIn(fiber, value))
  }

  private trySendIn(fiber: AnyFiber | undefined, value: A): Effect.Effect<boolean, any> {
    const refusal = this.refusal
    if (refusal !== undefined) return refusal
    if (!this.state.hasRoom) return no
    if (fiber !== undefined && isAboutToPause(fiber)) return Effect.flatMap(Effect.yieldNow, () => this.trySendIn(undefined, value))
    this.state.put(value)
    return yes
  }

  get clone(): Effect.Effect<SenderHandle<A>, any> {
    return Effect.suspend(() => {
      if (this.closed) return this.refusal!
      this.state.openSenders++
      return Exit.succeed(new SenderHandle(this.state))
    })
  }

  get close(): Effect.Effect<void> {
    return Effect.sync(() => {
      if (this.closed) return
      const state = this.state
      this.closed = true
      state.openSenders--
      together(() => {
        if (this.waiting > 0) wakeThoseOn(this, state.senders, this.refusal!)
        if (state.openSenders === 0) state.end(state.refusals.ended(this.label))
      })
    })
  }

  get statistics(): Statistics {
    return this.state.statistics
  }

  toString(): string {
    return `Sender(${this.state.name}, ${this.closed ? "closed" : "open"})`
  }

  toJSON(): unknown {
    return { _id: "Sender", name: this.state.name, state: this.closed ? "closed" : "open", statistics: this.statistics }
  }
}

export class ReceiverHandle<out A> implements Handle {
  waiting = 0
  protected readonly state: ChannelState<any>
  private closed = false
  readonly receive: Effect.Effect<A, any>
  private readonly waited: Effect.Effect<A, any>

  constructor(state: ChannelState<any>) {
    this.state = state
    this.receive = Effect.withFiber((fiber) => this.receiveIn(fiber))
    this.waited = Effect.callback((resume) => {
      // Asked again: a scheduler may have let others run since.
      if (this.isClosed || state.hasValue || (state.over !== undefined && state.receivers.length === 0)) {
        resume(this.receiveIn(Fiber.getCurrent()))
        return undefined
      }
      state.receivedBy.note()
      const wait = new Wait("receiving from", this, undefined, resume as (effect: AnyEffect) => void)
      state.receivers.push(wait)
      // One more may be put into the buffer now.
      state.moved()
      return Effect.sync(() => {
        wait.leaveNow()
        state.receiverLeft()
      })
    })
  }

  get label(): string {
    return this.state.label
  }

  holders(): Iterable<Member> {
    return this.state.sentBy.living()
  }

  protected get isClosed(): boolean {
    return this.closed || this.state.openReceivers === 0
  }

  private get refusal(): Failed {
    return this.state.refusals.closed(`receiver of ${this.label}`)
  }

  private receiveIn(fiber: AnyFiber | undefined): Effect.Effect<A, any> {
    const state = this.state
    if (this.isClosed) return this.refusal
    if (state.hasValue) {
      if (fiber !== undefined && isAboutToPause(fiber)) return Effect.flatMap(Effect.yieldNow, () => this.receiveIn(undefined))
      return Exit.succeed(state.take())
    }
    return state.over !== undefined && state.receivers.length === 0 ? state.over : this.waited
  }

  get tryReceive(): Effect.Effect<Option.Option<A>, any> {
    return Effect.withFiber((fiber) => this.tryReceiveIn(fiber))
  }

  private tryReceiveIn(fiber: AnyFiber | undefined): Effect.Effect<Option.Option<A>, any> {
    const state = this.state
    if (this.isClosed) return this.refusal
    const promised = state.hasValue ? 0 : state.receivers.length
    if (state.buffer.length <= promised && !state.hasValue) return state.over ?? Exit.succeed(Option.none())
    if (fiber !== undefined && isAboutToPause(fiber)) return Effect.flatMap(Effect.yieldNow, () => this.tryReceiveIn(undefined))
    if (state.hasValue) return Exit.succeed(Option.some(state.take()))
    const value = state.buffer.take(promised)
    state.moved()
    return Exit.succeed(Option.some(value))
  }

  get stream(): Stream.Stream<A, any> {
    const pull = Effect.catch(
      Effect.map(this.receive, Arr.of),
      (error: { readonly _tag: string }) => error._tag === "EndOfChannel" ? Cause.done() : Exit.fail(error)
    )
    return Stream.fromPull(Effect.succeed(pull))
  }

  get clone(): Effect.Effect<ReceiverHandle<A>, any> {
    return Effect.suspend(() => {
      if (this.isClosed) return this.refusal
      this.state.openReceivers++
      return Exit.succeed(this.another())
    })
  }

  protected another(): ReceiverHandle<A> {
    return new ReceiverHandle<A>(this.state)
  }

  get close(): Effect.Effect<void> {
    return Effect.sync(() => {
      if (this.isClosed) return
      const state = this.state
      this.closed = true
      state.openReceivers--
      together(() => {
        if (this.waiting > 0) wakeThoseOn(this, state.receivers, this.refusal)
        if (state.openReceivers === 0) state.abandoned()
        else state.receiverLeft()
      })
    })
  }

  /** Closes this handle and every clone of it. */
  closeAll(): void {
    const state = this.state
    if (state.openReceivers === 0) return
    state.openReceivers = 0
    together(() => {
      state.receivers.wakeAll(this.refusal)
      state.abandoned()
    })
  }

  get statistics(): Statistics {
    return this.state.statistics
  }

  protected get kind(): string {
    return "Receiver"
  }

  toString(): string {
    return `${this.kind}(${this.state.name}, ${this.isClosed ? "closed" : "open"})`
  }

  toJSON(): unknown {
    return { _id: this.kind, name: this.state.name, state: this.isClosed ? "closed" : "open", statistics: this.statistics }
  }
}
