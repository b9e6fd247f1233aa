/** The peak of this process's resident memory since `reset`. */
import { readFileSync, writeFileSync } from "node:fs"

/** Linux forgets the peak on request. Elsewhere it is the peak of the whole process, with its start and warm-up. */
export const reset = (): void => {
  try {
    writeFileSync("/proc/self/clear_refs", "5")
  } catch {
    // not Linux, or not allowed
  }
}

export const megabytes = (): number => {
  try {
    const kilobytes = /VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]
    if (kilobytes !== undefined) return Number(kilobytes) / 1024
  } catch {
    // not Linux
  }
  return process.resourceUsage().maxRSS / 1024
}
