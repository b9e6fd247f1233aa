import { Deferred, Effect, Exit, Fiber, Option, Scheduler, Scope } from "effect"
import { CancelScope, CapacityLimiter, Errors, Nursery, Tasks, TaskTree, Timeout } from "effect-nursery"
import { VirtualClock } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"
import { hangs } from "./pausing.ts"

const live = (name: string, body: () => Generator<Effect.Effect<any, any>, void, any>) =>
  it(name, () => VirtualClock.run(Effect.gen(body)))

const blocked = VirtualClock.waitAllBlocked

const defectOf = (exit: Exit.Exit<unknown, unknown>): unknown =>
  exit._tag === "Failure" && exit.cause.reasons[0]?._tag === "Die" ? exit.cause.reasons[0].defect : undefined

describe("CapacityLimiter.make", () => {
  live("dies with value and type when the number of tokens is not a count", function*() {
    for (const tokens of [-1, 0.5, NaN, "2" as unknown as number]) {
      const defect = defectOf(yield* Effect.exit(CapacityLimiter.make(tokens)))
      assert.strictEqual(
        String(defect),
        `RangeError: Expected \`tokens\` to be an integer from 0 and up or \`Infinity\`, got \`${tokens}\` (${typeof tokens})`
      )
    }
    const limiter = yield* CapacityLimiter.make(Infinity)
    assert.include(String(defectOf(yield* Effect.exit(limiter.setTotal(-2)))), "got `-2` (number)")
    assert.strictEqual(limiter.statistics.total, Infinity)
  })

  live("gives a handle whose operators stand in a pipe, unbound", function*() {
    const limiter = yield* CapacityLimiter.make(1)
    assert.strictEqual(yield* Effect.succeed(1).pipe(limiter.withToken), 1)
    assert.deepStrictEqual(yield* Effect.succeed(2).pipe(limiter.tryWithToken), Option.some(2))
  })

  live("gives a handle that tells its state as text and as JSON", function*() {
    const limiter = yield* CapacityLimiter.make(2, { name: "database" })
    const text = yield* limiter.withToken(Effect.sync(() => String(limiter)))
    assert.strictEqual(text, "CapacityLimiter(database, 1 of 2 borrowed, 0 waiting)")
    assert.deepStrictEqual(JSON.parse(JSON.stringify(limiter)), {
      _id: "CapacityLimiter",
      name: "database",
      total: 2,
      borrowed: 0,
      waiting: 0,
      borrowers: []
    })
  })
})

