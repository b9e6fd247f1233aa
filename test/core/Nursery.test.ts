import { Cause, Context, Deferred, Effect, Exit, Fiber, Layer, Option, Ref, Scope } from "effect"
import { CancelScope, Errors, Nursery, Timeout, TurnScheduler } from "effect-nursery"
import { VirtualClock } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"
import { heap, now, said, test, withCleanup } from "./support.ts"

const failsInCleanup = <E>(error: E) => Effect.never.pipe(Effect.onExit(() => Effect.fail(error)))
const diesInCleanup = (defect: unknown) => Effect.never.pipe(Effect.ensuring(Effect.die(defect)))

describe("Nursery.open", () => {
  test("ends with the value of the body", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Nursery.open(() => Effect.succeed(42)), 42)
    }))

  test("ends only when body and all tasks have ended", () =>
    Effect.gen(function*() {
      yield* Nursery.open((n) => Effect.gen(function*() {
        yield* n.startSoon(Effect.sleep(30))
        yield* n.startNow(Effect.sleep(50))
      }))
      assert.strictEqual(yield* now, 50)
      yield* Nursery.open((n) => Effect.andThen(n.startSoon(Effect.sleep(10)), Effect.sleep(70)))
      assert.strictEqual(yield* now, 120)
    }))

  test("waits for tasks that tasks started, to any depth", () =>
    Effect.gen(function*() {
      const ended: Array<number> = []
      yield* Nursery.open((n) => {
        const chain = (depth: number): Effect.Effect<void> =>
          Effect.gen(function*() {
            yield* Effect.sleep(1)
            if (depth > 0) yield* n.startSoon(chain(depth - 1))
            yield* Effect.sleep(1)
            ended.push(depth)
          })
        return n.startSoon(chain(20))
      })
      assert.lengthOf(ended, 21)
    }))

  test("gives every task the services that are there where it is started", () =>
    Effect.gen(function*() {
      const Name = Context.Reference<string>("test/Name", { defaultValue: () => "nobody" })
      const seen: Array<string> = []
      const look = Effect.flatMap(Name, (name) => Effect.sync(() => seen.push(name)))
      yield* Nursery.open((n) => Effect.gen(function*() {
        yield* n.startSoon(look)
        yield* n.startSoon(look).pipe(Effect.provideService(Name, "Ada"))
        yield* n.startNow(look).pipe(Effect.provideService(Name, "Grace"))
      }))
      assert.deepStrictEqual(seen.toSorted(), ["Ada", "Grace", "nobody"])
    }))

  test("C20: a task keeps the context value it was started with, and changing its own concerns nobody else", () =>
    Effect.gen(function*() {
      const Name = Context.Reference<string>("test/Name20", { defaultValue: () => "default" })
      const seen: Array<string> = []
      const go = yield* Deferred.make<void>()
      yield* Nursery.open((n) => Effect.gen(function*() {
        yield* n.startSoon(Effect.gen(function*() {
          yield* Deferred.await(go)
          seen.push(`child ${yield* Name}`)
          yield* Effect.provideService(Effect.gen(function*() {
            seen.push(`inside ${yield* Name}`)
          }), Name, "of the child")
          seen.push(`child again ${yield* Name}`)
        })).pipe(Effect.provideService(Name, "at the start"))
        yield* Effect.provideService(Effect.gen(function*() {
          yield* VirtualClock.waitAllBlocked
          seen.push(`parent ${yield* Name}`)
          yield* Deferred.succeed(go, undefined)
          yield* VirtualClock.waitAllBlocked
          seen.push(`parent ${yield* Name}`)
        }), Name, "set later")
      }))
      assert.deepStrictEqual(seen, ["parent set later", "child at the start", "inside of the child", "child again at the start", "parent set later"])
    }))

  test("cancels the others at the first failure and awaits their cleanup", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const exit = yield* Effect.exit(Nursery.open((n) => Effect.gen(function*() {
        yield* n.startSoon(withCleanup(log, "slow", 50))
        yield* n.startSoon(withCleanup(log, "fast", 5))
        yield* n.startSoon(Effect.andThen(Effect.sleep(10), Effect.fail("first")))
        yield* withCleanup(log, "body", 20)
      })))
      assert.deepStrictEqual(said(exit), ["Fail first"])
      assert.deepStrictEqual(log, ["fast cleaned up", "body cleaned up", "slow cleaned up"])
      assert.strictEqual(yield* now, 60)
    }))

  it("P05: a rejection inside a task reaches the nursery, and never the process", async () => {
    const unhandled: Array<unknown> = []
    const note = (error: unknown) => void unhandled.push(error)
    process.on("unhandledRejection", note)
    try {
      let rejectLate = (_error: unknown): void => {}
      const late = new Promise<never>((_, reject) => rejectLate = reject)
      const exit = await VirtualClock.runExit(Nursery.open((n) =>
        Effect.gen(function*() {
          // It is cancelled by the others: what its promise says afterwards concerns nobody.
          yield* n.startNow(Effect.promise(() => late), { name: "left" })
          yield* n.startNow(Effect.tryPromise({ try: () => Promise.reject(new Error("one")), catch: (error) => error }), { name: "typed" })
          yield* n.startNow(Effect.promise(() => Promise.reject(new Error("two"))), { name: "untyped" })
          yield* n.startNow(Effect.promise(async () => { throw new Error("three") }), { name: "async function" })
        }), { onTaskFailure: "continue" }).pipe(Timeout.moveOnAfter("1 second")))
      rejectLate(new Error("late"))
      for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
      assert.deepStrictEqual(said(exit), ["Fail Error: one", "Die Error: two", "Die Error: three"])
      assert.deepStrictEqual(unhandled, [])
    } finally {
      process.off("unhandledRejection", note)
    }
  })

  it("C01: when one of 1,000 sleeping tasks throws, every sibling is cleaned up once, and the error stands alone", async () => {
    const unhandled: Array<unknown> = []
    const listen = (reason: unknown) => unhandled.push(reason)
    process.on("unhandledRejection", listen)
    try {
      const cleanups = Array.from({ length: 1000 }, () => 0)
      const boom = new Error("boom")
      const exit = await VirtualClock.runExit(Nursery.open((n) => Effect.gen(function*() {
        for (let i = 0; i < 1000; i++) {
          yield* n.startSoon(Effect.ensuring(Effect.sleep("1 hour"), Effect.sync(() => cleanups[i]!++)))
        }
        yield* n.startSoon(Effect.andThen(Effect.sleep(1), Effect.sync(() => {
          throw boom
        })))
      })))
      assert.deepStrictEqual(new Set(cleanups), new Set([1]))
      assert.isTrue(exit._tag === "Failure")
      if (exit._tag === "Failure") {
        assert.lengthOf(exit.cause.reasons, 1)
        const reason = exit.cause.reasons[0]!
        assert.strictEqual(reason._tag === "Die" ? reason.defect : undefined, boom)
      }
      await new Promise((resolve) => setImmediate(resolve))
      assert.deepStrictEqual(unhandled, [])
    } finally {
      process.off("unhandledRejection", listen)
    }
  })

  test("C02: waits for asynchronous cleanup of a task when the body throws", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const exit = yield* Effect.exit(Nursery.open((n) => Effect.gen(function*() {
        yield* n.startNow(withCleanup(log, "task", 50))
        throw new Error("body")
      })))
      assert.deepStrictEqual(said(exit), ["Die Error: body"])
      assert.deepStrictEqual(log, ["task cleaned up"])
      assert.strictEqual(yield* now, 50)
    }))

  test("C03: keeps the error and the error of a cleanup during the cancellation", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Nursery.open((n) => Effect.gen(function*() {
        yield* n.startNow(failsInCleanup("in cleanup"))
        yield* n.startNow(diesInCleanup("broken cleanup"))
        yield* Effect.fail("in the body")
      })))
      assert.deepStrictEqual(said(exit), ["Fail in the body", "Fail in cleanup", "Die broken cleanup"])
    }))

  test("keeps both when a task fails and its own cleanup fails", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Nursery.open((n) =>
        n.startSoon(Effect.onExit(Effect.fail("work"), () => Effect.fail("cleanup")))
      ))
      assert.deepStrictEqual(said(exit), ["Fail work", "Fail cleanup"])
    }))

  test("keeps every failure in the order in which they came, duplicates too", () =>
    Effect.gen(function*() {
      const failAfter = (millis: number, error: string) => Effect.andThen(Effect.sleep(millis), Effect.fail(error))
      const exit = yield* Effect.exit(Nursery.open((n) => Effect.gen(function*() {
        yield* n.startSoon(failAfter(30, "x"))
        yield* n.startSoon(failAfter(10, "x"))
        yield* n.startSoon(failAfter(20, "y"))
        yield* n.startSoon(Effect.andThen(Effect.sleep(15), Effect.die("x")))
        yield* n.startSoon(failAfter(30, "x"))
      }), { onTaskFailure: "continue" }))
      assert.deepStrictEqual(said(exit), ["Fail x", "Die x", "Fail y", "Fail x", "Fail x"])
    }))

  test("keeps a constant failure that several tasks share once for each of them", () =>
    Effect.gen(function*() {
      const same = Effect.fail("same")
      const exit = yield* Effect.exit(Nursery.open((n) =>
        Effect.forEach([1, 2, 3], () => n.startSoon(same)), { onTaskFailure: "continue" }))
      assert.deepStrictEqual(said(exit), ["Fail same", "Fail same", "Fail same"])
    }))

  test("keeps failures that come in the same tick", () =>
    Effect.gen(function*() {
      const go = yield* Deferred.make<void>()
      const failing = (error: string) => Effect.uninterruptible(Effect.andThen(Deferred.await(go), Effect.fail(error)))
      const exit = yield* Effect.exit(Nursery.open((n) => Effect.gen(function*() {
        for (const error of ["a", "b", "a"]) yield* n.startNow(failing(error))
        yield* Deferred.succeed(go, undefined)
        return yield* Effect.fail("body")
      }).pipe(Effect.uninterruptible)))
      assert.deepStrictEqual((said(exit) as Array<string>).toSorted(), ["Fail a", "Fail a", "Fail b", "Fail body"])
    }))

  test("keeps the failures of two deadlines that pass at the same time", () =>
    Effect.gen(function*() {
      const at10 = (error: string) => Effect.uninterruptible(Effect.andThen(Effect.sleep(10), Effect.fail(error)))
      const exit = yield* Effect.exit(Nursery.open((n) => Effect.gen(function*() {
        yield* n.startNow(at10("a"))
        yield* n.startNow(at10("b"))
      })))
      assert.deepStrictEqual(said(exit), ["Fail a", "Fail b"])
    }))

  test("never turns a typed failure into a defect, also when a Die stands beside it", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Nursery.open((n) => Effect.gen(function*() {
        yield* n.startNow(failsInCleanup("typed"))
        yield* n.startNow(diesInCleanup("defect"))
        yield* n.startNow(failsInCleanup("typed too"))
        yield* Effect.die("first")
      })))
      assert.deepStrictEqual(said(exit), ["Die first", "Fail typed", "Die defect", "Fail typed too"])
    }))

  test("keeps typed failures typed through nested nurseries, with a Die beside them on every level", () =>
    Effect.gen(function*() {
      const level = (depth: number): Effect.Effect<void, string> =>
        Nursery.open((n) => Effect.gen(function*() {
          yield* n.startNow(failsInCleanup(`typed ${depth}`))
          yield* n.startNow(diesInCleanup(`defect ${depth}`))
          if (depth > 0) yield* level(depth - 1)
          else yield* Effect.fail("bottom")
        }))
      const exit = yield* Effect.exit(level(2))
      assert.deepStrictEqual(said(exit), [
        "Fail bottom", "Fail typed 0", "Die defect 0", "Fail typed 1", "Die defect 1", "Fail typed 2", "Die defect 2"
      ])
    }))

  test("keeps typed failures of an inner nursery that is cancelled from around", () =>
    Effect.gen(function*() {
      const inner = Nursery.open((n) => Effect.gen(function*() {
        yield* n.startNow(failsInCleanup("typed"))
        yield* n.startNow(diesInCleanup("defect"))
        yield* Effect.never
      }))
      const exit = yield* Effect.exit(Nursery.open((n) => Effect.gen(function*() {
        yield* n.startNow(inner)
        yield* n.startNow(Nursery.open((m) => m.startNow(inner)))
        yield* Effect.fail("outer")
      })))
      assert.deepStrictEqual(said(exit), ["Fail outer", "Fail typed", "Die defect", "Fail typed", "Die defect"])
    }))

  test("keeps typed failures typed when Effect itself interrupts the fiber that waits for the block", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Nursery.open((n) => Effect.gen(function*() {
        yield* n.startNow(failsInCleanup("typed"))
        yield* n.startNow(diesInCleanup("defect"))
        yield* Effect.never
      })), { startImmediately: true })
      yield* VirtualClock.waitAllBlocked
      yield* Fiber.interrupt(fiber)
      const exit = yield* Fiber.await(fiber)
      assert.deepStrictEqual((said(exit) as Array<string>).filter((_) => _ !== "Interrupt"), ["Fail typed", "Die defect"])
    }))

  test("delivers errors of the cleanup to a catch between it and the scope that was cancelled", () =>
    Effect.gen(function*() {
      class Broken extends Error {
        readonly _tag = "Broken" as const
      }
      const caught: Array<string> = []
      const result = yield* CancelScope.open((scope) =>
        Nursery.open((n) => Effect.gen(function*() {
          yield* n.startNow(
            Nursery.open((m) => Effect.andThen(m.startNow(failsInCleanup(new Broken("cleanup"))), Effect.never)).pipe(
              Effect.catchTag("Broken", (error) => Effect.sync(() => caught.push(error.message)))
            )
          )
          yield* scope.cancel()
        }))
      )
      assert.deepStrictEqual(caught, ["cleanup"])
      assert.strictEqual(result._tag, "Failure")
    }))

  test("does not lose errors of the cleanup when a catch of another tag stands between", () =>
    Effect.gen(function*() {
      class Broken extends Error {
        readonly _tag = "Broken" as const
      }
      class Other extends Error {
        readonly _tag = "Other"
      }
      const work = failsInCleanup<Broken | Other>(new Broken("cleanup"))
      const exit = yield* Effect.exit(CancelScope.open((scope) =>
        Nursery.open((n) => Effect.gen(function*() {
          yield* n.startNow(
            Nursery.open((m) => Effect.andThen(m.startNow(work), Effect.never)).pipe(
              Effect.catchTag("Other", () => Effect.void)
            )
          )
          yield* scope.cancel()
        }))
      ))
      assert.deepStrictEqual(said(exit), ["Fail Error: cleanup"])
    }))

  test("does not count a cancelled task as a failure", () =>
    Effect.gen(function*() {
      const value = yield* Nursery.open((n) => Effect.gen(function*() {
        const task = yield* n.startNow(Effect.never)
        yield* task.cancel()
        yield* Effect.sleep(1)
        return "body"
      }))
      assert.strictEqual(value, "body")
    }))

  test("does not count a task that interrupts itself as a failure", () =>
    Effect.gen(function*() {
      const value = yield* Nursery.open((n) => Effect.gen(function*() {
        yield* n.startNow(Effect.interrupt)
        yield* n.startSoon(Effect.interrupt)
        yield* Effect.sleep(1)
        return "body"
      }))
      assert.strictEqual(value, "body")
    }))

  test("cancels its tasks when the body is interrupted by itself, and passes that on", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const exit = yield* Effect.exit(Nursery.open((n) => Effect.gen(function*() {
        yield* n.startNow(withCleanup(log, "task", 5))
        return yield* Effect.interrupt
      })))
      assert.deepStrictEqual(said(exit), ["Interrupt"])
      assert.deepStrictEqual(log, ["task cleaned up"])
    }))

  test("is cancelled with everything in it when Effect interrupts its owner, and its owner waits for the cleanup", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const fiber = yield* Effect.forkChild(Nursery.open((n) => Effect.gen(function*() {
        yield* n.startNow(withCleanup(log, "task", 50))
        yield* withCleanup(log, "body", 20)
      })), { startImmediately: true })
      yield* VirtualClock.waitAllBlocked
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(log, ["body cleaned up", "task cleaned up"])
      assert.strictEqual(yield* now, 50)
    }))

  test("composes with Effect.raceFirst and Effect.timeoutOption: what they interrupt is awaited", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const block = Nursery.open((n) => n.startNow(withCleanup(log, "task", 50)))
      yield* Effect.raceFirst(block, Effect.sleep(10))
      assert.deepStrictEqual(log, ["task cleaned up"])
      assert.isTrue(Option.isNone(yield* Effect.timeoutOption(block, 10)))
      assert.lengthOf(log, 2)
    }))

  test("opened in a finalizer is protected from the cancellation around it", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const cleanup = Nursery.open((n) => Effect.gen(function*() {
        yield* n.startSoon(Effect.andThen(Effect.sleep(30), Effect.sync(() => log.push("task"))))
        yield* Effect.sleep(10)
        log.push("body")
      }))
      yield* CancelScope.open((scope) => Effect.gen(function*() {
        yield* scope.cancel()
        yield* Effect.never
      }).pipe(Effect.ensuring(cleanup)))
      assert.deepStrictEqual(log, ["body", "task"])
      assert.strictEqual(yield* now, 30)
    }))

  test("opened in a finalizer still cancels its own tasks when one fails", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const cleanup = Nursery.open((n) => Effect.gen(function*() {
        yield* n.startNow(withCleanup(log, "sibling", 1))
        yield* Effect.fail("cleanup failed")
      }))
      const exit = yield* Effect.exit(CancelScope.open((scope) =>
        Effect.andThen(scope.cancel(), Effect.never).pipe(Effect.onExit(() => cleanup))))
      assert.deepStrictEqual(said(exit), ["Fail cleanup failed"])
      assert.deepStrictEqual(log, ["sibling cleaned up"])
    }))

  test("lets all others go on with onTaskFailure: \"continue\", and fails with everything at the end", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const exit = yield* Effect.exit(Nursery.open((n) => Effect.gen(function*() {
        yield* n.startSoon(Effect.fail("early"))
        yield* n.startSoon(Effect.andThen(Effect.sleep(20), Effect.sync(() => log.push("done"))))
        yield* Effect.sleep(10)
        log.push("body")
      }), { onTaskFailure: "continue" }))
      assert.deepStrictEqual(log, ["body", "done"])
      assert.deepStrictEqual(said(exit), ["Fail early"])
    }))

  test("is ended by a failure of the body also with onTaskFailure: \"continue\"", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const exit = yield* Effect.exit(Nursery.open((n) => Effect.gen(function*() {
        yield* n.startNow(withCleanup(log, "task", 1))
        yield* Effect.fail("body")
      }), { onTaskFailure: "continue" }))
      assert.deepStrictEqual(said(exit), ["Fail body"])
      assert.deepStrictEqual(log, ["task cleaned up"])
    }))

  test("ends by itself when an error of a task comes at once, before the body has waited", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const exit = yield* Effect.exit(Nursery.open((n) => Effect.gen(function*() {
        yield* n.startNow(Effect.fail("at once"))
        yield* Effect.sync(() => log.push("not run"))
        yield* Effect.never
      })))
      assert.deepStrictEqual(said(exit), ["Fail at once"])
    }))

  test("refuses a limit that is no whole number from 1 and up, and says what it got", () =>
    Effect.gen(function*() {
      for (const maxTasks of [0, -1, NaN]) {
        const exit = yield* Effect.exit(Nursery.open(() => Effect.void, { maxTasks }))
        assert.deepStrictEqual(said(exit), [
          `Die RangeError: Expected \`maxTasks\` to be an integer from 1 and up or \`Infinity\`, got \`${maxTasks}\` (number)`
        ])
      }
    }))

  it("works the same under TurnScheduler", async () => {
    const log: Array<string> = []
    const exit = await Effect.runPromiseExit(Nursery.open((n) => Effect.gen(function*() {
      yield* n.startSoon(Effect.ensuring(Effect.never, Effect.sync(() => log.push("cleaned up"))))
      yield* n.startSoon(Effect.andThen(Effect.yieldNow, Effect.fail("first")))
      yield* n.startSoon(failsInCleanup("second"))
      yield* Effect.never
    })), { scheduler: TurnScheduler.make() })
    assert.deepStrictEqual(said(exit), ["Fail first", "Fail second"])
    assert.deepStrictEqual(log, ["cleaned up"])
  })
})

