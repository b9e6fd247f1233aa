/** Fibers that wait in a primitive, first come, first served, each with a name for what it waits for. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scheduler from "effect/Scheduler"
import { type AnyEffect, type AnyFiber, type Member, type MemberWait, Place } from "./Block.ts"
import { type Step, wakeUp } from "./Cascade.ts"
import { type Recorder, recorderFor } from "./Recorder.ts"

/** Something that is waited for. */
export interface Awaited {
  /** Such as `channel orders`. */
  readonly label: string
  /** Whose turn it is to do something, so that `wait` can end; none when nobody is known to. For deadlock reports. */
  holders?(wait: Wait): Iterable<Member>
}

// A task's block has looked the recorder up already.
const recorderOf = (fiber: AnyFiber, place: Member | undefined): Recorder | undefined =>
  place === undefined ? recorderFor(fiber) : place.block.recorder

/** One fiber that waits. */
export class Wait implements Step, MemberWait {
  readonly verb: string
  readonly on: Awaited
  readonly fiber: AnyFiber
  readonly place: Member | undefined
  /** What the waiting fiber brought along: the value of a sender, the borrower of a token. */
  readonly brought: unknown
  private readonly resume: (effect: AnyEffect) => void
  private state: "queued" | "woken" | "over" = "queued"
  private exit: AnyEffect = Exit.void
  queue: WaitQueue | undefined = undefined
  previous: Wait | undefined = undefined
  next: Wait | undefined = undefined
  /** Another wait of the same task, in a fiber that an Effect operator forked inside it. */
  beside: MemberWait | undefined = undefined
  besidePrevious: MemberWait | undefined = undefined

  constructor(verb: string, on: Awaited, brought: unknown, resume: (effect: AnyEffect) => void) {
    this.verb = verb
    this.on = on
    this.brought = brought
    this.resume = resume
    const fiber = this.fiber = Fiber.getCurrent()!
    const place = this.place = fiber.getRef(Place)
    if (place !== undefined) {
      this.beside = place.waits
      if (place.waits !== undefined) place.waits.besidePrevious = this
      place.waits = this
    }
    recorderOf(fiber, place)?.waiting(this)
  }

  get label(): string {
    return `${this.verb} ${this.on.label}`
  }

  /** Lets the fiber go on with `exit`, when the running cascade allows it. */
  wake(exit: AnyEffect): void {
    if (this.state !== "queued") return
    this.state = "woken"
    this.queue?.remove(this)
    this.exit = exit
    wakeUp(this)
  }

  /** Lets the fiber go on now: for a step that has just taken the wait out of its queue. */
  resumeNow(exit: AnyEffect): void {
    this.queue?.remove(this)
    this.over()
    this.resume(exit)
  }

  get turns(): Scheduler.SchedulerDispatcher {
    return this.fiber.currentDispatcher
  }

  run(): void {
    if (this.state !== "woken") return
    this.over()
    this.resume(this.exit)
  }

  /** The fiber was interrupted: it gives up its place. */
  get leave(): Effect.Effect<void> {
    return Effect.sync(() => this.leaveNow())
  }

  leaveNow(): void {
    this.queue?.remove(this)
    this.over()
  }

  private over(): void {
    if (this.state === "over") return
    this.state = "over"
    const place = this.place
    recorderOf(this.fiber, place)?.resumed(this)
    if (place === undefined) return
    if (this.besidePrevious === undefined) place.waits = this.beside
    else this.besidePrevious.beside = this.beside
    if (this.beside !== undefined) this.beside.besidePrevious = this.besidePrevious
    this.beside = this.besidePrevious = undefined
  }
}

/** First in, first out, and anybody may leave from the middle. */
export class WaitQueue {
  first: Wait | undefined = undefined
  private last: Wait | undefined = undefined
  length = 0

  push(wait: Wait): void {
    wait.queue = this
    wait.previous = this.last
    if (this.last === undefined) this.first = wait
    else this.last.next = wait
    this.last = wait
    this.length++
  }

  remove(wait: Wait): void {
    if (wait.queue !== this) return
    wait.queue = undefined
    if (wait.previous === undefined) this.first = wait.next
    else wait.previous.next = wait.next
    if (wait.next === undefined) this.last = wait.previous
    else wait.next.previous = wait.previous
    wait.previous = wait.next = undefined
    this.length--
  }

  /** Wakes everybody who waits now. Who is woken may come back to wait for the next time. */
  wakeAll(exit: AnyEffect): void {
    const waits: Array<Wait> = []
    for (let wait = this.first; wait !== undefined; wait = wait.next) waits.push(wait)
    for (const wait of waits) wait.wake(exit)
  }
}

/**
 * Suspends the fiber in `queue`, unless `ready` knows by then what to go on with.
 * A scheduler may let others run between an effect that decides to wait and this
 * one, and what it decided by may have come meanwhile.
 */
export const waitIn = <A = void, E = never>(
  queue: WaitQueue,
  verb: string,
  on: Awaited,
  brought?: unknown,
  ready?: () => Effect.Effect<A, E> | undefined
): Effect.Effect<A, E> =>
  Effect.callback<A, E>((resume) => {
    const now = ready?.()
    if (now !== undefined) {
      resume(now)
      return undefined
    }
    const wait = new Wait(verb, on, brought, resume as (effect: AnyEffect) => void)
    queue.push(wait)
    return wait.leave
  })
