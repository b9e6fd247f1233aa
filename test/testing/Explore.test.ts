import { Cause, Deferred, Effect, Exit, Fiber, Latch, PartitionedSemaphore, Random, Ref, Semaphore } from "effect"
import { CancelScope, CapacityLimiter, Event, MemoryChannel, Nursery, Tasks, Timeout } from "effect-nursery"
import { Explore, VirtualClock } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"

const foundIn = <A, E>(report: Explore.Report<A, E>): Explore.Found<A, E> => {
  if (report._tag === "Passed") assert.fail(`nothing was found in ${report.schedules} schedules`)
  return report
}

const passedIn = <A, E>(report: Explore.Report<A, E>): Explore.Passed => {
  if (report._tag === "Found") assert.fail(`${report.why} [${report.schedule}]\n${report.message}\n${report.interleaving}`)
  return report
}

/** Reads and writes without a suspension between: no ordinary run can lose an update. */
const counter = Effect.gen(function*() {
  const ref = yield* Ref.make(0)
  const add = Ref.get(ref).pipe(Effect.flatMap((n) => Ref.set(ref, n + 1)), Effect.asVoid)
  yield* Tasks.gather({ left: add, right: add })
  return yield* Ref.get(ref)
})

const lockOrder = Effect.gen(function*() {
  const a = yield* CapacityLimiter.make(1, { name: "a" })
  const b = yield* CapacityLimiter.make(1, { name: "b" })
  yield* Nursery.open((n) =>
    Effect.gen(function*() {
      yield* n.startSoon(a.withToken(b.withToken(Effect.void)), { name: "left" })
      yield* n.startSoon(b.withToken(a.withToken(Effect.void)), { name: "right" })
    }), { name: "locks" })
})

/** The wait is registered in another step than the check that led to it. */
const missedWakeUp = Effect.gen(function*() {
  let ready = false
  const waiting = new Set<() => void>()
  const wait = Effect.suspend(() =>
    ready ? Effect.void : Effect.callback<void>((resume) => void waiting.add(() => resume(Effect.void)))
  )
  const wake = Effect.sync(() => {
    ready = true
    for (const resume of waiting) resume()
    waiting.clear()
  })
  yield* Tasks.gather([wait, wake])
})

/** Two tasks see that nobody has made the session, and make it. */
const checkThenAct = Effect.gen(function*() {
  const sessions = new Map<string, number>()
  let made = 0
  const session = Effect.gen(function*() {
    if (yield* Effect.sync(() => !sessions.has("ada"))) {
      yield* Effect.sync(() => sessions.set("ada", ++made))
    }
  })
  yield* Tasks.gather([session, session])
  return made
})

const permitLeak = Effect.gen(function*() {
  const permits = yield* PartitionedSemaphore.make<string>({ permits: 1 })
  yield* Nursery.open((n) =>
    Effect.gen(function*() {
      yield* n.startSoon(permits.withPermits("k", 1)(Effect.yieldNow), { name: "one" })
      yield* n.startSoon(permits.withPermits("k", 1)(Effect.yieldNow), { name: "two" })
    }))
  return yield* permits.available
})

