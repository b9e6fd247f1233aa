import { Cause, Effect, Exit, Fiber, Scheduler } from "effect"
import { CapacityLimiter, Event, MemoryChannel, Nursery, Timeout, TurnScheduler } from "effect-nursery"
import { Suspends, VirtualClock } from "effect-nursery/testing"
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "vitest"
import { runSeeded } from "../core/schedules.ts"
import { said, test } from "../core/support.ts"
import { declaredOperations, operationsOf } from "./declared.ts"
import { situations } from "./operations.ts"

const { assertNeverSuspends, assertSuspends } = Suspends

const neverSuspended = "Die NeverSuspended: Expected the effect to suspend, and it ended without giving anybody a turn"
const suspended = (times: number) =>
  `Die Suspended: Expected the effect never to suspend, and it did (${times === 1 ? "1 time" : `${times} times`}): others had a turn before it ended`

const effects: ReadonlyArray<readonly [what: string, effect: Effect.Effect<unknown, string>, suspensions: number]> = [
  ["an effect that is done", Effect.succeed(1), 0],
  ["a synchronous one", Effect.sync(() => 1), 0],
  ["a callback that resumes at once", Effect.callback<number>((resume) => resume(Exit.succeed(1))), 0],
  ["10,000 operations, between which the scheduler pauses", Effect.forEach(Array.from({ length: 10_000 }), () => Effect.void), 0],
  ["a fiber that is forked and not awaited", Effect.forkDetach(Effect.void), 0],
  ["a nursery in which nobody waits", Nursery.open((n) => n.startNow(Effect.void)), 0],
  ["one yield", Effect.yieldNow, 1],
  ["three yields", Effect.andThen(Effect.yieldNow, Effect.andThen(Effect.yieldNow, Effect.yieldNow)), 3],
  ["a sleep", Effect.sleep("1 hour"), 1],
  ["a promise, settled or not", Effect.promise(() => Promise.resolve()), 1],
  ["a wait at the very end of a long run", Effect.andThen(Effect.forEach(Array.from({ length: 5_000 }), () => Effect.void), Effect.yieldNow), 1],
  ["a yield at the very beginning of a long run", Effect.andThen(Effect.yieldNow, Effect.forEach(Array.from({ length: 5_000 }), () => Effect.void)), 1],
  ["a join", Effect.flatMap(Effect.forkChild(Effect.void), Fiber.join), 1]
]

