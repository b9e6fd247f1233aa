import { Duration, Effect, Exit, Option } from "effect"
import { CancelScope, Errors, Event, Nursery, Timeout } from "effect-nursery"
import { VirtualClock } from "effect-nursery/testing"
import { assert, describe, it, vi } from "vitest"
import { now, said, test } from "./support.ts"

const tooSlow = (exit: Exit.Exit<unknown, unknown>): Errors.TooSlow => {
  const reason = Exit.isFailure(exit) ? exit.cause.reasons[0] : undefined
  const error = reason?._tag === "Fail" ? reason.error : undefined
  return error instanceof Errors.TooSlow ? error : assert.fail(`not TooSlow but ${String(said(exit))}`)
}

const longestTimeout = 2 ** 31

describe("Timeout.moveOnAfter", () => {
  test("is some value in time, none after the limit, data first and data last", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* Timeout.moveOnAfter(Effect.as(Effect.sleep(5), 1), 10), Option.some(1))
      assert.deepStrictEqual(yield* Effect.sleep(20).pipe(Timeout.moveOnAfter("10 millis")), Option.none())
      assert.strictEqual(yield* now, 15)
    }))

  test("waits for the cleanup of what it cut off", () =>
    Effect.gen(function*() {
      yield* Timeout.moveOnAfter(Effect.ensuring(Effect.never, Effect.sleep(30)), 10)
      assert.strictEqual(yield* now, 40)
    }))

  test("fails with the errors of that cleanup, which Effect.timeoutOption drops", () =>
    Effect.gen(function*() {
      const slow = Effect.onExit(Effect.never, () => Effect.fail("cleanup"))
      assert.deepStrictEqual(said(yield* Effect.exit(Timeout.moveOnAfter(slow, 10))), ["Fail cleanup"])
      assert.deepStrictEqual(yield* Effect.timeoutOption(slow, 10), Option.none())
    }))

  test("gives the value of an uncancellable body that ends late, where Effect.timeoutOption gives none", () =>
    Effect.gen(function*() {
      const slow = CancelScope.shield(Effect.as(Effect.sleep(20), "late"))
      assert.deepStrictEqual(yield* Timeout.moveOnAfter(slow, 10), Option.some("late"))
      assert.deepStrictEqual(yield* Effect.timeoutOption(Effect.uninterruptible(Effect.as(Effect.sleep(20), "late")), 10), Option.none())
    }))

  test("cancels everything below, also tasks of nurseries", () =>
    Effect.gen(function*() {
      let cleaned = 0
      yield* Timeout.moveOnAfter(Nursery.open((n) =>
        Effect.forEach([1, 2, 3], () => n.startSoon(Effect.ensuring(Effect.never, Effect.sync(() => cleaned++))))), 10)
      assert.strictEqual(cleaned, 3)
    }))

  test("fails as the body fails, in time", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(said(yield* Effect.exit(Timeout.moveOnAfter(Effect.fail("x"), 10))), ["Fail x"])
    }))

  test("leaves no deadline behind", () =>
    Effect.gen(function*() {
      yield* Timeout.moveOnAfter(Effect.void, 1000)
      yield* Timeout.moveOnAfter(Effect.exit(Effect.fail("x")), 1000)
      yield* Timeout.moveOnAfter(Effect.sleep(1), 1000)
      // Time stands at 1: were a deadline left, it would be the only thing to jump to.
      yield* VirtualClock.waitAllBlocked
      assert.strictEqual(yield* now, 1)
    }))
})

describe("Timeout.failAfter", () => {
  test("gives the value in time, and fails with TooSlow that names scope and limit", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Timeout.failAfter(Effect.as(Effect.sleep(5), 1), 10), 1)
      const error = tooSlow(yield* Effect.exit(Timeout.failAfter(Effect.never, "1 minute", { name: "login" })))
      assert.strictEqual(error.scope, "login")
      assert.deepStrictEqual(error.after, Duration.minutes(1))
      assert.strictEqual(error.message, "login took longer than 1m")
    }))

  test("is caught by its tag, and an error of the body by its own", () =>
    Effect.gen(function*() {
      class Mine extends Error {
        readonly _tag = "Mine" as const
      }
      const limited = (body: Effect.Effect<string, Mine>) => body.pipe(
        Timeout.failAfter(10),
        Effect.catchTags({ TooSlow: () => Effect.succeed("too slow"), Mine: () => Effect.succeed("mine") })
      )
      assert.strictEqual(yield* limited(Effect.never), "too slow")
      assert.strictEqual(yield* limited(Effect.fail(new Mine())), "mine")
    }))

  test("fails with the errors of the cleanup instead of TooSlow, so that none of them is lost", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Timeout.failAfter(Effect.onExit(Effect.never, () => Effect.fail("cleanup")), 10))
      assert.include(said(exit) as Array<string>, "Fail cleanup")
    }))
})

