/** Situations for each operation of the table in docs/reference/Suspends.md. */
import { Data, Effect, Stream } from "effect"
import { Broadcast, CancelScope, CapacityLimiter, Event, Failures, MemoryChannel, Nursery, Tasks, TaskTree, Timeout, Watch } from "effect-nursery"
import { LoopWatch, Thread } from "effect-nursery/node"
import { CancelReport, Instrument, Metrics, Spans, Timeline } from "effect-nursery/observe"
import { MemoryStream, Sequencer, SimulatedNetwork, StreamKit, Suspends, VirtualClock } from "effect-nursery/testing"
import { netSituations } from "./netOperations.ts"
import { beside, type Check, gen, never, pause, ready, runs, type Situation, type Situations } from "./situation.ts"

const simulated = (body: (network: SimulatedNetwork.SimulatedNetwork, check: Check) => Effect.Effect<unknown, unknown, any>): Situation => (check) =>
  Effect.flatMap(SimulatedNetwork.make(), (network) => body(network, check))

class Refused extends Data.TaggedError("Refused")<{}> {}
const refused: Effect.Effect<void, Refused> = Effect.fail(new Refused())
const refusedLate: Effect.Effect<void, Refused> = Effect.andThen(pause, refused)
const notRefused: Effect.Effect<void, Refused> = Effect.void

class App extends Nursery.Service<App>()("test/App") {}

const spawning = (
  nursery: (body: (n: any) => Effect.Effect<any, any, any>, options?: Nursery.Options) => Effect.Effect<any, any, any>,
  start: (n: any, effect: Effect.Effect<any>, options?: Nursery.TaskOptions) => Effect.Effect<any, any, any>
): Situations => ({
  free: [
    (check) => nursery((n) => check(start(n, Effect.void))),
    (check) => nursery((n) => check(start(n, pause))),
    (check) => nursery((n) => check(start(n, pause, { key: "free" }))),
    (check) => nursery((n) => check(start(n, pause)), { maxTasks: 1 })
  ],
  held: [
    (check) => nursery((n) => Effect.andThen(start(n, pause), check(start(n, pause))), { maxTasks: 1 }),
    (check) => nursery((n) => Effect.andThen(start(n, Effect.ensuring(Effect.never, pause), { key: "k" }), Effect.andThen(Effect.yieldNow, check(start(n, Effect.void, { key: "k" })))))
  ]
})

type Startable = (started: (value: number) => Effect.Effect<void>) => Effect.Effect<unknown>
const announcing = (nursery: (body: (n: any) => Effect.Effect<any, any, any>) => Effect.Effect<any, any, any>, start: (n: any, task: Startable) => Effect.Effect<any, any, any>): Situations => ({
  free: [(check) => nursery((n) => check(start(n, (started) => Effect.andThen(started(1), pause))))],
  held: [(check) => nursery((n) => check(start(n, (started) => Effect.andThen(pause, started(1)))))]
})

const scoping = (nursery: (body: (n: any) => Effect.Effect<any, any, any>) => Effect.Effect<any, any, any>, scoped: (n: any) => Effect.Effect<any, any, any>): Situations =>
  never((check) => nursery((n) => Effect.scoped(check(scoped(n)))))

const open: any = Nursery.open
const accepting = (body: (n: any) => Effect.Effect<any, any, any>, options?: Nursery.Options): any => open((n: any) => Effect.flatMap(n.accepting(), body), options)
const service = (body: (n: any) => Effect.Effect<any, any, any>, options?: Nursery.Options): any => App.open(body(App) as any, options)

const joined = (of: (task: Nursery.Task<unknown, unknown>) => Effect.Effect<unknown, any>): Situations => ({
  free: [gen(function*(check) {
    yield* Nursery.open((n) => Effect.flatMap(n.startNow(Effect.void), (task) => check(of(task))))
  })],
  held: [gen(function*(check) {
    yield* Nursery.open((n) => Effect.flatMap(n.startNow(Effect.ensuring(pause, pause)), (task) => check(of(task))))
  })]
})

const racing = (race: (effects: ReadonlyArray<Effect.Effect<string>>) => Effect.Effect<string>): Situations => ({
  free: [(check) => check(race([ready, ready])), (check) => check(race([ready, pause.pipe(Effect.as("late"))]))],
  held: [(check) => check(race([Effect.as(pause, "a"), Effect.never])), (check) => check(race([Effect.ensuring(Effect.never, pause), ready]))]
})

