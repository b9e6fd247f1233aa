/** The core's own primitives, each in a small program, under schedules that a plain run never takes. C08, C19. */
import * as Library from "effect-nursery"
import { it } from "effect-nursery/vitest"
import { assert, describe } from "vitest"
import { subjects } from "./primitives.ts"

describe("Under exploration", { timeout: 60_000 }, () => {
  for (const { name, options, program } of subjects(Library)) {
    const property = (wrong: ReadonlyArray<string>) => assert.deepStrictEqual(wrong, [])
    it.explore(name, program, { runs: 2000, ...options, property })
    if (options?.cancelEverywhere === false) continue
    it.explore(`${name}, also when somebody is cancelled`, program, { runs: 2000, ...options, cancelEverywhere: true, property })
  }
})
