import { Clock, Deferred, Duration, Effect, Exit, Fiber, Option, Result } from "effect"
import { TestClock } from "effect/testing"
import { CancelScope, CapacityLimiter, Event, HeapClock, Nursery, Timeout, TurnScheduler } from "effect-nursery"
import { VirtualClock } from "effect-nursery/testing"
import { getEventListeners } from "node:events"
import { assert, describe, it } from "vitest"
import { runSeeded } from "./schedules.ts"
import { now, said, test, withCleanup } from "./support.ts"

const failure = <A>(result: Result.Result<A, CancelScope.CancelReason>): CancelScope.CancelReason =>
  Result.isFailure(result) ? result.failure : assert.fail("the scope was not cancelled")

const reasonIn = (exit: Exit.Exit<unknown, unknown>): CancelScope.CancelReason =>
  Exit.isFailure(exit) ? Option.getOrThrow(CancelScope.reasonOf(exit.cause)) : assert.fail("it was not cancelled")

describe("CancelScope.open", () => {
  test("gives the value of a body that was not cancelled", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* CancelScope.open(() => Effect.succeed(1)), Result.succeed(1))
    }))

  test("gives the reason when it was cancelled, after the body's cleanup", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const result = yield* CancelScope.open((scope) =>
        Effect.andThen(scope.cancel("user pressed stop"), Effect.never).pipe(
          Effect.ensuring(Effect.andThen(Effect.sleep(10), Effect.sync(() => log.push("body cleaned up"))))
        ), { name: "search" })
      assert.deepInclude(failure(result), { source: "explicit", scope: "search", by: "main", message: "user pressed stop", at: 0 })
      assert.deepStrictEqual(log, ["body cleaned up"])
      assert.strictEqual(yield* now, 10)
    }))

  test("fails as the body fails", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(said(yield* Effect.exit(CancelScope.open(() => Effect.fail("body")))), ["Fail body"])
    }))

  test("fails with the errors of the cleanup when it was cancelled, and without the cancellation", () =>
    Effect.gen(function*() {
      let handle: CancelScope.CancelScope | undefined
      const exit = yield* Effect.exit(CancelScope.open((scope) => {
        handle = scope
        return Effect.onExit(Effect.andThen(scope.cancel(), Effect.never), () => Effect.fail("cleanup"))
      }))
      assert.deepStrictEqual(said(exit), ["Fail cleanup"])
      assert.strictEqual(handle!.state, "ended")
      assert.isFalse(handle!.cancelledCaught, "the error took the place of the cancellation")
    }))

  test("keeps the value of a body that ended well although it had been cancelled", () =>
    Effect.gen(function*() {
      let handle: CancelScope.CancelScope | undefined
      const result = yield* CancelScope.open((scope) => {
        handle = scope
        return Effect.gen(function*() {
          yield* CancelScope.shield(Effect.andThen(scope.cancel(), Effect.sleep(5)))
          return "value"
        })
      })
      assert.deepStrictEqual(result, Result.succeed("value"))
      assert.isFalse(handle!.cancelledCaught)
    }))

  test("passes on an interrupt that did not come from it", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(said(yield* Effect.exit(CancelScope.open(() => Effect.interrupt))), ["Interrupt"])
    }))
})

describe("CancelScope.cancel", () => {
  type Canceller = "itself" | "a child" | "a sibling" | "outside" | "a callback"
  for (const who of ["itself", "a child", "a sibling", "outside", "a callback"] as ReadonlyArray<Canceller>) {
    for (const times of [1, 2]) {
      test(`C04: from ${who}, ${times === 1 ? "once" : "twice"}, gives the same result, and again after the end does nothing`, () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const handle = yield* Deferred.make<CancelScope.CancelScope>()
          let after = false
          const cancel = Effect.gen(function*() {
            const scope = yield* Deferred.await(handle)
            for (let i = 0; i < times; i++) {
              if (who === "a callback") scope.cancelUnsafe(`call ${i}`)
              else yield* scope.cancel(`call ${i}`)
            }
          })
          const result = yield* Nursery.open((n) => Effect.gen(function*() {
            if (who === "a sibling") yield* n.startSoon(Effect.andThen(Effect.sleep(1), cancel))
            if (who === "outside" || who === "a callback") yield* Effect.forkDetach(Effect.andThen(Effect.sleep(1), cancel))
            return yield* CancelScope.open((scope) => Nursery.open((m) => Effect.gen(function*() {
              yield* Deferred.succeed(handle, scope)
              yield* m.startNow(withCleanup(log, "task", 5))
              if (who === "a child") yield* m.startNow(cancel)
              if (who === "itself") yield* Effect.uninterruptible(cancel)
              yield* Effect.never
              after = true
            })), { name: "target" })
          }))
          assert.deepInclude(failure(result), { source: "explicit", scope: "target", message: "call 0" })
          assert.deepStrictEqual(log, ["task cleaned up"])
          assert.isFalse(after)
          const scope = yield* Deferred.await(handle)
          assert.strictEqual(scope.state, "ended")
          yield* scope.cancel("late")
          scope.cancelUnsafe("late")
          yield* scope.setDeadline(0)
          yield* scope.extend(5)
          yield* scope.stop({ grace: 0 })
          assert.strictEqual(Option.getOrThrow(scope.reason).message, "call 0")
        }))
    }
  }

  test("after a good end changes nothing and leaves no reason", () =>
    Effect.gen(function*() {
      const scope = (Result.getOrThrow(yield* CancelScope.open((scope) => Effect.succeed(scope))))
      yield* scope.cancel()
      assert.strictEqual(scope.state, "ended")
      assert.isTrue(Option.isNone(scope.reason))
      assert.isFalse(scope.cancelledCaught)
    }))

  test("from inside lets the body go no further than its next step", () =>
    Effect.gen(function*() {
      let steps = 0
      yield* CancelScope.open((scope) => Effect.gen(function*() {
        yield* scope.cancel()
        yield* Effect.yieldNow
        steps++
      }))
      assert.strictEqual(steps, 0)
    }))

  test("is told to everybody below before anybody goes on: what one gives up, another cancelled one does not take", () =>
    Effect.gen(function*() {
      const taken: Array<string> = []
      yield* Nursery.open((outside) => Effect.gen(function*() {
        const baton = yield* Event.make()
        yield* CancelScope.open((scope) => Nursery.open((n) => Effect.gen(function*() {
          yield* n.startNow(Effect.ensuring(Effect.never, baton.set))
          yield* n.startNow(Effect.andThen(baton.wait, Effect.sync(() => taken.push("a cancelled task"))))
          yield* outside.startNow(Effect.andThen(baton.wait, Effect.sync(() => taken.push("a task outside"))))
          yield* scope.cancel()
        })))
      }))
      assert.deepStrictEqual(taken, ["a task outside"])
    }))

  test("reaches everything below: nurseries, scopes, gather, time limits, starts and awaits", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      yield* CancelScope.open((scope) => Nursery.open((n) => Effect.gen(function*() {
        yield* n.startNow(Nursery.open((m) => m.startNow(withCleanup(log, "nursery", 1))))
        yield* n.startNow(CancelScope.open(() => withCleanup(log, "scope", 2)))
        yield* n.startNow(Timeout.moveOnAfter(withCleanup(log, "limit", 3), "1 hour"))
        yield* n.startNow(n.start((_: (value: number) => Effect.Effect<void>) => withCleanup(log, "start", 4)))
        const task = yield* n.startNow(withCleanup(log, "task", 5))
        yield* n.startNow(task.join)
        yield* n.startNow(Effect.forkChild(withCleanup(log, "effect's own fork", 6), { startImmediately: true }).pipe(Effect.flatMap(Fiber.join)))
        yield* scope.cancel()
      })))
      assert.deepStrictEqual(log, ["nursery", "scope", "limit", "start", "task", "effect's own fork"].map((_) => `${_} cleaned up`))
    }))
})

