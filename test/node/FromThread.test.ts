import { FromThread } from "effect-nursery/node"
import { spawnSync } from "node:child_process"
import * as path from "node:path"
import { assert, describe, it } from "vitest"
import * as work from "./thread/jobs.ts"

// What happens inside of a job is tested with it, in Thread.test.ts. This is what happens outside.

describe("FromThread.checkCancelled", () => {
  it("lets a job's function run that is called without a thread", () => {
    FromThread.checkCancelled()
  })
})

describe("FromThread.signal", () => {
  it("is a signal that is not aborted, outside of a job", () => {
    assert.isFalse(FromThread.signal().aborted)
  })
})

describe("FromThread.transfer", () => {
  it("is the value itself, outside of a job", () => {
    const buffer = new ArrayBuffer(8)
    assert.strictEqual(FromThread.transfer(buffer, [buffer]), buffer)
    assert.strictEqual(buffer.byteLength, 8)
    assert.deepStrictEqual(work.moved(2), Float64Array.of(0, 1))
  })
})

describe("FromThread.calls", () => {
  it("fails with CallError, outside of a job", async () => {
    const error = await work.loop.run("double", [1]).then(() => undefined, (error: unknown) => error)
    for (const each of [error, thrownBy(() => work.loop.runSync("double", [1]))]) {
      assert.instanceOf(each, FromThread.CallError)
      assert.deepInclude({ ...each }, { _tag: "CallError", why: "over", handler: "double" })
      assert.strictEqual(String(each), "CallError: double has nobody to answer it: the job was cancelled or has ended, or this is no job")
    }
  })

  it("has the types of the interface", () => {
    const check = () => {
      const n: number = work.loop.runSync("double", [1])
      const text: Promise<string> = work.loop.run("names", [1])
      // A handler that gives a promise of a string is an effect of a string.
      const name: string = work.loop.runSync("names", [1])
      // @ts-expect-error It takes a number.
      void work.loop.run("double", ["1"])
      // @ts-expect-error There is none.
      void work.loop.run("halve", [1])
      // @ts-expect-error An interface of functions.
      FromThread.calls<{ readonly a: number }>()
      return [n, text, name]
    }
    assert.isFunction(check)
  })
})

const thrownBy = (body: () => unknown): unknown => {
  try {
    return body()
  } catch (error) {
    return error
  }
}

describe("The module", () => {
  it("loads nothing of Effect, which would make each thread late", () => {
    const { stderr, stdout } = spawnSync(process.execPath, ["--conditions=effect-nursery:source", "test/node/thread/loads.ts"], {
      cwd: path.resolve(import.meta.dirname, "../.."),
      encoding: "utf8",
      timeout: 30_000,
      killSignal: "SIGKILL",
      env: { ...process.env, NODE_OPTIONS: "" }
    })
    assert.strictEqual(stderr, "")
    const loaded = JSON.parse(stdout) as ReadonlyArray<string>
    assert.isTrue(loaded.some((url) => url.endsWith("/src/node/FromThread.ts")))
    assert.deepStrictEqual(loaded.filter((url) => !url.startsWith("node:") && !url.includes("/src/node/")), [])
  })
})
