/** Who was slow in a cancel, with what, and who of them held it up. */
import { busyBelow, criticalPath, type Stretch } from "./CriticalPath.ts"
import { around, type BlockLife, type CancelLife, pathOf, type TaskLife, titleOf, workerOf } from "./History.ts"

/**
 * What a task was busy with, for a while.
 *
 * @since 0.1.0
 */
export interface Doing {
  /**
   * `finalizer`; or what it was in that nothing could stop: an `uninterruptible` region (an acquisition, or a
   * finalizer that had begun before the cancel), a `shield`. With the name of its span, and the blocks in it:
   * `finalizer in span goodbye › timeout flush`.
   */
  readonly what: string
  /** Milliseconds of the program's Clock. */
  readonly from: number
  readonly millis: number
  /** What it waited for meanwhile, as far as that is a thing of this library. */
  readonly waitedFor: ReadonlyArray<{ readonly label: string; readonly millis: number }>
}

/**
 * A task that did not end at once when it was cancelled.
 *
 * @since 0.1.0
 */
export interface Slow {
  /** Its name; `main` for what belongs to no task. */
  readonly task: string
  /** Where it is, from the outside in: `nursery server › connection 3`. */
  readonly path: string
  /** How long it was busy itself, not counting what it waited for in nurseries and scopes of its own. */
  readonly millis: number
  /** How much of that all others had to wait for it. */
  readonly heldUp: number
  readonly doing: ReadonlyArray<Doing>
}

/** Those who were told and are in nobody else who was told. */
export const rootsOf = ({ told }: CancelLife): ReadonlyArray<BlockLife | TaskLife> => {
  const roots: Array<BlockLife | TaskLife> = []
  for (const target of told.keys()) {
    let above = around(target)
    while (above !== undefined && !told.has(above)) above = around(above)
    if (above === undefined) roots.push(target)
  }
  return roots
}

// What holds it, and the blocks inside of the task in which the work is done.
const doingOf = (task: TaskLife, worker: TaskLife | undefined): string => {
  const blocks: Array<string> = []
  let held: string | undefined
  for (let each: TaskLife | undefined = task; each !== undefined; each = each.block?.parent) {
    held ??= each.cleanup
    if (each === worker) break
    const block: BlockLife | undefined = each.block
    if (block === undefined) break
    if (held === undefined || block.parent !== undefined) blocks.push(titleOf(block))
  }
  const inside = blocks.reverse()
  // Held by a shield, and busy in it, or with what comes after it.
  const isShield = held !== undefined && held.startsWith("shield")
  if (isShield && inside[0] === "shield") return inside.join(" › ")
  return [isShield ? held!.replace("shield", "finalizer") : held ?? "not told to stop", ...inside].join(" › ")
}

const waitsIn = ({ from, task, to }: Stretch): Doing["waitedFor"] => {
  const waits: Array<{ readonly label: string; readonly millis: number }> = []
  for (const wait of task.waits) {
    const millis = Math.min(wait.to, to) - Math.max(wait.from, from)
    if (millis > 0) waits.push({ label: wait.label, millis })
  }
  return waits
}

interface Found {
  readonly task: string
  readonly path: string
  readonly doing: Array<Doing>
  millis: number
  heldUp: number
}

class Finder {
  private readonly found = new Map<TaskLife | BlockLife | undefined, Found>()

  /** The task that does the work; outside of all tasks, the outermost block. */
  private of(task: TaskLife): Found {
    const worker = workerOf(task)
    let key: TaskLife | BlockLife | undefined = worker
    if (key === undefined) for (let each: TaskLife | undefined = task; each !== undefined; each = each.block?.parent) key = each.block
    let found = this.found.get(key)
    if (found === undefined) {
      found = { task: worker?.name ?? "main", path: pathOf(key), doing: [], millis: 0, heldUp: 0 }
      this.found.set(key, found)
    }
    return found
  }

  busy(stretch: Stretch): void {
    const found = this.of(stretch.task)
    const millis = stretch.to - stretch.from
    found.millis += millis
    const what = doingOf(stretch.task, workerOf(stretch.task))
    found.doing.push({ what, from: stretch.from, millis, waitedFor: waitsIn(stretch) })
  }

  heldUp(stretch: Stretch): void {
    this.of(stretch.task).heldUp += stretch.to - stretch.from
  }

  get all(): Array<Found> {
    const all = [...this.found.values()]
    for (const { doing } of all) doing.sort((a, b) => a.from - b.from)
    return all
  }
}

/** The slowest first, and of those who held up the cancel the one that did most. */
export const culpritsOf = (
  cancel: CancelLife,
  roots: ReadonlyArray<BlockLife | TaskLife>,
  end: number
): { readonly slow: ReadonlyArray<Slow>; readonly culprit: Slow | undefined } => {
  const finder = new Finder()
  for (const stretch of busyBelow(roots, cancel.at, end, cancel.told)) finder.busy(stretch)
  const last = roots.reduce((a, b) => b.endOrder >= a.endOrder ? b : a)
  for (const stretch of criticalPath(last, cancel.at, end, cancel.told)) finder.heldUp(stretch)
  const slow = finder.all.filter((found) => found.millis > 0).sort((a, b) => b.millis - a.millis)
  const culprit = slow.reduce<Slow | undefined>((a, b) => b.heldUp > (a?.heldUp ?? 0) ? b : a, undefined)
  return { slow, culprit }
}
