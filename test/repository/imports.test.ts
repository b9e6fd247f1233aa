/**
 * The library costs little to import: only a few modules of Effect beyond those that every program loads.
 *
 * Time is not measured here (bench/import-cost.ts does that); what is loaded can be counted exactly. The
 * measure is the amount of code: the characters of all loaded modules without types, comments and spaces.
 */
import { execFileSync } from "node:child_process"
import * as path from "node:path"
import { assert, describe, it } from "vitest"

const root = path.resolve(import.meta.dirname, "../..")

interface Loaded {
  readonly modules: ReadonlyArray<string>
  readonly size: number
}

const program = `
  import { registerHooks, stripTypeScriptTypes } from "node:module"
  import { fileURLToPath } from "node:url"
  import { readFileSync } from "node:fs"
  const modules = []
  let size = 0
  registerHooks({
    load(url, context, next) {
      if (url.startsWith("file:")) {
        const file = fileURLToPath(url)
        const text = readFileSync(file, "utf8")
        const code = file.endsWith(".ts") ? stripTypeScriptTypes(text) : text
        modules.push(url)
        size += code.replaceAll(/\\/\\*[\\s\\S]*?\\*\\/|^\\s*\\/\\/.*$/gm, "").replaceAll(/\\s+/g, "").length
      }
      return next(url, context)
    }
  })
  for (const name of process.argv.slice(1)) await import(name)
  console.log(JSON.stringify({ modules, size }))
`

/** What a fresh process loads when it imports these names. */
const load = (...names: ReadonlyArray<string>): Loaded => {
  const out = execFileSync(
    process.execPath,
    ["--no-warnings", "--conditions=effect-nursery:source", "--input-type=module", "--eval", program, ...names],
    { cwd: root, encoding: "utf8" }
  )
  return JSON.parse(out) as Loaded
}

const short = (module: string) => module.replace(/^.*\/node_modules\//, "").replace(/^.*\/src\//, "src/")

const times = (loaded: Loaded, base: Loaded) => loaded.size / base.size

const explain = (loaded: Loaded, base: Loaded) =>
  `${times(loaded, base).toFixed(2)} times; beyond the base it loads\n${
    loaded.modules.filter((module) => !base.modules.includes(module)).map(short).sort().join("\n")
  }`

describe("importing", () => {
  const base = load("effect/Effect", "effect/Fiber")

  it("effect-nursery/Nursery loads at most 1.3 times the code of effect/Effect and effect/Fiber", () => {
    const nursery = load("effect/Effect", "effect/Fiber", "effect-nursery/Nursery")
    assert.isAtMost(times(nursery, base), 1.3, explain(nursery, base))
  })

  it("the whole root loads at most twice that code", () => {
    const all = load("effect/Effect", "effect/Fiber", "effect-nursery")
    assert.isAtMost(times(all, base), 2, explain(all, base))
  })

  it("never loads the effect barrel or a test runner", () => {
    const all = load("effect-nursery", "effect-nursery/testing")
    assert.deepStrictEqual(
      all.modules.map(short).filter((module) => module === "effect/dist/index.js" || /^(vitest|@effect\/vitest)\//.test(module)),
      []
    )
  })

  it("would notice: the effect barrel alone is more than twice that code", () => {
    assert.isAbove(times(load("effect"), base), 2)
  })
})
