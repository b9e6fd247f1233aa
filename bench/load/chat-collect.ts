/**
 * For servers in Node that are measured (`--import`): on SIGUSR2 it collects what nobody needs, and writes down what was compiled
 * from TypeScript, which the next process then finds; a user of the published package has no TypeScript to compile.
 */
import { flushCompileCache } from "node:module"

process.on("SIGUSR2", () => {
  flushCompileCache()
  globalThis.gc?.()
  setTimeout(() => globalThis.gc?.(), 20)
})
