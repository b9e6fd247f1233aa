/** Runs scenarios on the virtual clock and compares what they did with what is on record. */
import { isDeepStrictEqual } from "node:util"
import { Effect, Scheduler } from "effect"
import { VirtualClock } from "effect-nursery/testing"
import * as Asyncio from "./Asyncio.ts"
import type { Scenario, Trace, TraceEvent } from "./Scenario.ts"
import { skips } from "./skips.ts"
import * as Trio from "./Trio.ts"

export type Verdict =
  | { readonly _tag: "Passed" }
  | { readonly _tag: "Skipped"; readonly rule: string }
  | { readonly _tag: "Failed"; readonly report: string }

const line = (event: TraceEvent | undefined): string => event === undefined ? "—" : JSON.stringify(event)

/** Both lists side by side up to the first difference. */
const sideBySide = (task: string, wanted: ReadonlyArray<TraceEvent>, got: ReadonlyArray<TraceEvent>): string => {
  const rows: Array<readonly [string, string]> = []
  for (let i = 0; i < Math.max(wanted.length, got.length); i++) {
    rows.push([line(wanted[i]), line(got[i])])
    if (!isDeepStrictEqual(wanted[i], got[i])) break
  }
  const width = Math.max(20, ...rows.map(([left]) => left.length))
  return [
    `  task ${task}`,
    `    ${"recorded".padEnd(width)}   here`,
    ...rows.map(([left, right], i) => `  ${i === rows.length - 1 ? "✗" : " "} ${left.padEnd(width)}   ${right}`)
  ].join("\n")
}

const compare = (wanted: Trace, got: Trace): string | undefined => {
  const differences: Array<string> = []
  for (const task of new Set([...Object.keys(wanted), ...Object.keys(got)])) {
    const left = wanted[task] ?? []
    const right = got[task] ?? []
    // A task without a list is not the same as one with an empty list.
    if (task in wanted && task in got && isDeepStrictEqual(left, right)) continue
    differences.push(sideBySide(task, left, right))
  }
  return differences.length === 0 ? undefined : differences.join("\n")
}

/** As it would be read from a file: `undefined` is no value of JSON. */
const plain = (trace: Trace): Trace => JSON.parse(JSON.stringify(trace)) as Trace

/** `opsBeforeYield`: after so many steps a fiber lets the others run, which no program may notice. */
export const judge = async (scenario: Scenario, opsBeforeYield?: number): Promise<Verdict> => {
  const skip = skips.find((rule) => rule.applies(scenario))
  if (skip !== undefined) return { _tag: "Skipped", rule: skip.rule }
  const { main, tracer } = (scenario.engine === "trio" ? Trio : Asyncio).interpret(scenario.program)
  const program = opsBeforeYield === undefined
    ? main
    : Effect.provideService(main, Scheduler.MaxOpsBeforeYield, opsBeforeYield)
  const exit = await VirtualClock.runExit(program, { deadlockAfter: "1 second" })
  const difference = compare(scenario.trace, plain(tracer.events))
  const ended = exit._tag === "Success" ? undefined : `  the program did not end well: ${String(exit.cause)}`
  const report = [difference, ended].filter((part) => part !== undefined).join("\n")
  return report === "" ? { _tag: "Passed" } : { _tag: "Failed", report }
}

/** Checks that a file is a corpus before any of it is run. */
export const parse = (text: string, file: string): ReadonlyArray<Scenario> => {
  const scenarios = JSON.parse(text) as unknown
  if (!Array.isArray(scenarios)) throw new TypeError(`Expected ${file} to be a JSON array of scenarios, got ${typeof scenarios}`)
  for (const scenario of scenarios as ReadonlyArray<Partial<Scenario>>) {
    if (typeof scenario.id !== "string" || scenario.program === undefined || scenario.trace === undefined) {
      throw new TypeError(`Expected every scenario of ${file} to have \`id\`, \`program\` and \`trace\``)
    }
    if (scenario.engine !== "trio" && scenario.engine !== "asyncio") {
      throw new TypeError(`Expected \`engine\` of ${scenario.id} to be \`trio\` or \`asyncio\`, got \`${String(scenario.engine)}\``)
    }
  }
  return (scenarios as ReadonlyArray<Scenario>).map((scenario) => ({ ...scenario, tags: scenario.tags ?? [] }))
}
