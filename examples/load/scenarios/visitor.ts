/**
 * A visitor: looks at the first page, logs in, thinks for one to three seconds, and again.
 *
 * Copy this file for a scenario of your own, and run it with `--scenario FILE`.
 */
import { Effect } from "effect"
import type { Scenario } from "../Scenario.ts"

const visitor: Scenario = {
  name: "visitor",
  turn: (user) =>
    Effect.gen(function*() {
      yield* user.get("/")
      yield* user.post("/login", { user: `visitor ${user.number}`, password: "a password" })
      yield* user.pause("1 second", "3 seconds")
    })
}

export default visitor
