/** A program in a process of its own that says something when it has started, and answers each line with a line. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { availableParallelism } from "node:os"
import { createInterface } from "node:readline"

export class Program {
  readonly child: ChildProcess
  private readonly waiting: Array<(line: string) => void> = []
  private readonly lines: Array<string> = []
  private errors = ""
  readonly ended: Promise<void>
  private failed: ((error: Error) => void) | undefined

  constructor(command: string, args: ReadonlyArray<string>, env: NodeJS.ProcessEnv = process.env) {
    const child = this.child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], env })
    this.ended = new Promise((resolve) => child.on("close", () => resolve()))
    createInterface({ input: child.stdout }).on("line", (line) => {
      const next = this.waiting.shift()
      if (next === undefined) this.lines.push(line)
      else next(line)
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => this.errors += text)
    child.on("error", (error) => this.errors += error.message)
    child.on("close", (code, signal) => this.failed?.(new Error(this.errors.trim() || `${command} has ended with ${code ?? signal}`)))
    // It ends with this process, which closes its input; a server that does not read is ended.
    process.once("exit", () => child.kill("SIGKILL"))
  }

  /**
   * Keeps its main thread on one processor, where that can be done. Left alone, the system moves a program to where the one is that wakes it up: then those
   * who are told something run where the server runs that tells them, and it has to wait for them.
   */
  keepOn(processor: number): this {
    if (availableParallelism() > processor) spawnSync("taskset", ["-c", "-p", String(processor), String(this.child.pid)])
    return this
  }

  /** Its next line. */
  get line(): Promise<string> {
    const line = this.lines.shift()
    if (line !== undefined) return Promise.resolve(line)
    return new Promise((resolve, reject) => {
      this.failed = reject
      this.waiting.push(resolve)
    })
  }

  ask(question: string): Promise<string> {
    this.child.stdin!.write(`${question}\n`)
    return this.line
  }
}