describe("Nursery.startSoon", () => {
  test("runs the task in a later turn, in order of the starts", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      yield* Nursery.open((n) => Effect.gen(function*() {
        yield* n.startSoon(Effect.sync(() => log.push("first")))
        yield* n.startSoon(Effect.sync(() => log.push("second")))
        log.push("body")
        yield* Effect.yieldNow
      }))
      assert.deepStrictEqual(log, ["body", "first", "second"])
    }))

  test("of a task that is cancelled before its turn never runs it, and its exit says so", () =>
    Effect.gen(function*() {
      let ran = false
      yield* Nursery.open((n) => Effect.gen(function*() {
        const task = yield* n.startSoon(Effect.sync(() => ran = true), { name: "early" })
        yield* task.cancel("changed my mind")
        const exit = yield* task.await
        assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
        if (Exit.isFailure(exit)) assert.strictEqual(Option.getOrThrow(CancelScope.reasonOf(exit.cause)).message, "changed my mind")
        assert.strictEqual(n.size, 0)
      }))
      assert.isFalse(ran)
    }))

  test("works from another fiber that holds the handle", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      yield* Nursery.open((n) => Effect.gen(function*() {
        const fiber = yield* Effect.forkDetach(n.startSoon(Effect.andThen(Effect.sleep(5), Effect.sync(() => log.push("task")))))
        yield* Fiber.join(fiber)
      }))
      assert.deepStrictEqual(log, ["task"])
      assert.strictEqual(yield* now, 5)
    }))

  test("from outside is a failure of the nursery and not of the fiber that started it", () =>
    Effect.gen(function*() {
      let outside: Fiber.Fiber<unknown> | undefined
      const exit = yield* Effect.exit(Nursery.open((n) => Effect.gen(function*() {
        outside = yield* Effect.forkDetach(Effect.andThen(n.startSoon(Effect.fail("inside")), Effect.succeed("fine")))
        yield* Effect.never
      })))
      assert.deepStrictEqual(said(exit), ["Fail inside"])
      assert.strictEqual(yield* Fiber.join(outside!), "fine")
    }))

  test("C09: into a cancelled nursery that has not ended is accepted, and ends cancelled without running", () =>
    Effect.gen(function*() {
      let ran = false
      const ends: Array<string> = []
      const exit = yield* Effect.exit(Nursery.open((n) => Effect.gen(function*() {
        const late = Effect.gen(function*() {
          assert.strictEqual(n.state, "cancelled")
          for (const start of ["startSoon", "startNow"] as const) {
            const task = yield* n[start](Effect.sync(() => ran = true), { name: start })
            const exit = yield* task.await
            assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
            if (Exit.isFailure(exit)) ends.push(Option.getOrThrow(CancelScope.reasonOf(exit.cause)).source)
          }
        })
        yield* n.startNow(Effect.ensuring(Effect.never, late))
        yield* Effect.fail("why")
      })))
      assert.deepStrictEqual(said(exit), ["Fail why"])
      assert.isFalse(ran)
      assert.deepStrictEqual(ends, ["sibling", "sibling"])
    }))

  test("C09: into an ended nursery dies with a NurseryClosed that names both, and the task never runs", () =>
    Effect.gen(function*() {
      let ran = false
      const task = Effect.sync(() => ran = true)
      const [n, spawner] = yield* Nursery.open((n) => Effect.map(n.accepting<never>(), (spawner) => [n, spawner] as const), { name: "gone" })
      assert.strictEqual(n.state, "ended")
      const attempts = [
        n.startSoon(task, { name: "late" }),
        n.startNow(task, { name: "late" }),
        n.start(() => task, { name: "late" }),
        spawner.startSoon(task, { name: "late", key: 1 })
      ]
      for (const attempt of attempts) {
        const exit = yield* Effect.exit(attempt)
        const reason = Exit.isFailure(exit) ? exit.cause.reasons[0] : undefined
        const defect = reason?._tag === "Die" ? reason.defect : undefined
        assert.instanceOf(defect, Errors.NurseryClosed)
        assert.deepInclude(defect, { nursery: "gone", task: "late" })
        assert.include((defect as Error).message, "Cannot start late in gone")
      }
      const run = yield* spawner.runtime()
      assert.throws(() => run(task, { name: "late" }), Errors.NurseryClosed)
      assert.isFalse(ran)
    }))

  test("from a finalizer of the last task works as long as the block has not ended", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      yield* Nursery.open((n) =>
        n.startSoon(Effect.ensuring(Effect.sleep(1), n.startSoon(Effect.andThen(Effect.sleep(1), Effect.sync(() => log.push("last"))))))
      )
      assert.deepStrictEqual(log, ["last"])
    }))

  test("gives tasks without a name a number, and keeps the names that were given", () =>
    Effect.gen(function*() {
      yield* Nursery.open((n) => Effect.gen(function*() {
        const tasks = [yield* n.startSoon(Effect.void), yield* n.startSoon(Effect.void, { name: "mine" }), yield* n.startNow(Effect.void)]
        assert.deepStrictEqual(tasks.map((task) => task.name), ["task 1", "mine", "task 3"])
      }))
    }))
})

