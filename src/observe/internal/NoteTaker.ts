/** The recorder of an instrument: writes down what happens, with its time, and forgets what it was told of. */
import * as Cause from "effect/Cause"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as CancelScope from "../../core/CancelScope.ts"
import { countNumbered, type MemberWait, Place } from "../../core/internal/Block.ts"
import { liveTimers, type Timers, timersFor } from "../../core/internal/Timers.ts"
import type * as TaskTree from "../../core/TaskTree.ts"
import { Kind, type Notes } from "./EventRing.ts"
import { LivingNumbers } from "./LivingNumbers.ts"

type AnyExit = Exit.Exit<unknown, unknown>

/** The details of notes are places in these lists. */
export const blockKinds: ReadonlyArray<TaskTree.BlockInfo["kind"]> = ["nursery", "scope", "shield", "timeout", "gather", "race", "start"]
export const taskKinds: ReadonlyArray<TaskTree.TaskInfo["kind"]> = ["task", "service", "body"]
/** Tasks that are called by their block. */
const gatherTask = 3
const raceTask = 4

/** The name of a task by what a note has of it. */
export const nameOf = (of: number, name: unknown): string =>
  typeof name === "string" ? name : `${of === gatherTask ? "gather" : of === raceTask ? "race" : "task"} ${name as number}`

export const cleanups: ReadonlyArray<TaskTree.Cleanup> = ["finalizer", "uninterruptible", "shield"]

/** How something ended that was only interrupted. */
export const interrupted = "interrupted"

// A success is of no interest any more, and an interrupt is like any other.
const failureOf = (exit: AnyExit): AnyExit | typeof interrupted | undefined =>
  exit._tag === "Success" ? undefined : Cause.hasInterruptsOnly(exit.cause) ? interrupted : exit

/** What the recorders of one instrument share. */
export class Book {
  readonly notes: Notes
  readonly blocks: LivingNumbers = new LivingNumbers()
  readonly waits: LivingNumbers = new LivingNumbers()
  /** What is done while waiting: there are few, and a note has their place in this list. */
  readonly verbs: Array<string> = []
  /** The recorded tasks of a process are numbered through. So many there were before the first note. */
  base: number | undefined

  constructor(notes: Notes) {
    this.notes = notes
  }

  begin(): void {
    this.base ??= countNumbered()
  }
}

export class NoteTaker implements TaskTree.Recorder {
  private readonly book: Book
  private readonly notes: Notes
  private readonly blocks: LivingNumbers
  private readonly waits: LivingNumbers
  private readonly byTimers = new WeakMap<Timers, NoteTaker>()
  private timers: Timers | undefined
  /** It is told the Clock, and need not find it in the fibers. */
  private readonly fixed: boolean
  private lastReason: CancelScope.CancelReason | undefined
  private lastBy = 0

  constructor(book: Book, timers?: Timers) {
    this.book = book
    this.notes = book.notes
    this.blocks = book.blocks
    this.waits = book.waits
    this.timers = timers
    this.fixed = timers !== undefined
    if (this.fixed) book.begin()
  }

  /** One that takes the same notes of programs on a known Clock. Always the same one, so that nothing is noted twice. */
  on(timers: Timers): NoteTaker {
    let taker = this.byTimers.get(timers)
    if (taker === undefined) this.byTimers.set(timers, taker = new NoteTaker(this.book, timers))
    return taker
  }

  private now(): number {
    return (this.timers ?? this.findTimers()).now()
  }

  private findTimers(): Timers {
    this.book.begin()
    const fiber = Fiber.getCurrent()
    return fiber === undefined ? liveTimers() : this.timers = timersFor(fiber)
  }

  opened(block: TaskTree.BlockInfo): void {
    // The next program may run on another Clock.
    if (!this.fixed && block.parent === undefined) this.timers = undefined
    const parent = block.parent === undefined ? 0 : block.parent.id
    this.notes.push(Kind.opened, blockKinds.indexOf(block.kind), this.now(), this.blocks.add(block), parent, 0, block.name)
  }

  closed(block: TaskTree.BlockInfo, exit: AnyExit): void {
    const caught = block.cancelledCaught ? 1 : 0
    this.notes.push(Kind.closed, caught, this.now(), this.blocks.remove(block), 0, 0, failureOf(exit))
  }

  started(task: TaskTree.TaskInfo, by: TaskTree.TaskInfo | undefined): void {
    const of = task.block.kind === "gather" ? gatherTask : task.block.kind === "race" ? raceTask : taskKinds.indexOf(task.kind)
    // Not `task 3`, which would be a new string: see `waiting`.
    const name = task.ordinal ?? task.name
    this.notes.push(Kind.started, of, this.now(), task.id, by === undefined ? 0 : by.id, this.blocks.of(task.block), name)
  }

  ended(task: TaskTree.TaskInfo, exit: AnyExit): void {
    this.notes.push(Kind.ended, 0, this.now(), task.id, 0, this.blocks.of(task.block), failureOf(exit))
  }

  moved(task: TaskTree.TaskInfo): void {
    this.notes.push(Kind.moved, 0, this.now(), task.id, 0, this.blocks.of(task.block), undefined)
  }

  cancelled(target: TaskTree.BlockInfo | TaskTree.TaskInfo, reason: CancelScope.CancelReason): void {
    // Who did it runs while the first that it concerns is told.
    if (reason !== this.lastReason) {
      this.lastReason = reason
      this.lastBy = Fiber.getCurrent()?.getRef(Place)?.id ?? 0
    }
    if ("block" in target) this.notes.push(Kind.cancelled, 1, this.now(), target.id, this.lastBy, 0, reason)
    else this.notes.push(Kind.cancelled, 0, this.now(), this.blocks.of(target), this.lastBy, 0, reason)
  }

  cleanupBegan(task: TaskTree.TaskInfo, doing: TaskTree.Cleanup, span: string | undefined): void {
    this.notes.push(Kind.cleanupBegan, cleanups.indexOf(doing), this.now(), task.id, 0, 0, span)
  }

  // Nearly always it is the only wait of its task, and then the task is enough to
  // find it again: 100,000 tasks that wait for the same would fill a map. Not the
  // label: it would be a new string each time, and the ring would keep it.
  waiting(wait: TaskTree.WaitInfo): void {
    const { on, place, verb } = wait
    const alone = place !== undefined && (wait as MemberWait).beside === undefined
    const number = alone ? this.waits.next() : this.waits.add(wait)
    this.notes.push(Kind.waiting, alone ? 1 : 0, this.now(), number, place === undefined ? 0 : place.id, this.verb(verb), on.label)
  }

  private verb(verb: string): number {
    const verbs = this.book.verbs
    const i = verbs.indexOf(verb)
    return i >= 0 ? i : verbs.push(verb) - 1
  }

  resumed(wait: TaskTree.WaitInfo): void {
    const task = wait.place === undefined ? 0 : wait.place.id
    this.notes.push(Kind.resumed, 0, this.now(), this.waits.remove(wait), task, 0, undefined)
  }
}
