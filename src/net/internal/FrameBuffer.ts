/**
 * Bytes that have come and belong to no frame yet, in one piece.
 *
 * A chunk that holds whole frames is used where it lies. Only what is left over
 * at its end is copied, in front of the next one. What has been handed out is
 * never written to again: frames are views of it.
 */

const none = new Uint8Array(0)

/** The fewest bytes that are set aside for a frame that comes in pieces. */
const fewest = 256

export class FrameBuffer {
  private bytes: Uint8Array = none
  private start = 0
  private end = 0
  private shown: Uint8Array | undefined = none

  get length(): number {
    return this.end - this.start
  }

  /** All of it. */
  get view(): Uint8Array {
    return this.shown ??= this.bytes.subarray(this.start, this.end)
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return
    this.shown = undefined
    if (this.start === this.end) {
      // A Buffer makes views of itself at three times the price.
      this.bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length)
      this.start = 0
      this.end = chunk.length
      return
    }
    const after = this.end + chunk.length
    // A chunk that is used where it lies has no room behind it; what has is ours, and nobody has seen it.
    if (after > this.bytes.length) this.move(this.length + chunk.length)
    this.bytes.set(chunk, this.end)
    this.end += chunk.length
  }

  // Twice the room that is needed: so a frame that comes byte by byte is copied a few times, not each time.
  private move(needed: number): void {
    const bytes = new Uint8Array(Math.max(fewest, needed * 2))
    bytes.set(this.bytes.subarray(this.start, this.end))
    this.end -= this.start
    this.start = 0
    this.bytes = bytes
  }

  /** Takes so many bytes from the front. */
  drop(count: number): void {
    if (!(Number.isInteger(count) && count >= 0 && count <= this.length)) {
      throw new RangeError(`Expected a decoder to take between 0 and ${this.length} bytes, got ${String(count)} (${typeof count})`)
    }
    if (count === 0) return
    this.start += count
    if (this.start < this.end) this.shown = undefined
    else this.clear()
  }

  clear(): void {
    this.bytes = this.shown = none
    this.start = this.end = 0
  }
}