describe("Nursery.startNow", () => {
  test("runs the task until it first waits before it returns", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      yield* Nursery.open((n) => Effect.gen(function*() {
        yield* n.startNow(Effect.gen(function*() {
          log.push("task begins")
          yield* Effect.sleep(1)
          log.push("task goes on")
        }))
        log.push("body")
      }))
      assert.deepStrictEqual(log, ["task begins", "body", "task goes on"])
    }))

  test("can be nested very deeply without using up the stack", () =>
    Effect.gen(function*() {
      let deepest = 0
      yield* Nursery.open((n) => {
        const down = (depth: number): Effect.Effect<unknown> => {
          deepest = Math.max(deepest, depth)
          return depth < 20_000 ? n.startNow(Effect.suspend(() => down(depth + 1))) : Effect.void
        }
        return down(0)
      })
      assert.strictEqual(deepest, 20_000)
    }))
})

describe("Nursery.start", () => {
  const ready = (log: Array<string>, name = "server") => (started: (value: number) => Effect.Effect<void>) =>
    Effect.gen(function*() {
      yield* Effect.sleep(10)
      log.push(`${name} ready`)
      yield* started(8080)
      yield* Effect.sleep(10)
      log.push(`${name} done`)
    })

  test("returns the value of started when the task is ready, and the task goes on in the nursery", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      yield* Nursery.open((n) => Effect.gen(function*() {
        const port = yield* n.start(ready(log))
        log.push(`port ${port}`)
        assert.strictEqual(yield* now, 10)
        assert.strictEqual(n.size, 1)
      }))
      assert.deepStrictEqual(log, ["server ready", "port 8080", "server done"])
      assert.strictEqual(yield* now, 20)
    }))

  test("works for a task that is ready at once", () =>
    Effect.gen(function*() {
      yield* Nursery.open((n) => Effect.gen(function*() {
        assert.strictEqual(yield* n.start((started: (value: string) => Effect.Effect<void>) => Effect.andThen(started("now"), Effect.sleep(5))), "now")
        assert.strictEqual(n.size, 1)
        assert.strictEqual(yield* n.start((started: (value: string) => Effect.Effect<void>) => started("and over")), "and over")
        assert.strictEqual(n.size, 1)
      }))
      assert.strictEqual(yield* now, 5)
    }))

  test("C10: a failure before started comes out at the caller, and not in the nursery", () =>
    Effect.gen(function*() {
      const value = yield* Nursery.open((n) => Effect.gen(function*() {
        const sibling = yield* n.startNow(Effect.as(Effect.sleep(20), "sibling lives"))
        const exit = yield* Effect.exit(n.start((_started: (value: number) => Effect.Effect<void>) =>
          Effect.andThen(Effect.sleep(10), Effect.fail("cannot bind"))))
        assert.deepStrictEqual(said(exit), ["Fail cannot bind"])
        return yield* sibling.join
      }))
      assert.strictEqual(value, "sibling lives")
    }))

  test("C10: a failure after started comes out of the nursery, and not at the caller", () =>
    Effect.gen(function*() {
      let value = 0
      const exit = yield* Effect.exit(Nursery.open((n) => Effect.gen(function*() {
        value = yield* n.start((started: (value: number) => Effect.Effect<void>) =>
          Effect.andThen(started(1), Effect.andThen(Effect.sleep(10), Effect.fail("later"))))
        yield* Effect.never
      })))
      assert.strictEqual(value, 1)
      assert.deepStrictEqual(said(exit), ["Fail later"])
    }))

  test("keeps all failures before started, typed beside a Die", () =>
    Effect.gen(function*() {
      yield* Nursery.open((n) => Effect.gen(function*() {
        const exit = yield* Effect.exit(n.start((_started: (value: number) => Effect.Effect<void>) =>
          Nursery.open((m) => Effect.gen(function*() {
            yield* m.startNow(diesInCleanup("defect"))
            yield* m.startNow(failsInCleanup("typed"))
            yield* Effect.fail("first")
          }))))
        assert.deepStrictEqual(said(exit), ["Fail first", "Die defect", "Fail typed"])
      }))
    }))

  test("dies with NotStarted when the task ends well without calling started", () =>
    Effect.gen(function*() {
      yield* Nursery.open((n) => Effect.gen(function*() {
        const exit = yield* Effect.exit(n.start(function forgetful(_started: (value: number) => Effect.Effect<void>) {
          return Effect.sleep(1)
        }))
        const reason = Exit.isFailure(exit) ? exit.cause.reasons[0] : undefined
        const defect = reason?._tag === "Die" ? reason.defect : undefined
        assert.instanceOf(defect, Errors.NotStarted)
        assert.deepInclude(defect, { task: "forgetful" })
      }))
    }))

  test("dies in the task with AlreadyStarted when it calls started twice, and the caller keeps the first value", () =>
    Effect.gen(function*() {
      let value = 0
      const exit = yield* Effect.exit(Nursery.open((n) => Effect.gen(function*() {
        value = yield* n.start((started: (value: number) => Effect.Effect<void>) =>
          Effect.gen(function*() {
            yield* started(1)
            yield* Effect.sleep(1)
            yield* started(2)
          }), { name: "eager" })
      })))
      assert.strictEqual(value, 1)
      const reason = Exit.isFailure(exit) ? exit.cause.reasons[0] : undefined
      assert.instanceOf(reason?._tag === "Die" ? reason.defect : undefined, Errors.AlreadyStarted)
    }))

  test("holds the nursery open while it is pending, also when called from outside", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      let outside: Fiber.Fiber<number> | undefined
      yield* Nursery.open((n) => Effect.gen(function*() {
        outside = yield* Effect.forkDetach(n.start(ready(log)), { startImmediately: true })
      }))
      assert.deepStrictEqual(log, ["server ready", "server done"])
      assert.strictEqual(yield* Fiber.join(outside!), 8080)
    }))

  describe("and cancellation", () => {
    test("of the caller before started: the task is cancelled, and start ends when it has ended", () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        yield* Nursery.open((n) => Effect.gen(function*() {
          const result = yield* CancelScope.open((scope) => Effect.gen(function*() {
            yield* Effect.forkChild(Effect.andThen(Effect.sleep(5), scope.cancel("enough")))
            yield* n.start((_started: (value: number) => Effect.Effect<void>) => withCleanup(log, "task", 50))
          }))
          assert.strictEqual(result._tag, "Failure")
          assert.deepStrictEqual(log, ["task cleaned up"])
          assert.strictEqual(yield* now, 55)
          assert.strictEqual(n.state, "open")
          assert.strictEqual(n.size, 0)
        }))
      }))

    test("of the caller before started: an error of the task's cleanup leaves through start", () =>
      Effect.gen(function*() {
        const value = yield* Nursery.open((n) => Effect.gen(function*() {
          const exit = yield* Effect.exit(Timeout.moveOnAfter(
            n.start((_started: (value: number) => Effect.Effect<void>) => failsInCleanup("cleanup")), 5))
          assert.deepStrictEqual(said(exit), ["Fail cleanup"])
          return "nursery lives"
        }))
        assert.strictEqual(value, "nursery lives")
      }))

    test("of the caller after started: nothing happens to the task", () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        yield* Nursery.open((n) => Effect.gen(function*() {
          const result = yield* CancelScope.open((scope) => Effect.gen(function*() {
            yield* n.start(ready(log))
            yield* scope.cancel()
            yield* Effect.never
          }))
          assert.strictEqual(result._tag, "Failure")
          assert.deepStrictEqual(log, ["server ready"])
        }))
        assert.deepStrictEqual(log, ["server ready", "server done"])
      }))

    test("of the caller, and the task calls started in its cleanup: it is not moved, its failure leaves through start", () =>
      Effect.gen(function*() {
        const value = yield* Nursery.open((n) => Effect.gen(function*() {
          const exit = yield* Effect.exit(Timeout.moveOnAfter(
            n.start((started: (value: number) => Effect.Effect<void>) =>
              Effect.onExit(Effect.never, () => Effect.andThen(started(1), Effect.fail("after started")))), 5))
          assert.deepStrictEqual(said(exit), ["Fail after started"])
          return n.size
        }))
        assert.strictEqual(value, 0)
      }))

    test("of the caller, and the task ends well after calling started in its cleanup: the value has won", () =>
      Effect.gen(function*() {
        yield* Nursery.open((n) => Effect.gen(function*() {
          const value = yield* Timeout.moveOnAfter(
            n.start((started: (value: number) => Effect.Effect<void>) =>
              CancelScope.shield(Effect.andThen(Effect.sleep(10), started(7)))), 5)
          assert.deepStrictEqual(value, Option.some(7))
          assert.strictEqual(yield* now, 10)
        }))
      }))

    test("of the nursery by a sibling's failure before started, called from outside: the task is cancelled when it moves", () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        let outside: Fiber.Fiber<number, never> | undefined
        const exit = yield* Effect.exit(Nursery.open((n) => Effect.gen(function*() {
          outside = yield* Effect.forkDetach(n.start((started: (value: number) => Effect.Effect<void>) =>
            Effect.gen(function*() {
              yield* Effect.sleep(20)
              log.push("still running before started")
              yield* started(1)
              yield* Effect.sleep(1)
              log.push("not reached")
            }).pipe(Effect.ensuring(Effect.sync(() => log.push("cleaned up"))))), { startImmediately: true })
          yield* Effect.andThen(Effect.sleep(10), Effect.fail("sibling"))
        })))
        assert.deepStrictEqual(said(exit), ["Fail sibling"])
        assert.deepStrictEqual(log, ["still running before started", "cleaned up"])
        assert.strictEqual(yield* now, 20)
        assert.strictEqual(yield* Fiber.join(outside!), 1)
      }))

    test("of the nursery after started: the task is cancelled", () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        const exit = yield* Effect.exit(Nursery.open((n) => Effect.gen(function*() {
          yield* n.start((started: (value: number) => Effect.Effect<void>) => Effect.andThen(started(1), withCleanup(log, "task", 5)))
          yield* Effect.fail("body")
        })))
        assert.deepStrictEqual(said(exit), ["Fail body"])
        assert.deepStrictEqual(log, ["task cleaned up"])
      }))

    test("of the nursery by the caller's own failure: the pending task ends as a cancelled caller's does", () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        const exit = yield* Effect.exit(Nursery.open((n) => Effect.gen(function*() {
          yield* n.startNow(Effect.andThen(Effect.sleep(5), Effect.fail("sibling")))
          yield* n.start((_started: (value: number) => Effect.Effect<void>) => withCleanup(log, "task", 5))
        })))
        assert.deepStrictEqual(said(exit), ["Fail sibling"])
        assert.deepStrictEqual(log, ["task cleaned up"])
      }))

    test("of everything in the task: what it opened before started moves with it and is cancelled with the nursery", () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        yield* Effect.exit(Nursery.open((n) => Effect.gen(function*() {
          yield* CancelScope.open((scope) => Effect.gen(function*() {
            yield* n.start((started: (value: number) => Effect.Effect<void>) =>
              Nursery.open((inner) => Effect.gen(function*() {
                yield* inner.startNow(withCleanup(log, "inner task", 1))
                yield* started(1)
                yield* Effect.never
              })))
            yield* scope.cancel()
          }))
          yield* VirtualClock.waitAllBlocked
          assert.deepStrictEqual(log, [], "the caller's scope reaches it no more")
          yield* Effect.fail("nursery")
        })))
        assert.deepStrictEqual(log, ["inner task cleaned up"])
      }))
  })
})

