/** One measurement, in a process of its own: `worker.ts CASE SIDE N REPEAT WARM`. Prints it as JSON; with `BENCH_PROFILE`, a profile instead. */
import { cases } from "../cases/index.ts"
import type { Tell } from "./Case.ts"
import { median } from "./median.ts"
import * as peak from "./peak.ts"
import { profile } from "./profile.ts"

const [caseName, sideName, ...numbers] = process.argv.slice(2)
const [n = 1, repeat = 1, warm = 1] = numbers.map(Number)
const { byTime, load } = cases.find((c) => c.name === caseName)?.sides[sideName!] ?? {}

const figures = new Map<string, Array<number>>()
const tell: Tell = (what, figure) => {
  const before = figures.get(what)
  if (before === undefined) figures.set(what, [figure])
  else before.push(figure)
}
const told = () => Object.fromEntries([...figures].map(([what, all]) => [what, median(all)]))

if (byTime !== undefined) {
  const answer = process.env.BENCH_PROFILE === undefined
    ? { ...await byTime(n, tell), told: told() }
    : await byTime.profile?.() ?? []
  console.log(JSON.stringify(answer))
  process.exit(0)
}

if (load === undefined) throw new Error(`There is no side "${sideName}" of a case "${caseName}" to run.`)
const run = await load()

const ignore = () => {}
const tidy = async () => {
  globalThis.gc?.()
  await new Promise((resume) => setTimeout(resume, 20))
  globalThis.gc?.()
}
const warmUp = async (times: number) => {
  for (let i = 0; i < times; i++) await run(warm, ignore, ignore)
}

await warmUp(10)
await tidy()

if (process.env.BENCH_PROFILE !== undefined) {
  // The sampler looks about a thousand times a second: a short section is run until there is something to see.
  const until = performance.now() + 1500
  console.log(JSON.stringify(await profile(async () => {
    do await run(n, ignore, ignore)
    while (performance.now() < until)
  })))
  process.exit(0)
}

// The first run at full size says how much memory it takes; it and two more, if
// there is time, show the compiler what the program is like.
const { elsewhere } = run
const memory = elsewhere ?? { resetPeak: peak.reset, peakMB: peak.megabytes }
memory.resetPeak()
await run(n, ignore, ignore)
const rssMB = memory.peakMB()
const warmUntil = performance.now() + 2000
for (let i = 0; i < 2 && performance.now() < warmUntil; i++) await run(n, ignore, ignore)
await tidy()
// A full collection makes the engine forget what it has learned of types.
await warmUp(5)

let done = 0
let runs = 0
let marked: { wallMs: number; cpuMs: number } | undefined
let markedAt: { readonly wall: number; readonly cpu: number } | undefined
// `cpuUsage` counts every thread of the process: also the collector's and the compiler's.
const cpuMs = () => {
  if (elsewhere !== undefined) return elsewhere.cpuMs()
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}
const mark = () => markedAt = { wall: performance.now(), cpu: cpuMs() }
// A short section is repeated: what the collector does late belongs to it.
const enoughMillis = 400
const cpu = cpuMs()
const wall = performance.now()
do {
  done += await run(n, mark, tell)
  runs++
} while (runs < repeat || performance.now() - wall < enoughMillis)
const part = repeat / runs
const result = { wallMs: (performance.now() - wall) * part, cpuMs: (cpuMs() - cpu) * part, rssMB }
if (markedAt !== undefined) marked = { wallMs: performance.now() - markedAt.wall, cpuMs: cpuMs() - markedAt.cpu }

if (done !== n * runs) {
  console.error(`ended well, but with ${done} of ${n * runs} done`)
  process.exit(1)
}
console.log(JSON.stringify({ ...result, marked, told: told() }))
process.exit(0)
