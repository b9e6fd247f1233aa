/** Programs whose timelines the tests draw, and what they share. */
import { Effect } from "effect"
import { CancelScope, CapacityLimiter, Event, MemoryChannel, Nursery, Tasks, Timeout } from "effect-nursery"
import { Instrument, Timeline } from "effect-nursery/observe"
import { VirtualClock } from "effect-nursery/testing"

export const draw = async (program: Effect.Effect<unknown, unknown>): Promise<Timeline.Timeline> =>
  (await VirtualClock.run(Timeline.record(program)))[1]

/** What an instrument hears of a program. */
export const eventsOf = async (program: Effect.Effect<unknown, unknown>): Promise<ReadonlyArray<Instrument.Event>> => {
  const instrument = Instrument.make({ capacity: Infinity })
  await VirtualClock.runExit(program.pipe(Instrument.record(instrument)))
  return instrument.events()
}

const sleeps = (millis: number) => Effect.onInterrupt(() => Effect.sleep(millis))
const failsAfter = (millis: number, error: unknown) => Effect.andThen(Effect.sleep(millis), Effect.fail(error))

/** One fails; the body, a sleeper and one with a slow finalizer are cancelled. */
export const failing = Nursery.open((n) =>
  Effect.gen(function*() {
    yield* n.startSoon(failsAfter(300, new Error("pot 1 is empty")), { name: "brew tea" })
    yield* n.startSoon(Effect.sleep("1 hour"), { name: "bake bread" })
    yield* n.startSoon(Effect.never.pipe(sleeps(50)), { name: "feed the cat" })
    yield* n.startSoon(Effect.sleep(120), { name: "lay the table" })
    yield* Effect.sleep(100)
  }), { name: "breakfast" })

/** A time limit in a time limit in a time limit; the middle one fails. */
export const limits = Nursery.open((n) =>
  Effect.gen(function*() {
    const inner = Effect.never.pipe(sleeps(40), Timeout.moveOnAfter(100, { name: "inner" }))
    const middle = Effect.andThen(inner, Effect.sleep(300)).pipe(Timeout.failAfter(250, { name: "middle" }))
    yield* n.startSoon(Effect.ignore(middle.pipe(Timeout.moveOnAfter(400, { name: "outer" }))), { name: "caller" })
    yield* n.startSoon(Effect.sleep(50).pipe(Timeout.moveOnAfter(100, { name: "quick" })), { name: "in time" })
  }), { name: "limits" })

/** One sender that is faster than the receiver; the same as in docs/reference/Timeline.md. */
export const backPressure = Effect.gen(function*() {
  const [sender, receiver] = yield* MemoryChannel.make<number>(1, { name: "orders" })
  const order = Effect.forEach([1, 2, 3, 4], (id) => Effect.andThen(Effect.sleep(5), sender.send(id)))
  const bake = Effect.forever(Effect.andThen(receiver.receive, Effect.sleep(30))).pipe(Effect.catchTag("EndOfChannel", () => Effect.void))
  yield* Nursery.open((n) =>
    Effect.gen(function*() {
      yield* n.startSoon(Effect.ensuring(order, sender.close), { name: "customer" })
      yield* n.startSoon(bake, { name: "baker" })
    }), { name: "bakery" })
})

/** No time passes. */
export const atOnce = Nursery.open((n) =>
  Effect.gen(function*() {
    const go = yield* Event.make({ name: "go" })
    yield* n.startSoon(go.wait, { name: "waiter 1" })
    yield* n.startSoon(Effect.andThen(go.wait, Effect.fail("lost")), { name: "waiter 2" })
    yield* n.startSoon(Effect.never, { name: "sleeper" })
    yield* n.startSoon(go.set, { name: "setter" })
  }), { name: "at once" })

/** A task begun by `start`, a service, shields, a second waiter for a limiter, a deadline in a cleanup. */
export const shutdown = CancelScope.open((scope) =>
  Nursery.open((n) =>
    Effect.gen(function*() {
      const lock = yield* CapacityLimiter.make(1, { name: "lock" })
      const server = (started: (port: number) => Effect.Effect<void>) =>
        Effect.sleep(40).pipe(Effect.andThen(started(80)), Effect.andThen(Effect.never), sleeps(20))
      yield* n.start(server, { name: "server" })
      yield* n.startSoon(Effect.never, { name: "heartbeat", service: true })
      yield* n.startSoon(lock.withToken(Effect.never), { name: "holder" })
      yield* n.startSoon(lock.withToken(Effect.never), { name: "waiter" })
      yield* n.startSoon(Effect.never.pipe(Effect.ensuring(CancelScope.shieldFor(Effect.never, 60))), { name: "stubborn" })
      yield* n.startSoon(CancelScope.shield(Effect.sleep(200)), { name: "shielded" })
      yield* n.startSoon(Effect.never.pipe(Effect.onInterrupt(() => Effect.die(new TypeError("x is undefined")))), { name: "buggy" })
      yield* Effect.sleep(50)
      yield* scope.cancel("deploy")
    }), { name: "server" }), { name: "app" })

