/** The words that come up where somebody points. */
import type { Pen } from "./SvgPen.ts"
import type { Row } from "./TimelineModel.ts"
import { cancelText, duration, endingOf, endingWords, fullError, glyphs, manyLines, oneLine, plural, titleOf } from "./TimelineWords.ts"

/** All that is known of a row, for those who point at it. */
export const detailsOf = (pen: Pen, row: Row): string => {
  const { rows } = pen.timeline
  const end = row.end === undefined ? "" : ` to ${duration(row.end.at)} (${duration(row.end.at - row.begin.at)})`
  const lines = [titleOf(row), `${row.end === undefined ? "since" : "from"} ${duration(row.begin.at)}${end}`]
  const error = fullError(row)
  lines.push(`${glyphs[endingOf(row)]} ${endingWords[endingOf(row)]}${error === undefined ? "" : `: ${error}`}`)
  const cancel = pen.toldBy.get(row.id)
  if (cancel !== undefined) {
    const from = cancel.from === undefined ? "" : ` by ${titleOf(rows[cancel.from]!)}`
    lines.push(`${glyphs.cancelled} cancelled at ${duration(cancel.at.at)}${from}: ${cancelText(cancel)}`)
}
  if (row.startedBy !== undefined && row.startedBy !== row.parent) lines.push(`started by ${titleOf(rows[row.startedBy]!)}`)
  if (row.waits.length > 0) lines.push(...waitLines(row))
  return manyLines(lines.join("\n"))
}

export const lasted = (from: number, to: number | undefined): string =>
  to === undefined ? `, since ${duration(from)}` : `: ${duration(to - from)}, from ${duration(from)} to ${duration(to)}`

const shownWaits = 8

const waitLines = (row: Row): Array<string> => {
  const total = new Map<string, { millis: number; count: number; open: boolean }>()
  for (const wait of row.waits) {
    const sum = total.get(wait.label) ?? { millis: 0, count: 0, open: false }
    total.set(wait.label, {
      millis: sum.millis + (wait.end === undefined ? 0 : wait.end.at - wait.begin.at),
      count: sum.count + 1,
      open: sum.open || wait.end === undefined
    })
  }
  const lines = [...total].slice(0, shownWaits).map(([label, { count, millis, open }]) =>
    `${oneLine(label)}${open ? " (still)" : `: ${duration(millis)}`}${count > 1 ? ` in ${plural(count, "wait")}` : ""}`)
  if (total.size > shownWaits) lines.push(`and ${plural(total.size - shownWaits, "other wait")}`)
  return lines
}
