import { Cause, Clock, Data, Effect, Exit, Fiber, Option, Result, Stream } from "effect"
import { CancelScope, Event, Failures, Nursery, TaskTree, Tasks, Timeout } from "effect-nursery"
import { VirtualClock } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"

class Bad extends Data.TaggedError("Bad")<{ readonly id: number }> {}

const after = <A>(millis: number, value: A) => Effect.as(Effect.sleep(millis), value)
const failAfter = (millis: number, id: number) => Effect.andThen(Effect.sleep(millis), Effect.suspend(() => Effect.fail(new Bad({ id }))))
const log = (events: Array<string>, event: string) => Effect.sync(() => void events.push(event))

/** Runs for ever; its cleanup takes `millis` and says so. */
const cleaned = (events: Array<string>, name: string, millis = 0) =>
  Effect.never.pipe(Effect.onInterrupt(() => Effect.andThen(Effect.sleep(millis), log(events, `${name} cleaned`))))

/** The errors and defects of an exit, in order. */
const failuresOf = (exit: Exit.Exit<unknown, unknown>): Array<unknown> =>
  exit._tag === "Success"
    ? []
    : Failures.fromCause(exit.cause).map((_) => _._tag === "Fail" ? (_.error instanceof Bad ? _.error.id : _.error) : `die ${String(_.defect)}`)

const defectOf = (exit: Exit.Exit<unknown, unknown>): unknown =>
  exit._tag === "Failure" && exit.cause.reasons[0]?._tag === "Die" ? exit.cause.reasons[0].defect : undefined

/** Counts how many effects run at a time, and notes in which order they start. */
const gauge = () => {
  const seen = { now: 0, peak: 0, started: [] as Array<number> }
  const run = (index: number, millis: number): Effect.Effect<number> =>
    Effect.suspend(() => {
      seen.started.push(index)
      seen.peak = Math.max(seen.peak, ++seen.now)
      return after(millis, index).pipe(Effect.ensuring(Effect.sync(() => void seen.now--)))
    })
  return { seen, run }
}

