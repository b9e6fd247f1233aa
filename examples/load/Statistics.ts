/** What came of the requests, by name: counts, failures by kind, times. Its memory has a limit, whatever a scenario does. */
import { Histogram } from "./Histogram.ts"

/** How one request ended. `Unfinished`: it was under way when the run was over, which is nobody's fault. */
export type Outcome =
  | { readonly _tag: "Answered"; readonly bytes: number }
  | { readonly _tag: "Failed"; readonly kind: string }
  | { readonly _tag: "Unfinished" }

/** What is known of the requests of one name, or of all. */
export class Tally {
  readonly name: string
  /** The times of all that ended, well or not. */
  readonly times = new Histogram()
  readonly failures = new Map<string, number>()
  answered = 0
  failed = 0
  unfinished = 0
  bytes = 0

  constructor(name: string) {
    this.name = name
  }

  add(outcome: Outcome, millis: number): void {
    switch (outcome._tag) {
      case "Unfinished": {
        this.unfinished++
        return
      }
      case "Answered": {
        this.answered++
        this.bytes += outcome.bytes
        break
      }
      case "Failed": {
        this.failed++
        const kind = known(this.failures, outcome.kind, mostKinds, "other failures")
        this.failures.set(kind, (this.failures.get(kind) ?? 0) + 1)
      }
    }
    this.times.add(millis)
  }

  /** Those that ended. */
  get count(): number {
    return this.answered + this.failed
  }
}

// A scenario that puts a number into each name, and a server that invents errors, are counted under one name from here on.
const mostNames = 100
const mostKinds = 30

const known = (map: ReadonlyMap<string, unknown>, key: string, most: number, otherwise: string): string =>
  map.has(key) || map.size < most ? key : otherwise

export class Statistics {
  readonly all = new Tally("all")
  readonly #byName = new Map<string, Tally>()

  add(name: string, outcome: Outcome, millis: number): void {
    const key = known(this.#byName, name, mostNames, "other requests")
    const tally = this.#byName.get(key) ?? new Tally(key)
    this.#byName.set(key, tally)
    tally.add(outcome, millis)
    this.all.add(outcome, millis)
  }

  /** In the order in which the names came up. */
  get byName(): ReadonlyArray<Tally> {
    return [...this.#byName.values()]
  }
}
