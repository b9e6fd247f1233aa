/** Why something is not done, in the words of the protocol. */
import type { NameTaken, NoSuchUser, Unavailable } from "./Bus.ts"
import type { Flaw } from "./LineReader.ts"
import { type Refusal, refusal } from "./Protocol.ts"

/** What everybody is told when the server stops. */
export const goingDown = refusal("shutdown", "the server is going down")

export const refusalOf = (why: Refusal | NameTaken | NoSuchUser | Unavailable): Refusal => {
  switch (why._tag) {
    case "Refusal":
      return why
    case "NameTaken":
      return refusal("name-taken", `somebody else is called ${why.name}`)
    case "NoSuchUser":
      return refusal("no-such-user", `nobody here is called ${why.name}`)
    case "Unavailable":
      return refusal("unavailable", "not done: the server cannot reach the others; try again")
  }
}

export const flawed = (flaw: Flaw, maxLine: number): Refusal =>
  flaw.reason === "too-long"
    ? refusal("too-long", `not said: a line has at most ${maxLine} bytes`)
    : refusal("utf8", "not said: the line is not UTF-8")
