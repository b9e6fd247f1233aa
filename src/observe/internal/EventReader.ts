/** Makes events of notes: counts tasks from 1, finds out who was behind a cancel, and puts outcomes into words. */
import type * as Exit from "effect/Exit"
import * as Formatter from "effect/Formatter"
import type * as CancelScope from "../../core/CancelScope.ts"
import type { Event, Outcome } from "./Event.ts"
import { Kind, type Notes } from "./EventRing.ts"
import { blockKinds, type Book, cleanups, interrupted, nameOf, taskKinds } from "./NoteTaker.ts"

type AnyExit = Exit.Exit<unknown, unknown>
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
const outcomeOf = (exit: AnyExit | typeof interrupted | undefined): Outcome => {
  if (exit === undefined || exit === interrupted) return exit === undefined ? succeeded : cancelled
  if (exit._tag === "Success") return succeeded
  const failures = exit.cause.reasons.filter((reason) => reason._tag !== "Interrupt")
  const first = failures.find((reason) => reason._tag === "Die") ?? failures[0]
  if (first === undefined) return cancelled
  const more = failures.length === 1 ? "" : ` (and ${failures.length - 1} more)`
  return first._tag === "Die"
    ? { _tag: "died", defect: `${textOf(first.defect)}${more}` }
    : { _tag: "failed", error: `${textOf(first.error)}${more}` }
}

/** Writes all down, and reads it to somebody at once. */
export class ReadAloud implements Notes {
  private readonly notes: Notes
  private readonly reader: () => EventReader
  private reading: EventReader | undefined
  constructor(notes: Notes, reader: () => EventReader) {
    this.notes = notes
    this.reader = reader
  }
  push(kind: Kind, detail: number, at: number, thing: number, other: number, block: number, more: unknown): void {
    this.notes.push(kind, detail, at, thing, other, block, more)
    this.reading ??= this.reader()
    this.reading.push(kind, detail, at, thing, other, block, more)
  }
}

/** Reads the notes of a recording in order. */
export class EventReader implements Notes {
  private readonly base: number
  private readonly verbs: ReadonlyArray<string>
  private readonly out: (event: Event) => void
  private readonly cleaning = new Set<number>()
  /** Who ended last in a block, and so decided the fate of the others. */
  private readonly lastEnded = new Map<number, number>()
  /** The wait that was a task's only one when it began. */
  private readonly alone = new Map<number, number>()
  private lastSibling: { readonly reason: CancelScope.CancelReason; readonly by: number | undefined } | undefined

  constructor(book: Book, out: (event: Event) => void) {
    this.base = book.base ?? 0
    this.verbs = book.verbs
    this.out = out
  }

  /** The number of a task in this recording; none for one that it has not told of. */
  private task(number: number): number | undefined {
    return number > this.base ? number - this.base : undefined
  }

  push(kind: Kind, detail: number, at: number, thing: number, other: number, block: number, more: unknown): void {
    if (kind === Kind.resumed) return this.resumed(at, thing, other)
    if (thing === 0) return
    switch (kind) {
      case Kind.opened:
        return this.out({ _tag: "opened", at, block: thing, parent: this.task(other), kind: blockKinds[detail]!, name: more as string })
      case Kind.closed:
        this.lastEnded.delete(thing)
        return this.out({ _tag: "closed", at, block: thing, outcome: outcomeOf(more as AnyExit), caught: detail === 1 })
      case Kind.waiting:
        if (detail === 1) this.alone.set(other, thing)
        return this.out({ _tag: "waiting", at, task: this.task(other), wait: thing, label: `${this.verbs[block]!} ${more as string}` })
      case Kind.cancelled:
        return this.cancelled(at, detail === 1 ? "task" : "block", thing, more as CancelScope.CancelReason, other)
      default:
        return this.ofTask(kind, detail, at, thing - this.base, other, block, more)
    }
  }

  private resumed(at: number, thing: number, task: number): void {
    const wait = thing === 0 ? this.alone.get(task) : thing
    // The ring has dropped its beginning, so that nobody has heard of it.
    if (wait === undefined) return
    if (thing === 0) this.alone.delete(task)
    this.out({ _tag: "resumed", at, task: this.task(task), wait })
  }

  private ofTask(kind: Kind, detail: number, at: number, task: number, other: number, block: number, more: unknown): void {
    switch (kind) {
      case Kind.started:
        return this.out({ _tag: "started", at, task, block, kind: taskKinds[detail] ?? "task", name: nameOf(detail, more), by: this.task(other) })
      case Kind.moved:
        return this.out({ _tag: "moved", at, task, block: block === 0 ? undefined : block })
      case Kind.cleanupBegan: {
        if (this.cleaning.has(task)) return
        this.cleaning.add(task)
        const what = cleanups[detail]!
        return this.out({ _tag: "cleanupBegan", at, task, what: more === undefined ? what : `${what} in span ${more as string}` })
      }
      case Kind.ended:
        if (this.cleaning.delete(task)) this.out({ _tag: "cleanupEnded", at, task })
        this.lastEnded.set(block, task)
        return this.out({ _tag: "ended", at, task, outcome: outcomeOf(more as AnyExit) })
    }
  }

  private cancelled(at: number, of: "block" | "task", thing: number, reason: CancelScope.CancelReason, running: number): void {
    const id = of === "task" ? thing - this.base : thing
    this.out({ _tag: "cancelled", at, target: { _tag: of, id }, by: this.canceller(of, id, reason, running), reason })
  }

  private canceller(of: "block" | "task", id: number, reason: CancelScope.CancelReason, running: number): number | undefined {
    if (reason.source === "deadline") return undefined
    if (reason.source !== "sibling") return this.task(running)
    // When a member has failed, or won, its fiber is not running any more. The
    // block whose member it was is told of first, then everybody below it.
    if (of === "block") this.lastSibling = { reason, by: this.lastEnded.get(id) }
    return this.lastSibling?.reason === reason ? this.lastSibling.by : undefined
  }
}
