/**
 * Where a recording is kept: as it happened, in raw form, in columns. Nothing is
 * named or numbered before somebody reads it, so that taking a note costs a few stores.
 */

/** What a note is of. Its subject and its two details depend on that, see the calls of `push`. */
export const Kind = {
  opened: 0,
  closed: 1,
  started: 2,
  ended: 3,
  moved: 4,
  cancelled: 5,
  cleanupBegan: 6,
  waiting: 7,
  resumed: 8
} as const

/** One of {@link Kind}. */
export type Kind = (typeof Kind)[keyof typeof Kind]

/** Takes notes. */
export interface Notes {
  push(kind: Kind, at: number, subject: object, detail: unknown, more: unknown): void
}

const firstSize = 1024

/** The last so many notes. It grows to its capacity; from then on each new one takes the place of the oldest. */
export class EventRing implements Notes {
  readonly capacity: number
  private kinds: Uint8Array
  private times: Float64Array
  private subjects: Array<object | undefined>
  private details: Array<unknown>
  private mores: Array<unknown>
  private next = 0
  private kept = 0
  private lost = 0

  constructor(capacity: number) {
    this.capacity = capacity
    const size = Math.min(firstSize, capacity)
    this.kinds = new Uint8Array(size)
    this.times = new Float64Array(size)
    this.subjects = Array.from({ length: size })
    this.details = Array.from({ length: size })
    this.mores = Array.from({ length: size })
  }

  get size(): number {
    return this.kept
  }

  /** How many had to make room. */
  get dropped(): number {
    return this.lost
  }

  push(kind: Kind, at: number, subject: object, detail: unknown, more: unknown): void {
    let i = this.next
    if (i === this.kinds.length) {
      if (i < this.capacity) this.grow()
      else i = 0
    }
    this.next = i + 1
    if (this.kept === this.capacity) this.lost++
    else this.kept++
    this.kinds[i] = kind
    this.times[i] = at
    this.subjects[i] = subject
    this.details[i] = detail
    this.mores[i] = more
  }

  private grow(): void {
    const size = Math.min(this.kinds.length * 2, this.capacity)
    const { kinds, times } = this
    this.kinds = new Uint8Array(size)
    this.kinds.set(kinds)
    this.times = new Float64Array(size)
    this.times.set(times)
  }

  clear(): void {
    this.subjects.fill(undefined)
    this.details.fill(undefined)
    this.mores.fill(undefined)
    this.next = this.kept = this.lost = 0
  }

  /** Tells all that are kept to somebody else, the oldest first. */
  replay(notes: Notes): void {
    const oldest = this.kept === this.capacity ? this.next : 0
    for (let n = 0; n < this.kept; n++) {
      const i = (oldest + n) % this.capacity
      notes.push(this.kinds[i] as Kind, this.times[i]!, this.subjects[i]!, this.details[i], this.mores[i])
    }
  }
}
