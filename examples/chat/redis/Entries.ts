/** Entries of a stream of Redis, read as what happened. */
import type { Event, Stored } from "../Bus.ts"
import { millisOf } from "./Seqs.ts"

/** An entry as Redis gives it: its id, then names and values in turn. The scripts have written it. */
export type Entry = readonly [id: string, fields: ReadonlyArray<string>]

export const read = ([id, fields]: Entry): Stored => {
  const field: Record<string, string> = {}
  for (let i = 0; i < fields.length; i += 2) field[fields[i]!] = fields[i + 1]!
  return { seq: id, at: millisOf(id), event: eventOf(field) }
}

const eventOf = (field: Readonly<Record<string, string>>): Event => {
  const { by, from, name, old, online, room, tag, text, to, token } = field as Record<string, string> & { readonly tag: Event["_tag"] }
  const who = { token: token!, name: name! }
  switch (tag) {
    case "Joined":
      return { _tag: tag, ...who, room: room!, online: Number(online) }
    case "Said":
    case "Acted":
      return { _tag: tag, ...who, room: room!, text: text! }
    case "Whispered":
      return { _tag: tag, ...who, to: to!, text: text! }
    case "Renamed":
      return { _tag: tag, ...who, room: room!, old: old! }
    case "Moved":
      return { _tag: tag, ...who, room: room!, from: from! }
    case "Resumed":
      return { _tag: tag, ...who, room: room!, by: by! }
    case "Left":
      return { _tag: tag, ...who, room: room! }
  }
}
