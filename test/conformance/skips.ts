/**
 * The scenarios that are not run: rules on the program or its recorded trace,
 * each with its reason, and nothing else. docs/explain/conformance.md lists them.
 */
import { type Scenario, statements } from "./Scenario.ts"

export interface Skip {
  readonly rule: string
  readonly why: string
  readonly applies: (scenario: Scenario) => boolean
}

const tagged = (engine: Scenario["engine"], tag: string) => (scenario: Scenario) =>
  scenario.engine === engine && scenario.tags.includes(tag)

/** A plain `gather` whose outcome is on record as anything but ok. */
const gatherFails = (scenario: Scenario): boolean => {
  if (scenario.engine !== "asyncio") return false
  const plain = new Set<unknown>()
  for (const statement of statements(scenario.program.body)) {
    if (statement.op === "gather" && statement["returnExceptions"] !== true) plain.add(statement["name"])
  }
  return Object.values(scenario.trace).some((events) =>
    events.some(([, kind, name, outcome]) => kind === "gather" && plain.has(name) && outcome !== "ok")
  )
}

export const skips: ReadonlyArray<Skip> = [
  {
    rule: "exact-checkpoints",
    why: "the trace depends on cancellation being delivered at Trio's checkpoints only; in Effect every step may be a cancel point",
    applies: tagged("trio", "exact-checkpoints")
  },
  {
    rule: "dynamic-shield",
    why: "a shield that is switched on or off while it is open; the library's shields are blocks",
    applies: tagged("trio", "dynamic-shield")
  },
  {
    rule: "asyncio-gather-failure",
    why: "asyncio's plain gather leaves the others running after the first failure; ours cancels them",
    applies: gatherFails
  },
  {
    rule: "cleanup-cancelled",
    why: "a second cancel breaks into asyncio's cleanup; Effect's finalizers cannot be interrupted",
    applies: tagged("asyncio", "cleanup-cancelled")
  }
]
