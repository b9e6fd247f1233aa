/** The sleeping fibers of a run. A sorted list: explored programs have few, and it can hand out any of those that are due. */
interface Sleep {
  readonly at: number
  readonly wake: () => void
}

export class Sleeps {
  private readonly list: Array<Sleep> = []

  add(at: number, wake: () => void): Sleep {
    const sleep = { at, wake }
    let index = this.list.length
    while (index > 0 && this.list[index - 1]!.at > at) index--
    this.list.splice(index, 0, sleep)
    return sleep
  }

  remove(sleep: Sleep): void {
    const index = this.list.indexOf(sleep)
    if (index >= 0) this.list.splice(index, 1)
  }

  get size(): number {
    return this.list.length
  }

  next(): number {
    return this.list.length === 0 ? Infinity : this.list[0]!.at
  }

  countDue(now: number): number {
    let count = 0
    while (count < this.list.length && this.list[count]!.at <= now) count++
    return count
  }

  wake(index: number): void {
    this.list.splice(index, 1)[0]!.wake()
  }
}
