/** Medians, ratios and targets, as a table and as JSON. */
import type { Case, Row, Rows, Target } from "./Case.ts"
import type { Measurement, Sizes } from "./measure.ts"
import { median } from "./median.ts"
import type { Share } from "./profile.ts"

/** All that was measured of one side, or why nothing was. */
export interface Measured extends Sizes {
  readonly rounds: Array<Measurement>
  problem?: string
  profile?: ReadonlyArray<Share>
}

export interface CaseResult {
  readonly case: Case
  readonly sides: ReadonlyMap<string, Measured>
}

const rowOf = ({ n, repeat, rounds }: Measured): Row => {
  const operations = n * repeat
  const of = (pick: (round: Measurement) => number) => median(rounds.map(pick))
  const marked = rounds.flatMap((round) => round.marked ?? [])
  return {
    n,
    wallMs: of((round) => round.wallMs),
    cpuMs: of((round) => round.cpuMs),
    rssMB: of((round) => round.rssMB),
    cpuNs: of((round) => round.cpuMs) * 1e6 / operations,
    wallNs: of((round) => round.wallMs) * 1e6 / operations,
    rounds: rounds.map((round) => round.cpuMs * 1e6 / operations),
    told: toldIn(rounds),
    marked: marked.length === 0
      ? undefined
      : { wallMs: median(marked.map((m) => m.wallMs)), cpuMs: median(marked.map((m) => m.cpuMs)) }
  }
}

const toldIn = (rounds: ReadonlyArray<Measurement>): Row["told"] =>
  Object.fromEntries(Object.keys(rounds[0]!.told).map((what) => [what, median(rounds.map((round) => round.told[what]!))]))

const rowsOf = (result: CaseResult): Rows =>
  new Map([...result.sides].flatMap(([name, side]) => side.rounds.length === 0 ? [] : [[name, rowOf(side)] as const]))

export interface Verdict {
  readonly what: string
  readonly value: number | undefined
  readonly must: number
  readonly stretch: number | undefined
  readonly outcome: "stretch reached" | "reached" | "MISSED" | "not measured"
  readonly text: string
}

const verdictOn = (target: Target, rows: Rows): Verdict => {
  const { better, must, or, stretch, unit, what } = target
  const value = target.value(rows)
  const meets = (limit: number) => value !== undefined && (better === "higher" ? value >= limit : value <= limit)
  const otherwise = value !== undefined && !meets(must) && or?.holds(rows) === true
  const outcome = value === undefined
    ? "not measured"
    : stretch !== undefined && meets(stretch)
    ? "stretch reached"
    : meets(must) || otherwise
    ? "reached"
    : "MISSED"
  const sign = better === "higher" ? "≥" : "≤"
  const limits = `must ${sign} ${figure(must)}` + (stretch === undefined ? "" : `, stretch ${sign} ${figure(stretch)}`)
  return {
    what,
    value,
    must,
    stretch,
    outcome,
    text: `${what}: ${value === undefined ? "–" : figure(value) + unit} (${limits}${
      otherwise ? `; ${or.what}` : ""
    }): ${outcome}`
  }
}

const figure = (value: number): string =>
  Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3)))

const columns = ["", "n", "wall ms", "CPU ms", "CPU ns/op", "spread", "RSS MB", "wall ×", "CPU ×"]

const ratio = (reference: number | undefined, own: number): string =>
  reference === undefined ? "" : (reference / own).toFixed(2)

const cells = (name: string, side: Measured, rows: Rows, reference: Row | undefined): Array<Array<string>> => {
  const row = rows.get(name)
  if (row === undefined) return [[name, figure(side.n), side.problem ?? ""]]
  const spread = (Math.max(...row.rounds) - Math.min(...row.rounds)) / row.cpuNs
  const lines = [[
    name,
    figure(row.n) + (side.repeat === 1 ? "" : ` × ${side.repeat}`),
    figure(row.wallMs),
    figure(row.cpuMs),
    figure(row.cpuNs),
    side.rounds.length === 1 ? "" : `${Math.round(spread * 100)} %`,
    figure(row.rssMB),
    ratio(reference?.wallNs, row.wallNs),
    ratio(reference?.cpuNs, row.cpuNs)
  ]]
  if (row.marked !== undefined) {
    const { cpuMs, wallMs } = row.marked
    lines.push([
      "  from the cancel on",
      "",
      figure(wallMs),
      figure(cpuMs),
      figure(cpuMs * 1e6 / row.n),
      "",
      "",
      ratio(reference?.marked && reference.marked.wallMs / reference.n, wallMs / row.n),
      ratio(reference?.marked && reference.marked.cpuMs / reference.n, cpuMs / row.n)
    ])
  }
  return lines
}

export const toText = (result: CaseResult): string => {
  const { case: { name, notes = [], question, reference, sides }, sides: measured } = result
  const rows = rowsOf(result)
  const table = [columns, ...[...measured].flatMap(([side, all]) => cells(side, all, rows, rows.get(reference)))]
  const widths = columns.map((_, column) =>
    // A row that has only a problem to tell does not widen the columns.
    Math.max(...table.map((line) => (line.length === columns.length || column < 2 ? line[column]?.length ?? 0 : 0)))
  )
  const lines = table.map((line) =>
    line.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0]!) : line.length === columns.length || column < 2 ? cell.padStart(widths[column]!) : cell
    ).join("  ")
  )
  return [
    `## ${name}: ${question}`,
    ...lines,
    `  × is to "${reference}": how many times as fast, per operation`,
    ...[...rows].flatMap(([side, { told }]) => Object.entries(told).map(([what, value]) => `  ${side}: ${what}: ${figure(value)}`)),
    ...[...measured].flatMap(([side, { problem, rounds }]) => [
      ...(sides[side]?.note === undefined ? [] : [`  ${side}: ${sides[side].note}`]),
      ...(problem === undefined || rounds.length === 0 ? [] : [`  ${side}: round ${rounds.length + 1}: ${problem}`])
    ]),
    ...notes.map((note) => `  ${note}`),
    ...verdicts(result).map((verdict) => `  → ${verdict.text}`),
    ...[...measured].flatMap(([side, { profile = [] }]) =>
      profile.length === 0
        ? []
        : [`  ${side}: where the time goes`, ...profile.map((p) => `  ${p.percent.toFixed(1).padStart(6)} %  ${p.name}`)]
    )
  ].join("\n")
}

export const verdicts = (result: CaseResult): ReadonlyArray<Verdict> => {
  const rows = rowsOf(result)
  return result.case.targets.map((target) => verdictOn(target, rows))
}

/** Only the verdicts, for the end of a long run. */
export const summary = (results: ReadonlyArray<CaseResult>): string =>
  ["## Targets", ...results.flatMap((result) => verdicts(result).map((v) => `${result.case.name}: ${v.text}`))].join("\n")

export const toJSON = (result: CaseResult): unknown => ({
  case: result.case.name,
  question: result.case.question,
  reference: result.case.reference,
  sides: Object.fromEntries(
    [...result.sides].map(([name, { problem, profile, rounds, ...sizes }]) => [
      name,
      { ...sizes, problem, profile, median: rounds.length === 0 ? undefined : rowOf({ ...sizes, rounds }), rounds }
    ])
  ),
  targets: verdicts(result).map(({ text: _, ...verdict }) => verdict)
})
