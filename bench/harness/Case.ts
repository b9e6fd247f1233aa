/** What a benchmark is: a question, the sides that answer it, and the targets that are judged. */
import type { Share } from "./profile.ts"

/**
 * Does `n` operations and returns how many of them it has really done, so that a side that loses work
 * cannot win. `mark` begins a second, inner measurement that lasts until the end. `tell` gives a figure
 * that is not time per operation; of several the median counts.
 */
export interface Run {
  (n: number, mark: () => void, tell: Tell): Promise<number>
  /** Where the work is done, if not in this process. */
  readonly elsewhere?: Elsewhere
}

/** What another process has used. */
export interface Elsewhere {
  cpuMs(): number
  resetPeak(): void
  peakMB(): number
}

/** `what` says what the figure is, with its unit. */
export type Tell = (what: string, figure: number) => void

/** Does the whole measurement, with its own warm-up, and says what `n` operations have cost. */
export interface ByTime {
  (n: number, tell: Tell): Promise<{ readonly wallMs: number; readonly cpuMs: number; readonly rssMB: number }>
  /** The same under the profiler. */
  readonly profile?: () => Promise<ReadonlyArray<Share>>
}

export interface Side {
  /** Operations in one timed section. */
  readonly n: number
  /** The section is this many times `n`, for what is too short to be measured once. */
  readonly repeat?: number
  /** Operations of each of the ten warm-up runs; a fiftieth of `n` unless given. */
  readonly warm?: number
  /** What the reader must know of this row. */
  readonly note?: string
  /** At most so many rounds, for what is very slow. */
  readonly atMostRounds?: number
  /** For Node, when this process is what is measured. */
  readonly flags?: ReadonlyArray<string>
  /** A build of the library other than this tree: returns its folder. */
  readonly library?: () => string
  /** Imports only what this side needs, so that memory is this side's. Python sides have none: python/ has them by name. */
  readonly load?: () => Promise<Run>
  /** In place of `load`, for who is measured for a time and not for a number of operations. */
  readonly byTime?: ByTime
  readonly python?: "asyncio" | "trio"
}

/** The median figures of one side. */
export interface Row {
  readonly n: number
  readonly wallMs: number
  readonly cpuMs: number
  readonly rssMB: number
  /** CPU nanoseconds of one operation. */
  readonly cpuNs: number
  readonly wallNs: number
  /** CPU nanoseconds of each round. */
  readonly rounds: ReadonlyArray<number>
  /** What the side told, by what it is. */
  readonly told: Readonly<Record<string, number>>
  /** From `mark` on. */
  readonly marked?: { readonly wallMs: number; readonly cpuMs: number } | undefined
}

export type Rows = ReadonlyMap<string, Row>

export interface Target {
  /** What is compared, as a sentence without the numbers. */
  readonly what: string
  readonly unit: string
  readonly better: "higher" | "lower"
  readonly must: number
  readonly stretch?: number
  /** Undefined when a row that it needs is not here. */
  readonly value: (rows: Rows) => number | undefined
  /** Another way to have reached `must`. */
  readonly or?: { readonly what: string; readonly holds: (rows: Rows) => boolean }
}

export interface Case {
  readonly name: string
  readonly question: string
  /** Makes what is measured. Cases that share it have it made once. */
  readonly prepare?: () => Promise<void>
  /** Ratios are to this side. */
  readonly reference: string
  readonly sides: Readonly<Record<string, Side>>
  readonly targets: ReadonlyArray<Target>
  readonly notes?: ReadonlyArray<string>
}

/** How the rows of this library are called. */
export const ours = "effect-nursery"

/** CPU per operation of `peer` over that of `side`. */
export const faster = (peer: string, must: number, stretch?: number, side = ours): Target => ({
  what: `${side}, CPU: times as fast as ${peer}`,
  unit: "×",
  better: "higher",
  must,
  ...(stretch === undefined ? {} : { stretch }),
  value: (rows) => {
    const [a, b] = [rows.get(side), rows.get(peer)]
    return a && b && b.cpuNs / a.cpuNs
  }
})

/** What a side told. */
export const toldAtMost = (what: string, unit: string, must: number, stretch?: number, side = ours): Target => ({
  what: `${side}: ${what}`,
  unit,
  better: "lower",
  must,
  ...(stretch === undefined ? {} : { stretch }),
  value: (rows) => rows.get(side)?.told[what]
})

export const memoryAtMost = (megabytes: number, side = ours): Target => ({
  what: `${side}: peak RSS`,
  unit: " MB",
  better: "lower",
  must: megabytes,
  value: (rows) => rows.get(side)?.rssMB
})

export const completes = (side: string): Target => ({
  what: `${side}: completes (1 is yes)`,
  unit: "",
  better: "higher",
  must: 1,
  value: (rows) => rows.has(side) ? 1 : 0
})
