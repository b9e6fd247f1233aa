/** A thread waits for an answer of a program that has ended. */
import { Console, Effect, Fiber } from "effect"
import { TaskTree } from "effect-nursery"
import { gate, jobs, layer, noted, started } from "./support.ts"

const asked = Effect.map(TaskTree.now, (tree) => TaskTree.toText(tree).includes("double (waiting)"))

const program = Effect.gen(function*() {
  const at = gate()
  const fiber = yield* Effect.forkChild(jobs.run("callForEver", [at], { onCancel: "abandon", handlers: { double: () => Effect.never } }))
  yield* started(at)
  while (!(yield* asked)) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
  yield* Fiber.interrupt(fiber)
  yield* Console.log("caller left")
  yield* Console.log(`job heard: ${(yield* noted(at)) === 2 ? "over" : "something else"}`)
})

await Effect.runPromise(Effect.provide(program, layer()))
console.log("closed")