describe("Timeout.moveOnAt and Timeout.failAt", () => {
  test("take a time of the Clock's monotonic time", () =>
    Effect.gen(function*() {
      yield* Effect.sleep(100)
      assert.deepStrictEqual(yield* Timeout.moveOnAt(Effect.never, 130), Option.none())
      assert.strictEqual(yield* now, 130)
      const exit = yield* Effect.exit(Effect.never.pipe(Timeout.failAt(150, { name: "by then" })))
      assert.strictEqual(tooSlow(exit).scope, "by then")
      assert.strictEqual(yield* now, 150)
    }))

  test("in the past end a body at its first wait", () =>
    Effect.gen(function*() {
      yield* Effect.sleep(100)
      assert.deepStrictEqual(yield* Timeout.moveOnAt(Effect.never, 50), Option.none())
      assert.deepStrictEqual(yield* Timeout.moveOnAt(Effect.never, -Infinity), Option.none())
      tooSlow(yield* Effect.exit(Timeout.failAt(Effect.never, 99)))
      assert.strictEqual(yield* now, 100)
    }))

  test("are never up before that time, however the difference is rounded: who waits for it again would do so for ever", () =>
    Effect.gen(function*() {
      // To whole nanoseconds, as a Duration is; and 5071.321867 + (15061.918168823197 - 5071.321867) is less than the latter.
      for (const [before, at] of [[0, 0.22477936010098987], [5071.321867, 15_061.918168823197]] as const) {
        yield* Timeout.moveOnAt(Effect.never, before)
        yield* Timeout.moveOnAt(Effect.never, at)
        const after = yield* Timeout.now
        assert.isAtLeast(after, at)
        assert.isBelow(after - at, 1e-9)
      }
    }))

  test("never end at Infinity", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* Timeout.moveOnAt(Effect.as(Effect.sleep("1000 days"), 1), Infinity), Option.some(1))
    }))
})

describe("C05: a limit", () => {
  for (const limit of [0, -1, -(2 ** 40), -Infinity]) {
    test(`of ${limit} ms is over at the first step that waits, and lets a body end that never waits`, () =>
      Effect.gen(function*() {
        let begun = false
        const result = yield* Timeout.moveOnAfter(Effect.andThen(Effect.sync(() => begun = true), Effect.never), limit)
        assert.deepStrictEqual(result, Option.none())
        assert.isTrue(begun)
        assert.deepStrictEqual(yield* Timeout.moveOnAfter(Effect.succeed(1), limit), Option.some(1))
        tooSlow(yield* Effect.exit(Timeout.failAfter(Effect.never, limit)))
        assert.strictEqual(yield* Timeout.failAfter(Effect.succeed(1), limit), 1)
        const scope = yield* CancelScope.open(() => Effect.never, { deadline: limit })
        assert.strictEqual(scope._tag, "Failure")
        assert.strictEqual(yield* now, 0)
      }))
  }

  for (const limit of [longestTimeout - 1, longestTimeout, longestTimeout + 1, 2 ** 32 + 5, 2 ** 40, 2 ** 50]) {
    test(`of ${limit} ms ends then and not earlier`, () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* Timeout.moveOnAfter(Effect.as(Effect.sleep(limit / 2), 1), limit), Option.some(1))
        const start = yield* Timeout.now
        assert.deepStrictEqual(yield* Timeout.moveOnAfter(Effect.never, limit), Option.none())
        assert.strictEqual((yield* Timeout.now) - start, limit)
      }))
  }

  test("of Infinity never ends anything", () =>
    Effect.gen(function*() {
      for (const limit of [Infinity, Duration.infinity, "Infinity"] as const) {
        assert.deepStrictEqual(yield* Timeout.moveOnAfter(Effect.as(Effect.sleep("1000 days"), 1), limit), Option.some(1))
      }
    }))

  it("above 2^31 ms never gives the host a timeout that it would wrap", () => {
    const delays: Array<number | undefined> = []
    const spy = vi.spyOn(globalThis, "setTimeout").mockImplementation(((_: () => void, delay?: number) => {
      delays.push(delay)
      return { ref() {}, unref() {} }
    }) as unknown as typeof setTimeout)
    try {
      const fiber = Effect.runFork(Timeout.moveOnAfter(Effect.never, 2 ** 40))
      assert.isUndefined(fiber.pollUnsafe())
      fiber.interruptUnsafe()
    } finally {
      spy.mockRestore()
    }
    assert.isNotEmpty(delays)
    for (const delay of delays) assert.isAtMost(delay!, longestTimeout - 1)
  })

  test("of NaN is a defect that names the option and the value", () =>
    Effect.gen(function*() {
      const attempts = [
        Timeout.moveOnAfter(Effect.void, NaN),
        Timeout.failAfter(Effect.void, NaN),
        Timeout.moveOnAt(Effect.void, NaN),
        Timeout.failAt(Effect.void, NaN)
      ]
      for (const attempt of attempts) {
        assert.match(String(said(yield* Effect.exit(attempt))), /^Die RangeError: Expected `limit` to be .*, got `NaN` \(number\)$/)
      }
    }))
})

