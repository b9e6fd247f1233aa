/**
 * Your first nursery: three tasks run side by side, and one of them fails.
 *
 * Run it:  npm run example -- examples/learn/first-nursery.ts
 *
 * What you see: the tree of tasks while they run; the failure, which cancels the other two; their cleanup;
 * and the error of the whole block, as a tree.
 *
 * Then try:
 *   1. Let the cat scratch: put `Effect.fail("the cat scratched")` in place of its last `Console.log`. Now two
 *      errors come out of the block, and none is lost.
 *   2. Give the tea "2 hours" and the bread "1 second". Nothing fails, but the block does not end: why?
 *   3. Put `Timeout.moveOnAfter("200 millis")` around the nursery.
 */
import { Console, Data, Effect } from "effect"
import { Failures, Nursery, TaskTree } from "effect-nursery"

class OutOfTea extends Data.TaggedError("OutOfTea")<{ readonly pot: number }> {
  override get message(): string {
    return `pot ${this.pot} is empty`
  }
}

// Fails after a while. The error is part of its type: Effect<never, OutOfTea>.
const brewTea = Effect.sleep("300 millis").pipe(Effect.andThen(Effect.fail(new OutOfTea({ pot: 1 }))))

// Would go on for an hour. When it is cancelled, it cleans up before it ends.
const bakeBread = Effect.sleep("1 hour").pipe(Effect.onInterrupt(() => Console.log("  the oven is off")))

// Never ends by itself, and needs a moment for its cleanup. The nursery waits for that, too.
const feedCat = Effect.never.pipe(
  Effect.onInterrupt(() => Effect.sleep("50 millis").pipe(Effect.andThen(Console.log("  the cat is out"))))
)

const breakfast = Nursery.open(
  (nursery) =>
    Effect.gen(function*() {
      // startSoon returns at once: the three run side by side from here on.
      yield* nursery.startSoon(brewTea, { name: "brew tea" })
      yield* nursery.startSoon(bakeBread, { name: "bake bread" })
      yield* nursery.startSoon(feedCat, { name: "feed the cat" })

      // Give them time to get going, then look at everything that runs.
      yield* Effect.sleep("100 millis")
      yield* Console.log("Three tasks run side by side:\n")
      yield* Console.log(TaskTree.toText(yield* TaskTree.now))
      yield* Console.log("\nThe tea fails. The nursery cancels the other two, and waits for their cleanup:\n")
      // The body ends here, but the block does not: it ends when the last task has ended.
    }),
  { name: "breakfast" }
)

// The cause of a failed block has all failures of all its tasks; here it is one.
const program = breakfast.pipe(
  Effect.catchCause((cause) => Console.log(`\nOnly now the block has ended, with this error:\n\n${Failures.pretty(cause)}`))
)

Effect.runPromise(program)