describe("Tasks.gather", () => {
  it("takes any iterable, and collects into an array", () =>
    VirtualClock.run(Effect.gen(function*() {
      assert.deepStrictEqual(yield* Tasks.gather(new Set([Effect.succeed(1), Effect.succeed(2)])), [1, 2])
      const exits = yield* Tasks.gatherSettled(new Map([["a", Effect.succeed(1)]]).values())
      assert.deepStrictEqual(exits, [Exit.succeed(1)])
    })))

  it("gives a tuple for a tuple, in the order given and not in the order of the ends", () =>
    VirtualClock.run(Effect.gen(function*() {
      const values = yield* Tasks.gather([after(30, "a"), after(10, 2), Effect.succeed(true)])
      assert.deepStrictEqual(values, ["a", 2, true])
      assert.strictEqual(yield* Timeout.now, 30)
    })))

  it("gives a record for a record", () =>
    VirtualClock.run(Effect.gen(function*() {
      assert.deepStrictEqual(yield* Tasks.gather({ name: after(2, "Ada"), age: Effect.succeed(36) }), { name: "Ada", age: 36 })
    })))

  it("gives an empty result for nothing (C11)", () =>
    VirtualClock.run(Effect.gen(function*() {
      assert.deepStrictEqual(yield* Tasks.gather([]), [])
      assert.deepStrictEqual(yield* Tasks.gather({}), {})
      assert.deepStrictEqual(yield* Tasks.gatherSettled([]), [])
      assert.deepStrictEqual(yield* Tasks.map([], () => Effect.succeed(1)), [])
    })))

  it("gives one value for one effect (C11)", () =>
    VirtualClock.run(Effect.gen(function*() {
      assert.deepStrictEqual(yield* Tasks.gather([after(1, "only")]), ["only"])
    })))

  it("keeps the order of 100,000 effects that suspend (C11)", () =>
    VirtualClock.run(Effect.gen(function*() {
      const values = yield* Tasks.gather(Array.from({ length: 100_000 }, (_, i) => Effect.as(Effect.yieldNow, i)))
      assert.strictEqual(values.length, 100_000)
      assert.isTrue(values.every((value, i) => value === i))
    })))

  it("cancels the others when one in the middle fails, and waits for their cleanup (C11)", () => {
    const events: Array<string> = []
    return VirtualClock.run(Effect.gen(function*() {
      const exit = yield* Effect.exit(Tasks.gather([cleaned(events, "first", 50), failAfter(10, 7), cleaned(events, "last")]))
      assert.deepStrictEqual(failuresOf(exit), [7])
      assert.deepStrictEqual(events, ["last cleaned", "first cleaned"])
      assert.strictEqual(yield* Timeout.now, 60)
    }))
  })

  it("cancels 100,000 others when one in the middle fails (C11)", () => {
    let finalizers = 0
    const sleeper = Effect.never.pipe(Effect.onInterrupt(() => Effect.sync(() => void finalizers++)))
    return VirtualClock.run(Effect.gen(function*() {
      const effects = Array.from({ length: 100_001 }, (_, i) => i === 50_000 ? failAfter(1, i) : sleeper)
      assert.deepStrictEqual(failuresOf(yield* Effect.exit(Tasks.gather(effects))), [50_000])
      assert.strictEqual(finalizers, 100_000)
    }))
  })

  it("fails at once when an effect fails while others have not started", () => {
    const { run, seen } = gauge()
    return VirtualClock.run(Effect.gen(function*() {
      const exit = yield* Effect.exit(Tasks.gather([Effect.fail("no"), run(1, 1)], { concurrency: 1 }))
      assert.deepStrictEqual(failuresOf(exit), ["no"])
      assert.deepStrictEqual(seen.started, [])
    }))
  })

  it("keeps errors and defects of the cleanup beside the first failure, all of them typed as they were", () =>
    VirtualClock.run(Effect.gen(function*() {
      const exit = yield* Effect.exit(Tasks.gather([
        failAfter(10, 1),
        Effect.never.pipe(Effect.ensuring(Effect.die("cleanup died"))),
        Effect.never.pipe(Effect.onExit(() => Effect.fail(new Bad({ id: 3 }))))
      ]))
      assert.deepStrictEqual(failuresOf(exit), [1, "die cleanup died", 3])
    })))

  it("keeps two failures of the same moment, also when they are equal", () =>
    VirtualClock.run(Effect.gen(function*() {
      const event = yield* Event.make()
      const exit = yield* Effect.exit(Tasks.gather([
        Effect.andThen(event.wait, Effect.fail("x")),
        Effect.uninterruptible(Effect.andThen(event.wait, Effect.fail("x"))),
        Effect.andThen(Effect.sleep(5), event.set)
      ]))
      assert.deepStrictEqual(failuresOf(exit), ["x", "x"])
    })))

  it("runs at most as many at a time as `concurrency` says, and starts them in order", () => {
    const { run, seen } = gauge()
    return VirtualClock.run(Effect.gen(function*() {
      const values = yield* Tasks.gather([30, 10, 20, 10, 10].map((millis, i) => run(i, millis)), { concurrency: 2 })
      assert.deepStrictEqual(values, [0, 1, 2, 3, 4])
      assert.strictEqual(seen.peak, 2)
      assert.deepStrictEqual(seen.started, [0, 1, 2, 3, 4])
      // 0 until 30; 1 until 10, 2 until 30, and then 3 and 4 side by side.
      assert.strictEqual(yield* Timeout.now, 40)
    }))
  })

  it("runs one after the other with a concurrency of 1, also effects that do not suspend", () => {
    const { run, seen } = gauge()
    return VirtualClock.run(Effect.gen(function*() {
      yield* Tasks.gather(Array.from({ length: 20_000 }, () => Effect.void), { concurrency: 1 })
      yield* Tasks.gather([5, 5, 5].map((millis, i) => run(i, millis)), { concurrency: 1 })
      assert.strictEqual(seen.peak, 1)
      assert.strictEqual(yield* Timeout.now, 15)
    }))
  })

  it("says in a defect what is wrong with a bad `concurrency`", () =>
    VirtualClock.run(Effect.gen(function*() {
      for (const concurrency of [0, -1, 1.5, NaN]) {
        const expected = `Expected \`concurrency\` to be an integer from 1 and up or \`Infinity\`, got \`${concurrency}\` (number)`
        assert.strictEqual((defectOf(yield* Effect.exit(Tasks.gather([], { concurrency }))) as Error).message, expected)
        assert.strictEqual((defectOf(yield* Effect.exit(Tasks.gatherSettled([], { concurrency }))) as Error).message, expected)
        assert.strictEqual((defectOf(yield* Effect.exit(Tasks.map([], () => Effect.void, { concurrency }))) as Error).message, expected)
        const stream = Stream.runCollect(Tasks.asCompleted([] as Array<Effect.Effect<void>>, { concurrency }))
        assert.strictEqual((defectOf(yield* Effect.exit(stream)) as Error).message, expected)
      }
    })))

  it("that is cancelled from outside cancels all and is waited for", () => {
    const events: Array<string> = []
    return VirtualClock.run(Effect.gen(function*() {
      const gather = Tasks.gather([cleaned(events, "a", 20), cleaned(events, "b")])
      assert.isTrue(Option.isNone(yield* Timeout.moveOnAfter(gather, 100)))
      assert.deepStrictEqual(events, ["b cleaned", "a cleaned"])
      assert.strictEqual(yield* Timeout.now, 120)
    }))
  })

  it("whose fiber is interrupted by Effect itself cancels all and is waited for", () => {
    const events: Array<string> = []
    return VirtualClock.run(Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Tasks.gather([cleaned(events, "a", 20)]))
      yield* VirtualClock.waitAllBlocked
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(events, ["a cleaned"])
      assert.strictEqual(yield* Timeout.now, 20)
    }))
  })

  it("starts no more effects after a cancellation", () => {
    const { run, seen } = gauge()
    return VirtualClock.run(Effect.gen(function*() {
      const gather = Tasks.gather(Array.from({ length: 10 }, (_, i) => run(i, 10)), { concurrency: 2 })
      yield* Timeout.moveOnAfter(gather, 15)
      assert.deepStrictEqual(seen.started, [0, 1, 2, 3])
    }))
  })

  it("keeps its values when the cancellation comes after the last of them", () =>
    VirtualClock.run(Effect.gen(function*() {
      const result = yield* CancelScope.open((scope) =>
        Tasks.gather([CancelScope.shield(Effect.andThen(scope.cancel("too late"), after(5, "kept")))]))
      assert.deepStrictEqual(Result.getOrThrow(result), ["kept"])
    })))

  it("ends interrupted when one of its effects interrupts itself", () =>
    VirtualClock.run(Effect.gen(function*() {
      const events: Array<string> = []
      const exit = yield* Effect.exit(Tasks.gather([cleaned(events, "other"), Effect.andThen(Effect.sleep(1), Effect.interrupt)]))
      assert.isTrue(exit._tag === "Failure" && Cause.hasInterruptsOnly(exit.cause))
      assert.deepStrictEqual(events, ["other cleaned"])
    })))

  it("works inside a gather inside a gather", () =>
    VirtualClock.run(Effect.gen(function*() {
      const inner = (n: number) => Tasks.gather([after(n, n), after(1, -n)])
      assert.deepStrictEqual(yield* Tasks.gather([inner(1), inner(2)]), [[1, -1], [2, -2]])
    })))
})