describe("CancelScope reasons", () => {
  test("are in the exit of each task, in the cause that its finalizers see, and say who did it", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      let task: Nursery.Task<never, never> | undefined
      yield* CancelScope.open((scope) => Nursery.open((n) => Effect.gen(function*() {
        task = yield* n.startNow(Effect.onExit(Effect.never, (exit) => Effect.sync(() => seen.push(String(reasonIn(exit))))), { name: "victim" })
        yield* n.startNow(Effect.andThen(Effect.sleep(3), scope.cancel("enough")), { name: "boss" })
        yield* Effect.never
      })), { name: "office" })
      assert.deepStrictEqual(seen, ["cancelled (explicit) in office by boss: enough"])
      assert.deepInclude(reasonIn(Option.getOrThrow(task!.poll)), { source: "explicit", scope: "office", by: "boss", message: "enough", at: 3 })
    }))

  test("of a failed sibling name the nursery, the task that failed and the source", () =>
    Effect.gen(function*() {
      let task: Nursery.Task<never, never> | undefined
      yield* Effect.exit(Nursery.open((n) => Effect.gen(function*() {
        task = yield* n.startNow(Effect.never)
        yield* n.startNow(Effect.andThen(Effect.sleep(1), Effect.fail("x")), { name: "culprit" })
      }), { name: "crew" }))
      const reason = reasonIn(Option.getOrThrow(task!.poll))
      assert.deepInclude(reason, { source: "sibling", scope: "crew", message: "culprit failed" })
    }))

  test("of a deadline name the scope and the source", () =>
    Effect.gen(function*() {
      const result = yield* CancelScope.open(() => Effect.never, { name: "patience", deadline: 7 })
      assert.deepInclude(failure(result), { source: "deadline", scope: "patience", at: 7, by: "" })
    }))

  test("of an interrupt by Effect itself have the source parent", () =>
    Effect.gen(function*() {
      let reason: CancelScope.CancelReason | undefined
      const fiber = yield* Effect.forkChild(Nursery.open((n) =>
        n.startNow(Effect.onExit(Effect.never, (exit) => Effect.sync(() => {
          reason = reasonIn(exit)
        })))), { startImmediately: true })
      yield* VirtualClock.waitAllBlocked
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(reason?.source, "parent")
    }))

  test("are passed on by inner blocks: everybody below sees the one of the scope that was cancelled", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const look = Effect.onExit(Effect.never, (exit) => Effect.sync(() => seen.push(reasonIn(exit).scope)))
      yield* CancelScope.open((scope) => CancelScope.open(() => Nursery.open((n) => Effect.gen(function*() {
        yield* n.startNow(Timeout.moveOnAfter(look, "1 hour"))
        yield* n.startNow(look)
        yield* scope.cancel()
      })), { name: "inner" }), { name: "outer" })
      assert.deepStrictEqual(seen, ["outer", "outer"])
    }))

  // BUG (CancelScope.ts, reasonOf): takes every interrupt without a reason for the task's own.
  test("reasonOf is none for an interrupt of somebody else, also in a task that is being cancelled", () =>
    Effect.gen(function*() {
      let found: boolean | undefined
      yield* CancelScope.open((scope) => Nursery.open((n) => Effect.gen(function*() {
        const other = yield* Effect.forkDetach(Effect.never, { startImmediately: true })
        yield* Fiber.interruptAs(other, -1)
        yield* n.startNow(Effect.ensuring(Effect.never, Effect.map(Fiber.await(other), (exit) => {
          found = Exit.isFailure(exit) && Option.isSome(CancelScope.reasonOf(exit.cause))
        })))
        yield* scope.cancel()
      })))
      assert.isFalse(found)
    }))

  test("reasonOf is none for a failure and for an interrupt outside of every block", () =>
    Effect.gen(function*() {
      const fail = yield* Effect.exit(Effect.fail("x"))
      if (Exit.isFailure(fail)) assert.isTrue(Option.isNone(CancelScope.reasonOf(fail.cause)))
      const interrupt = yield* Effect.exit(Effect.interrupt)
      if (Exit.isFailure(interrupt)) assert.isTrue(Option.isNone(CancelScope.reasonOf(interrupt.cause)))
    }))
})

