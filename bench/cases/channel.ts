/**
 * What does it cost to hand a value from one task to another?
 *
 * One task sends 1,000,000 numbers, another receives them. `channel-0`: nothing is buffered, each send
 * meets a receive. `channel-1024`: a buffer of 1,024.
 */
import type { Case, Run } from "../harness/Case.ts"
import { faster, ours } from "../harness/Case.ts"

const oneScheduler = async () => ({ scheduler: (await import("effect-nursery/TurnScheduler")).make() })

export const channel = (capacity: number, turns = false) => async (): Promise<Run> => {
  const Effect = await import("effect/Effect")
  const MemoryChannel = await import("effect-nursery/MemoryChannel")
  const Nursery = await import("effect-nursery/Nursery")
  const options = turns ? await oneScheduler() : undefined
  return async (n) => {
    let inOrder = 0
    const program = Nursery.open((nursery) =>
      Effect.gen(function*() {
        const [sender, receiver] = yield* MemoryChannel.make<number>(capacity)
        yield* nursery.startSoon(Effect.gen(function*() {
          for (let i = 0; i < n; i++) yield* sender.send(i)
        }))
        yield* nursery.startSoon(Effect.gen(function*() {
          for (let i = 0; i < n; i++) if ((yield* receiver.receive) === i) inOrder++
        }))
      })
    )
    await Effect.runPromise(program, options)
    return inOrder
  }
}

const queue = (capacity: number, turns = false) => async (): Promise<Run> => {
  const Effect = await import("effect/Effect")
  const Fiber = await import("effect/Fiber")
  const Queue = await import("effect/Queue")
  const options = turns ? await oneScheduler() : undefined
  return async (n) => {
    let inOrder = 0
    const program = Effect.gen(function*() {
      const queue = yield* Queue.bounded<number>(capacity)
      const producer = yield* Effect.forkChild(Effect.gen(function*() {
        for (let i = 0; i < n; i++) yield* Queue.offer(queue, i)
      }))
      const consumer = yield* Effect.forkChild(Effect.gen(function*() {
        for (let i = 0; i < n; i++) if ((yield* Queue.take(queue)) === i) inOrder++
      }))
      yield* Fiber.joinAll([producer, consumer])
    })
    await Effect.runPromise(program, options)
    return inOrder
  }
}

const n = 1_000_000
// Python's channels are slower by far: a fifth is measured.
const fewer = n / 5

export const channel0: Case = {
  name: "channel-0",
  question: "What does it cost to hand over 1,000,000 values one by one, without a buffer?",
  reference: "Queue.bounded(0)",
  sides: {
    [ours]: { n, load: channel(0) },
    "Queue.bounded(0)": {
      n,
      load: queue(0),
      note: "Effect's Queue does know capacity 0: an offer waits for its taker, as here"
    },
    [`${ours}, TurnScheduler`]: { n, load: channel(0, true) },
    "Queue.bounded(0), TurnScheduler": { n, load: queue(0, true) },
    "asyncio.Queue(1)": { n: fewer, python: "asyncio", note: "capacity 1: asyncio's Queue(0) has no limit" },
    Trio: { n: fewer, python: "trio" }
  },
  targets: [faster("Queue.bounded(0)", 2, 4)]
}

export const channel1024: Case = {
  name: "channel-1024",
  question: "What does it cost to send 1,000,000 values through a buffer of 1,024?",
  reference: "Queue.bounded(1024)",
  sides: {
    [ours]: { n, load: channel(1024) },
    "Queue.bounded(1024)": { n, load: queue(1024), note: "offer and take, one value at a time" },
    [`${ours}, TurnScheduler`]: { n, load: channel(1024, true) },
    "Queue.bounded(1024), TurnScheduler": { n, load: queue(1024, true) },
    "asyncio.Queue(1024)": { n: fewer, python: "asyncio" },
    Trio: { n: fewer, python: "trio" }
  },
  targets: [faster("Queue.bounded(1024)", 1, 2)]
}
