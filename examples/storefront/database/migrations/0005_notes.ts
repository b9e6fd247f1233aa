/** The table of the notes. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export const notes = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    create table note (
      id int generated always as identity primary key,
      text text not null,
      completed boolean not null
    )`
})
