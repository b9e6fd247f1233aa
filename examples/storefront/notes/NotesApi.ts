/** The contract of the notes: the smallest thing that is written and read. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import * as Problem from "../Problem.ts"
import { Id, Limit, Text } from "../Values.ts"

export const NoteInput = Schema.Struct({ text: Text, completed: Schema.Boolean })
export type NoteInput = typeof NoteInput.Type

export const Note = Schema.Struct({ id: Id, text: Schema.String, completed: Schema.Boolean })
export type Note = typeof Note.Type

export class NotesGroup extends HttpApiGroup.make("notes").add(
  HttpApiEndpoint.post("create", "/notes/", {
    payload: NoteInput,
    success: Note,
    error: [Problem.BadRequest, Problem.PayloadTooLarge, Problem.Unavailable]
  }),
  // The oldest first. With a limit, the header Link leads to the next page.
  HttpApiEndpoint.get("list", "/notes/", {
    query: { limit: Schema.optionalKey(Limit), after: Schema.optionalKey(Id) },
    success: Schema.Array(Note),
    error: [Problem.BadRequest, Problem.Unavailable]
  })
) {}