describe("CancelScope absorbs", () => {
  test("only in the scope that was cancelled", () =>
    Effect.gen(function*() {
      const states: Array<string> = []
      const outer = yield* CancelScope.open((outer) =>
        Effect.gen(function*() {
          const middle = yield* CancelScope.open((middle) => Effect.gen(function*() {
            yield* CancelScope.open(() => Effect.andThen(middle.cancel("middle"), Effect.never))
            states.push("after inner")
          }), { name: "middle" })
          states.push(`middle ${failure(middle).scope}`)
          return outer.state
        }))
      assert.deepStrictEqual(outer, Result.succeed("active"))
      assert.deepStrictEqual(states, ["middle middle"])
    }))

  test("in the outer one when both were cancelled, whichever was first", () =>
    Effect.gen(function*() {
      for (const first of ["inner", "outer"]) {
        let handle: CancelScope.CancelScope | undefined
        let after = false
        const result = yield* CancelScope.open((outer) => Effect.gen(function*() {
          yield* CancelScope.open((inner) => {
            handle = inner
            return Effect.gen(function*() {
              yield* Effect.uninterruptible(Effect.andThen((first === "inner" ? inner : outer).cancel("1"), (first === "inner" ? outer : inner).cancel("2")))
              yield* Effect.never
            })
          })
          after = true
        }), { name: "outer" })
        assert.strictEqual(failure(result).scope, "outer")
        assert.isFalse(after)
        assert.isFalse(handle!.cancelledCaught)
      }
    }))

  test("in the outer one also when it was cancelled during the inner one's cleanup", () =>
    Effect.gen(function*() {
      let after = false
      const result = yield* CancelScope.open((outer) => Effect.gen(function*() {
        yield* Timeout.moveOnAfter(Effect.onExit(Effect.never, () => Effect.andThen(Effect.sleep(5), outer.cancel("in cleanup"))), 5)
        after = true
      }))
      assert.strictEqual(failure(result).message, "in cleanup")
      assert.isFalse(after)
    }))

  test("not in any when everything ended well: the value of a nursery counts, also if a task of it had been cancelled alone", () =>
    Effect.gen(function*() {
      let after = false
      const result = yield* CancelScope.open((scope) => Effect.gen(function*() {
        const value = yield* Nursery.open((n) => Effect.gen(function*() {
          const task = yield* n.startNow(Effect.never)
          yield* task.cancel()
          yield* n.startNow(CancelScope.shield(Effect.sleep(20)))
          yield* Effect.forkDetach(Effect.andThen(Effect.sleep(10), scope.cancel()))
          return "value"
        }))
        after = true
        return value
      }))
      assert.isTrue(after)
      assert.deepStrictEqual(result, Result.succeed("value"))
    }))

  test("in the inner one when the outer one is cancelled behind a shield", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const result = yield* CancelScope.open((outer) => Effect.gen(function*() {
        yield* CancelScope.shield(Effect.gen(function*() {
          const inner = yield* CancelScope.open((inner) => Effect.uninterruptible(Effect.andThen(inner.cancel("in"), outer.cancel("out"))).pipe(Effect.andThen(Effect.never)))
          log.push(failure(inner).message)
        }))
        log.push("after the shield")
        yield* Effect.yieldNow
        log.push("not reached")
      }))
      assert.strictEqual(failure(result).message, "out")
      assert.strictEqual(log[0], "in")
      assert.notInclude(log, "not reached")
    }))

  test("errors go on past it while its cancellation is absorbed, and cancelledCaught says so", () =>
    Effect.gen(function*() {
      let handle: CancelScope.CancelScope | undefined
      const exit = yield* Effect.exit(CancelScope.open((scope) => {
        handle = scope
        return Nursery.open((n) => Effect.gen(function*() {
          yield* n.startNow(Effect.onExit(Effect.never, () => Effect.fail("cleanup")))
          yield* n.startNow(Effect.never)
          yield* scope.cancel()
          yield* Effect.never
        }))
      }))
      assert.deepStrictEqual(said(exit), ["Fail cleanup"])
      assert.isTrue(handle!.cancelledCaught)
    }))

  test("nothing but its own: a mixed outcome of an inner nursery keeps the cancellation until the scope responsible", () =>
    Effect.gen(function*() {
      let inner: CancelScope.CancelScope | undefined
      let outer: CancelScope.CancelScope | undefined
      const exit = yield* Effect.exit(CancelScope.open((scope) => {
        outer = scope
        return CancelScope.open((scope) => {
          inner = scope
          return Nursery.open((n) => Effect.gen(function*() {
            yield* n.startNow(Effect.onExit(Effect.never, () => Effect.fail("cleanup")))
            yield* n.startNow(Effect.never)
            yield* outer!.cancel()
            yield* Effect.never
          }))
        })
      }))
      assert.deepStrictEqual(said(exit), ["Fail cleanup"])
      assert.isFalse(inner!.cancelledCaught)
      assert.isTrue(outer!.cancelledCaught)
    }))
})

describe("CancelScope deadlines", () => {
  test("cancel when they pass, and not when the body is faster", () =>
    Effect.gen(function*() {
      const slow = yield* CancelScope.open(() => Effect.sleep(20), { deadline: 10 })
      assert.strictEqual(failure(slow).source, "deadline")
      assert.strictEqual(yield* now, 10)
      assert.isTrue(Result.isSuccess(yield* CancelScope.open(() => Effect.sleep(5), { deadline: 10 })))
    }))

  test("move later, nearer, away and back with setDeadline", () =>
    Effect.gen(function*() {
      const ends: Array<number> = []
      const moved = (at: number) => Effect.gen(function*() {
        const start = yield* now
        yield* CancelScope.open((scope) => Effect.andThen(scope.setDeadline(start + at), Effect.sleep(500)), { deadline: 100 })
        ends.push((yield* now) - start)
      })
      yield* moved(200)
      yield* moved(20)
      yield* moved(0)
      yield* moved(-50)
      yield* moved(Infinity)
      assert.deepStrictEqual(ends, [200, 20, 0, 0, 500])
    }))

  test("move by a duration with extend, also back, and extend without a deadline is nothing", () =>
    Effect.gen(function*() {
      const result = yield* CancelScope.open((scope) => Effect.gen(function*() {
        assert.deepStrictEqual(scope.deadline, Option.some(10))
        yield* scope.extend(15)
        assert.deepStrictEqual(scope.deadline, Option.some(25))
        yield* scope.extend(Duration.millis(-5))
        yield* Effect.never
      }), { deadline: 10 })
      assert.strictEqual(failure(result).at, 20)
      assert.strictEqual(yield* now, 20)
      yield* CancelScope.open((scope) => Effect.gen(function*() {
        yield* scope.extend(5)
        assert.isTrue(Option.isNone(scope.deadline))
        yield* Effect.sleep(50)
        assert.strictEqual(scope.state, "active")
      }))
    }))

  test("set from outside while the body waits take effect", () =>
    Effect.gen(function*() {
      const handle = yield* Deferred.make<CancelScope.CancelScope>()
      yield* Effect.forkDetach(Effect.gen(function*() {
        const scope = yield* Deferred.await(handle)
        yield* Effect.sleep(5)
        yield* scope.setDeadline(8)
      }))
      yield* CancelScope.open((scope) => Effect.andThen(Deferred.succeed(handle, scope), Effect.never), { deadline: "1 hour" })
      assert.strictEqual(yield* now, 8)
    }))

  test("do not come back after a cancel or the end", () =>
    Effect.gen(function*() {
      const result = yield* CancelScope.open((scope) => Effect.gen(function*() {
        yield* scope.cancel("first")
        yield* Effect.never
      }).pipe(Effect.ensuring(Effect.andThen(scope.setDeadline(1), Effect.sleep(50)))), { deadline: 20 })
      assert.strictEqual(failure(result).message, "first")
      assert.strictEqual(yield* now, 50)
    }))

  test("C05: NaN is a defect that names the option and the value", () =>
    Effect.gen(function*() {
      const defectOf = (effect: Effect.Effect<unknown, unknown>) => Effect.map(Effect.exit(effect), (exit) => String(said(exit)))
      assert.include(yield* defectOf(CancelScope.open(() => Effect.void, { deadline: NaN })), "Expected `deadline` to be a duration, got `NaN` (number)")
      assert.include(yield* defectOf(CancelScope.open((scope) => scope.extend(NaN))), "Expected `by`")
      assert.include(yield* defectOf(CancelScope.open((scope) => scope.setDeadline(NaN))), "Expected `at`")
      assert.include(yield* defectOf(CancelScope.open((scope) => scope.stop({ grace: NaN }))), "Expected `grace`")
      assert.include(yield* defectOf(CancelScope.shieldFor(Effect.void, NaN)), "Expected `limit`")
    }))

  test("C05: extending no deadline by minus infinity leaves none", () =>
    Effect.gen(function*() {
      yield* CancelScope.open((scope) => Effect.gen(function*() {
        yield* scope.extend(Duration.negativeInfinity)
        assert.isTrue(Option.isNone(scope.deadline))
      }))
    }))
})

