/** What the conversation looks like on a screen, and in a pipe. */
import { cutTo } from "../../terminal/Clusters.ts"
import type { Line, Style } from "../../terminal/Line.ts"
import { line } from "../../terminal/Line.ts"
import type { Conversation, Shown } from "./Conversation.ts"
import { said } from "./Heard.ts"
import type { Entry } from "./Outbox.ts"

const two = (n: number): string => String(n).padStart(2, "0")

/** Hours and minutes where the user lives. */
const timeOf = (at: number): string => {
  const date = new Date(at)
  return `${two(date.getHours())}:${two(date.getMinutes())}`
}

const nameStyles: ReadonlyArray<Style> = ["cyan", "yellow", "magenta", "blue"]

/** Each name has its colour, everywhere the same. */
const styleOf = (name: string): Style => {
  let sum = 0
  for (const char of name) sum = (sum * 31 + char.codePointAt(0)!) % 9_973
  return nameStyles[sum % nameStyles.length]!
}

const chatLine = (text: string, own: string): Line => {
  const words = said(text)
  if (words === undefined) return line(text, "dim")
  const name = { text: words.from, style: words.from === own ? "green" as const : styleOf(words.from) }
  if (words.manner === "Acted") return [{ text: "* " }, name, { text: ` ${words.text}` }]
  return [name, ...words.manner === "Whispered" ? [{ text: " (private)", style: "dim" as const }] : [], { text: `: ${words.text}` }]
}

/** The beginning of a message says which one it was. */
const longestFailed = 100

/** A line of the conversation on the screen. */
export const onScreen = (shown: Shown, own: string, now: number): Line => {
  switch (shown._tag) {
    case "Chat":
      return [{ text: `${timeOf(shown.at ?? now)} `, style: "dim" }, ...chatLine(shown.line, own), ...shown.delivered ? [{ text: " ✓", style: "green" as const }] : []]
    case "Reply":
      return line(`-- ${shown.text}`, "cyan")
    case "Problem":
      return line(`!! ${shown.text}`, "yellow")
    case "Failed":
      // All of it is in the history of the input, one ↑ away.
      return line(`✗ not delivered: ${cutTo(shown.text, longestFailed)} (${shown.why})`, "red")
  }
}

/** The same in a pipe: what the server has said as it has said it, without what changes from run to run. */
export const inPipe = (shown: Shown): { readonly text: string; readonly isError: boolean } => {
  switch (shown._tag) {
    case "Chat":
      return { text: shown.line, isError: false }
    case "Reply":
      return { text: `-- ${shown.text}`, isError: false }
    case "Problem":
      return { text: shown.text, isError: true }
    case "Failed":
      return { text: `not delivered: ${shown.text} (${shown.why})`, isError: true }
  }
}

const mostPending = 3

const pendingLine = (entry: Entry): Line => line(entry._tag === "Waiting" ? `○ ${entry.text}` : `… ${entry.text}`, "dim")

/** What stands above the input: the state of the connection if there is none, and our messages that are on their way. */
export const notesOf = (conversation: Conversation, status: string): ReadonlyArray<Line> => {
  const pending = conversation.outbox.filter((entry) => !entry.said)
  const more = pending.length - mostPending
  return [
    ...status === "" ? [] : [line(status, "yellow")],
    ...pending.slice(0, mostPending).map(pendingLine),
    ...more > 0 ? [line(`… and ${more} more`, "dim")] : []
  ]
}
