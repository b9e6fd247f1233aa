/**
 * A small program for each primitive of the core, which says what went wrong in it. They hold under every
 * schedule, with a cancel at any step (core.test.ts), and fail when the core has a bug (mutants.test.ts).
 */
import { Effect, Exit, Option, Result, Stream } from "effect"
import type * as Library from "effect-nursery"
import type { Explore } from "effect-nursery/testing"

export interface Subject {
  readonly name: string
  /** What went wrong; it may also fail, when its own task was cancelled. */
  readonly program: Effect.Effect<ReadonlyArray<string>, unknown>
  readonly options?: Explore.Options<ReadonlyArray<string>, unknown>
}

type Wrong = Array<string>

/** Makes a program of a check that notes what is wrong. State is made anew in each run. */
const checking = (body: (wrong: Wrong) => Effect.Effect<unknown, unknown>): Effect.Effect<ReadonlyArray<string>, unknown> =>
  Effect.suspend(() => {
    const wrong: Wrong = []
    return Effect.as(body(wrong), wrong)
  })

const errorsOf = (exit: Exit.Exit<unknown, unknown>): Array<string> =>
  exit._tag === "Success" ? [] : exit.cause.reasons.flatMap((reason) => reason._tag === "Fail" ? [String(reason.error)] : reason._tag === "Die" ? [String(reason.defect)] : [])

/** Gives others turns until it is true. */
const until = (isTrue: () => boolean): Effect.Effect<void> => Effect.suspend(() => isTrue() ? Effect.void : Effect.andThen(Effect.yieldNow, until(isTrue)))

