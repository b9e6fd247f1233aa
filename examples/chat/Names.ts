/**
 * Names of users: what may be one, and which are the same.
 *
 * A name is shown as it was typed, in the composed form of Unicode (NFC). Two names are the same when their keys are: so
 * `Admin` and `admin` cannot both be there, nor two that differ only in how an accent was typed.
 */

/** A name that somebody may have. */
export interface Name {
  readonly _tag: "Name"
  /** As it is shown. */
  readonly shown: string
  /** The same for all that count as one name. */
  readonly key: string
}

export interface NotAName {
  readonly _tag: "NotAName"
  readonly why: string
}

/** In characters of Unicode: an emoji is one or a few. */
export const longestName = 32

/** A notice that begins with one of them would look like something else: `ERR connected!`. */
const reserved = new Set(["--", "*", "ERR", "ACK", "NAK", "SEQ", "TOKEN", "HISTORY", "PAST", "RESUMED", "CAPS", "Welcome!"])

/** Control characters, spaces, and what has no look of its own. A zero-width joiner may stay: families of emoji need it. */
const forbidden = /[\p{Cc}\p{Z}\p{Cs}\p{Co}\p{Cn}]|(?!\u200D)\p{Cf}/u
const invisible = /\p{Default_Ignorable_Code_Point}/gu

const no = (why: string): NotAName => ({ _tag: "NotAName", why })

/** Reads a name. */
export const read = (text: string): Name | NotAName => {
  const shown = text.normalize("NFC")
  if (shown === "") return no("a name has at least one character")
  if ([...shown].length > longestName) return no(`a name has at most ${longestName} characters`)
  if (forbidden.test(shown)) return no("a name has no spaces and no control characters")
  // `name: text` must have one meaning.
  if (shown.endsWith(":")) return no("a name does not end in a colon")
  if (reserved.has(shown)) return no(`${shown} is a word of the protocol`)
  const key = keyOf(shown)
  return key === "" ? no("a name has at least one visible character") : { _tag: "Name", shown, key }
}

/** Also for a text that is no name: then nobody has this key. */
export const keyOf = (text: string): string =>
  // Up and down again, because some small letters have no single capital: `ß` is the same as `ss`.
  text.normalize("NFKC").replace(invisible, "").toLowerCase().toUpperCase().toLowerCase().normalize("NFKC")
