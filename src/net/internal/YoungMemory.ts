/**
 * Makes V8 collect dead buffers while they are young.
 *
 * The bytes of a buffer lie outside of V8's heap. When 64 MB of them have come
 * together, V8 looks through the whole heap, however large it is, to find out
 * which are dead: for a server that moves a gigabyte a second some fifteen times
 * a second, which takes more time than moving them. A collection of the young
 * generation finds the dead ones, too, and costs next to nothing; but that one
 * comes only when enough small objects have been made, and a server that moves
 * large chunks makes few. So it makes more. Measured with chunks of 64 KiB: a
 * third to a half of the CPU time of an echo is gone.
 */

/** Fewer are no burden: that many chunks make enough objects of other kinds. */
export const fewBytes = 2_048

/**
 * Two thirds as many bytes of young objects as of buffers: the young generation has
 * up to 32 MB, and must be full well before those 64 MB are.
 */
const bytesPerSlot = 12

let used: ReadonlyArray<unknown> = []

/** To be called when a buffer of so many bytes has come, at most 64 KiB. */
export const useYoungMemory = (bytes: number): void => {
  // Kept until the next one, so that the compiler cannot leave it out.
  // oxlint-disable-next-line unicorn/no-new-array
  used = new Array(bytes / bytesPerSlot | 0)
}

/** For the tests. */
export const lastUse = (): number => used.length
