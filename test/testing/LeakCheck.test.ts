import { Console, Deferred, Effect, Exit, Fiber, Layer, Metric, Queue, Schedule, Scheduler, Stream } from "effect"
import { Broadcast, CancelScope, CapacityLimiter, HeapClock, MemoryChannel, Nursery, Tasks, Timeout, TurnScheduler, Watch } from "effect-nursery"
import { Thread } from "effect-nursery/node"
import { LeakCheck } from "effect-nursery/testing"
import { spawn, spawnSync } from "node:child_process"
import * as dgram from "node:dgram"
import { EventEmitter, getEventListeners } from "node:events"
import * as fs from "node:fs"
import * as http from "node:http"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import * as timers from "node:timers/promises"
import { MessageChannel as Ports, Worker } from "node:worker_threads"
import { afterEach, assert, describe, it } from "vitest"
import { defaultScheduler } from "../../src/testing/internal/FiberWatch.ts"
import { said } from "../core/support.ts"

const root = path.resolve(import.meta.dirname, "../..")

/** What the tests have leaked on purpose. */
const ends: Array<() => unknown> = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})
const later = (end: () => unknown): void => void ends.push(end)

/** The thing is made by the task `worker` of the nursery `shop`. */
const inShop = (effect: Effect.Effect<unknown, unknown, any>): Effect.Effect<unknown> =>
  Nursery.open((n) => n.startSoon(effect as Effect.Effect<unknown>, { name: "worker" }), { name: "shop" })

const of = (make: () => unknown) => inShop(Effect.sync(make))
const after = (make: () => Promise<unknown>) => inShop(Effect.promise(make))

interface Case {
  readonly what: string
  readonly program: () => Effect.Effect<unknown>
  readonly options?: () => LeakCheck.Options
  /** Each as `kind: what`. */
  readonly leaks: ReadonlyArray<string | RegExp>
  /** The stack cannot show a line: a fiber is forked by Effect's own loop. */
  readonly noLine?: true
}

const signal = new AbortController().signal
const target = new EventTarget()
const emitter = new EventEmitter()