describe("Explore.run finds", () => {
  it("a lost update without a suspension, which the usual order never shows", () => {
    assert.strictEqual(Effect.runSync(counter), 2)
    const found = foundIn(Explore.run(counter, { holds: (n) => n === 2 }))
    assert.strictEqual(found.why, "property")
    assert.deepStrictEqual(found.exit, Exit.succeed(1))
    assert.include(found.message, "does not hold for the value 1")
    assert.match(found.schedule, /^\d+\.1$/, "one pause is all it takes")
    assert.match(found.interleaving, /gather 0 +self\.ref\.current {2}→ 0[\s\S]*» gather 0 +pauses[\s\S]*gather 1 +self\.ref\.current {2}→ 0/)
  })

  it("a deadlock of two locks taken in opposite orders, and names the circle", async () => {
    await Effect.runPromise(lockOrder)
    const found = foundIn(Explore.run(lockOrder))
    assert.strictEqual(found.why, "deadlock")
    assert.include(found.message, "wait for each other: left → right → left")
    assert.include(found.message, "left is waiting for a token of limiter b, held by right")
    assert.include(found.message, "right is waiting for a token of limiter a, held by left")
    assert.include(found.message, "nursery locks")
    assert.isTrue(found.exit._tag === "Failure" && Cause.squash(found.exit.cause) instanceof Explore.Deadlock)
  })

  it("the same with Effect's own semaphores, in fibers that Effect forked", () => {
    const program = Effect.gen(function*() {
      const [a, b] = [yield* Semaphore.make(1), yield* Semaphore.make(1)]
      const one = a.withPermit(b.withPermit(Effect.void)).pipe(Effect.withSpan("one"))
      const two = b.withPermit(a.withPermit(Effect.void)).pipe(Effect.withSpan("two"))
      yield* Effect.all([one, two], { concurrency: "unbounded" })
    })
    const found = foundIn(Explore.run(program))
    assert.strictEqual(found.why, "deadlock")
    assert.match(found.message, /fiber \d \(span one\) is waiting in an operation of Effect/)
    assert.match(found.message, /fiber \d \(span two\) is waiting in an operation of Effect/)
  })

  it("a check-then-act on a Map", () => {
    const found = foundIn(Explore.run(checkThenAct, { holds: (made) => made === 1 }))
    assert.deepStrictEqual(found.exit, Exit.succeed(2))
  })

  it("the permit leak of PartitionedSemaphore.withPermits in effect 4.1.0", () => {
    const found = foundIn(Explore.run(permitLeak, { cancelEverywhere: true, holds: (available) => available === 1 }))
    assert.strictEqual(found.why, "deadlock", "the permit that was lost is waited for")
    assert.match(found.schedule, /cancel=\d+/)
    assert.match(found.interleaving, /» one +is cancelled here/)
    assert.include(found.message, "two is waiting in an operation of Effect")
  })

  it("a missed wake-up", () => {
    assert.isDefined(Effect.runSync(Effect.as(missedWakeUp, true)))
    const found = foundIn(Explore.run(missedWakeUp))
    assert.strictEqual(found.why, "deadlock")
    assert.include(found.message, "is waiting in an operation of Effect")
  })

  for (const [name, program, options] of [
    ["lost update", counter, { holds: (n: unknown) => n === 2 }],
    ["lock order", lockOrder, {}],
    ["missed wake-up", missedWakeUp, {}],
    ["check-then-act", checkThenAct, { holds: (n: unknown) => n === 1 }]
  ] as const) {
    for (const strategy of ["random", "priorities"] as const) {
      it(`the ${name} by ${strategy}`, () => {
        foundIn(Explore.run(program as Effect.Effect<unknown>, { ...options, strategy }))
      })
    }
    it(`the ${name} by depth-first search`, () => {
      foundIn(Explore.run(program as Effect.Effect<unknown>, { ...options, runs: "all" }))
    })
  }
})

