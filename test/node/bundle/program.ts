/** What somebody bundles: a program that runs a job in a thread, or has its loop watched. Prints a line for what came of it. */
import { Cause, Effect, Exit, Logger } from "effect"
import { LoopWatch, Thread } from "effect-nursery/node"

const zlib = Thread.module<{ crc32(text: string): number }>(new URL("node:zlib"))

const job = zlib.run("crc32", ["hello"]).pipe(Effect.provide(Thread.layer({ maxThreads: 1 })))

const watched = Effect.gen(function*() {
  let told: string | undefined
  const logger = Logger.make(({ message }) => void (told = String(message)))
  yield* LoopWatch.start({ threshold: "20 millis", onBlocked: () => Effect.sync(() => void (told = "blocked")) }).pipe(Effect.provide(Logger.layer([logger])))
  const block = Effect.sync(() => {
    const end = performance.now() + 100
    while (performance.now() < end);
  })
  yield* Effect.repeat(Effect.andThen(block, Effect.sleep("20 millis")), { until: () => told !== undefined })
  return told
}).pipe(Effect.scoped)

const exit = await Effect.runPromiseExit<unknown, unknown>(process.argv[2] === "thread" ? job : watched)
console.log(Exit.isSuccess(exit) ? exit.value : Cause.pretty(exit.cause).split("\n")[0])