describe("CancelScope.effectiveDeadline", () => {
  test("is the nearest of all around, none without any, and minus infinity in a cancelled one", () =>
    Effect.gen(function*() {
      assert.isTrue(Option.isNone(yield* CancelScope.effectiveDeadline))
      const seen: Array<Option.Option<number>> = []
      const look = Effect.flatMap(CancelScope.effectiveDeadline, (at) => Effect.sync(() => seen.push(at)))
      yield* Timeout.moveOnAfter(Timeout.moveOnAfter(look, 50), 20)
      yield* Timeout.moveOnAfter(Timeout.moveOnAfter(look, 20), 50)
      yield* CancelScope.open((scope) => Effect.ensuring(Effect.andThen(scope.cancel(), Effect.never), look), { deadline: 5 })
      assert.deepStrictEqual(seen, [Option.some(20), Option.some(20), Option.some(-Infinity)])
    }))

  test("in tasks is that of the nursery's surroundings, not that of who started them", () =>
    Effect.gen(function*() {
      const seen: Array<Option.Option<number>> = []
      const look = Effect.flatMap(CancelScope.effectiveDeadline, (at) => Effect.sync(() => seen.push(at)))
      yield* Timeout.moveOnAfter(Nursery.open((n) => Timeout.moveOnAfter(n.startNow(look), 5)), 100)
      assert.deepStrictEqual(seen, [Option.some(100)])
    }))

  test("is hidden by a shield, and is the budget of a shield that has one", () =>
    Effect.gen(function*() {
      const seen: Array<Option.Option<number>> = []
      const look = Effect.flatMap(CancelScope.effectiveDeadline, (at) => Effect.sync(() => seen.push(at)))
      yield* Timeout.moveOnAfter(Effect.gen(function*() {
        yield* CancelScope.shield(look)
        yield* CancelScope.shield(Timeout.moveOnAfter(look, 70))
        yield* CancelScope.shieldFor(look, 30)
      }), 10)
      assert.deepStrictEqual(seen, [Option.none(), Option.some(70), Option.some(30)])
    }))

  test("changes when started moves the task from its caller to the nursery", () =>
    Effect.gen(function*() {
      const seen: Array<Option.Option<number>> = []
      const look = Effect.flatMap(CancelScope.effectiveDeadline, (at) => Effect.sync(() => seen.push(at)))
      yield* Timeout.moveOnAfter(Nursery.open((n) =>
        Timeout.moveOnAfter(n.start((started: (value: number) => Effect.Effect<void>) =>
          Effect.andThen(look, Effect.andThen(started(1), look))), 5)), 100)
      assert.deepStrictEqual(seen, [Option.some(5), Option.some(100)])
    }))

  test("counts the end of the grace of a stop", () =>
    Effect.gen(function*() {
      yield* CancelScope.open((scope) => Effect.gen(function*() {
        yield* scope.stop({ grace: 40 })
        assert.deepStrictEqual(yield* CancelScope.effectiveDeadline, Option.some(40))
      }), { deadline: 100 })
    }))

  test("is minus infinity in the cleanup of a task that was cancelled by itself or by a sibling", () =>
    Effect.gen(function*() {
      const seen: Array<Option.Option<number>> = []
      const look = Effect.ensuring(Effect.never, Effect.flatMap(CancelScope.effectiveDeadline, (at) => Effect.sync(() => seen.push(at))))
      yield* Effect.exit(Nursery.open((n) => Effect.gen(function*() {
        const task = yield* n.startNow(look)
        yield* task.cancel()
        yield* n.startNow(look)
        yield* Effect.fail("sibling")
      })))
      assert.deepStrictEqual(seen, [Option.some(-Infinity), Option.some(-Infinity)])
    }))
})

describe("CancelScope.shield", () => {
  test("protects from every cancellation around, and the cancellation goes on behind it", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const result = yield* Timeout.moveOnAfter(Effect.gen(function*() {
        const value = yield* CancelScope.shield(Effect.as(Effect.sleep(50), "shielded"))
        log.push(value)
        yield* Effect.yieldNow
        log.push("not reached")
      }), 10)
      assert.isTrue(Option.isNone(result))
      assert.deepStrictEqual(log, ["shielded"])
      assert.strictEqual(yield* now, 50)
    }))

  test("does not protect from scopes inside it", () =>
    Effect.gen(function*() {
      const value = yield* CancelScope.shield(Timeout.moveOnAfter(Effect.never, 10))
      assert.isTrue(Option.isNone(value))
    }))

  test("in cleanup lets scopes inside it be cancelled, which Effect.uninterruptible would not", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      yield* Timeout.moveOnAfter(Effect.ensuring(Effect.never, CancelScope.shield(Effect.gen(function*() {
        yield* Timeout.moveOnAfter(Effect.never, 10)
        log.push("inner limit")
      }))), 5)
      assert.deepStrictEqual(log, ["inner limit"])
      assert.strictEqual(yield* now, 15)
    }))

  test("protects the tasks inside it, also from Effect's own interrupt", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const fiber = yield* Effect.forkChild(CancelScope.shield(Nursery.open((n) => Effect.gen(function*() {
        yield* n.startNow(Effect.andThen(Effect.sleep(20), Effect.sync(() => log.push("task"))))
        yield* Effect.sleep(10)
        log.push("body")
      }))), { startImmediately: true })
      yield* VirtualClock.waitAllBlocked
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(log, ["body", "task"])
    }))

  test("passes failures on", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(said(yield* Effect.exit(CancelScope.shield(Effect.fail("x")))), ["Fail x"])
      const exit = yield* Effect.exit(Timeout.moveOnAfter(CancelScope.shield(Effect.andThen(Effect.sleep(20), Effect.fail("late"))), 5))
      assert.deepStrictEqual(said(exit), ["Fail late"])
    }))
})

describe("CancelScope.shieldFor", () => {
  test("is some value within its budget, none when it was cut off", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* CancelScope.shieldFor(Effect.as(Effect.sleep(5), 1), 10), Option.some(1))
      assert.deepStrictEqual(yield* Effect.never.pipe(CancelScope.shieldFor(10)), Option.none())
      assert.strictEqual(yield* now, 15)
    }))

  test("C07: cleanup that hangs in a cancelled scope is over after its budget", () =>
    Effect.gen(function*() {
      const result = yield* CancelScope.open((scope) =>
        Effect.andThen(scope.cancel(), Effect.never).pipe(Effect.ensuring(CancelScope.shieldFor(Effect.never, 100))))
      assert.strictEqual(result._tag, "Failure")
      assert.strictEqual(yield* now, 100)
    }))

  test("C07: the same with a time limit inside a shield, and with a limit right in the finalizer", () =>
    Effect.gen(function*() {
      yield* Timeout.moveOnAfter(Effect.ensuring(Effect.never, CancelScope.shield(Timeout.moveOnAfter(Effect.never, 100))), 50)
      assert.strictEqual(yield* now, 150)
      yield* Timeout.moveOnAfter(Effect.ensuring(Effect.never, Timeout.moveOnAfter(Effect.never, 100)), 50)
      assert.strictEqual(yield* now, 300)
    }))

  test("cleans up what it cut off, and keeps errors of that", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(CancelScope.shieldFor(Effect.onExit(Effect.never, () => Effect.fail("cleanup")), 10))
      assert.deepStrictEqual(said(exit), ["Fail cleanup"])
    }))
})

const listeners = (signal: AbortSignal) => getEventListeners(signal, "abort").length

