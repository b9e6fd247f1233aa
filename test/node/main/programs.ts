/** Programs for the tests of `Main`: `node programs.ts NAME [JSON of the options of Main.run]`. */
import { Console, Context, Data, Effect, Layer, Option, Runtime } from "effect"
import { CancelScope, Event, MemoryChannel, Nursery } from "effect-nursery"
import { Main } from "effect-nursery/node"

const ready = Console.log("ready")
const cleaned = Effect.onExit(() => Console.log("cleaned up"))
/** What knows nothing of stopping. */
const deaf = Effect.andThen(ready, Effect.never)

class NoMilk extends Data.TaggedError("NoMilk")<{ readonly fridge: number }> {}
class Usage extends Data.TaggedError("Usage")<{}> {
  override readonly [Runtime.errorExitCode] = 64
  override readonly [Runtime.errorReported] = false
}

class Db extends Context.Service<Db, { readonly query: Effect.Effect<string> }>()("test/Db") {}
const slowStart = Layer.effect(Db, Effect.gen(function*() {
  yield* Effect.acquireRelease(Console.log("connecting"), () => Console.log("disconnected"))
  yield* Effect.sleep("1 hour")
  return Db.of({ query: Effect.succeed("row") })
}))

function failInCallback(): never {
  throw new TypeError("thrown in a callback")
}

const lines = (n: number) => Effect.forEach(Array.from({ length: n }, (_, i) => i), (i) => Console.log(`line ${i}`), { discard: true })

/** A request in flight, and no more of them when it is asked to stop. */
const serve = Nursery.open((n) => Effect.gen(function*() {
  yield* n.startNow(Effect.sleep(400).pipe(Effect.andThen(Console.log("request answered"))), { name: "request" })
  const next = yield* CancelScope.untilStopping(Effect.never)
  if (Option.isNone(next)) yield* Console.log("no more requests")
}))