const leaky: ReadonlyArray<Case> = [
  {
    what: "a detached fiber",
    program: () => inShop(Effect.tap(Effect.forkDetach(Effect.never), (fiber) => Effect.sync(() => later(() => fiber.interruptUnsafe())))),
    leaks: [/^fiber: a fiber \(#\d+\)$/],
    noLine: true
  },
  {
    what: "a detached fiber that sleeps: its timer is not told of beside it",
    program: () => inShop(Effect.tap(Effect.forkDetach(Effect.sleep("1 hour")), (fiber) => Effect.sync(() => later(() => fiber.interruptUnsafe())))),
    leaks: [/^fiber: a fiber/],
    noLine: true
  },
  {
    what: "a detached fiber with a nursery and forks of its own, told of once",
    program: () => {
      const busy = Nursery.open((n) => Effect.andThen(n.startSoon(Effect.never), Effect.all([Effect.never, Effect.never], { concurrency: 2 })))
      return inShop(Effect.tap(Effect.forkDetach(busy), (fiber) => Effect.sync(() => later(() => fiber.interruptUnsafe()))))
    },
    leaks: [/^fiber: a fiber/],
    noLine: true
  },
  {
    what: "a fiber that `Effect.runFork` has started, with nothing of the program's context",
    program: () => of(() => {
      const fiber = Effect.runFork(Effect.never)
      later(() => fiber.interruptUnsafe())
    }),
    leaks: [/^fiber: a fiber/]
  },
  {
    what: "a fiber that a callback has started after an await",
    program: () => after(async () => {
      await Promise.resolve()
      await timers.setTimeout(1)
      const fiber = Effect.runFork(Effect.sleep("1 hour"))
      later(() => fiber.interruptUnsafe())
    }),
    leaks: [/^fiber: a fiber/]
  },
  {
    what: "an interval",
    program: () => of(() => {
      const interval = setInterval(() => {}, 1000)
      later(() => clearInterval(interval))
    }),
    leaks: ["timer: an interval of 1000 ms"]
  },
  {
    what: "a timer that does not hold the process",
    program: () => of(() => {
      const timer = setTimeout(() => {}, 60_000).unref()
      later(() => clearTimeout(timer))
    }),
    leaks: ["timer: a timer of 60000 ms"]
  },
  {
    what: "a timer that was set after an await",
    program: () => after(async () => {
      await timers.setTimeout(1)
      const timer = setTimeout(() => {}, 60_000)
      later(() => clearTimeout(timer))
    }),
    leaks: ["timer: a timer of 60000 ms"]
  },
  {
    what: "a promise of `timers/promises` that nobody aborts",
    program: () => of(() => {
      const controller = new AbortController()
      timers.setTimeout(60_000, undefined, { signal: controller.signal }).catch(() => {})
      later(() => controller.abort())
    }),
    leaks: ["timer: a timer of 60000 ms"]
  },
  {
    what: "immediates that go on and on",
    program: () => of(() => {
      let stop = false
      const again = () => void (stop || setImmediate(again))
      again()
      later(() => stop = true)
    }),
    leaks: ["timer: an immediate"]
  },
  {
    what: "a listener on process",
    program: () => of(() => {
      const heard = () => {}
      process.on("SIGUSR2", heard)
      later(() => process.off("SIGUSR2", heard))
    }),
    leaks: ["listener: a listener of \"SIGUSR2\" on process"]
  },
  {
    what: "a listener on process for one time",
    program: () => of(() => {
      const heard = () => {}
      process.once("beforeExit", heard)
      later(() => process.off("beforeExit", heard))
    }),
    leaks: ["listener: a listener of \"beforeExit\" on process"]
  },
  {
    what: "a listener on a signal that lives longer",
    program: () => of(() => {
      const heard = () => {}
      signal.addEventListener("abort", heard, { once: true })
      later(() => signal.removeEventListener("abort", heard))
    }),
    options: () => ({ watch: [signal] }),
    leaks: ["listener: a listener of \"abort\" on AbortSignal"]
  },
  {
    what: "listeners on other targets and emitters that live longer",
    program: () => of(() => {
      const heard = { handleEvent: () => {} }
      const called = () => {}
      target.addEventListener("done", heard)
      emitter.on("data", called)
      later(() => (target.removeEventListener("done", heard), emitter.off("data", called)))
    }),
    options: () => ({ watch: [target, emitter] }),
    leaks: ["listener: a listener of \"done\" on EventTarget", "listener: a listener of \"data\" on EventEmitter"]
  },
  {
    what: "a server",
    program: () => after(() =>
      new Promise<void>((resolve) => {
        const server = net.createServer().listen(0, "127.0.0.1", resolve)
        later(() => server.close())
      })
    ),
    leaks: [/^server: a TCP server on 127\.0\.0\.1:\d+$/]
  },
  {
    what: "a connection, both ends of it",
    program: () => inShop(Effect.acquireUseRelease(
      Effect.callback<net.Server>((resume) => {
        const server = net.createServer((socket) => later(() => socket.destroy())).listen(0, "127.0.0.1", () => resume(Exit.succeed(server)))
      }),
      (server) => Effect.promise(() => new Promise<void>((resolve) => {
        const socket = net.connect((server.address() as net.AddressInfo).port, "127.0.0.1", () => setTimeout(resolve, 5))
        later(() => socket.destroy())
      })),
      (server) => Effect.sync(() => void server.close())
    )),
    leaks: ["socket: a TCP socket", "socket: a TCP socket"]
  },
  {
    what: "a UDP socket",
    program: () => after(() => new Promise<void>((resolve) => {
      const socket = dgram.createSocket("udp4")
      socket.bind(0, "127.0.0.1", resolve)
      later(() => socket.close())
    })),
    leaks: ["socket: a UDP socket"]
  },
  {
    what: "a child process",
    program: () => of(() => {
      const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" })
      later(() => new Promise((resolve) => child.once("exit", resolve).kill("SIGKILL")))
    }),
    leaks: [/^process: a child process \(pid \d+\)$/]
  },
  {
    what: "a worker thread",
    program: () => after(() => new Promise<void>((resolve) => {
      const worker = new Worker("setInterval(() => {}, 1000)", { eval: true })
      worker.once("online", () => setTimeout(resolve, 5))
      later(() => worker.terminate())
    })),
    leaks: ["thread: a worker thread"]
  },
  {
    what: "a message port that listens",
    program: () => of(() => {
      const { port1 } = new Ports()
      port1.on("message", () => {})
      later(() => port1.close())
    }),
    leaks: ["port: a message port"]
  },
  {
    what: "an open file",
    program: () => after(async () => {
      const file = await fs.promises.open(import.meta.filename)
      later(() => file.close())
    }),
    leaks: ["file: an open file"]
  },
  {
    what: "a file watcher",
    program: () => of(() => {
      const watcher = fs.watch(os.tmpdir())
      later(() => watcher.close())
    }),
    leaks: ["watcher: a file watcher"]
  },
  {
    what: "several things at once",
    program: () => Effect.andThen(
      inShop(Effect.tap(Effect.forkDetach(Effect.never), (fiber) => Effect.sync(() => later(() => fiber.interruptUnsafe())))),
      of(() => {
        const interval = setInterval(() => {}, 500)
        later(() => clearInterval(interval))
      })
    ),
    leaks: [/^fiber/, "timer: an interval of 500 ms"],
    noLine: true
  }
]

const listening = Effect.acquireRelease(
  Effect.callback<http.Server>((resume) => {
    const server = http.createServer((_, response) => response.end("hello")).listen(0, "127.0.0.1", () => resume(Exit.succeed(server)))
  }),
  (server) => Effect.callback<void>((resume) => {
    server.closeAllConnections()
    server.close(() => resume(Exit.void))
  })
)

const urlOf = (server: http.Server) => `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`

const clean: ReadonlyArray<readonly [what: string, program: () => Effect.Effect<unknown, unknown, any>, options?: LeakCheck.Options]> = [
  ["nothing at all", () => Effect.void],
  ["a nursery with tasks that sleep", () => Nursery.open((n) => Effect.forEach([1, 2, 3], (i) => n.startSoon(Effect.sleep(i))))],
  ["deadlines, which arm the timer that the whole process shares", () => Tasks.gather([Timeout.failAfter(Effect.sleep(1), "1 hour"), Timeout.moveOnAfter(Effect.never, 2)])],
  ["sleeps of a HeapClock", () => Effect.provide(Effect.sleep(1), HeapClock.layer)],
  ["another scheduler", () => Effect.provideService(Tasks.gather([Effect.yieldNow, Effect.sleep(1)]), Scheduler.Scheduler, TurnScheduler.make())],
  ["a detached fiber that ends by itself in a few turns", () => Effect.forkDetach(Effect.repeat(Effect.yieldNow, Schedule.recurs(5)))],
  ["a detached fiber that is interrupted, with cleanup", () => Effect.flatMap(Effect.forkDetach(Effect.ensuring(Effect.never, Effect.yieldNow)), Fiber.interrupt)],
  ["fibers that were forked and joined", () => Effect.flatMap(Effect.forkChild(Effect.sleep(1)), Fiber.join)],
  ["a race, a gather, a wait", () => Tasks.firstCompleted([Effect.sleep(1), Effect.never])],
  ["channels, broadcasts, watches, limiters", () => Effect.scoped(Effect.gen(function*() {
    const [sender, receiver] = yield* MemoryChannel.make<number>(1)
    const prices = yield* Broadcast.make<number>()
    const inbox = yield* prices.subscribe()
    const count = yield* Watch.make(0)
    const limiter = yield* CapacityLimiter.make(1)
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        yield* n.startSoon(Effect.andThen(limiter.withToken(sender.send(1)), sender.close))
        yield* n.startSoon(Stream.runDrain(receiver.stream))
        yield* n.startSoon(inbox.receive)
        yield* n.startSoon(count.waitUntil((n) => n > 0))
        yield* Effect.yieldNow
        yield* prices.publish(1)
        yield* count.set(1)
      })
    )
  }))],
  ["queues and streams of Effect", () => Effect.gen(function*() {
    const queue = yield* Queue.unbounded<number>()
    yield* Queue.offer(queue, 1)
    yield* Stream.runCollect(Stream.take(Stream.fromQueue(queue), 1))
    yield* Stream.runDrain(Stream.take(Stream.tick(1), 3))
  })],
  ["a timer that is cleared, and one that fires", () => Effect.callback<void>((resume) => {
    clearTimeout(setTimeout(() => {}, 1000))
    setTimeout(() => resume(Exit.void), 1)
  })],
  ["an interval that its Scope clears", () => Effect.acquireRelease(Effect.sync(() => setInterval(() => {}, 1000)), (interval) => Effect.sync(() => clearInterval(interval)))],
  ["a timer that fires a little after the end", () => Effect.sync(() => void setTimeout(() => {}, 5))],
  ["a listener that is taken away, and one that heard", () => Effect.sync(() => {
    const heard = () => {}
    process.on("SIGUSR2", heard)
    process.off("SIGUSR2", heard)
    const controller = new AbortController()
    controller.signal.addEventListener("abort", heard, { once: true })
    controller.abort()
  })],
  ["10 scopes on one signal", () => Nursery.open((n) => Effect.forEach(Array.from({ length: 10 }), () => n.startSoon(CancelScope.open(() => Effect.sleep(1), { signal })))), { watch: [signal, process] }],
  ["a server and what talked to it", () => Effect.scoped(Effect.gen(function*() {
    const server = yield* listening
    const agent = new http.Agent({ keepAlive: false })
    const text = yield* Effect.callback<string>((resume) => {
      http.get(urlOf(server), { agent }, (response) => {
        let text = ""
        response.on("data", (chunk) => text += chunk).on("end", () => resume(Exit.succeed(text)))
      })
    })
    assert.strictEqual(text, "hello")
  }))],
  ["a fetch, whose pool keeps what it may use again", () => Effect.scoped(Effect.flatMap(listening, (server) =>
    Effect.promise(() => fetch(urlOf(server)).then((response) => response.text()))))],
  ["a time limit of the host", () => Effect.sync(() => void AbortSignal.timeout(60_000))],
  ["a child process that ends", () => Effect.callback<void>((resume) => void spawn(process.execPath, ["-e", ""], { stdio: "pipe" }).once("exit", () => resume(Exit.void)))],
  ["threads of a pool that is closed", () => {
    const jobs = Thread.module<{ readonly double: (n: number) => number }>(new URL("./job.ts", import.meta.url))
    return Effect.provide(jobs.run("double", [2]), Thread.layer({ maxThreads: 1 }))
  }],
  ["an idle thread of a pool that lives on: it does not hold the process", () => Effect.promise(() => new Promise<void>((resolve) => {
    const worker = new Worker("setInterval(() => {}, 1000)", { eval: true })
    worker.unref()
    worker.once("online", () => resolve())
    later(() => worker.terminate())
  }))],
  ["files that are read and closed", () => Effect.promise(async () => {
    await fs.promises.readFile(import.meta.filename)
    const file = await fs.promises.open(import.meta.filename)
    await file.close()
  })],
  ["the first line that a process prints", () => Console.log("")],
  ["metrics and layers of the program", () => Effect.provide(
    Effect.provideService(Effect.sleep(1), Metric.FiberRuntimeMetrics, Metric.FiberRuntimeMetricsImpl),
    Layer.effectDiscard(Effect.void)
  )],
  ["long work between two turns", () => Effect.forEach(Array.from({ length: 20_000 }), () => Effect.void, { discard: true })]
]

