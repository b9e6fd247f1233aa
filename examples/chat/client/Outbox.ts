/**
 * What the user has said and what has become of it.
 *
 * A message has an id and is sent until the server says that it has it: at least once. The server knows the ids that it has
 * seen, so it says each message once. One message is on its way at a time: so the order is kept even if one of them has to
 * be said again while those behind it would have been accepted.
 */

export type Entry =
  /** Not sent, or sent over a connection that was lost before the answer came; it goes out, again, when its turn has come. */
  | { readonly _tag: "Waiting"; readonly id: string; readonly text: string; readonly since: number; readonly notBefore: number; readonly said: boolean }
  /** Sent, and not answered. */
  | { readonly _tag: "Sent"; readonly id: string; readonly text: string; readonly since: number; readonly sentAt: number; readonly said: boolean }
  /** The server has it, but has not said it back to us yet. */
  | { readonly _tag: "Accepted"; readonly id: string; readonly text: string; readonly since: number; readonly acceptedAt: number; readonly said: false }

export type Outbox = ReadonlyArray<Entry>

export const empty: Outbox = []

export const add = (outbox: Outbox, id: string, text: string, now: number): Outbox =>
  [...outbox, { _tag: "Waiting", id, text, since: now, notBefore: now, said: false }]

/** The entry that may be sent now: the first that was not answered, if it is not on its way and its time has come. */
export const sendable = (outbox: Outbox, now: number): Entry | undefined => {
  const first = outbox.find((entry) => entry._tag !== "Accepted")
  return first?._tag === "Waiting" && first.notBefore <= now ? first : undefined
}

const change = (outbox: Outbox, id: string, f: (entry: Entry) => Entry | undefined): Outbox =>
  outbox.flatMap((entry) => {
    if (entry.id !== id) return [entry]
    const changed = f(entry)
    return changed === undefined ? [] : [changed]
  })

export const sent = (outbox: Outbox, id: string, now: number): Outbox =>
  change(outbox, id, ({ said, since, text }) => ({ _tag: "Sent", id, text, since, sentAt: now, said }))

/** Most commands say nothing, and what was said back is done with. Only words are still waited for. */
export const accepted = (outbox: Outbox, id: string, now: number): Outbox =>
  change(outbox, id, ({ said, since, text }) =>
    said || wordsOf(text) === undefined ? undefined : { _tag: "Accepted", id, text, since, acceptedAt: now, said: false })

export const removed = (outbox: Outbox, id: string): Outbox => outbox.filter((entry) => entry.id !== id)

/** Back to the queue, until then. */
export const postponed = (outbox: Outbox, id: string, until: number): Outbox =>
  change(outbox, id, ({ said, since, text }) => ({ _tag: "Waiting", id, text, since, notBefore: until, said }))

/** The connection was lost: what was on its way has to be sent again. */
export const requeued = (outbox: Outbox): Outbox =>
  outbox.map((entry): Entry => entry._tag === "Sent" ? { ...entry, _tag: "Waiting", notBefore: entry.since } : entry)

export interface Words {
  readonly manner: "Said" | "Acted"
  readonly text: string
}

/** What the server says to everybody when this is entered. Of all commands it repeats only `/me`. */
export const wordsOf = (entered: string): Words | undefined => {
  if (!isCommand(entered)) return { manner: "Said", text: entered.startsWith("//") ? entered.slice(1) : entered }
  const [, deed] = /^\/me (.*\S)/su.exec(entered) ?? []
  return deed === undefined ? undefined : { manner: "Acted", text: deed.trim() }
}

export const isCommand = (entered: string): boolean => entered.startsWith("/") && !entered.startsWith("//")

/** Whether somebody is to read it. Other commands ask or change something, and are no messages. */
export const isMessage = (entered: string): boolean => wordsOf(entered) !== undefined || /^\/msg +\S+ +\S/u.test(entered)

// Servers show control characters as pictures, or replace them.
// oxlint-disable-next-line no-control-regex
const comparable = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u2400-\u2421\ufffd]/gu, "?").normalize("NFC").trim()

/** The oldest entry that these words of the server can be. */
export const echoed = (outbox: Outbox, words: Words): Entry | undefined => {
  const isIt = (entry: Entry): boolean => {
    const own = wordsOf(entry.text)
    return !entry.said && own?.manner === words.manner && comparable(own.text) === comparable(words.text)
  }
  return outbox.find((entry) => entry._tag !== "Waiting" && isIt(entry))
    // It came before the answer, and then the connection was lost.
    ?? outbox.find(isIt)
}

/** These words were said back. If the answer has come too, nothing is left to wait for. */
export const heard = (outbox: Outbox, id: string): Outbox =>
  change(outbox, id, (entry) => entry._tag === "Accepted" ? undefined : { ...entry, said: true })

/** There is a connection again: what was accepted before may be said back from now on. */
export const patient = (outbox: Outbox, now: number): Outbox =>
  outbox.map((entry): Entry => entry._tag === "Accepted" ? { ...entry, acceptedAt: now } : entry)
