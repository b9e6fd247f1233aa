/** The load generator: a program in C where there is a compiler, else the same in Node, which is slower. */
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { Program } from "./Program.ts"

export interface Answer {
  readonly messages: number
  /** Of each message, from its first byte out to its last byte back, in microseconds. */
  readonly p50: number
  readonly p99: number
  readonly max: number
}

export class Load {
  private readonly program: Program
  constructor(port: number) {
    const compiled = compile("echo-load.c")
    this.program = compiled === undefined
      ? new Program(process.execPath, [here("echo-load.ts"), "127.0.0.1", String(port)])
      : new Program(compiled, ["127.0.0.1", String(port)])
  }

  private async ask(command: string): Promise<Answer> {
    return JSON.parse(await this.program.ask(command)) as Answer
  }

  /** Connects; messages of so many bytes, so many of them under way on each connection. */
  open(connections: number, size: number, depth: number): Promise<Answer> {
    return this.ask(`open ${connections} ${size} ${depth}`)
  }
  /** Sends so many messages over all connections together, and checks every byte that comes back. */
  echo(messages: number): Promise<Answer> {
    return this.ask(`echo ${messages}`)
  }
  /** Connects, sends one message there and back, and closes: so many times. */
  dial(times: number, atOnce: number, size: number): Promise<Answer> {
    return this.ask(`dial ${times} ${atOnce} ${size}`)
  }
  /** Connections that say nothing any more. */
  idle(connections: number): Promise<Answer> {
    return this.ask(`idle ${connections}`)
  }
  async drop(): Promise<void> {
    await this.ask("drop")
  }
  end(): void {
    this.program.child.stdin!.end()
  }
}

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url))

/** Of the program and the headers that it includes. */
const hashOf = (file: string): string => {
  const source = readFileSync(here(file), "utf8")
  const headers = [...source.matchAll(/^#include "(.+)"$/gm)].map(([, header]) => readFileSync(here(header!), "utf8"))
  return createHash("sha256").update([source, ...headers].join("")).digest("hex").slice(0, 16)
}

/** The path of the compiled program; none without a compiler that knows this system. */
export const compile = (file: string): string | undefined => {
  const folder = here("../node_modules/.load/")
  const program = `${folder}${file}-${hashOf(file)}`
  if (existsSync(program)) return program
  mkdirSync(folder, { recursive: true })
  // Under another name first: several processes may be at it.
  const making = `${program}-${process.pid}`
  const { status } = spawnSync("cc", ["-O2", "-o", making, here(file)], { stdio: "ignore" })
  if (status !== 0) return undefined
  renameSync(making, program)
  return program
}