describe("Explore.run", () => {
  it("gives the same report every time", () => {
    const options = { holds: (n: number) => n === 2 }
    assert.deepStrictEqual(Explore.run(counter, options), Explore.run(counter, options))
  })

  it("finds with its seed alone what it found on the way to it", () => {
    for (const [program, options] of [[counter, { holds: (n: unknown) => n === 2 }], [lockOrder, {}], [permitLeak, { cancelEverywhere: true }]] as const) {
      const found = foundIn(Explore.run(program as Effect.Effect<unknown>, options))
      const again = foundIn(Explore.run(program as Effect.Effect<unknown>, { ...options, seed: found.seed, runs: 1 }))
      assert.deepStrictEqual({ ...again, schedules: found.schedules }, found)
    }
  })

  it("passes a program that is right, and says in how many schedules", () => {
    const right = Effect.gen(function*() {
      const ref = yield* Ref.make(0)
      yield* Tasks.gather([Ref.update(ref, (n) => n + 1), Ref.update(ref, (n) => n + 1)])
      return yield* Ref.get(ref)
    })
    const report = passedIn(Explore.run(right, { runs: 500, holds: (n) => n === 2 }))
    assert.deepStrictEqual(report, { _tag: "Passed", schedules: 500, complete: false, coverage: undefined })
  })

  it("reports a failure of the program with the tree of tasks it came through", () => {
    const program = Nursery.open((n) => n.startSoon(Effect.fail("no milk"), { name: "tea" }), { name: "kitchen" })
    const found = foundIn(Explore.run(program))
    assert.strictEqual(found.why, "failure")
    assert.strictEqual(found.seed, 0)
    assert.strictEqual(found.schedule, "usual")
    assert.include(found.message, "kitchen")
    assert.include(found.message, "no milk")
  })

  it("takes what `accepts` says for right", () => {
    passedIn(Explore.run(Effect.fail("expected"), { runs: 10, accepts: Exit.isFailure }))
    assert.strictEqual(foundIn(Explore.run(Effect.void, { accepts: Exit.isFailure })).why, "failure")
  })

  it("takes an assertion that throws for a property that does not hold", () => {
    const found = foundIn(Explore.run(counter, { holds: (n) => assert.strictEqual(n, 2, "an update was lost") }))
    assert.strictEqual(found.why, "property")
    assert.include(found.message, "an update was lost")
  })

  it("ends a livelock at a limit of steps", () => {
    for (const program of [Effect.forever(Effect.void), Effect.forever(Effect.yieldNow), Effect.forever(Effect.sleep(1))]) {
      const found = foundIn(Explore.run(program, { maxSteps: 500, runs: 1 }))
      assert.strictEqual(found.why, "livelock")
      assert.include(found.message, "500 steps")
    }
  })

  it("reports a step of the schedule that throws outside of every effect", () => {
    const program = Effect.callback<void>((resume) => {
      resume(Effect.void)
    }).pipe(Effect.andThen(Effect.withFiber((fiber) => {
      fiber.currentDispatcher.scheduleTask(() => {
        throw new Error("outside")
      }, 0)
      return Effect.yieldNow
    })))
    const found = foundIn(Explore.run(program, { runs: 1 }))
    assert.strictEqual(found.why, "thrown")
    assert.include(found.message, "outside")
  })

  it("names a program that waits for something outside as one that waits for ever", () => {
    const found = foundIn(Explore.run(Effect.promise(() => Promise.resolve(1))))
    assert.strictEqual(found.why, "deadlock")
    assert.include(found.message, "main is waiting in an operation of Effect")
  })

  it("is not disturbed by an abandoned program that the real world wakes later", async () => {
    const gates: Array<() => void> = []
    const abandoned = Effect.callback<void>((resume) => void gates.push(() => resume(Effect.void))).pipe(Effect.uninterruptible)
    foundIn(Explore.run(abandoned, { runs: 1 }))
    const report = Explore.run(Effect.suspend(() => {
      for (const open of gates.splice(0)) open()
      return counter
    }), { runs: 200 })
    passedIn(report)
  })

  it("takes programs down that hang, so that nothing of them stays in the task tree", async () => {
    foundIn(Explore.run(lockOrder))
    const { TaskTree } = await import("effect-nursery")
    assert.deepStrictEqual(TaskTree.nowUnsafe(), [])
  })

  it("moves time only when nobody is ready, and lets hours pass in no time", () => {
    const program = Effect.sleep("2 hours").pipe(Timeout.moveOnAfter("1 hour"), Effect.andThen(Timeout.now))
    passedIn(Explore.run(program, { runs: 50, busyHost: false, holds: (millis) => millis === 3_600_000 }))
  })

  it("lets either of two things happen first that are due at the same time", () => {
    const seen = new Set<string>()
    const program = Effect.suspend(() => {
      const order: Array<string> = []
      const sleeper = (name: string) => Effect.andThen(Effect.sleep(5), Effect.sync(() => order.push(name)))
      return Effect.as(Tasks.gather([sleeper("a"), sleeper("b"), sleeper("c")]), order)
    })
    passedIn(Explore.run(program, { runs: 200, holds: (order) => void seen.add(order.join("")) }))
    assert.deepStrictEqual([...seen].sort(), ["abc", "acb", "bac", "bca", "cab", "cba"])
  })

  it("runs a program of a busy host, where a deadline comes before the work that would have been in time", () => {
    const busy = new Set<string>()
    const program = Effect.yieldNow.pipe(Effect.repeat({ times: 5 }), Timeout.moveOnAfter(1))
    passedIn(Explore.run(program, { runs: 2000, holds: (result) => void busy.add(result._tag) }))
    assert.deepStrictEqual([...busy].sort(), ["None", "Some"])
    passedIn(Explore.run(program, { runs: 2000, busyHost: false, holds: (result) => result._tag === "Some" }))
  })

  it("gives the program numbers of its seed, so that a replay draws the same", () => {
    const drawn = new Set<number>()
    passedIn(Explore.run(Random.next, { runs: 20, holds: (n) => void drawn.add(n) }))
    assert.strictEqual(drawn.size, 1)
    passedIn(Explore.run(Random.next, { runs: 20, seed: 7, holds: (n) => void drawn.add(n) }))
    assert.strictEqual(drawn.size, 2)
  })

  it("explores inside a running program, and leaves that as it was", async () => {
    const report = await Effect.runPromise(Nursery.open((n) =>
      Effect.gen(function*() {
        const go = yield* Event.make()
        const task = yield* n.startNow(Effect.map(go.wait, () => Explore.run(lockOrder)))
        yield* go.set
        return yield* task.join
      })
    ))
    assert.strictEqual(foundIn(report).why, "deadlock")
  })

  it("refuses options that make no sense", () => {
    for (const options of [{ runs: 0 }, { runs: 1.5 }, { runs: NaN }, { seed: -1 }, { maxSteps: 0 }, { runs: "all", maxPauses: -1 }] as const) {
      assert.throws(() => Explore.run(Effect.void, options), TypeError, String(Object.values(options).at(-1)))
    }
  })
})

