/** So many things are found without a look into the map. A power of two. */
const recentSize = 8

/**
 * Numbers for things that have none of their own, for as long as they live. Most
 * waits and many blocks are over before eight others have begun: a map that each
 * went through would cost more than all the rest of a note.
 */
export class LivingNumbers {
  private readonly recent: Array<object | undefined> = Array.from({ length: recentSize })
  private readonly recentNumbers: Array<number> = Array.from({ length: recentSize }, () => 0)
  private readonly older = new Map<object, number>()
  private count = 0
  private kept = 0

  /** The next number, for something that is not kept. */
  next(): number {
    return ++this.count
  }

  add(thing: object): number {
    const number = ++this.count
    this.kept++
    const i = number & (recentSize - 1)
    const evicted = this.recent[i]
    if (evicted !== undefined) this.older.set(evicted, this.recentNumbers[i]!)
    this.recent[i] = thing
    this.recentNumbers[i] = number
    return number
  }

  /** 0 for what was not added. */
  of(thing: object): number {
    const i = this.recent.indexOf(thing)
    return i >= 0 ? this.recentNumbers[i]! : this.older.get(thing) ?? 0
  }

  remove(thing: object): number {
    if (this.kept === 0) return 0
    const i = this.recent.indexOf(thing)
    const number = i >= 0 ? this.recentNumbers[i]! : this.older.get(thing)
    if (number === undefined) return 0
    this.kept--
    if (i >= 0) this.recent[i] = undefined
    else this.older.delete(thing)
    return number
  }
}
