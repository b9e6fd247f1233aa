/**
 * How fast is this library, beside raw Effect, promises, Effection, asyncio and Trio?
 *
 *     npm run bench                              all cases, five rounds: about eight minutes
 *     npm run bench -- spawn cancel              cases whose name begins so
 *     npm run bench -- --quick                   one round, a tenth of the size: does everything run?
 *     npm run bench -- --rounds 9 --json         more rounds; one JSON document instead of tables
 *     npm run bench -- spawn --side fiberset     only sides whose name contains this (may be given again)
 *     npm run bench -- spawn --profile           and where the time of each JavaScript side goes
 *
 * Every figure is from a process of its own. Rounds are interleaved (A B C, A B C, …), so a neighbour that
 * takes the machine for a minute slows all sides, and the median of the rounds is shown. Judge by CPU: it counts
 * all threads of the process and moves far less than the wall clock. Nothing here fails because of a slow machine.
 */
import { parseArgs } from "node:util"
import { cases } from "./cases/index.ts"
import type { Case, Side } from "./harness/Case.ts"
import { install } from "./harness/install.ts"
import { describe, type Machine, toText as machineText } from "./harness/machine.ts"
import { measure, prepare, profileOf, type Sizes } from "./harness/measure.ts"
import { type CaseResult, type Measured, summary, toJSON, toText } from "./harness/report.ts"

const { positionals: filters, values: options } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "boolean", default: false },
    profile: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    rounds: { type: "string" },
    side: { type: "string", multiple: true, default: [] }
  }
})

const rounds = Number(options.rounds ?? (options.quick ? 1 : 5))
if (!Number.isInteger(rounds) || rounds < 1) {
  console.error(`bench: --rounds takes an integer from 1 up, got ${options.rounds}`)
  process.exit(2)
}
const chosen = cases.filter(({ name }) => filters.length === 0 || filters.some((filter) => name.startsWith(filter)))
if (chosen.length === 0) {
  console.error(`bench: no case begins with ${filters.join(" or ")}. There are: ${cases.map((c) => c.name).join(", ")}`)
  process.exit(2)
}

const sizesOf = ({ n, repeat = 1, warm }: Side): Sizes => {
  const size = options.quick ? Math.min(n, Math.max(Math.ceil(n / 10), 100)) : n
  return { n: size, repeat, warm: Math.min(warm ?? Math.ceil(n / 50), size) }
}

const missingHere = (side: Side, machine: Machine): string | undefined =>
  side.python !== undefined && (machine.python === undefined || (side.python === "trio" && machine.trio === undefined))
    ? "not here"
    : undefined

const sideIsChosen = (name: string): boolean =>
  options.side.length === 0 || options.side.some((part) => name.toLowerCase().includes(part.toLowerCase()))

const runCase = async (each: Case, machine: Machine): Promise<CaseResult> => {
  const sides = Object.entries(each.sides).filter(([name]) => sideIsChosen(name))
  const measured = new Map<string, Measured>()
  for (const [name, side] of sides) {
    const problem = missingHere(side, machine) ?? await prepare(each.name, name, side)
    measured.set(name, { ...sizesOf(side), rounds: [], ...(problem === undefined ? {} : { problem }) })
  }
  for (let round = 0; round < rounds; round++) {
    for (const [name, side] of sides) {
      const all = measured.get(name)!
      if (all.problem !== undefined || round >= (side.atMostRounds ?? Infinity)) continue
      if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${each.name}, round ${round + 1} of ${rounds}: ${name}`)
      const measurement = await measure(each.name, name, side, all)
      // What failed once is not tried again.
      if (typeof measurement === "string") all.problem = measurement
      else all.rounds.push(measurement)
    }
  }
  if (options.profile) {
    for (const [name, side] of sides) {
      const all = measured.get(name)!
      if (all.problem !== undefined || side.python !== undefined) continue
      const shares = await profileOf(each.name, name, side, all)
      if (typeof shares !== "string") all.profile = shares
    }
  }
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K")
  return { case: each, sides: measured }
}

// Leaves through the handlers of `exit`, which remove what was made under the temporary folder.
process.once("SIGINT", () => process.exit(130))

const warning = install()
if (warning !== undefined) console.error(`bench: ${warning}`)
const machine = describe()
const say = (text: string) => options.json || console.log(`${text}\n`)

say(`${machineText(machine)}\n${rounds} round${rounds === 1 ? "" : "s, interleaved; medians"}${options.quick ? "; --quick: a tenth of the size, no figures to quote" : ""}`)
for (const prepare of new Set(chosen.map(({ prepare }) => prepare))) await prepare?.()
const results: Array<CaseResult> = []
for (const each of chosen) {
  const result = await runCase(each, machine)
  results.push(result)
  say(toText(result))
}
if (results.length > 2) say(summary(results))
if (options.json) console.log(JSON.stringify({ machine, rounds, quick: options.quick, cases: results.map(toJSON) }, null, 2))
