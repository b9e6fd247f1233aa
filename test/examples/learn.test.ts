import { spawnSync } from "node:child_process"
import * as path from "node:path"
import { assert, describe, it } from "vitest"

const root = path.resolve(import.meta.dirname, "../..")

const start = (file: string) => {
  const { status, stderr, stdout } = spawnSync(process.execPath, ["--conditions=effect-nursery:source", file], {
    cwd: root,
    encoding: "utf8",
    timeout: 30_000,
    env: { ...process.env, NODE_OPTIONS: "" }
  })
  return { status, stderr, lines: stdout.trimEnd().split("\n") }
}

describe("examples/learn/first-nursery.ts", () => {
  it("shows the tree while three tasks run, the cleanup of two, and the error of one; and ends well", () => {
    const { lines, status, stderr } = start("examples/learn/first-nursery.ts")
    assert.deepStrictEqual(lines, [
      "Three tasks run side by side:",
      "",
      "nursery breakfast",
      "├─ body (running)",
      "├─ brew tea (waiting)",
      "├─ bake bread (waiting)",
      "└─ feed the cat (waiting)",
      "",
      "The tea fails. The nursery cancels the other two, and waits for their cleanup:",
      "",
      "  the oven is off",
      "  the cat is out",
      "",
      "Only now the block has ended, with this error:",
      "",
      "1 failure",
      "└─ breakfast",
      "   └─ brew tea",
      "      └─ OutOfTea: pot 1 is empty"
    ])
    assert.strictEqual(stderr, "")
    assert.strictEqual(status, 0)
  })
})
