/** Ends with a thread that is idle, and one that is busy with an abandoned job. */
import { Console, Effect, Fiber } from "effect"
import { gate, jobs, layer, started } from "./support.ts"

process.exitCode = 7

const program = Effect.gen(function*() {
  yield* Console.log(yield* jobs.run("fib", [10]))
  const at = gate()
  const fiber = yield* Effect.forkChild(jobs.run("spin", [at], { onCancel: "abandon" }))
  yield* started(at)
  yield* Fiber.interrupt(fiber)
})

await Effect.runPromise(Effect.provide(program, layer({ grace: 0 })))
console.log("closed")
