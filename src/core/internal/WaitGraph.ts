/**
 * Who waits for whom, made when somebody asks.
 *
 * A task is blocked by whoever must act before its wait can end: the holders of
 * the tokens, the users of the other end of the channel, the task that it joins.
 * A task that waits in a block of its own is blocked by everybody inside. A circle
 * of such steps is a deadlock that no outside event can end.
 */
import { type Block, type Member, roots } from "./Block.ts"
import type { Wait } from "./Wait.ts"

/** One task, what it waits for, and who has to act first. */
export interface Blocked {
  readonly member: Member
  readonly wait: Wait
  readonly holders: ReadonlyArray<Member>
}

const waitsOf = (member: Member): Array<Blocked> => {
  const waits: Array<Blocked> = []
  // All waits of members are of that class; Block.ts knows only their shape.
  for (let wait = member.waits as Wait | undefined; wait !== undefined; wait = wait.beside as Wait | undefined) {
    waits.push({ member, wait, holders: [...wait.on.holders?.(wait) ?? []] })
  }
  return waits
}

const membersOf = (block: Block): Array<Member> => block.members()

const insideOf = (member: Member): Array<Member> => {
  const inside = member.inner === undefined ? [] : membersOf(member.inner)
  for (let block = member.branches; block !== undefined; block = block.nextBeside) inside.push(...membersOf(block))
  return inside
}

/** Everybody who waits below these blocks; below all of them unless told otherwise. */
export const blockedBelow = (tops: Iterable<Block> = roots()): Array<Blocked> => {
  const found: Array<Blocked> = []
  const todo: Array<Member> = []
  for (const block of tops) todo.push(...membersOf(block).reverse())
  for (let member = todo.pop(); member !== undefined; member = todo.pop()) {
    found.push(...waitsOf(member))
    todo.push(...insideOf(member).reverse())
  }
  return found
}

interface Step {
  readonly to: Member
  /** `undefined` when `to` stands inside the task. */
  readonly by: Blocked | undefined
}

const stepsOf = (member: Member): Array<Step> => [
  ...waitsOf(member).flatMap((by) => by.holders.map((to) => ({ to, by }))),
  ...insideOf(member).map((to) => ({ to, by: undefined }))
]

/** A circle of waits, each blocked by the next and the last by the first; empty when there is none. */
export const circleAmong = (blocked: ReadonlyArray<Blocked>): ReadonlyArray<Blocked> => {
  const done = new Set<Member>()
  for (const { member: start } of blocked) {
    const path: Array<{ readonly member: Member; readonly steps: Array<Step>; taken: Step | undefined }> = []
    const on = new Map<Member, number>()
    const enter = (member: Member) => {
      on.set(member, path.length)
      path.push({ member, steps: stepsOf(member), taken: undefined })
    }
    if (!done.has(start)) enter(start)
    while (path.length > 0) {
      const last = path.at(-1)!
      const step = last.taken = last.steps.pop()
      if (step === undefined) {
        done.add(last.member)
        on.delete(last.member)
        path.pop()
        continue
      }
      const back = on.get(step.to)
      if (back !== undefined) return path.slice(back).flatMap(({ taken }) => taken?.by === undefined ? [] : [taken.by])
      if (!done.has(step.to)) enter(step.to)
    }
  }
  return []
}