const programs: Record<string, Effect.Effect<unknown, unknown>> = {
  nothing: Effect.void,
  succeeds: Effect.sleep(5).pipe(Effect.andThen(Console.log("done")), Effect.as(42)),
  /** Nothing that Node knows of keeps the process alive. */
  waits: Effect.andThen(ready, Effect.flatMap(Event.make(), (event) => event.wait)),
  ownExitCode: Effect.sync(() => void (process.exitCode = 3)),
  usage: Effect.fail(new Usage()),
  interruptsItself: Effect.interrupt,
  stops: Effect.gen(function*() {
    yield* ready
    const why = yield* CancelScope.whenStopping
    yield* Console.log(`stopping: ${why.source} ${why.message} in ${why.scope}`)
    yield* Effect.sleep(20)
    yield* Console.log("drained")
  }).pipe(cleaned),
  serves: Effect.andThen(ready, serve),
  /** Gets the same signal twice, as close together as can be. */
  echoed: Effect.gen(function*() {
    yield* Effect.sync(() => setTimeout(() => {
      process.kill(process.pid, "SIGINT")
      setTimeout(() => process.kill(process.pid, "SIGINT"), 1)
    }, 5))
    yield* serve
  }),
  stopsAndFails: Effect.andThen(ready, CancelScope.whenStopping).pipe(Effect.andThen(Effect.fail("could not save"))),
  deaf: deaf.pipe(cleaned),
  cleanupFails: deaf.pipe(Effect.onExit(() => Effect.fail("could not save"))),
  cleanupHangs: Nursery.open((n) => Effect.andThen(
    n.startNow(Effect.never.pipe(Effect.ensuring(Effect.andThen(Console.log("cleaning up"), Effect.never))), { name: "hangs" }),
    deaf), { name: "work" }),
  starts: Effect.flatMap(Db, (db) => db.query).pipe(Effect.provide(slowStart)),
  fails: Nursery.open((n) => Effect.gen(function*() {
    yield* n.startSoon(Effect.suspend(() => new NoMilk({ fridge: 1 })), { name: "tea" })
    yield* n.startSoon(Nursery.open((m) => m.startSoon(Effect.die("oven on fire"), { name: "bake" }), { name: "kitchen" }), { name: "cake" })
  }), { name: "breakfast", onTaskFailure: "continue" }),
  failsOften: Nursery.open((n) => Effect.gen(function*() {
    const names = ["billing", "search", "mail", "push", "log", "auth", "rates", "cache", "cron", "stats", "audit", "feeds"]
    for (const name of names) yield* n.startSoon(Effect.die(new Error(`${name} is down, and says so in many words. `.repeat(8))), { name })
    for (let i = 1; i <= 990; i++) yield* n.startSoon(Effect.fail(`refused by 10.0.0.${i}`), { name: `conn ${i}` })
  }), { name: "services", onTaskFailure: "continue" }),
  tree: Nursery.open((n) => Effect.gen(function*() {
    const [, receiver] = yield* MemoryChannel.make<string>(0, { name: "inbox" })
    for (let i = 1; i <= 990; i++) yield* n.startNow(receiver.receive, { name: `conn ${i}` })
    yield* ready
    yield* CancelScope.whenStopping
    yield* n.cancelTasks()
  }), { name: "chat" }),
  throwsInCallback: Nursery.open((n) => Effect.andThen(
    n.startNow(Effect.never.pipe(Effect.ensuring(Effect.andThen(Effect.sleep(20), Console.log("cleaned up")))), { name: "worker" }),
    Effect.andThen(Effect.sync(() => setTimeout(failInCallback, 5)), deaf))),
  rejects: Effect.andThen(Effect.sync(() => void Promise.reject(new Error("nobody caught this"))), deaf).pipe(cleaned),
  throwsAndHangs: Effect.andThen(Effect.sync(() => setTimeout(failInCallback, 5)), deaf).pipe(Effect.ensuring(Effect.never)),
  manyLines: lines(200_000),
  throwsWhenOver: Effect.andThen(lines(100_000), Effect.sync(() => setTimeout(failInCallback, 100))),
  endlessLines: Effect.andThen(lines(100), Effect.sleep(1)).pipe(Effect.forever, Effect.ensuring(Effect.sync(() => process.stderr.write("cleaned up\n")))),
  writes: Effect.sync(() => process.stdout.write("a line\n")).pipe(Effect.andThen(Effect.sleep(1)), Effect.repeat({ times: 50 })),
  writesAndStops: Effect.gen(function*() {
    yield* ready
    yield* CancelScope.whenStopping
    yield* Effect.sync(() => process.stderr.write("draining\n"))
    yield* Effect.sleep(1).pipe(Effect.andThen(Effect.sync(() => process.stdout.write("a line\n"))), Effect.repeat({ times: 200 }))
    yield* Effect.sync(() => process.stderr.write("drained\n"))
  }),
  blocksAndFails: Effect.sync(() => {
    const end = performance.now() + 500
    while (performance.now() < end);
    throw new TypeError("after a long time")
  }).pipe(Effect.delay(200)),
  blocks: Nursery.open((n) => n.startSoon(Effect.sync(() => {
    const end = performance.now() + 600
    while (performance.now() < end);
  }).pipe(Effect.delay(300), Effect.andThen(Effect.sleep(100))), { name: "resize" }), { name: "images" }),
  reloads: Effect.gen(function*() {
    process.on("SIGHUP", () => console.log("read the configuration again"))
    yield* ready
    yield* CancelScope.whenStopping
  }),
  failsWithMuchToSay: Effect.andThen(lines(100_000), Effect.fail("and then it failed"))
}

const [, , name = "", options] = process.argv
const program = programs[name]
if (program === undefined) throw new Error(`Expected one of ${Object.keys(programs).join(", ")}, got \`${name}\``)
Main.run(program, options === undefined ? undefined : JSON.parse(options))
