/** The notes, in the database. */
import { Context, Effect, Layer } from "effect"
import { Database } from "../database/Database.ts"
import type { Note, NoteInput } from "./NotesApi.ts"

const make = Effect.gen(function*() {
  const { query } = yield* Database
  return {
    create: ({ completed, text }: NoteInput) =>
      Effect.map(query((sql) => sql<Note>`insert into note (text, completed) values (${text}, ${completed}) returning id, text, completed`), ([note]) => note!),
    page: ({ after, limit }: { readonly after: number; readonly limit: number }) =>
      query((sql) => sql<Note>`select id, text, completed from note where id > ${after} order by id limit ${limit}`)
  }
})

export class Notes extends Context.Service<Notes, Effect.Success<typeof make>>()("storefront/Notes") {
  static readonly layer = Layer.effect(this)(make)
}