describe("Suspends", () => {
  for (const [what, effect, suspensions] of effects) {
    test(`${what} suspends ${suspensions} times`, () =>
      Effect.gen(function*() {
        const asserted = yield* Effect.exit(assertSuspends(effect))
        const denied = yield* Effect.exit(assertNeverSuspends(effect))
        if (suspensions === 0) {
          assert.deepStrictEqual(said(asserted), [neverSuspended])
          assert.isTrue(Exit.isSuccess(denied))
        } else {
          assert.isTrue(Exit.isSuccess(asserted))
          assert.deepStrictEqual(said(denied), [suspended(suspensions)])
        }
      }))
  }

  test("gives the value, and keeps a failure beside the defect", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* assertNeverSuspends(Effect.succeed(7)), 7)
      assert.strictEqual(yield* assertSuspends(Effect.as(Effect.yieldNow, 7)), 7)
      assert.deepStrictEqual(said(yield* Effect.exit(assertSuspends(Effect.fail("no")))), ["Fail no", neverSuspended])
      assert.deepStrictEqual(said(yield* Effect.exit(assertSuspends(Effect.andThen(Effect.yieldNow, Effect.fail("no"))))), ["Fail no"])
      assert.deepStrictEqual(said(yield* Effect.exit(assertNeverSuspends(Effect.andThen(Effect.yieldNow, Effect.die("bug"))))), ["Die bug", suspended(1)])
    }))

  test("counts suspensions of its own fiber only, and those of the effect only", () =>
    Effect.gen(function*() {
      const go = yield* Event.make()
      yield* Nursery.open((n) =>
        Effect.gen(function*() {
          yield* n.startNow(Effect.andThen(Effect.yieldNow, Effect.yieldNow))
          yield* Effect.yieldNow
          yield* assertNeverSuspends(n.startNow(Effect.andThen(go.wait, Effect.yieldNow)))
          // The task that this wakes runs in it, and suspends.
          yield* assertNeverSuspends(go.set)
          yield* Effect.yieldNow
        })
      )
    }))

  test("does not judge an effect that is interrupted", () =>
    Effect.gen(function*() {
      const exit = yield* Timeout.moveOnAfter(assertNeverSuspends(Effect.never), 1)
      assert.strictEqual(exit._tag, "None")
    }))

  test("leaves the fiber what it was: a borrower is the same inside", () =>
    Effect.gen(function*() {
      const lock = yield* CapacityLimiter.make(1)
      const exit = yield* Effect.exit(lock.withToken(assertNeverSuspends(lock.withToken(Effect.void))))
      assert.include(String(said(exit)), "Busy")
      const fiber = yield* Effect.fiber
      assert.strictEqual(yield* assertNeverSuspends(Effect.fiber), fiber)
      assert.strictEqual(yield* Scheduler.Scheduler, fiber.cache.scheduler)
    }))

  test("may stand in itself", () =>
    Effect.gen(function*() {
      yield* assertSuspends(Effect.andThen(assertNeverSuspends(Effect.void), assertSuspends(Effect.yieldNow)))
      assert.deepStrictEqual(said(yield* Effect.exit(assertNeverSuspends(assertSuspends(Effect.yieldNow)))), [suspended(1)])
    }))

  test("sees suspensions where a fiber never pauses by itself", () =>
    Effect.gen(function*() {
      const never = Effect.forEach(Array.from({ length: 10_000 }), () => Effect.void)
      yield* assertNeverSuspends(never)
      yield* assertSuspends(Effect.andThen(never, Effect.yieldNow))
    }).pipe(Effect.provideService(Scheduler.PreventSchedulerYield, true)))

  test("begins anew in a fiber that has run for long, where a channel takes a pause before the scheduler does", () =>
    Effect.gen(function*() {
      const [sender, receiver] = yield* MemoryChannel.make<number>(1)
      for (let i = 0; i < 5_000; i++) {
        yield* assertNeverSuspends(sender.send(i))
        yield* assertNeverSuspends(receiver.receive)
      }
    }))

  it("sees every suspension under a scheduler that pauses anywhere, and none of its pauses", () => {
    const long = Effect.forEach([1, 2, 3, 4, 5], () => Effect.void)
    const program = Effect.andThen(assertNeverSuspends(long), assertSuspends(Effect.andThen(long, Effect.andThen(Effect.yieldNow, long))))
    for (let seed = 0; seed < 300; seed++) {
      const { exit } = runSeeded(program, seed, { coin: 0.3 })
      if (exit === undefined || Exit.isFailure(exit)) assert.fail(`seed ${seed}: ${exit === undefined ? "it hangs" : String(said(exit))}`)
    }
  })
})

interface Row {
  readonly operation: string
  readonly suspends: string
}

const rows: ReadonlyArray<Row> = fs.readFileSync(path.resolve(import.meta.dirname, "../../docs/reference/Suspends.md"), "utf8")
  .split("\n").flatMap((line) => {
    const match = /^\| `([\w$.]+)` \| ([^|]+) \|/.exec(line)
    return match === null ? [] : [{ operation: match[1]!, suspends: match[2]!.trim() }]
  })

/** They run programs, and give no effect. */
const notOperations = ["Main.run", "Explore.run", "Explore.replay", "LeakCheck.run", "LeakCheck.report", "VirtualClock.run", "VirtualClock.runExit"]

describe("C17: the table of what suspends", { timeout: 60_000 }, () => {
  it("has one line for each operation of the library, and none for what is none", { timeout: 60_000 }, () => {
    const declared = declaredOperations()
    const listed = rows.map((row) => row.operation)
    assert.deepStrictEqual(listed.filter((name, index) => listed.indexOf(name) !== index), [], "twice in the table")
    assert.deepStrictEqual(declared.filter((name) => !listed.includes(name) && !notOperations.includes(name)), [], "missing in docs/reference/Suspends.md")
    assert.deepStrictEqual([...listed, ...notOperations].filter((name) => !declared.includes(name)), [], "not exported")
    assert.deepStrictEqual(Object.keys(situations).filter((name) => !listed.includes(name)), [], "not in the table")
  })

  for (const { operation, suspends } of rows) {
    it(`${operation} suspends: ${suspends}`, async () => {
      const { free = [], held = [] } = situations[operation] ?? {}
      assert.include(["never", "if it has to wait", "always"], suspends)
      assert.strictEqual(free.length > 0, suspends !== "always", "situations without anything to wait for")
      assert.strictEqual(held.length > 0, suspends !== "never", "situations with something to wait for")
      const programs = [
        ...free.map((situation) => ({ situation, assertion: assertNeverSuspends })),
        ...held.map((situation) => ({ situation, assertion: assertSuspends }))
      ]
      for (const { assertion, situation } of programs) {
        let judged = 0
        const defects: Array<string> = []
        const note = (exit: Exit.Exit<unknown, unknown>) =>
          Effect.sync(() => {
            if (Exit.isFailure(exit)) defects.push(...exit.cause.reasons.filter(Cause.isDieReason).map((reason) => String(reason.defect)))
            if (Exit.isSuccess(exit) || !Cause.hasInterruptsOnly(exit.cause)) judged++
          })
        const program = situation((self) => Effect.onExit(assertion(self), note)) as Effect.Effect<unknown, unknown>
        for (const exit of await runIn(timesOf(operation), program)) {
          assert.deepStrictEqual(defects, [])
          if (Exit.isFailure(exit)) assert.fail(String(said(exit)))
          assert.isAbove(judged, 0, "the operation was not reached")
        }
      }
    })
  }
})