describe("Nursery.Task", () => {
  test("await gives the exit, also of a task that has ended already", () =>
    Effect.gen(function*() {
      yield* Effect.exit(Nursery.open((n) => Effect.gen(function*() {
        const good = yield* n.startSoon(Effect.as(Effect.sleep(5), 1))
        const bad = yield* n.startSoon(Effect.andThen(Effect.sleep(1), Effect.fail("bad")))
        assert.deepStrictEqual(said(yield* bad.await), ["Fail bad"])
        assert.deepStrictEqual(yield* good.await, Exit.succeed(1))
        assert.deepStrictEqual(yield* good.await, Exit.succeed(1))
      }), { onTaskFailure: "continue" }))
    }))

  test("join gives the value, or fails as the task did", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Nursery.open((n) => Effect.gen(function*() {
        const good = yield* n.startSoon(Effect.as(Effect.sleep(5), 1))
        assert.strictEqual(yield* good.join, 1)
        const bad = yield* n.startSoon(Effect.fail("bad"))
        assert.deepStrictEqual(said(yield* Effect.exit(bad.join)), ["Fail bad"])
      }), { onTaskFailure: "continue" }))
      assert.deepStrictEqual(said(exit), ["Fail bad"])
    }))

  test("join of a cancelled task fails with an interrupt that carries the reason, and does not cancel the joiner", () =>
    Effect.gen(function*() {
      yield* Nursery.open((n) => Effect.gen(function*() {
        const task = yield* n.startNow(Effect.never, { name: "victim" })
        yield* task.cancel("test")
        const exit = yield* Effect.exit(task.join)
        assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
        if (Exit.isFailure(exit)) assert.deepInclude(Option.getOrThrow(CancelScope.reasonOf(exit.cause)), { message: "test", scope: "victim" })
      }))
    }))

  test("poll is none until the task has ended", () =>
    Effect.gen(function*() {
      yield* Nursery.open((n) => Effect.gen(function*() {
        const task = yield* n.startNow(Effect.as(Effect.sleep(5), "value"))
        assert.isTrue(Option.isNone(task.poll))
        yield* task.await
        assert.deepStrictEqual(task.poll, Option.some(Exit.succeed("value")))
      }))
    }))

  test("cancel returns only after the task's cleanup, and says why in the exit", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      yield* Nursery.open((n) => Effect.gen(function*() {
        const task = yield* n.startNow(withCleanup(log, "task", 30), { name: "worker" })
        yield* task.cancel("not needed")
        assert.deepStrictEqual(log, ["task cleaned up"])
        assert.strictEqual(yield* now, 30)
        const exit = yield* task.await
        const reason = Exit.isFailure(exit) ? Option.getOrThrow(CancelScope.reasonOf(exit.cause)) : undefined
        assert.deepInclude(reason, { source: "explicit", scope: "worker", message: "not needed" })
      }), { name: "crew" })
    }))

  test("cancel may be called twice, by several fibers, and after the end", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      yield* Nursery.open((n) => Effect.gen(function*() {
        const task = yield* n.startNow(withCleanup(log, "task", 10))
        yield* n.startSoon(task.cancel("second"))
        yield* task.cancel("first")
        yield* task.cancel("third")
        const exit = yield* task.await
        if (Exit.isFailure(exit)) assert.strictEqual(Option.getOrThrow(CancelScope.reasonOf(exit.cause)).message, "first")
        assert.deepStrictEqual(log, ["task cleaned up"])
      }))
    }))

  test("cancel from inside the task itself ends it", () =>
    Effect.gen(function*() {
      let after = false
      yield* Nursery.open((n) => Effect.gen(function*() {
        const self = yield* Deferred.make<Nursery.Task<never, never>>()
        const task: Nursery.Task<never, never> = yield* n.startSoon(Effect.gen(function*() {
          const me = yield* Deferred.await(self)
          yield* me.cancel("myself")
          after = true
          return yield* Effect.never
        }))
        yield* Deferred.succeed(self, task)
        assert.deepStrictEqual(said(yield* task.await), ["Interrupt"])
      }))
      assert.isFalse(after)
    }))

  test("an error of the cleanup of a cancelled task ends the nursery", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Nursery.open((n) => Effect.gen(function*() {
        const task = yield* n.startNow(failsInCleanup("cleanup"))
        yield* task.cancel()
        yield* Effect.never
      })))
      assert.deepStrictEqual(said(exit), ["Fail cleanup"])
    }))

  test("cancel of a task waits for the nurseries inside it", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      yield* Nursery.open((n) => Effect.gen(function*() {
        const task = yield* n.startNow(Nursery.open((m) => Effect.andThen(m.startNow(withCleanup(log, "grandchild", 20)), Effect.never)))
        yield* task.cancel()
        assert.deepStrictEqual(log, ["grandchild cleaned up"])
      }))
    }))

  test("says its state when it is printed", () =>
    Effect.gen(function*() {
      yield* Nursery.open((n) => Effect.gen(function*() {
        const task = yield* n.startSoon(Effect.sleep(5), { name: "printer" })
        assert.strictEqual(String(task), "Task(printer, starting)")
        yield* VirtualClock.waitAllBlocked
        assert.strictEqual(String(task), "Task(printer, running)")
        yield* task.await
        assert.strictEqual(String(task), "Task(printer, succeeded)")
        assert.strictEqual(JSON.stringify(task), "{\"_id\":\"Task\",\"name\":\"printer\",\"state\":\"succeeded\"}")
        assert.strictEqual(String(n), "Nursery(print, open, 0 tasks)")
      }), { name: "print" })
    }))
})