const textOf = (leak: LeakCheck.Leak) => `${leak.kind}: ${leak.what}`

for (const time of ["virtual", "live"] as const) {
  describe(`LeakCheck.report, in ${time} time, finds and names`, () => {
    for (const { leaks: expected, noLine, options, program, what } of leaky) {
      it(what, async () => {
        const { exit, leaks } = await LeakCheck.report(program(), { time, ...options?.() })
        assert.strictEqual(exit._tag, "Success", String(said(exit)))
        const texts = leaks.map(textOf)
        assert.strictEqual(texts.length, expected.length, texts.join("\n"))
        for (const [index, text] of expected.entries()) {
          if (typeof text === "string") assert.strictEqual(texts[index], text)
          else assert.match(texts[index]!, text)
        }
        for (const leak of leaks) {
          assert.strictEqual(leak.task, "nursery shop > worker", textOf(leak))
          if (noLine === undefined) assert.match(String(leak.at), /^test\/testing\/LeakCheck\.test\.ts:\d+:\d+$/, textOf(leak))
        }
      })
    }
  })

  describe(`LeakCheck.report, in ${time} time, finds nothing in`, () => {
    for (const [what, program, options] of clean) {
      it(what, async () => {
        const { exit, leaks } = await LeakCheck.report(program() as Effect.Effect<unknown, unknown>, { time, grace: "1 second", ...options })
        assert.strictEqual(exit._tag, "Success", String(said(exit)))
        assert.deepStrictEqual(leaks, [])
      })
    }
  })
}

