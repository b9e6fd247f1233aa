/** A task: a member that has a name, and a handle for whoever started it. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { type AnyEffect, type AnyExit, type Block, Member, Place, reasonNow, tellAll } from "./Block.ts"
import { interruptOf } from "./CancelReason.ts"
import { Outcome } from "./Outcome.ts"
import { type Awaited, waitIn, WaitQueue } from "./Wait.ts"

export interface TaskOptions {
  readonly name?: string
  readonly service?: boolean
  readonly key?: unknown
  readonly ifKeyTaken?: "keep" | "replace"
}

const isInside = (task: TaskMember): boolean => {
  let member = Fiber.getCurrent()?.getRef(Place)
  while (member !== undefined && member !== task) member = member.block.parent
  return member === task
}

interface Hearers {
  readonly waiting: WaitQueue
  readonly listeners: Set<() => void>
}

/** It is also the handle that the user holds. */
export class TaskMember extends Member implements Awaited {
  private declare readonly number: number
  private declare readonly given: TaskOptions | undefined
  /** Those who want to know when it has ended. */
  private declare hearers: Hearers | undefined

  constructor(
    block: Block,
    effect: AnyEffect,
    context: Context.Context<never> | undefined,
    number: number,
    options: TaskOptions | undefined
  ) {
    super(block, effect, context)
    this.number = number
    this.given = options
    this.hearers = undefined
  }

  /** It does not hold the nursery open. */
  get service(): boolean {
    return this.given !== undefined && this.given.service === true
  }

  /** The key that it was started under; `undefined` is none. */
  get key(): unknown {
    return this.given?.key
  }

  override get kind(): "task" | "service" {
    return this.service ? "service" : "task"
  }

  override get name(): string {
    return this.given?.name ?? `task ${this.number}`
  }

  override get ordinal(): number | undefined {
    return this.given?.name === undefined ? this.number : undefined
  }

  override get isBody(): boolean {
    return false
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
    return Effect.suspend((): Effect.Effect<A, E> => {
      if (this.exit !== undefined) return then()
      const ended = () => this.exit === undefined ? undefined : Exit.void
      return Effect.flatMap(waitIn(this.heard.waiting, "waiting for", this, undefined, ended), then)
    })
  }

  cancel(reason = "cancelled"): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.cancelUnsafe(reason)
      // From inside, where waiting would be for itself, it returns at once.
      return isInside(this) ? Effect.void : this.afterEnd(() => Exit.void)
    })
  }

  cancelUnsafe(reason: string): void {
    if (this.exit === undefined) tellAll([this], reasonNow("explicit", this.name, reason, this.block))
  }

  holders(): Iterable<Member> {
    return [this]
  }

  /** Calls `listener` when it has ended. Returns what takes the listener away again. */
  listen(listener: () => void): () => void {
    const { listeners } = this.heard
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  private get heard(): Hearers {
    return this.hearers ??= { waiting: new WaitQueue(), listeners: new Set() }
  }

  override ended(): void {
    if (this.hearers === undefined) return
    this.hearers.waiting.wakeAll(Exit.void)
    for (const listener of this.hearers.listeners) listener()
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

/** Runs a supervisor's handler. Its own failure is not handed to the supervisor again. */
export class HandlerMember extends TaskMember {
  // From its very first step: a failure whose handler was cancelled would be silent.
  override get options(): Effect.RunOptions {
    return { uninterruptible: true }
  }
}