describe("Nursery.cancelTasks", () => {
  test("cancels the tasks living now, services too, with the reason; the body and later tasks go on", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const value = yield* Nursery.open((n) => Effect.gen(function*() {
        const first = yield* n.startNow(withCleanup(log, "first", 1), { name: "first" })
        const soon = yield* n.startSoon(Effect.sync(() => log.push("never runs")))
        const service = yield* n.startNow(withCleanup(log, "service", 1), { service: true })
        yield* n.cancelTasks("new configuration")
        for (const task of [first, soon, service]) {
          const exit = yield* task.await
          const reason = Exit.isFailure(exit) ? Option.getOrThrow(CancelScope.reasonOf(exit.cause)) : undefined
          assert.deepInclude(reason, { source: "explicit", message: "new configuration", scope: "crew" })
        }
        assert.strictEqual(n.state, "open")
        const second = yield* n.startSoon(Effect.as(Effect.sleep(1), "second ran"))
        return yield* second.join
      }), { name: "crew" })
      assert.strictEqual(value, "second ran")
      assert.deepStrictEqual(log, ["first cleaned up", "service cleaned up"])
    }))

  test("called by a task cancels that task too", () =>
    Effect.gen(function*() {
      let after = false
      yield* Nursery.open((n) =>
        n.startSoon(Effect.gen(function*() {
          yield* n.cancelTasks()
          yield* Effect.yieldNow
          after = true
        })))
      assert.isFalse(after)
    }))

  test("does nothing in an empty nursery and after its end", () =>
    Effect.gen(function*() {
      const n = yield* Nursery.open((n) => Effect.as(n.cancelTasks(), n))
      yield* n.cancelTasks()
    }))
})

describe("Nursery.size and Nursery.awaitIdle", () => {
  test("size counts tasks that have not ended, services included", () =>
    Effect.gen(function*() {
      yield* Nursery.open((n) => Effect.gen(function*() {
        assert.strictEqual(n.size, 0)
        yield* n.startNow(Effect.sleep(10))
        yield* n.startSoon(Effect.sleep(20))
        yield* n.startNow(Effect.never, { service: true })
        yield* n.startNow(Effect.void)
        assert.strictEqual(n.size, 3)
        yield* Effect.sleep(15)
        assert.strictEqual(n.size, 2)
        yield* Effect.sleep(15)
        assert.strictEqual(n.size, 1)
      }))
    }))

  test("awaitIdle returns at once when no task runs, and otherwise when the last has ended", () =>
    Effect.gen(function*() {
      yield* Nursery.open((n) => Effect.gen(function*() {
        yield* n.awaitIdle
        yield* n.startNow(Effect.never, { service: true })
        yield* n.awaitIdle
        yield* n.startSoon(Effect.sleep(10))
        yield* n.startSoon(Effect.sleep(30))
        yield* n.awaitIdle
        assert.strictEqual(yield* now, 30)
        yield* n.startSoon(Effect.sleep(5))
        yield* n.awaitIdle
        assert.strictEqual(yield* now, 35)
        assert.strictEqual(n.state, "open")
      }))
    }))

  // BUG (Wait.ts, wakeAll): who is woken may wait again in the same queue at once, and is woken again.
  test("awaitIdle waits each time, also when the waiter starts more as soon as it is woken", () =>
    Effect.gen(function*() {
      let ran = 0
      yield* Nursery.open((n) => Effect.gen(function*() {
        for (let round = 1; round <= 5; round++) {
          for (let i = 0; i < 10; i++) yield* n.startSoon(Effect.sync(() => ran++))
          yield* n.awaitIdle
          assert.strictEqual(n.size, 0)
          assert.strictEqual(ran, round * 10)
        }
      }))
    }))

  test("awaitIdle waits for a pending start too", () =>
    Effect.gen(function*() {
      yield* Nursery.open((n) => Effect.gen(function*() {
        yield* Effect.forkDetach(n.start((started: (value: number) => Effect.Effect<void>) => Effect.andThen(Effect.sleep(10), started(1))), { startImmediately: true })
        yield* n.awaitIdle
        assert.strictEqual(yield* now, 10)
      }))
    }))

  test("awaitIdle can be cancelled, and then wakes nobody", () =>
    Effect.gen(function*() {
      yield* Nursery.open((n) => Effect.gen(function*() {
        const task = yield* n.startNow(Effect.sleep(50))
        assert.isTrue(Option.isNone(yield* Timeout.moveOnAfter(n.awaitIdle, 10)))
        yield* task.join
      }))
    }))
})