describe("Tasks.gatherSettled", () => {
  it("gives every exit in the order given, and no failure cancels another", () =>
    VirtualClock.run(Effect.gen(function*() {
      const [a, b, c] = yield* Tasks.gatherSettled([failAfter(5, 1), after(20, "late"), Effect.die("bug")])
      assert.deepStrictEqual(failuresOf(a), [1])
      assert.deepStrictEqual(b, Exit.succeed("late"))
      assert.deepStrictEqual(failuresOf(c), ["die bug"])
      assert.strictEqual(yield* Timeout.now, 20)
    })))

  it("gives a record of exits for a record", () =>
    VirtualClock.run(Effect.gen(function*() {
      const exits = yield* Tasks.gatherSettled({ good: Effect.succeed(1), bad: Effect.fail("no") })
      assert.deepStrictEqual([exits.good._tag, exits.bad._tag], ["Success", "Failure"])
    })))

  it("honours `concurrency`", () => {
    const { run, seen } = gauge()
    return VirtualClock.run(Effect.gen(function*() {
      yield* Tasks.gatherSettled([1, 2, 3, 4].map((i) => run(i, 10)), { concurrency: 3 })
      assert.strictEqual(seen.peak, 3)
      assert.deepStrictEqual(seen.started, [1, 2, 3, 4])
    }))
  })

  it("that is cancelled keeps the errors of the cleanup", () =>
    VirtualClock.run(Effect.gen(function*() {
      const settled = Tasks.gatherSettled([Effect.never.pipe(Effect.ensuring(Effect.die("cleanup died")))])
      const exit = yield* Effect.exit(Timeout.moveOnAfter(settled, 5))
      assert.deepStrictEqual(failuresOf(exit), ["die cleanup died"])
    })))

  it("can be run twice: the second run does not see the first one's exits", () =>
    VirtualClock.run(Effect.gen(function*() {
      let n = 0
      const settled = Tasks.gatherSettled([Effect.sync(() => ++n)])
      const first = yield* settled
      assert.deepStrictEqual([first, yield* settled], [[Exit.succeed(1)], [Exit.succeed(2)]])
    })))
})

