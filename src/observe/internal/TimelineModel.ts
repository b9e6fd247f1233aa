/** What a timeline shows: one row for each block and task, and the cancellations between them. */
import type { CancelReason } from "../../core/CancelScope.ts"
import type { Event, Outcome } from "./Event.ts"

/** A point of a run, on both axes. */
export interface Moment {
  /** Milliseconds since the first event. */
  readonly at: number
  /** How many steps came before. Steps keep events apart that have the same time. */
  readonly step: number
}

export interface Span {
  readonly begin: Moment
  /** `undefined` while it goes on. */
  readonly end: Moment | undefined
}

export interface Wait extends Span {
  /** Such as `receiving from channel orders`. */
  readonly label: string
}

export interface Cleanup extends Span {
  /** What held a task that was told to stop: `finalizer`, `uninterruptible`, `shield`, with the name of a span. */
  readonly what: string
}

/** The body of a block, which is drawn in the lane of the block. */
export interface Body extends Span {
  readonly outcome: Outcome | undefined
}

export interface Row extends Span {
  /** Its place in `rows`. */
  readonly id: number
  /** `outside` stands for the fibers that belong to no task. */
  readonly kind: "nursery" | "scope" | "shield" | "timeout" | "gather" | "race" | "start" | "task" | "service" | "outside"
  readonly name: string
  readonly depth: number
  /** The row that it stands below. */
  readonly parent: number | undefined
  /** The row of the task that called `startSoon`. */
  readonly startedBy: number | undefined
  readonly outcome: Outcome | undefined
  /** A block that absorbed its own cancellation: what came out of it went on. */
  readonly caught: boolean
  /** Its beginning was not recorded. */
  readonly cut: boolean
  readonly body: Body | undefined
  /** When a task begun by `start` said that it was ready. */
  readonly ready: Moment | undefined
  readonly waits: ReadonlyArray<Wait>
  readonly cleanups: ReadonlyArray<Cleanup>
}

/** One cancellation, with everybody who was told of it. */
export interface Cancel {
  readonly at: Moment
  /** The row of the task that did it. */
  readonly from: number | undefined
  /** The row of what was cancelled. */
  readonly to: number
  readonly source: CancelReason["source"]
  readonly message: string
  /** The name of who did it; `""` when no task did. */
  readonly by: string
  /** The rows that were told to stop, `to` among them. */
  readonly told: ReadonlyArray<{ readonly row: number; readonly at: Moment }>
}

export interface Timeline {
  /** From the first event to the last. */
  readonly millis: number
  readonly steps: number
  /** Each below the row that it belongs to. */
  readonly rows: ReadonlyArray<Row>
  readonly cancels: ReadonlyArray<Cancel>
}

/** A row that is being made. Its place is known only when all are there. */
interface Draft {
  kind: Row["kind"]
  readonly name: string
  parent: Draft | undefined
  startedBy: Draft | undefined
  begin: Moment
  end: Moment | undefined
  outcome: Outcome | undefined
  caught: boolean
  readonly cut: boolean
  body: { begin: Moment; end: Moment | undefined; outcome: Outcome | undefined } | undefined
  ready: Moment | undefined
  /** When it was told to stop. */
  told: Moment | undefined
  readonly waits: Array<{ readonly label: string; readonly begin: Moment; end: Moment | undefined }>
  readonly cleanups: Array<{ readonly what: string; readonly begin: Moment; end: Moment | undefined }>
  readonly children: Array<Draft>
}

interface DraftCancel {
  readonly at: Moment
  readonly from: Draft | undefined
  readonly to: Draft
  readonly reason: CancelReason
  readonly told: Map<Draft, Moment>
}

interface Member {
  readonly row: Draft
  readonly kind: "task" | "service" | "body"
  readonly block: number
}

const nanos = (millis: number): number => Math.round(millis * 1e6) / 1e6

class Builder {
  private readonly first: number
  private step = -1
  /** What happened last, to see whether the next event belongs to the same step. */
  private last = ""
  private readonly roots: Array<Draft> = []
  private readonly blocks = new Map<number, Draft>()
  private readonly members = new Map<number, Member>()
  private readonly waits = new Map<number, Draft["waits"][number]>()
  private readonly cleaning = new Map<number, Array<Draft["cleanups"][number]>>()
  private readonly cancels: Array<DraftCancel> = []
  private readonly cancelOf = new Map<string, DraftCancel>()
  private outside: Draft | undefined = undefined

  constructor(first: number) {
    this.first = first
  }