describe("Nursery service tasks", () => {
  test("do not hold the block open: they are cancelled when body and tasks have ended, and awaited", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      yield* Nursery.open((n) => Effect.gen(function*() {
        yield* n.startSoon(withCleanup(log, "service", 5), { service: true })
        yield* n.startSoon(Effect.andThen(Effect.sleep(20), Effect.sync(() => log.push("task done"))))
        yield* Effect.sleep(10)
        log.push("body done")
      }))
      assert.deepStrictEqual(log, ["body done", "task done", "service cleaned up"])
      assert.strictEqual(yield* now, 25)
    }))

  test("are cancelled with the reason that the others have ended", () =>
    Effect.gen(function*() {
      let service: Nursery.Task<never, never> | undefined
      yield* Nursery.open((n) => Effect.gen(function*() {
        service = yield* n.startNow(Effect.never, { service: true })
      }), { name: "office" })
      const exit = Option.getOrThrow(service!.poll)
      const reason = Exit.isFailure(exit) ? Option.getOrThrow(CancelScope.reasonOf(exit.cause)) : undefined
      assert.deepInclude(reason, { source: "shutdown", scope: "office", message: "body and tasks have ended" })
    }))

  for (const how of ["a scope around is cancelled", "a task fails", "the body fails"] as const) {
    test(`live until the cleanup of body and tasks is over when ${how}`, () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        yield* Effect.exit(CancelScope.open((scope) =>
          Nursery.open((n) => Effect.gen(function*() {
            yield* n.startNow(withCleanup(log, "service", 0), { service: true })
            yield* n.startNow(withCleanup(log, "task", 20))
            yield* n.startSoon(Effect.gen(function*() {
              yield* Effect.sleep(5)
              if (how === "a scope around is cancelled") yield* scope.cancel()
              if (how === "a task fails") yield* Effect.fail("task")
            }))
            yield* Effect.gen(function*() {
              if (how === "the body fails") yield* Effect.andThen(Effect.sleep(5), Effect.fail("body"))
              yield* Effect.never
            }).pipe(Effect.ensuring(Effect.andThen(Effect.sleep(10), Effect.sync(() => log.push("body cleaned up")))))
          }))
        ))
        assert.deepStrictEqual(log, ["body cleaned up", "task cleaned up", "service cleaned up"])
      }))
  }

  test("that fail end the block like any task", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Nursery.open((n) => Effect.gen(function*() {
        yield* n.startSoon(Effect.andThen(Effect.sleep(5), Effect.fail("service")), { service: true })
        yield* Effect.never
      })))
      assert.deepStrictEqual(said(exit), ["Fail service"])
    }))

  test("that fail in their cleanup fail the block", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Nursery.open((n) => Effect.gen(function*() {
        yield* n.startNow(failsInCleanup("service cleanup"), { service: true })
        return "value"
      })))
      assert.deepStrictEqual(said(exit), ["Fail service cleanup"])
    }))

  test("may start tasks in their cleanup, and the block waits for these too", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      yield* Nursery.open((n) =>
        n.startNow(Effect.ensuring(Effect.never, n.startSoon(Effect.ensuring(Effect.sleep(5), Effect.sync(() => log.push("flushed"))))), { service: true })
      )
      assert.deepStrictEqual(log, ["flushed"])
    }))

  test("started when body and tasks have ended already are cancelled, not waited for", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      yield* Nursery.open((n) =>
        n.startNow(Effect.ensuring(Effect.never, Effect.gen(function*() {
          yield* n.startNow(Effect.ensuring(Effect.never, Effect.sync(() => log.push("second cleaned up"))), { service: true })
          yield* Effect.sleep(5)
          log.push("first cleaned up")
        })), { service: true })
      )
      assert.include(log, "first cleaned up")
    }))

  test("begun with start are ready before the body goes on", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      yield* Nursery.open((n) => Effect.gen(function*() {
        const port = yield* n.start((started: (value: number) => Effect.Effect<void>) =>
          Effect.gen(function*() {
            yield* Effect.sleep(100)
            yield* started(8080)
            return yield* withCleanup(log, "server", 1)
          }), { service: true })
        assert.strictEqual(port, 8080)
      }))
      assert.deepStrictEqual(log, ["server cleaned up"])
    }))
})

describe("Nursery.supervised", () => {
  test("gives each failure to the handler with its task, and the siblings live", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const value = yield* Nursery.supervised((n) => Effect.gen(function*() {
        yield* n.startSoon(Effect.fail("a"), { name: "one" })
        yield* n.startSoon(Effect.andThen(Effect.sleep(10), Effect.sync(() => log.push("two lives"))))
        yield* n.startSoon(Effect.die("c"), { name: "three" })
        yield* Effect.sleep(5)
        return "value"
      }), (cause, task) => Effect.sync(() => log.push(`${task.name}: ${said(Exit.failCause(cause))}`)))
      assert.strictEqual(value, "value")
      assert.deepStrictEqual(log, ["one: Fail a", "three: Die c", "two lives"])
    }))

  test("waits for the handlers, and does not cancel them", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const exit = yield* Effect.exit(Nursery.supervised((n) => Effect.gen(function*() {
        yield* n.startNow(Effect.fail("a"))
        yield* Effect.fail("body")
      }), () => Effect.andThen(Effect.sleep(20), Effect.sync(() => log.push("reported")))))
      assert.deepStrictEqual(said(exit), ["Fail body"])
      assert.deepStrictEqual(log, ["reported"])
      assert.strictEqual(yield* now, 20)
    }))

  test("does not call the handler for cancelled tasks", () =>
    Effect.gen(function*() {
      let calls = 0
      yield* Nursery.supervised((n) => Effect.gen(function*() {
        const task = yield* n.startNow(Effect.never)
        yield* task.cancel()
        yield* n.startNow(Effect.interrupt)
        yield* n.startNow(Effect.never, { service: true })
      }), () => Effect.sync(() => calls++))
      assert.strictEqual(calls, 0)
    }))

  test("hands failures of the cleanup to the handler, also when a scope around was cancelled", () =>
    Effect.gen(function*() {
      const log: Array<unknown> = []
      yield* CancelScope.open((scope) =>
        Nursery.supervised((n) => Effect.gen(function*() {
          yield* n.startNow(failsInCleanup("cleanup"))
          yield* scope.cancel()
          yield* Effect.never
        }), (cause) => Effect.andThen(Effect.sleep(5), Effect.sync(() => log.push(...said(Exit.failCause(cause)) as Array<string>)))))
      assert.deepStrictEqual(log, ["Fail cleanup"])
    }))

  test("fails when a handler fails, and cancels the rest then", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const exit = yield* Effect.exit(Nursery.supervised((n) => Effect.gen(function*() {
        yield* n.startNow(withCleanup(log, "sibling", 1))
        yield* n.startSoon(Effect.fail("a"))
        yield* Effect.never
      }), () => Effect.fail("handler")))
      assert.deepStrictEqual(said(exit), ["Fail handler"])
      assert.deepStrictEqual(log, ["sibling cleaned up"])
    }))
})

