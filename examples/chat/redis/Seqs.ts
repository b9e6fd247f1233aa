/** Places in the order of the bus: ids of a stream of Redis, such as `1795280885990-0`. The first number is the time. */
import type { Seq } from "../Bus.ts"

/** Before everything. */
export const first: Seq = "0-0"

/** What a place is after `-`, when something was told that is not in the log. It has the place of what came before it. */
const form = /^(\d{1,15})-(\d{1,15})(?:\.\d+)?$/u

const parts = (seq: Seq): readonly [millis: number, count: number] => {
  const [, millis, count] = form.exec(seq) ?? []
  return [Number(millis ?? 0), Number(count ?? 0)]
}

/** Whether a client can have got it from us. */
export const isSeq = (text: string): boolean => form.test(text)

/** The id of the entry at this place. */
export const entryAt = (seq: Seq): string => parts(seq).join("-")

export const millisOf = (seq: Seq): number => parts(seq)[0]

/** Negative when `a` is earlier. */
export const compare = (a: Seq, b: Seq): number => {
  const [millisA, countA] = parts(a)
  const [millisB, countB] = parts(b)
  return millisA - millisB || countA - countB
}
