/**
 * What does an echo server cost, beside a bare one of Node, Effect's own, asyncio, and C?
 *
 * The server that is measured runs in this process (asyncio and C in one of their own, whose figures count then). The
 * load comes from another one, which checks every byte that comes back.
 */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type { Case, Run, Rows, Side, Target } from "../harness/Case.ts"
import { memoryAtMost, ours, toldAtMost } from "../harness/Case.ts"
import { smallYoungGeneration } from "../harness/flags.ts"
import { elsewhere } from "../load/Elsewhere.ts"
import { compile, Load } from "../load/Load.ts"
import { Program } from "../load/Program.ts"
import * as servers from "../load/servers.ts"

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

const raw = "node:net"
const effect = "Effect's NodeSocketServer"
const asyncio = "asyncio"
const c = "C, epoll"

// --- where the servers are ---

const inPython = () => new Program("python3", ["-B", here("../load/echo_asyncio.py")])

const inC = () => {
  const compiled = compile("echo.c")
  if (compiled === undefined) throw new Error("there is no C compiler here that knows epoll")
  return new Program(compiled, [])
}

interface Connected {
  readonly load: Load
  readonly elsewhere?: Run["elsewhere"]
}

const connected = async (server: servers.Server | (() => Program)): Promise<Connected> => {
  const started = await server()
  if (typeof started === "number") return { load: new Load(started) }
  return { load: new Load(Number(await started.line)), elsewhere: elsewhere(started.child.pid!) }
}

const byLoop = `${ours}, receive and send`
const byStream = `${ours}, Stream.runForEach`

const all = { [ours]: servers.ours, [byLoop]: servers.oursByLoop, [byStream]: servers.oursByStream, [raw]: servers.raw, [effect]: servers.effect, [asyncio]: inPython, [c]: inC }

const sides = (side: Side, run: (connected: Connected) => Promise<Run>): Record<string, Side> =>
  Object.fromEntries(Object.entries(all).map(([name, server]) => [name, {
    ...side,
    flags: smallYoungGeneration,
    load: async () => {
      const to = await connected(server)
      const each = await run(to)
      return to.elsewhere === undefined ? each : Object.assign(each, { elsewhere: to.elsewhere })
    }
  }]))

// --- messages there and back ---

const connections = 50
const p99 = "p99 in ms, from the first byte out to the last byte back"

const echoing = (size: number, depth: number) => async ({ load }: Connected): Promise<Run> => {
  await load.open(connections, size, depth)
  return async (n, _, tell) => {
    const answer = await load.echo(n)
    tell(p99, answer.p99 / 1000)
    return answer.messages
  }
}

const ratio = (what: string, unit: string, better: Target["better"], must: number, value: (rows: Rows) => number | undefined): Target =>
  ({ what, unit, better, must, value })

const ofTheCpuOf = (peer: string, must: number): Target =>
  ratio(`${ours}, CPU: of the speed of ${peer}`, " ×", "higher", must, (rows) => {
    const [a, b] = [rows.get(ours), rows.get(peer)]
    return a && b && b.cpuNs / a.cpuNs
  })

const latencyAtMost = (must: number): Target =>
  ratio(`${ours}: p99, to that of ${raw}`, " ×", "lower", must, (rows) => {
    const [a, b] = [rows.get(ours)?.told[p99], rows.get(raw)?.told[p99]]
    return a && b && a / b
  })

const echoCase = (name: string, question: string, n: number, size: number, depth: number, targets: ReadonlyArray<Target>): Case => ({
  name,
  question,
  reference: raw,
  // Warm-ups large enough for the compiler to be done: there is much less of it in a bare server.
  sides: sides({ n, warm: n / 10 }, echoing(size, depth)),
  targets
})

// --- connections ---

const dialling = async ({ load }: Connected): Promise<Run> => async (n) => (await load.dial(n, connections, 64)).messages

const perConnection = "KiB resident of each idle connection"

