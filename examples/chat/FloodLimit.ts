/** How many lines somebody may say in a time: a bucket that fills up again, and from which each line takes one. */
import * as Duration from "effect/Duration"
import { inWords } from "./Words.ts"

/** Such as `20/1s`. */
export interface Rate {
  readonly count: number
  readonly millis: number
}

export class FloodLimit {
  private readonly rate: Rate
  private tokens: number
  private at: number

  constructor(rate: Rate, now: number) {
    this.rate = rate
    this.tokens = rate.count
    this.at = now
  }

  /** For whoever is told. */
  get words(): string {
    return `at most ${this.rate.count} in ${inWords(Duration.millis(this.rate.millis))}`
  }

  /** Whether one more is all right now, in milliseconds. */
  allows(now: number): boolean {
    const { count, millis } = this.rate
    this.tokens = Math.min(count, this.tokens + (now - this.at) * count / millis)
    this.at = now
    if (this.tokens < 1) return false
    this.tokens--
    return true
  }
}
