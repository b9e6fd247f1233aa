/** A queue of values in an array that is used round and round: both ends cost the same however long it is. */

const fewest = 16

export class Ring<A> {
  private slots: Array<A | undefined> = []
  private head = 0
  length = 0

  push(value: A): void {
    if (this.length === this.slots.length) this.resize(Math.max(fewest, this.length * 2))
    this.slots[(this.head + this.length) & (this.slots.length - 1)] = value
    this.length++
  }

  /** Takes the oldest value. There must be one. */
  shift(): A {
    const value = this.slots[this.head] as A
    // A value that was taken must not live on in the slot.
    this.slots[this.head] = undefined
    this.head = (this.head + 1) & (this.slots.length - 1)
    this.length--
    // A burst does not keep its memory. At a quarter, so that a buffer that
    // fills and empties again and again is not copied each time.
    if (this.slots.length > 4096 && this.length * 4 < this.slots.length) this.resize(this.slots.length / 2)
    return value
  }

  /** Takes the value before which `index` others stay. */
  take(index: number): A {
    const mask = this.slots.length - 1
    const value = this.slots[(this.head + index) & mask] as A
    for (let i = index; i > 0; i--) this.slots[(this.head + i) & mask] = this.slots[(this.head + i - 1) & mask]
    this.shift()
    return value
  }

  clear(): void {
    this.slots = []
    this.head = this.length = 0
  }

  private resize(size: number): void {
    const slots = Array.from<A | undefined>({ length: size })
    const mask = this.slots.length - 1
    for (let i = 0; i < this.length; i++) slots[i] = this.slots[(this.head + i) & mask]
    this.slots = slots
    this.head = 0
  }
}
