/** The words of the protocol (PROTOCOL.md): what clients say, read; and what they are told, written. */
import type { Stored } from "./Bus.ts"

/** What comes before the chat. */
export type Hello =
  | { readonly _tag: "Caps"; readonly names: ReadonlyArray<string> }
  | { readonly _tag: "Connect"; readonly name: string }
  | { readonly _tag: "Resume"; readonly token: string; readonly lastSeq: string }
  | { readonly _tag: "Unknown" }

/** What a client can ask for, beyond the plain protocol. */
export const capabilities = ["ack", "resume", "history"] as const
export type Capability = typeof capabilities[number]

const hello = /^(CAPS|CONNECT|RESUME)((?: [^ ]+)+)$/u

export const readHello = (line: string): Hello => {
  const [, word, rest = ""] = hello.exec(line) ?? []
  const words = rest.slice(1).split(" ")
  if (word === "CAPS") return { _tag: "Caps", names: words }
  if (word === "CONNECT" && words.length === 1) return { _tag: "Connect", name: words[0]! }
  if (word === "RESUME" && words.length === 2) return { _tag: "Resume", token: words[0]!, lastSeq: words[1]! }
  return { _tag: "Unknown" }
}

/** What somebody in the chat says. */
export type Said =
  | { readonly _tag: "Nothing" }
  | { readonly _tag: "Text"; readonly text: string }
  | { readonly _tag: "Command"; readonly name: string; readonly rest: string }

export const readSaid = (text: string): Said => {
  if (text === "") return nothing
  if (text.charCodeAt(0) !== slash) return { _tag: "Text", text: visible(text) }
  if (text.charCodeAt(1) === slash) return { _tag: "Text", text: visible(text.slice(1)) }
  const space = text.indexOf(" ")
  const name = space === -1 ? text.slice(1) : text.slice(1, space)
  return { _tag: "Command", name, rest: space === -1 ? "" : text.slice(space + 1).trim() }
}

const nothing: Said = { _tag: "Nothing" }
const slash = 47

/** `MSG id text`, of a client that wants to know whether it was accepted. */
export interface Numbered {
  readonly id: string | undefined
  readonly text: string
}

const numbered = /^MSG ([A-Za-z0-9_-]{1,64}) (.*)$/su

/** Without an id it is a plain line. */
export const readNumbered = (line: string): Numbered => {
  const [, id, text = line] = numbered.exec(line) ?? []
  return { id, text }
}

/** The id of a line of which only the beginning is known. */
export const idIn = (head: string): string | undefined => /^MSG ([A-Za-z0-9_-]{1,64}) /u.exec(head)?.[1]

// oxlint-disable-next-line no-control-regex
const control = /[\u0000-\u0008\u000A-\u001F\u007F-\u009F\u2028\u2029]/gu

/** Control characters would move the cursor of whoever reads the chat in a bare terminal. Their pictures do not. */
export const visible = (text: string): string => {
  control.lastIndex = 0
  return control.test(text) ? text.replace(control, pictureOf) : text
}

const pictureOf = (character: string): string => {
  const code = character.charCodeAt(0)
  return code < 32 ? String.fromCharCode(0x2400 + code) : code === 127 ? "\u2421" : "\uFFFD"
}

/** Why something was refused: one word for programs. */
export type Reason =
  | "name-taken"
  | "name-invalid"
  | "protocol"
  | "flood"
  | "too-long"
  | "idle"
  | "slow"
  | "full"
  | "unknown-command"
  | "no-such-user"
  | "room-invalid"
  | "utf8"
  | "shutdown"
  | "resume-unknown"
  | "resumed"
  | "unavailable"

/** Something that was asked for and will not be done. */
export interface Refusal {
  readonly _tag: "Refusal"
  readonly reason: Reason
  readonly text: string
}

export const refusal = (reason: Reason, text: string): Refusal => ({ _tag: "Refusal", reason, text })

// What clients are told. Each is a line without its end.
export const welcome = (online: number): string => `Welcome! ${online} user(s) are online!`
export const connected = (name: string): string => `${name} connected!`
export const left = (name: string): string => `${name} has left the chat`
export const leftFor = (name: string, room: string): string => `${name} has left for ${room}`
export const joined = (name: string, room: string): string => `${name} joined ${room}`
export const renamed = (old: string, name: string): string => `${old} is now known as ${name}`
export const says = (name: string, text: string): string => `${name}: ${text}`
export const acts = (name: string, text: string): string => `* ${name} ${text}`
/** A line of the history. */
export const textOf = ({ event }: Stored): string => event._tag === "Said" ? says(event.name, event.text) : acts(event.name, "text" in event ? event.text : "")
export const whispers = (name: string, text: string): string => `${name} (private): ${text}`
export const reply = (text: string): string => `-- ${text}`
export const error = ({ reason, text }: Refusal): string => `ERR ${reason} ${text}`
export const ack = (id: string): string => `ACK ${id}`
export const nak = (id: string, { reason, text }: Refusal): string => `NAK ${id} ${reason} ${text}`
export const token = (token: string): string => `TOKEN ${token}`
export const seq = (seq: string, line: string): string => `SEQ ${seq} ${line}`
export const history = (count: number): string => `HISTORY ${count}`
export const past = (said: Stored): string => `PAST ${Math.floor(said.at / 1000)} ${textOf(said)}`
export const resumed = (name: string): string => `RESUMED ${name}`
export const caps = (granted: ReadonlyArray<Capability>): string => ["CAPS", ...granted].join(" ")
export const missedSome = reply("some messages were missed")
