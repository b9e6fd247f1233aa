/** Everything a user can import has a doc comment, an example that runs, and a heading in the reference. */
import * as fs from "node:fs"
import * as path from "node:path"
import { pathToFileURL } from "node:url"
import { assert, describe, it } from "vitest"
import { entryModules, publicSources, root } from "./blocks.ts"
import { exportsOf, headedNames, missingDocs } from "./exports.ts"

const read = (file: string) => fs.readFileSync(path.join(root, file), "utf8")
const names = (file: string) => path.basename(entryModules.includes(file) ? path.dirname(file) : file, ".ts")

// The errors have one page together, and Errors.md beside errors.md would be one file on some disks.
const pageOf = (module: string) => `docs/reference/${module === "Errors" ? "errors" : module}.md`

for (const file of publicSources()) {
  const module = names(file)
  describe(file, () => {
    const exports = exportsOf(read(file), (module) => read(path.posix.join(path.posix.dirname(file), module)))

    it("exports, as it is loaded, the values that its source shows", async () => {
      const loaded = await import(pathToFileURL(path.join(root, file)).href) as object
      assert.deepStrictEqual(
        Object.keys(loaded).sort(),
        exports.filter((_) => _.isValue).map((_) => _.name).sort()
      )
    })

    it("has a doc comment on each export, with an example that runs on each value", () => {
      assert.deepStrictEqual(missingDocs(file, exports), [])
    })

    it("has a heading for each export in its reference page", () => {
      const page = pageOf(module)
      assert.isTrue(fs.existsSync(path.join(root, page)), `${page} does not exist`)
      const headed = headedNames(read(page), module)
      assert.deepStrictEqual(
        exports.filter((_) => !headed.has(_.name)).map((_) => `${page}: no heading for ${_.name}`),
        []
      )
    })
  })
}

describe("the entry files", () => {
  it("export each public module of their floor as a namespace of its name", () => {
    const expected = new Map<string, Array<string>>()
    for (const file of publicSources()) {
      if (entryModules.includes(file)) continue
      // The modules of the core are at the root of the package; other floors have entries of their own.
      const entry = file.startsWith("src/core/") ? "src/index.ts" : `${path.posix.dirname(file)}/index.ts`
      const from = `./${path.posix.relative(path.posix.dirname(entry), file)}`
      expected.set(entry, [...(expected.get(entry) ?? []), `export * as ${names(file)} from "${from}"`])
    }
    // The tree and its hooks stand in the core; who observes finds them beside the rest.
    expected.get("src/observe/index.ts")?.push("export * as TaskTree from \"../core/TaskTree.ts\"")
    for (const [entry, lines] of expected) {
      assert.isTrue(fs.existsSync(path.join(root, entry)), `${entry} does not exist`)
      const found = read(entry).split(/\r?\n/).filter((line) => line.startsWith("export "))
      assert.deepStrictEqual(found.map((line) => line.replace(/;$/, "")).sort(), lines.sort(), entry)
    }
  })
})

describe("the test itself", () => {
  const example = (name: string) => `/**\n * Does.\n *\n * **Example** (It)\n *\n * \`\`\`ts\n * ${name}()\n * \`\`\`\n */\n`

  it("finds every way to export, once a name", () => {
    const source = [
      "export const a = 1",
      "export declare const b: number",
      "export function c(x: string): string",
      "export function c(x: string) { return x }",
      "export class D {}",
      "export interface E {}",
      "export type F = E",
      "export declare namespace D { export type In = 1 }",
      "const g = 1",
      "export { g, a as h, type F as I }",
      "export type { J } from \"./j.ts\"",
      "// export const no = 1"
    ].join("\n")
    const exports = exportsOf(source)
    assert.deepStrictEqual(exports.map((_) => _.name), ["a", "b", "c", "D", "E", "F", "g", "h", "I", "J"])
    assert.deepStrictEqual(exports.filter((_) => _.isValue).map((_) => _.name), ["a", "b", "c", "D", "g", "h"])
  })

  it("wants a doc comment, and on values an example that runs", () => {
    const source = [
      "export const bare = 1",
      "/** Told. */",
      "export const told = 1",
      "/** Told. */",
      "export interface Told {}",
      `${example("shown")}export const shown = 1`,
      `${example("fragment").replace("```ts", "```ts fragment")}export const fragment = 1`,
      "const listed = 1",
      `export {\n  ${example("listed")}  listed\n}`
    ].join("\n")
    assert.deepStrictEqual(missingDocs("src/core/X.ts", exportsOf(source)).map((_) => _.replace(/:\d+:/, ":")), [
      "src/core/X.ts: bare has no doc comment",
      "src/core/X.ts: told has no **Example** that runs",
      "src/core/X.ts: fragment has no **Example** that runs"
    ])
  })

  it("takes the comment of a name that is passed on from where it stands", () => {
    const internal = `${example("a")}export const a = 1\nexport const b = 1\n`
    const exports = exportsOf("export { a as c, b } from \"./internal/x.ts\"", () => internal)
    assert.deepStrictEqual(
      missingDocs("src/core/X.ts", exportsOf("import { a, type T } from \"./internal/x.ts\"\nexport { a }", () => internal)),
      []
    )
    assert.deepStrictEqual(missingDocs("src/core/X.ts", exports), ["src/core/X.ts:1: b has no doc comment"])
  })

  it("wants the comments of types that are passed on, too, one by one", () => {
    const internal = "/** Told. */\nexport interface A {}\nexport type B = A\n/** Told. */\nexport class C {}\n"
    const exports = exportsOf("export type {\n  A,\n  B,\n  C as D\n} from \"./internal/x.ts\"", () => internal)
    assert.deepStrictEqual(exports.map((_) => [_.name, _.isValue, _.isType]), [["A", false, true], ["B", false, true], ["D", false, true]])
    assert.deepStrictEqual(missingDocs("src/core/X.ts", exports), ["src/core/X.ts:1: B has no doc comment"])
  })

  it("reads the names out of headings, not out of code", () => {
    const page = "# Timeout\n\n## `Timeout.moveOnAt`, `failAt`\n\n### open(body, options)\n\n### `Dual<K>`\n\n```sh\n## no\n```\n"
    assert.deepStrictEqual([...headedNames(page, "Timeout")], ["moveOnAt", "failAt", "open", "Dual"])
  })
})
