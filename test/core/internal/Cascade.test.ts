import { assert, describe, it } from "vitest"
import { interruptStep, together, wakeUp } from "../../../src/core/internal/Cascade.ts"

const step = (run: () => void) => ({ run })
const noting = (events: Array<string>, event: string) => step(() => void events.push(event))

describe("the cascade", () => {
  it("runs a step at once when nothing else runs", () => {
    const events: Array<string> = []
    wakeUp(noting(events, "woken"))
    interruptStep(noting(events, "interrupted"))
    assert.deepStrictEqual(events, ["woken", "interrupted"])
  })

  it("delivers every interrupt of an act before it wakes anybody", () => {
    const events: Array<string> = []
    together(() => {
      wakeUp(noting(events, "wake 1"))
      interruptStep(noting(events, "interrupt 1"))
      wakeUp(noting(events, "wake 2"))
      interruptStep(noting(events, "interrupt 2"))
      assert.deepStrictEqual(events, ["interrupt 1", "interrupt 2"])
    })
    assert.deepStrictEqual(events, ["interrupt 1", "interrupt 2", "wake 1", "wake 2"])
  })

  it("delivers interrupts that a wake-up sets off before the next wake-up", () => {
    const events: Array<string> = []
    together(() => {
      wakeUp(step(() => {
        events.push("wake 1")
        wakeUp(noting(events, "wake 3"))
        interruptStep(noting(events, "interrupt"))
        events.push("wake 1 goes on")
      }))
      wakeUp(noting(events, "wake 2"))
    })
    assert.deepStrictEqual(events, ["wake 1", "interrupt", "wake 1 goes on", "wake 2", "wake 3"])
  })

  it("delivers interrupts that interrupts set off before anybody is woken", () => {
    const events: Array<string> = []
    together(() => {
      wakeUp(noting(events, "wake"))
      interruptStep(step(() => {
        events.push("outer")
        wakeUp(noting(events, "wake of outer"))
        interruptStep(noting(events, "inner"))
      }))
    })
    assert.deepStrictEqual(events, ["outer", "inner", "wake", "wake of outer"])
  })

  it("runs what steps add flat: a chain of 100,000 needs no stack", () => {
    let left = 100_000
    const next = step(() => {
      if (--left > 0) interruptStep(next)
    })
    interruptStep(next)
    assert.strictEqual(left, 0)
  })

  it("is one act when acts are inside each other", () => {
    const events: Array<string> = []
    together(() => {
      together(() => wakeUp(noting(events, "wake")))
      interruptStep(noting(events, "interrupt"))
    })
    assert.deepStrictEqual(events, ["interrupt", "wake"])
  })

  it("runs the other steps when one throws, and throws the first error at the end", () => {
    const events: Array<string> = []
    assert.throws(() =>
      together(() => {
        interruptStep(step(() => {
          throw new Error("first")
        }))
        interruptStep(noting(events, "interrupt"))
        wakeUp(step(() => {
          throw new Error("second")
        }))
        wakeUp(noting(events, "wake"))
      }), "first")
    assert.deepStrictEqual(events, ["interrupt", "wake"])
    // It does not come again with the next act.
    wakeUp(noting(events, "next"))
    assert.deepStrictEqual(events, ["interrupt", "wake", "next"])
  })

  it("runs what was queued when the act itself throws", () => {
    const events: Array<string> = []
    assert.throws(() =>
      together(() => {
        wakeUp(noting(events, "wake"))
        throw new Error("the act")
      }), "the act")
    assert.deepStrictEqual(events, ["wake"])
  })

  it("lets the event loop in after some thousand wake-ups, and keeps their order, newcomers at the end", async () => {
    const woken: Array<number> = []
    let turns = 0
    let done: () => void = () => {}
    const allWoken = new Promise<void>((resolve) => done = resolve)
    const count = 10_000
    together(() => {
      for (let i = 0; i < count; i++) wakeUp(step(() => void woken.push(i)))
    })
    assert.isAbove(woken.length, 1_000)
    assert.isBelow(woken.length, count)
    wakeUp(step(() => (woken.push(count), done())))
    assert.isBelow(woken.length, count)
    const turn = () => {
      turns++
      if (woken.length < count) setImmediate(turn)
    }
    setImmediate(turn)
    await allWoken
    assert.isAtLeast(turns, 2)
    assert.deepStrictEqual(woken, Array.from({ length: count + 1 }, (_, i) => i))
  })

  it("delivers an interrupt at once, also while wake-ups pause", async () => {
    const events: Array<string> = []
    let done: () => void = () => {}
    const allWoken = new Promise<void>((resolve) => done = resolve)
    together(() => {
      for (let i = 0; i < 10_000; i++) wakeUp(step(() => {}))
      wakeUp(step(() => (events.push("last wake"), done())))
    })
    interruptStep(noting(events, "interrupt"))
    assert.deepStrictEqual(events, ["interrupt"])
    await allWoken
    assert.deepStrictEqual(events, ["interrupt", "last wake"])
  })
})