describe("CancelScope.open with a signal", () => {
  test("cancels the scope when it is aborted, with its reason, and its listener is removed at the end", () =>
    Effect.gen(function*() {
      const controller = new AbortController()
      yield* Effect.forkChild(Effect.andThen(Effect.sleep(5), Effect.sync(() => {
        assert.strictEqual(listeners(controller.signal), 1)
        controller.abort("user left")
      })))
      const result = yield* CancelScope.open(() => Effect.never, { name: "request", signal: controller.signal })
      assert.deepInclude(failure(result), { source: "signal", scope: "request", message: "user left" })
      assert.strictEqual(listeners(controller.signal), 0)
    }))

  test("that is aborted already keeps the body from running at all", () =>
    Effect.gen(function*() {
      const signal = AbortSignal.abort("early")
      const result = yield* CancelScope.open((): Effect.Effect<void> => assert.fail("it ran"), { signal })
      assert.deepInclude(failure(result), { source: "signal", message: "early" })
      assert.strictEqual(listeners(signal), 0)
    }))

  test("leaves no listener on one long-lived signal after 10,000 scopes that ended well, failed, died, were cancelled or cut off", () =>
    Effect.gen(function*() {
      const { signal } = new AbortController()
      const bodies: ReadonlyArray<(scope: CancelScope.CancelScope) => Effect.Effect<unknown, string>> = [
        () => Effect.void,
        () => Effect.fail("x"),
        () => Effect.die("bug"),
        (scope) => Effect.andThen(scope.cancel(), Effect.never),
        () => Effect.sleep(1),
        (scope) => Effect.andThen(scope.stop({ grace: 1 }), Effect.never),
        () => Effect.onExit(Effect.never, () => Effect.fail("cleanup"))
      ]
      for (let i = 0; i < 10_000; i++) {
        yield* Effect.exit(CancelScope.open(bodies[i % bodies.length]!, { signal, deadline: i % bodies.length === 6 ? 1 : Infinity }))
        if (i % 100 === 0) assert.strictEqual(listeners(signal), 0)
      }
      assert.strictEqual(listeners(signal), 0)
    }))

  test("has one listener for all the scopes that live, none when the last of them has ended, and cancels them in one act", () =>
    Effect.gen(function*() {
      const controller = new AbortController()
      const { signal } = controller
      const lock = yield* CapacityLimiter.make(1)
      const log: Array<string> = []
      const run = (name: string) =>
        CancelScope.open(() => lock.withToken(Effect.andThen(Effect.sync(() => log.push(`${name} has the lock`)), Effect.never)), { name, signal })
      const results = yield* Nursery.open((n) =>
        Effect.gen(function*() {
          const tasks = [yield* n.startNow(run("a")), yield* n.startNow(run("b")), yield* n.startNow(run("c"))]
          assert.strictEqual(listeners(signal), 1)
          yield* tasks[1]!.cancel()
          assert.strictEqual(listeners(signal), 1)
          controller.abort("user left")
          assert.strictEqual(listeners(signal), 0)
          return [yield* tasks[0]!.join, yield* tasks[2]!.join]
        })
      )
      assert.deepStrictEqual(results.map((result) => failure(result).scope), ["a", "c"])
      // One by one, the lock of a would have gone to c before c heard of the abort.
      assert.deepStrictEqual(log, ["a has the lock"])
    }))

  test("that is aborted during the body's cleanup changes nothing, and leaves no listener", () =>
    Effect.gen(function*() {
      const controller = new AbortController()
      const log: Array<string> = []
      const cleanup = Effect.sync(() => {
        assert.strictEqual(listeners(controller.signal), 1)
        controller.abort("late")
        assert.strictEqual(listeners(controller.signal), 0)
      }).pipe(Effect.andThen(Effect.sleep(5)), Effect.andThen(Effect.sync(() => log.push("cleaned up"))))
      const body = (scope: CancelScope.CancelScope) => Effect.ensuring(Effect.andThen(scope.cancel("first"), Effect.never), cleanup)
      const result = yield* CancelScope.open(body, { signal: controller.signal })
      assert.deepInclude(failure(result), { source: "explicit", message: "first" })
      assert.deepStrictEqual(log, ["cleaned up"])
    }))

  test("that is aborted after the end does nothing", () =>
    Effect.gen(function*() {
      const controller = new AbortController()
      let handle: CancelScope.CancelScope | undefined
      yield* CancelScope.open((scope) => Effect.sync(() => handle = scope), { signal: controller.signal })
      controller.abort("late")
      assert.isTrue(Option.isNone(handle!.reason))
      assert.strictEqual(handle!.state, "ended")
    }))

  it("leaves no listener behind wherever a fiber pauses and whenever it is cancelled", () => {
    for (let seed = 0; seed < 500; seed++) {
      const controller = new AbortController()
      const job = CancelScope.open(() => Effect.andThen(Effect.yieldNow, Effect.yieldNow), { signal: controller.signal })
      const program = Nursery.open((n) =>
        Effect.gen(function*() {
          const tasks = yield* Effect.forEach([1, 2, 3], () => n.startSoon(job))
          yield* Effect.yieldNow
          yield* tasks[0]!.cancel()
          if (seed % 2 === 0) controller.abort()
          yield* n.cancelTasks()
        })
      )
      assert.strictEqual(runSeeded(program, seed, { coin: 0.3 })._tag, "ended")
      assert.strictEqual(listeners(controller.signal), 0, `seed ${seed}`)
    }
  })

  test("may be aborted with anything: the message says it in words", () =>
    Effect.gen(function*() {
      const cases: ReadonlyArray<readonly [reason: unknown, message: string]> = [
        [undefined, "AbortError: This operation was aborted"],
        [new Error("no"), "Error: no"],
        [Symbol("s"), "Symbol(s)"],
        [Object.create(null), "aborted"],
        [{ toString: () => { throw new Error("worse") } }, "aborted"]
      ]
      for (const [reason, message] of cases) {
        const result = yield* CancelScope.open(() => Effect.never, { signal: AbortSignal.abort(reason) })
        assert.deepInclude(failure(result), { source: "signal", message })
      }
    }))

  test("that is none is a defect which shows it", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(CancelScope.open(() => Effect.void, { signal: "SIGINT" as unknown as AbortSignal }))
      assert.deepStrictEqual(said(exit), ["Die TypeError: Expected `signal` to be an AbortSignal, got `SIGINT` (string)"])
    }))
})

