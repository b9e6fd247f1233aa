/** The floors of the house: for each rule a file that breaks it, and the report that must come. */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"

const root = path.resolve(import.meta.dirname, "../..")
const bin = (name: string) => path.join(root, "node_modules", ".bin", name)

/** A file, what it says, and the import (or other word) that must be reported; none: it is in order. */
const cases: ReadonlyArray<readonly [what: string, file: string, code: string, reported: string | undefined]> = [
  ["the internals of the core import effect and each other", "src/core/internal/a.ts", "effect/Effect ./b.ts", undefined],
  ["the internals of the core do not import the core", "src/core/internal/c.ts", "../Nursery.ts", "../Nursery.ts"],
  ["the internals of the core do not import Node", "src/core/internal/d.ts", "node:fs", "node:fs"],
  ["the internals of the core do not import the effect barrel", "src/core/internal/e.ts", "effect", "effect"],
  ["the core imports effect, its internals and itself", "src/core/F.ts", "effect/Effect ./internal/a.ts ./Nursery.ts", undefined],
  ["the core does not import Node", "src/core/G.ts", "node:timers", "node:timers"],
  ["the core does not import Node under its old names", "src/core/H.ts", "timers", "timers"],
  ["the core does not import the effect barrel", "src/core/I.ts", "effect", "effect"],
  ["the core does not import a smaller barrel of effect", "src/core/J.ts", "effect/testing", "effect/testing"],
  ["the core does not import a higher floor", "src/core/K.ts", "../testing/VirtualClock.ts", "../testing/VirtualClock.ts"],
  ["the core does not import itself by its public name", "src/core/L.ts", "effect-nursery/Nursery", "effect-nursery/Nursery"],
  ["the core does not import other packages", "src/core/M.ts", "@effect/platform-node", "@effect/platform-node"],
  ["the core does not import tests", "src/core/N.ts", "../../test/core/x.ts", "../../test/core/x.ts"],
  ["testing imports the core, effect and itself", "src/testing/O.ts", "effect/Effect effect/testing/TestClock ../core/Nursery.ts ./VirtualClock.ts", undefined],
  ["the internals of testing import the core", "src/testing/internal/p.ts", "../../core/Nursery.ts", undefined],
  ["net imports the core, Node and WebSockets", "src/net/O1.ts", "effect/Effect ../core/Nursery.ts node:net ws ./internal/p1.ts", undefined],
  ["net does not import a floor beside it", "src/net/P1.ts", "../node/Main.ts", "../node/Main.ts"],
  ["net does not import other packages", "src/net/Q1.ts", "piscina", "piscina"],
  ["testing imports the network", "src/testing/R1.ts", "../net/Tcp.ts", undefined],
  ["node imports the core, Node and its pool", "src/node/A1.ts", "effect/Effect ../core/Nursery.ts node:fs piscina ./internal/b1.ts", undefined],
  ["the internals of node import the core", "src/node/internal/b1.ts", "../../core/Nursery.ts node:worker_threads piscina", undefined],
  ["node does not import a floor beside it", "src/node/C1.ts", "../observe/Timeline.ts", "../observe/Timeline.ts"],
  ["node does not import a higher floor", "src/node/D1.ts", "../testing/Explore.ts", "../testing/Explore.ts"],
  ["observe imports the core", "src/observe/E1.ts", "effect/Effect ../core/TaskTree.ts ./internal/f1.ts", undefined],
  ["the internals of observe import the core", "src/observe/internal/f1.ts", "../../core/TaskTree.ts", undefined],
  ["the internals of observe import the types of its modules", "src/observe/internal/g2.ts", "../E1.ts", undefined],
  ["the internals of vitest import the floors below", "src/vitest/internal/h2.ts", "../../testing/J1.ts vitest", undefined],
  ["observe does not import Node", "src/observe/G1.ts", "node:fs", "node:fs"],
  ["promise imports the core", "src/promise/H1.ts", "effect/Effect ../core/Nursery.ts", undefined],
  ["the internals of promise import the core", "src/promise/internal/h2.ts", "../../core/Nursery.ts", undefined],
  ["promise does not import Node", "src/promise/I1.ts", "node:fs", "node:fs"],
  ["testing imports what observes", "src/testing/J1.ts", "../observe/Timeline.ts", undefined],
  ["testing does not import what runs tests", "src/testing/K1.ts", "../vitest/index.ts", "../vitest/index.ts"],
  ["vitest imports the floors below it and the runner", "src/vitest/L1.ts", "vitest @effect/vitest node:fs effect/Effect ../testing/Explore.ts ../core/Nursery.ts", undefined],
  ["vitest does not import a barrel", "src/vitest/M1.ts", "../index.ts", "../index.ts"],
  ["vitest does not import other packages", "src/vitest/N1.ts", "piscina", "piscina"],
  ["testing does not import a test runner", "src/testing/Q.ts", "vitest", "vitest"],
  ["testing does not import Effect's test runner", "src/testing/R.ts", "@effect/vitest", "@effect/vitest"],
  ["testing does not import Node's test runner", "src/testing/S.ts", "node:test", "node:test"],
  ["testing does not import the effect barrel", "src/testing/T.ts", "effect", "effect"],
  ["testing does not import tests", "src/testing/U.ts", "../../test/core/x.ts", "../../test/core/x.ts"],
  ["examples import what a user has", "examples/a.ts", "effect-nursery effect-nursery/Nursery effect effect/Effect @effect/platform-node node:fs ./b.ts ../shop/c.ts", undefined],
  ["examples do not import the sources", "examples/learn/b.ts", "../../src/core/Nursery.ts", "../../src/core/Nursery.ts"],
  ["examples do not import the build", "examples/c.ts", "../dist/core/Nursery.js", "../dist/core/Nursery.js"],
  ["examples do not import packages beyond Effect", "examples/d.ts", "ws", "ws"],
  ["code blocks of the docs import what a user has", ".docs/blocks/a.ts", "effect-nursery effect", undefined],
  ["code blocks of the docs do not import the sources", ".docs/blocks/b.ts", "../../src/core/Nursery.ts", "../../src/core/Nursery.ts"],
  ["tests import anything", "test/core/a.ts", "vitest node:fs ../../src/core/internal/a.ts effect", undefined]
]

