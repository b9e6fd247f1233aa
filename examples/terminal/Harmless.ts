/**
 * Text of strangers, made harmless.
 *
 * A terminal obeys what it is sent: an escape sequence in a message could clear the screen, write over what somebody else
 * has said, change the title of the window, or answer the terminal's own questions as if the user had typed. So nothing
 * that steers is let through. It is not taken away either: who reads it should see that it was there.
 */

// oxlint-disable-next-line no-control-regex
const steers = /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufff9-\ufffb\ufeff]/g

/** Such as half of an emoji. With `u`, this finds only those without their other half. */
const loneHalf = /[\ud800-\udfff]/gu

/** Marks that are piled up reach over the lines above and below. No language needs more than this. */
const piledMarks = /(\p{M}{6})\p{M}+/gu

/** A mark with nothing to stand on. */
const leadingMark = /^(?=\p{M})/u

const plain = /^[\x20-\x7e]*$/

const replacement = "\ufffd"

const shown = (char: string): string => {
  const code = char.charCodeAt(0)
  if (char === "\t") return "    "
  // Unicode has pictures for them: U+241B is a small "ESC".
  if (code < 0x20) return String.fromCharCode(0x2400 + code)
  if (code === 0x7f) return "\u2421"
  if (code === 0x2028 || code === 0x2029) return "\u2424"
  // The rest: what older terminals take for escape sequences, and what turns the order of letters around.
  return replacement
}

/** One line of text that a terminal shows and does not obey. */
export const harmless = (text: string): string =>
  plain.test(text)
    ? text
    : text.replace(loneHalf, replacement).replace(steers, shown).replace(piledMarks, "$1").replace(leadingMark, "\u25cc")
