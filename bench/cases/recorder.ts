/**
 * What does it cost to have everything that happens written down?
 *
 * The same program without a recorder, with one that hears all and keeps nothing, and with the ring of
 * `Instrument`, which is full all the time, as in production. The target is the price of one event: what the
 * ring adds to the program, divided by the events that it took down.
 */
import type { Effect as EffectType } from "effect/Effect"
import type * as TaskTree from "effect-nursery/TaskTree"
import type { Case, Run, Target } from "../harness/Case.ts"

const off = "no recorder"
const deaf = "a recorder that keeps nothing"
const ring = "Instrument"

/** Does `n` operations and says how many it did. */
type Program = (n: number) => EffectType<number>

/** Each with how many events one operation has, and those of the program around them. */
interface Work {
  readonly n: number
  /** Operations of a warm-up run: a case that is soon over would else pay the compiler. */
  readonly warm?: number
  readonly perOperation: number
  readonly around: number
  readonly load: () => Promise<Program>
}

const withoutRecorder = (work: Work) => async (): Promise<Run> => {
  const Effect = await import("effect/Effect")
  const program = await work.load()
  return (n) => Effect.runPromise(program(n))
}

const nothing = (): void => {}

const withDeafRecorder = (work: Work) => async (): Promise<Run> => {
  const Effect = await import("effect/Effect")
  const { record } = await import("effect-nursery/TaskTree")
  const program = await work.load()
  const recorder: TaskTree.Recorder = {
    opened: nothing,
    closed: nothing,
    started: nothing,
    ended: nothing,
    cancelled: nothing,
    waiting: nothing,
    resumed: nothing
  }
  return (n) => Effect.runPromise(record(recorder)(program(n)))
}

const withInstrument = (work: Work) => async (): Promise<Run> => {
  const Effect = await import("effect/Effect")
  const { Instrument } = await import("effect-nursery/observe")
  const program = await work.load()
  const capacity = 65_536
  const instrument = Instrument.make({ capacity })
  let before = 0
  return async (n) => {
    const done = await Effect.runPromise(Instrument.record(instrument)(program(n)))
    const all = instrument.dropped + Math.min(capacity, before + n * work.perOperation + work.around)
    const events = all - before
    before = all
    // A recorder that misses events is not fast.
    return events === n * work.perOperation + work.around ? done : -1
  }
}

const price = ({ perOperation }: Work): Target => ({
  what: "CPU that the ring adds, for each event",
  unit: " ns",
  better: "lower",
  must: 300,
  stretch: 150,
  value: (rows) => {
    const [a, b] = [rows.get(ring), rows.get(off)]
    return a && b && (a.cpuNs - b.cpuNs) / perOperation
  }
})

const recorderCase = (name: string, what: string, work: Work): Case => {
  const { n, warm = n / 10 } = work
  return {
    name,
    question: `What does it cost to write down everything that happens: ${what}, ${work.perOperation} events each?`,
    reference: off,
    sides: {
      [off]: { n, warm, load: withoutRecorder(work) },
      [deaf]: { n, warm, load: withDeafRecorder(work), note: "the price of the calls alone" },
      [ring]: { n, warm, load: withInstrument(work) }
    },
    targets: [price(work)]
  }
}

/** opened, started (body), ended (body), closed */
const aBlock = 4

const tasks: Work = {
  n: 100_000,
  // started, ended
  perOperation: 2,
  around: aBlock,
  load: async () => {
    const Effect = await import("effect/Effect")
    const Nursery = await import("effect-nursery/Nursery")
    return (n) => {
      let ended = 0
      const task = Effect.map(Effect.yieldNow, () => {
        ended++
      })
      const program = Nursery.open((nursery) =>
        Effect.gen(function*() {
          for (let i = 0; i < n; i++) yield* nursery.startSoon(task)
        })
      )
      return Effect.map(program, () => ended)
    }
  }
}

const blocks: Work = {
  n: 50_000,
  perOperation: aBlock,
  around: 0,
  load: async () => {
    const Effect = await import("effect/Effect")
    const Timeout = await import("effect-nursery/Timeout")
    return (n) =>
      Effect.gen(function*() {
        let done = 0
        for (let i = 0; i < n; i++) {
          const value = yield* Timeout.moveOnAfter(Effect.as(Effect.yieldNow, 1), "1 minute")
          if (value._tag === "Some") done++
        }
        return done
      })
  }
}

const waits: Work = {
  n: 200_000,
  // waiting, resumed
  perOperation: 2,
  around: aBlock + 2,
  load: async () => {
    const Effect = await import("effect/Effect")
    const MemoryChannel = await import("effect-nursery/MemoryChannel")
    const Nursery = await import("effect-nursery/Nursery")
    return (n) => {
      let inOrder = 0
      const program = Nursery.open((nursery) =>
        Effect.gen(function*() {
          const [sender, receiver] = yield* MemoryChannel.make<number>(0, { name: "numbers" })
          yield* nursery.startSoon(Effect.gen(function*() {
            for (let i = 0; i < n; i++) yield* sender.send(i)
          }))
          for (let i = 0; i < n; i++) if ((yield* receiver.receive) === i) inOrder++
        })
      )
      return Effect.orDie(Effect.map(program, () => inOrder))
    }
  }
}

const cancels: Work = {
  // Few enough that the collector, which moves what waits, does not decide the outcome.
  n: 10_000,
  warm: 10_000,
  // started, waiting, cancelled, resumed, ended
  perOperation: 5,
  around: aBlock,
  load: async () => {
    const Effect = await import("effect/Effect")
    const Event = await import("effect-nursery/Event")
    const Nursery = await import("effect-nursery/Nursery")
    return (n) =>
      Nursery.open((nursery) =>
        Effect.gen(function*() {
          const never = yield* Event.make({ name: "never" })
          for (let i = 0; i < n; i++) yield* nursery.startSoon(never.wait)
          while (never.waiting < n) yield* Effect.yieldNow
          yield* nursery.cancelTasks("enough")
          return n - nursery.size
        })
      )
  }
}

export const recorder: ReadonlyArray<Case> = [
  recorderCase("recorder-tasks", "100,000 tasks that give way once", tasks),
  recorderCase("recorder-blocks", "50,000 time limits in a row", blocks),
  recorderCase("recorder-waits", "200,000 values through a channel without a buffer", waits),
  recorderCase("recorder-cancels", "10,000 waiting tasks that are cancelled", cancels)
]