/** In a process of its own that is new each time: memory that was taken once is not given back. */
const idling = (name: keyof typeof servers): Side["load"] => async () => async (n, _, tell) => {
  const program = new Program(process.execPath, [...process.execArgv, here("../load/server.ts"), name])
  const load = new Load(Number(await program.line))
  await load.idle(100)
  await load.drop()
  const before = Number(await program.ask("memory"))
  const { messages } = await load.idle(n)
  const after = Number(await program.ask("memory"))
  tell(perConnection, (after - before) / n / 1024)
  load.end()
  program.child.kill("SIGKILL")
  await program.ended
  return messages
}

const residentKiB = (pid: number): number => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1])

const idlingElsewhere = (server: () => Program): Side["load"] => async () => async (n, _, tell) => {
  const program = server()
  const load = new Load(Number(await program.line))
  await load.idle(100)
  await load.drop()
  const before = residentKiB(program.child.pid!)
  const { messages } = await load.idle(n)
  tell(perConnection, (residentKiB(program.child.pid!) - before) / n)
  load.end()
  program.child.kill("SIGKILL")
  await program.ended
  return messages
}

// --- the end ---

const untilExit = "from SIGTERM to the exit, in ms"

const stopping = async (): Promise<Run> => async (n, _, tell) => {
  const program = new Program(process.execPath, [...process.execArgv, here("../../examples/echo/server.ts"), "--port", "0"])
  const port = Number(/\d+$/.exec(await program.line))
  const load = new Load(port)
  const { messages } = await load.idle(n)
  const before = performance.now()
  program.child.kill("SIGTERM")
  await program.ended
  tell(untilExit, performance.now() - before)
  load.end()
  if (program.child.exitCode !== 0) throw new Error(`the server has ended with ${program.child.exitCode ?? program.child.signalCode}`)
  return messages
}

const idle = 8_000

export const echo: ReadonlyArray<Case> = [
  echoCase("echo-64", `${connections} connections send 64 bytes and wait for them`, 100_000, 64, 1, [
    ofTheCpuOf(raw, 0.95),
    ofTheCpuOf(asyncio, 1),
    latencyAtMost(1.3),
    memoryAtMost(110)
  ]),
  echoCase("echo-64x64", `${connections} connections, each with 64 messages of 64 bytes under way`, 4_000_000, 64, 64, [
    ofTheCpuOf(raw, 0.95),
    ofTheCpuOf(asyncio, 1),
    latencyAtMost(1.3),
    memoryAtMost(110)
  ]),
  echoCase("echo-16k", `${connections} connections, each with 8 messages of 16 KiB under way`, 50_000, 16_384, 8, [
    ofTheCpuOf(raw, 0.9),
    ofTheCpuOf(asyncio, 1),
    latencyAtMost(1.3)
  ]),
  {
    name: "echo-connect",
    question: `What does a connection cost that sends 64 bytes, gets them back and closes, ${connections} at a time?`,
    reference: raw,
    sides: sides({ n: 10_000, warm: 1_000 }, dialling),
    targets: [ofTheCpuOf(raw, 0.7)]
  },
  {
    name: "echo-idle",
    question: "How much memory does a connection take that says nothing?",
    reference: raw,
    sides: {
      [ours]: { n: idle, warm: 1, load: idling("ours") },
      [raw]: { n: idle, warm: 1, load: idling("raw") },
      [effect]: { n: idle, warm: 1, load: idling("effect") },
      [asyncio]: { n: idle, warm: 1, load: idlingElsewhere(inPython) },
      [c]: { n: idle, warm: 1, load: idlingElsewhere(inC) }
    } as Record<string, Side>,
    targets: [toldAtMost(perConnection, " KiB", 10)],
    notes: ["Time and CPU are those of the program that counts. The buffers of the system are in no figure."]
  },
  {
    name: "echo-stop",
    question: `How soon is examples/echo/server.ts gone that has ${idle} idle connections?`,
    reference: ours,
    sides: { [ours]: { n: idle, warm: 1, load: stopping } },
    targets: [toldAtMost(untilExit, " ms", 500)]
  }
]
