/**
 * The block in which the caller of `start` waits. The new task is a member of it,
 * so below the caller, until it calls `started`; then it moves to the nursery with
 * everything below it.
 *
 * What happens to `start` and to the task when something is cancelled:
 *
 * | cancelled | before `started` | after `started` |
 * | --- | --- | --- |
 * | the caller of `start` | the task is cancelled; `start` ends when it has ended | nothing: the task is the nursery's |
 * | the caller, and the task calls `started` in its cleanup | it is not moved; its failure leaves through `start` | |
 * | the nursery, by somebody else than the caller | nothing yet: the task is cancelled as soon as it moves | the task is cancelled |
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Context from "effect/Context"
import { type AnyEffect, type AnyExit, Block, tellAll } from "./Block.ts"
import { type CancelReason, interruptOf } from "./CancelReason.ts"
import type { NurseryBlock } from "./NurseryBlock.ts"
import { Outcome } from "./Outcome.ts"
import { announceTo } from "./ScopeBlock.ts"
import type { TaskMember, TaskOptions } from "./TaskMember.ts"
import type { Wait } from "./Wait.ts"

export type Started = (value: unknown) => Effect.Effect<void>

/** What goes wrong when a task does not keep to the handshake. */
export interface Defects {
  readonly notStarted: (task: string) => unknown
  readonly alreadyStarted: (task: string) => unknown
  readonly closed: (task: string) => unknown
}

type Progress =
  | { readonly _tag: "Waiting" }
  | { readonly _tag: "Moved"; readonly value: unknown }
  | { readonly _tag: "Unmoved"; readonly value: unknown }

export class StartBlock extends Block {
  readonly kind = "start"
  readonly name: string
  private readonly nursery: NurseryBlock
  private readonly task: TaskMember
  private readonly defects: Defects
  private progress: Progress = { _tag: "Waiting" }
  private exit: AnyExit | undefined = undefined
  private room: Wait | undefined = undefined

  constructor(
    nursery: NurseryBlock,
    run: (started: Started) => AnyEffect,
    context: Context.Context<never>,
    options: TaskOptions | undefined,
    defects: Defects
  ) {
    super()
    this.nursery = nursery
    this.defects = defects
    this.task = nursery.newTask(Effect.suspend(() => run(this.started)), context, run.name === "" ? options : { name: run.name, ...options })
    this.task.block = this
    this.name = this.task.name
  }

  begin(): void {
    if (this.nursery.state === "ended") {
      this.exit = Exit.die(this.defects.closed(this.name))
      return this.finish()
    }
    if (!this.nursery.isFull || this.task.service) return this.beginTask()
    this.room = this.nursery.whenRoom(() => {
      this.room = undefined
      this.beginTask()
      return Exit.void
    }, () => {})
  }

  private beginTask(): void {
    this.nursery.startPending(this.task)
    this.link(this.task)
    this.start(this.task)
  }

  private readonly started: Started = (value) =>
    Effect.suspend(() => {
      if (this.progress._tag !== "Waiting") return Effect.die(this.defects.alreadyStarted(this.name))
      if (this.passesOn) {
        this.progress = { _tag: "Unmoved", value }
        return Effect.void
      }
      const living = this.nursery.task(this.task.key)
      if (living !== undefined) {
        return Effect.flatMap(living.cancel("replaced by a task of the same key"), () => this.started(value))
      }
      this.progress = { _tag: "Moved", value }
      this.unlink(this.task)
      this.nursery.adopt(this.task)
      this.nursery.startOver(this.task)
      this.nursery.tellLate(this.task)
      announceTo(this.task)
      this.finish()
      return Effect.void
    })

  memberEnded(_member: TaskMember, exit: AnyExit): void {
    this.exit = exit
    this.finish()
    this.nursery.startOver(this.task)
  }

  cancelMembers(reason: CancelReason): void {
    if (this.room === undefined) return tellAll(this.members(), reason)
    this.room.leaveNow()
    this.exit = Exit.failCause(interruptOf(reason))
    this.finish()
  }

  result(): AnyExit {
    const { exit, progress } = this
    if (progress._tag === "Moved") return Exit.succeed(progress.value)
    if (exit!._tag === "Success") {
      return progress._tag === "Unmoved" ? Exit.succeed(progress.value) : Exit.die(this.defects.notStarted(this.name))
    }
    const outcome = new Outcome()
    outcome.add(exit!)
    if (outcome.errors !== undefined) return Exit.failCause(outcome.cause(outcome.cancelled && this.passesOn))
    return this.told === undefined ? exit! : Exit.failCause(interruptOf(this.told))
  }
}
