/** The recorder of an instrument: writes each thing down with its time, and with what may have changed when it is read. */
import * as Fiber from "effect/Fiber"
import type * as Exit from "effect/Exit"
import { Place } from "../../core/internal/Block.ts"
import { liveTimers, type Timers, timersFor } from "../../core/internal/Timers.ts"
import type * as CancelScope from "../../core/CancelScope.ts"
import type * as TaskTree from "../../core/TaskTree.ts"
import { Kind, type Notes } from "./EventRing.ts"

type AnyExit = Exit.Exit<unknown, unknown>

export class NoteTaker implements TaskTree.Recorder {
  private readonly notes: Notes
  private timers: Timers | undefined
  /** It is told the Clock, and need not find it in the fibers. */
  private readonly fixed: boolean
  private readonly byTimers = new WeakMap<Timers, NoteTaker>()

  constructor(notes: Notes, timers?: Timers) {
    this.notes = notes
    this.timers = timers
    this.fixed = timers !== undefined
  }

  /** One that takes the same notes of programs on a known Clock. Always the same one, so that nothing is noted twice. */
  on(timers: Timers): NoteTaker {
    let taker = this.byTimers.get(timers)
    if (taker === undefined) this.byTimers.set(timers, taker = new NoteTaker(this.notes, timers))
    return taker
  }

  private now(): number {
    return (this.timers ?? this.findTimers()).now()
  }

  private findTimers(): Timers {
    const fiber = Fiber.getCurrent()
    return fiber === undefined ? liveTimers() : this.timers = timersFor(fiber)
  }

  opened(block: TaskTree.BlockInfo): void {
    // The next program may run on another Clock.
    if (!this.fixed && block.parent === undefined) this.timers = undefined
    this.notes.push(Kind.opened, this.now(), block, block.parent, undefined)
  }

  closed(block: TaskTree.BlockInfo, exit: AnyExit): void {
    this.notes.push(Kind.closed, this.now(), block, exit, undefined)
  }

  started(task: TaskTree.TaskInfo, by: TaskTree.TaskInfo | undefined): void {
    this.notes.push(Kind.started, this.now(), task, by, task.block)
  }

  ended(task: TaskTree.TaskInfo, exit: AnyExit): void {
    this.notes.push(Kind.ended, this.now(), task, exit, task.block)
  }

  moved(task: TaskTree.TaskInfo): void {
    this.notes.push(Kind.moved, this.now(), task, task.block, undefined)
  }

  cancelled(target: TaskTree.BlockInfo | TaskTree.TaskInfo, reason: CancelScope.CancelReason): void {
    this.notes.push(Kind.cancelled, this.now(), target, reason, Fiber.getCurrent()?.getRef(Place))
  }

  cleanupBegan(task: TaskTree.TaskInfo, doing: TaskTree.Cleanup, span: string | undefined): void {
    this.notes.push(Kind.cleanupBegan, this.now(), task, doing, span)
  }

  // The label is read now: what it names may have changed its name by the time somebody asks.
  waiting(wait: TaskTree.WaitInfo): void {
    this.notes.push(Kind.waiting, this.now(), wait, wait.place, wait.label)
  }

  resumed(wait: TaskTree.WaitInfo): void {
    this.notes.push(Kind.resumed, this.now(), wait, wait.place, undefined)
  }
}
