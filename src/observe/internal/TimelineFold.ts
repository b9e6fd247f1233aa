/** Which rows are drawn one by one, and which together: nobody reads ten thousand lanes. */
import { endingOf } from "./TimelineWords.ts"
import type { Row, Timeline } from "./TimelineModel.ts"

export type Line =
  | { readonly _tag: "Row"; readonly row: Row; readonly depth: number }
  /** Rows below one parent that are drawn as one. */
  | { readonly _tag: "Folded"; readonly rows: ReadonlyArray<Row>; readonly depth: number }

/** At most about so many lines. What failed, and what cancelled others, stays visible longest. */
export const linesOf = (timeline: Timeline, maxRows: number): ReadonlyArray<Line> => {
  const { rows } = timeline
  if (rows.length <= maxRows) return rows.map((row) => ({ _tag: "Row", row, depth: row.depth }))
  const tree = childrenOf(rows)
  const important = importantRows(timeline)
  let least = Infinity
  let best: ReadonlyArray<Line> = []
  for (let perParent = 24; perParent >= 1; perParent = perParent >> 1) {
    const lines = fold(rows, tree, important, perParent, Infinity)
    if (lines.length <= maxRows) return lines
    if (lines.length < least) {
      least = lines.length
      best = lines
    }
  }
  // Deep rather than wide: cut below a depth.
  let fits = 0
  let over = best.reduce((depth, line) => Math.max(depth, line.depth), 0)
  while (fits + 1 < over) {
    const middle = (fits + over) >> 1
    if (fold(rows, tree, important, 1, middle).length <= maxRows) fits = middle
    else over = middle
  }
  return fold(rows, tree, important, 1, fits)
}

interface Tree {
  readonly roots: ReadonlyArray<number>
  readonly children: ReadonlyArray<ReadonlyArray<number>>
  /** The first row behind a row and everything below it. */
  readonly behind: ReadonlyArray<number>
}

const childrenOf = (rows: ReadonlyArray<Row>): Tree => {
  const roots: Array<number> = []
  const children: Array<Array<number>> = rows.map(() => [])
  for (const row of rows) (row.parent === undefined ? roots : children[row.parent]!).push(row.id)
  const behind: Array<number> = rows.map((row) => row.id + 1)
  // Rows stand below their parents, so from the end each child is finished first.
  for (let id = rows.length - 1; id >= 0; id--) {
    const parent = rows[id]!.parent
    if (parent !== undefined) behind[parent] = Math.max(behind[parent]!, behind[id]!)
  }
  return { roots, children, behind }
}

const importantRows = ({ cancels, rows }: Timeline): Set<number> => {
  const important = new Set<number>()
  const add = (id: number | undefined): void => {
    for (let at = id; at !== undefined && !important.has(at); at = rows[at]!.parent) important.add(at)
  }
  for (const cancel of cancels) {
    add(cancel.from)
    add(cancel.to)
  }
  for (const row of rows) {
    const ending = endingOf(row)
    if (ending === "failed" || ending === "died") add(row.id)
  }
  return important
}

const fold = (
  rows: ReadonlyArray<Row>,
  { behind, children, roots }: Tree,
  important: ReadonlySet<number>,
  perParent: number,
  deepest: number
): ReadonlyArray<Line> => {
  const lines: Array<Line> = []
  const todo: Array<number | Line> = []
  const add = (siblings: ReadonlyArray<number>, depth: number): void => {
    const kept: Array<number> = []
    const folded: Array<number> = []
    let others = 0
    let special = 0
    for (const id of siblings) {
      const keep = depth <= deepest && (important.has(id) ? special++ < perParent : others++ < perParent)
      ;(keep ? kept : folded).push(id)
    }
    // A line for one row saves nothing.
    if (folded.length === 1 && depth <= deepest && behind[folded[0]!] === folded[0]! + 1) kept.push(folded.pop()!)
    if (folded.length > 0) {
      todo.push({ _tag: "Folded", rows: folded.flatMap((id) => rows.slice(id, behind[id])), depth })
    }
    kept.sort((a, b) => a - b)
    for (let i = kept.length - 1; i >= 0; i--) todo.push(kept[i]!)
  }
  add(roots, 0)
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    if (typeof next !== "number") {
      lines.push(next)
      continue
    }
    const row = rows[next]!
    lines.push({ _tag: "Row", row, depth: row.depth })
    if (children[next]!.length > 0) add(children[next]!, row.depth + 1)
  }
  return lines
}

/** How many of these rows live, each time that changes. */
export const livingOf = (rows: ReadonlyArray<Row>, begin: (row: Row) => number, end: (row: Row) => number): ReadonlyArray<readonly [at: number, living: number]> => {
  const changes = rows.flatMap((row) => [[begin(row), 1], [end(row), -1]] as const).sort((a, b) => a[0] - b[0] || b[1] - a[1])
  const living: Array<readonly [number, number]> = []
  let now = 0
  for (const [at, change] of changes) {
    now += change
    if (living.at(-1)?.[0] === at) living[living.length - 1] = [at, now]
    else living.push([at, now])
  }
  return living
}
