/** Where the time of one run goes: the functions with the most time of their own. */
import type { Profiler } from "node:inspector"
import { Session } from "node:inspector/promises"

export interface Share {
  readonly name: string
  /** Of the samples of the main thread, without idle ones. */
  readonly percent: number
}

const shown = 12

/** `dist/FiberSet.js:120`: enough to find it, and nothing of this machine. */
const placeOf = ({ lineNumber, url }: { readonly lineNumber: number; readonly url: string }): string =>
  url === "" ? "" : ` ${url.split("/").slice(-2).join("/")}:${lineNumber + 1}`

export const profile = async (work: () => Promise<unknown>): Promise<ReadonlyArray<Share>> => {
  const session = new Session()
  session.connect()
  await session.post("Profiler.enable")
  await session.post("Profiler.start")
  await work()
  return sharesOf((await session.post("Profiler.stop")).profile)
}

export const sharesOf = ({ nodes, samples = [] }: Profiler.Profile): ReadonlyArray<Share> => {
  const names = new Map(nodes.map(({ callFrame, id }) => [id, (callFrame.functionName || "(anonymous)") + placeOf(callFrame)]))
  const counts = new Map<string, number>()
  for (const id of samples) {
    const name = names.get(id)!
    if (name !== "(idle)" && name !== "(program)") counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  const total = [...counts.values()].reduce((a, b) => a + b, 0)
  return [...counts]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, shown)
    .map(([name, count]) => ({ name, percent: count / total * 100 }))
}
