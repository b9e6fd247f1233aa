/** Numbers that a seed decides (mulberry32), for schedules and for the `Random` of explored programs. */
export class SeededRandom {
  private state: number

  constructor(seed: number) {
    // Neighbouring seeds start far apart.
    this.state = Math.imul(seed ^ (seed >>> 16), 0x9e3779b1) >>> 0
  }

  /** From 0 up to 1. */
  next(): number {
    let t = (this.state = (this.state + 0x6d2b79f5) >>> 0)
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }

  /** An integer from 0 up to `n`. */
  below(n: number): number {
    return Math.floor(this.next() * n)
  }
}
