import { Effect } from "effect"
import { Nursery, Tasks } from "effect-nursery"
import { Thread } from "effect-nursery/node"
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import * as path from "node:path"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { assert, describe, it } from "vitest"
import { execArgv, gate, jobs, open, run, started } from "../node/thread/support.ts"

describe("Threads under a long load", () => {
  it("X01: ten jobs of a second in two threads leave the event loop's lag below 30 ms at p99", async () => {
    const delays = monitorEventLoopDelay({ resolution: 1 })
    let most = 0
    await run(Effect.gen(function*() {
      const threads = yield* Thread.Threads
      delays.enable()
      yield* Nursery.open((n) =>
        Effect.gen(function*() {
          yield* n.startSoon(
            Effect.forever(Effect.andThen(Effect.sleep(1), Effect.sync(() => most = Math.max(most, threads.statistics.running.length)))),
            { service: true }
          )
          for (let i = 0; i < 10; i++) yield* n.startSoon(jobs.run("busy", [1000]))
        })
      )
      delays.disable()
    }))
    assert.strictEqual(most, 2)
    assert.isBelow(delays.percentile(99) / 1e6, 30)
  })

  it("X04: 10,000 jobs that wait are gone within 100 ms of the cancel, the best of five times", async () => {
    const times: Array<number> = []
    await run(Effect.gen(function*() {
      for (let i = 0; i < 5; i++) {
        const held = gate()
        yield* Nursery.open((n) =>
          Effect.gen(function*() {
            yield* n.startNow(jobs.run("hold", [held]))
            yield* started(held)
            const crowd = yield* n.startNow(Nursery.open((inner) =>
              Effect.gen(function*() {
                for (let i = 0; i < 10_000; i++) yield* inner.startNow(jobs.run("hold", [gate()]))
              })
            ))
            const before = performance.now()
            yield* crowd.cancel()
            times.push(performance.now() - before)
            yield* open(held)
          })
        )
      }
    }), { maxThreads: 1 })
    assert.isBelow(Math.min(...times), 100)
  })

  it("a hundred thousand jobs come back, whatever happens to those beside them", () =>
    run(Effect.gen(function*() {
      const of = (i: number): Effect.Effect<unknown, unknown, Thread.Threads> =>
        i % 5000 === 1
          ? Effect.exit(jobs.run("exits", [1]))
          : i % 1000 === 2
          ? Effect.exit(jobs.run("throwsRange", [i]))
          : jobs.run("echo", [i])
      let ended = 0
      yield* Tasks.map(Array.from({ length: 100_000 }, (_, i) => i), (i) =>
        Effect.map(of(i), (value) => {
          ended++
          if (typeof value === "number") assert.strictEqual(value, i)
        }))
      assert.strictEqual(ended, 100_000)
      assert.deepInclude((yield* Thread.Threads).statistics, { running: [], waiting: 0 })
    })))

  it.runIf(existsSync("/proc/self/task"))("X06: leaves no thread and no descriptor after 1,000 rounds of start and stop", () => {
    const { status, stderr, stdout } = spawnSync(process.execPath, [...execArgv, "test/node/thread/rounds.ts", "1000"], {
      cwd: path.resolve(import.meta.dirname, "../.."),
      encoding: "utf8",
      timeout: 500_000,
      killSignal: "SIGKILL",
      env: { ...process.env, NODE_OPTIONS: "" }
    })
    assert.strictEqual(stderr, "")
    assert.strictEqual(status, 0)
    const { after, before } = JSON.parse(stdout) as Record<"before" | "after", { readonly threads: number; readonly descriptors: number }>
    assert.deepStrictEqual(after, before)
  })
})
