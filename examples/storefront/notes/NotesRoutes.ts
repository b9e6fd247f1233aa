/** `/notes/`. */
import { Effect } from "effect"
import { HttpServerResponse } from "effect/http"
import { Api } from "../Api.ts"
import { group } from "../http/Group.ts"
import { nextPage } from "../http/Paging.ts"
import { Notes } from "./Notes.ts"

const defaultLimit = 100

export const NotesRoutes = group(Api, "notes", Effect.fnUntraced(function*(handlers) {
  const notes = yield* Notes
  return handlers.handleAll({
    create: ({ payload }) => notes.create(payload),
    list: ({ query, request }) => {
      const limit = query.limit ?? defaultLimit
      return Effect.map(notes.page({ limit, after: query.after ?? 0 }), (rows) =>
        HttpServerResponse.jsonUnsafe(rows, { headers: nextPage(request, limit, rows.length, rows.at(-1)?.id ?? null) }))
    }
  })
}))