describe("Tasks.map", () => {
  it("gives the values in order, and tells the function the index", () =>
    VirtualClock.run(Effect.gen(function*() {
      const values = yield* Tasks.map(new Set(["a", "b", "c"]), (item, i) => after(30 - i * 10, `${item}${i}`))
      assert.deepStrictEqual(values, ["a0", "b1", "c2"])
    })))

  it("treats a function that throws as a defect of that task, and cancels the others", () => {
    const events: Array<string> = []
    return VirtualClock.run(Effect.gen(function*() {
      const exit = yield* Effect.exit(Tasks.map([1, 2], (n) => {
        if (n === 2) throw new Error("thrown by f")
        return cleaned(events, "first")
      }))
      assert.deepStrictEqual(failuresOf(exit), ["die Error: thrown by f"])
      assert.deepStrictEqual(events, ["first cleaned"])
    }))
  })

  it("calls the function only when it is the item's turn", () => {
    const called: Array<number> = []
    return VirtualClock.run(Effect.gen(function*() {
      const exit = yield* Effect.exit(Tasks.map([0, 1, 2, 3], (n) => {
        called.push(n)
        return n === 1 ? Effect.fail("stop here") : after(1, n)
      }, { concurrency: 1 }))
      assert.deepStrictEqual(failuresOf(exit), ["stop here"])
      assert.deepStrictEqual(called, [0, 1])
    }))
  })
})

describe("Tasks.firstCompleted", () => {
  it("gives the first value, cancels the losers and waits for their cleanup", () => {
    const events: Array<string> = []
    return VirtualClock.run(Effect.gen(function*() {
      assert.strictEqual(yield* Tasks.firstCompleted([after(30, "slow"), after(10, "fast"), cleaned(events, "loser", 50)]), "fast")
      assert.deepStrictEqual(events, ["loser cleaned"])
      assert.strictEqual(yield* Timeout.now, 60)
    }))
  })

  it("fails when the first to end fails", () =>
    VirtualClock.run(Effect.gen(function*() {
      assert.deepStrictEqual(failuresOf(yield* Effect.exit(Tasks.firstCompleted([after(30, 1), failAfter(10, 2)]))), [2])
    })))

  it("does not start the others when the first ends at once", () => {
    const events: Array<string> = []
    return VirtualClock.run(Effect.gen(function*() {
      assert.strictEqual(yield* Tasks.firstCompleted([Effect.succeed("at once"), Effect.as(log(events, "started"), "later")]), "at once")
      assert.deepStrictEqual(events, [])
    }))
  })

  it("fails with what the losers raise in their cleanup, although somebody has won", () =>
    VirtualClock.run(Effect.gen(function*() {
      const loser = Effect.never.pipe(Effect.onExit(() => failAfter(5, 9)))
      assert.deepStrictEqual(failuresOf(yield* Effect.exit(Tasks.firstCompleted([after(10, "won"), loser]))), [9])
    })))

  it("keeps the winner that came in the same moment as the cancellation from outside, or is cancelled: never both (C08)", () =>
    VirtualClock.run(Effect.gen(function*() {
      let released = 0
      const held = after(10, "value").pipe(Effect.ensuring(Effect.sync(() => void released++)))
      const won = yield* Timeout.moveOnAfter(Tasks.firstCompleted([held]), 10)
      assert.isTrue(Option.isNone(won) || won.value === "value")
      assert.strictEqual(released, 1)
    })))

  it("of nobody is a defect that says so", () =>
    VirtualClock.run(Effect.gen(function*() {
      for (const race of [Tasks.firstCompleted([]), Tasks.firstSuccess([]), Tasks.firstSuccess([], { stagger: 5 })]) {
        const defect = defectOf(yield* Effect.exit(race))
        assert.strictEqual((defect as Error).message, "Expected at least one effect to race, got none: nobody could win")
      }
    })))
})