  /** `key` names what happens; `follows` is what it must come right after to be in the same step. */
  private moment(at: number, key: string, follows?: string): Moment {
    if (this.step < 0 || follows === undefined || this.last !== follows) this.step++
    this.last = key
    return { at: nanos(at - this.first), step: this.step }
  }

  private draft(kind: Row["kind"], name: string, begin: Moment, parent: Draft | undefined, cut = false): Draft {
    const draft: Draft = {
      kind, name, parent, begin, cut,
      startedBy: undefined, end: undefined, outcome: undefined, caught: false, body: undefined,
      ready: undefined, told: undefined, waits: [], cleanups: [], children: []
    }
    ;(parent === undefined ? this.roots : parent.children).push(draft)
    return draft
  }

  // A ring recorder forgets the oldest events: what they began is drawn from the left edge.
  private readonly edge: Moment = { at: 0, step: 0 }

  private block(id: number): Draft {
    let block = this.blocks.get(id)
    if (block === undefined) this.blocks.set(id, block = this.draft("scope", `block ${id}`, this.edge, undefined, true))
    return block
  }

  private member(id: number): Member {
    let member = this.members.get(id)
    if (member === undefined) {
      member = { row: this.draft("task", `task ${id}`, this.edge, undefined, true), kind: "task", block: -1 }
      this.members.set(id, member)
    }
    return member
  }

  private outsideRow(): Draft {
    if (this.outside === undefined) {
      this.outside = this.draft("outside", "outside any task", this.edge, undefined)
      this.roots.splice(this.roots.indexOf(this.outside), 1)
      this.roots.unshift(this.outside)
    }
    return this.outside
  }

  private move(row: Draft, parent: Draft): void {
    const siblings = row.parent === undefined ? this.roots : row.parent.children
    const index = siblings.indexOf(row)
    if (index >= 0) siblings.splice(index, 1)
    row.parent = parent
    // In the order in which they began.
    const at = parent.children.findIndex((child) => child.begin.step > row.begin.step)
    parent.children.splice(at < 0 ? parent.children.length : at, 0, row)
  }

  add(event: Event): void {
    switch (event._tag) {
      case "opened": {
        const at = this.moment(event.at, `opened ${event.block}`)
        const parent = event.parent === undefined ? undefined : this.member(event.parent).row
        this.blocks.set(event.block, this.draft(event.kind, event.name, at, parent))
        return
      }
      case "closed": {
        const at = this.moment(event.at, `closed ${event.block}`, `ended in ${event.block}`)
        const block = this.block(event.block)
        // A task begun by `start` has taken the row over.
        if (block.kind === "task" || block.kind === "service") return
        block.end = at
        block.outcome = event.outcome
        block.caught = event.caught
        return
      }
      case "started": {
        const at = this.moment(event.at, `started ${event.task}`, event.kind === "body" ? `opened ${event.block}` : undefined)
        const block = this.block(event.block)
        let row: Draft
        if (event.kind === "body") {
          row = block
          block.body = { begin: at, end: undefined, outcome: undefined }
        } else if (block.kind === "start") {
          row = block
          block.kind = event.kind
        } else row = this.draft(event.kind, event.name, at, block)
        if (event.by !== undefined) row.startedBy = this.member(event.by).row
        this.members.set(event.task, { row, kind: event.kind, block: event.block })
        return
      }
      case "moved": {
        const { row } = this.member(event.task)
        row.ready = this.moment(event.at, "moved")
        if (event.block !== undefined) this.move(row, this.block(event.block))
        return
      }
      case "ended": {
        const { block, kind, row } = this.member(event.task)
        const key = kind === "body" ? `ended in ${block}` : `ended ${event.task}`
        const at = this.moment(event.at, key, `cleanupEnded ${event.task}`)
        if (kind === "body" && row.body !== undefined) {
          row.body.end = at
          row.body.outcome = event.outcome
        } else {
          row.end = at
          row.outcome = event.outcome
        }
        return
      }
      case "cancelled": {
        return this.cancelled(event)
      }
      case "cleanupBegan": {
        const { row } = this.member(event.task)
        // It is held from the moment in which it was told.
        const atOnce = row.told?.at === nanos(event.at - this.first)
        const cleanup = { what: event.what, begin: atOnce ? row.told! : this.moment(event.at, "cleanupBegan"), end: undefined }
        row.cleanups.push(cleanup)
        const open = this.cleaning.get(event.task)
        if (open === undefined) this.cleaning.set(event.task, [cleanup])
        else open.push(cleanup)
        return
      }
      case "cleanupEnded": {
        const at = this.moment(event.at, `cleanupEnded ${event.task}`)
        const cleanup = this.cleaning.get(event.task)?.pop()
        if (cleanup !== undefined) cleanup.end = at
        return
      }
      case "waiting": {
        const wait = { label: event.label, begin: this.moment(event.at, "waiting"), end: undefined }
        this.waits.set(event.wait, wait)
        const row = event.task === undefined ? this.outsideRow() : this.member(event.task).row
        row.waits.push(wait)
        return
      }
      case "resumed": {
        const at = this.moment(event.at, "resumed")
        const wait = this.waits.get(event.wait)
        if (wait !== undefined) wait.end = at
        return
      }
    }
  }