describe("Explore.run with runs: \"all\"", () => {
  const order = Effect.gen(function*() {
    const out: Array<string> = []
    const fibers = yield* Effect.forEach(["a", "b", "c", "d"], (name) => Effect.forkChild(Effect.sync(() => out.push(name))))
    yield* Effect.forEach(fibers, Fiber.join)
    return out.join("")
  })

  it("runs each order of four forks once", () => {
    const seen: Array<string> = []
    const report = passedIn(Explore.run(order, { runs: "all", maxPauses: 0, holds: (order) => void seen.push(order) }))
    assert.strictEqual(new Set(seen).size, 24)
    assert.strictEqual(report.schedules, 24)
    assert.isTrue(report.complete)
  })

  it("bounds the pauses, and more of them are more schedules", () => {
    const counts = [0, 1, 2].map((maxPauses) => passedIn(Explore.run(counter, { runs: "all", maxPauses })).schedules)
    assert.isTrue(counts[0]! < counts[1]! && counts[1]! < counts[2]!, counts.join())
    passedIn(Explore.run(counter, { runs: "all", maxPauses: 0, holds: (n) => n === 2 }))
    foundIn(Explore.run(counter, { runs: "all", maxPauses: 1, holds: (n) => n === 2 }))
  })

  it("gives the value of every order that there is", () => {
    const seen = new Set<number>()
    passedIn(Explore.run(counter, { runs: "all", maxPauses: 3, holds: (n) => void seen.add(n) }))
    assert.deepStrictEqual([...seen].sort(), [1, 2])
  })
})

