import { spawnSync } from "node:child_process"
import * as path from "node:path"
import { assert, describe, it } from "vitest"

describe("examples/learn/threads.ts", () => {
  it("shows how far a job is, what jobs wait for that have no thread, and a job that a time limit stops; and ends", () => {
    const { signal, status, stderr, stdout } = spawnSync(process.execPath, ["--conditions=effect-nursery:source", "examples/learn/threads.ts"], {
      cwd: path.resolve(import.meta.dirname, "../.."),
      encoding: "utf8",
      timeout: 30_000,
      killSignal: "SIGKILL",
      env: { ...process.env, NODE_OPTIONS: "" }
    })
    assert.deepStrictEqual(stdout.trimEnd().split("\n"), [
      "One job, and how far it is:",
      "  25 %",
      "  50 %",
      "  75 %",
      "  100 %",
      "  17984 primes",
      "",
      "Four jobs, two threads:",
      "nursery counting",
      "├─ body (running)",
      "├─ part 1 (waiting for countPrimes of primes.ts)",
      "├─ part 2 (waiting for countPrimes of primes.ts)",
      "├─ part 3 (waiting for a token of limiter threads)",
      "└─ part 4 (waiting for a token of limiter threads)",
      "",
      "One job that would take hours:",
      "  counting to a million millions took longer than 100ms"
    ])
    assert.strictEqual(stderr, "")
    assert.deepStrictEqual({ signal, status }, { signal: null, status: 0 })
  })
})
