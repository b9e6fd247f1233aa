import { execFile } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { judge, parse, type Verdict } from "./corpus.ts"
import type { Scenario } from "./Scenario.ts"

const here = import.meta.dirname
const files = readdirSync(here).filter((name) => name.endsWith(".json"))
const read = (file: string) => parse(readFileSync(join(here, file), "utf8"), file)

/** Runs `npm run -s conformance -- …` as a user does. */
const run = (paths: ReadonlyArray<string>): Promise<{ readonly code: number; readonly output: string }> =>
  new Promise((resolve) => {
    const args = ["--conditions=effect-nursery:source", join(here, "run.ts"), ...paths]
    execFile(process.execPath, args, { maxBuffer: 1e8 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr })
    })
  })

describe("the corpus", () => {
  it.each(files)("%s gives the recorded traces", async (file) => {
    const failures: Array<string> = []
    for (const scenario of read(file)) {
      const verdict = await judge(scenario)
      if (verdict._tag === "Failed") failures.push(`${scenario.id}\n${verdict.report}`)
    }
    expect(failures.join("\n\n")).toBe("")
  })

  // In asyncio a task runs on until it waits, and this one scenario depends on it.
  const runsOn = (scenario: Scenario) => scenario.engine === "asyncio" && scenario.tags.includes("exact-checkpoints")

  it.each([3, 4, 5, 7, 11, 17])("gives the same traces when every fiber has to let others run after %i steps", async (steps) => {
    const failures: Array<string> = []
    for (const scenario of files.flatMap(read).filter((scenario) => !runsOn(scenario))) {
      const verdict = await judge(scenario, steps)
      if (verdict._tag === "Failed") failures.push(`${scenario.id}\n${verdict.report}`)
    }
    expect(failures.join("\n\n")).toBe("")
  })

  it("is whole", () => {
    expect(Object.fromEntries(files.map((file) => [file, read(file).length]))).toEqual({
      "asyncio.json": 59,
      "named.json": 194,
      "random-large.json": 100,
      "random-small.json": 300
    })
  })

  it("is skipped by rule only where the rules say so", async () => {
    const skipped = new Map<string, number>()
    for (const file of files) {
      for (const scenario of read(file)) {
        const verdict: Verdict = await judge(scenario)
        if (verdict._tag === "Skipped") skipped.set(verdict.rule, (skipped.get(verdict.rule) ?? 0) + 1)
      }
    }
    expect(Object.fromEntries(skipped)).toEqual({
      "exact-checkpoints": 12,
      "dynamic-shield": 2,
      "asyncio-gather-failure": 12,
      "cleanup-cancelled": 2
    })
  })
})

describe("npm run conformance", () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "conformance-"))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const file = (name: string, content: unknown): string => {
    const path = join(folder, name)
    writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content))
    return path
  }

  const scenario = (trace: Scenario["trace"]): Partial<Scenario> => ({
    id: "one",
    engine: "trio",
    tags: [],
    program: { body: [{ op: "sleep", ms: 10 }, { op: "log", msg: "awake" }] },
    trace
  })

  it("passes a file of its format from any path", async () => {
    const path = file("good.json", [scenario({ main: [[10, "log", "awake"], [10, "end", "ok"]] })])
    const { code, output } = await run([path])
    expect(output.trimEnd().split("\n").at(-1)).toBe("1 passed, 0 failed, 0 skipped")
    expect(code).toBe(0)
  })

  it("reports a wrong trace with both sides up to the first difference, and exits with 1", async () => {
    const path = file("wrong.json", [scenario({ main: [[10, "log", "asleep"], [10, "end", "ok"]] })])
    const { code, output } = await run([path])
    expect(output).toContain("FAILED one")
    expect(output).toMatch(/✗ \[10,"log","asleep"\] +\[10,"log","awake"\]/)
    expect(output).not.toContain("\"end\"")
    expect(output.trimEnd().split("\n").at(-1)).toBe("0 passed, 1 failed, 0 skipped")
    expect(code).toBe(1)
  })

  it("reports a task that has no list and should have one", async () => {
    const path = file("missing.json", [scenario({ main: [[10, "log", "awake"], [10, "end", "ok"]], ghost: [[0, "end", "ok"]] })])
    const { code, output } = await run([path])
    expect(output).toContain("task ghost")
    expect(code).toBe(1)
  })

  it("says what is wrong with a file that is no corpus, and exits with 2", async () => {
    const { code, output } = await run([file("bad.json", { id: "one" })])
    expect(output).toContain("Expected")
    expect(code).toBe(2)
    expect((await run([])).code).toBe(2)
  })
})
