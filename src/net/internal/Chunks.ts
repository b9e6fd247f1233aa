/** Bytes in the pieces in which they came. Nothing is copied unless several pieces are wanted as one. */

const empty = new Uint8Array(0)
const none: Array<Uint8Array> = []

/** A place in the pieces, for a search that goes on where it stopped. Taking bytes makes it void. */
export interface Place {
  /** The piece, counted from the first. */
  piece: number
  offset: number
  /** How many bytes lie in front of it. */
  before: number
}

export class Chunks {
  // Mostly there is one, taken as soon as it has come. It needs no array.
  private first: Uint8Array | undefined = undefined
  private others: Array<Uint8Array> = none
  /** Where the second one lies in `others`. */
  private second = 0
  size = 0

  push(piece: Uint8Array): void {
    if (piece.length === 0) return
    this.size += piece.length
    if (this.first === undefined) this.first = piece
    else if (this.others === none) this.others = [piece]
    else this.others.push(piece)
  }

  /** The first piece. There must be one. */
  shift(): Uint8Array {
    const piece = this.first!
    this.size -= piece.length
    if (this.others === none) this.first = undefined
    else this.moveUp()
    return piece
  }

  private moveUp(): void {
    const { others } = this
    this.first = others[this.second]!
    // What was taken must not live on in the array.
    others[this.second++] = empty
    if (this.second === others.length) {
      this.others = none
      this.second = 0
    } else if (this.second > 64 && this.second * 2 > others.length) {
      others.splice(0, this.second)
      this.second = 0
    }
  }

  private piece(index: number): Uint8Array | undefined {
    return index === 0 ? this.first : this.others[this.second + index - 1]
  }

  /** The first so many bytes. There must be as many. */
  take(bytes: number): Uint8Array {
    if (bytes === 0) return new Uint8Array(0)
    if (this.first!.length >= bytes) return this.takeFromFirst(bytes)
    const whole = new Uint8Array(bytes)
    for (let at = 0; at < bytes;) {
      const part = this.takeFromFirst(Math.min(bytes - at, this.first!.length))
      whole.set(part, at)
      at += part.length
    }
    return whole
  }

  private takeFromFirst(bytes: number): Uint8Array {
    const first = this.first!
    if (first.length === bytes) return this.shift()
    this.first = first.subarray(bytes)
    this.size -= bytes
    return first.subarray(0, bytes)
  }

  drop(bytes: number): void {
    while (bytes > 0) bytes -= this.takeFromFirst(Math.min(bytes, this.first!.length)).length
  }

  at(index: number): number | undefined {
    for (let i = 0;; i++) {
      const piece = this.piece(i)
      if (piece === undefined || index < piece.length) return piece?.[index]
      index -= piece.length
    }
  }

  clear(): void {
    this.first = undefined
    this.others = none
    this.second = this.size = 0
  }

  /**
   * Looks for `delimiter` from `place` on, and moves it to where the first one
   * begins, or else to the first byte that could begin one when more has come.
   */
  find(delimiter: Uint8Array, place: Place): boolean {
    const first = delimiter[0]!
    for (;;) {
      const piece = this.piece(place.piece)
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
    let bytes = this.piece(piece)!
    for (let i = 1; i < delimiter.length; i++) {
      while (++offset >= bytes.length) {
        const next = this.piece(++piece)
        if (next === undefined) return undefined
        bytes = next
        offset = -1
      }
      if (bytes[offset] !== delimiter[i]) return false
    }
    return true
  }
}