describe("LeakCheck.report", () => {
  it("gives what a program failed with, and what it left behind", async () => {
    const { exit, leaks } = await LeakCheck.report(Effect.andThen(of(() => {
      const interval = setInterval(() => {}, 1000)
      later(() => clearInterval(interval))
    }), Effect.fail("no milk")))
    assert.deepStrictEqual(said(exit), ["Fail no milk"])
    assert.deepStrictEqual(leaks.map(textOf), ["timer: an interval of 1000 ms"])
  })

  it("names the function that Effect.fn has named, where no line is on the stack", async () => {
    const load = Effect.fn("load")(function*() {
      const fiber = yield* Effect.forkDetach(Effect.never)
      later(() => fiber.interruptUnsafe())
    })
    const { leaks } = await LeakCheck.report(Nursery.open((n) => n.startSoon(load())))
    assert.match(String(leaks[0]!.at), /^load/)
  })

  it("tells who made it among tasks that run beside each other", async () => {
    const { leaks } = await LeakCheck.report(Nursery.open((n) =>
      Effect.forEach([1, 2, 3], (i) =>
        n.startSoon(Effect.promise(async () => {
          await timers.setTimeout(i)
          const interval = setInterval(() => {}, i)
          later(() => clearInterval(interval))
        }), { name: `task of ${i}` })), { name: "shop" }))
    assert.deepStrictEqual(leaks.map(({ task, what }) => `${what}: ${task}`), [
      "an interval of 1 ms: nursery shop > task of 1",
      "an interval of 2 ms: nursery shop > task of 2",
      "an interval of 3 ms: nursery shop > task of 3"
    ])
  })

  it("tells programs apart that run beside each other, and from what happens around them", async () => {
    const around = setInterval(() => {}, 1)
    later(() => clearInterval(around))
    const pause = Effect.promise(() => timers.setTimeout(5))
    const leaking = (millis: number) => Effect.andThen(pause, Effect.andThen(of(() => {
      const interval = setInterval(() => {}, millis)
      later(() => clearInterval(interval))
    }), pause))
    const reports = await Promise.all([LeakCheck.report(leaking(100)), LeakCheck.report(pause), LeakCheck.report(leaking(200), { time: "live" })])
    assert.deepStrictEqual(reports.map(({ leaks }) => leaks.map(({ what }) => what)), [["an interval of 100 ms"], [], ["an interval of 200 ms"]])
  })

  it("does not take for the program's what somebody makes who has just let it go on", async () => {
    for (const time of ["virtual", "live"] as const) {
      let fork = (_effect: Effect.Effect<void>): void => {}
      const { leaks } = await new Promise<LeakCheck.Report<void, never>>((resolve) => {
        const go = Deferred.makeUnsafe<void>()
        const program = Effect.gen(function*() {
          const context = yield* Effect.context<never>()
          fork = (effect) => void Effect.runForkWith(context)(effect)
          yield* Deferred.await(go)
        })
        void LeakCheck.report(program, { time }).then(resolve)
        // It runs up to its first wait in this very call, and again in the next line.
        fork(Effect.void)
        Deferred.doneUnsafe(go, Exit.void)
        const interval = setInterval(() => {}, 1000)
        later(() => clearInterval(interval))
      })
      assert.deepStrictEqual(leaks, [])
    }
  })

  it("ignores what it is told to", async () => {
    const program = of(() => {
      const interval = setInterval(() => {}, 1000)
      later(() => clearInterval(interval))
    })
    const { leaks } = await LeakCheck.report(program, { ignore: ({ kind }) => kind === "timer" })
    assert.deepStrictEqual(leaks, [])
  })

  it("waits as long as the grace for what ends by itself, and no longer", async () => {
    let end = () => {}
    const program = Effect.sync(() => {
      const interval = setInterval(() => {}, 1000)
      end = () => clearInterval(interval)
    })
    const running = LeakCheck.report(program, { grace: "1 hour" })
    await timers.setTimeout(5)
    end()
    assert.deepStrictEqual((await running).leaks, [])
    later(() => end())
    assert.lengthOf((await LeakCheck.report(program, { grace: 0 })).leaks, 1)
  })

  it("says what is wrong with options that are none", async () => {
    const failing = async (options: object) => String(await LeakCheck.report(Effect.void, options).then(() => "none", (error) => error))
    assert.strictEqual(await failing({ time: "fake" }), "RangeError: Expected `time` to be \"virtual\" or \"live\", got `fake` (string)")
    assert.include(await failing({ grace: NaN }), "Expected `grace` to be a duration, got `NaN`")
    assert.strictEqual(await failing({ watch: ["x"] }), "TypeError: Expected each of `watch` to be an EventEmitter or an EventTarget, got `x` (string)")
    assert.include(await failing({ signal: 1 }), "Expected `signal` to be an AbortSignal, got `1`")
  })

  it("interrupts the program when its signal is aborted, and leaves no listener on it", async () => {
    let cleaned = 0
    const program = Effect.ensuring(Effect.forever(Effect.sleep("1 hour")), Effect.sync(() => cleaned++))
    for (const time of ["virtual", "live"] as const) {
      const controller = new AbortController()
      const running = LeakCheck.report(program, { time, signal: controller.signal })
      await timers.setTimeout(5)
      controller.abort()
      assert.deepStrictEqual(said((await running).exit), ["Interrupt"])
      assert.lengthOf(getEventListeners(controller.signal, "abort"), 0)
    }
    assert.strictEqual(cleaned, 2)
  })

  it("leaves nothing behind itself: no hook, no listener, no method of a scheduler or a signal", async () => {
    const before = process.listenerCount("newListener")
    await LeakCheck.report(Effect.void, { watch: [signal, emitter] })
    assert.strictEqual(process.listenerCount("newListener"), before)
    assert.strictEqual(emitter.listenerCount("newListener"), 0)
    assert.isFalse(Object.hasOwn(signal, "addEventListener"))
    assert.isFalse(Object.hasOwn(defaultScheduler, "shouldYield"))
  })

  it("finds a task that is kept waiting by a nursery which a runFork has opened", async () => {
    const go = await Effect.runPromise(Deferred.make<void>())
    const { leaks } = await LeakCheck.report(Effect.sync(() => {
      const fiber = Effect.runFork(Nursery.open((n) => Effect.andThen(n.startSoon(Effect.never), Deferred.await(go))))
      later(() => fiber.interruptUnsafe())
    }))
    assert.deepStrictEqual(leaks.map(({ kind }) => kind), ["fiber"])
  })
})

