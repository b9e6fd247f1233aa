import { Cause, Context, Effect, Exit, Fiber } from "effect"
import { CancelScope, Nursery, TaskTree, Timeout } from "effect-nursery"
import { VirtualClock } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"

const test = <A, E>(name: string, program: () => Effect.Effect<A, E>) =>
  it(name, async () => void await VirtualClock.run(Effect.suspend(program), { deadlockAfter: 200 }))

describe("What blocks know of Effect (effect 4.1.0)", () => {
  const interruptible = Effect.withFiber((fiber) => Effect.succeed((fiber as { readonly interruptible?: unknown }).interruptible))

  test("a fiber has a field that says whether it can be interrupted now", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* interruptible, true)
      assert.strictEqual(yield* Effect.uninterruptible(interruptible), false)
      assert.strictEqual(yield* Effect.uninterruptible(Effect.interruptible(interruptible)), true)
      let inFinalizer: unknown
      yield* Effect.ensuring(Effect.void, Effect.map(interruptible, (_) => inFinalizer = _))
      assert.strictEqual(inFinalizer, false)
    }))

  test("an interrupted fiber drops typed errors on their way through its handlers", () =>
    Effect.gen(function*() {
      const caught: Array<string> = []
      const fiber = yield* Effect.forkChild(
        Effect.onExit(Effect.never, () => Effect.fail("cleanup")).pipe(Effect.catch((error) => Effect.sync(() => caught.push(error)))),
        { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      // If Effect ever runs this handler, blocks need no longer tell the innermost first.
      assert.deepStrictEqual(caught, [])
    }))

  test("an observer of a fiber is called in the stack of whoever ends it", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const fiber = yield* Effect.forkChild(Effect.never, { startImmediately: true })
      fiber.addObserver(() => log.push("observer"))
      fiber.interruptUnsafe()
      log.push("after")
      assert.deepStrictEqual(log, ["observer", "after"])
    }))

  it("a fiber that runForkWith starts has run to its first wait when it returns", () => {
    const log: Array<string> = []
    const fiber = Effect.runForkWith(Context.empty())(Effect.andThen(Effect.sync(() => log.push("ran")), Effect.never))
    assert.deepStrictEqual(log, ["ran"])
    fiber.interruptUnsafe()
  })
})

describe("Block", () => {
  test("ends from the inside out: each one delivers its errors before its owner is interrupted", () =>
    Effect.gen(function*() {
      const order: Array<string> = []
      const level = (depth: number): Effect.Effect<void, string> =>
        Nursery.open((n) => Effect.gen(function*() {
          yield* n.startNow(Effect.onExit(Effect.never, () => Effect.fail(`cleanup ${depth}`)))
          if (depth > 0) yield* level(depth - 1)
          else yield* Effect.never
        })).pipe(Effect.onExit((exit) => Effect.sync(() => {
          order.push(`${depth}: ${exit._tag === "Failure" ? exit.cause.reasons.filter((_) => _._tag === "Fail").length : "well"}`)
        })))
      const exit = yield* Effect.exit(Timeout.moveOnAfter(level(3), 10))
      assert.deepStrictEqual(order, ["0: 1", "1: 2", "2: 3", "3: 4"])
      assert.isTrue(Exit.isFailure(exit) && !Cause.hasInterrupts(exit.cause))
    }))

  test("that ends at once never makes its owner wait", () =>
    Effect.gen(function*() {
      const fiber = Effect.runFork(Nursery.open((n) => Effect.andThen(CancelScope.open(() => Effect.succeed(1)), n.startNow(Effect.void))))
      assert.isDefined(fiber.pollUnsafe())
    }))

  test("leaves the task tree when it has ended, however it ends", () =>
    Effect.gen(function*() {
      yield* Nursery.open((n) => n.startSoon(Effect.sleep(1)))
      yield* Effect.exit(Nursery.open(() => Effect.fail("x")))
      yield* Timeout.moveOnAfter(Nursery.open((n) => n.startSoon(Effect.never)), 5)
      const fiber = yield* Effect.forkChild(Nursery.open((n) => n.startSoon(Effect.never)), { startImmediately: true })
      yield* VirtualClock.waitAllBlocked
      assert.lengthOf(yield* TaskTree.now, 1)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(yield* TaskTree.now, [])
    }))

  test("opened by fibers that Effect's operators forked inside a task is cancelled with that task", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const work = (name: string) => Nursery.open((n) => n.startNow(Effect.ensuring(Effect.never, Effect.sync(() => log.push(name)))))
      yield* Timeout.moveOnAfter(Effect.all([work("a"), work("b")], { concurrency: "unbounded" }), 10)
      assert.deepStrictEqual(log, ["a", "b"])
    }))

  test("opened in an uninterruptible region is protected from around, and its members can be interrupted from inside", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      yield* Timeout.moveOnAfter(Effect.uninterruptible(Nursery.open((n) => Effect.gen(function*() {
        const task = yield* n.startNow(Effect.never)
        yield* Effect.sleep(20)
        yield* task.cancel()
        log.push(`done at ${yield* Timeout.now}`)
      }))), 10)
      assert.deepStrictEqual(log, ["done at 20"])
    }))

  it("a body that throws while it is made is a defect and not a crash", async () => {
    const boom = new Error("boom")
    const throwing = (): Effect.Effect<void> => {
      throw boom
    }
    for (const block of [Nursery.open(throwing), CancelScope.open(throwing)]) {
      const exit = await VirtualClock.runExit(block)
      const reason = Exit.isFailure(exit) ? exit.cause.reasons[0] : undefined
      assert.strictEqual(reason?._tag === "Die" ? reason.defect : undefined, boom)
    }
  })
})