describe("Explore.run with cancelEverywhere", () => {
  it("cancels at every step of a small program, and says so", () => {
    const program = Nursery.open((n) =>
      Effect.gen(function*() {
        yield* n.startSoon(Effect.sleep(1), { name: "sleeper" })
        yield* Effect.yieldNow
      }))
    const { coverage } = passedIn(Explore.run(program, { cancelEverywhere: true, runs: 300 }))
    assert.isDefined(coverage)
    assert.isAbove(coverage.places, 5)
    assert.deepStrictEqual(coverage.missed, [])
    assert.strictEqual(coverage.cancelled, coverage.places)
  })

  it("names the places that were never cancelled when there were too few runs", () => {
    const { coverage } = passedIn(Explore.run(counter, { cancelEverywhere: true, runs: 2 }))
    assert.isDefined(coverage)
    assert.strictEqual(coverage.cancelled, 2)
    assert.strictEqual(coverage.places - 2, coverage.missed.length)
    assert.match(coverage.missed[0]!, /^.+, after operation \d+$/)
  })

  it("finds a resource that is acquired in one step and guarded in the next", () => {
    const program = Effect.gen(function*() {
      const free = yield* Ref.make(1)
      const use = Ref.set(free, 0).pipe(Effect.andThen(Effect.ensuring(Effect.yieldNow, Ref.set(free, 1))))
      yield* Nursery.open((n) => n.startSoon(use, { name: "user" }))
      return yield* Ref.get(free)
    })
    passedIn(Explore.run(program, { holds: (n) => n === 1 }))
    const found = foundIn(Explore.run(program, { cancelEverywhere: true, holds: (n) => n === 1 }))
    assert.match(found.interleaving, /» user +is cancelled here/)
  })

  it("takes the end by its own cancel for right, and an interrupt of the program's own for wrong", () => {
    passedIn(Explore.run(Effect.yieldNow, { cancelEverywhere: true, runs: 50 }))
    assert.strictEqual(foundIn(Explore.run(Effect.interrupt, { cancelEverywhere: true, runs: 50, accepts: Exit.isSuccess })).why, "failure")
    assert.strictEqual(foundIn(Explore.run(Effect.interrupt)).why, "failure")
  })
})

describe("Explore.replay", () => {
  it("runs the schedule that was found, again and again", () => {
    const found = foundIn(Explore.run(lockOrder))
    for (let i = 0; i < 3; i++) {
      const again = foundIn(Explore.replay(lockOrder, found.schedule))
      assert.strictEqual(again.interleaving, found.interleaving)
      assert.strictEqual(again.message, found.message)
    }
  })

  it("passes when the program is mended", () => {
    const found = foundIn(Explore.run(counter, { holds: (n) => n === 2 }))
    const mended = Effect.gen(function*() {
      const ref = yield* Ref.make(0)
      const add = Ref.update(ref, (n) => n + 1)
      yield* Tasks.gather({ left: add, right: add })
      return yield* Ref.get(ref)
    })
    passedIn(Explore.replay(mended, found.schedule, { holds: (n) => n === 2 }))
  })

  it("refuses what is no schedule", () => {
    assert.throws(() => Explore.replay(counter, "3.1 drop table"), TypeError, "\"drop\"")
  })

  it("keeps what the schedule says of the host, the places of pauses, and the cancel", () => {
    const found = foundIn(Explore.run(permitLeak, { cancelEverywhere: true, pauseAt: "everywhere" }))
    assert.include(found.schedule, "everywhere")
    assert.strictEqual(foundIn(Explore.replay(permitLeak, found.schedule)).why, found.why)
  })
})