describe("Tasks.firstSuccess", () => {
  it("gives the first success and forgets the failures before it", () =>
    VirtualClock.run(Effect.gen(function*() {
      assert.strictEqual(yield* Tasks.firstSuccess([failAfter(5, 1), after(10, "won"), Effect.never]), "won")
    })))

  it("raises all failures together, in order of arrival, when nobody succeeds", () =>
    VirtualClock.run(Effect.gen(function*() {
      const exit = yield* Effect.exit(Tasks.firstSuccess([failAfter(30, 1), failAfter(10, 2), Effect.die("bug")]))
      assert.deepStrictEqual(failuresOf(exit), ["die bug", 2, 1])
    })))

  it("puts aside what losers raise in their cleanup, too", () =>
    VirtualClock.run(Effect.gen(function*() {
      const loser = Effect.never.pipe(Effect.onExit(() => failAfter(5, 9)))
      assert.strictEqual(yield* Tasks.firstSuccess([after(10, "won"), loser]), "won")
      assert.strictEqual(yield* Timeout.now, 15)
    })))

  it("raises what was put aside when it is cancelled before somebody has won", () =>
    VirtualClock.run(Effect.gen(function*() {
      const exit = yield* Effect.exit(Timeout.moveOnAfter(Tasks.firstSuccess([failAfter(5, 1), Effect.never]), 10))
      assert.deepStrictEqual(failuresOf(exit), [1])
    })))

  it("cancels the losers and waits for their cleanup", () => {
    const events: Array<string> = []
    return VirtualClock.run(Effect.gen(function*() {
      assert.strictEqual(yield* Tasks.firstSuccess([cleaned(events, "loser", 20), after(10, "won")]), "won")
      assert.deepStrictEqual(events, ["loser cleaned"])
      assert.strictEqual(yield* Timeout.now, 30)
    }))
  })

  const noting = (starts: Array<readonly [number, number]>) => <A, E>(index: number, effect: Effect.Effect<A, E>) =>
    Effect.flatMap(Timeout.now, (now) => Effect.andThen(Effect.sync(() => void starts.push([index, now])), effect))

  it("with `stagger` starts the next one when the one before is slow, after the delay (RFC 8305)", () => {
    const starts: Array<readonly [number, number]> = []
    const at = noting(starts)
    return VirtualClock.run(Effect.gen(function*() {
      const won = yield* Tasks.firstSuccess([at(0, after(1000, "slow")), at(1, after(1000, "slower")), at(2, after(10, "fast"))], { stagger: 250 })
      assert.strictEqual(won, "fast")
      assert.deepStrictEqual(starts, [[0, 0], [1, 250], [2, 500]])
      assert.strictEqual(yield* Timeout.now, 510)
    }))
  })

  it("with `stagger` starts the next one at once when the one before was refused (RFC 8305)", () => {
    const starts: Array<readonly [number, number]> = []
    const at = noting(starts)
    return VirtualClock.run(Effect.gen(function*() {
      const won = yield* Tasks.firstSuccess([at(0, failAfter(10, 1)), at(1, after(20, "second"))], { stagger: 250 })
      assert.strictEqual(won, "second")
      assert.deepStrictEqual(starts, [[0, 0], [1, 10]])
      assert.strictEqual(yield* Timeout.now, 30)
    }))
  })

  it("with `stagger` counts the delay from the latest start, also after a refusal", () => {
    const starts: Array<readonly [number, number]> = []
    const at = noting(starts)
    const race = Tasks.firstSuccess([at(0, failAfter(10, 1)), at(1, Effect.never), at(2, Effect.never)], { stagger: 100 })
    return VirtualClock.run(Effect.gen(function*() {
      yield* Effect.exit(Timeout.moveOnAfter(race, 300))
      assert.deepStrictEqual(starts, [[0, 0], [1, 10], [2, 110]])
    }))
  })

  it("with `stagger` does not start the others when the first one wins in time", () => {
    const starts: Array<readonly [number, number]> = []
    const at = noting(starts)
    return VirtualClock.run(Effect.gen(function*() {
      assert.strictEqual(yield* Tasks.firstSuccess([at(0, after(10, "won")), at(1, Effect.never)], { stagger: 100 }), "won")
      assert.deepStrictEqual(starts, [[0, 0]])
      assert.strictEqual(yield* Timeout.now, 10)
    }))
  })

  it("with `stagger` keeps the delay after several that were refused at once", () => {
    const starts: Array<readonly [number, number]> = []
    const at = noting(starts)
    const slow = [2, 3, 4].map((index) => at(index, Effect.never))
    const race = Tasks.firstSuccess([at(0, Effect.fail("x")), at(1, Effect.fail("y")), ...slow], { stagger: 100 })
    return VirtualClock.run(Effect.gen(function*() {
      yield* Effect.exit(Timeout.moveOnAfter(race, 450))
      assert.deepStrictEqual(starts, [[0, 0], [1, 0], [2, 0], [3, 100], [4, 200]])
    }))
  })

  it("with `stagger` survives 20,000 refusals at once", () =>
    VirtualClock.run(Effect.gen(function*() {
      const exit = yield* Effect.exit(Tasks.firstSuccess(Array.from({ length: 20_000 }, () => Effect.fail("x")), { stagger: 100 }))
      assert.strictEqual(failuresOf(exit).length, 20_000)
    })))

  it("with `stagger` that is no duration is a defect that echoes it", () =>
    VirtualClock.run(Effect.gen(function*() {
      const exit = yield* Effect.exit(Tasks.firstSuccess([Effect.void], { stagger: NaN }))
      assert.strictEqual((defectOf(exit) as Error).message, "Expected `stagger` to be a duration, got `NaN` (number)")
    })))
})

