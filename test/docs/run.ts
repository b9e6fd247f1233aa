/** Runs files in child processes (see runner.ts) and collects what they printed. */
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"

export interface Result {
  readonly file: string
  /** What a terminal would show: standard output and standard error. */
  readonly printed: string
  /** Errors nobody caught, a time that was exceeded, an early exit. */
  readonly errors: ReadonlyArray<string>
}

const runner = path.join(import.meta.dirname, "runner.ts")

const runOnce = async (files: ReadonlyArray<string>, folder: string): Promise<Array<Result>> => {
  const list = path.join(folder, "list.json")
  const report = path.join(folder, "report.jsonl")
  fs.writeFileSync(list, JSON.stringify(files))
  fs.writeFileSync(report, "")
  let complaint = ""
  await new Promise<void>((resolve) => {
    const child = spawn(process.execPath, ["--conditions=effect-nursery:source", runner, list, report], {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined, VITEST: undefined, NODE_OPTIONS: undefined }
    })
    child.stderr.on("data", (chunk) => complaint += String(chunk))
    child.on("close", () => resolve())
  })
  const results = fs.readFileSync(report, "utf8").split("\n").filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Result)
  // Not one result: the first program killed the process in a way that left no time to say so.
  return results.length > 0 || files.length === 0
    ? results
    : [{ file: files[0]!, printed: "", errors: [`the process died without a word. ${complaint}`] }]
}

const runInTurn = async (files: ReadonlyArray<string>, folder: string): Promise<Array<Result>> => {
  const results: Array<Result> = []
  // A program that ended the process takes the rest of the list with it: start again behind it.
  while (results.length < files.length) results.push(...await runOnce(files.slice(results.length), folder))
  return results
}

/** Runs all files, in `processes` processes side by side; the answer is by file. */
export const run = async (files: ReadonlyArray<string>, processes = 2): Promise<Map<string, Result>> => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "effect-nursery-docs-"))
  try {
    const parts = Array.from({ length: processes }, (_, part) => files.filter((_, index) => index % processes === part))
    const results = await Promise.all(parts.map((part, index) => {
      const own = path.join(folder, String(index))
      fs.mkdirSync(own)
      return runInTurn(part, own)
    }))
    return new Map(results.flat().map((result) => [result.file, result]))
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}