describe("C06: nested limits", () => {
  test("with the outer one shorter name the outer one", () =>
    Effect.gen(function*() {
      let after = false
      const inner = Effect.andThen(Timeout.failAfter(Effect.never, 20, { name: "inner" }), Effect.sync(() => after = true))
      const exit = yield* Effect.exit(Timeout.failAfter(inner, 10, { name: "outer" }))
      assert.strictEqual(tooSlow(exit).scope, "outer")
      assert.isFalse(after)
      assert.strictEqual(yield* now, 10)
    }))

  test("with the inner one shorter name the inner one", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Timeout.failAfter(Timeout.failAfter(Effect.never, 10, { name: "inner" }), 20, { name: "outer" }))
      assert.strictEqual(tooSlow(exit).scope, "inner")
    }))

  test("that are equal name the outer one, to any depth and however often", () =>
    Effect.gen(function*() {
      for (let i = 0; i < 20; i++) {
        let limited: Effect.Effect<never, Errors.TooSlow> = Effect.never
        for (let depth = i + 1; depth >= 0; depth--) limited = Timeout.failAfter(limited, 10, { name: `depth ${depth}` })
        assert.strictEqual(tooSlow(yield* Effect.exit(limited)).scope, "depth 0")
      }
    }))

  test("that become equal because the inner one is set to the same time name the outer one", () =>
    Effect.gen(function*() {
      const outer = Timeout.failAt(
        CancelScope.open((scope) => Effect.andThen(scope.setDeadline(30), Effect.never), { deadline: 5 }), 30, { name: "outer" })
      assert.strictEqual(tooSlow(yield* Effect.exit(outer)).scope, "outer")
    }))

  // BUG (ScopeBlock.ts, begin/arm): the inner one expires on its own, and has ended before the outer one is armed.
  test("that are both in the past name the outer one", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Timeout.failAfter(Timeout.failAfter(Effect.never, 0, { name: "inner" }), 0, { name: "outer" }))
      assert.strictEqual(tooSlow(exit).scope, "outer")
    }))

  test("with the inner one behind a shield name the inner one, at the same time too", () =>
    Effect.gen(function*() {
      let inside: Option.Option<never> | undefined
      const result = yield* Timeout.moveOnAfter(CancelScope.shield(Effect.map(Timeout.moveOnAfter(Effect.never, 10), (_) => inside = _)), 10)
      assert.deepStrictEqual(inside, Option.none())
      assert.isTrue(Option.isSome(result), "the body ended well, behind its shield")
    }))
})

describe("P04: the system's clock, set by an hour", () => {
  const hour = 3_600_000
  const setBy = (millis: number) => Effect.sync(() => vi.setSystemTime(Date.now() + millis))
  /** On the live clock, with a system clock that can be set. */
  const live = <A>(effect: Effect.Effect<A>): Promise<A> => {
    vi.useFakeTimers({ toFake: ["Date"] })
    return Effect.runPromise(effect).finally(() => vi.useRealTimers())
  }

  for (const [words, millis] of [["forwards", hour], ["backwards", -hour]] as const) {
    it(`${words} does not bring a limit of half an hour nearer, nor put off one of 20 ms`, () =>
      live(Effect.gen(function*() {
        const body = Effect.gen(function*() {
          yield* Effect.sleep(1)
          yield* setBy(millis)
          return yield* Timeout.moveOnAfter(Effect.andThen(Effect.sleep(1), Effect.never), 20)
        })
        const wall = Date.now()
        assert.deepStrictEqual(yield* Timeout.moveOnAfter(body, "30 minutes"), Option.some(Option.none()))
        // It was set while a limit was running, or else this would show nothing.
        assert.isAbove(Math.abs(Date.now() - wall), hour / 2)
      })))

    it(`${words} while a limit runs does not move it, nor the grace of a stop`, () =>
      live(Effect.gen(function*() {
        const before = yield* Timeout.now
        assert.deepStrictEqual(yield* Timeout.moveOnAfter(Effect.andThen(setBy(millis), Effect.never), 20), Option.none())
        const stopped = yield* CancelScope.open((scope) =>
          Effect.andThen(scope.stop({ grace: 20 }), Effect.andThen(setBy(millis), Effect.never)))
        assert.strictEqual(stopped._tag, "Failure")
        assert.isBelow((yield* Timeout.now) - before, hour / 2)
      })))
  }
})

describe("Time in a long cascade", () => {
  // BUG (Cascade.ts, pause): after 2,048 wake-ups the rest goes to a dispatcher that the clock does not
  // know when no fiber is running, so the clock finds everything blocked and jumps.
  test("stands still until all of 5,000 tasks that one act wakes have run", () =>
    Effect.gen(function*() {
      const times = new Set<number>()
      yield* Nursery.open((n) => Effect.gen(function*() {
        const go = yield* Event.make()
        for (let i = 0; i < 5000; i++) yield* n.startSoon(Effect.andThen(go.wait, Effect.map(Timeout.now, (at) => times.add(at))))
        yield* n.startSoon(Effect.andThen(Effect.sleep(10), go.set))
        yield* n.startSoon(Effect.sleep(11))
      }))
      assert.deepStrictEqual([...times], [10])
    }))
})