describe("Nursery maxTasks", () => {
  test("holds up whoever starts more until there is room", () =>
    Effect.gen(function*() {
      const starts: Array<string> = []
      let most = 0
      yield* Nursery.open((n) => Effect.gen(function*() {
        for (let i = 0; i < 6; i++) {
          yield* n.startSoon(Effect.sleep(10))
          most = Math.max(most, n.size)
          starts.push(`${i} at ${yield* now}`)
        }
      }), { maxTasks: 2 })
      assert.strictEqual(most, 2)
      assert.deepStrictEqual(starts, ["0 at 0", "1 at 0", "2 at 10", "3 at 10", "4 at 20", "5 at 20"])
      assert.strictEqual(yield* now, 30)
    }))

  test("admits those who wait first come first served, and a newcomer does not overtake", () =>
    Effect.gen(function*() {
      const ran: Array<number> = []
      yield* Nursery.open((crowd) => Nursery.open((n) => Effect.gen(function*() {
        yield* n.startNow(Effect.sleep(10))
        for (let i = 0; i < 20; i++) {
          yield* crowd.startNow(n.startNow(Effect.andThen(Effect.sync(() => ran.push(i)), Effect.sleep(1))))
        }
        yield* n.startNow(Effect.sync(() => ran.push(99)))
      }), { maxTasks: 1 }))
      assert.deepStrictEqual(ran, [...Array.from({ length: 20 }, (_, i) => i), 99])
    }))

  test("admits who waits before a newcomer that hears of the free place first", () =>
    Effect.gen(function*() {
      const ran: Array<string> = []
      yield* Nursery.open((crowd) => Nursery.open((n) => Effect.gen(function*() {
        const holder = yield* n.startNow(Effect.sleep(10))
        yield* crowd.startNow(Effect.andThen(holder.join, n.startNow(Effect.sync(() => ran.push("newcomer")))))
        yield* crowd.startNow(n.startNow(Effect.andThen(Effect.sync(() => ran.push("first in the queue")), Effect.sleep(5))))
        yield* holder.join
      }), { maxTasks: 1 }))
      assert.deepStrictEqual(ran, ["first in the queue", "newcomer"])
    }))

  test("lets a starter that is cancelled while it waits leave the queue, and its task never runs", () =>
    Effect.gen(function*() {
      const ran: Array<string> = []
      yield* Nursery.open((n) => Effect.gen(function*() {
        yield* n.startNow(Effect.sleep(50))
        assert.isTrue(Option.isNone(yield* Timeout.moveOnAfter(n.startNow(Effect.sync(() => ran.push("gave up"))), 10)))
        yield* n.startNow(Effect.sync(() => ran.push("second")))
        assert.strictEqual(yield* now, 50)
      }), { maxTasks: 1 })
      assert.deepStrictEqual(ran, ["second"])
    }))

  test("does not count services", () =>
    Effect.gen(function*() {
      yield* Nursery.open((n) => Effect.gen(function*() {
        yield* n.startNow(Effect.never, { service: true })
        yield* n.startNow(Effect.never, { service: true })
        yield* n.startNow(Effect.sleep(5))
        assert.strictEqual(yield* now, 0)
      }), { maxTasks: 1 })
    }))

  test("holds for start too: its place is taken while it is pending and after it has moved", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      yield* Nursery.open((n) => Effect.gen(function*() {
        const slow = (started: (value: string) => Effect.Effect<void>) =>
          Effect.andThen(Effect.sleep(10), Effect.andThen(started("ready"), Effect.sleep(10)))
        yield* n.startNow(Effect.sleep(10))
        yield* n.start(slow)
        log.push(`started at ${yield* now}`)
        yield* n.startNow(Effect.void)
        log.push(`next at ${yield* now}`)
      }), { maxTasks: 1 })
      assert.deepStrictEqual(log, ["started at 20", "next at 30"])
    }))

  test("gives up the place of a start that fails before started", () =>
    Effect.gen(function*() {
      yield* Nursery.open((n) => Effect.gen(function*() {
        yield* Effect.exit(n.start((_started: (value: string) => Effect.Effect<void>) => Effect.fail("no")))
        yield* Effect.exit(n.start((_started: (value: string) => Effect.Effect<void>) => Effect.andThen(Effect.sleep(1), Effect.fail("no"))))
        yield* n.startNow(Effect.sleep(1))
        assert.strictEqual(yield* now, 1)
      }), { maxTasks: 1 })
    }))

  test("lets a start that is cancelled while it waits for room leave", () =>
    Effect.gen(function*() {
      let ran = false
      yield* Nursery.open((n) => Effect.gen(function*() {
        yield* n.startNow(Effect.sleep(50))
        const pending = n.start((started: (value: string) => Effect.Effect<void>) => Effect.andThen(Effect.sync(() => ran = true), started("x")))
        assert.isTrue(Option.isNone(yield* Timeout.moveOnAfter(pending, 10)))
        assert.strictEqual(yield* now, 10)
        assert.strictEqual(n.size, 1)
      }), { maxTasks: 1 })
      assert.isFalse(ran)
    }))

  test("ends those who wait from outside, too, when the nursery fails", () =>
    Effect.gen(function*() {
      let ran = false
      let outside: Fiber.Fiber<Nursery.Task<void, never>> | undefined
      const exit = yield* Effect.exit(Nursery.open((n) => Effect.gen(function*() {
        yield* n.startNow(Effect.andThen(Effect.sleep(10), Effect.fail("full")))
        outside = yield* Effect.forkDetach(n.startNow(Effect.sync(() => {
          ran = true
        })), { startImmediately: true })
        yield* Effect.never
      }), { maxTasks: 1 }))
      assert.deepStrictEqual(said(exit), ["Fail full"])
      const task = yield* Fiber.join(outside!)
      assert.deepStrictEqual(said(yield* task.await), ["Interrupt"])
      assert.isFalse(ran)
    }))

  test("works with 10,000 tasks that end at once", () =>
    Effect.gen(function*() {
      let ran = 0
      yield* Nursery.open((n) => Effect.gen(function*() {
        for (let i = 0; i < 10_000; i++) yield* n.startSoon(Effect.sync(() => ran++))
      }), { maxTasks: 3 })
      assert.strictEqual(ran, 10_000)
    }))
})

describe("Nursery keys", () => {
  test("keep returns the living task and does not run the new one", () =>
    Effect.gen(function*() {
      const ran: Array<string> = []
      yield* Nursery.open((n) => Effect.gen(function*() {
        const job = (name: string) => Effect.andThen(Effect.sync(() => ran.push(name)), Effect.sleep(10))
        const first = yield* n.startNow(job("first"), { key: "k" })
        const second = yield* n.startNow(job("second"), { key: "k", ifKeyTaken: "keep" })
        assert.strictEqual(second, first)
        assert.deepStrictEqual(n.task("k"), Option.some(first))
        yield* first.await
        assert.isTrue(Option.isNone(n.task("k")))
        yield* n.startNow(job("third"), { key: "k", ifKeyTaken: "keep" })
      }))
      assert.deepStrictEqual(ran, ["first", "third"])
    }))

  test("replace cancels the living task, waits for its cleanup, and then starts the new one", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      yield* Nursery.open((n) => Effect.gen(function*() {
        const first = yield* n.startNow(withCleanup(log, "first", 10), { key: "k" })
        const second = yield* n.startNow(Effect.sync(() => log.push("second runs")), { key: "k" })
        assert.notStrictEqual(second, first)
        assert.strictEqual(yield* now, 10)
        const exit = yield* first.await
        const reason = Exit.isFailure(exit) ? Option.getOrThrow(CancelScope.reasonOf(exit.cause)) : undefined
        assert.include(reason?.message, "replaced")
      }))
      assert.deepStrictEqual(log, ["first cleaned up", "second runs"])
    }))

  test("never let two tasks of a key live at a time, however many replace at once", () =>
    Effect.gen(function*() {
      let living = 0
      let most = 0
      yield* Nursery.open((n) => Effect.gen(function*() {
        const job = Effect.acquireUseRelease(
          Effect.sync(() => most = Math.max(most, ++living)),
          () => Effect.sleep(100),
          () => Effect.andThen(Effect.sleep(3), Effect.sync(() => living--))
        )
        for (let i = 0; i < 10; i++) yield* n.startSoon(n.startNow(job, { key: "k" }))
      }))
      assert.strictEqual(most, 1)
      assert.strictEqual(living, 0)
    }))

  test("never let two tasks of a key live at a time through runtime either", () =>
    Effect.gen(function*() {
      let living = 0
      let most = 0
      yield* Nursery.open((n) => Effect.gen(function*() {
        const run = yield* (yield* n.accepting<never>()).runtime()
        const job = Effect.acquireUseRelease(
          Effect.sync(() => most = Math.max(most, ++living)),
          () => Effect.sleep(100),
          () => Effect.andThen(Effect.sleep(3), Effect.sync(() => living--))
        )
        for (let i = 0; i < 3; i++) {
          run(job, { key: "k" })
          yield* VirtualClock.waitAllBlocked
        }
      }))
      assert.strictEqual(most, 1)
    }))

  test("hold for start: the old task ends before the new one begins; keep is refused", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      yield* Nursery.open((n) => Effect.gen(function*() {
        yield* n.startNow(withCleanup(log, "old", 10), { key: "k" })
        const value = yield* n.start((started: (value: string) => Effect.Effect<void>) =>
          Effect.andThen(Effect.sync(() => log.push("new begins")), started("v")), { key: "k" })
        assert.strictEqual(value, "v")
        const exit = yield* Effect.exit(n.start((started: (value: string) => Effect.Effect<void>) => started("x"), { key: "k", ifKeyTaken: "keep" }))
        assert.include(String(said(exit)), "Die RangeError")
      }))
      assert.deepStrictEqual(log, ["old cleaned up", "new begins"])
    }))

  test("of two pending starts never let two tasks live after started", () =>
    Effect.gen(function*() {
      let living = 0
      let most = 0
      yield* Nursery.open((n) => Effect.gen(function*() {
        const job = (started: (value: string) => Effect.Effect<void>) =>
          Effect.gen(function*() {
            yield* Effect.sleep(5)
            yield* started("v")
            most = Math.max(most, ++living)
            yield* Effect.ensuring(Effect.sleep(20), Effect.sync(() => living--))
          })
        yield* n.startSoon(Effect.exit(n.start(job, { key: "k" })))
        yield* n.startSoon(Effect.exit(n.start(job, { key: "k" })))
      }))
      assert.strictEqual(most, 1)
    }))

  test("are compared as a Map does, and are independent of each other", () =>
    Effect.gen(function*() {
      yield* Nursery.open((n) => Effect.gen(function*() {
        const a = {}
        const b = {}
        yield* n.startNow(Effect.sleep(5), { key: a })
        yield* n.startNow(Effect.sleep(5), { key: b })
        yield* n.startNow(Effect.sleep(5), { key: NaN })
        yield* n.startNow(Effect.sleep(5), { key: NaN, ifKeyTaken: "keep" })
        assert.strictEqual(n.size, 3)
        assert.isTrue(Option.isSome(n.task(a)))
        assert.isTrue(Option.isNone(n.task({})))
      }))
    }))
})

