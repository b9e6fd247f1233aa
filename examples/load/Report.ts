/** What a run has found, as a table and as JSON. */
import type { Statistics, Tally } from "./Statistics.ts"
import type { Ended, Plan } from "./Swarm.ts"

/** Times in milliseconds. They are those of all requests that ended, well or not. */
export interface Row {
  readonly name: string
  readonly count: number
  readonly failed: number
  readonly unfinished: number
  readonly perSecond: number
  readonly bytes: number
  readonly millis: { readonly mean: number; readonly p50: number; readonly p95: number; readonly p99: number; readonly max: number }
}

export interface Report {
  readonly scenario: string
  readonly url: string
  readonly users: number
  readonly seconds: number
  readonly ended: string
  readonly requests: ReadonlyArray<Row>
  readonly all: Row
  readonly failures: ReadonlyArray<{ readonly request: string; readonly kind: string; readonly count: number }>
}

const rowOf = ({ bytes, count, failed, name, times, unfinished }: Tally, seconds: number): Row => ({
  name,
  count,
  failed,
  unfinished,
  perSecond: seconds === 0 ? 0 : rounded(count / seconds),
  bytes,
  millis: {
    mean: rounded(times.mean),
    p50: rounded(times.quantile(0.5)),
    p95: rounded(times.quantile(0.95)),
    p99: rounded(times.quantile(0.99)),
    max: rounded(times.max)
  }
})

/** Three digits behind the point are microseconds: more than we know. */
const rounded = (value: number): number => Math.round(value * 1000) / 1000

export const make = ({ scenario, url }: Plan, ended: Ended, statistics: Statistics): Report => {
  const seconds = rounded(ended.millis / 1000)
  return {
    scenario: scenario.name,
    url: url.href,
    users: ended.users,
    seconds,
    ended: ended.reason,
    requests: statistics.byName.map((tally) => rowOf(tally, seconds)),
    all: rowOf(statistics.all, seconds),
    failures: statistics.byName.flatMap(({ failures, name }) => Array.from(failures, ([kind, count]) => ({ request: name, kind, count })))
      .sort((a, b) => b.count - a.count)
  }
}

// #region text
export const toText = (report: Report): string => {
  const head = ["request", "count", "failed", "p50", "p95", "p99", "max", "req/s"]
  const cells = ({ count, failed, millis, name, perSecond }: Row) =>
    [name, String(count), String(failed), ...[millis.p50, millis.p95, millis.p99, millis.max].map(inMillis), perSecond.toFixed(1)]
  const lines = [head, ...report.requests.map(cells), cells(report.all)]
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)))
  // Names to the left, numbers to the right.
  const table = lines.map((line) => line.map((cell, column) => column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)).join("  "))
  const { unfinished } = report.all
  return [
    `${report.scenario}: ${report.users} user(s) at ${report.url}, ${report.seconds.toFixed(1)} s (${report.ended})`,
    "",
    ...table,
    ...report.failures.length === 0 ? [] : ["", "failures:", ...report.failures.map(({ count, kind, request }) => `  ${count} × ${request}: ${kind}`)],
    ...unfinished === 0 ? [] : ["", `${unfinished} request(s) were under way when the run was over, and are not counted`]
  ].join("\n")
}
// #endregion

const inMillis = (millis: number): string => `${millis < 100 ? millis.toFixed(1) : millis.toFixed(0)} ms`

export const toJson = (report: Report): string => JSON.stringify(report, undefined, 2)
