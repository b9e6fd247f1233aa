/** The block behind nurseries: a body, and tasks that anybody who holds the handle may start. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import { type AnyEffect, type AnyExit, Member, reasonNow, tellAll } from "./Block.ts"
import { type CancelReason, interruptOf } from "./CancelReason.ts"
import { wakeUp } from "./Cascade.ts"
import { CollectingBlock } from "./CollectingBlock.ts"
import { named } from "./Named.ts"
import { Outcome } from "./Outcome.ts"
import { HandlerMember, TaskMember, type TaskOptions } from "./TaskMember.ts"
import { Wait, waitIn, WaitQueue } from "./Wait.ts"

/** How a nursery is set up. */
export interface Setup {
  readonly name: string
  readonly maxTasks: number
  /** What a failing task does to the others. */
  readonly onTaskFailure: "cancel" | "continue"
  /** Takes the failures of tasks, which then concern nobody else. */
  readonly handler: ((cause: Cause.Cause<any>, task: TaskMember) => AnyEffect) | undefined
}

/**
 * At most this many starts a turn. A body that starts tasks in a loop gives way
 * after about a thousand; with fewer starts than that a turn the queue would grow,
 * and what waits in it is no longer cheap garbage.
 */
const startsPerTurn = 4096

export class NurseryBlock extends CollectingBlock {
  readonly kind = "nursery"
  readonly name: string
  readonly setup: Setup
  private readonly body: (nursery: NurseryBlock) => AnyEffect
  private bodyMember: Member | undefined = undefined
  private bodyExit: AnyExit | undefined = undefined
  /** Body, tasks and pending starts that have not ended; services are counted apart. */
  private open = 0
  private services = 0
  private count = 0
  /** Why its services were told to stop, after the others had ended. */
  private servicesTold: CancelReason | undefined = undefined
  private readonly starting: Array<TaskMember> = []
  private nextStart = 0
  private startsScheduled = false
  private keys: Map<unknown, TaskMember> | undefined = undefined
  private idle: WaitQueue | undefined = undefined
  private room: WaitQueue | undefined = undefined
  private over = false

  constructor(body: (nursery: NurseryBlock) => AnyEffect, setup: Setup) {
    super()
    this.body = body
    this.setup = setup
    this.name = setup.name
  }

  get label(): string {
    return `nursery ${this.name}`
  }

  begin(): void {
    this.open = 1
    const body = this.bodyMember = new Member(this, this.body(this), undefined)
    this.link(body)
    this.start(body)
  }

  /** Tasks that have not ended, services included. */
  get size(): number {
    return this.tasks + this.services
  }

  /** Tasks that have not ended, without services. */
  private get tasks(): number {
    return this.bodyExit === undefined ? this.open - 1 : this.open
  }

  get state(): "open" | "cancelled" | "ended" {
    if (this.over) return "ended"
    return this.cancelled === undefined ? "open" : "cancelled"
  }

  task(key: unknown): TaskMember | undefined {
    return this.keys?.get(key)
  }

  /** Takes in a task, in the same step as the check that the nursery is open. */
  adopt(task: TaskMember): void {
    if (task.key !== undefined) (this.keys ??= new Map()).set(task.key, task)
    const from = task.block
    task.block = this
    if (from !== this) from.recorder?.moved?.(task, from)
    this.link(task)
    if (task.service) this.services++
    else this.open++
  }

  newTask(effect: AnyEffect, context: Context.Context<never> | undefined, options: TaskOptions | undefined): TaskMember {
    return new TaskMember(this, effect, context, ++this.count, options)
  }

  spawn(effect: AnyEffect, context: Context.Context<never>, options: TaskOptions | undefined, now: boolean): TaskMember {
    const task = this.newTask(effect, context, options)
    this.adopt(task)
    // Accepted, so that its end is on record, but it never runs.
    const reason = this.cancelled ?? (task.service ? this.servicesTold : undefined)
    if (reason !== undefined) this.tellTask(task, reason)
    else if (now) this.start(task)
    else this.startLater(task)
    return task
  }

  /** A task that came after the others had been told. */
  tellLate(task: TaskMember): void {
    if (this.cancelled !== undefined) this.tellTask(task, this.cancelled)
  }

  // A service outlives body and tasks, also when all are cancelled.
  private tellTask(task: TaskMember, reason: CancelReason): void {
    if (!task.service || this.open === 0 || task.fiber === undefined) tellAll([task], reason)
  }

  /** No further task may run now, or others wait for their turn already. */
  get isFull(): boolean {
    return this.tasks >= this.setup.maxTasks || (this.room !== undefined && this.room.first !== undefined)
  }

  /** Runs `admitted` when there is room. It takes the place in the same step. */
  whenRoom(admitted: () => AnyEffect, resume: (effect: AnyEffect) => void): Wait {
    const wait = new Wait("waiting for room in", this, admitted, resume)
    ;(this.room ??= new WaitQueue()).push(wait)
    return wait
  }

  private readonly admit = {
    run: () => {
      for (let wait = this.room?.first; wait !== undefined && this.tasks < this.setup.maxTasks; wait = this.room!.first) {
        wait.resumeNow((wait.brought as () => AnyEffect)())
      }
      if (this.open === 0 && !this.over) this.lastOut()
    }
  }

  /** A task is being started by `start`: the nursery stays open for it. */
  startPending(task: TaskMember): void {
    if (task.service) this.services++
    else this.open++
  }

