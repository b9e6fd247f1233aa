/**
 * Question: what does it cost to import this library, against the two modules of Effect that every
 * program loads anyway (effect/Effect and effect/Fiber)?
 *
 * Child processes, interleaved round by round so that a busy machine is busy for all of them; the median
 * of the CPU time (user and system) that the import itself took. Needs `npm run build` first: it measures
 * what is published. The suite does not repeat this: test/repository/imports.test.ts counts what is loaded.
 *
 * node bench/import-cost.ts [--rounds=15] [--json]
 */
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"

const root = path.resolve(import.meta.dirname, "..")

const subjects = [
  { name: "effect/Effect + effect/Fiber", modules: ["effect/Effect", "effect/Fiber"], limit: 1 },
  { name: "effect-nursery/Nursery", modules: ["effect-nursery/Nursery"], limit: 1.3 },
  { name: "effect-nursery", modules: ["effect-nursery"], limit: 2 },
  { name: "effect (the barrel)", modules: ["effect"], limit: undefined }
] as const

const rounds = Number(process.argv.find((arg) => arg.startsWith("--rounds="))?.slice("--rounds=".length) ?? 15)
if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`Expected --rounds to be an integer from 1 up, got ${rounds}`)
if (!fs.existsSync(path.join(root, "dist", "index.js"))) throw new Error("There is no dist/: npm run build first")

const measure = (modules: ReadonlyArray<string>) => {
  const program = `
    const wall = performance.now(), cpu = process.cpuUsage()
    for (const name of ${JSON.stringify(modules)}) await import(name)
    const used = process.cpuUsage(cpu)
    console.log(JSON.stringify({ cpu: (used.user + used.system) / 1000, wall: performance.now() - wall }))`
  const out = execFileSync(process.execPath, ["--input-type=module", "--eval", program], { cwd: root, encoding: "utf8" })
  return JSON.parse(out) as { readonly cpu: number; readonly wall: number }
}

const median = (numbers: ReadonlyArray<number>) => {
  const sorted = numbers.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

// The first round only warms the disk cache.
for (const subject of subjects) measure(subject.modules)
const samples = subjects.map(() => [] as Array<{ readonly cpu: number; readonly wall: number }>)
for (let round = 0; round < rounds; round++) {
  for (const [index, subject] of subjects.entries()) samples[index]!.push(measure(subject.modules))
}

const rows = subjects.map((subject, index) => ({
  name: subject.name,
  cpuMillis: median(samples[index]!.map((_) => _.cpu)),
  wallMillis: median(samples[index]!.map((_) => _.wall)),
  // Ratios within a round, so that a slow minute cancels out.
  ratio: median(samples[index]!.map((sample, round) => sample.cpu / samples[0]![round]!.cpu)),
  limit: subject.limit
}))

if (process.argv.includes("--json")) console.log(JSON.stringify({ node: process.version, rounds, rows }))
else {
  console.log(`Node ${process.version}, ${rounds} rounds, medians\n`)
  console.log("| import | CPU ms | wall ms | ratio | at most |\n| --- | ---: | ---: | ---: | ---: |")
  for (const { name, cpuMillis, wallMillis, ratio, limit } of rows) {
    console.log(`| ${name} | ${cpuMillis.toFixed(1)} | ${wallMillis.toFixed(1)} | ${ratio.toFixed(2)} | ${limit ?? ""} |`)
  }
}
