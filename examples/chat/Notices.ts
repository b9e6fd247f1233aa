/** What users read when something happens, and where. */
import type { Missed, Stored, Token } from "./Bus.ts"
import * as Protocol from "./Protocol.ts"

export interface Notice {
  readonly room: string
  readonly line: string
}

const none: ReadonlyArray<Notice> = []

/** The lines that an event is in its rooms. A private message is in none. */
export const noticesOf = ({ event }: Stored): ReadonlyArray<Notice> => {
  const { name } = event
  switch (event._tag) {
    case "Said":
      return [{ room: event.room, line: Protocol.says(name, event.text) }]
    case "Acted":
      return [{ room: event.room, line: Protocol.acts(name, event.text) }]
    case "Joined":
      return [{ room: event.room, line: Protocol.connected(name) }]
    case "Left":
      return [{ room: event.room, line: Protocol.left(name) }]
    case "Renamed":
      return [{ room: event.room, line: Protocol.renamed(event.old, name) }]
    case "Moved":
      return [{ room: event.from, line: Protocol.leftFor(name, event.room) }, { room: event.room, line: Protocol.joined(name, event.room) }]
    case "Whispered":
    case "Resumed":
      return none
  }
}

/** What somebody who comes back would have read, with `SEQ`. The events of all rooms are gone through as they happened. */
export const replay = (missed: Missed, self: Token, echo: boolean): ReadonlyArray<string> => {
  const lines: Array<string> = missed.isComplete ? [] : [Protocol.missedSome]
  let { room } = missed
  for (const stored of missed.events) {
    const { event, seq } = stored
    const isOwn = event.token === self
    if (event._tag === "Whispered" && event.to === self) lines.push(Protocol.seq(seq, Protocol.whispers(event.name, event.text)))
    // Who changes rooms reads only what the new one reads.
    if (isOwn && (event._tag === "Moved" || event._tag === "Joined")) room = event.room
    if (isOwn && !echo && (event._tag === "Said" || event._tag === "Acted")) continue
    for (const notice of noticesOf(stored)) if (notice.room === room) lines.push(Protocol.seq(seq, notice.line))
  }
  return lines
}
