/**
 * Work that would keep the event loop from everything else, in threads.
 *
 * Run it:  npm run example -- examples/learn/threads.ts
 *
 * What you see: a job that reports how far it is; four jobs in two threads, and what those wait for that have
 * none; and a job that would take hours, which a time limit stops.
 *
 * Then try:
 *   1. Take the line with `checkCancelled` out of primes.ts. Now the time limit does not end: why? Give the
 *      endless job `{ onCancel: "terminate" }`, and it does.
 *   2. Let `progress` fail with an error. Where does it come out?
 *   3. Give the layer `maxThreads: 4` and look at the tree again.
 */
import { Console, Effect } from "effect"
import { Nursery, TaskTree, Timeout } from "effect-nursery"
import { Thread } from "effect-nursery/node"
import type * as Primes from "./primes.ts"

const primes = Thread.module<typeof Primes>(new URL("./primes.ts", import.meta.url))

const program = Effect.gen(function*() {
  // The handler is an ordinary effect, and runs in the event loop.
  const handlers = { progress: (percent: number) => Console.log(`  ${percent} %`) }
  yield* Console.log("One job, and how far it is:")
  yield* Console.log(`  ${yield* primes.run("countLoudly", [200_000], { handlers })} primes\n`)

  yield* Nursery.open((n) =>
    Effect.gen(function*() {
      for (let i = 0; i < 4; i++) {
        yield* n.startNow(primes.run("countPrimes", [i * 500_000, (i + 1) * 500_000]), { name: `part ${i + 1}` })
      }
      yield* Console.log("Four jobs, two threads:")
      yield* Console.log(TaskTree.toText(yield* TaskTree.now))
    }), { name: "counting" })

  yield* Console.log("\nOne job that would take hours:")
  yield* primes.run("countPrimes", [0, 1e12]).pipe(
    Timeout.failAfter("100 millis", { name: "counting to a million millions" }),
    Effect.catchTag("TooSlow", (error) => Console.log(`  ${error.message}`))
  )
})

// The threads are started when they are needed, and are gone when the program has ended.
await Effect.runPromise(program.pipe(Effect.provide(Thread.layer({ maxThreads: 2 }))))