describe("CancelScope.CancelScope signal", () => {
  test("is aborted with the reason when the scope is cancelled, and when a scope around is", () =>
    Effect.gen(function*() {
      const signals: Array<AbortSignal> = []
      const own = yield* CancelScope.open((scope) => {
        signals.push(scope.signal)
        return Effect.andThen(scope.cancel("user pressed stop"), Effect.never)
      }, { name: "search" })
      assert.strictEqual(signals[0]!.reason, failure(own))
      const around = yield* CancelScope.open((outer) =>
        CancelScope.open((inner) => {
          signals.push(inner.signal)
          return Effect.andThen(outer.cancel("all"), Effect.never)
        }), { name: "outer" })
      assert.strictEqual(signals[1]!.reason, failure(around))
      assert.deepInclude(signals[1]!.reason, { source: "explicit", scope: "outer", message: "all" })
    }))

  test("is one signal, made when somebody asks: for a cancelled scope it is aborted already", () =>
    Effect.gen(function*() {
      let handle: CancelScope.CancelScope | undefined
      const result = yield* CancelScope.open((scope) => {
        handle = scope
        return Effect.andThen(scope.cancel("gone"), Effect.never)
      })
      assert.strictEqual(handle!.signal, handle!.signal)
      assert.strictEqual(handle!.signal.reason, failure(result))
      const inner = yield* CancelScope.open((outer) =>
        CancelScope.open((scope) => {
          handle = scope
          return Effect.andThen(outer.cancel("all"), Effect.never)
        }))
      assert.strictEqual(handle!.signal.reason, failure(inner))
    }))

  test("is not aborted when the scope just ends, nor inside a shield, nor while it is only asked to stop", () =>
    Effect.gen(function*() {
      const signals: Array<AbortSignal> = []
      const take = (scope: CancelScope.CancelScope) => Effect.sync(() => void signals.push(scope.signal))
      yield* CancelScope.open(take)
      yield* Timeout.moveOnAfter(CancelScope.shield(CancelScope.open((scope) => Effect.andThen(take(scope), Effect.sleep(5)))), 1)
      yield* CancelScope.open((scope) => Effect.andThen(take(scope), scope.stop({ grace: 10 })))
      assert.deepStrictEqual(signals.map((signal) => signal.aborted), [false, false, false])
    }))

  test("aborts at once also what waits uninterruptibly, where Effect's own signal comes after the end", () =>
    Effect.gen(function*() {
      const settled = (signal: AbortSignal) =>
        Effect.uninterruptible(Effect.promise(() => new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }))))
      const result = yield* CancelScope.open((scope) => settled(scope.signal), { deadline: 5 })
      assert.strictEqual(failure(result).source, "deadline")
      // `Effect.abortSignal` is aborted when its Scope closes, and that is after what waits for it.
      const never = CancelScope.open(() => Effect.scoped(Effect.flatMap(Effect.abortSignal, settled)), { deadline: 5 })
      const exit = yield* Effect.promise(() => VirtualClock.runExit(never, { deadlockAfter: 50 }))
      assert.include(String(said(exit)), "Every task waits")
    }))

  test("has told everybody inside before a listener runs, and is aborted before anybody goes on", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const woken = (signal: AbortSignal) =>
        Effect.callback<never, string>((resume) => signal.addEventListener("abort", () => resume(Effect.fail("woken by the signal")), { once: true }))
      let signal: AbortSignal | undefined
      const result = yield* CancelScope.open((scope) =>
        Nursery.open((n) =>
          Effect.gen(function*() {
            signal = scope.signal
            signal.addEventListener("abort", () => log.push("listener"))
            const say = (name: string) => Effect.ensuring(woken(scope.signal), Effect.sync(() => log.push(name)))
            yield* n.startNow(say("first"))
            yield* n.startNow(Nursery.open(() => say("deep")))
            return yield* Effect.andThen(scope.cancel(), Effect.never)
          })
        )
      )
      // Nobody fails with "woken by the signal": all were told before.
      assert.strictEqual(failure(result).source, "explicit")
      assert.deepStrictEqual(log, ["first", "deep", "listener"])
      assert.isTrue(signal!.aborted)
    }))

  test("may cancel other scopes in turn, and 10,000 of them leave no listener on it", () =>
    Effect.gen(function*() {
      yield* CancelScope.open((outer) =>
        Effect.gen(function*() {
          for (let i = 0; i < 10_000; i++) {
            const body = i % 2 === 0 ? () => Effect.void : (scope: CancelScope.CancelScope) => Effect.andThen(scope.cancel(), Effect.never)
            yield* CancelScope.open(body, { signal: outer.signal })
          }
          assert.strictEqual(listeners(outer.signal), 0)
        })
      )
      const result = yield* CancelScope.open((outer) =>
        Nursery.open((n) =>
          Effect.gen(function*() {
            const other = yield* n.startNow(CancelScope.shield(CancelScope.open(() => Effect.never, { signal: outer.signal })))
            yield* outer.cancel("all")
            return yield* other.join
          })
        )
      )
      assert.strictEqual(failure(result).message, "all")
    }))
})

describe("Effect.abortSignal inside our blocks", () => {
  const scopedSignal = (seen: Array<AbortSignal>) => Effect.tap(Effect.abortSignal, (signal) => Effect.sync(() => seen.push(signal)))

  test("is aborted when its Scope closes, also at a good end, and says nothing of the reason", () =>
    Effect.gen(function*() {
      const seen: Array<AbortSignal> = []
      yield* Effect.scoped(Effect.andThen(scopedSignal(seen), Effect.void))
      assert.isTrue(seen[0]!.aborted)
      yield* CancelScope.open((scope) => Effect.scoped(Effect.andThen(scopedSignal(seen), Effect.andThen(scope.cancel("why"), Effect.never))))
      assert.strictEqual(String(seen[1]!.reason), "AbortError: This operation was aborted")
    }))

  test("in a cancelled task comes after the cleanup inside its Scope, and leaves no listener", () =>
    Effect.gen(function*() {
      const seen: Array<AbortSignal> = []
      const log: Array<boolean> = []
      yield* Nursery.open((n) =>
        Effect.gen(function*() {
          const inside = Effect.ensuring(Effect.never, Effect.andThen(Effect.sleep(5), Effect.sync(() => log.push(seen[0]!.aborted))))
          yield* n.startNow(Effect.scoped(Effect.andThen(scopedSignal(seen), inside)))
          yield* n.cancelTasks()
        })
      )
      assert.deepStrictEqual(log, [false])
      assert.isTrue(seen[0]!.aborted)
      assert.strictEqual(listeners(seen[0]!), 0)
    }))
})

