/**
 * Small buffers, cut out of large ones, as `Buffer.allocUnsafe` does it.
 *
 * The difference: V8 itself makes the large ones, so that it knows them to be
 * young. Those of `Buffer.allocUnsafe` it counts as old from the start, and when 64 MB
 * of them have come together looks through the whole heap (see YoungMemory.ts).
 * With reads of 4 KiB that made one message in a hundred wait four times as long.
 */
import { markAsUntransferable } from "node:worker_threads"

/** As Node's, 64 KiB in Node 26: what is kept of a small buffer keeps no more than it would there. */
const bytesPerSlab = Buffer.poolSize

/** More than half of one is better made alone. */
export const mostBytes = bytesPerSlab / 2

const alignment = 8

/** Nobody may transfer it to a thread with their buffer: the buffers of all others would be empty. */
const makeSlab = (): ArrayBuffer => {
  const slab = new ArrayBuffer(bytesPerSlab)
  markAsUntransferable(slab)
  return slab
}

let slab = makeSlab()
let taken = 0

/** A buffer of so many bytes, at most `mostBytes`, that belongs to the caller. */
export const take = (bytes: number): Buffer => {
  if (taken + bytes > bytesPerSlab) {
    slab = makeSlab()
    taken = 0
  }
  const buffer = Buffer.from(slab, taken, bytes)
  taken += Math.ceil(bytes / alignment) * alignment
  return buffer
}
