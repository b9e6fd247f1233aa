/** What happened, in words: for readers of text, and for those who cannot see the picture. */
import { cutToColumns } from "./TextWidth.ts"
import { type Cancel, isBlock, type Row, type Timeline } from "./TimelineModel.ts"
import { cancelText, cleanupText, duration, endingOf, endingText, glyphs, plural, titleOf } from "./TimelineWords.ts"

export interface Sentence {
  readonly at: number
  readonly step: number
  readonly glyph: string
  readonly text: string
}

/** Failures, cancellations and slow cleanups, in order. */
export const storyOf = (timeline: Timeline): ReadonlyArray<Sentence> => {
  const sentences: Array<Sentence & { readonly rank: number }> = []
  for (const row of timeline.rows) {
    const ending = endingOf(row)
    if ((ending === "failed" || ending === "died") && row.end !== undefined) {
      sentences.push({ ...row.end, rank: 0, glyph: glyphs[ending], text: `${shortTitle(row)} ${endingText(row)}` })
    }
    for (const cleanup of row.cleanups) {
      if (cleanup.end === undefined || cleanup.end.at === cleanup.begin.at) continue
      const took = duration(cleanup.end.at - cleanup.begin.at)
      sentences.push({ ...cleanup.end, rank: 2, glyph: "·", text: `${shortTitle(row)}: ${cleanupText(cleanup)} took ${took}` })
    }
  }
  for (const cancel of timeline.cancels) sentences.push({ ...cancel.at, rank: 1, glyph: glyphs.cancelled, text: told(timeline, cancel) })
  return sentences.sort((a, b) => a.at - b.at || a.step - b.step || a.rank - b.rank)
}

/** Such as `brew tea cancelled nursery breakfast (bake bread, feed the cat and 7 others): brew tea failed`. */
const told = ({ rows }: Timeline, cancel: Cancel): string => {
  const name = (row: number) => shortTitle(rows[row]!)
  const what = name(cancel.to)
  const others = cancel.told.filter(({ row }) => row !== cancel.to && row !== cancel.from).map(({ row }) => rows[row]!)
  const whom = others.length === 0 ? what : isBlock(rows[cancel.to]!) ? `${what} (${listOf(others)})` : listOf([rows[cancel.to]!, ...others])
  const head = cancel.from === undefined || cancel.from === cancel.to
    ? `${whom} ${others.length > 0 && !isBlock(rows[cancel.to]!) ? "were" : "was"} cancelled`
    : `${name(cancel.from)} cancelled ${whom}`
  return `${head}: ${cutToColumns(cancelText(cancel), longestWhy)}`
}

const longestName = 48
const longestWhy = 120
const shownNames = 3

const shortTitle = (row: Row): string => cutToColumns(titleOf(row), longestName)

const listOf = (rows: ReadonlyArray<Row>): string => {
  const names = rows.slice(0, rows.length === shownNames + 1 ? shownNames + 1 : shownNames).map(shortTitle)
  const more = rows.length - names.length
  if (more > 0) return `${names.join(", ")} and ${plural(more, "other")}`
  return names.length === 1 ? names[0]! : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`
}
