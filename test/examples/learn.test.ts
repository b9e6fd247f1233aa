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

describe("examples/learn/explore.ts", () => {
  it("sells the seat once as usual, finds the order in which it is sold twice, and passes the mended one", () => {
    const { lines, status, stderr } = start("examples/learn/explore.ts")
    assert.strictEqual(lines[0], "as usual: Ada got the seat")
    assert.include(lines.join("\n"), "The property does not hold for the value [\"Grace\", \"Ada\"].")
    assert.isTrue(lines.some((line) => /^ *\d+ » Ada +pauses$/.test(line)))
    assert.match(lines.at(-1)!, /^mended: every one of \d+ schedules passed$/)
    assert.deepStrictEqual([status, stderr], [0, ""])
  })
})

describe("examples/learn/cancel-report.ts", () => {
  it("names who was slow and ends well", () => {
    const { lines, status, stderr } = start("examples/learn/cancel-report.ts")
    assert.strictEqual(lines[0], "2 cancels: p50 0 ms, p99 300 ms, max 300 ms")
    assert.include(lines, "  held up 300 ms by timeout visit › nursery session › writer")
    assert.include(lines, "    300 ms finalizer › shield › timeout flush, 300 ms of it sending to channel log")
    assert.deepStrictEqual([status, stderr], [0, ""])
  })
})

describe("examples/learn/small-chat.ts", () => {
  it("tells everybody everything, and lets one who does not read keep nobody waiting", () => {
    const { lines, status, stderr } = start("examples/learn/small-chat.ts")
    assert.deepStrictEqual([status, stderr], [0, ""])
    assert.deepStrictEqual(lines.slice(0, 5), [
      "Welcome! 1 user(s) are online!",
      "MissIslington connected!",
      "SirBedevere connected!",
      "SirBedevere: Is that your nose?",
      "MissIslington: No, it's a false one!"
    ])
    assert.strictEqual(lines.filter((line) => line === "Lancelot has left the chat").length, 1)
    assert.strictEqual(lines.at(-1), "(she has heard 300 verses)")
  })
})
