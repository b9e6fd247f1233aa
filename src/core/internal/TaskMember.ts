/** A task: a member that has a name, and a handle for whoever started it. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { type AnyEffect, type AnyExit, type Block, Member, reasonNow, tellAll } from "./Block.ts"
import { interruptOf } from "./CancelReason.ts"
import { Outcome } from "./Outcome.ts"
import { type Awaited, waitIn, WaitQueue } from "./Wait.ts"

export interface TaskOptions {
  readonly name?: string
  readonly service?: boolean
  readonly key?: unknown
  readonly ifKeyTaken?: "keep" | "replace"
}

/** It is also the handle that the user holds. */
export class TaskMember extends Member implements Awaited {
  private readonly given: string | undefined
  private readonly number: number
  readonly service: boolean
  /** The key that it was started under; `undefined` is none. */
  readonly key: unknown
  /** Its failure is not handed to a supervisor: it is the supervisor's handler. */
  handler = false
  private waiting: WaitQueue | undefined = undefined
  private listeners: Set<() => void> | undefined = undefined

  constructor(block: Block, effect: AnyEffect, number: number, options: TaskOptions | undefined) {
    super(block, effect)
    this.number = number
    this.given = options?.name
    this.service = options?.service === true
    this.key = options?.key
  }

  override get name(): string {
    return this.given ?? `task ${this.number}`
  }

  override get task(): string {
    return this.name
  }

  get label(): string {
    return this.name
  }

  /** The exit for those who ask. Of a cancelled task it says why. */
  private get outcome(): AnyExit {
    const exit = this.exit!
    if (exit._tag === "Success" || this.told === undefined) return exit
    const outcome = new Outcome()
    outcome.add(exit)
    return outcome.errors === undefined ? Exit.failCause(interruptOf(this.told)) : exit
  }

  get poll(): Option.Option<AnyExit> {
    return this.exit === undefined ? Option.none() : Option.some(this.outcome)
  }

  get await(): Effect.Effect<AnyExit> {
    return this.afterEnd(() => Exit.succeed(this.outcome))
  }

  get join(): AnyEffect {
    return this.afterEnd(() => this.outcome)
  }

  private afterEnd<A, E>(then: () => Exit.Exit<A, E>): Effect.Effect<A, E> {
    return Effect.suspend((): Effect.Effect<A, E> =>
      this.exit !== undefined ? then() : Effect.flatMap(waitIn(this.waiting ??= new WaitQueue(), "wait for", this), then)
    )
  }

  cancel(reason = "cancelled"): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.cancelUnsafe(reason)
      return this.afterEnd(() => Exit.void)
    })
  }

  cancelUnsafe(reason: string): void {
    if (this.exit === undefined) tellAll([this], reasonNow("explicit", this.name, reason, this.block))
  }

  /** Calls `listener` when it has ended. Returns what takes the listener away again. */
  listen(listener: () => void): () => void {
    const listeners = this.listeners ??= new Set()
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  override ended(): void {
    this.waiting?.wakeAll(Exit.void)
    if (this.listeners !== undefined) for (const listener of this.listeners) listener()
  }

  get state(): "starting" | "running" | "succeeded" | "failed" | "cancelled" {
    if (this.exit === undefined) return this.fiber === undefined ? "starting" : "running"
    if (this.exit._tag === "Success") return "succeeded"
    return this.exit.cause.reasons.every((reason) => reason._tag === "Interrupt") ? "cancelled" : "failed"
  }

  override toString(): string {
    return `Task(${this.name}, ${this.state})`
  }

  toJSON(): unknown {
    return { _id: "Task", name: this.name, state: this.state }
  }
}