describe("LeakCheck.run", () => {
  it("gives the value of a clean program", async () => {
    assert.strictEqual(await LeakCheck.run(Effect.as(Effect.sleep("1 hour"), 7)), 7)
  })

  it("rejects with Leaked, whose message has a line for each thing", async () => {
    const error = await LeakCheck.run(of(() => {
      const interval = setInterval(() => {}, 1000)
      const timer = setTimeout(() => {}, 60_000)
      later(() => (clearInterval(interval), clearTimeout(timer)))
    })).then(() => assert.fail("clean"), (error) => error)
    assert.instanceOf(error, LeakCheck.Leaked)
    assert.match(error.message, new RegExp([
      "^The program left 2 things behind:",
      "- an interval of 1000 ms, of nursery shop > worker, at test/testing/LeakCheck\\.test\\.ts:\\d+:\\d+",
      "- a timer of 60000 ms, of nursery shop > worker, at test/testing/LeakCheck\\.test\\.ts:\\d+:\\d+$"
    ].join("\n")))
  })

  it("rejects with the failure of a program that fails", async () => {
    const leaking = Effect.andThen(of(() => {
      const interval = setInterval(() => {}, 1000)
      later(() => clearInterval(interval))
    }), Effect.fail("no milk"))
    assert.strictEqual(await LeakCheck.run(leaking).then(() => "", (error) => error), "no milk")
  })

  it("works in a test of node:test", () => {
    const program = [
      "import { test } from 'node:test'",
      "import { Effect } from 'effect'",
      "import { LeakCheck } from 'effect-nursery/testing'",
      "test('clean', () => LeakCheck.run(Effect.sleep('1 hour')))",
      "test('leaks', () => LeakCheck.run(Effect.sync(() => { setInterval(() => {}, 1000).unref() })))"
    ].join("\n")
    const folder = fs.mkdtempSync(path.join(root, ".leak-check-"))
    try {
      fs.writeFileSync(path.join(folder, "a.test.mjs"), program)
      const { status, stdout } = spawnSync(process.execPath, ["--conditions=effect-nursery:source", "--test", "--test-reporter=tap", path.join(folder, "a.test.mjs")], {
        cwd: root,
        encoding: "utf8",
        timeout: 60_000,
        env: { ...process.env, NODE_OPTIONS: "", NODE_TEST_CONTEXT: undefined }
      })
      assert.strictEqual(status, 1, stdout)
      assert.match(stdout, /^ {0,4}ok 1 - clean$/m)
      assert.match(stdout, /^ {0,4}not ok 2 - leaks$/m)
      assert.match(stdout, /an interval of 1000 ms, of main, at .*a\.test\.mjs:5:/)
    } finally {
      fs.rmSync(folder, { recursive: true, force: true })
    }
  })
})