describe("CapacityLimiter.withToken", () => {
  live("lets so many run at a time, first come, first served", function*() {
    const limiter = yield* CapacityLimiter.make(2)
    const order: Array<number> = []
    let running = 0
    let most = 0
    const job = (id: number) =>
      Effect.suspend(() => {
        order.push(id)
        most = Math.max(most, ++running)
        return Effect.ensuring(Effect.sleep(10 - id), Effect.sync(() => running--))
      })
    yield* Nursery.open((n) => Effect.forEach([0, 1, 2, 3, 4, 5, 6], (id) => n.startSoon(limiter.withToken(job(id)))))
    assert.strictEqual(most, 2)
    assert.deepStrictEqual(order, [0, 1, 2, 3, 4, 5, 6])
    assert.deepInclude(limiter.statistics, { borrowed: 0, waiting: 0 })
  })

  live("keeps the value and the errors of the effect, and gives the token back however it ends", function*() {
    const limiter = yield* CapacityLimiter.make(1)
    assert.strictEqual(yield* limiter.withToken(Effect.succeed(7)), 7)
    assert.strictEqual(yield* Effect.flip(limiter.withToken(Effect.fail("no"))), "no")
    assert.strictEqual(defectOf(yield* Effect.exit(limiter.withToken(Effect.die("bug")))), "bug")
    yield* Timeout.moveOnAfter(limiter.withToken(Effect.never), 1)
    assert.strictEqual(limiter.statistics.borrowed, 0)
  })

  live("lets nobody overtake, not even when a token is free", function*() {
    const limiter = yield* CapacityLimiter.make(1)
    const order: Array<string> = []
    const say = (name: string) => limiter.withToken(Effect.sync(() => void order.push(name)))
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        yield* n.startNow(limiter.withToken(Effect.sleep(5)))
        yield* n.startNow(say("first"))
        yield* n.startNow(say("second"))
        yield* Effect.sleep(5)
        yield* n.startNow(say("third"))
      })
    )
    assert.deepStrictEqual(order, ["first", "second", "third"])
  })

  live("passes over those who were cancelled while they waited", function*() {
    const limiter = yield* CapacityLimiter.make(1)
    const order: Array<number> = []
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const go = yield* Deferred.make<void>()
        yield* n.startNow(limiter.withToken(Deferred.await(go)))
        const waiting = []
        for (let i = 0; i < 4; i++) waiting.push(yield* n.startNow(limiter.withToken(Effect.sync(() => void order.push(i)))))
        yield* waiting[0]!.cancel()
        yield* waiting[2]!.cancel()
        assert.strictEqual(limiter.statistics.waiting, 2)
        yield* Deferred.succeed(go, undefined)
      })
    )
    assert.deepStrictEqual(order, [1, 3])
    assert.strictEqual(limiter.statistics.borrowed, 0)
  })

  live("gives no token of a cancelled holder to a task of the same cancelled tree", function*() {
    const limiter = yield* CapacityLimiter.make(1)
    const entered: Array<string> = []
    const enter = (name: string) => limiter.withToken(Effect.andThen(Effect.sync(() => void entered.push(name)), Effect.never))
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        yield* n.startNow(CancelScope.open((scope) =>
          Nursery.open((inner) =>
            Effect.gen(function*() {
              yield* inner.startNow(enter("holder"))
              yield* inner.startNow(enter("beside"))
              yield* n.startNow(enter("outside"))
              yield* scope.cancel()
            })
          )
        ))
        yield* blocked
        assert.deepStrictEqual(entered, ["holder", "outside"])
        yield* n.cancelTasks()
      })
    )
    assert.deepStrictEqual(limiter.statistics, { total: 1, borrowed: 0, waiting: 0, borrowers: [] })
  })

  live("gives the token back in the step in which the body ends", function*() {
    const limiter = yield* CapacityLimiter.make(1)
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const task = yield* n.startNow(limiter.withToken(Effect.never))
        yield* task.cancel()
        assert.strictEqual(limiter.statistics.borrowed, 0)
      })
    )
  })

  live("with no tokens waits until there are some", function*() {
    const limiter = yield* CapacityLimiter.make(0)
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const task = yield* n.startNow(limiter.withToken(Effect.succeed(1)))
        yield* blocked
        assert.isTrue(Option.isNone(task.poll))
        yield* limiter.setTotal(1)
        assert.strictEqual(yield* task.join, 1)
      })
    )
  })

  live("names its holders and those who wait", function*() {
    const limiter = yield* CapacityLimiter.make(2, { name: "database" })
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        yield* n.startNow(Timeout.failAfter(limiter.withToken(Effect.never), "1 hour"), { name: "query" })
        const fiber = yield* Effect.forkChild(limiter.withToken(Effect.never), { startImmediately: true })
        yield* blocked
        assert.deepStrictEqual(limiter.statistics.borrowers, ["query", `fiber #${fiber.id}`])
        yield* n.startNow(limiter.withToken(Effect.never), { name: "late" })
        assert.include(TaskTree.toText(yield* TaskTree.now), "waiting for a token of limiter database")
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(limiter.statistics.borrowers, ["query", "late"])
        yield* n.cancelTasks()
      })
    )
  })

  it("loses no token to a scheduler that pauses all the time, wherever a task is cancelled", async () => {
    const base = new Scheduler.MixedScheduler()
    for (const every of [3, 4, 5]) {
      const scheduler: Scheduler.Scheduler = {
        executionMode: "async",
        shouldYield: (fiber) => fiber.currentOpCount >= every,
        makeDispatcher: () => base.makeDispatcher()
      }
      const left = await Effect.runPromise(
        Effect.gen(function*() {
          const limiter = yield* CapacityLimiter.make(2)
          for (let turns = 0; turns < 40; turns++) {
            yield* Nursery.open((n) =>
              Effect.gen(function*() {
                for (let i = 0; i < 4; i++) yield* n.startSoon(limiter.withToken(Effect.yieldNow))
                yield* n.startSoon(Effect.scoped(limiter.acquireFor("someone")))
                for (let i = 0; i < turns; i++) yield* Effect.yieldNow
                yield* n.cancelTasks()
              })
            )
          }
          return limiter.statistics
        }),
        { scheduler }
      )
      assert.deepStrictEqual(left, { total: 2, borrowed: 0, waiting: 0, borrowers: [] })
    }
  })

  it("misses no token that comes back between the decision to wait and the waiting", async () => {
    const asking = (ask: (limiter: CapacityLimiter.CapacityLimiter) => Effect.Effect<unknown, any>) =>
      Effect.map(CapacityLimiter.make(0), (limiter) => [ask(limiter), limiter.setTotal(1)] as const)
    assert.strictEqual(await hangs(asking((limiter) => limiter.withToken(Effect.void))), 0)
    assert.strictEqual(await hangs(asking((limiter) => Effect.scoped(limiter.acquireFor("a")))), 0)
  })

  live("takes time in proportion to the number of those who wait", function*() {
    const limiter = yield* CapacityLimiter.make(10)
    let ended = 0
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const job = limiter.withToken(Effect.andThen(Effect.yieldNow, Effect.sync(() => void ended++)))
        for (let i = 0; i < 100_000; i++) yield* n.startSoon(job)
      })
    )
    assert.strictEqual(ended, 100_000)
  })

  live("lets others have their turn while a long queue of short bodies goes through", function*() {
    const limiter = yield* CapacityLimiter.make(1)
    let ended = 0
    let seen = -1
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const go = yield* Deferred.make<void>()
        yield* n.startNow(limiter.withToken(Deferred.await(go)))
        for (let i = 0; i < 20_000; i++) yield* n.startSoon(limiter.withToken(Effect.sync(() => void ended++)))
        yield* blocked
        assert.strictEqual(limiter.statistics.waiting, 20_000)
        yield* n.startSoon(Effect.sync(() => void (seen = ended)))
        yield* Deferred.succeed(go, undefined)
      })
    )
    assert.strictEqual(ended, 20_000)
    assert.isBelow(seen, 20_000)
  })
})

