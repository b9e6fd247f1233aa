import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { constants, PerformanceObserver } from "node:perf_hooks"
import { fileURLToPath } from "node:url"
import { used, useYoungMemory } from "../../../src/net/internal/YoungMemory.ts"

const megabyte = 1024 * 1024

/** How many collections of the young generation there are while something is done. */
const youngCollections = async (act: () => void): Promise<number> => {
  let count = 0
  const note = (entries: ReadonlyArray<PerformanceEntry>) => {
    for (const { detail } of entries as ReadonlyArray<PerformanceEntry & { readonly detail: { readonly kind: number } }>) if (detail.kind === constants.NODE_PERFORMANCE_GC_MINOR) count++
  }
  const observer = new PerformanceObserver((list) => note(list.getEntries()))
  observer.observe({ entryTypes: ["gc"] })
  act()
  // The entries come in a turn of their own.
  await new Promise((resume) => setImmediate(resume))
  note(observer.takeRecords())
  observer.disconnect()
  return count
}

const move = (bytes: number, chunk: number): void => {
  for (let moved = 0; moved < bytes; moved += chunk) useYoungMemory(chunk)
}

describe("useYoungMemory", () => {
  for (const chunk of [64, 4096, 65_536]) {
    it(`lets the young generation be collected at least once in 16 MB of buffers, of ${chunk} bytes each`, async () => {
      move(16 * megabyte, chunk)
      const collections = await youngCollections(() => move(160 * megabyte, chunk))
      assert.isAtLeast(collections, 9)
      // The other objects of a test count, too.
      assert.isAtMost(collections, 40)
    })
  }

  it("lets a small young generation be collected once in 8 MB", () => {
    const file = fileURLToPath(new URL("../../../src/net/internal/YoungMemory.ts", import.meta.url))
    const program = `import { useYoungMemory } from ${JSON.stringify(file)}
      for (let i = 0; i < 2560; i++) useYoungMemory(65_536)`
    const options = ["--max-semi-space-size=2", "--trace-gc", "--input-type=module", "--disable-warning=ExperimentalWarning", "-e", program]
    const { stderr, stdout } = spawnSync(process.execPath, options, { encoding: "utf8", timeout: 30_000 })
    assert.strictEqual(stderr, "")
    const collections = stdout.match(/Scavenge/g)?.length ?? 0
    assert.isAtLeast(collections, 18)
    assert.isAtMost(collections, 40)
  })

  it("costs nothing while little is moved", () => {
    move(65_536, 65_536)
    const before = used
    useYoungMemory(1000)
    assert.strictEqual(used, before)
  })
})
