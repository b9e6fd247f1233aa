/** A program that is bundled together with the library: what of it is a file of its own has to come along. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { build, type RolldownOptions } from "rolldown"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { root, startCommand } from "./main/start.ts"

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "bundle-"))

const bundle = (name: string, more: RolldownOptions = {}, entries: Readonly<Record<string, string>> = {}) =>
  build({
    input: { program: path.join(root, "test/node/bundle/program.ts"), ...entries },
    platform: "node",
    // It starts a file of its own, too.
    external: "piscina",
    resolve: { conditionNames: ["effect-nursery:source", "node"] },
    logLevel: "silent",
    ...more,
    output: { dir: path.join(folder, name), entryFileNames: "[name].mjs" }
  })

const internal = (name: string) => path.join(root, "src/node/internal", `${name}.ts`)

/** The line that it prints. */
const said = async (name: string, what: "thread" | "watched") => {
  const { code, stdout, stderr } = await startCommand([process.execPath, path.join(folder, name, "program.mjs"), what], { cwd: folder }).ended
  assert.deepStrictEqual([code, stderr], [0, ""])
  return stdout.trimEnd()
}

const leaveItOut = /is not beside .+ leave effect-nursery out of the bundle, or make effect-nursery\/dist\/node\/internal\/\w+\.js an entry of it/

describe.concurrent("a bundle", { timeout: 60_000 }, () => {
  beforeAll(async () => {
    fs.symlinkSync(path.join(root, "node_modules"), path.join(folder, "node_modules"), "junction")
    await Promise.all([
      bundle("alone"),
      bundle("whole", {}, { ThreadWorker: internal("ThreadWorker"), LoopWatchdog: internal("LoopWatchdog") }),
      // As bundlers do that write for CommonJS.
      bundle("nowhere", { transform: { define: { "import.meta.url": "undefined" } } })
    ])
  }, 60_000)

  afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

  it("runs jobs in threads, and is watched, when the files of the threads are entries of it", async () => {
    assert.deepStrictEqual(await Promise.all([said("whole", "thread"), said("whole", "watched")]), ["907060870", "blocked"])
  })

  it.each(["alone", "nowhere"])("says what to do when they are not: %s (bug: without an address, it could not be loaded)", async (name) => {
    const [thread, watched] = await Promise.all([said(name, "thread"), said(name, "watched")])
    assert.match(thread, /^Error: ThreadWorker of effect-nursery /)
    assert.match(watched, /^The event loop is not watched: Error: LoopWatchdog of effect-nursery /)
    for (const text of [thread, watched]) assert.match(text, leaveItOut)
  })
})
