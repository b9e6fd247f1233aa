/** A server of the chat in a process of its own, and what that has used. From /proc, so on Linux alone. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type { Elsewhere } from "../harness/Case.ts"
import { smallYoungGeneration } from "../harness/flags.ts"
import { compile } from "./Load.ts"
import { Program } from "./Program.ts"

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** How a line of the chat travels. */
export type Framing = "lines" | "ws" | "socket.io"

export interface Recipe {
  readonly framing: Framing
  readonly start: () => Program
}

const inNode = (file: string, args: ReadonlyArray<string> = [], flags = smallYoungGeneration): Program =>
  new Program(process.execPath, [...process.execArgv, ...flags, "--import", new URL("chat-collect.ts", import.meta.url).href, here(file), ...args])

const inC = (): Program => {
  const compiled = compile("chat-epoll.c")
  if (compiled === undefined) throw new Error("there is no C compiler here that knows epoll")
  return new Program(compiled, [])
}

// The users of a benchmark say more than people do, and those that are idle must stay.
const asked = ["--port", "0", "--flood-limit", "off", "--idle-timeout", "1h", "--connect-timeout", "1h"]

const ours = (flags?: ReadonlyArray<string>): Program => inNode("../../examples/chat/server.ts", asked, flags)

export const recipes = {
  ours: { framing: "lines", start: () => ours() },
  oursByDefault: { framing: "lines", start: () => ours([]) },
  batch: { framing: "lines", start: () => inNode("chat-node-batch.ts") },
  raw: { framing: "lines", start: () => inNode("chat-node-net.ts") },
  ws: { framing: "ws", start: () => inNode("chat-ws.ts") },
  socketIo: { framing: "socket.io", start: () => inNode("chat-socket-io.ts") },
  asyncio: { framing: "lines", start: () => new Program("python3", ["-B", here("chat_asyncio.py")]) },
  c: { framing: "lines", start: inC }
} satisfies Record<string, Recipe>

export class ChatProcess implements Elsewhere {
  readonly port: number
  readonly framing: Framing
  private readonly program: Program

  private constructor(program: Program, framing: Framing, port: number) {
    this.program = program
    this.framing = framing
    this.port = port
  }

  static async start({ framing, start }: Recipe): Promise<ChatProcess> {
    const program = start()
    // The last thing in its first line.
    const port = Number(/\d+$/.exec(await program.line))
    return new ChatProcess(program.keepOn(0), framing, port)
  }

  private get pid(): number {
    return this.program.child.pid!
  }

  private number(file: string, pattern: RegExp): number {
    return Number(pattern.exec(readFileSync(`/proc/${this.pid}/${file}`, "utf8"))?.[1])
  }

  /** Milliseconds on a processor, of all its threads: also the collector's and the compiler's. */
  cpuMs(): number {
    const threads = readdirSync(`/proc/${this.pid}/task`)
    return threads.reduce((sum, thread) => sum + this.number(`task/${thread}/schedstat`, /^(\d+)/), 0) / 1e6
  }

  resetPeak(): void {
    writeFileSync(`/proc/${this.pid}/clear_refs`, "5")
  }

  peakMB(): number {
    return this.number("status", /VmHWM:\s+(\d+) kB/) / 1024
  }

  residentKiB(): number {
    return this.number("status", /VmRSS:\s+(\d+) kB/)
  }

  get descriptors(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length
  }

  /** Lets a server in Node collect what it does not need, and keep what it has compiled for the next process (see chat-collect.ts). */
  async collect(): Promise<void> {
    if (this.program.child.spawnfile === process.execPath) this.program.child.kill("SIGUSR2")
    // Nobody is told when it has: the standard output is the server's own. So this waits until the figure stands still, at most two seconds.
    for (let before = -1, quiet = 0, looks = 0; quiet < 3 && looks < 40; looks++) {
      await new Promise((resume) => setTimeout(resume, 50))
      const now = this.residentKiB()
      quiet = now === before ? quiet + 1 : 0
      before = now
    }
  }

  async end(): Promise<void> {
    this.program.child.kill("SIGKILL")
    await this.program.ended
  }
}
