/** Loaded beside a server (`--import`): says what the process holds when it gets SIGUSR2, as a line of JSON. Needs `--expose-gc`. */
import * as fs from "node:fs"

process.on("SIGUSR2", () => {
  // Twice, with a turn between: what is freed in one may hold something until the next.
  globalThis.gc!()
  setTimeout(() => {
    globalThis.gc!()
    const { heapUsed, rss } = process.memoryUsage()
    console.log(JSON.stringify({ rss, heap: heapUsed, descriptors: fs.readdirSync("/proc/self/fd").length }))
  }, 50)
})
