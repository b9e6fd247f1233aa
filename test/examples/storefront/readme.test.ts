/** Runs the README: what it says to type, and that it gives what it says. */
import { execFile, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { promisify } from "node:util"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { root } from "../../node/main/start.ts"
import { openShop, postgres, type ShopWithSql } from "./databases.ts"

const folder = path.join(root, "examples/storefront")
const readme = fs.readFileSync(path.join(folder, "README.md"), "utf8")

/** Commands, and the text that follows them. */
const blocks = [...readme.matchAll(/```sh\n([^`]*curl[^`]*)```\n\n```text\n([^`]*)```/g)].map(([, commands, answer]) => ({ commands: commands!, answer: answer! }))

const hasCurl = spawnSync("curl", ["--version"]).status === 0
if (!hasCurl) console.warn("skipped: the README of the storefront, for curl is not installed here")

describe("examples/storefront/README.md", { timeout: 120_000, skip: !hasCurl }, () => {
  let shop: ShopWithSql

  beforeAll(async () => {
    shop = await openShop(postgres)
  }, 120_000)

  afterAll(() => shop.stop())

  it("has something to type", () => {
    assert.isAbove(blocks.length, 5)
  })

  for (const { answer, commands } of blocks) {
    it(`gets the answer that it shows to ${commands.trimEnd().split("\n").at(-1)!.slice(0, 90)}`, async () => {
      const { stdout } = await promisify(execFile)("bash", ["-c", commands.replaceAll("http://127.0.0.1:8080", shop.url)])
      // Lines of CSV end as they do on the net.
      assert.strictEqual(stdout.replaceAll("\r", "").trimEnd(), answer.trimEnd())
    })
  }

  it("names files that are there", () => {
    for (const [, target] of readme.matchAll(/\]\(([^)#]+)\)/g)) assert.isTrue(fs.existsSync(path.join(folder, target!)), target)
  })
})