  startOver(task: TaskMember): void {
    if (task.service) this.oneServiceLess()
    else this.oneLess()
  }

  // All starts of one turn share one scheduled step.
  private startLater(task: TaskMember): void {
    this.starting.push(task)
    if (!this.startsScheduled) this.scheduleStarts()
  }

  private scheduleStarts(): void {
    this.startsScheduled = true
    this.owner.currentDispatcher.scheduleTask(this.startSome, 0)
  }

  private readonly startSome = (): void => {
    const starting = this.starting
    const end = Math.min(starting.length, this.nextStart + startsPerTurn)
    while (this.nextStart < end) {
      const task = starting[this.nextStart]!
      starting[this.nextStart++] = undefined!
      // It was cancelled before its turn came.
      if (task.exit === undefined) this.startNow(task)
    }
    if (this.nextStart * 2 >= starting.length) {
      // A chain of tasks that start each other would otherwise let it grow for ever.
      starting.splice(0, this.nextStart)
      this.nextStart = 0
    }
    if (starting.length > 0) this.scheduleStarts()
    else this.startsScheduled = false
  }

  memberEnded(member: Member, exit: AnyExit): void {
    if (member instanceof TaskMember) this.taskEnded(member, exit)
    else {
      this.bodyExit = exit
      const failed = this.outcome.add(exit, (reason) => named(reason, this.name, "body"))
      // A body that ends by an interrupt of its own ends its tasks too, as any failure does.
      if (exit._tag === "Failure") this.cancelSiblings(failed ? "the body failed" : "the body was interrupted")
      this.oneLess()
    }
  }

  private taskEnded(task: TaskMember, exit: AnyExit): void {
    if (this.keys !== undefined && this.keys.get(task.key) === task) this.keys.delete(task.key)
    if (exit._tag === "Failure") this.taskFailed(task, exit)
    if (task.service) this.oneServiceLess()
    else this.oneLess()
  }

  private taskFailed(task: TaskMember, exit: Exit.Failure<any, any>): void {
    const { handler, onTaskFailure } = this.setup
    if (handler !== undefined && !(task instanceof HandlerMember)) {
      const own = new Outcome()
      if (own.add(exit, (reason) => named(reason, this.name, task.name))) this.supervise(task, own.cause(false), handler)
      return
    }
    const cancelledBefore = this.outcome.cancelled
    const failed = this.outcome.add(exit, (reason) => named(reason, this.name, task.name))
    // A task that was cancelled by itself is no cancellation of the block.
    if (this.cancelled === undefined) this.outcome.cancelled = cancelledBefore
    if (failed && (onTaskFailure === "cancel" || task instanceof HandlerMember)) this.cancelSiblings(`${task.name} failed`)
  }

  // The handler is a task: the block does not end before it has run.
  private supervise(failed: TaskMember, cause: Cause.Cause<any>, handler: NonNullable<Setup["handler"]>): void {
    const effect = Effect.suspend(() => handler(cause, failed))
    const task = new HandlerMember(this, effect, undefined, ++this.count, { name: `handler of ${failed.name}` })
    this.adopt(task)
    this.start(task)
  }

  private oneLess(): void {
    this.open--
    if (this.room !== undefined && this.room.first !== undefined) wakeUp(this.admit)
    if (this.idle !== undefined && this.tasks === 0) this.idle.wakeAll(Exit.void)
    if (this.open === 0) this.lastOut()
  }

  private oneServiceLess(): void {
    this.services--
    if (this.open === 0 && this.services === 0) this.lastOut()
  }

  private lastOut(): void {
    if (this.over) return
    // Somebody outside still waits for room: `admit` comes next.
    if (this.room !== undefined && this.room.first !== undefined) return
    if (this.services === 0) this.finish()
    else this.endServices()
  }

  // From here on nobody may start anything, although the owner has not heard yet.
  override finish(): void {
    this.over = true
    super.finish()
  }

  private endServices(): void {
    this.servicesTold ??= this.cancelled ?? reasonNow("shutdown", this.name, "body and tasks have ended", this)
    tellAll(this.members(), this.servicesTold)
  }

  cancelMembers(reason: CancelReason): void {
    if (this.cancelled !== undefined) return
    this.cancelled = reason
    // Services go last: the others may need them for their cleanup.
    const members = this.members().filter((member) => !(member instanceof TaskMember && member.service))
    tellAll(members, reason)
    if (this.open === 0) this.endServices()
  }

  /** The tasks living now, without the body. */
  cancelTasks(message: string): void {
    const tasks = this.members().filter((member) => member !== this.bodyMember)
    tellAll(tasks, reasonNow("explicit", this.name, message, this))
  }

  /** Its tasks, for those who wait for room or for the last of them. */
  holders(): Iterable<Member> {
    return this.members().filter((member) => member !== this.bodyMember)
  }

  awaitIdle(): Effect.Effect<void> {
    const idle = () => this.tasks === 0 ? Exit.void : undefined
    return waitIn(this.idle ??= new WaitQueue(), "waiting for the tasks of", this, undefined, idle)
  }

  result(): AnyExit {
    const { bodyExit, outcome } = this
    if (outcome.errors !== undefined) return Exit.failCause(outcome.cause(outcome.cancelled && this.passesOn))
    if (outcome.cancelled && this.passesOn) return Exit.failCause(interruptOf(this.told!))
    return bodyExit!
  }
}
