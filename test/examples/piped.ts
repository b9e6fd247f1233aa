/** Runs an example in a pipe: all of its input at once, and what it has said when it has ended. */
import { spawn } from "node:child_process"
import { nodeArguments, root } from "../node/main/start.ts"

export interface Piped {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface PipedOptions {
  readonly env?: NodeJS.ProcessEnv
  /** How standard output is read. `latin1` keeps every byte. Default: `utf8`. */
  readonly encoding?: BufferEncoding
  /** When it is killed. */
  readonly watchdogMillis?: number
}

export const piped = (file: string, args: ReadonlyArray<string>, input: string | Uint8Array, options: PipedOptions = {}): Promise<Piped> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, nodeArguments(file, args), { cwd: root, env: options.env ?? process.env })
    const watchdog = setTimeout(() => child.kill("SIGKILL"), options.watchdogMillis ?? 50_000)
    let stdout = ""
    let stderr = ""
    child.stdout.setEncoding(options.encoding ?? "utf8").on("data", (text: string) => stdout += text)
    child.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text)
    child.on("close", (code) => {
      clearTimeout(watchdog)
      resolve({ code, stdout, stderr })
    })
    child.stdin.on("error", () => {}).end(input)
  })
