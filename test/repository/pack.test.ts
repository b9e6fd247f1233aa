/**
 * The package as a user gets it: built and packed in a folder of its own (so that nobody's dist/ changes
 * under them), unpacked beside `effect` in another, and used there. Needs no network.
 */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { blocksOf, filesBelow, root } from "../docs/blocks.ts"

const minutes = (n: number) => n * 60_000

interface Manifest {
  readonly name: string
  readonly exports: Readonly<Record<string, string | null | Readonly<Record<string, string>>>>
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional: boolean }>>
  readonly dependencies?: Readonly<Record<string, string>>
}

const manifest = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8")) as Manifest

/** The module specifiers that `exports` opens, found by what lies in src/. */
const specifiers = Object.entries(manifest.exports).flatMap(([subpath, target]) => {
  if (target === null || typeof target === "string") return []
  const source = target["effect-nursery:source"]!.slice("./".length)
  if (!subpath.includes("*")) return [path.posix.join(manifest.name, subpath)]
  const [before, after] = source.split("*") as [string, string]
  return filesBelow(path.posix.dirname(source), ".ts")
    .map((file) => file.slice(before.length, -after.length))
    .filter((name) => !name.includes("/") && name !== "index")
    .map((name) => path.posix.join(manifest.name, subpath.replace("*", name)))
})

// The runner is an optional peer, and not installed beside the package here.
const loadable = specifiers.filter((name) => name !== `${manifest.name}/vitest`)

const work = fs.mkdtempSync(path.join(os.tmpdir(), "effect-nursery-pack-"))
const user = path.join(work, "user")
const installed = path.join(user, "node_modules", manifest.name)

const run = (cwd: string, command: string, ...args: ReadonlyArray<string>) => {
  // No condition, no loader: what a user's shell has.
  const env = { ...process.env, NODE_OPTIONS: "", NO_COLOR: "1", FORCE_COLOR: undefined }
  const result = spawnSync(command, args, { cwd, env, encoding: "utf8" })
  return { status: result.status, out: result.stdout, all: `${result.stdout}${result.stderr}` }
}
const node = (file: string) => run(user, process.execPath, file)
const bin = (name: string) => path.join(root, "node_modules", ".bin", name)

beforeAll(() => {
  const copy = path.join(work, "repository")
  fs.mkdirSync(copy)
  for (const entry of ["package.json", "tsconfig.json", "tsconfig.build.json", "README.md", "LICENSE", "AGENTS.md", "CHANGELOG.md", "src"]) {
    fs.cpSync(path.join(root, entry), path.join(copy, entry), { recursive: true })
  }
  fs.symlinkSync(path.join(root, "node_modules"), path.join(copy, "node_modules"))
  const build = run(copy, bin("tsc"), "-p", "tsconfig.build.json")
  assert.strictEqual(build.status, 0, build.all)
  const pack = run(copy, "npm", "pack", "--ignore-scripts", "--offline", "--pack-destination", work)
  assert.strictEqual(pack.status, 0, pack.all)
  const tarball = fs.readdirSync(work).find((file) => file.endsWith(".tgz"))
  assert.isDefined(tarball)

  // Unpacked by hand, where npm would put it: an install would ask the registry about `effect`.
  fs.mkdirSync(installed, { recursive: true })
  const unpack = run(work, "tar", "-xzf", tarball!, "-C", installed, "--strip-components=1")
  assert.strictEqual(unpack.status, 0, unpack.all)
  const effect = path.join(root, "node_modules", "effect")
  for (const entry of ["package.json", "dist"]) {
    fs.cpSync(path.join(effect, entry), path.join(user, "node_modules", "effect", entry), { recursive: true })
  }
  fs.writeFileSync(path.join(user, "package.json"), JSON.stringify({ name: "user", private: true, type: "module" }))
}, minutes(2))

afterAll(() => fs.rmSync(work, { recursive: true, force: true }))

