/** Starts a program as a process of its own, and tells what it prints and how it ends. */
import { spawn } from "node:child_process"
import * as path from "node:path"

export interface Started {
  readonly pid: number
  readonly stdout: () => string
  readonly stderr: () => string
  /** Waits until it has printed this, on either stream. */
  readonly prints: (text: string | RegExp) => Promise<void>
  readonly kill: (signal: NodeJS.Signals) => void
  readonly read: () => void
  /** Closes the other end of its standard output. */
  readonly closeStdout: () => void
  readonly ended: Promise<Ended>
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface StartOptions {
  readonly env?: NodeJS.ProcessEnv
  /** A command line for the shell, in which `"$@"` is the program. */
  readonly shell?: string
  /** More options of Node. */
  readonly node?: ReadonlyArray<string>
  /** Do not read its standard output before `read`. */
  readonly unread?: boolean
  /** It may live so long. Default: a minute. */
  readonly watchdogMillis?: number
  /** Where it runs. Default: the root of the repository. */
  readonly cwd?: string
}

export const root = path.resolve(import.meta.dirname, "../../..")

/** A process that lives longer than this is killed, and what waits for it fails. */
const defaultWatchdogMillis = 60_000

export const nodeArguments = (file: string, args: ReadonlyArray<string> = []): Array<string> =>
  ["--conditions=effect-nursery:source", path.join(root, file), ...args]

/** The environment of a terminal without colours, that `npm run` has not started. */
export const plainEnv = (more?: NodeJS.ProcessEnv): NodeJS.ProcessEnv => {
  const env: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: "1", NODE_OPTIONS: "", ...more }
  for (const name of ["FORCE_COLOR", "VITEST", "npm_lifecycle_event"]) if (more?.[name] === undefined) delete env[name]
  return env
}

/** A file of this repository, which imports the library from its sources. */
export const start = (file: string, args: ReadonlyArray<string> = [], options: StartOptions = {}): Started =>
  startCommand([process.execPath, ...options.node ?? [], ...nodeArguments(file, args)], options)

export const startCommand = (command: ReadonlyArray<string>, options: Omit<StartOptions, "node"> = {}): Started => {
  const { cwd = root, watchdogMillis = defaultWatchdogMillis } = options
  const [name, ...rest] = options.shell === undefined ? command : ["bash", "-c", options.shell, "bash", ...command]
  // A group of its own, so that the watchdog ends whatever it has started.
  const child = spawn(name!, rest, { cwd, env: plainEnv(options.env), stdio: ["ignore", "pipe", "pipe"], detached: true })
  let stdout = ""
  let stderr = ""
  let over = false
  let overdue = false
  const changed = new Set<() => void>()
  const change = () => {
    for (const look of changed) look()
  }
  child.stdout.setEncoding("utf8")
  const read = () => {
    if (child.stdout.listenerCount("data") > 0) return
    child.stdout.on("data", (chunk: string) => {
      stdout += chunk
      change()
    })
  }
  if (options.unread !== true) read()
  // Or else it would never say that it has been closed.
  child.on("exit", read)
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk
    change()
  })
  const watchdog = setTimeout(() => {
    overdue = true
    process.kill(-child.pid!, "SIGKILL")
  }, watchdogMillis)
  const printed = () => `stdout:\n${stdout}\nstderr:\n${stderr}`
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("close", (code, signal) => {
      clearTimeout(watchdog)
      over = true
      change()
      if (overdue) reject(new Error(`the program was still running after ${watchdogMillis / 1000} seconds\n${printed()}`))
      else resolve({ code, signal, stdout, stderr })
    })
  })
  ended.catch(() => {})
  return {
    pid: child.pid!,
    stdout: () => stdout,
    stderr: () => stderr,
    prints: (text) =>
      new Promise((resolve, reject) => {
        const has = (all: string) => typeof text === "string" ? all.includes(text) : text.test(all)
        const look = () => {
          if (has(stdout) || has(stderr)) resolve()
          else if (over) reject(new Error(`the program has ended without printing ${String(text)}\n${printed()}`))
          else return
          changed.delete(look)
        }
        changed.add(look)
        look()
      }),
    kill: (signal) => void child.kill(signal),
    read,
    closeStdout: () => void child.stdout.destroy(),
    ended
  }
}