describe("CapacityLimiter borrowers", () => {
  live("C15: a task that asks for a second token dies with Busy instead of waiting for itself", function*() {
    const limiter = yield* CapacityLimiter.make(1, { name: "lock" })
    const again = limiter.withToken(limiter.withToken(Effect.void))
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const defect = defectOf(yield* (yield* n.startNow(Effect.exit(again), { name: "greedy" })).join)
        assert.instanceOf(defect, Errors.Busy)
        assert.strictEqual((defect as Errors.Busy).message, "a token of limiter lock is in use by greedy")
      })
    )
    assert.strictEqual(limiter.statistics.borrowed, 0)
  })

  live("C15: so does one that is full, and one that asks without waiting", function*() {
    const limiter = yield* CapacityLimiter.make(5)
    assert.instanceOf(defectOf(yield* Effect.exit(limiter.withToken(limiter.withToken(Effect.void)))), Errors.Busy)
    assert.instanceOf(defectOf(yield* Effect.exit(limiter.withToken(limiter.tryWithToken(Effect.void)))), Errors.Busy)
    assert.strictEqual(limiter.statistics.borrowed, 0)
  })

  live("C15: scopes, time limits, shields and nursery bodies are the task around them", function*() {
    const limiter = yield* CapacityLimiter.make(1)
    const inside: Array<(effect: Effect.Effect<void>) => Effect.Effect<unknown, unknown>> = [
      (effect) => Timeout.failAfter(effect, "1 hour"),
      (effect) => CancelScope.open(() => effect),
      (effect) => CancelScope.shield(effect),
      (effect) => Nursery.open(() => effect),
      (effect) => Timeout.failAfter(Nursery.open(() => Timeout.moveOnAfter(effect, "1 hour")), "2 hours")
    ]
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        for (const wrap of inside) {
          const atRoot = Effect.exit(limiter.withToken(wrap(limiter.withToken(Effect.void))))
          assert.instanceOf(defectOf(yield* atRoot), Errors.Busy)
          assert.instanceOf(defectOf(yield* (yield* n.startNow(atRoot)).join), Errors.Busy)
          assert.instanceOf(defectOf(yield* wrap(Effect.asVoid(atRoot)).pipe(Effect.andThen(atRoot))), Errors.Busy)
        }
      })
    )
    assert.strictEqual(limiter.statistics.borrowed, 0)
  })

  live("are others in a task that was started, in a branch of gather, and in a fiber that Effect forked", function*() {
    const limiter = yield* CapacityLimiter.make(2)
    const use = limiter.withToken(Effect.void)
    yield* limiter.withToken(Nursery.open((n) => n.startSoon(use)))
    yield* limiter.withToken(Tasks.gather([use, use]))
    yield* limiter.withToken(Effect.all([use, use], { concurrency: "unbounded" }))
    // Also in the first steps of a body.
    yield* limiter.withToken(Timeout.failAfter(Effect.all([use, use], { concurrency: "unbounded" }), "1 hour"))
    yield* Nursery.open((n) =>
      n.startNow(limiter.withToken(Timeout.failAfter(Effect.all([use, use], { concurrency: "unbounded" }), "1 hour")))
    )
    assert.strictEqual(limiter.statistics.borrowed, 0)
  })

  live("that are named hold their token until the Scope closes", function*() {
    const limiter = yield* CapacityLimiter.make(1)
    const connection = { id: 1 }
    const scope = yield* Scope.make()
    yield* Scope.provide(limiter.acquireFor(connection), scope)
    assert.deepStrictEqual(limiter.statistics.borrowers, [connection])
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const waiting = yield* n.startNow(limiter.withToken(Effect.void))
        assert.isTrue(Option.isNone(waiting.poll))
        yield* Scope.close(scope, Exit.void)
        yield* waiting.join
      })
    )
    assert.strictEqual(limiter.statistics.borrowed, 0)
  })

  live("C15: that are named get a typed Busy for a second token", function*() {
    const limiter = yield* CapacityLimiter.make(3, { name: "pool" })
    const twice = Effect.scoped(Effect.andThen(limiter.acquireFor("a"), limiter.acquireFor("a")))
    const error = yield* Effect.flip(twice)
    assert.deepInclude({ ...error }, { what: "a token of limiter pool", holder: "a" })
    assert.strictEqual(limiter.statistics.borrowed, 0)
  })

  live("C15: that are named twice while both wait: the second is told when its turn comes", function*() {
    const limiter = yield* CapacityLimiter.make(1)
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const go = yield* Deferred.make<void>()
        yield* n.startNow(limiter.withToken(Deferred.await(go)))
        const hold = Effect.scoped(Effect.andThen(limiter.acquireFor("a"), Effect.sleep(10)))
        const first = yield* n.startNow(Effect.exit(hold))
        const second = yield* n.startNow(Effect.exit(hold))
        yield* limiter.setTotal(2)
        yield* Deferred.succeed(go, undefined)
        assert.strictEqual((yield* second.join)._tag, "Failure")
        assert.strictEqual((yield* first.join)._tag, "Success")
      })
    )
    assert.strictEqual(limiter.statistics.borrowed, 0)
  })

  live("that are refused pass the token on to the next", function*() {
    const limiter = yield* CapacityLimiter.make(2)
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const go = yield* Deferred.make<void>()
        yield* n.startNow(limiter.withToken(Deferred.await(go)))
        yield* n.startNow(limiter.withToken(Deferred.await(go)))
        const hold = Effect.exit(Effect.scoped(Effect.andThen(limiter.acquireFor("a"), Effect.never)))
        yield* n.startNow(hold)
        const second = yield* n.startNow(hold)
        const third = yield* n.startNow(limiter.withToken(Effect.void))
        yield* Deferred.succeed(go, undefined)
        assert.strictEqual((yield* second.join)._tag, "Failure")
        yield* third.join
        yield* n.cancelTasks()
      })
    )
    assert.strictEqual(limiter.statistics.borrowed, 0)
  })

  live("that were cancelled while they waited for a named token leave nothing behind", function*() {
    const limiter = yield* CapacityLimiter.make(0)
    yield* Effect.scoped(Effect.gen(function*() {
      assert.isTrue(Option.isNone(yield* Timeout.moveOnAfter(limiter.acquireFor("a"), 5)))
      assert.deepInclude(limiter.statistics, { borrowed: 0, waiting: 0 })
      yield* limiter.setTotal(1)
      yield* limiter.acquireFor("a")
    }))
    assert.strictEqual(limiter.statistics.borrowed, 0)
  })
})

