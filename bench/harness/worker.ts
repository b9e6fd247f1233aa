/** One measurement, in a process of its own: `worker.ts CASE SIDE N REPEAT WARM`. Prints it as JSON; with `BENCH_PROFILE`, a profile instead. */
import { cases } from "../cases/index.ts"
import * as peak from "./peak.ts"
import { profile } from "./profile.ts"

const [caseName, sideName, ...numbers] = process.argv.slice(2)
const [n = 1, repeat = 1, warm = 1] = numbers.map(Number)
const load = cases.find((c) => c.name === caseName)?.sides[sideName!]?.load
if (load === undefined) throw new Error(`There is no side "${sideName}" of a case "${caseName}" to run.`)
const run = await load()

for (let i = 0; i < 10; i++) await run(warm, () => {})
// What the warm-up left must be collected neither on the clock nor on the bill of the memory.
globalThis.gc?.()
await new Promise((resume) => setTimeout(resume, 20))
globalThis.gc?.()

if (process.env.BENCH_PROFILE !== undefined) {
  // The sampler looks about a thousand times a second: a short section is run until there is something to see.
  const until = performance.now() + 1500
  console.log(JSON.stringify(await profile(async () => {
    do await run(n, () => {})
    while (performance.now() < until)
  })))
  process.exit(0)
}

peak.reset()
let done = 0
let marked: { wallMs: number; cpuMs: number } | undefined
let markedAt: { readonly wall: number; readonly cpu: NodeJS.CpuUsage } | undefined
const mark = () => markedAt = { wall: performance.now(), cpu: process.cpuUsage() }
// `cpuUsage` counts every thread of the process: also the collector's and the compiler's.
const cpuMs = (since: NodeJS.CpuUsage) => {
  const { user, system } = process.cpuUsage(since)
  return (user + system) / 1000
}

const cpu = process.cpuUsage()
const wall = performance.now()
for (let i = 0; i < repeat; i++) done += await run(n, mark)
const result = { wallMs: performance.now() - wall, cpuMs: cpuMs(cpu), rssMB: peak.megabytes() }
if (markedAt !== undefined) marked = { wallMs: performance.now() - markedAt.wall, cpuMs: cpuMs(markedAt.cpu) }

if (done !== n * repeat) {
  console.error(`ended well, but with ${done} of ${n * repeat} done`)
  process.exit(1)
}
console.log(JSON.stringify({ ...result, marked }))
process.exit(0)
