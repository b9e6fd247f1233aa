import { Effect, Exit, Fiber } from "effect"
import * as TestClock from "effect/testing/TestClock"
import { Nursery, Tasks, Timeout, TurnScheduler } from "effect-nursery"
import { assert, describe, it } from "vitest"

const dispatcher = () => TurnScheduler.make().makeDispatcher()

describe("TurnScheduler.make", () => {
  it("has one dispatcher for all fibers", () => {
    const scheduler = TurnScheduler.make()
    assert.strictEqual(scheduler.makeDispatcher(), scheduler.makeDispatcher())
    assert.notStrictEqual(scheduler.makeDispatcher(), dispatcher())
  })

  it("runs lower priorities first, and tasks of one priority in the order in which they came", () => {
    const turn = dispatcher()
    const ran: Array<string> = []
    for (const [name, priority] of [["c", 1], ["a", 0], ["e", 10], ["d", 1], ["b", 0], ["before", -1]] as const) {
      turn.scheduleTask(() => void ran.push(name), priority)
    }
    turn.flush()
    assert.deepStrictEqual(ran, ["before", "a", "b", "c", "d", "e"])
  })

  it("runs in one turn what was ready when it began, and what that schedules in the next", () => {
    const turn = dispatcher()
    const ran: Array<string> = []
    turn.scheduleTask(() => {
      ran.push("first")
      turn.scheduleTask(() => void ran.push("urgent, but of the next turn"), -1)
    }, 0)
    turn.scheduleTask(() => void ran.push("second"), 5)
    turn.flush()
    assert.deepStrictEqual(ran, ["first", "second", "urgent, but of the next turn"])
  })

  it("arms the turn again when a task throws: the others run, in order, ahead of newcomers", () =>
    new Promise<void>((resolve, reject) => {
      const turn = dispatcher()
      const ran: Array<string> = []
      const note = (name: string) => () => void ran.push(name)
      turn.scheduleTask(note("a"), 0)
      turn.scheduleTask(() => {
        turn.scheduleTask(note("newcomer"), 0)
        throw new Error("thrown by a task")
      }, 0)
      turn.scheduleTask(note("b"), 0)
      turn.scheduleTask(note("c"), 1)
      assert.throws(() => turn.flush(), "thrown by a task")
      assert.deepStrictEqual(ran, ["a"])
      // Nobody flushes any more: the turn comes by itself.
      turn.scheduleTask(() => {
        try {
          assert.deepStrictEqual(ran, ["a", "b", "newcomer", "c"])
          resolve()
        } catch (error) {
          reject(error)
        }
      }, 2)
    }))

  it("runs a program of many tasks to the end that it has with the default scheduler", async () => {
    const program = Nursery.open((n) => Effect.gen(function*() {
      const ended: Array<number> = []
      for (let i = 0; i < 1_000; i++) yield* n.startSoon(Effect.andThen(Effect.yieldNow, Effect.sync(() => void ended.push(i))))
      yield* n.awaitIdle
      return ended
    }))
    const values = await Effect.runPromise(program, { scheduler: TurnScheduler.make() })
    assert.deepStrictEqual(values, await Effect.runPromise(program))
  })

  it("lets a fiber that never waits give way to the others", () =>
    Effect.runPromise(Effect.gen(function*() {
      let over = false
      const busy = yield* Effect.forkChild(Effect.gen(function*() {
        while (!over) yield* Effect.sync(() => {})
      }))
      yield* Effect.yieldNow
      yield* Effect.yieldNow
      over = true
      yield* Fiber.join(busy)
    }), { scheduler: TurnScheduler.make() }))

  it("composes with TestClock", () =>
    Effect.runPromise(Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Tasks.gather([Effect.sleep("1 hour"), Timeout.moveOnAfter(Effect.never, "30 minutes")]))
      yield* TestClock.adjust("59 minutes")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 minute")
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(fiber)))
    }).pipe(Effect.provide(TestClock.layer())), { scheduler: TurnScheduler.make() }))
})