export const situations: Readonly<Record<string, Situations>> = {
  "Broadcast.make": never((check) => check(Broadcast.make())),
  "Broadcast.Broadcast.publish": {
    free: [
      gen(function*(check) {
        yield* check((yield* Broadcast.make<number>()).publish(1))
      }),
      (check) => Effect.scoped(Effect.gen(function*() {
        const prices = yield* Broadcast.make<number>({ capacity: 1 })
        yield* prices.subscribe()
        yield* check(prices.publish(1))
        yield* prices.subscribe({ whenFull: "dropOldest" })
      })),
      gen(function*(check) {
        const prices = yield* Broadcast.make<number>()
        yield* prices.close
        yield* Effect.exit(check(prices.publish(1)))
      })
    ],
    held: [(check) => Effect.scoped(Effect.gen(function*() {
      const prices = yield* Broadcast.make<number>({ capacity: 1 })
      const inbox = yield* prices.subscribe()
      yield* prices.publish(1)
      yield* beside(inbox.receive, check(prices.publish(2)))
    }))]
  },
  "Broadcast.Broadcast.subscribe": never((check) => Effect.scoped(Effect.flatMap(Broadcast.make<number>(), (prices) => check(prices.subscribe())))),
  "Broadcast.Broadcast.close": never((check) => Effect.scoped(Effect.gen(function*() {
    const prices = yield* Broadcast.make<number>({ capacity: 1 })
    const inbox = yield* prices.subscribe()
    yield* Nursery.open((n) => Effect.andThen(n.startNow(Effect.exit(inbox.receive)), check(prices.close)))
    yield* check(prices.close)
  }))),

  "CancelScope.open": runs((self) => CancelScope.open(() => self)),
  "CancelScope.shield": runs(CancelScope.shield),
  "CancelScope.shieldFor": runs(CancelScope.shieldFor("1 hour")),
  "CancelScope.untilStopping": runs(CancelScope.untilStopping),
  "CancelScope.whenStopping": {
    free: [(check) => CancelScope.open((scope) => Effect.andThen(scope.stop({ grace: "1 hour" }), check(CancelScope.whenStopping)))],
    held: [(check) => CancelScope.open((scope) => beside(scope.stop({ grace: "1 hour" }), check(CancelScope.whenStopping)))]
  },
  "CancelScope.effectiveDeadline": never((check) => Timeout.moveOnAfter(check(CancelScope.effectiveDeadline), "1 hour")),
  // Inside an effect that does not cancel itself, the scope of another task.
  "CancelScope.CancelScope.cancel": never(
    (check) => Nursery.open((n) => CancelScope.open((scope) => Effect.andThen(n.startNow(check(scope.cancel())), Effect.never))),
    gen(function*(check) {
      let handle: CancelScope.CancelScope | undefined
      yield* CancelScope.open((scope) => Effect.sync(() => handle = scope))
      yield* check(handle!.cancel())
    })
  ),
  "CancelScope.CancelScope.stop": {
    free: [
      (check) => CancelScope.open((scope) => check(scope.stop({ grace: "1 hour" }))),
      gen(function*(check) {
        let handle: CancelScope.CancelScope | undefined
        yield* CancelScope.open((scope) => Effect.sync(() => handle = scope))
        yield* check(handle!.stop({ grace: "1 hour" }))
      })
    ],
    held: [(check) => Nursery.open((n) =>
      Effect.gen(function*() {
        let handle: CancelScope.CancelScope | undefined
        yield* n.startNow(CancelScope.open((scope) => Effect.andThen(Effect.sync(() => handle = scope), Effect.ensuring(Effect.never, pause))))
        yield* check(handle!.stop({ grace: 0 }))
      })
    )]
  },
  "CancelScope.CancelScope.extend": never((check) => CancelScope.open((scope) => check(scope.extend("1 hour")), { deadline: "1 hour" })),
  "CancelScope.CancelScope.setDeadline": never((check) => CancelScope.open((scope) => check(scope.setDeadline(1e9)))),

  "CapacityLimiter.make": never((check) => check(CapacityLimiter.make(1))),
  "CapacityLimiter.CapacityLimiter.withToken": {
    free: [gen(function*(check) {
      yield* check((yield* CapacityLimiter.make(1)).withToken(ready))
    })],
    held: [
      gen(function*(check) {
        const limiter = yield* CapacityLimiter.make(0)
        yield* beside(limiter.setTotal(1), check(limiter.withToken(ready)))
      }),
      gen(function*(check) {
        yield* check((yield* CapacityLimiter.make(1)).withToken(pause))
      })
    ]
  },
  "CapacityLimiter.CapacityLimiter.tryWithToken": {
    free: [
      gen(function*(check) {
        yield* check((yield* CapacityLimiter.make(1)).tryWithToken(ready))
      }),
      gen(function*(check) {
        yield* check((yield* CapacityLimiter.make(0)).tryWithToken(pause))
      })
    ],
    held: [gen(function*(check) {
      yield* check((yield* CapacityLimiter.make(1)).tryWithToken(pause))
    })]
  },
  "CapacityLimiter.CapacityLimiter.acquireFor": {
    free: [(check) => Effect.scoped(Effect.flatMap(CapacityLimiter.make(1), (limiter) => check(limiter.acquireFor("Ada"))))],
    held: [(check) => Effect.scoped(Effect.gen(function*() {
      const limiter = yield* CapacityLimiter.make(0)
      yield* beside(limiter.setTotal(1), check(limiter.acquireFor("Ada")))
    }))]
  },
  "CapacityLimiter.CapacityLimiter.setTotal": never(gen(function*(check) {
    const limiter = yield* CapacityLimiter.make(0)
    yield* Nursery.open((n) => Effect.andThen(n.startNow(limiter.withToken(ready)), check(limiter.setTotal(1))))
  })),

  "Event.make": never((check) => check(Event.make())),
  "Event.Event.set": never(gen(function*(check) {
    const go = yield* Event.make()
    yield* Nursery.open((n) => Effect.andThen(n.startNow(go.wait), check(go.set)))
    yield* check(go.set)
  })),
  "Event.Event.wait": {
    free: [gen(function*(check) {
      const go = yield* Event.make()
      yield* go.set
      yield* check(go.wait)
    })],
    held: [gen(function*(check) {
      const go = yield* Event.make()
      yield* beside(go.set, check(go.wait))
    })]
  },

  "Failures.catchTag": {
    free: [
      (check) => check(Failures.catchTag(refused, "Refused", () => Effect.void)),
      (check) => check(Failures.catchTag(notRefused, "Refused", () => Effect.void))
    ],
    held: [
      (check) => check(Failures.catchTag(refusedLate, "Refused", () => Effect.void)),
      (check) => check(Failures.catchTag(refused, "Refused", () => pause))
    ]
  },

  "MemoryChannel.make": never((check) => check(MemoryChannel.make(1))),
  "MemoryChannel.Sender.send": {
    free: [
      gen(function*(check) {
        const [sender] = yield* MemoryChannel.make<number>(1)
        yield* check(sender.send(1))
      }),
      // Capacity 0, and a receiver that waits.
      gen(function*(check) {
        const [sender, receiver] = yield* MemoryChannel.make<number>(0)
        yield* Nursery.open((n) => Effect.andThen(n.startNow(receiver.receive), check(sender.send(1))))
      }),
      gen(function*(check) {
        const [sender, receiver] = yield* MemoryChannel.make<number>(0)
        yield* receiver.close
        yield* Effect.exit(check(sender.send(1)))
      })
    ],
    held: [
      gen(function*(check) {
        const [sender, receiver] = yield* MemoryChannel.make<number>(1)
        yield* sender.send(1)
        yield* beside(receiver.receive, check(sender.send(2)))
      }),
      gen(function*(check) {
        const [sender, receiver] = yield* MemoryChannel.make<number>(0)
        yield* beside(receiver.receive, check(sender.send(1)))
      })
    ]
  },
  "MemoryChannel.Sender.trySend": never(gen(function*(check) {
    const [sender] = yield* MemoryChannel.make<number>(1)
    yield* check(sender.trySend(1))
    yield* check(sender.trySend(2))
  })),
  "MemoryChannel.Sender.clone": never(gen(function*(check) {
    yield* check((yield* MemoryChannel.make<number>(1))[0].clone)
  })),
  "MemoryChannel.Sender.close": never(gen(function*(check) {
    const [sender, receiver] = yield* MemoryChannel.make<number>(1)
    yield* Nursery.open((n) => Effect.andThen(n.startNow(Effect.exit(receiver.receive)), check(sender.close)))
  })),
  "MemoryChannel.Receiver.receive": {
    free: [
      gen(function*(check) {
        const [sender, receiver] = yield* MemoryChannel.make<number>(1)
        yield* sender.send(1)
        yield* check(receiver.receive)
      }),
      // A sender that waits: it goes on in the next turn.
      gen(function*(check) {
        const [sender, receiver] = yield* MemoryChannel.make<number>(0)
        yield* Nursery.open((n) => Effect.andThen(n.startNow(sender.send(1)), check(receiver.receive)))
      }),
      gen(function*(check) {
        const [sender, receiver] = yield* MemoryChannel.make<number>(1)
        yield* sender.close
        yield* Effect.exit(check(receiver.receive))
      })
    ],
    held: [0, 1].map((capacity) =>
      gen(function*(check) {
        const [sender, receiver] = yield* MemoryChannel.make<number>(capacity)
        yield* beside(sender.send(1), check(receiver.receive))
      })
    )
  },
  "MemoryChannel.Receiver.tryReceive": never(gen(function*(check) {
    const [sender, receiver] = yield* MemoryChannel.make<number>(1)
    yield* check(receiver.tryReceive)
    yield* sender.send(1)
    yield* check(receiver.tryReceive)
  })),
  "MemoryChannel.Receiver.stream": {
    free: [gen(function*(check) {
      const [sender, receiver] = yield* MemoryChannel.make<number>(2)
      yield* sender.send(1)
      yield* sender.send(2)
      yield* sender.close
      yield* check(Stream.runCollect(receiver.stream))
    })],
    held: [gen(function*(check) {
      const [sender, receiver] = yield* MemoryChannel.make<number>(2)
      yield* beside(Effect.andThen(sender.send(1), sender.close), check(Stream.runCollect(receiver.stream)))
    })]
  },
  "MemoryChannel.Receiver.clone": never(gen(function*(check) {
    yield* check((yield* MemoryChannel.make<number>(1))[1].clone)
  })),
  "MemoryChannel.Receiver.close": never(gen(function*(check) {
    const [sender, receiver] = yield* MemoryChannel.make<number>(0)
    yield* Nursery.open((n) => Effect.andThen(n.startNow(Effect.exit(sender.send(1))), check(receiver.close)))
  })),

  "Nursery.open": {
    free: [
      ...runs((self) => Nursery.open(() => self)).free!,
      (check) => check(Nursery.open((n) => n.startNow(Effect.void)))
    ],
    held: [
      (check) => check(Nursery.open(() => pause)),
      (check) => check(Nursery.open((n) => n.startNow(pause))),
      (check) => check(Nursery.open((n) => n.startSoon(Effect.void)))
    ]
  },
  "Nursery.supervised": {
    free: [(check) => check(Nursery.supervised((n) => n.startNow(Effect.fail("no")), () => Effect.void))],
    held: [
      (check) => check(Nursery.supervised((n) => n.startNow(Effect.fail("no")), () => pause)),
      (check) => check(Nursery.supervised((n) => n.startSoon(Effect.fail("no")), () => Effect.void))
    ]
  },
  "Nursery.Nursery.startSoon": spawning(open, (n, effect, options) => n.startSoon(effect, options)),
  "Nursery.Nursery.startNow": spawning(open, (n, effect, options) => n.startNow(effect, options)),
  "Nursery.Nursery.start": announcing(open, (n, task) => n.start(task)),
  "Nursery.Nursery.accepting": never((check) => Nursery.open((n) => check(n.accepting<string>()))),
  "Nursery.Nursery.scoped": scoping(open, (n) => n.scoped()),
  "Nursery.Nursery.cancelTasks": never((check) =>
    Nursery.open((n) => Effect.andThen(n.startNow(Effect.ensuring(Effect.never, pause)), check(n.cancelTasks())))
  ),
  "Nursery.Nursery.awaitIdle": {
    free: [(check) => Nursery.open((n) => check(n.awaitIdle))],
    held: [(check) => Nursery.open((n) => Effect.andThen(n.startSoon(Effect.void), check(n.awaitIdle)))]
  },
  "Nursery.Spawner.startSoon": spawning(accepting, (n, effect, options) => n.startSoon(effect, options)),
  "Nursery.Spawner.startNow": spawning(accepting, (n, effect, options) => n.startNow(effect, options)),
  "Nursery.Spawner.start": announcing(accepting, (n, task) => n.start(task)),
  "Nursery.Spawner.scoped": scoping(accepting, (n) => n.scoped()),
  "Nursery.Spawner.runtime": never((check) => accepting((n) => check(n.runtime()))),
  "Nursery.ServiceClass.open": {
    free: [(check) => check(App.open(ready))],
    held: [(check) => check(App.open(pause)), (check) => check(App.open(App.startSoon(Effect.void)))]
  },
  "Nursery.ServiceClass.startSoon": spawning(service, (n, effect, options) => n.startSoon(effect, options)),
  "Nursery.ServiceClass.start": announcing(service, (n, task) => n.start(task)),
  "Nursery.ServiceClass.scoped": scoping(service, (n) => n.scoped()),
  "Nursery.Task.await": joined((task) => task.await),
  "Nursery.Task.join": joined((task) => task.join),
  "Nursery.Task.cancel": {
    free: [
      ...joined((task) => task.cancel()).free!,
      // From inside it returns at once; uninterruptible, to see that.
      (check) => Nursery.open((n) =>
        Effect.gen(function*() {
          let self: Nursery.Task<void, never> | undefined
          self = yield* n.startSoon(Effect.uninterruptible(Effect.suspend(() => check(self!.cancel()))))
        })
      )
    ],
    held: joined((task) => task.cancel()).held!
  },

  "TaskTree.now": never((check) => Nursery.open(() => check(TaskTree.now))),
  "TaskTree.record": runs(TaskTree.record({
    opened: () => {},
    closed: () => {},
    started: () => {},
    ended: () => {},
    cancelled: () => {},
    waiting: () => {},
    resumed: () => {}
  })),

  "Tasks.gather": runs((self) => Tasks.gather([ready, self])),
  "Tasks.gatherSettled": runs((self) => Tasks.gatherSettled([ready, self])),
  "Tasks.map": runs((self) => Tasks.map([1, 2], () => self)),
  "Tasks.firstCompleted": racing(Tasks.firstCompleted),
  "Tasks.firstSuccess": racing(Tasks.firstSuccess),
  "Tasks.wait": {
    free: [
      (check) => Nursery.open((n) => Effect.flatMap(n.startNow(Effect.void), (task) => check(Tasks.wait([task])))),
      (check) => Nursery.open((n) => Effect.flatMap(n.startNow(pause), (task) => check(Tasks.wait([task], { timeout: 0 }))))
    ],
    held: [
      (check) => Nursery.open((n) => Effect.flatMap(n.startNow(pause), (task) => check(Tasks.wait([task])))),
      (check) => Nursery.open((n) => Effect.flatMap(n.startNow(pause), (task) => check(Tasks.wait([task], { timeout: 0.5 }))))
    ]
  },
  "Tasks.asCompleted": {
    free: [(check) => check(Stream.runDrain(Tasks.asCompleted([ready, ready])))],
    held: [(check) => check(Stream.runDrain(Tasks.asCompleted([ready, pause])))]
  },

  "Timeout.moveOnAfter": runs(Timeout.moveOnAfter("1 hour")),
  "Timeout.moveOnAt": runs(Timeout.moveOnAt(1e12)),
  "Timeout.failAfter": runs(Timeout.failAfter("1 hour")),
  "Timeout.failAt": runs(Timeout.failAt(1e12)),
  "Timeout.now": never((check) => check(Timeout.now)),

  "Watch.make": never((check) => check(Watch.make(0))),
  "Watch.Watch.set": never(gen(function*(check) {
    const count = yield* Watch.make(0)
    yield* Nursery.open((n) => Effect.andThen(n.startNow(count.waitUntil((n) => n > 0)), check(count.set(1))))
  })),
  "Watch.Watch.update": never(gen(function*(check) {
    const count = yield* Watch.make(0)
    yield* Nursery.open((n) => Effect.andThen(n.startNow(count.waitUntil((n) => n > 0)), check(count.update((n) => n + 1))))
  })),
  "Watch.Watch.waitUntil": {
    free: [gen(function*(check) {
      yield* check((yield* Watch.make(1)).waitUntil((n) => n > 0))
    })],
    held: [gen(function*(check) {
      const count = yield* Watch.make(0)
      yield* beside(count.set(1), check(count.waitUntil((n) => n > 0)))
    })]
  },
  "Watch.Watch.changes": {
    free: [gen(function*(check) {
      yield* check(Stream.runHead((yield* Watch.make(1)).changes))
    })],
    held: [gen(function*(check) {
      const count = yield* Watch.make(0)
      yield* beside(count.set(1), check(Stream.runDrain(Stream.take(count.changes, 2))))
    })]
  },

  ...netSituations,

  "Thread.Module.run": {
    held: [(check) => {
      const jobs = Thread.module<{ readonly double: (n: number) => number }>(new URL("./job.ts", import.meta.url))
      return Effect.provide(check(jobs.run("double", [21])), Thread.layer({ maxThreads: 1 }))
    }]
  },
  "LoopWatch.start": { held: [(check) => Effect.scoped(check(LoopWatch.start()))] },
  "Instrument.record": runs((self) => Instrument.record(Instrument.make())(self)),
  "CancelReport.record": runs(CancelReport.record),
  "CancelReport.expectCancelWithin": runs(CancelReport.expectCancelWithin("1 hour")),

  "Metrics.record": runs(Metrics.record()),
  "Spans.record": runs(Spans.record()),
  "Timeline.record": runs(Timeline.record),

  "MemoryStream.pair": never((check) => check(MemoryStream.pair())),
  "MemoryStream.lockstepPair": never((check) => check(MemoryStream.lockstepPair())),
  "SimulatedNetwork.make": never((check) => check(SimulatedNetwork.make())),
  "SimulatedNetwork.SimulatedNetwork.on": {
    free: [simulated((network, check) => check(network.on("here", ready)))],
    held: [simulated((network, check) => check(network.on("here", pause)))]
  },
  "SimulatedNetwork.SimulatedNetwork.link": never(simulated((network, check) => check(network.link("here", "there", { delay: 5 })))),
  "SimulatedNetwork.SimulatedNetwork.partition": never(simulated((network, check) => check(network.partition("here")))),
  "SimulatedNetwork.SimulatedNetwork.heal": never(simulated((network, check) => check(network.heal("here")))),
  "SimulatedNetwork.SimulatedNetwork.reset": never(simulated((network, check) => check(network.reset("here")))),
  "SimulatedNetwork.SimulatedNetwork.crash": never(simulated((network, check) => check(network.crash("here")))),
  "SimulatedNetwork.SimulatedNetwork.restart": never(simulated((network, check) => check(network.restart("here")))),
  "SimulatedNetwork.SimulatedNetwork.blackHole": never(simulated((network, check) => check(network.blackHole("10.0.0.9")))),
  "SimulatedNetwork.SimulatedNetwork.failAccepts": never(simulated((network, check) => check(network.failAccepts("here", 1)))),
  "StreamKit.checkOneWay": { held: [(check) => check(StreamKit.checkOneWay(MemoryStream.pair()))] },
  "StreamKit.checkTwoWay": { held: [(check) => check(StreamKit.checkTwoWay(MemoryStream.pair()))] },
  "StreamKit.checkHalfCloseable": { held: [(check) => check(StreamKit.checkHalfCloseable(MemoryStream.pair()))] },
  "Sequencer.make": never((check) => check(Sequencer.make())),
  "Sequencer.Sequencer.at": {
    free: [gen(function*(check) {
      yield* check((yield* Sequencer.make()).at(0, ready))
    })],
    held: [
      gen(function*(check) {
        const sequencer = yield* Sequencer.make()
        yield* beside(sequencer.at(0, ready), check(sequencer.at(1, ready)))
      }),
      gen(function*(check) {
        yield* check((yield* Sequencer.make()).at(0, pause))
      })
    ]
  },
  "Suspends.assertSuspends": { free: [(check) => Effect.asVoid(check(Effect.exit(Suspends.assertSuspends(ready))))], held: [(check) => check(Suspends.assertSuspends(pause))] },
  "Suspends.assertNeverSuspends": { free: [(check) => check(Suspends.assertNeverSuspends(ready))], held: [(check) => Effect.asVoid(check(Effect.exit(Suspends.assertNeverSuspends(pause))))] },
  "VirtualClock.waitAllBlocked": { held: [(check) => check(VirtualClock.waitAllBlocked)] }
}
