/**
 * How wide a text is. From tables, because the same picture must come out where
 * other fonts are installed, and where none are.
 */

// Advance widths of Helvetica, in thousandths of the font size, from U+0020 to U+007E.
const ascii = [
  278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
  556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
  1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
  667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
  333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
  556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584
]

// Those who look at it may have a wider font: Verdana and DejaVu are, by up to a fifth.
const slack = 1.14

const isNothing = (code: number): boolean =>
  (code >= 0x300 && code <= 0x36F) || (code >= 0x200B && code <= 0x200F) || (code >= 0xFE00 && code <= 0xFE0F) ||
  (code >= 0x1AB0 && code <= 0x1AFF) || (code >= 0x20D0 && code <= 0x20FF) || (code >= 0xE0100 && code <= 0xE01EF)

const isWide = (code: number): boolean =>
  (code >= 0x1100 && code <= 0x115F) || (code >= 0x2E80 && code <= 0xA4CF) || (code >= 0xA960 && code <= 0xA97F) ||
  (code >= 0xAC00 && code <= 0xD7A3) || (code >= 0xF900 && code <= 0xFAFF) || (code >= 0xFE30 && code <= 0xFE6F) ||
  (code >= 0xFF00 && code <= 0xFF60) || (code >= 0xFFE0 && code <= 0xFFE6) || (code >= 0x1F300 && code <= 0x1F64F) ||
  (code >= 0x1F680 && code <= 0x1F6FF) || (code >= 0x1F900 && code <= 0x1FAFF) || (code >= 0x20000 && code <= 0x3FFFD)

const emOf = (char: string): number => {
  const code = char.codePointAt(0)!
  if (code >= 0x20 && code < 0x7F) return ascii[code - 0x20]! / 1000
  if (isNothing(code)) return 0
  return isWide(code) ? 1.05 : 0.62
}

/** In pixels. */
export const pixels = (text: string, size: number): number => {
  let width = 0
  for (const char of text) width += emOf(char)
  return width * size * slack
}

const columnsOf = (char: string): number => {
  const code = char.codePointAt(0)!
  return code < 0x300 ? 1 : isNothing(code) ? 0 : isWide(code) ? 2 : 1
}

/** In columns of a terminal. */
export const columns = (text: string): number => {
  let width = 0
  for (const char of text) width += columnsOf(char)
  return width
}

const cut = (text: string, room: number, measure: (char: string) => number): string => {
  let width = 0
  for (const char of text) width += measure(char)
  if (width <= room) return text
  let left = room - measure("…")
  let kept = ""
  for (const char of text) {
    left -= measure(char)
    if (left < 0) break
    kept += char
  }
  kept = kept.trimEnd()
  return kept === "" ? "" : `${kept}…`
}

/** The text, or as much of it as there is room for; `""` when that is nothing. */
export const cutToPixels = (text: string, room: number, size: number): string =>
  cut(text, room, (char) => emOf(char) * size * slack)

export const cutToColumns = (text: string, room: number): string => cut(text, room, columnsOf)

export const padToColumns = (text: string, width: number): string => text + " ".repeat(Math.max(0, width - columns(text)))