describe("Tasks.wait", () => {
  const names = (tasks: ReadonlyArray<Nursery.Task<unknown, unknown>>) => tasks.map((task) => task.name)
  const sleepers = <N extends string>(n: Nursery.Nursery<N>, millis: ReadonlyArray<number>) =>
    Effect.forEach(millis, (ms) => n.startSoon(Effect.sleep(ms), { name: `${ms}` }))

  it("waits for all by default, and keeps the order of the tasks", () =>
    VirtualClock.run(Nursery.open((n) => Effect.gen(function*() {
      const { done, pending } = yield* Tasks.wait(yield* sleepers(n, [30, 10, 20]))
      assert.deepStrictEqual([names(done), names(pending)], [["30", "10", "20"], []])
      assert.strictEqual(yield* Timeout.now, 30)
    }))))

  it("until the first has completed; the others go on", () =>
    VirtualClock.run(Nursery.open((n) => Effect.gen(function*() {
      const tasks = yield* sleepers(n, [30, 10, 20])
      const { done, pending } = yield* Tasks.wait(tasks, { until: "firstCompleted" })
      assert.deepStrictEqual([names(done), names(pending)], [["10"], ["30", "20"]])
      yield* n.awaitIdle
      assert.strictEqual(yield* Timeout.now, 30)
      assert.isTrue(tasks.every((task) => Option.isSome(task.poll) && task.poll.value._tag === "Success"))
    }))))

  it("until the first failure; a cancelled task has not failed", () =>
    VirtualClock.run(Effect.exit(Nursery.open((n) => Effect.gen(function*() {
      const cancelled = yield* n.startSoon(Effect.never, { name: "cancelled" })
      const failing = yield* n.startSoon(failAfter(20, 1), { name: "failing" })
      const slow = yield* n.startSoon(Effect.sleep(100), { name: "slow" })
      yield* cancelled.cancel("not needed")
      const { done, pending } = yield* Tasks.wait<unknown, unknown>([cancelled, failing, slow], { until: "firstFailure" })
      assert.deepStrictEqual([names(done), names(pending)], [["cancelled", "failing"], ["slow"]])
      assert.strictEqual(yield* Timeout.now, 20)
    }), { onTaskFailure: "continue" })).pipe(Effect.map((exit) => assert.deepStrictEqual(failuresOf(exit), [1])))))

  it("until the first failure that never comes waits for all", () =>
    VirtualClock.run(Nursery.open((n) => Effect.gen(function*() {
      const { pending } = yield* Tasks.wait(yield* sleepers(n, [30, 10]), { until: "firstFailure" })
      assert.deepStrictEqual(pending, [])
      assert.strictEqual(yield* Timeout.now, 30)
    }))))

  it("returns what there is when the time is up, and cancels nothing", () =>
    VirtualClock.run(Nursery.open((n) => Effect.gen(function*() {
      const tasks = yield* sleepers(n, [30, 10])
      const { done, pending } = yield* Tasks.wait(tasks, { timeout: 20 })
      assert.deepStrictEqual([names(done), names(pending)], [["10"], ["30"]])
      assert.strictEqual(yield* Timeout.now, 20)
      yield* n.awaitIdle
      assert.strictEqual(yield* Timeout.now, 30)
    }))))

  it("returns at once for no tasks, for tasks that have ended, and for a timeout of 0", () =>
    VirtualClock.run(Nursery.open((n) => Effect.gen(function*() {
      assert.deepStrictEqual(yield* Tasks.wait([]), { done: [], pending: [] })
      const [ended] = yield* sleepers(n, [1])
      yield* ended!.await
      assert.deepStrictEqual(names((yield* Tasks.wait([ended!])).done), ["1"])
      const [living] = yield* sleepers(n, [5])
      assert.deepStrictEqual(names((yield* Tasks.wait([living!], { timeout: 0 })).pending), ["5"])
      assert.strictEqual(yield* Timeout.now, 1)
    }))))

  it("that is cancelled leaves the tasks alone", () =>
    VirtualClock.run(Nursery.open((n) => Effect.gen(function*() {
      const tasks = yield* sleepers(n, [30])
      assert.isTrue(Option.isNone(yield* Timeout.moveOnAfter(Tasks.wait(tasks), 10)))
      assert.isTrue(Option.isNone(tasks[0]!.poll))
      yield* n.awaitIdle
      assert.strictEqual(yield* Timeout.now, 30)
    }))))

  it("takes its listeners away again, however it ends", () =>
    VirtualClock.run(Nursery.open((n) => Effect.gen(function*() {
      const task = yield* n.startSoon(Effect.never)
      const quick = yield* n.startSoon(Effect.sleep(1))
      const listeners = () => (task as unknown as { readonly listeners: Set<unknown> | undefined }).listeners?.size ?? 0
      for (let i = 0; i < 100; i++) {
        yield* Tasks.wait([task], { timeout: 1 })
        yield* Timeout.moveOnAfter(Tasks.wait([task]), 1)
        yield* Tasks.wait<unknown, never>([task, quick], { until: "firstCompleted" })
      }
      assert.strictEqual(listeners(), 0)
      yield* n.cancelTasks()
    }))))

  it("is seen in the tree as what its task waits for", () =>
    VirtualClock.run(Nursery.open((n) => Effect.gen(function*() {
      const tasks = yield* sleepers(n, [30, 10])
      yield* n.startNow(Tasks.wait(tasks), { name: "waiter" })
      assert.include(TaskTree.toText(yield* TaskTree.now), "waiter (waiting for 2 tasks)")
    }))))

  it("needs time in proportion to the tasks: ten times as many, not a hundred times as long", () => {
    const waitFor = (count: number) =>
      VirtualClock.run(Nursery.open((n) => Effect.gen(function*() {
        const go = yield* Event.make()
        const tasks = yield* Effect.forEach(Array.from({ length: count }), () => n.startSoon(go.wait))
        yield* VirtualClock.waitAllBlocked
        const begin = performance.now()
        yield* n.startNow(go.set)
        const { done } = yield* Tasks.wait(tasks)
        assert.strictEqual(done.length, count)
        return performance.now() - begin
      })))
    return waitFor(1_000).then(() => waitFor(1_000)).then((small) =>
      waitFor(10_000).then((large) => assert.isBelow(large, 40 * small + 200))
    )
  })
})

