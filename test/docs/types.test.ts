import { assert, describe, it } from "vitest"
import { allBlocks, blocksFolder } from "./blocks.ts"
import { lintErrors, typeErrors } from "./check.ts"

const { blocks } = allBlocks()

describe("the programs of the documentation", () => {
  it("type-check", () => assert.deepStrictEqual(typeErrors(blocks, blocksFolder), []))
  it("import only what a user has", () => assert.deepStrictEqual(lintErrors(blocks, blocksFolder), []))
})
