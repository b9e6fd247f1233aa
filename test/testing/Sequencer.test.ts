import { Deferred, Effect, Exit } from "effect"
import { CancelScope, Nursery, Tasks, TaskTree, Timeout } from "effect-nursery"
import { Sequencer, VirtualClock } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"
import { runSeeded } from "../core/schedules.ts"
import { said, test } from "../core/support.ts"

describe("Sequencer.at", () => {
  test("runs the parts in the order of their numbers, however they are started", () =>
    Effect.gen(function*() {
      const sequencer = yield* Sequencer.make()
      const order: Array<number> = []
      const part = (turn: number) => sequencer.at(turn, Effect.sync(() => order.push(turn)))
      yield* Tasks.map([4, 2, 0, 3, 1], part)
      assert.deepStrictEqual(order, [0, 1, 2, 3, 4])
      assert.strictEqual(sequencer.turn, 5)
    }))

  it("does so under every order of a scheduler", () => {
    for (let seed = 0; seed < 200; seed++) {
      const order: Array<number> = []
      const program = Effect.gen(function*() {
        const sequencer = yield* Sequencer.make()
        const part = (turn: number) => sequencer.at(turn, Effect.andThen(Effect.yieldNow, Effect.sync(() => order.push(turn))))
        yield* Tasks.gather([Effect.andThen(part(0), part(3)), Effect.andThen(part(1), part(4)), part(2)])
      })
      const outcome = runSeeded(program, seed, { coin: 0.3 })
      assert.strictEqual(outcome._tag, "ended", `seed ${seed}`)
      assert.deepStrictEqual(order, [0, 1, 2, 3, 4], `seed ${seed}`)
    }
  })

  test("holds the next turn back until the effect has ended, its cleanup too", () =>
    Effect.gen(function*() {
      const sequencer = yield* Sequencer.make()
      const log: Array<string> = []
      const first = Effect.ensuring(Effect.sleep(5), Effect.andThen(Effect.sleep(5), Effect.sync(() => log.push("first"))))
      yield* Tasks.gather([sequencer.at(1, Effect.sync(() => log.push("second"))), sequencer.at(0, first)])
      assert.deepStrictEqual(log, ["first", "second"])
    }))

  test("goes on after a part that failed, died, or was cancelled in its turn", () =>
    Effect.gen(function*() {
      const sequencer = yield* Sequencer.make()
      assert.deepStrictEqual(said(yield* Effect.exit(sequencer.at(0, Effect.fail("no")))), ["Fail no"])
      assert.deepStrictEqual(said(yield* Effect.exit(sequencer.at(1, Effect.die("bug")))), ["Die bug"])
      yield* Timeout.moveOnAfter(sequencer.at(2, Effect.never), 1)
      assert.strictEqual(yield* sequencer.at(3, Effect.succeed("value")), "value")
    }))

  test("stands in a pipe, unbound", () =>
    Effect.gen(function*() {
      const { at } = yield* Sequencer.make()
      assert.strictEqual(yield* Effect.succeed(1).pipe(at(0)), 1)
    }))

  test("takes its number when it runs: the same effect a second time is a defect", () =>
    Effect.gen(function*() {
      const sequencer = yield* Sequencer.make({ name: "dance" })
      const step = sequencer.at(0, Effect.void)
      yield* step
      const exit = yield* Effect.exit(step)
      assert.deepStrictEqual(said(exit), [
        "Die TurnTaken: Turn 0 of sequencer dance was taken before: each number is for one `at`, which runs once"
      ])
      // The mistake is told to whoever made it, and the sequence goes on.
      yield* sequencer.at(1, Effect.void)
    }))

  test("of a number that somebody waits for is the same defect, and leaves that one alone", () =>
    Effect.gen(function*() {
      const sequencer = yield* Sequencer.make()
      yield* Nursery.open((n) =>
        Effect.gen(function*() {
          const waiting = yield* n.startNow(sequencer.at(1, Effect.succeed("had it")))
          const exit = yield* Effect.exit(sequencer.at(1, Effect.void))
          assert.include(String(said(exit)), "TurnTaken")
          yield* sequencer.at(0, Effect.void)
          assert.strictEqual(yield* waiting.join, "had it")
        })
      )
    }))

  test("of a number that is none is a defect that shows it", () =>
    Effect.gen(function*() {
      const sequencer = yield* Sequencer.make()
      for (const turn of [-1, 0.5, NaN, Infinity, "0" as unknown as number]) {
        assert.deepStrictEqual(said(yield* Effect.exit(sequencer.at(turn, Effect.void))), [
          `Die RangeError: Expected \`turn\` to be an integer from 0 and up, got \`${turn}\` (${typeof turn})`
        ])
      }
      yield* sequencer.at(0, Effect.void)
    }))

  test("breaks when one who waits is cancelled: all others die of it, and who comes later", () =>
    Effect.gen(function*() {
      const sequencer = yield* Sequencer.make({ name: "dance" })
      const broken = "Die SequenceBroken: The sequence of sequencer dance is broken: who waited for turn 2 was cancelled"
      const exits = yield* Nursery.open((n) =>
        Effect.gen(function*() {
          const go = yield* Deferred.make<void>()
          const first = yield* n.startNow(sequencer.at(0, Deferred.await(go)))
          const others = [yield* n.startNow(Effect.exit(sequencer.at(1, Effect.void))), yield* n.startNow(Effect.exit(sequencer.at(3, Effect.void)))]
          const left = yield* n.startNow(sequencer.at(2, Effect.void))
          yield* left.cancel("why")
          const leftExit = yield* left.await
          assert.deepStrictEqual(said(leftExit), ["Interrupt"])
          assert.strictEqual(String(sequencer), "Sequencer(dance, turn 0, 0 waiting, broken)")
          yield* Deferred.succeed(go, undefined)
          yield* first.join
          return yield* Effect.forEach(others, (task) => task.join)
        })
      )
      assert.deepStrictEqual(exits.map(said), [[broken], [broken]])
      assert.deepStrictEqual(said(yield* Effect.exit(sequencer.at(4, Effect.void))), [broken])
    }))

  test("does not break when all are cancelled together: each ends cancelled, and nobody dies", () =>
    Effect.gen(function*() {
      const sequencer = yield* Sequencer.make()
      const result = yield* CancelScope.open((scope) =>
        Effect.andThen(
          Effect.forkChild(Effect.andThen(Effect.sleep(1), scope.cancel()), { startImmediately: true }),
          Tasks.gather([sequencer.at(1, Effect.void), sequencer.at(2, Effect.void), sequencer.at(3, Effect.void)])
        )
      )
      assert.strictEqual(result._tag, "Failure")
    }))

  it("loses no turn when a part is cancelled between two steps", () => {
    const seen = { ran: 0, broken: 0, neverAsked: 0 }
    for (let seed = 0; seed < 500; seed++) {
      const program = Effect.gen(function*() {
        const sequencer = yield* Sequencer.make()
        yield* Nursery.open((n) =>
          Effect.gen(function*() {
            const first = yield* n.startSoon(sequencer.at(0, Effect.yieldNow))
            const second = yield* n.startSoon(Effect.exit(sequencer.at(1, Effect.void)))
            yield* Effect.yieldNow
            yield* first.cancel()
            // Cancelled before it asked, it has left turn 0 to whoever wants it. Otherwise nobody else may have it.
            const instead = yield* Effect.exit(sequencer.at(0, Effect.void))
            const exit = yield* second.join
            if (Exit.isSuccess(instead)) seen.neverAsked++
            else if (Exit.isFailure(exit)) seen.broken++
            else seen.ran++
          })
        )
      })
      assert.strictEqual(runSeeded(program, seed, { coin: 0.3 })._tag, "ended", `seed ${seed}`)
    }
    // All three ways were taken.
    for (const [way, count] of Object.entries(seen)) assert.isAbove(count, 0, way)
  })
})

describe("A Sequencer", () => {
  test("shows in the task tree who waits for which turn", () =>
    Effect.gen(function*() {
      const sequencer = yield* Sequencer.make({ name: "dance" })
      yield* Nursery.open((n) =>
        Effect.gen(function*() {
          yield* n.startNow(sequencer.at(1, Effect.void), { name: "Ann" })
          const tree = TaskTree.toText(yield* TaskTree.now)
          assert.include(tree, "Ann (waiting for turn 1 of sequencer dance)")
          assert.deepStrictEqual(JSON.parse(JSON.stringify(sequencer)), { _id: "Sequencer", name: "dance", turn: 0, waiting: 1, broken: false })
          yield* sequencer.at(0, Effect.void)
        })
      )
    }))

  it("that misses a turn is found as a deadlock, with the turn that is waited for", async () => {
    const program = Effect.flatMap(Sequencer.make(), (sequencer) => Nursery.open((n) => n.startSoon(sequencer.at(1, Effect.void), { name: "Bob" })))
    const exit = await VirtualClock.runExit(program, { deadlockAfter: 10 })
    assert.include(String(said(exit)), "Bob (waiting for turn 1 of sequencer)")
  })
})
