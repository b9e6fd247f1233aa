import { assert, beforeAll, describe, it } from "vitest"
import { allBlocks, blocksFolder, programOf, root, runnable, staleQuotations } from "./blocks.ts"
import type { Result } from "./run.ts"
import { run } from "./run.ts"

const { blocks, problems } = allBlocks()

describe("the code blocks of the documentation", () => {
  it("have fences that the tests understand", () => assert.deepStrictEqual(problems, []))
  it("quote files as they are", () => assert.deepStrictEqual(staleQuotations(blocks, root), []))
})

describe("each program of the documentation runs and prints what stands below it", () => {
  const programs = runnable(blocks)
  let results = new Map<string, Result>()
  beforeAll(async () => {
    results = await run([...new Set(programs.map((block) => programOf(block, root, blocksFolder)))])
  })
  for (const block of programs) {
    it(`${block.source}:${block.line}`, () => {
      const result = results.get(programOf(block, root, blocksFolder))
      assert.isDefined(result)
      assert.deepStrictEqual(result.errors, [], `it printed:\n${result.printed}`)
      if (block.output !== undefined) assert.strictEqual(result.printed.trimEnd(), block.output.trimEnd())
    })
  }
})