describe("the package, installed beside effect", () => {
  it("has what it needs and nothing that is private to the repository", () => {
    const files = fs.readdirSync(installed).sort()
    assert.deepStrictEqual(files, ["AGENTS.md", "CHANGELOG.md", "LICENSE", "README.md", "dist", "package.json", "src"])
    const optional = Object.keys(manifest.peerDependenciesMeta).filter((name) => manifest.peerDependenciesMeta[name]!.optional)
    assert.deepStrictEqual(Object.keys(manifest.peerDependencies).filter((name) => !optional.includes(name)), ["effect"])
    assert.isUndefined(manifest.dependencies)
  })

  it("imports nothing but itself, effect, and each optional peer in one place", () => {
    const allowed: ReadonlyArray<readonly [where: string, name: RegExp]> = [
      ["dist/net/", /^(node:|ws$)/],
      ["dist/node/", /^(node:|piscina$)/],
      ["dist/vitest/", /^(node:|vitest$|@effect\/vitest$)/]
    ]
    const foreign = filesBelow("dist", ".js", installed).flatMap((file) =>
      [...fs.readFileSync(path.join(installed, file), "utf8").replaceAll(/\/\*[\s\S]*?\*\//g, "").matchAll(/^(?:import|export)\b(?:[^"'=]*\bfrom)?\s*["']([^"']+)["'];?$/gm)]
        .map((match) => match[1]!)
        .filter((name) => !name.startsWith(".") && !name.startsWith("effect/"))
        .filter((name) => !allowed.some(([where, names]) => file.startsWith(where) && names.test(name)))
        .map((name) => `${file}: ${name}`)
    )
    assert.deepStrictEqual(foreign, [])
  })

  it("has every subpath, from plain JavaScript", () => {
    fs.writeFileSync(path.join(user, "subpaths.mjs"), [
      `for (const name of ${JSON.stringify(loadable)}) {`,
      "  const module = await import(name)",
      "  console.log(name, Object.keys(module).length > 0 ? \"loads\" : \"is empty\")",
      "}",
      `const root = await import("${manifest.name}")`,
      "for (const name of Object.keys(root)) {",
      `  const single = await import("${manifest.name}/" + name)`,
      "  if (root[name] !== single) console.log(name, \"is not the module of its subpath\")",
      "}"
    ].join("\n"))
    assert.include(specifiers, `${manifest.name}/Nursery`)
    const { status, all } = node("subpaths.mjs")
    const typesOnly = [`${manifest.name}/net/Server`]
    assert.strictEqual(all, loadable.map((name) => `${name} ${typesOnly.includes(name) ? "is empty" : "loads"}\n`).join(""))
    assert.strictEqual(status, 0)
  })

  it("keeps its internals closed", () => {
    const closed = ["internal/Block", "testing/internal/x", "index", "testing/index", "core/Nursery", "dist/index.js", "src/index.ts"]
    fs.writeFileSync(path.join(user, "closed.mjs"), [
      `for (const name of ${JSON.stringify(closed)}) {`,
      `  await import("${manifest.name}/" + name).then(() => console.log(name, "opens"), (error) => {`,
      "    if (!/^ERR_(PACKAGE_PATH_NOT_EXPORTED|MODULE_NOT_FOUND)$/.test(error.code)) console.log(name, error)",
      "  })",
      "}"
    ].join("\n"))
    assert.strictEqual(node("closed.mjs").all, "")
  })

  describe("the program of the README", () => {
    const { blocks } = blocksOf(fs.readFileSync(path.join(root, "README.md"), "utf8"), "README.md")
    const program = blocks.find((block) => block.kind === "program" && block.output !== undefined)!
    beforeAll(() => fs.writeFileSync(path.join(user, "program.ts"), `${program.code}\n`))

    for (const module of ["NodeNext", "Preserve"]) {
      it(`type-checks with module ${module}, and so do the declarations of the package`, () => {
        fs.writeFileSync(path.join(user, "tsconfig.json"), JSON.stringify({
          compilerOptions: { strict: true, exactOptionalPropertyTypes: true, noEmit: true, target: "ES2023", module, types: [], skipLibCheck: false },
          include: ["program.ts"]
        }))
        // effect's own declarations want the types of a host, which are not the question here.
        const errors = run(user, bin("tsc"), "-p", ".", "--pretty", "false").all.split("\n")
          .filter((line) => /^\S/.test(line) && !line.startsWith("node_modules/effect/"))
        assert.deepStrictEqual(errors, [])
      })
    }

    it("prints what the README says", () => {
      const { status, all } = node("program.ts")
      assert.strictEqual(all.trimEnd(), program.output!.trimEnd())
      assert.strictEqual(status, 0)
    })

    it("does not compile when its last line forgets the error", () => {
      const careless = program.code.replace(/\.pipe\(Effect\.catchTag.*\)$/, ")")
        .replace("Effect.runPromise(breakfast)", "const safe: Effect.Effect<void> = breakfast\nEffect.runPromise(safe)")
      assert.notStrictEqual(careless, program.code)
      fs.writeFileSync(path.join(user, "program.ts"), careless)
      assert.include(run(user, bin("tsc"), "-p", ".").all, "'OutOfTea' is not assignable to type 'never'")
    })
  })
}, minutes(1))