export const race = Tasks.firstSuccess([failsAfter(50, "dns"), Effect.as(Effect.sleep(120), 1), Effect.never.pipe(sleeps(30)), Effect.sleep(500)])

/** Names and errors that try to get out of where they stand. */
export const hostile = Nursery.open((n) =>
  Effect.gen(function*() {
    yield* n.startSoon(failsAfter(30, new Error("<b>first</b> & \"line\"\nsecond ]]> line --> end")), { name: "a".repeat(5000) })
    yield* n.startSoon(Effect.never, { name: "</script><img src=x onerror=alert(1)>" })
    yield* n.startSoon(Effect.never, { name: "<!-- <script> &amp; ' \"" })
    yield* n.startSoon(Effect.never, { name: "日本語の名前がとても長いタスク 🎉🎉" })
    yield* n.startSoon(Effect.never, { name: "\u001b[31mred\u0000 \u202Ereversed \uD800 \u2028 \u0085 \uFFFE" })
    yield* n.startSoon(Effect.never, { name: "" })
  }), { name: "two\nlines\tand a tab" })

export const deep = (levels: number): Effect.Effect<void, string> => {
  let program: Effect.Effect<void, string> = failsAfter(100, "deepest") as Effect.Effect<never, string>
  for (let level = levels; level >= 1; level--) {
    const inner = program
    program = Nursery.open((n) => Effect.asVoid(n.startSoon(inner, { name: `child ${level}` })), { name: `level ${level}` })
  }
  return program
}

export const many = (count: number) =>
  Nursery.open((n) =>
    Effect.gen(function*() {
      for (let i = 0; i < count; i++) {
        const job = Effect.sleep(10 + (i * 7919) % 1000)
        yield* n.startSoon(i === 77 ? Effect.andThen(job, Effect.fail("unlucky")) : job, { name: `job ${i}` })
      }
    }), { name: "jobs" })

export const programs: Readonly<Record<string, Effect.Effect<unknown, unknown>>> = {
  failing, limits, backPressure, atOnce, shutdown, race, hostile,
  deep: deep(30),
  many: many(300),
  empty: Effect.void,
  emptyNursery: Nursery.open(() => Effect.void),
  one: Nursery.open((n) => n.startSoon(Effect.sleep(10), { name: "only" }))
}

/** A small program made of everything, another one for each seed. */
export const randomProgram = (seed: number): Effect.Effect<unknown, unknown> => {
  let state = seed * 2654435761 + 12345
  const random = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7FFFFFFF
    return (state >> 8) % below
  }
  const leaf = (): Effect.Effect<unknown, unknown> => {
    const millis = random(4) * random(20)
    switch (random(6)) {
      case 0: return Effect.andThen(Effect.sleep(millis), Effect.fail(`error ${millis}`))
      case 1: return Effect.never.pipe(sleeps(millis))
      case 2: return Effect.andThen(Effect.sleep(millis), Effect.die("bug"))
      default: return Effect.sleep(millis)
    }
  }
  const make = (depth: number): Effect.Effect<unknown, unknown> => {
    if (depth === 0) return leaf()
    const inside = Array.from({ length: 1 + random(3) }, () => make(depth - 1 - random(depth)))
    const limit = 1 + random(30)
    switch (random(7)) {
      case 0: return Tasks.gather(inside)
      case 1: return Tasks.firstSuccess(inside)
      case 2: return inside[0]!.pipe(Timeout.moveOnAfter(limit))
      case 3: return inside[0]!.pipe(Timeout.failAfter(limit))
      case 4: return CancelScope.open((scope) => Effect.andThen(inside[0]!, scope.cancel("enough")))
      case 5: return Effect.ensuring(leaf(), CancelScope.shieldFor(Effect.ignore(inside[0]!), limit))
      default:
        return Nursery.open((n) =>
          Effect.andThen(Effect.forEach(inside, (task, i) => n.startSoon(task, { name: `task ${i}`, service: i === 2 })), leaf()))
    }
  }
  return make(4).pipe(Timeout.moveOnAfter(200, { name: `program ${seed}` }))
}
