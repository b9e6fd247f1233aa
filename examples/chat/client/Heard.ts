/** Lines of the server, read. What each line means depends on what the server has granted (PROTOCOL.md). */

export type Heard =
  | { readonly _tag: "Caps"; readonly granted: ReadonlyArray<string> }
  | { readonly _tag: "Token"; readonly token: string }
  | { readonly _tag: "Resumed"; readonly name: string }
  | { readonly _tag: "History"; readonly count: number }
  /** Something of the past, with its time in milliseconds. */
  | { readonly _tag: "Past"; readonly at: number; readonly line: string }
  /** A line of the chat, with its number if the server gives numbers. */
  | { readonly _tag: "Chat"; readonly seq: string | undefined; readonly line: string }
  | { readonly _tag: "Ack"; readonly id: string }
  | { readonly _tag: "Nak"; readonly id: string; readonly reason: string; readonly text: string }
  | { readonly _tag: "Error"; readonly reason: string; readonly text: string }
  /** An answer of the server to us alone. */
  | { readonly _tag: "Reply"; readonly text: string }

/** What the server has granted: until it answers, nothing. */
export type Granted = ReadonlySet<string>

const word = (line: string): readonly [first: string, rest: string] => {
  const space = line.indexOf(" ")
  return space < 0 ? [line, ""] : [line.slice(0, space), line.slice(space + 1)]
}

/** Reads a line. A line that is no more than a line of the chat is just that. */
export const read = (line: string, granted: Granted): Heard => {
  const [first, rest] = word(line)
  if (first === "--") return { _tag: "Reply", text: rest }
  if (first === "ERR") {
    const [reason, text] = word(rest)
    return { _tag: "Error", reason, text }
  }
  if (granted.has("resume")) {
    if (first === "TOKEN") return { _tag: "Token", token: rest }
    if (first === "RESUMED") return { _tag: "Resumed", name: rest }
    if (first === "SEQ") {
      const [seq, text] = word(rest)
      return { _tag: "Chat", seq, line: text }
    }
  }
  if (granted.has("history")) {
    if (first === "HISTORY") return { _tag: "History", count: Number(rest) }
    if (first === "PAST") {
      const [seconds, text] = word(rest)
      return { _tag: "Past", at: Number(seconds) * 1000, line: text }
    }
  }
  if (granted.has("ack")) {
    if (first === "ACK") return { _tag: "Ack", id: rest }
    if (first === "NAK") {
      const [id, why] = word(rest)
      const [reason, text] = word(why)
      return { _tag: "Nak", id, reason, text }
    }
  }
  if (first === "CAPS") return { _tag: "Caps", granted: rest.split(" ").filter((name) => name !== "") }
  return { _tag: "Chat", seq: undefined, line }
}

/** Who says what. A name has no spaces and does not end in a colon, so a notice is never taken for words, nor words for a notice. */
export interface Said {
  readonly from: string
  /** `Acted` is what `/me` makes. */
  readonly manner: "Said" | "Acted" | "Whispered"
  readonly text: string
}

export const said = (line: string): Said | undefined => {
  const [, actor, deed] = /^\* (\S+) (.*)$/su.exec(line) ?? []
  if (actor !== undefined) return { from: actor, manner: "Acted", text: deed! }
  const [, from, whispers, text] = /^(\S+)( \(private\))?: (.*)$/su.exec(line) ?? []
  return from === undefined ? undefined : { from, manner: whispers === undefined ? "Said" : "Whispered", text: text! }
}

/** The new name of somebody, if a notice tells one. */
export const renamed = (line: string): { readonly old: string; readonly name: string } | undefined => {
  const [, old, name] = /^(\S+) is now known as (\S+)$/u.exec(line) ?? []
  return old === undefined || old.endsWith(":") ? undefined : { old, name: name! }
}