describe("Nursery.accepting and runtime", () => {
  test("runtime starts tasks from callbacks, which run with the services that were there", () =>
    Effect.gen(function*() {
      const Name = Context.Reference<string>("test/CallbackName", { defaultValue: () => "nobody" })
      const log: Array<string> = []
      const exit = yield* Effect.exit(Nursery.open((n) => Effect.gen(function*() {
        const spawner = yield* n.accepting<string>()
        const run = yield* spawner.runtime().pipe(Effect.provideService(Name, "Ada"))
        const target = new EventTarget()
        target.addEventListener("hello", () => {
          const task = run(Effect.gen(function*() {
            log.push(yield* Name)
            yield* Effect.sleep(1)
            return yield* Effect.fail("from a callback")
          }), { name: "listener" })
          assert.strictEqual(task.name, "listener")
        })
        yield* Effect.sync(() => target.dispatchEvent(new Event("hello")))
        assert.strictEqual(n.size, 1)
        yield* Effect.never
      })))
      assert.deepStrictEqual(log, ["Ada"])
      assert.deepStrictEqual(said(exit), ["Fail from a callback"])
    }))

  it("runtime works from a promise, outside of every fiber", async () => {
    const log: Array<string> = []
    await VirtualClock.run(Nursery.open((n) => Effect.gen(function*() {
      const run = yield* (yield* n.accepting<never>()).runtime()
      yield* Effect.promise(async () => {
        await Promise.resolve()
        run(Effect.andThen(Effect.sleep(5), Effect.sync(() => log.push("task"))))
      })
    })))
    assert.deepStrictEqual(log, ["task"])
  })

  test("a spawner handed into an inner block starts tasks that outlive it", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      yield* Nursery.open((n) => Effect.gen(function*() {
        const spawner = yield* n.accepting<never>()
        yield* Nursery.open(() => spawner.startSoon(Effect.andThen(Effect.sleep(10), Effect.sync(() => log.push("outer task")))))
        log.push("inner block ended")
      }))
      assert.deepStrictEqual(log, ["inner block ended", "outer task"])
    }))
})

describe("Nursery.scoped", () => {
  test("lives as long as the Scope, whose end cancels its tasks and waits for their cleanup", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      yield* Nursery.open((n) => Effect.gen(function*() {
        yield* Effect.scoped(Effect.gen(function*() {
          const inner = yield* n.scoped({ name: "pool" })
          assert.strictEqual(inner.name, "pool")
          yield* inner.startSoon(withCleanup(log, "task", 10))
          yield* Effect.sleep(5)
          log.push("scope ends")
        }))
        log.push("after the scope")
        assert.strictEqual(yield* now, 15)
      }))
      assert.deepStrictEqual(log, ["scope ends", "task cleaned up", "after the scope"])
    }))

  test("fails into its owner, which is cancelled by it", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const exit = yield* Effect.exit(Nursery.open((n) => Effect.scoped(Effect.gen(function*() {
        const inner = yield* n.scoped()
        yield* inner.startSoon(Effect.andThen(Effect.sleep(5), Effect.fail("pool died")))
        yield* withCleanup(log, "body", 1)
      }))))
      assert.deepStrictEqual(said(exit), ["Fail pool died"])
      assert.deepStrictEqual(log, ["body cleaned up"])
    }))

  test("does not hold its owner open when the Scope outlives it, and releasing it later is nothing", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const log: Array<string> = []
      yield* Nursery.open((n) => Effect.gen(function*() {
        const inner = yield* n.scoped().pipe(Effect.provideService(Scope.Scope, scope))
        yield* inner.startNow(withCleanup(log, "task", 1))
      }))
      assert.deepStrictEqual(log, ["task cleaned up"])
      yield* Scope.close(scope, Exit.void)
    }))

  test("an error of the cleanup reaches the owner when the Scope ends", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Nursery.open((n) => Effect.gen(function*() {
        yield* Effect.scoped(Effect.gen(function*() {
          const inner = yield* n.scoped()
          yield* inner.startNow(failsInCleanup("cleanup"))
        }))
        yield* Effect.never
      })))
      assert.deepStrictEqual(said(exit), ["Fail cleanup"])
    }))
})

describe("Nursery.Service", () => {
  class PoolDied extends Error {
    readonly _tag = "PoolDied"
  }
  class App extends Nursery.Service<App, PoolDied>()("test/App") {}
  class Pool extends Context.Service<Pool, { readonly get: Effect.Effect<string> }>()("test/Pool") {}

  test("starts tasks from anywhere inside, and is named by its id", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const deep = App.startSoon(Effect.andThen(Effect.sleep(5), Effect.sync(() => log.push("task"))))
      const value = yield* App.open(Effect.gen(function*() {
        yield* deep
        const ready = yield* App.start((started: (value: string) => Effect.Effect<void>) => started("ready"))
        return [ready, (yield* App).toString()]
      }))
      assert.deepStrictEqual(value, ["ready", "Nursery(test/App, open, 1 tasks)"])
      assert.deepStrictEqual(log, ["task"])
    }))

  test("a task of a layer that fails reaches the program through the service", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const PoolLive = Layer.effect(Pool, Effect.gen(function*() {
        const n = yield* App.scoped({ name: "pool" })
        yield* n.startSoon(Effect.andThen(Effect.sleep(10), Effect.fail(new PoolDied("reaper"))))
        yield* Effect.addFinalizer(() => Effect.sync(() => log.push("pool closed")))
        return { get: Effect.succeed("connection") }
      }))
      const program = App.open(Effect.gen(function*() {
        const pool = yield* Pool
        log.push(yield* pool.get)
        return yield* Effect.never
      }).pipe(Effect.provide(PoolLive)))
      const caught = yield* program.pipe(Effect.catchTag("PoolDied", (error) => Effect.succeed(error.message)))
      assert.strictEqual(caught, "reaper")
      assert.deepStrictEqual(log, ["connection", "pool closed"])
    }))

  test("a layer that is released in good order takes its tasks along and fails nothing", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const PoolLive = Layer.effect(Pool, Effect.gen(function*() {
        const n = yield* App.scoped({ name: "pool" })
        yield* n.startNow(withCleanup(log, "reaper", 5))
        return { get: Effect.succeed("connection") }
      }))
      const value = yield* App.open(Effect.gen(function*() {
        const got = yield* Effect.flatMap(Pool, (pool) => pool.get).pipe(Effect.provide(PoolLive))
        log.push("layer released")
        return got
      }))
      assert.strictEqual(value, "connection")
      assert.deepStrictEqual(log, ["reaper cleaned up", "layer released"])
    }))
})

describe("A nursery under load", () => {
  it("keeps nothing of 100,000 tasks that have ended", async () => {
    const children = 100_000
    const grown = await Effect.runPromise(Nursery.open((n) => Effect.gen(function*() {
      const warm = (count: number) => Effect.gen(function*() {
        for (let i = 0; i < count; i++) {
          yield* n.startSoon(Effect.void, { key: i % 7, ifKeyTaken: "keep" })
          yield* n.startNow(Effect.void)
          if (i % 100 === 99) yield* n.awaitIdle
        }
      })
      yield* warm(2000)
      const before = heap()
      yield* warm(children / 2)
      return heap() - before
    })))
    assert.isBelow(grown, 1_000_000, "10 bytes a task would be that much")
  }, 30_000)

  /** Nurseries in nurseries, each with a finalizer; the innermost runs `leaf`. */
  const nested = (depth: number, leaf: Effect.Effect<void, string>, cleanedUp: () => void): Effect.Effect<void, string> =>
    depth === 0 ? leaf : Effect.ensuring(Nursery.open(() => Effect.suspend(() => nested(depth - 1, leaf, cleanedUp))), Effect.sync(cleanedUp))

  const levels = 20_000

  it(`opens and ends ${levels} nested nurseries with every finalizer run`, async () => {
    let finalizers = 0
    await VirtualClock.run(nested(levels, Effect.sleep(1), () => finalizers++))
    assert.strictEqual(finalizers, levels)
  }, 30_000)

  it(`a failure leaves ${levels} nested nurseries with every finalizer run`, async () => {
    let finalizers = 0
    const exit = await VirtualClock.runExit(nested(levels, Effect.andThen(Effect.sleep(1), Effect.fail("bottom")), () => finalizers++))
    // Not compared as a whole: if it went wrong it may be megabytes long.
    assert.strictEqual(String(said(exit)).slice(0, 100), "Fail bottom")
    assert.strictEqual(finalizers, levels)
  }, 30_000)

  it(`a cancellation reaches the bottom of ${levels} nested nurseries, with every finalizer run`, async () => {
    let finalizers = 0
    const value = await VirtualClock.run(nested(levels, Effect.never, () => finalizers++).pipe(Timeout.moveOnAfter(1)))
    assert.isTrue(Option.isNone(value))
    assert.strictEqual(finalizers, levels)
  }, 30_000)

  it("lets a Ref count 50,000 tasks that all wait, and ends them all with one cancel", async () => {
    const count = 50_000
    const cleaned = await VirtualClock.run(Effect.gen(function*() {
      const ended = yield* Ref.make(0)
      yield* CancelScope.open((scope) => Nursery.open((n) => Effect.gen(function*() {
        for (let i = 0; i < count; i++) yield* n.startSoon(Effect.ensuring(Effect.never, Ref.update(ended, (_) => _ + 1)))
        yield* VirtualClock.waitAllBlocked
        yield* scope.cancel()
      })))
      return yield* Ref.get(ended)
    }))
    assert.strictEqual(cleaned, count)
  }, 30_000)
})