describe("CancelScope.stop", () => {
  test("asks, waits for the grace, and then cancels, from outside returning at the end", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const handle = yield* Deferred.make<CancelScope.CancelScope>()
      const stopper = yield* Effect.forkDetach(Effect.gen(function*() {
        const scope = yield* Deferred.await(handle)
        yield* Effect.sleep(5)
        yield* scope.stop({ grace: 100, reason: "deploy" })
        log.push(`stop returned at ${yield* now}`)
      }))
      const result = yield* CancelScope.open((scope) => Nursery.open((n) => Effect.gen(function*() {
        yield* n.startNow(Effect.gen(function*() {
          const reason = yield* CancelScope.whenStopping
          log.push(`asked at ${yield* now}: ${reason.source} ${reason.message}`)
        }))
        yield* n.startNow(Effect.ensuring(Effect.never, Effect.sync(() => log.push("cut off"))))
        yield* Deferred.succeed(handle, scope)
        yield* VirtualClock.waitAllBlocked
        yield* Effect.sleep(6)
        assert.strictEqual(scope.state, "stopping")
        assert.strictEqual(Option.getOrThrow(scope.reason).message, "deploy")
      })), { name: "server" })
      yield* Fiber.join(stopper)
      assert.deepInclude(failure(result), { source: "shutdown", scope: "server", message: "deploy", at: 105 })
      assert.deepStrictEqual(log, ["asked at 5: shutdown deploy", "cut off", "stop returned at 105"])
    }))

  test("is over as soon as everything has ended, without the rest of the grace", () =>
    Effect.gen(function*() {
      const result = yield* CancelScope.open((scope) => Nursery.open((n) => Effect.gen(function*() {
        yield* n.startNow(Effect.andThen(CancelScope.whenStopping, Effect.sleep(20)))
        yield* scope.stop({ grace: "10 seconds" })
        return "in good order"
      })))
      assert.deepStrictEqual(result, Result.succeed("in good order"))
      assert.strictEqual(yield* now, 20)
    }))

  test("from inside returns at once", () =>
    Effect.gen(function*() {
      yield* CancelScope.open((scope) => Nursery.open((n) => Effect.gen(function*() {
        yield* n.startNow(Effect.gen(function*() {
          yield* scope.stop({ grace: 50 })
          assert.strictEqual(yield* now, 0)
        }))
      })))
    }))

  test("with no grace cancels at once", () =>
    Effect.gen(function*() {
      for (const grace of [0, -1]) {
        const start = yield* now
        const result = yield* CancelScope.open((scope) => Effect.andThen(scope.stop({ grace, reason: "now" }), Effect.never))
        assert.deepInclude(failure(result), { source: "shutdown", message: "now" })
        assert.strictEqual(yield* now, start)
      }
    }))

  test("with infinite grace never cancels", () =>
    Effect.gen(function*() {
      const result = yield* CancelScope.open((scope) => Effect.andThen(scope.stop({ grace: Infinity }), Effect.sleep("400 days")))
      assert.strictEqual(result._tag, "Success")
    }))

  test("a second time can only shorten the grace, and keeps the first reason", () =>
    Effect.gen(function*() {
      const result = yield* CancelScope.open((scope) => Effect.gen(function*() {
        yield* scope.stop({ grace: 100, reason: "first" })
        yield* scope.stop({ grace: 200, reason: "longer" })
        yield* scope.stop({ grace: 30, reason: "shorter" })
        yield* Effect.never
      }))
      assert.strictEqual(failure(result).message, "first")
      assert.strictEqual(yield* now, 30)
    }))

  test("untilStopping ends what it runs, with its cleanup, and what comes first wins", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      yield* CancelScope.open((scope) => Nursery.open((n) => Effect.gen(function*() {
        yield* n.startNow(Effect.gen(function*() {
          assert.deepStrictEqual(yield* CancelScope.untilStopping(Effect.as(Effect.sleep(5), 1)), Option.some(1))
          assert.deepStrictEqual(yield* CancelScope.untilStopping(withCleanup(log, "accept", 5)), Option.none())
          log.push(`loop over at ${yield* now}`)
          yield* Effect.sleep(5)
          log.push("in flight finished")
          assert.deepStrictEqual(yield* CancelScope.untilStopping(Effect.sync(() => log.push("not run"))), Option.none())
        }))
        yield* Effect.sleep(10)
        yield* scope.stop({ grace: 100 })
      })))
      assert.deepStrictEqual(log, ["accept cleaned up", "loop over at 15", "in flight finished"])
    }))

  test("reaches those who wait in nested blocks, Effect's own forks, and below a pending or moved start", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const wait = (name: string) => Effect.andThen(CancelScope.whenStopping, Effect.sync(() => log.push(name)))
      yield* CancelScope.open((scope) => Nursery.open((n) => Effect.gen(function*() {
        yield* n.startNow(Nursery.open((m) => m.startNow(Timeout.moveOnAfter(wait("nested"), "1 hour"))))
        yield* n.startNow(Effect.all([wait("all 1"), wait("all 2")], { concurrency: "unbounded" }))
        yield* n.start((started: (value: number) => Effect.Effect<void>) => Effect.andThen(started(1), wait("moved")))
        yield* n.startNow(n.start((started: (value: number) => Effect.Effect<void>) => Effect.andThen(wait("pending"), started(1))))
        yield* VirtualClock.waitAllBlocked
        yield* scope.stop({ grace: 1000 })
      })))
      assert.deepStrictEqual(log.toSorted(), ["all 1", "all 2", "moved", "nested", "pending"])
      assert.strictEqual(yield* now, 0)
    }))

  test("is not heard by a task that started moved out of the scope, and is heard by one that moved in", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const wait = (name: string) => (started: (value: number) => Effect.Effect<void>) =>
        Effect.andThen(started(1), Effect.andThen(CancelScope.whenStopping, Effect.sync(() => log.push(name))))
      yield* Nursery.open((outside) => Effect.gen(function*() {
        yield* CancelScope.open((scope) => Nursery.open((inside) => Effect.gen(function*() {
          yield* outside.start(wait("moved out"), { service: true })
          yield* inside.start(wait("moved in"))
          yield* scope.stop({ grace: 10 })
        })))
      }))
      assert.deepStrictEqual(log, ["moved in"])
    }))

  for (const how of ["whenStopping", "untilStopping"] as const) {
    // BUG (StartBlock.ts, started): a stop announces itself downwards once, and who moves in later has missed it.
    test(`is heard by a wait in ${how} that started moves into a scope that was asked before`, () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        const handle = yield* Deferred.make<Nursery.Nursery>()
        const wait: Effect.Effect<unknown> = how === "whenStopping" ? CancelScope.whenStopping : CancelScope.untilStopping(Effect.never)
        yield* Nursery.open((outer) => Effect.gen(function*() {
          yield* outer.startNow(Effect.gen(function*() {
            const inside = yield* Deferred.await(handle)
            yield* inside.start((started: (value: number) => Effect.Effect<void>) => Effect.gen(function*() {
              yield* Effect.forkChild(Effect.andThen(wait, Effect.map(now, (at) => log.push(`heard at ${at}`))), { startImmediately: true })
              yield* Effect.sleep(10)
              yield* started(1)
              yield* Effect.sleep(20)
            }))
          }))
          yield* CancelScope.open((scope) => Nursery.open((inside) => Effect.gen(function*() {
            yield* Deferred.succeed(handle, inside)
            yield* scope.stop({ grace: 100 })
            yield* Effect.sleep(50)
          })))
        }))
        assert.deepStrictEqual(log, ["heard at 10"])
      }))
  }

  test("is hidden by a shield", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const result = yield* CancelScope.open((scope) => Nursery.open((n) => Effect.gen(function*() {
        yield* n.startNow(CancelScope.shieldFor(Effect.andThen(CancelScope.whenStopping, Effect.sync(() => log.push("heard"))), 50))
        yield* VirtualClock.waitAllBlocked
        yield* scope.stop({ grace: 10 })
      })))
      assert.deepStrictEqual(log, [])
      assert.strictEqual(yield* now, 50)
      assert.strictEqual(result._tag, "Success")
    }))

  test("is known to those who ask after it, also in tasks started later", () =>
    Effect.gen(function*() {
      yield* CancelScope.open((scope) => Nursery.open((n) => Effect.gen(function*() {
        yield* scope.stop({ grace: 1000, reason: "deploy" })
        const task = yield* n.startSoon(CancelScope.whenStopping)
        assert.strictEqual((yield* task.join).message, "deploy")
      })))
    }))

  test("a cancel during the grace cancels at once", () =>
    Effect.gen(function*() {
      const result = yield* CancelScope.open((scope) => Effect.gen(function*() {
        yield* scope.stop({ grace: 1000 })
        yield* scope.cancel("now")
        yield* Effect.never
      }))
      assert.deepInclude(failure(result), { source: "explicit", message: "now" })
      assert.strictEqual(yield* now, 0)
    }))

  test("whenStopping can be cancelled", () =>
    Effect.gen(function*() {
      assert.isTrue(Option.isNone(yield* Timeout.moveOnAfter(CancelScope.whenStopping, 10)))
    }))
})