  private cancelled({ at, by, reason, target }: Extract<Event, { readonly _tag: "cancelled" }>): void {
    // By what it says, not by identity: events may have been written to a file and read again.
    const key = `cancelled ${reason.source} ${reason.scope} ${reason.by} ${reason.at} ${reason.fiberId} ${reason.message}`
    const row = target._tag === "block" ? this.block(target.id) : this.member(target.id).row
    let cancel = this.cancelOf.get(key)
    // All who are told at one time are told in one step. Later come the services of a
    // nursery, and tasks that had been accepted and begin only to end.
    const atOnce = cancel !== undefined && cancel.at.at === nanos(at - this.first) && row.begin.step <= cancel.at.step
    const moment = atOnce ? cancel!.at : this.moment(at, key, key)
    // A block is told once for each cancellation, before anybody in it.
    if (cancel === undefined || (target._tag === "block" && cancel.to !== row)) {
      cancel = { at: moment, from: by === undefined ? undefined : this.member(by).row, to: row, reason, told: new Map() }
      this.cancelOf.set(key, cancel)
      this.cancels.push(cancel)
    }
    if (!cancel.told.has(row)) cancel.told.set(row, moment)
    if (target._tag === "task") row.told ??= moment
  }

  finish(last: number): Timeline {
    const millis = nanos(last - this.first)
    if (this.outside !== undefined) this.outside.end = { at: millis, step: Math.max(this.step, 0) }
    const rows: Array<Draft> = []
    const place = new Map<Draft, number>()
    const depth = new Map<Draft, number>()
    // With a list instead of recursion: blocks may be nested very deeply.
    const todo = this.roots.slice().reverse()
    for (let draft = todo.pop(); draft !== undefined; draft = todo.pop()) {
      place.set(draft, rows.length)
      depth.set(draft, draft.parent === undefined ? 0 : depth.get(draft.parent)! + 1)
      rows.push(draft)
      for (let i = draft.children.length - 1; i >= 0; i--) todo.push(draft.children[i]!)
    }
    const placeOf = (draft: Draft | undefined) => draft === undefined ? undefined : place.get(draft)
    return {
      millis,
      steps: this.step + 1,
      rows: rows.map((draft, id): Row => ({
        id,
        kind: draft.kind,
        name: draft.name,
        depth: depth.get(draft)!,
        parent: placeOf(draft.parent),
        startedBy: placeOf(draft.startedBy),
        begin: draft.begin,
        end: draft.end,
        outcome: draft.outcome,
        caught: draft.caught,
        cut: draft.cut,
        body: draft.body,
        ready: draft.ready,
        waits: draft.waits,
        cleanups: draft.cleanups
      })),
      cancels: this.cancels.map((cancel): Cancel => ({
        at: cancel.at,
        from: placeOf(cancel.from),
        to: place.get(cancel.to)!,
        source: cancel.reason.source,
        message: cancel.reason.message,
        by: cancel.reason.by,
        told: Array.from(cancel.told, ([row, at]) => ({ row: place.get(row)!, at }))
      }))
    }
  }
}

/** Reads a timeline out of events, which must be in the order in which they happened. */
export const fromEvents = (events: Iterable<Event>): Timeline => {
  let builder: Builder | undefined
  let first = 0
  let last = 0
  for (const event of events) {
    if (builder === undefined) {
      first = last = event.at
      builder = new Builder(first)
    }
    last = Math.max(last, event.at)
    builder.add(event)
  }
  return builder === undefined ? { millis: 0, steps: 0, rows: [], cancels: [] } : builder.finish(last)
}

export const isBlock = (row: Row): boolean => row.kind !== "task" && row.kind !== "service" && row.kind !== "outside"
