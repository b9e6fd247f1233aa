/**
 * Makes V8 collect dead buffers while they are young.
 *
 * The bytes of a buffer lie outside of V8's heap. When 64 MB of them have come
 * together, V8 looks through the whole heap, however large it is, to find out
 * which are dead: for a server that moves a gigabyte a second some fifteen times
 * a second, which takes more time than moving them. A collection of the young
 * generation finds the dead ones, too, and costs next to nothing; but that one
 * comes only when enough small objects have been made, and a server that moves
 * large chunks, or copies them from stream to stream, makes few. So it makes more: as
 * many as fill the young generation, whatever its size is by now, once in so many
 * bytes of buffers. Measured with chunks of 64 KiB: a third to a half of the CPU
 * time of an echo is gone.
 */
import { getHeapSpaceStatistics } from "node:v8"

/**
 * Well before those 64 MB: after a full collection of a small program V8 is content with fewer,
 * and the dead count until the next collection has ended. Seldom enough for the third of a
 * millisecond that a collection takes.
 */
const fewestBytesPerCollection = 8 * 1024 * 1024
/** A large young generation takes longer to fill. */
const mostBytesPerCollection = 16 * 1024 * 1024

/** So many come together before anything is made for them. */
const bytesPerStep = 65_536

const bytesPerSlot = 8

/** V8 makes objects above 128 KB elsewhere, each in memory of its own. */
const mostSlots = 8192

/** Of the young generation, which grows with the program: in bytes. */
const capacityNow = (): number => {
  const young = getHeapSpaceStatistics().find(({ space_name: name }) => name === "new_space")
  return young === undefined ? 0 : young.space_used_size + young.space_available_size
}

let bytesSince = 0
let slotsPerByte = 0
let stepsUntilLook = 0
/** Kept until the next one, so that the compiler cannot leave it out. */
export let used: ReadonlyArray<unknown> = []

/** To be called when a buffer of so many bytes has come, at most 64 KiB. */
export const useYoungMemory = (bytes: number): void => {
  bytesSince += bytes
  if (bytesSince < bytesPerStep) return
  if (stepsUntilLook-- === 0) {
    const capacity = capacityNow()
    const bytesPerCollection = Math.min(Math.max(fewestBytesPerCollection, capacity), mostBytesPerCollection)
    stepsUntilLook = bytesPerCollection / bytesPerStep | 0
    slotsPerByte = capacity / bytesPerCollection / bytesPerSlot
  }
  for (let slots = bytesSince * slotsPerByte | 0; slots > 0; slots -= mostSlots) {
    // oxlint-disable-next-line unicorn/no-new-array
    used = new Array(Math.min(slots, mostSlots))
  }
  bytesSince = 0
}
