/** What became of whom: the events of a recording as lives of blocks and tasks, tied to each other. */
import type { CancelReason } from "../../core/CancelScope.ts"
import type { Event } from "./Event.ts"

export interface WaitLife {
  readonly label: string
  readonly from: number
  /** `Infinity` while it lasts. */
  to: number
}

interface Life {
  readonly name: string
  /** `Infinity` while it lasts. */
  end: number
  /** Its place among all ends. Of two that end at the same time it says which was the later one. */
  endOrder: number
}

export interface BlockLife extends Life {
  readonly is: "block"
  readonly kind: string
  /** The task that opened it. */
  readonly parent: TaskLife | undefined
  readonly opened: number
  readonly members: Set<TaskLife>
}

export interface TaskLife extends Life {
  readonly is: "task"
  readonly kind: "task" | "service" | "body"
  block: BlockLife | undefined
  readonly started: number
  readonly blocks: Array<BlockLife>
  readonly waits: Array<WaitLife>
  /** What it did, or was held by, when it was told to stop, if it did not end at once. */
  cleanup: string | undefined
}

/** A cancel, and everybody who was told of it. */
export interface CancelLife {
  readonly reason: CancelReason
  readonly at: number
  readonly by: TaskLife | undefined
  /** With the time at which each was told. */
  readonly told: Map<BlockLife | TaskLife, number>
}

export interface History {
  readonly cancels: ReadonlyArray<CancelLife>
  /** Up to this time what has not ended is measured. */
  readonly now: number
}

/** Stands for what was there before the oldest event that is kept. */
const forgotten = "(not recorded)"

class Reader {
  private readonly blocks = new Map<number, BlockLife>()
  private readonly tasks = new Map<number, TaskLife>()
  private readonly waits = new Map<number, WaitLife>()
  private readonly cancels = new Map<CancelReason, CancelLife>()
  private ends = 0

  private block(id: number): BlockLife {
    return this.blocks.get(id) ?? this.open(id, "block", forgotten, undefined, -Infinity)
  }

  private task(id: number): TaskLife {
    return this.tasks.get(id) ?? this.start(id, "task", forgotten, undefined, -Infinity)
  }

  private open(id: number, kind: string, name: string, parent: TaskLife | undefined, opened: number): BlockLife {
    const block: BlockLife = { is: "block", kind, name, parent, opened, members: new Set(), end: Infinity, endOrder: Infinity }
    this.blocks.set(id, block)
    parent?.blocks.push(block)
    return block
  }

  private start(id: number, kind: TaskLife["kind"], name: string, block: BlockLife | undefined, started: number): TaskLife {
    const task: TaskLife = {
      is: "task",
      kind,
      name,
      block,
      started,
      blocks: [],
      waits: [],
      cleanup: undefined,
      end: Infinity,
      endOrder: Infinity
    }
    this.tasks.set(id, task)
    block?.members.add(task)
    return task
  }

  read(event: Event): void {
    switch (event._tag) {
      case "opened": {
        const parent = event.parent === undefined ? undefined : this.task(event.parent)
        return void this.open(event.block, event.kind, event.name, parent, event.at)
      }
      case "closed":
        return this.end(this.block(event.block), event.at)
      case "started":
        return void this.start(event.task, event.kind, event.name, this.block(event.block), event.at)
      case "moved":
        return this.move(this.task(event.task), event.block === undefined ? undefined : this.block(event.block))
      case "ended":
        return this.end(this.task(event.task), event.at)
      case "cancelled": {
        const { _tag, id } = event.target
        return this.cancel(event, _tag === "block" ? this.block(id) : this.task(id))
      }
      case "cleanupBegan":
        return void (this.task(event.task).cleanup = event.what)
      case "cleanupEnded":
        return
      case "waiting": {
        const wait: WaitLife = { label: event.label, from: event.at, to: Infinity }
        this.waits.set(event.wait, wait)
        if (event.task !== undefined) this.task(event.task).waits.push(wait)
        return
      }
      case "resumed": {
        const wait = this.waits.get(event.wait)
        if (wait !== undefined) wait.to = event.at
        return void this.waits.delete(event.wait)
      }
    }
  }

  private end(life: Life, at: number): void {
    life.end = at
    life.endOrder = ++this.ends
  }

  private move(task: TaskLife, block: BlockLife | undefined): void {
    task.block?.members.delete(task)
    task.block = block
    block?.members.add(task)
  }

  private cancel(event: Extract<Event, { readonly _tag: "cancelled" }>, target: BlockLife | TaskLife): void {
    let cancel = this.cancels.get(event.reason)
    if (cancel === undefined) {
      const by = event.by === undefined ? undefined : this.task(event.by)
      cancel = { reason: event.reason, at: event.at, by, told: new Map() }
      this.cancels.set(event.reason, cancel)
    }
    if (!cancel.told.has(target)) cancel.told.set(target, event.at)
  }

  get all(): ReadonlyArray<CancelLife> {
    return [...this.cancels.values()]
  }
}

export const historyOf = (events: ReadonlyArray<Event>, now = events.at(-1)?.at ?? 0): History => {
  const reader = new Reader()
  for (const event of events) reader.read(event)
  return { cancels: reader.all, now }
}

/** What it is in. */
export const around = (life: BlockLife | TaskLife): BlockLife | TaskLife | undefined =>
  life.is === "block" ? life.parent : life.block

/** The task that does the work: a body works for the task around its block. */
export const workerOf = (task: TaskLife): TaskLife | undefined => {
  let worker: TaskLife | undefined = task
  while (worker !== undefined && worker.kind === "body") worker = worker.block?.parent
  return worker
}

/** Such as `scope search`; `nursery` for one without a name. */
export const titleOf = (block: BlockLife): string => block.name === block.kind ? block.kind : `${block.kind} ${block.name}`

const mostSteps = 8

/** Where it is, from the outside in, without bodies. */
export const pathOf = (life: BlockLife | TaskLife | undefined): string => {
  const steps: Array<string> = []
  for (let each = life; each !== undefined; each = around(each)) {
    if (each.is === "task" && each.kind === "body") continue
    if (steps.length === mostSteps) {
      steps.push("…")
      break
    }
    steps.push(each.is === "block" ? titleOf(each) : each.name)
  }
  return steps.reverse().join(" › ")
}
