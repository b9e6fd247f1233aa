/**
 * One of the servers in a process of its own: `server.ts NAME`. Prints its port. Answers each line on standard input with
 * how many bytes of memory it has resident, when what it does not need is collected.
 */
import { createInterface } from "node:readline"
import { effect, ours, raw } from "./servers.ts"

const name = process.argv[2]
console.log(await (name === "ours" ? ours() : name === "effect" ? effect() : raw()))
const lines = createInterface({ input: process.stdin })
lines.on("line", async () => {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.()
    await new Promise((resume) => setTimeout(resume, 50))
  }
  console.log(process.memoryUsage.rss())
})