describe("Tasks.asCompleted", () => {
  it("gives the exits in the order in which the effects end, with their index", () =>
    VirtualClock.run(Effect.gen(function*() {
      const items = yield* Stream.runCollect(Tasks.asCompleted([after(30, "a"), failAfter(10, 1), after(20, "c")]))
      assert.deepStrictEqual(items.map(({ exit, index }) => [index, exit._tag]), [[1, "Failure"], [2, "Success"], [0, "Success"]])
    })))

  it("gives each exit as soon as it is there", () => {
    const events: Array<string> = []
    return VirtualClock.run(
      Stream.runForEach(Tasks.asCompleted([after(30, "a"), after(10, "b")]), ({ index }) =>
        Effect.flatMap(Timeout.now, (now) => log(events, `${index} at ${now}`))).pipe(
          Effect.andThen(Effect.sync(() => assert.deepStrictEqual(events, ["1 at 10", "0 at 30"])))
        )
    )
  })

  it("of nothing is an empty stream", () =>
    VirtualClock.run(Effect.gen(function*() {
      assert.deepStrictEqual(yield* Stream.runCollect(Tasks.asCompleted([] as Array<Effect.Effect<void>>)), [])
    })))

  it("gives 10,000 exits in the order of completion (C11)", () =>
    VirtualClock.run(Effect.gen(function*() {
      const count = 10_000
      const items = yield* Stream.runCollect(Tasks.asCompleted(Array.from({ length: count }, (_, i) => Effect.sleep(count - i))))
      assert.deepStrictEqual(items.map((item) => item.index), Array.from({ length: count }, (_, i) => count - 1 - i))
    })))

  it("that is left cancels the rest and waits for its cleanup", () => {
    const events: Array<string> = []
    return VirtualClock.run(Effect.gen(function*() {
      const first = yield* Tasks.asCompleted([after(10, "a"), cleaned(events, "rest", 50)]).pipe(Stream.take(1), Stream.runCollect)
      assert.strictEqual(first.length, 1)
      assert.deepStrictEqual(events, ["rest cleaned"])
      assert.strictEqual(yield* Timeout.now, 60)
    }))
  })

  it("that is left fails with what the cleanup of the rest raises", () =>
    VirtualClock.run(Effect.gen(function*() {
      const stream = Tasks.asCompleted([after(10, "a"), Effect.never.pipe(Effect.ensuring(Effect.die("cleanup died")))])
      const exit = yield* Effect.exit(stream.pipe(Stream.take(1), Stream.runDrain))
      assert.deepStrictEqual(failuresOf(exit), ["die cleanup died"])
    })))

  it("that is cancelled from outside cancels its effects and waits for them", () => {
    const events: Array<string> = []
    return VirtualClock.run(Effect.gen(function*() {
      const drain = Stream.runDrain(Tasks.asCompleted([cleaned(events, "a", 20)]))
      assert.isTrue(Option.isNone(yield* Timeout.moveOnAfter(drain, 10)))
      assert.deepStrictEqual(events, ["a cleaned"])
      assert.strictEqual(yield* Timeout.now, 30)
    }))
  })

  it("honours `concurrency`", () => {
    const { run, seen } = gauge()
    return VirtualClock.run(Effect.gen(function*() {
      yield* Stream.runDrain(Tasks.asCompleted([30, 10, 10].map((millis, i) => run(i, millis)), { concurrency: 2 }))
      assert.strictEqual(seen.peak, 2)
      assert.deepStrictEqual(seen.started, [0, 1, 2])
    }))
  })

  it("runs its effects with the services that are there", () =>
    VirtualClock.run(Effect.gen(function*() {
      const clock = yield* Clock.Clock
      const [item] = yield* Stream.runCollect(Tasks.asCompleted([Clock.Clock]))
      assert.strictEqual(item!.exit._tag === "Success" && item!.exit.value, clock)
    })))
})
