/** The tests of the documentation, tested: each finds the mistake it is there for. */
import * as fs from "node:fs"
import * as path from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { blocksOf, blocksOfSource, fileOf, fencesOf, programOf, regionOf, root, runnable, staleQuotations, writeBlocks } from "./blocks.ts"
import { lintErrors, typeErrors } from "./check.ts"
import { run } from "./run.ts"

const page = (...lines: ReadonlyArray<string>) => lines.join("\n")

describe("blocksOf", () => {
  it("finds programs with their lines and the output that follows", () => {
    const { blocks, problems } = blocksOf(page("# Page", "", "```ts", "console.log(1)", "```", "It prints:", "```text output", "1", "```"), "docs/a.md")
    assert.deepStrictEqual(problems, [])
    assert.deepInclude(blocks[0], { source: "docs/a.md", line: 4, code: "console.log(1)", kind: "program", output: "1" })
  })

  it("leaves fragments and other languages alone", () => {
    const { blocks } = blocksOf(page("```ts fragment", "a b", "```", "```sh", "ls", "```", "```text", "x", "```"), "a.md")
    assert.deepStrictEqual(blocks.map((block) => block.kind), ["fragment"])
    assert.deepStrictEqual(runnable(blocks), [])
  })

  it("reads fences in lists, and longer fences around fences", () => {
    assert.deepStrictEqual(fencesOf(page("1. so:", "   ```ts", "   if (a)", "     b()", "   ```")).map((_) => _.text), ["if (a)\n  b()"])
    assert.deepStrictEqual(fencesOf(page("````md", "```ts", "a", "```", "````")).map((_) => _.info), ["md"])
  })

  it("reports flags it does not know and outputs of nothing", () => {
    assert.deepStrictEqual(blocksOf(page("```ts fragmnet", "a", "```"), "a.md").problems, [
      "a.md:2: unknown flag \"fragmnet\": known are fragment and file="
    ])
    assert.deepStrictEqual(blocksOf(page("```text output", "1", "```"), "a.md").problems, ["a.md:2: an output needs a program before it"])
  })
})

describe("blocksOfSource", () => {
  it("finds the examples of doc comments, at their lines in the source", () => {
    const source = page(
      "import x from \"y\"",
      "",
      "/**",
      " * Adds.",
      " *",
      " * **Example** (One and one)",
      " *",
      " * ```ts",
      " * if (true) {",
      " *   console.log(2)",
      " * }",
      " * ```",
      " *",
      " * ```text output",
      " * 2",
      " * ```",
      " */",
      "export const add = 1"
    )
    const { blocks } = blocksOfSource(source, "src/core/A.ts")
    assert.lengthOf(blocks, 1)
    assert.deepInclude(blocks[0], { line: 9, code: "if (true) {\n  console.log(2)\n}", output: "2" })
  })
})

describe("quotations", () => {
  const quote = (info: string, code: string) => blocksOf(page("```ts " + info, code, "```"), "a.md").blocks

  it("are compared with the region, without its indentation", () => {
    assert.strictEqual(regionOf("a\n  // #region x\n  b\n    c\n  // #endregion\nd", "x"), "b\n  c")
  })

  it("that are stale, or quote what does not exist, are reported", () => {
    const here = "test/docs/setup.ts"
    assert.deepStrictEqual(staleQuotations(quote(`file=${here}`, fs.readFileSync(path.join(root, here), "utf8")), root), [])
    assert.deepStrictEqual(staleQuotations(quote(`file=${here}`, "old"), root), [`a.md:2: differs from ${here}`])
    assert.deepStrictEqual(staleQuotations(quote(`file=${here}#x`, "old"), root), [`a.md:2: there is no region x in ${here}`])
    assert.deepStrictEqual(staleQuotations(quote("file=none.ts", "old"), root), ["a.md:2: there is no file none.ts"])
  })
})

describe("programs", () => {
  const folder = path.join(root, ".docs", "self-test")
  const programs = {
    prints: "import { Effect } from \"effect\"\n\nEffect.runPromise(Effect.sleep(5).pipe(Effect.map(() => console.log(\"late\"))))\nconsole.log(\"soon\")",
    rejects: "console.log(\"before\")\nPromise.reject(new Error(\"lost\"))",
    throws: "throw new Error(\"thrown\")",
    exits: "process.exit(3)",
    after: "console.log(\"still here\")",
    silent: "export {}",
    last: "console.log(\"and here\")",
    mistyped: "const n: number = \"one\"\nconsole.log(n)",
    cheats: "import { root } from \"../../test/docs/blocks.ts\"\n\nconsole.log(typeof root)"
  }
  const { blocks } = blocksOf(Object.values(programs).map((code) => page("```ts", code, "```")).join("\n"), "docs/self.md")
  const block = (name: keyof typeof programs) => blocks[Object.keys(programs).indexOf(name)]!
  let results: Awaited<ReturnType<typeof run>>
  beforeAll(async () => {
    writeBlocks(blocks, folder)
    results = await run(blocks.map((_) => programOf(_, root, folder)), 1)
  })
  afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))
  const result = (name: keyof typeof programs) => results.get(path.join(folder, fileOf(block(name))))!

  it("are waited for until nothing is left to do", () => {
    assert.deepInclude(result("prints"), { printed: "soon\nlate\n", errors: [] })
  })

  it("that throw, reject or exit are reported, each by itself", () => {
    assert.include(result("rejects").errors[0], "lost")
    assert.strictEqual(result("rejects").printed, "before\n")
    assert.include(result("throws").errors[0], "thrown")
    assert.include(result("exits").errors[0], "exit code 3")
    assert.deepInclude(result("after"), { printed: "still here\n", errors: [] })
  })

  it("that need no turn of the event loop do not end the run", () => {
    assert.deepInclude(result("silent"), { printed: "", errors: [] })
    assert.deepInclude(result("last"), { printed: "and here\n", errors: [] })
  })

  it("that do not type-check are reported at their line on the page", () => {
    const errors = typeErrors(blocks, folder)
    assert.lengthOf(errors.filter((line) => line.startsWith(`docs/self.md:${block("mistyped").line}: error TS2322`)), 1, errors.join("\n"))
  })

  it("that import what no user has are reported at their line on the page", () => {
    const errors = lintErrors(blocks, folder)
    assert.lengthOf(errors.filter((line) => line.startsWith(`docs/self.md:${block("cheats").line}: `)), 1, errors.join("\n"))
  })
})