describe("npm run check reports that", () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "effect-nursery-floors-"))
  const write = (file: string, code: string) => {
    fs.mkdirSync(path.dirname(path.join(folder, file)), { recursive: true })
    fs.writeFileSync(path.join(folder, file), code)
  }
  const lint = (...files: ReadonlyArray<string>) => {
    const { stdout } = spawnSync(bin("oxlint"), ["-c", ".oxlintrc.json", "-f", "unix", ...files], { cwd: folder, encoding: "utf8" })
    return stdout.split("\n").filter((line) => /:\d+:\d+: /.test(line))
  }
  let reports: Array<string> = []
  beforeAll(() => {
    fs.copyFileSync(path.join(root, ".oxlintrc.json"), path.join(folder, ".oxlintrc.json"))
    for (const [, file, code] of cases) {
      write(file, code.split(" ").map((name, index) => `export * as _${index} from "${name}"\n`).join(""))
    }
    reports = lint(...cases.map(([, file]) => file))
  })
  afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

  for (const [what, file, , reported] of cases) {
    it(what, () => {
      const own = reports.filter((line) => line.startsWith(`${file}:`))
      if (reported === undefined) assert.deepStrictEqual(own, [])
      else {
        assert.lengthOf(own, 1)
        assert.include(own[0], `'${reported}' import is restricted`)
      }
    })
  }

  it("a type import counts", () => {
    write("src/core/Types.ts", "import type * as fs from \"node:fs\"\nexport type Stats = fs.Stats\n")
    assert.include(lint("src/core/Types.ts").join(), "'node:fs' import is restricted")
  })

  it("the root exports public modules of the core and nothing else", () => {
    write("src/index.ts", ["./core/Nursery.ts", "./core/internal/a.ts", "./testing/O.ts", "effect/Effect", "../examples/a.ts"]
      .map((name, index) => `export * as _${index} from "${name}"\n`).join(""))
    assert.deepStrictEqual(lint("src/index.ts").map((line) => /'(.*?)' import is restricted/.exec(line)?.[1]), [
      "./core/internal/a.ts", "./testing/O.ts", "effect/Effect", "../examples/a.ts"
    ])
  })

  it("modules import each other in a circle", () => {
    write("src/core/One.ts", "import { two } from \"./Two.ts\"\nexport const one = (): number => two()\n")
    write("src/core/Two.ts", "import { one } from \"./One.ts\"\nexport const two = (): number => one()\n")
    assert.include(lint("src/core/One.ts", "src/core/Two.ts").join(), "Dependency cycle detected")
  })

  it("modules import each other's types in a circle", () => {
    write("src/core/Three.ts", "import type { Four } from \"./Four.ts\"\nexport interface Three { readonly four: Four }\n")
    write("src/core/Four.ts", "import type { Three } from \"./Three.ts\"\nexport interface Four { readonly three: Three }\n")
    assert.include(lint("src/core/Three.ts", "src/core/Four.ts").join(), "Dependency cycle detected")
  })

  it("the library prints", () => {
    write("src/core/Print.ts", "console.log(1)\n")
    assert.include(lint("src/core/Print.ts").join(), "Unexpected console statement")
  })

  it("the core uses what only Node or only browsers have", () => {
    write("src/core/Host.ts", "export const a = setTimeout(() => {}, 1)\nexport const b = process.pid\nexport const c = document.title\nexport const d: Buffer | undefined = undefined\n")
    const config = path.join(folder, "tsconfig.json")
    fs.writeFileSync(config, JSON.stringify({
      extends: path.join(root, "tsconfig.core.json"),
      include: [path.join(folder, "src/core/Host.ts"), path.join(root, "types/host.d.ts")]
    }))
    const { stdout } = spawnSync(bin("tsc"), ["-p", config, "--pretty", "false"], { cwd: root, encoding: "utf8" })
    assert.deepStrictEqual([...stdout.matchAll(/Cannot find name '(\w+)'/g)].map((match) => match[1]), ["process", "document", "Buffer"])
  })
})

describe("the floors", () => {
  it("have a rule for each folder of src", () => {
    const config = fs.readFileSync(path.join(root, ".oxlintrc.json"), "utf8")
    const folders = fs.readdirSync(path.join(root, "src"), { withFileTypes: true }).filter((_) => _.isDirectory())
    assert.deepStrictEqual(folders.map((_) => _.name).filter((name) => !config.includes(`"src/${name}/**"`)), [])
  })
})
