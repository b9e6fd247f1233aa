/** An HTTP server in a process of its own, and what that has used. From /proc, so on Linux alone. */
import { spawnSync } from "node:child_process"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { command } from "./http-storefront.ts"
import { Program } from "./Program.ts"

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

export interface Recipe {
  readonly start: (databaseUrl: string | undefined, nodeOptions: ReadonlyArray<string>) => Program
  /** It makes its tables by itself. */
  readonly makesTables?: true
  /** Its work is done in processes that it starts. */
  readonly withChildren?: true
  /** It is TypeScript, of which Node keeps what it has compiled. */
  readonly compiles?: true
}

// A variable that is not wanted may be set where this runs.
const environment = (databaseUrl: string | undefined) => {
  const { DATABASE_URL: _, PORT: __, HOST: ___, ...rest } = process.env
  return databaseUrl === undefined ? rest : { ...rest, DATABASE_URL: databaseUrl }
}

const inNode = (file: string, ...args: ReadonlyArray<string>): Recipe["start"] => (databaseUrl, nodeOptions) => {
  // What the benchmark was asked to load (harness/library.ts) is not for them; chat-collect.ts writes down what was compiled.
  const options = ["--conditions=effect-nursery:source", "--disable-warning=ExperimentalWarning", "--import", new URL("chat-collect.ts", import.meta.url).href]
  return new Program(process.execPath, [...options, ...nodeOptions, here(file), ...args], environment(databaseUrl))
}

const built: Recipe["start"] = (databaseUrl, nodeOptions) => {
  // In its image there is no cache of what was compiled.
  const { NODE_COMPILE_CACHE: _, ...rest } = environment(databaseUrl)
  return new Program(process.execPath, [...nodeOptions, ...command(), "--port", "0"], rest)
}

/** Debian's packages are there for its own Python alone. */
const pythons = ["python3", "/usr/bin/python3"]

const inPython = (file: string, modules: string, ...args: ReadonlyArray<string>): Recipe["start"] => (databaseUrl) => {
  const python = pythons.find((each) => spawnSync(each, ["-c", `import ${modules}`], { stdio: "ignore" }).status === 0)
  if (python === undefined) throw new Error(`not here: python3 with ${modules}`)
  return new Program(python, ["-B", here(`../python/${file}`), ...args], environment(databaseUrl))
}

export const recipes = {
  ours: { start: built, makesTables: true },
  node: { start: inNode("http-node.ts"), compiles: true },
  fastify: { start: inNode("http-fastify.ts"), compiles: true },
  hono: { start: inNode("http-hono.ts"), compiles: true },
  router: { start: inNode("http-effect-router.ts"), compiles: true },
  api: { start: inNode("http-effect-api.ts"), compiles: true },
  starlette: { start: inPython("http_starlette.py", "starlette, uvicorn, uvloop, httptools, asyncpg") },
  aiohttp: { start: inPython("http_aiohttp.py", "aiohttp, asyncpg") },
  flask: { start: inPython("http_flask.py", "flask, gunicorn, psycopg2"), withChildren: true },
  flaskKept: { start: inPython("http_flask.py", "flask, gunicorn, psycopg2", "keep"), withChildren: true }
} satisfies Record<string, Recipe>

/** It says where it listens before it can do everything: until then it says 503, or refuses. */
const patienceMillis = 30_000

export class HttpProcess {
  readonly url: string
  private readonly program: Program
  private readonly recipe: Recipe

  private constructor(program: Program, recipe: Recipe, port: number) {
    this.program = program
    this.recipe = recipe
    this.url = `http://127.0.0.1:${port}`
  }

  static async start(recipe: Recipe, databaseUrl: string | undefined, nodeOptions: ReadonlyArray<string> = []): Promise<HttpProcess> {
    const program = recipe.start(databaseUrl, nodeOptions)
    // The last thing in its first line.
    return new HttpProcess(program, recipe, Number(/\d+$/.exec(await program.line)))
  }

  /** The first good answer. */
  async answer(path: string): Promise<string> {
    const until = performance.now() + patienceMillis
    for (let last = "nothing";;) {
      try {
        const response = await fetch(this.url + path)
        const text = await response.text()
        if (response.status === 200) return text
        last = `${response.status} ${text}`
      } catch (error) {
        last = String(error)
      }
      if (performance.now() > until) throw new Error(`no answer at ${path}: ${last}`)
      await new Promise((resume) => setTimeout(resume, 5))
    }
  }

  private get pids(): ReadonlyArray<number> {
    const pid = this.program.child.pid!
    const children = () => readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number)
    return this.recipe.withChildren === true ? [pid, ...children()] : [pid]
  }

  private sum(of: (pid: number) => number): number {
    return this.pids.reduce((sum, pid) => sum + of(pid), 0)
  }

  /** Milliseconds on a processor, of all its threads: also the collector's and the compiler's. */
  cpuMs(): number {
    return this.sum((pid) =>
      readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => sum + Number(/^\d+/.exec(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8"))), 0)
    ) / 1e6
  }

  resetPeak(): void {
    for (const pid of this.pids) writeFileSync(`/proc/${pid}/clear_refs`, "5")
  }

  peakMB(): number {
    return this.sum((pid) => Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1])) / 1024
  }

  /** What was compiled is there for the next process. */
  keepCompiled(): void {
    if (this.recipe.compiles === true) this.program.child.kill("SIGUSR2")
  }

  /** Asks it to stop, so that it may leave things as they should be. */
  async end(): Promise<void> {
    const { child } = this.program
    const late = setTimeout(() => child.kill("SIGKILL"), 5000)
    child.kill("SIGTERM")
    await this.program.ended
    clearTimeout(late)
  }
}
