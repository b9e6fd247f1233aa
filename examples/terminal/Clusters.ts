/**
 * What a reader calls a character, and how many columns of a terminal it takes.
 *
 * "é" may be two code points, a flag is two, a family of emoji is seven. A cursor must never stand inside of one, and
 * backspace takes all of it. `Intl.Segmenter` knows where one ends; how wide it is, nobody in JavaScript tells us, so the
 * tables for that are here: those of Unicode's East Asian Width, for the blocks that fonts have.
 */

const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" })

const onlyAscii = /^[\x20-\x7e]*$/

/** The characters of a text. Put together again they are the text. */
export const clustersOf = (text: string): Array<string> =>
  // Nearly every line is plain, and the segmenter costs a hundred times as much.
  onlyAscii.test(text) ? text.split("") : Array.from(segmenter.segment(text), ({ segment }) => segment)

// Marks stand on the character before them. So do the second halves of Hangul syllables, which need no rule here: the first
// half of the same cluster is wide already.
const takesNoColumn = /[\p{Mn}\p{Me}\p{Cf}\u1160-\u11ff]/u

const shownAsEmoji = /\p{Emoji_Presentation}/u

/** A picture that is asked for with U+FE0F, such as the red heart. */
const emojiSelector = "\ufe0f"

const wideRanges: ReadonlyArray<readonly [first: number, last: number]> = [
  [0x1100, 0x115F], // Hangul: first halves
  [0x2329, 0x232A],
  [0x2E80, 0x303E], // radicals, punctuation of Chinese and Japanese
  [0x3041, 0xA4CF], // kana, Chinese characters, Yi
  [0xA960, 0xA97F],
  [0xAC00, 0xD7A3], // Hangul
  [0xF900, 0xFAFF],
  [0xFE10, 0xFE19],
  [0xFE30, 0xFE6F],
  [0xFF00, 0xFF60], // full-width Latin
  [0xFFE0, 0xFFE6],
  [0x16FE0, 0x18DFF],
  [0x1AFF0, 0x1B2FF],
  [0x1F200, 0x1F265],
  [0x20000, 0x3FFFD] // the rarer Chinese characters
]

const isWide = (code: number): boolean => wideRanges.some(([first, last]) => code >= first && code <= last)

/** How many columns a character takes: 0, 1 or 2. */
export const widthOf = (cluster: string): number => {
  if (onlyAscii.test(cluster)) return cluster.length
  if (cluster.includes(emojiSelector)) return 2
  let width = 0
  for (const char of cluster) {
    const code = char.codePointAt(0)!
    // A character is as wide as the widest of its parts.
    if (isWide(code) || shownAsEmoji.test(char)) return 2
    if (width === 0 && !takesNoColumn.test(char)) width = 1
  }
  return width
}

/** How many columns a text takes, in one row. */
export const columnsOf = (text: string): number => {
  if (onlyAscii.test(text)) return text.length
  let columns = 0
  for (const cluster of clustersOf(text)) columns += widthOf(cluster)
  return columns
}

/** The text, or as much of it as there is room for, with "…" at its end. */
export const cutTo = (text: string, columns: number): string => {
  if (columnsOf(text) <= columns) return text
  let left = columns - 1
  let kept = ""
  for (const cluster of clustersOf(text)) {
    left -= widthOf(cluster)
    if (left < 0) break
    kept += cluster
  }
  return columns < 1 ? "" : `${kept}…`
}

/** The text with spaces behind it, or before it, up to so many columns. */
export const padTo = (text: string, columns: number, side: "left" | "right" = "left"): string => {
  const spaces = " ".repeat(Math.max(0, columns - columnsOf(text)))
  return side === "left" ? text + spaces : spaces + text
}