type Time = "virtual" | "real"

/** Virtual time does not wait for real sockets: handshakes would be too slow in it. The kit takes seconds of real time. */
const timesOf = (operation: string): ReadonlyArray<Time> =>
  /^(Network|Tcp|Tls|Unix|WebSocket)\./.test(operation) ? ["real"] : /^(StreamKit|VirtualClock)\./.test(operation) ? ["virtual"] : ["virtual", "real"]

const runIn = async (times: ReadonlyArray<Time>, program: Effect.Effect<unknown, unknown>): Promise<ReadonlyArray<Exit.Exit<unknown, unknown>>> => {
  const exits: Array<Exit.Exit<unknown, unknown>> = []
  for (const time of times) {
    exits.push(await (time === "virtual" ? VirtualClock.runExit(program) : Effect.runPromiseExit(program, { scheduler: TurnScheduler.make() })))
  }
  return exits
}

describe("the reading of declarations", () => {
  it("finds effects, functions that give them, streams, and members with options, and nothing else", () => {
    const source = [
      "/** export declare const commented: Effect.Effect<void>; */",
      "export interface Handle {",
      "    readonly wait: Effect.Effect<void>;",
      "    stop(options: {",
      "        readonly grace: Duration.Input;",
      "    }): Effect.Effect<void>;",
      "    readonly values: Stream.Stream<number>;",
      "    readonly name: string;",
      "}",
      "interface Dual<K> {",
      "    <A>(self: Effect.Effect<A>): Effect.Effect<A>;",
      "}",
      "export type Alias = Effect.Effect<void>;",
      "export declare const operator: Dual<\"x\">;",
      "export declare const make: () => Effect.Effect<Handle>;",
      "export declare const text: (handle: Handle) => string;",
      "declare const hidden: Effect.Effect<void>;"
    ].join("\n")
    assert.deepStrictEqual(operationsOf("X", "X.ts", () => source), ["X.Handle.wait", "X.Handle.stop", "X.Handle.values", "X.operator", "X.make"])
  })

  it("follows what is passed on from other files, by the names that users see, and finds nothing else there", () => {
    const files: Readonly<Record<string, string>> = {
      "X.ts": [
        "import { Gate, type Hidden } from \"./internal/Gate.ts\";",
        "import type { Effect } from \"effect/Effect\";",
        "/** export { commented } from \"./internal/Gate.ts\" */",
        "export { Gate };",
        "export { open as openGate, type GateOptions } from \"./internal/Gate.ts\";",
        "export type {",
        "    Door,",
        "    /** With a comment, and a comma. */",
        "    Wall as Fence",
        "} from \"./internal/Door.ts\";",
        "export declare const own: Effect.Effect<Hidden>;"
      ].join("\n"),
      "internal/Gate.ts": [
        "export declare class Gate {",
        "    readonly wait: Effect.Effect<void>;",
        "}",
        "export interface Hidden {",
        "    readonly wait: Effect.Effect<void>;",
        "}",
        "export interface GateOptions {",
        "    readonly onOpen: Effect.Effect<void>;",
        "}",
        "interface Dual {",
        "    (self: Effect.Effect<void>): Effect.Effect<void>;",
        "}",
        "export declare const open: Dual<\"x\">;",
        "export declare const commented: Effect.Effect<void>;"
      ].join("\n"),
      // Passed on twice, from a folder of its own.
      "internal/Door.ts": "export type { Door } from \"./doors/Wood.ts\";\nexport interface Wall {\n    readonly stands: Stream.Stream<void>;\n}",
      "internal/doors/Wood.ts": "export interface Door {\n    knock(): Effect.Effect<void>;\n}"
    }
    assert.deepStrictEqual(operationsOf("X", "X.ts", (file) => files[file]!), ["X.own", "X.Gate.wait", "X.openGate", "X.Door.knock", "X.Fence.stands"])
  })
})
