/**
 * Whom a cancel waited for. A block ends when the last of its members has ended, and
 * a task goes on when the block that it waits in has: followed from the end of the
 * cancel back to its beginning, this says at each moment whose doing everybody else
 * was waiting for.
 */
import type { BlockLife, TaskLife } from "./History.ts"

/** A time in which a task was busy itself, and not waiting in a block for others. */
export interface Stretch {
  readonly task: TaskLife
  readonly from: number
  readonly to: number
}

interface Part {
  readonly of: BlockLife | TaskLife
  readonly from: number
  readonly to: number
}

/** When somebody began to be concerned: services are told later than the others. */
export type Told = ReadonlyMap<BlockLife | TaskLife, number>

const beginOf = (task: TaskLife, told: Told): number => told.get(task) ?? task.started

const later = <L extends BlockLife | TaskLife>(a: L | undefined, b: L): L => a === undefined || b.endOrder >= a.endOrder ? b : a

const lastMember = (block: BlockLife, { from, to }: Part, told: Told): TaskLife | undefined => {
  let last: TaskLife | undefined
  for (const member of block.members) if (beginOf(member, told) < to && member.end > from) last = later(last, member)
  return last
}

const lastBlock = (task: TaskLife, { from, to }: Part): BlockLife | undefined => {
  let last: BlockLife | undefined
  for (const block of task.blocks) if (block.opened < to && block.end > from) last = later(last, block)
  return last
}

/** The stretches that the end of a block or task had to wait for, the last one first. */
export const criticalPath = (of: BlockLife | TaskLife, from: number, to: number, told: Told): ReadonlyArray<Stretch> => {
  const path: Array<Stretch> = []
  // A list instead of recursion: ten thousand nested nurseries may be cancelled, too.
  const todo: Array<Part> = [{ of, from, to }]
  for (let part = todo.pop(); part !== undefined; part = todo.pop()) {
    if (part.to <= part.from) continue
    if (part.of.is === "task") throughTask(part.of, part, path, todo)
    else throughBlock(part.of, part, told, path, todo)
  }
  return path
}

const throughTask = (task: TaskLife, part: Part, path: Array<Stretch>, todo: Array<Part>): void => {
  const { from, to } = part
  const block = lastBlock(task, part)
  if (block === undefined) return void path.push({ task, from, to })
  const end = Math.min(block.end, to)
  if (end < to) path.push({ task, from: end, to })
  todo.push({ of: task, from, to: block.opened }, { of: block, from: Math.max(from, block.opened), to: end })
}

const throughBlock = (block: BlockLife, part: Part, told: Told, path: Array<Stretch>, todo: Array<Part>): void => {
  const { from, to } = part
  const last = lastMember(block, part, told)
  const begin = last === undefined ? to : Math.max(from, beginOf(last, told))
  const end = last === undefined ? from : Math.min(last.end, to)
  // Nobody in it was alive: then it was up to who opened it.
  if (end < to && block.parent !== undefined) path.push({ task: block.parent, from: end, to })
  if (last !== undefined) todo.push({ of: block, from, to: begin }, { of: last, from: begin, to: end })
}

/** Everybody who was busy in that time at or below what was cancelled, and when. */
export const busyBelow = (roots: Iterable<BlockLife | TaskLife>, from: number, to: number, told: Told): ReadonlyArray<Stretch> => {
  const stretches: Array<Stretch> = []
  const todo: Array<BlockLife | TaskLife> = [...roots].reverse()
  for (let life = todo.pop(); life !== undefined; life = todo.pop()) {
    if (life.end <= from) continue
    if (life.is === "task") {
      ownStretches(life, Math.max(from, beginOf(life, told)), Math.min(to, life.end), stretches)
      for (let i = life.blocks.length - 1; i >= 0; i--) todo.push(life.blocks[i]!)
    } else for (const member of [...life.members].reverse()) todo.push(member)
  }
  return stretches
}

// What is left of a time when that in blocks is taken out.
const ownStretches = (task: TaskLife, from: number, to: number, into: Array<Stretch>): void => {
  let at = from
  for (const block of task.blocks) {
    if (block.end <= at) continue
    if (block.opened >= to) break
    if (block.opened > at) into.push({ task, from: at, to: block.opened })
    at = block.end
  }
  if (at < to) into.push({ task, from: at, to })
}
