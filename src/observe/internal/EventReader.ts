/** Makes events of notes: numbers what takes part, and puts outcomes into words. */
import type * as Exit from "effect/Exit"
import * as Formatter from "effect/Formatter"
import type * as CancelScope from "../../core/CancelScope.ts"
import type * as TaskTree from "../../core/TaskTree.ts"
import type { Event, Outcome } from "../Instrument.ts"
import { Kind, type Notes } from "./EventRing.ts"

type AnyExit = Exit.Exit<unknown, unknown>
type Target = TaskTree.BlockInfo | TaskTree.TaskInfo

/** Gives each thing a number, counted from 1, and the same number whenever it is asked for. */
class Numbers {
  private readonly known = new WeakMap<object, number>()
  private count = 0

  of(thing: object): number {
    let number = this.known.get(thing)
    if (number === undefined) this.known.set(thing, number = ++this.count)
    return number
  }

  /** The number of what the recording has told of before. */
  ifKnown(thing: object | undefined): number | undefined {
    return thing === undefined ? undefined : this.known.get(thing)
  }
}

/** The numbers of one recording. */
export class Ids {
  readonly blocks: Numbers = new Numbers()
  readonly tasks: Numbers = new Numbers()
  readonly waits: Numbers = new Numbers()
}

const isTask = (target: Target): target is TaskTree.TaskInfo => "block" in target

const longestText = 200

/** An error in one line. */
const textOf = (error: unknown): string => {
  const text = error instanceof Error ? textOfError(error) : typeof error === "string" ? error : Formatter.format(error)
  const end = text.search(/\r?\n/)
  const line = end < 0 ? text : text.slice(0, end)
  return line.length > longestText ? `${line.slice(0, longestText - 1)}…` : line
}

const textOfError = (error: Error): string => {
  if (error.message !== "") return error.message.startsWith(error.name) ? error.message : `${error.name}: ${error.message}`
  const fields = Object.fromEntries(Object.entries(error).filter(([key]) => key !== "_tag" && key !== "name"))
  return Object.keys(fields).length === 0 ? error.name : `${error.name} ${Formatter.format(fields)}`
}

const succeeded: Outcome = { _tag: "succeeded" }
const cancelled: Outcome = { _tag: "cancelled" }

// A defect beside errors comes first: nobody can handle that exit any more. An
// interrupt beside errors is only the note that the task had been told to stop.
const outcomeOf = (exit: AnyExit): Outcome => {
  if (exit._tag === "Success") return succeeded
  const failures = exit.cause.reasons.filter((reason) => reason._tag !== "Interrupt")
  const first = failures.find((reason) => reason._tag === "Die") ?? failures[0]
  if (first === undefined) return cancelled
  const more = failures.length === 1 ? "" : ` (and ${failures.length - 1} more)`
  return first._tag === "Die"
    ? { _tag: "died", defect: `${textOf(first.defect)}${more}` }
    : { _tag: "failed", error: `${textOf(first.error)}${more}` }
}

/** Reads the notes of a recording in order. */
export class EventReader implements Notes {
  private readonly ids: Ids
  private readonly out: (event: Event) => void
  private readonly cleaning = new Set<object>()
  /** Who ended last in a block, and so decided the fate of the others. */
  private readonly lastEnded = new WeakMap<object, object>()
  /** Who did a cancel is known when the first that it concerns is told. */
  private readonly cancelledBy = new WeakMap<CancelScope.CancelReason, number | undefined>()

  constructor(ids: Ids, out: (event: Event) => void) {
    this.ids = ids
    this.out = out
  }

  push(kind: Kind, at: number, subject: object, detail: unknown, more: unknown): void {
    const { blocks, tasks, waits } = this.ids
    switch (kind) {
      case Kind.opened: {
        const block = subject as TaskTree.BlockInfo
        const parent = tasks.ifKnown(detail as object | undefined)
        return this.out({ _tag: "opened", at, block: blocks.of(block), parent, kind: block.kind, name: block.name })
      }
      case Kind.closed: {
        const block = subject as TaskTree.BlockInfo
        const outcome = outcomeOf(detail as AnyExit)
        return this.out({ _tag: "closed", at, block: blocks.of(block), outcome, caught: block.cancelledCaught })
      }
      case Kind.started: {
        const task = subject as TaskTree.TaskInfo
        const by = tasks.ifKnown(detail as object | undefined)
        const block = blocks.of(more as object)
        return this.out({ _tag: "started", at, task: tasks.of(task), block, kind: task.kind, name: task.name, by })
      }
      case Kind.moved:
        return this.out({ _tag: "moved", at, task: tasks.of(subject), block: blocks.of(detail as object) })
      case Kind.ended: {
        const task = tasks.of(subject)
        if (this.cleaning.delete(subject)) this.out({ _tag: "cleanupEnded", at, task })
        this.lastEnded.set(more as object, subject)
        return this.out({ _tag: "ended", at, task, outcome: outcomeOf(detail as AnyExit) })
      }
      case Kind.cancelled:
        return this.cancelled(at, subject as Target, detail as CancelScope.CancelReason, more as object | undefined)
      case Kind.cleanupBegan: {
        if (this.cleaning.has(subject)) return
        this.cleaning.add(subject)
        const what = more === undefined ? detail as string : `${detail as string} in span ${more as string}`
        return this.out({ _tag: "cleanupBegan", at, task: tasks.of(subject), what })
      }
      case Kind.waiting:
        return this.out({ _tag: "waiting", at, task: tasks.ifKnown(detail as object | undefined), wait: waits.of(subject), label: more as string })
      case Kind.resumed:
        return this.out({ _tag: "resumed", at, task: tasks.ifKnown(detail as object | undefined), wait: waits.of(subject) })
    }
  }

  private cancelled(at: number, target: Target, reason: CancelScope.CancelReason, running: object | undefined): void {
    if (!this.cancelledBy.has(reason)) this.cancelledBy.set(reason, this.canceller(target, reason, running))
    const id = isTask(target) ? this.ids.tasks.of(target) : this.ids.blocks.of(target)
    const by = this.cancelledBy.get(reason)
    this.out({ _tag: "cancelled", at, target: { _tag: isTask(target) ? "task" : "block", id }, by, reason })
  }

  // When a member has failed, or won, its fiber is not running any more.
  private canceller(target: Target, reason: CancelScope.CancelReason, running: object | undefined): number | undefined {
    if (reason.source === "deadline") return undefined
    return this.ids.tasks.ifKnown(reason.source === "sibling" ? this.lastEnded.get(target) : running)
  }
}
