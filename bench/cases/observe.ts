/**
 * What do the hooks for a recorder cost while none is attached?
 *
 * The same source twice: as it is, and with the calls to the recorder taken out. A third side is the first one
 * again: what differs between those two is the noise of this run.
 */
import type { Case, Run, Rows, Target } from "../harness/Case.ts"
import { builds } from "../harness/builds.ts"
import { channel } from "./channel.ts"
import { nursery } from "./spawn.ts"
import { moveOnAfter } from "./time-limit.ts"

const off = "hooks, no recorder"
const again = "hooks, no recorder (again)"
const removed = "without hooks"

const overhead: Target = {
  what: "CPU of the hooks while no recorder is attached, as a part of the work",
  unit: "",
  better: "lower",
  must: 0.02,
  value: (rows) => {
    const [a, b] = [rows.get(off), rows.get(removed)]
    return a && b && a.cpuNs / b.cpuNs - 1
  },
  or: {
    what: "inside the spread of the rounds without hooks",
    holds: (rows: Rows) => {
      const [a, b] = [rows.get(off), rows.get(removed)]
      return a !== undefined && b !== undefined && b.rounds.length > 1 && a.cpuNs <= Math.max(...b.rounds)
    }
  }
}

const observeCase = (name: string, work: string, n: number, load: () => Promise<Run>): Case => ({
  name,
  question: `What do the hooks cost while no recorder is attached: ${work}?`,
  reference: removed,
  sides: {
    [removed]: { n, load, library: () => builds().withoutHooks },
    [off]: { n, load, library: () => builds().asIs },
    [again]: { n, load, library: () => builds().asIs }
  },
  targets: [overhead]
})

export const observe: ReadonlyArray<Case> = [
  observeCase("observe-tasks", "100,000 tasks that give way once", 100_000, nursery("yield")),
  observeCase("observe-blocks", "50,000 time limits in a row", 50_000, moveOnAfter),
  observeCase("observe-waits", "500,000 values through a channel without a buffer", 500_000, channel(0))
]
