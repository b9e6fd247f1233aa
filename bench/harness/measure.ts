/** Starts one measurement in a process of its own. */
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Side } from "./Case.ts"
import type { Share } from "./profile.ts"

export interface Measurement {
  readonly wallMs: number
  readonly cpuMs: number
  readonly rssMB: number
  readonly marked?: { readonly wallMs: number; readonly cpuMs: number }
  readonly told: Readonly<Record<string, number>>
}

export interface Sizes {
  readonly n: number
  readonly repeat: number
  readonly warm: number
}

/** Longer than the slowest row here takes; what does not end (see nested-deep) must not hold the others. */
const patienceMillis = 120_000

// Taking the types out of TypeScript costs a process 26 MB, which no user of the published library pays.
// With a cache only the first process of a side does it.
const compileCache = mkdtempSync(join(tmpdir(), "effect-nursery-bench-"))
process.once("exit", () => rmSync(compileCache, { recursive: true, force: true }))

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** The line that says why: the first that reads like an error, and of Python the last one. */
const reasonIn = (stderr: string): string => {
  const lines = stderr.split("\n").map((line) => line.trim())
  const errors = lines.filter((line) => /^(([A-Z]\w*)?Error|ended|.*heap out of memory)\b/.test(line))
  return (stderr.includes("Traceback") ? errors.at(-1) : errors[0])?.slice(0, 160) ?? lines.at(-1) ?? ""
}

/** Resolves to what went wrong as text when the side did not do its work. */
const start = (
  caseName: string,
  sideName: string,
  side: Side,
  sizes: Sizes,
  extra: Record<string, string> = {}
): Promise<unknown> =>
  new Promise((resolve) => {
    const args = [caseName, sideName, sizes.n, sizes.repeat, sizes.warm].map(String)
    const [command, ...first] = side.python === undefined
      ? [
        process.execPath,
        "--conditions=effect-nursery:source",
        "--disable-warning=ExperimentalWarning",
        "--expose-gc",
        ...side.flags ?? [],
        "--import",
        new URL("library.ts", import.meta.url).href,
        here("worker.ts")
      ]
      : ["python3", "-B", here(`../python/${side.python}_sides.py`)]
    let library: Record<string, string>
    try {
      library = side.library === undefined ? {} : { BENCH_LIBRARY: side.library() }
    } catch (error) {
      return resolve(String(error))
    }
    const child = spawn(command!, [...first, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      timeout: patienceMillis,
      killSignal: "SIGKILL",
      env: { ...process.env, NODE_COMPILE_CACHE: compileCache, ...library, ...extra }
    })
    let stdout = ""
    let stderr = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => stdout += text)
    child.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text)
    child.on("error", (error) => resolve(error.message))
    child.on("close", (code, signal) => {
      if (code === 0) return resolve(JSON.parse(stdout))
      if (signal === "SIGKILL") return resolve(`did not end in ${patienceMillis / 1000} s`)
      // Node's status for a program whose promise nothing can settle any more.
      if (code === 13) return resolve("hangs: it waits, and nothing is left that could wake it")
      resolve(reasonIn(stderr) || `exit status ${code ?? signal}`)
    })
  })

export const measure = (caseName: string, sideName: string, side: Side, sizes: Sizes) =>
  start(caseName, sideName, side, sizes) as Promise<Measurement | string>

/** Fills the cache of what is compiled, and tells at once what cannot be loaded. */
export const prepare = async (caseName: string, sideName: string, side: Side): Promise<string | undefined> => {
  if (side.python !== undefined) return undefined
  const outcome = await start(caseName, sideName, side, { n: 1, repeat: 1, warm: 1 })
  return typeof outcome === "string" ? outcome : undefined
}

/** One more run, under the profiler of V8: its figures would be no good, so it has none. */
export const profileOf = (caseName: string, sideName: string, side: Side, sizes: Sizes) =>
  start(caseName, sideName, side, sizes, { BENCH_PROFILE: "1" }) as Promise<ReadonlyArray<Share> | string>