describe("CapacityLimiter.tryWithToken", () => {
  live("runs when a token is free, and not at all when none is or others wait", function*() {
    const limiter = yield* CapacityLimiter.make(1)
    assert.deepStrictEqual(yield* limiter.tryWithToken(Effect.succeed(1)), Option.some(1))
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        yield* n.startNow(limiter.withToken(Effect.sleep(10)))
        assert.isTrue(Option.isNone(yield* limiter.tryWithToken(Effect.die("must not run"))))
        yield* Effect.sleep(10)
        assert.deepStrictEqual(yield* limiter.tryWithToken(Effect.succeed(2)), Option.some(2))
        yield* limiter.setTotal(0)
        assert.isTrue(Option.isNone(yield* limiter.tryWithToken(Effect.void)))
      })
    )
  })
})

describe("CapacityLimiter.setTotal", () => {
  live("lets as many go on as fit, and takes no token from anybody", function*() {
    const limiter = yield* CapacityLimiter.make(2)
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        for (let i = 0; i < 6; i++) yield* n.startNow(limiter.withToken(Effect.sleep(10)))
        assert.deepInclude(limiter.statistics, { borrowed: 2, waiting: 4 })
        yield* limiter.setTotal(5)
        assert.deepInclude(limiter.statistics, { borrowed: 5, waiting: 1 })
        yield* limiter.setTotal(1)
        assert.deepInclude(limiter.statistics, { total: 1, borrowed: 5, waiting: 1 })
        yield* Effect.sleep(10)
        yield* blocked
        assert.deepInclude(limiter.statistics, { borrowed: 1, waiting: 0 })
      })
    )
  })

  live("C14: never more than the total hold a token while it goes from 100 to 1 and back and 10,000 wait", function*() {
    const limiter = yield* CapacityLimiter.make(100)
    let allowed = 100
    let running = 0
    let ended = 0
    const job = Effect.suspend(() => {
      // Nobody may start while more than the current total run.
      assert.isAtMost(++running, allowed)
      return Effect.ensuring(Effect.sleep(1), Effect.sync(() => {
        running--
        ended++
      }))
    })
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        for (let i = 0; i < 10_000; i++) yield* n.startSoon(limiter.withToken(job))
        yield* Effect.sleep(10)
        allowed = 1
        yield* limiter.setTotal(1)
        yield* Effect.sleep(2)
        assert.strictEqual(running, 1)
        yield* Effect.sleep(50)
        allowed = 100
        yield* limiter.setTotal(100)
        yield* blocked
        assert.strictEqual(running, 100)
      })
    )
    assert.strictEqual(ended, 10_000)
    assert.deepStrictEqual(limiter.statistics, { total: 100, borrowed: 0, waiting: 0, borrowers: [] })
  })
})