describe("Cancellation and a result in the same instant", () => {
  // C08: two things happen at virtual time 10: a result comes, and a cancellation. Each is one of
  // several sources, in both orders of registration; in each case exactly one of both must win.
  const results = ["sleep", "deferred", "task"] as const
  const cancels = ["deadline", "sleeper", "callback", "stop"] as const
  for (const result of results) for (const cancel of cancels) for (const first of ["result", "cancel"] as const) for (const steps of [0, 1, 2]) {
    test(`C08: result by ${result}, cancellation by ${cancel}, ${first} armed first, ${steps} steps later: one of them, and one release`, () =>
      Effect.gen(function*() {
        let released = 0
        let used = 0
        const value = yield* Nursery.open((n) => Effect.gen(function*() {
          const box = yield* Deferred.make<string>()
          const handle = yield* Deferred.make<CancelScope.CancelScope>()
          const yields = Effect.forEach(Array.from({ length: steps }), () => Effect.yieldNow)
          const giver = Effect.andThen(Effect.sleep(10), Deferred.succeed(box, "value"))
          const canceller = Effect.gen(function*() {
            const scope = yield* Deferred.await(handle)
            yield* Effect.sleep(10)
            yield* yields
            if (cancel === "callback") scope.cancelUnsafe()
            else if (cancel === "stop") yield* scope.stop({ grace: 0 })
            else yield* scope.cancel()
          })
          const arm = [
            ...(result === "deferred" ? [["result", n.startNow(giver)] as const] : []),
            ...(cancel !== "deadline" ? [["cancel", n.startNow(canceller)] as const] : [])
          ]
          const giving = result === "task" ? yield* n.startNow(Effect.as(Effect.sleep(10), "value")) : undefined
          for (const [, start] of first === "result" ? arm : arm.toReversed()) yield* start
          const wait = result === "sleep" ? Effect.as(Effect.sleep(10), "value") : giving !== undefined ? giving.join : Deferred.await(box)
          return yield* CancelScope.open((scope) =>
            Effect.acquireUseRelease(
              Deferred.succeed(handle, scope),
              () => Effect.tap(wait, () => Effect.sync(() => used++)),
              () => Effect.sync(() => released++)
            ), cancel === "deadline" ? { deadline: 10 } : {})
        }))
        assert.strictEqual(released, 1)
        if (Result.isSuccess(value)) {
          assert.strictEqual(value.success, "value")
          assert.strictEqual(used, 1)
        } else assert.isAtMost(used, 1)
        assert.strictEqual(yield* now, 10)
      }))
  }

  it("C08: is decided the same way every time", async () => {
    const once = () => VirtualClock.run(Timeout.moveOnAfter(Effect.as(Effect.sleep(10), "value"), 10))
    const first = await once()
    for (let i = 0; i < 20; i++) assert.deepStrictEqual(await once(), first)
  })
})

describe("Cancel scopes under other clocks and schedulers", () => {
  const adjusted = <A, E>(program: Effect.Effect<A, E>, ...millis: ReadonlyArray<number>) =>
    Effect.runPromise(Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(program)
      for (const step of millis) yield* TestClock.adjust(step)
      return yield* Fiber.join(fiber)
    }).pipe(Effect.provide(TestClock.layer())))

  it("TestClock.adjust drives deadlines, and not before their time", async () => {
    const log: Array<string> = []
    await Effect.runPromise(Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(CancelScope.open(() => Effect.never, { deadline: 1000 }))
      yield* TestClock.adjust(999)
      log.push(fiber.pollUnsafe() === undefined ? "waits" : "too early")
      yield* TestClock.adjust(1)
      log.push((yield* Fiber.join(fiber))._tag)
    }).pipe(Effect.provide(TestClock.layer())))
    assert.deepStrictEqual(log, ["waits", "Failure"])
  })

  it("TestClock.adjust drives deadlines that moved, and stops with grace", async () => {
    const result = await adjusted(Effect.gen(function*() {
      const moved = yield* CancelScope.open((scope) => Effect.andThen(scope.extend(500), Effect.never), { deadline: 1000 })
      const stopped = yield* CancelScope.open((scope) => Effect.andThen(scope.stop({ grace: 100 }), Effect.never))
      return [failure(moved).at, failure(stopped).at]
    }), 1000, 500, 100)
    assert.deepStrictEqual(result, [1500, 1600])
  })

  it("C06: of equal deadlines the outer wins under TestClock, too", async () => {
    let after = false
    const result = await adjusted(CancelScope.open(() => Effect.gen(function*() {
      yield* CancelScope.open(() => Effect.never, { name: "inner", deadline: 1000 })
      after = true
      yield* Effect.never
    }), { name: "outer", deadline: 1000 }), 1000)
    assert.strictEqual(failure(result).scope, "outer")
    assert.isFalse(after)
  })

  it("a scope and its deadline work under TurnScheduler and with HeapClock", async () => {
    const program = Effect.gen(function*() {
      const log: Array<string> = []
      const result = yield* CancelScope.open(() => withCleanup(log, "body", 1), { deadline: 2 })
      return [failure(result).source, ...log]
    })
    assert.deepStrictEqual(await Effect.runPromise(program, { scheduler: TurnScheduler.make() }), ["deadline", "body cleaned up"])
    assert.deepStrictEqual(await Effect.runPromise(Effect.provide(program, HeapClock.layer)), ["deadline", "body cleaned up"])
    assert.deepStrictEqual(await Effect.runPromise(Effect.provideService(program, Clock.Clock, HeapClock.make()), { scheduler: TurnScheduler.make() }), ["deadline", "body cleaned up"])
  })
})

describe("A CancelScope handle", () => {
  test("says its state when it is printed", () =>
    Effect.gen(function*() {
      const scope = Result.getOrThrow(yield* CancelScope.open((scope) => Effect.sync(() => {
        assert.strictEqual(String(scope), "CancelScope(work, active)")
        assert.strictEqual(JSON.stringify(scope), "{\"_id\":\"CancelScope\",\"name\":\"work\",\"state\":\"active\",\"deadline\":10}")
        return scope
      }), { name: "work", deadline: 10 }))
      assert.strictEqual(String(scope), "CancelScope(work, ended)")
    }))

  test("lets 20,000 nested scopes be cancelled from the outermost, with every finalizer run", () =>
    Effect.gen(function*() {
      let finalizers = 0
      const nested = (depth: number): Effect.Effect<unknown> =>
        depth === 0 ? Effect.never : Effect.ensuring(CancelScope.open(() => Effect.suspend(() => nested(depth - 1))), Effect.sync(() => finalizers++))
      yield* Timeout.moveOnAfter(nested(20_000), 1)
      assert.strictEqual(finalizers, 20_000)
    }))
})