export const subjects = ({ Broadcast, CancelScope, CapacityLimiter, Event, MemoryChannel, Nursery, Tasks, Timeout, Watch }: typeof Library): ReadonlyArray<Subject> => [
  {
    name: "a nursery keeps every error, and outlives every task",
    program: checking((wrong) =>
      Effect.gen(function*() {
        let living = 0
        const task = (self: Effect.Effect<unknown, string>) =>
          Effect.acquireUseRelease(Effect.sync(() => living++), () => self, () => Effect.andThen(Effect.yieldNow, Effect.sync(() => living--)))
        const handles: Array<Library.Nursery.Task<unknown, string>> = []
        // It fails although it is told to stop: both errors come out.
        const stubborn = Effect.uninterruptible(Effect.andThen(Effect.yieldNow, Effect.fail("second")))
        const exit = yield* Effect.exit(Nursery.open((n) =>
          Effect.gen(function*() {
            handles.push(yield* n.startNow(task(Effect.andThen(Effect.yieldNow, Effect.fail("first")))))
            handles.push(yield* n.startNow(task(stubborn)))
            yield* n.startSoon(task(Effect.never))
          })))
        if (living !== 0) wrong.push(`${living} tasks outlived the nursery`)
        const errors = errorsOf(exit)
        for (const error of handles.flatMap((task) => errorsOf(Option.getOrThrow(task.poll)))) {
          if (!errors.includes(error)) wrong.push(`lost: ${error}; came: ${errors.join()}`)
        }
      })
    ),
    // A task that Explore cancels may have no error to give.
    options: { cancelEverywhere: false }
  },
  {
    name: "a nursery waits for what its tasks clean up",
    program: checking((wrong) =>
      Effect.gen(function*() {
        let held = 0
        const holding = Effect.acquireUseRelease(
          Effect.sync(() => held++),
          () => Effect.sleep(2),
          () => Effect.andThen(Effect.sleep(1), Effect.sync(() => held--))
        )
        const result = yield* CancelScope.open((scope) =>
          Nursery.open((n) =>
            Effect.gen(function*() {
              yield* n.startSoon(holding)
              yield* n.startNow(holding, { service: true })
              yield* n.startSoon(Effect.andThen(Effect.sleep(1), scope.cancel()))
            }))
        )
        if (held !== 0) wrong.push(`${held} still held`)
        if (Result.isFailure(result) && result.failure.source !== "explicit") wrong.push(`cancelled by ${result.failure.source}`)
      })
    )
  },
  {
    name: "a scope absorbs its own cancel only",
    program: checking((wrong) =>
      Nursery.open((n) =>
        Effect.gen(function*() {
          const ready = yield* Event.make()
          let cancelInner = Effect.void
          const result = yield* CancelScope.open((outer) =>
            Effect.gen(function*() {
              yield* n.startSoon(Effect.andThen(ready.wait, outer.cancel("outer")))
              yield* n.startSoon(Effect.andThen(ready.wait, Effect.suspend(() => cancelInner)))
              const body = (inner: Library.CancelScope.CancelScope) => {
                cancelInner = inner.cancel("inner")
                return Effect.andThen(ready.set, Effect.sleep(5))
              }
              // In one step with the end of the scope: afterwards the outer one may be cancelled, too.
              yield* Effect.map(CancelScope.open(body, { name: "inner" }), (inner) => {
                if (Result.isFailure(inner) && outer.state === "cancelled") wrong.push("the inner scope absorbed what was for the outer one")
                if (Result.isFailure(inner) && inner.failure.message !== "inner") wrong.push(`the inner scope was cancelled: ${inner.failure.message}`)
              })
            }), { name: "outer" })
          if (Result.isFailure(result) && result.failure.message !== "outer") wrong.push(`the outer scope was cancelled: ${result.failure.message}`)
        })
      )
    )
  },
  {
    name: "a time limit and the end of its body give one of the two",
    program: checking((wrong) =>
      Effect.gen(function*() {
        let released = 0
        const body = Effect.acquireUseRelease(Effect.void, () => Effect.as(Effect.sleep(1), 42), () => Effect.sync(() => released++))
        const value = yield* Timeout.moveOnAfter(body, 1)
        if (Option.isSome(value) && value.value !== 42) wrong.push(`value ${String(value.value)}`)
        if (released > 1 || (Option.isSome(value) && released !== 1)) wrong.push(`released ${released} times`)
      })
    )
  },
  {
    name: "gather keeps the order and the limit, and leaves nobody behind",
    program: checking((wrong) =>
      Effect.gen(function*() {
        let running = 0
        const job = (i: number) =>
          Effect.acquireUseRelease(
            Effect.sync(() => {
              if (++running > 2) wrong.push(`${running} at a time`)
            }),
            () => Effect.as(Effect.sleep(3 - i), i),
            () => Effect.sync(() => running--)
          )
        const values = yield* Tasks.gather([job(0), job(1), job(2)], { concurrency: 2 })
        if (values.join() !== "0,1,2") wrong.push(`order ${values.join()}`)
        if (running !== 0) wrong.push(`${running} left`)
        const failing = yield* Effect.exit(Tasks.gather([job(0), Effect.fail("no")]))
        if (running !== 0) wrong.push(`${running} left after a failure`)
        if (errorsOf(failing).join() !== "no") wrong.push(`gather gave ${errorsOf(failing).join()}`)
      })
    )
  },
  {
    name: "a race has one winner, and its losers have ended",
    program: checking((wrong) =>
      Effect.gen(function*() {
        let running = 0
        const runner = (i: number) =>
          Effect.acquireUseRelease(Effect.sync(() => running++), () => Effect.as(Effect.sleep(1), i), () => Effect.andThen(Effect.yieldNow, Effect.sync(() => running--)))
        const first = yield* Tasks.firstCompleted([runner(1), runner(2)])
        if (running !== 0) wrong.push("a loser outlived firstCompleted")
        const success = yield* Tasks.firstSuccess([runner(3), runner(4)], { stagger: 1 })
        if (running !== 0) wrong.push("a loser outlived firstSuccess")
        if (![1, 2].includes(first) || ![3, 4].includes(success)) wrong.push(`winners ${first}, ${success}`)
      })
    )
  },
  {
    name: "asCompleted gives every exit once",
    program: checking((wrong) =>
      Effect.gen(function*() {
        const seen: Array<number> = []
        yield* Stream.runForEach(Tasks.asCompleted([Effect.sleep(1), Effect.fail("no"), Effect.yieldNow]), ({ exit, index }) =>
          Effect.sync(() => {
            seen.push(index)
            if (Exit.isFailure(exit) !== (index === 1)) wrong.push(`${index}: ${exit._tag}`)
          }))
        if (seen.toSorted().join() !== "0,1,2") wrong.push(`came: ${seen.join()}`)
      })
    )
  },
  ...[0, 1].map((capacity): Subject => ({
    name: `a channel of ${capacity} loses no value and gives none twice`,
    program: checking((wrong) =>
      Effect.gen(function*() {
        const [sender, receiver] = yield* MemoryChannel.make<string>(capacity)
        const sent: Array<string> = []
        const received: Array<string> = []
        const own: Array<Array<string>> = [[], []]
        const cancelled = new Set<string>()
        yield* Nursery.open((n) =>
          Effect.gen(function*() {
            const task = (name: string, self: Effect.Effect<unknown, unknown>) => n.startSoon(self as Effect.Effect<unknown>, { name })
            const senders = [1, 2].map((s) => Effect.forEach(["a", "b"], (v) => Effect.map(sender.send(`${s}${v}`), () => sent.push(`${s}${v}`))))
            const receive = (r: number) => Effect.map(receiver.receive, (value) => received.push(value) + own[r]!.push(value))
            const tasks = yield* Effect.all([
              task("sender 1", senders[0]!),
              task("sender 2", senders[1]!),
              task("receiver 1", Effect.andThen(receive(0), receive(0))),
              task("receiver 2", Effect.andThen(receive(1), receive(1)))
            ])
            yield* Timeout.moveOnAfter(Effect.forEach(tasks, (task) => task.await), 10)
            for (const task of tasks) if (Option.exists(task.poll, Exit.isFailure)) cancelled.add(task.name)
            yield* n.cancelTasks()
          })
        )
        for (;;) {
          const rest = yield* receiver.tryReceive
          if (Option.isNone(rest)) break
          received.push(rest.value)
        }
        if (new Set(received).size !== received.length) wrong.push(`twice: ${received.join()}`)
        for (const value of sent) if (!received.includes(value)) wrong.push(`lost: ${value}`)
        for (const s of ["1", "2"]) {
          for (const list of own) {
            const mine = list.filter((value) => value.startsWith(s))
            if (mine.join() !== mine.toSorted().join()) wrong.push(`order: ${mine.join()}`)
          }
        }
        if (cancelled.size === 0 && received.length !== 4) wrong.push(`only ${received.join()}`)
      })
    ),
    options: { busyHost: false }
  })),
  {
    name: "a broadcast reaches every subscriber in one order",
    program: checking((wrong) =>
      Effect.gen(function*() {
        const news = yield* Broadcast.make<number>({ capacity: 1 })
        const seen: Array<Array<number>> = [[], []]
        const whole = [false, false]
        yield* Nursery.open((n) =>
          Effect.gen(function*() {
            const subscriber = (i: number) => (started: (value: number) => Effect.Effect<void>) =>
              Effect.scoped(Effect.gen(function*() {
                const mine = yield* news.subscribe()
                yield* started(i)
                yield* Stream.runForEach(mine.stream, (value) => Effect.sync(() => seen[i]!.push(value)))
                whole[i] = true
              })) as Effect.Effect<void>
            for (const i of [0, 1]) yield* n.start(subscriber(i), { name: `subscriber ${i}` })
            for (const value of [1, 2, 3]) yield* news.publish(value)
            yield* news.close
          })
        )
        for (const i of [0, 1]) {
          if (whole[i] ? seen[i]!.join() !== "1,2,3" : !"1,2,3".startsWith(seen[i]!.join())) wrong.push(`subscriber ${i}: ${seen[i]!.join()}`)
        }
      })
    )
  },
  {
    name: "a limiter is never above its total, and has its tokens back at the end",
    program: checking((wrong) =>
      Effect.gen(function*() {
        const limiter = yield* CapacityLimiter.make(1, { name: "one" })
        let active = 0
        const job = limiter.withToken(Effect.acquireUseRelease(
          Effect.sync(() => {
            if (++active > 1) wrong.push(`${active} active`)
          }),
          () => Effect.yieldNow,
          () => Effect.sync(() => active--)
        ))
        yield* Nursery.open((n) =>
          Effect.gen(function*() {
            const impatient = yield* n.startSoon(job, { name: "impatient" })
            yield* n.startSoon(job, { name: "patient" })
            yield* n.startSoon(Effect.asVoid(Effect.exit(Timeout.moveOnAfter(job, 1))), { name: "limited" })
            yield* Effect.yieldNow
            yield* impatient.cancel()
          }))
        const { borrowed, waiting } = limiter.statistics
        if (borrowed + waiting > 0) wrong.push(`${borrowed} borrowed, ${waiting} waiting`)
        yield* limiter.withToken(Effect.void)
      })
    )
  },
  {
    name: "a limiter and a channel serve in the order of arrival",
    program: checking((wrong) =>
      Effect.gen(function*() {
        const limiter = yield* CapacityLimiter.make(1)
        const [sender, receiver] = yield* MemoryChannel.make<number>(0)
        const borrowers: Array<number> = []
        const receivers: Array<number> = []
        yield* Nursery.open((n) =>
          Effect.gen(function*() {
            const arrived = yield* Event.make()
            yield* n.startNow(limiter.withToken(arrived.wait))
            yield* until(() => limiter.statistics.borrowed === 1)
            for (const i of [1, 2, 3]) {
              yield* n.startNow(limiter.withToken(Effect.sync(() => borrowers.push(i))))
              yield* until(() => limiter.statistics.waiting === i)
              yield* n.startNow(Effect.map(Effect.orDie(receiver.receive), () => receivers.push(i)))
              yield* until(() => receiver.statistics.waitingReceivers === i)
            }
            yield* arrived.set
            for (const i of [1, 2, 3]) yield* Effect.orDie(sender.send(i))
          })
        )
        if (borrowers.join() !== "1,2,3") wrong.push(`borrowers ${borrowers.join()}`)
        if (receivers.join() !== "1,2,3") wrong.push(`receivers ${receivers.join()}`)
      })
    ),
    // Who is cancelled does not arrive.
    options: { cancelEverywhere: false }
  },
  {
    name: "an event, a watch and the end of a task wake whoever waits",
    program: checking((wrong) =>
      Effect.gen(function*() {
        const go = yield* Event.make({ name: "go" })
        const count = yield* Watch.make(0, { name: "count" })
        let woken = 0
        yield* Nursery.open((n) =>
          Effect.gen(function*() {
            const runner = Effect.andThen(go.wait, Effect.asVoid(count.update((n) => n + 1)))
            const first = yield* n.startSoon(runner)
            const second = yield* n.startSoon(runner)
            yield* n.startSoon(Effect.andThen(Effect.exit(first.join), Effect.sync(() => woken++)), { name: "listener" })
            yield* n.startSoon(Effect.asVoid(Timeout.moveOnAfter(count.waitUntil((n) => n === 2), 10)), { name: "watcher" })
            yield* Effect.yieldNow
            yield* go.set
            yield* second.await
          }))
        if (go.waiting !== 0) wrong.push(`${go.waiting} still wait`)
        if (woken > 1) wrong.push(`woken ${woken} times`)
      })
    )
  },
  {
    name: "start comes back with the value or not at all, also when it is cancelled",
    program: checking((wrong) =>
      Effect.gen(function*() {
        let living = 0
        let value: number | undefined
        yield* Effect.exit(Nursery.open((n) =>
          Effect.gen(function*() {
            const server = (started: (value: number) => Effect.Effect<void>) =>
              Effect.acquireUseRelease(Effect.sync(() => living++), () => Effect.andThen(started(7), Effect.sleep(2)), () => Effect.sync(() => living--))
            yield* CancelScope.open((scope) =>
              Effect.gen(function*() {
                yield* n.startSoon(Effect.andThen(Effect.yieldNow, scope.cancel()))
                value = yield* n.start(server, { name: "server" })
              })
            )
          })
        ))
        if (value !== undefined && value !== 7) wrong.push(`value ${String(value)}`)
        if (living !== 0) wrong.push(`${living} live on`)
      })
    )
  }
]
