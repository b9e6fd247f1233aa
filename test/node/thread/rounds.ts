/** Starts and stops pools, and counts what is left: `rounds.ts ROUNDS`. */
import { Effect, Fiber } from "effect"
import { readdirSync } from "node:fs"
import { gate, jobs, layer, started } from "./support.ts"

const count = () => ({
  threads: readdirSync("/proc/self/task").length,
  // Reading the folder opens one.
  descriptors: readdirSync("/proc/self/fd").length
})

/** Some with idle threads, some with a busy one, some with a thread that has ended itself. */
const round = (n: number) =>
  Effect.gen(function*() {
    yield* jobs.run("fib", [5])
    if (n % 3 === 1) yield* Effect.exit(jobs.run("exits", [1]))
    if (n % 3 === 2) {
      const at = gate()
      const fiber = yield* Effect.forkChild(jobs.run("spin", [at], { onCancel: "abandon" }))
      yield* started(at)
      yield* Fiber.interrupt(fiber)
    }
  }).pipe(Effect.provide(layer({ grace: 0 })))

// What Node itself starts once for all.
for (let n = 0; n < 3; n++) await Effect.runPromise(round(n))
const before = count()
for (let n = 0; n < Number(process.argv[2]); n++) await Effect.runPromise(round(n))
console.log(JSON.stringify({ before, after: count() }))