describe("the explanation of a deadlock", () => {
  const messageOf = (program: Effect.Effect<unknown, unknown>) => {
    const found = foundIn(Explore.run(program))
    assert.strictEqual(found.why, "deadlock")
    return found.message
  }

  it("follows a channel to the task that would have to receive, and from there to the lock", () => {
    const message = messageOf(Effect.gen(function*() {
      const lock = yield* CapacityLimiter.make(1, { name: "ledger" })
      const [sender, receiver] = yield* MemoryChannel.make<number>(0, { name: "orders" })
      yield* Nursery.open((n) =>
        Effect.gen(function*() {
          yield* n.startSoon(lock.withToken(Effect.forEach([1, 2], (i) => sender.send(i))), { name: "writer" })
          yield* n.startSoon(receiver.receive.pipe(Effect.andThen(lock.withToken(receiver.receive))), { name: "reader" })
        }))
    }))
    assert.include(message, "writer is sending to channel orders, up to reader")
    assert.include(message, "reader is waiting for a token of limiter ledger, held by writer")
    assert.match(message, /writer → reader → writer|reader → writer → reader/)
  })

  it("names two tasks that join each other", () => {
    const message = messageOf(Nursery.open((n) =>
      Effect.gen(function*() {
        const handle = yield* Deferred.make<Nursery.Task<void, never>>()
        const first: Nursery.Task<void, never> = yield* n.startSoon(Effect.flatMap(Deferred.await(handle), (second) => second.join), { name: "first" })
        const second = yield* n.startSoon(first.join, { name: "second" })
        yield* Deferred.succeed(handle, second)
      })
    ))
    assert.match(message, /first → second → first|second → first → second/)
  })

  it("names a task that waits for room in the nursery that it fills", () => {
    const message = messageOf(Nursery.open((n) =>
      Effect.asVoid(n.startSoon(Effect.asVoid(n.startSoon(Effect.void, { name: "inner" })), { name: "outer" })), { name: "small", maxTasks: 1 }))
    assert.include(message, "outer waits for itself")
    assert.include(message, "outer is waiting for room in nursery small, up to outer")
  })

  it("says of an event only who waits for it: nobody has to set it", () => {
    const message = messageOf(Nursery.open((n) => Effect.flatMap(Event.make({ name: "go" }), (go) => n.startSoon(go.wait, { name: "runner" }))))
    assert.include(message, "Who waits:\n  runner is waiting for event go\n")
    assert.notInclude(message, "each other")
  })

  it("sees through the blocks between a task and its wait", () => {
    const message = messageOf(Effect.gen(function*() {
      const a = yield* CapacityLimiter.make(1, { name: "a" })
      const b = yield* CapacityLimiter.make(1, { name: "b" })
      const inBlocks = <A>(self: Effect.Effect<A>) => CancelScope.open(() => Nursery.open(() => Tasks.gather([self])))
      yield* Nursery.open((n) =>
        Effect.gen(function*() {
          yield* n.startSoon(a.withToken(Effect.andThen(Effect.yieldNow, inBlocks(b.withToken(Effect.void)))), { name: "left" })
          yield* n.startSoon(b.withToken(Effect.andThen(Effect.yieldNow, inBlocks(a.withToken(Effect.void)))), { name: "right" })
        }))
    }))
    assert.include(message, "limiter b, held by right")
    assert.include(message, "limiter a, held by left")
    assert.include(message, "wait for each other")
  })

  it("is what VirtualClock reports, too", async () => {
    const inTurns = Effect.gen(function*() {
      const a = yield* CapacityLimiter.make(1, { name: "a" })
      const b = yield* CapacityLimiter.make(1, { name: "b" })
      yield* Nursery.open((n) =>
        Effect.gen(function*() {
          yield* n.startSoon(a.withToken(Effect.andThen(Effect.sleep(1), b.withToken(Effect.void))), { name: "left" })
          yield* n.startSoon(b.withToken(Effect.andThen(Effect.sleep(1), a.withToken(Effect.void))), { name: "right" })
        }))
    })
    const error = await VirtualClock.run(inTurns, { deadlockAfter: 10 }).then(() => undefined, (error: unknown) => error)
    assert.instanceOf(error, VirtualClock.Deadlock)
    assert.include(String(error), "left is waiting for a token of limiter b, held by right")
  })

  it("does not take a task for blocked that only waits for time", () => {
    passedIn(Explore.run(Effect.gen(function*() {
      const latch = yield* Latch.make()
      yield* Tasks.gather([latch.await, Effect.andThen(Effect.sleep("1 hour"), latch.open)])
    }), { runs: 50 }))
  })
})
