import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, expect, it } from "vitest"

const root = path.resolve(import.meta.dirname, "../..")

const start = (file: string) => {
  const { status, stderr, stdout } = spawnSync(process.execPath, ["--conditions=effect-nursery:source", file], {
    cwd: root,
    encoding: "utf8",
    timeout: 30_000,
    env: { ...process.env, NODE_OPTIONS: "" }
  })
  return { status, stderr, stdout }
}

/** What stands in the first plain `text` fence of a page. */
const shownIn = (page: string): string => /^```text\n([\s\S]*?)^```$/m.exec(fs.readFileSync(path.join(root, page), "utf8"))![1]!

describe("examples/learn/timeline.ts", () => {
  it("prints the timeline that the page shows, and writes a picture, a page and a trace of it", async () => {
    const { status, stderr, stdout } = start("examples/learn/timeline.ts")
    assert.strictEqual(stderr, "")
    assert.strictEqual(status, 0)
    const folder = /^timeline\.svg, timeline\.html and timeline\.json are in (.*)$/m.exec(stdout)![1]!
    try {
      assert.strictEqual(stdout.replace(folder, "…"), shownIn("docs/learn/watch-it.md"))
      assert.deepStrictEqual(fs.readdirSync(folder).sort(), ["timeline.html", "timeline.json", "timeline.svg"])
      const written = (file: string) => fs.readFileSync(path.join(folder, file), "utf8")
      // When it has changed on purpose: look at it, and run this test with `-u`.
      await expect(written("timeline.svg")).toMatchFileSnapshot("../../docs/_timelines/watch-it.svg")
      assert.include(written("timeline.html"), "<title>A breakfast without tea")
      assert.isAbove(JSON.parse(written("timeline.json")).traceEvents.length, 10)
    } finally {
      fs.rmSync(folder, { recursive: true, force: true })
    }
  })
})

describe("examples/learn/task-tree.ts", () => {
  it("prints the tree of a shop, with what everybody waits for", () => {
    const { status, stderr, stdout } = start("examples/learn/task-tree.ts")
    assert.deepStrictEqual(stdout.trimEnd().split("\n"), [
      "nursery shop",
      "├─ body (running)",
      "├─ print the catalogue (waiting for event closing time)",
      "├─ sell (waiting)",
      "│  └─ nursery counter",
      "│     ├─ clerk 1 (waiting for a token of limiter printer)",
      "│     ├─ clerk 2 (receiving from channel orders)",
      "│     └─ clerk 3 (receiving from channel orders)",
      "├─ count the till (waiting)",
      "│  └─ gather",
      "│     ├─ gather 0 (waiting for event closing time)",
      "│     └─ gather 1 (waiting)",
      "└─ service music (waiting)"
    ])
    assert.strictEqual(stderr, "")
    assert.strictEqual(status, 0)
  })
})
