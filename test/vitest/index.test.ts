import * as effectVitest from "@effect/vitest"
import { Effect } from "effect"
import { Nursery, Timeout } from "effect-nursery"
import { it } from "effect-nursery/vitest"
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, beforeAll, describe, it as plain } from "vitest"

const root = path.resolve(import.meta.dirname, "../..")

interface Result {
  readonly title: string
  readonly status: string
  readonly failureMessages: ReadonlyArray<string>
}

describe("it", () => {
  plain("is that of @effect/vitest, with more, and leaves those alone", () => {
    assert.isFunction(it.effect)
    assert.isFunction(it.live)
    assert.isFunction(it.skip)
    assert.strictEqual(it.effect, effectVitest.it.effect)
    assert.isUndefined((effectVitest.it as { nursery?: unknown }).nursery)
    assert.isUndefined((plain as { nursery?: unknown }).nursery)
  })

  it("is a test as in vitest", () => assert.isTrue(true))

  it.effect("is a test as in @effect/vitest", () => Effect.sync(() => assert.isTrue(true)))
})

describe("it.nursery", () => {
  it.nursery("runs in virtual time", Effect.gen(function*() {
    yield* Nursery.open((n) => n.startSoon(Effect.sleep("2 hours")))
    assert.strictEqual(yield* Timeout.now, 7_200_000)
  }))

  it.nursery("runs in real time when it is told to", Effect.gen(function*() {
    const before = performance.now()
    yield* Effect.sleep(5)
    assert.isAbove(performance.now(), before)
    // Virtual time begins at 0.
    assert.isAbove(yield* Timeout.now, 5)
  }), { time: "live" })

  it.nursery("closes the Scope before it looks", Effect.acquireRelease(
    Effect.sync(() => setInterval(() => {}, 1000)),
    (interval) => Effect.sync(() => clearInterval(interval))
  ))

  it.nursery.fails("can be expected to fail", Effect.forkDetach(Effect.never))
})

describe("a test file with it.nursery", () => {
  let results: ReadonlyArray<Result> = []
  let output = ""
  let status: number | null = null
  beforeAll(() => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "effect-nursery-vitest-"))
    const file = path.join(folder, "report.json")
    const run = spawnSync(
      process.execPath,
      [path.join(root, "node_modules/vitest/vitest.mjs"), "run", "--config", "test/vitest/vitest.config.ts", "--reporter=json", "--reporter=default", `--outputFile=${file}`],
      { cwd: root, encoding: "utf8", timeout: 60_000, env: { ...process.env, NODE_OPTIONS: "" } }
    )
    status = run.status
    output = run.stdout + run.stderr
    const report = JSON.parse(fs.readFileSync(file, "utf8")) as { testResults: ReadonlyArray<{ assertionResults: ReadonlyArray<Result> }> }
    results = report.testResults.flatMap((_) => _.assertionResults)
    fs.rmSync(folder, { recursive: true, force: true })
  }, 60_000)

  const failure = (title: string) => {
    const result = results.find((_) => _.title === title)
    assert.strictEqual(result?.status, "failed", output)
    return result!.failureMessages.join("\n")
  }
  const passes = (title: string) => assert.strictEqual(results.find((_) => _.title === title)?.status, "passed", output)

  plain("fails the tests that leave something behind, and names the task and the line", () => {
    assert.include(failure("leaks an interval"), "- an interval of 1000 ms, of nursery shop > worker, at test/vitest/fixtures/leaky.ts:8:")
    assert.match(failure("leaks a fiber"), /- a fiber \(#\d+\), of nursery shop > worker/)
    assert.include(failure("leaks a listener"), "- a listener of \"SIGUSR2\" on process, of nursery shop > worker, at test/vitest/fixtures/leaky.ts:12:")
    assert.strictEqual(status, 1)
  })

  plain("fails the tests whose programs fail or hang, with that", () => {
    assert.include(failure("fails"), "no milk")
    assert.include(failure("hangs"), "Every task waits")
    assert.include(failure("takes too long"), "Test timed out in 50ms")
  })

  plain("interrupts a program whose test takes too long, and lets it clean up", () => {
    assert.include(failure("takes too long in real time"), "Test timed out in 50ms")
    assert.include(output, "cleaned up after the time-out")
  })

  plain("passes the tests of clean programs, and those that are expected to fail, and skips", () => {
    passes("is clean")
    passes("is clean, made anew each time")
    passes("is expected to leak")
    assert.strictEqual(results.find((_) => _.title === "is skipped")?.status, "skipped")
  })

  plain("passes the example of the documentation", () => passes("cooks every order, and goes home"))

  plain("fails the tests whose programs are wrong under some schedule, with that schedule", () => {
    const report = failure("finds the race")
    assert.include(report, "ScheduleFound: property, found in ")
    assert.include(report, "The property does not hold for the value 2.")
    assert.match(report, /» gather 0 +pauses/)
    assert.match(report, /again: Explore\.replay\(program, "\d+\.1"\)/)
    assert.include(failure("finds it by an assertion"), "taken twice")
    assert.include(failure("finds a deadlock"), "Every task waits")
  })

  plain("passes the tests in which no schedule is wrong, and those that are expected to fail, and skips", () => {
    passes("finds nothing in one run")
    passes("is expected to be found")
    assert.strictEqual(results.find((_) => _.title === "is not explored")?.status, "skipped")
  })

  plain("passes the second example of the documentation", () => {
    passes("pays once")
    passes("has its token back, whoever is cancelled at whatever step")
  })
})
