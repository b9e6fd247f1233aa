/**
 * Main with Ctrl-C: a kitchen that finishes what it has begun before it closes.
 *
 * Run it:  npm run example -- examples/learn/main-with-ctrl-c.ts
 *
 * Press:   Ctrl-C        to close: no new orders are taken, the dishes on the stove are finished
 *          Ctrl-C again  to end it at once
 *
 * What runs, and what each task waits for, it prints when it gets SIGQUIT, and goes on: `kill -QUIT` with the number that
 * it shows. In a terminal Ctrl-\ does that, but npm dies of it. Start Node itself to try it, and to see the exit code, 0 or
 * 130, which npm replaces by its own:
 *
 *   node_modules/.bin/node --conditions=effect-nursery:source examples/learn/main-with-ctrl-c.ts; echo "exit code $?"
 *
 * Then try:
 *   1. Set the grace to "1 second". The dishes that need longer are cancelled: their cooks turn the stove off.
 *   2. Put `Effect.asSome(Effect.sleep("1 second"))` in place of `CancelScope.untilStopping(…)`. The kitchen knows nothing
 *      of closing any more: after Ctrl-C it goes on for the whole grace, then everything is cancelled.
 *   3. Let a cook burn something: put `yield* Effect.fail("burnt")` in place of the last line of `cook`.
 */
import { Console, Effect, Option, Stream } from "effect"
import { CancelScope, MemoryChannel, Nursery } from "effect-nursery"
import { Main } from "effect-nursery/node"

// #region orders
// An order comes every second, until somebody asks the program to stop. What ends the wait for the next one is the first
// Ctrl-C; closing the sender then tells the cooks that no more will come.
const takeOrders = (sender: MemoryChannel.Sender<number>) =>
  Effect.gen(function*() {
    for (let order = 1;; order++) {
      const next = yield* CancelScope.untilStopping(Effect.sleep("1 second"))
      if (Option.isNone(next)) break
      yield* Console.log(`order ${order}`)
      yield* sender.send(order)
    }
    yield* Console.log("the kitchen closes, no more orders")
  }).pipe(Effect.ensuring(sender.close))
// #endregion

// #region cook
// A dish takes three seconds. Nobody asks in here whether it should stop: what is on the stove is finished. Only when the
// grace is over, the cook is cancelled, and turns the stove off.
const cook = (order: number) =>
  Effect.gen(function*() {
    yield* Effect.sleep("3 seconds").pipe(Effect.onInterrupt(() => Console.log(`  dish ${order}: stove off`)))
    yield* Console.log(`  dish ${order} is served`)
  })
// #endregion

// #region kitchen
const kitchen = Nursery.open(
  (nursery) =>
    Effect.gen(function*() {
      const [sender, receiver] = yield* MemoryChannel.make<number>(10, { name: "orders" })
      yield* nursery.startSoon(takeOrders(sender), { name: "waiter" })
      // Six cooks take what comes first. Their stream ends when the sender is closed and every order is taken.
      for (let i = 1; i <= 6; i++) {
        yield* nursery.startSoon(Stream.runForEach(receiver.stream, cook), { name: `cook ${i}` })
      }
      yield* Console.log(`the kitchen is open; Ctrl-C closes it, kill -QUIT ${process.pid} shows what runs`)
      // The body ends here. The nursery ends when the waiter and all cooks have ended.
    }),
  { name: "kitchen" }
)
// #endregion

// #region main
Main.run(kitchen, { grace: "5 seconds" })
// #endregion
