/** Bytes in the pieces in which they came. Nothing is copied unless several pieces are wanted as one. */

const none = new Uint8Array(0)

/** A place in the pieces, for a search that goes on where it stopped. Taking bytes makes it void. */
export interface Place {
  /** The piece, counted from the first. */
  piece: number
  offset: number
  /** How many bytes lie in front of it. */
  before: number
}

export class Chunks {
  private pieces: Array<Uint8Array> = []
  private head = 0
  size = 0

  push(piece: Uint8Array): void {
    if (piece.length === 0) return
    this.pieces.push(piece)
    this.size += piece.length
  }

  /** The first piece. There must be one. */
  shift(): Uint8Array {
    const piece = this.pieces[this.head]!
    this.size -= piece.length
    this.dropFirst()
    return piece
  }

  private dropFirst(): void {
    this.pieces[this.head++] = none
    if (this.head === this.pieces.length) {
      this.pieces.length = 0
      this.head = 0
    } else if (this.head > 64 && this.head * 2 > this.pieces.length) {
      this.pieces.splice(0, this.head)
      this.head = 0
    }
  }

  /** The first so many bytes. There must be as many. */
  take(bytes: number): Uint8Array {
    if (bytes === 0) return new Uint8Array(0)
    const first = this.pieces[this.head]!
    if (first.length === bytes) return this.shift()
    if (first.length > bytes) {
      this.pieces[this.head] = first.subarray(bytes)
      this.size -= bytes
      return first.subarray(0, bytes)
    }
    const whole = new Uint8Array(bytes)
    for (let at = 0; at < bytes;) {
      const piece = this.pieces[this.head]!
      const rest = bytes - at
      if (piece.length <= rest) {
        whole.set(piece, at)
        at += piece.length
        this.shift()
      } else {
        whole.set(piece.subarray(0, rest), at)
        this.pieces[this.head] = piece.subarray(rest)
        this.size -= rest
        at = bytes
      }
    }
    return whole
  }

  drop(bytes: number): void {
    while (bytes > 0) {
      const first = this.pieces[this.head]!
      if (first.length > bytes) {
        this.pieces[this.head] = first.subarray(bytes)
        this.size -= bytes
        return
      }
      bytes -= first.length
      this.shift()
    }
  }

  at(index: number): number | undefined {
    for (let i = this.head; i < this.pieces.length; i++) {
      const piece = this.pieces[i]!
      if (index < piece.length) return piece[index]
      index -= piece.length
    }
    return undefined
  }

  clear(): void {
    this.pieces = []
    this.head = this.size = 0
  }

  /**
   * Looks for `delimiter` from `place` on, and moves it to where the first one
   * begins, or else to the first byte that could begin one when more has come.
   */
  find(delimiter: Uint8Array, place: Place): boolean {
    const first = delimiter[0]!
    for (;;) {
      const piece = this.pieces[this.head + place.piece]
      if (piece === undefined) return false
      const at = piece.indexOf(first, place.offset)
      if (at === -1) {
        place.before += piece.length - place.offset
        place.piece++
        place.offset = 0
        continue
      }
      place.before += at - place.offset
      place.offset = at
      const matches = delimiter.length === 1 ? true : this.matches(delimiter, place.piece, at)
      if (matches === undefined) return false
      if (matches) return true
      place.before++
      place.offset++
    }
  }

  /** `undefined`: as far as it goes. */
  private matches(delimiter: Uint8Array, piece: number, offset: number): boolean | undefined {
    let bytes = this.pieces[this.head + piece]!
    for (let i = 1; i < delimiter.length; i++) {
      while (++offset >= bytes.length) {
        const next = this.pieces[this.head + ++piece]
        if (next === undefined) return undefined
        bytes = next
        offset = -1
      }
      if (bytes[offset] !== delimiter[i]) return false
    }
    return true
  }
}
