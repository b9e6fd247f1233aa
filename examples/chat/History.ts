/** The last lines that were said in a room. */
import type { Stored } from "./Bus.ts"

export class History {
  private readonly most: number
  private lines: Array<Stored> = []

  constructor(most: number) {
    this.most = most
  }

  add(line: Stored): void {
    if (this.most === 0) return
    this.lines.push(line)
    // Not at each line: moving fifty lines up costs more than keeping fifty too many.
    if (this.lines.length >= 2 * this.most) this.lines = this.lines.slice(-this.most)
  }

  /** The oldest first. */
  get all(): ReadonlyArray<Stored> {
    return this.lines.slice(-Math.max(1, this.most))
  }
}
