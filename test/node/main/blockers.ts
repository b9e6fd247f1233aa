/** Programs for the tests of `LoopWatch`: `node blockers.ts NAME`. They print JSON, one line for each block and for what else is known. */
import { Deferred, Effect } from "effect"
import { Nursery, Tasks, Timeout } from "effect-nursery"
import { LoopWatch } from "effect-nursery/node"
import { execSync } from "node:child_process"
import { Worker } from "node:worker_threads"

const say = (what: object) => Effect.sync(() => console.log(JSON.stringify(what)))

function spin(millis: number): void {
  const end = performance.now() + millis
  while (performance.now() < end);
}
const spinning = (millis: number) => Effect.sync(() => spin(millis))

/** Runs a program under a watch that prints, until so many blocks have been told of. */
const watched = <E>(program: Effect.Effect<unknown, E>, blocks = 1, threshold = 100) =>
  Effect.gen(function*() {
    const heard = yield* Deferred.make<void>()
    let left = blocks
    yield* LoopWatch.start({
      threshold,
      onBlocked: (blocked) => Effect.andThen(say(blocked), Effect.suspend(() => --left === 0 ? Deferred.succeed(heard, undefined) : Effect.void))
    })
    yield* program
    yield* Deferred.await(heard)
  }).pipe(Effect.scoped)

/** How late the timers of others are while a task runs. */
const timers = Effect.gen(function*() {
  let latest = 0
  const tick = Effect.gen(function*() {
    const before = performance.now()
    yield* Effect.sleep(5)
    latest = Math.max(latest, performance.now() - before - 5)
  })
  yield* Timeout.moveOnAfter(Effect.forever(tick), 400)
  yield* say({ latest })
})

const programs: Record<string, Effect.Effect<unknown, unknown>> = {
  task: watched(Nursery.open((n) => Effect.gen(function*() {
    yield* n.startSoon(Effect.sleep(1000), { name: "innocent" })
    yield* n.startSoon(timers, { name: "timers" })
    yield* n.startSoon(Effect.andThen(Effect.sleep(50), spinning(200)), { name: "resize" })
  }), { name: "images" })),
  nested: watched(Nursery.open((n) => n.startSoon(
    Timeout.moveOnAfter(Nursery.open((m) => m.startSoon(Tasks.gather([Effect.void, spinning(300)]), { name: "reader" }), { name: "user" }), "1 minute"),
    { name: "conn 17" }), { name: "chat" })),
  body: watched(Nursery.open(() => spinning(300), { name: "images" })),
  fiber: watched(spinning(300)),
  callback: watched(Effect.callback<void>((resume) => {
    setTimeout(() => {
      spin(300)
      resume(Effect.void)
    }, 5)
  })),
  native: watched(Nursery.open((n) => n.startSoon(Effect.sync(() => execSync("sleep 0.4")), { name: "shell" }), { name: "system" })),
  twice: watched(Effect.andThen(spinning(250), Effect.andThen(Effect.sleep(50), spinning(250))), 2),
  innocent: Effect.gen(function*() {
    yield* LoopWatch.start({ threshold: 5000, onBlocked: say })
    yield* Nursery.open((n) => n.startSoon(Effect.andThen(spinning(200), Effect.sleep(300))))
  }).pipe(Effect.scoped),
  logs: Effect.andThen(Nursery.open((n) => n.startSoon(spinning(400), { name: "resize" }), { name: "images" }), Effect.sleep(500)).pipe(
    Effect.provide(LoopWatch.layer())),
  handlerFails: Effect.gen(function*() {
    let calls = 0
    yield* LoopWatch.start({ onBlocked: () => ++calls === 1 ? Effect.die("the handler is broken") : Effect.void })
    // On a busy machine the watch may not be sure about the first ones.
    yield* Effect.andThen(spinning(250), Effect.sleep(50)).pipe(Effect.repeat({ until: () => calls >= 2 }))
    yield* say({ calls })
  }).pipe(Effect.scoped),
  stuck: Effect.gen(function*() {
    yield* LoopWatch.start({ threshold: 50 })
    yield* Nursery.open((n) => n.startSoon(Effect.sync(() => {
      for (;;) spin(1)
    }), { name: "endless" }), { name: "images" })
  }).pipe(Effect.scoped),
  ends: Effect.gen(function*() {
    yield* LoopWatch.start()
    yield* say({ watching: true })
  }).pipe(Effect.scoped, Effect.andThen(say({ ended: true }))),
  notWatched: Effect.sleep(50).pipe(Effect.provide(LoopWatch.layer())),
  inWorker: Effect.callback<void>((resume) => {
    new Worker(new URL(import.meta.url), { argv: ["body"], execArgv: process.execArgv }).on("exit", () => resume(Effect.void))
  })
}

const name = process.argv[2] ?? ""
const program = programs[name]
if (program === undefined) throw new Error(`Expected one of ${Object.keys(programs).join(", ")}, got \`${name}\``)
await Effect.runPromise(program)
