/** Who answers the questions of a run. */
import { type PauseAt, type Schedule, usualOrder } from "./Schedule.ts"
import type { SeededRandom } from "./SeededRandom.ts"

/**
 * What a run asks.
 * - `turn`: several tasks are ready; the answer is the index of the one that runs, oldest first; on a busy host the last index lets time pass
 * - `pause`: a fiber is about to do its next operation; 0 goes on, `i` pauses it and runs the ready task `i - 1`; on a busy host the last one lets
 *   time pass. Of a fiber that somebody further up the stack runs: 1 pauses it, and that one goes on
 * - `due`: several deadlines and sleeps are due at the same time; the answer is the index of the one that comes first
 */
export type Question = "turn" | "pause" | "due"

/** Whose tasks stand in line together: those of one fiber. */
export interface Ranked {
  /** For the strategy to give. */
  priority: number | undefined
}

/** What a strategy sees of the run that asks it. */
export interface Asking {
  /** The tasks that could run, oldest first. */
  readonly ready: ReadonlyArray<{ readonly lane: Ranked }>
  /** Operations and turns so far. */
  readonly steps: number
  /** The lane of the fiber at the bottom of the stack. */
  readonly bottom: Ranked
}

export interface Strategy {
  readonly busy: boolean
  readonly pauseAt: PauseAt
  readonly cancelAt: number | undefined
  /** Runs need a lane for each fiber: `choose` reads them. */
  readonly byFiber: boolean
  /** An integer from 0 up to `width`, which is at least 2. `running` is the lane of the fiber that may pause. */
  choose(question: Question, width: number, run: Asking, running: Ranked): number
}

/** Does what a schedule says, and the usual thing everywhere else. */
export class Replay implements Strategy {
  readonly busy: boolean
  readonly pauseAt: PauseAt
  readonly cancelAt: number | undefined
  readonly byFiber = false
  private readonly choices: ReadonlyMap<number, number>
  private asked = 0

  constructor(schedule: Schedule = usualOrder) {
    this.busy = schedule.busy
    this.pauseAt = schedule.pauseAt
    this.cancelAt = schedule.cancelAt
    this.choices = new Map(schedule.deviations.map(({ at, choice }) => [at, choice]))
  }

  choose(_question: Question, width: number): number {
    return Math.min(this.choices.get(this.asked++) ?? 0, width - 1)
  }
}

/** Ready tasks in any order, and a pause with a given probability. */
export class RandomWalk implements Strategy {
  readonly busy: boolean
  readonly pauseAt: PauseAt
  readonly cancelAt: number | undefined
  readonly byFiber = false
  private readonly random: SeededRandom
  private readonly pause: number

  constructor(random: SeededRandom, pause: number, busy: boolean, pauseAt: PauseAt, cancelAt: number | undefined) {
    this.random = random
    this.pause = pause
    this.busy = busy
    this.pauseAt = pauseAt
    this.cancelAt = cancelAt
  }

  choose(question: Question, width: number): number {
    const { random } = this
    if (question === "due") return random.below(width)
    if (question === "pause") return random.next() < this.pause ? 1 + random.below(width - 1) : 0
    // Time seldom passes while somebody is ready, or nothing would ever be in time.
    if (!this.busy) return random.below(width)
    return random.next() < 0.03 ? width - 1 : random.below(Math.max(width - 1, 1))
  }
}

/** So often in a row the same fiber may be first. */
const mostTurns = 20

/**
 * Probabilistic concurrency testing (Burckhardt and others, 2010): every fiber has
 * a random priority, the highest one always runs, and at `depth - 1` random steps
 * the running fiber becomes the lowest. A bug that needs `d` ordered steps of `n`
 * fibers is found with a probability of at least 1 / (n * steps^(d-1)), however
 * rarely a random walk would meet it.
 */
export class Priorities implements Strategy {
  readonly busy = false
  readonly pauseAt: PauseAt
  readonly cancelAt: number | undefined
  readonly byFiber = true
  private readonly random: SeededRandom
  private readonly changes: ReadonlySet<number>
  private lowest = 0
  private last: Ranked | undefined = undefined
  private turns = 0

  constructor(random: SeededRandom, depth: number, steps: number, pauseAt: PauseAt, cancelAt: number | undefined) {
    this.random = random
    this.pauseAt = pauseAt
    this.cancelAt = cancelAt
    this.changes = new Set(Array.from({ length: depth - 1 }, () => random.below(Math.max(steps, 1))))
  }

  private priority(lane: Ranked): number {
    return lane.priority ??= this.random.next()
  }

  /** The lane with the highest priority; the longest ready one of several tasks of a fiber. */
  private best(run: Asking): number {
    let best = 0
    for (let i = 1; i < run.ready.length; i++) {
      if (this.priority(run.ready[i]!.lane) > this.priority(run.ready[best]!.lane)) best = i
    }
    return best
  }

  // A fiber that only gives way until somebody else has acted would starve that one for ever.
  private notFor(best: number, run: Asking): number {
    const { lane } = run.ready[best]!
    this.turns = lane === this.last ? this.turns + 1 : 0
    this.last = lane
    if (this.turns < mostTurns) return best
    this.turns = 0
    lane.priority = --this.lowest
    return this.best(run)
  }

  choose(question: Question, width: number, run: Asking, running: Ranked): number {
    if (question === "due") return this.random.below(width)
    if (question === "pause" && this.changes.has(run.steps)) running.priority = --this.lowest
    if (question === "pause" && running !== run.bottom) return this.priority(run.bottom) > this.priority(running) ? 1 : 0
    const best = this.best(run)
    if (question === "turn") return this.notFor(best, run)
    return this.priority(run.ready[best]!.lane) > this.priority(running) ? best + 1 : 0
  }
}

/** One path of a depth-first search: the given answers, then the usual ones. {@link next} is the path after it. */
export class DepthFirst implements Strategy {
  readonly busy = false
  readonly pauseAt: PauseAt
  readonly cancelAt = undefined
  readonly byFiber = false
  private readonly prefix: ReadonlyArray<number>
  private readonly taken: Array<number> = []
  private readonly widths: Array<number> = []
  private readonly mostPauses: number
  private pauses = 0

  constructor(prefix: ReadonlyArray<number>, mostPauses: number, pauseAt: PauseAt) {
    this.prefix = prefix
    this.mostPauses = mostPauses
    this.pauseAt = pauseAt
  }

  choose(question: Question, width: number): number {
    const isPause = question === "pause"
    const index = this.taken.length
    const choice = index < this.prefix.length ? this.prefix[index]! : 0
    this.taken.push(choice)
    this.widths.push(isPause && this.pauses >= this.mostPauses ? 1 : width)
    if (isPause && choice > 0) this.pauses++
    return choice
  }

  /** The prefix of the next path; `undefined` when there is none. */
  next(): ReadonlyArray<number> | undefined {
    let last = this.taken.length - 1
    while (last >= 0 && this.taken[last]! + 1 >= this.widths[last]!) last--
    if (last < 0) return undefined
    return [...this.taken.slice(0, last), this.taken[last]! + 1]
  }
}
