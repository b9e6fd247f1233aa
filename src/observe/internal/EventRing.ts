/**
 * Where a recording is kept: notes in columns of numbers, and one column for what is
 * none. A note holds no task, no block and no fiber. What it held would outlive its
 * time in the youngest generation, and moving it would cost the collector more than
 * the rest of the recorder costs together.
 */

/** What a note is of. */
export const Kind = {
  /** thing: block; other: the task that opened it; detail: its kind; more: its name */
  opened: 0,
  /** thing: block; detail: 1 if it absorbed its cancellation; more: the exit, if it is a failure */
  closed: 1,
  /** thing: task; other: who started it; block; detail: its kind; more: its name */
  started: 2,
  /** thing: task; block; more: the exit, if it is a failure */
  ended: 3,
  /** thing: task; block: where it is now */
  moved: 4,
  /** thing: a block, or with detail 1 a task; other: the task that runs; more: the reason */
  cancelled: 5,
  /** thing: task; detail: what it is doing; more: the span */
  cleanupBegan: 6,
  /** thing: wait; other: task; block: which verb; detail: 1 if it is the task's only wait; more: what it waits on */
  waiting: 7,
  /** thing: wait, or none for the one that was the task's only wait when it began; other: task */
  resumed: 8
} as const

/** One of {@link Kind}. */
export type Kind = (typeof Kind)[keyof typeof Kind]

/** Takes notes. Things are numbers; 0 is none. */
export interface Notes {
  push(kind: Kind, detail: number, at: number, thing: number, other: number, block: number, more: unknown): void
}

const firstSize = 1024
/** at, thing, other, block */
const width = 4

/** The last so many notes. It grows to its capacity; from then on each new one takes the place of the oldest. */
export class EventRing implements Notes {
  readonly capacity: number
  private kinds: Uint8Array
  private numbers: Float64Array
  private mores: Array<unknown>
  private next = 0
  private kept = 0
  private lost = 0

  constructor(capacity: number) {
    this.capacity = capacity
    const size = Math.min(firstSize, capacity)
    this.kinds = new Uint8Array(size)
    this.numbers = new Float64Array(size * width)
    this.mores = Array.from({ length: size })
  }

  get size(): number {
    return this.kept
  }

  /** How many had to make room. */
  get dropped(): number {
    return this.lost
  }

  push(kind: Kind, detail: number, at: number, thing: number, other: number, block: number, more: unknown): void {
    let i = this.next
    if (i === this.kinds.length) {
      if (i < this.capacity) this.grow()
      else i = 0
    }
    this.next = i + 1
    if (this.kept === this.capacity) this.lost++
    else this.kept++
    this.kinds[i] = kind | detail << 4
    const numbers = this.numbers
    const from = i * width
    numbers[from] = at
    numbers[from + 1] = thing
    numbers[from + 2] = other
    numbers[from + 3] = block
    this.mores[i] = more
  }

  private grow(): void {
    const size = Math.min(this.kinds.length * 2, this.capacity)
    const { kinds, mores, numbers } = this
    this.kinds = new Uint8Array(size)
    this.kinds.set(kinds)
    this.numbers = new Float64Array(size * width)
    this.numbers.set(numbers)
    for (let i = mores.length; i < size; i++) mores.push(undefined)
  }

  clear(): void {
    this.mores.fill(undefined)
    this.next = this.kept = this.lost = 0
  }

  /** Tells all that are kept to somebody else, the oldest first. */
  replay(notes: Notes): void {
    const { kinds, mores, numbers } = this
    const oldest = this.kept === this.capacity ? this.next : 0
    for (let n = 0; n < this.kept; n++) {
      const i = (oldest + n) % this.capacity
      const from = i * width
      const kind = kinds[i]!
      notes.push((kind & 15) as Kind, kind >> 4, numbers[from]!, numbers[from + 1]!, numbers[from + 2]!, numbers[from + 3]!, mores[i])
    }
  }
}
