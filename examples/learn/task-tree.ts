/**
 * The task tree of a running program: who lives, under whom, and what each waits for.
 *
 * Run it:  npm run example -- examples/learn/task-tree.ts
 *
 * What you see: a small web shop, caught at one moment. Two clerks wait for orders that do not come, a third one has
 * an order and waits for the only printer, which somebody else holds; an audit waits for two things at once.
 *
 * Then try:
 *   1. Give the shop two printers. Who waits then, and for what?
 *   2. Print the tree once more after `yield* sender.close`, and a moment later.
 *   3. In a program that hangs: `process.on("SIGUSR2", () => console.log(TaskTree.toText(TaskTree.nowUnsafe())))`.
 */
import { Console, Effect } from "effect"
import { CapacityLimiter, Event, MemoryChannel, Nursery, TaskTree, Tasks, Timeout } from "effect-nursery"

const program = Effect.gen(function*() {
  const [sender, receiver] = yield* MemoryChannel.make<string>(2, { name: "orders" })
  const printer = yield* CapacityLimiter.make(1, { name: "printer" })
  const closing = yield* Event.make({ name: "closing time" })

  // Takes an order, packs it, and prints its label.
  const clerk = Effect.gen(function*() {
    for (;;) {
      const order = yield* receiver.receive
      yield* Effect.sleep("1 millis").pipe(Timeout.failAfter("1 second", { name: `pack ${order}` }))
      yield* printer.withToken(Effect.void)
    }
  })

  // A nursery in a task of another nursery: its tasks stand below that task.
  const counter = Nursery.open(
    (n) =>
      Effect.gen(function*() {
        for (const name of ["clerk 1", "clerk 2", "clerk 3"]) yield* n.startSoon(clerk, { name })
      }),
    { name: "counter" }
  )

  const catalogue = printer.withToken(closing.wait)
  const audit = Tasks.gather([closing.wait, Effect.sleep("1 hour")])

  yield* Nursery.open(
    (shop) =>
      Effect.gen(function*() {
        yield* shop.startSoon(catalogue, { name: "print the catalogue" })
        yield* shop.startSoon(counter, { name: "sell" })
        yield* shop.startSoon(audit, { name: "count the till" })
        // A service does not hold the nursery open.
        yield* shop.startSoon(Effect.never, { name: "music", service: true })
        yield* sender.send("teapot")

        // Give them a moment to get to where they wait.
        yield* Effect.sleep("50 millis")
        yield* Console.log(TaskTree.toText(yield* TaskTree.now))
        yield* shop.cancelTasks("seen enough")
      }),
    { name: "shop" }
  )
})

Effect.runPromise(program)
