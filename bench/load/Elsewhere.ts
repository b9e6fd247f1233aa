/** What a server in another process has used. From /proc, so on Linux alone. */
import { readFileSync, writeFileSync } from "node:fs"
import type { Elsewhere } from "../harness/Case.ts"

export const elsewhere = (pid: number): Elsewhere => ({
  // Nanoseconds on a processor, of the first thread: these servers have no other.
  cpuMs: () => Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1e6,
  resetPeak: () => writeFileSync(`/proc/${pid}/clear_refs`, "5"),
  peakMB: () => Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024
})
