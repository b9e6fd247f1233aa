import { Cause, Context, Effect, type Exit, Fiber, Layer, Option } from "effect"
import { CancelScope, Errors, Event, Nursery, Tasks, TaskTree, Timeout } from "effect-nursery"
import { Thread } from "effect-nursery/node"
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import * as path from "node:path"
import type * as Zlib from "node:zlib"
import { assert, describe, it, vi } from "vitest"
import type { Loop } from "./thread/jobs.ts"
import { execArgv, gate, jobs, layer, noted, notedNow, open, run, started } from "./thread/support.ts"

// Real threads and processes start here, and those beside them may have the machine. What hangs still ends.
vi.setConfig({ testTimeout: 60_000 })

type Pooled<A, E> = Effect.Effect<A, E, Thread.Threads>

const live = (name: string, body: () => Generator<Effect.Effect<any, any, Thread.Threads>, void, any>, options?: Thread.LayerOptions) =>
  it(name, () => run(Effect.gen(body), options))

const errorOf = <A>(self: Pooled<A, Thread.ThreadError | Errors.Closed>): Pooled<Thread.ThreadError, A> =>
  Effect.flip(self).pipe(
    Effect.flatMap((error) => error._tag === "ThreadError" ? Effect.succeed(error) : Effect.die(error))
  )

const defectOf = (exit: Exit.Exit<unknown, unknown>): unknown =>
  exit._tag === "Failure" && exit.cause.reasons[0]?._tag === "Die" ? exit.cause.reasons[0].defect : undefined

const statistics = Effect.map(Thread.Threads, (threads) => threads.statistics)

/** Gives way to the event loop until something is so. */
const until = <E, R>(condition: Effect.Effect<boolean, E, R>): Effect.Effect<void, E, R> =>
  Effect.flatMap(condition, (holds) =>
    holds ? Effect.void : Effect.andThen(Effect.promise(() => new Promise((resolve) => setImmediate(resolve))), until(condition)))

/** The pool does its work as if nothing had been. */
const usable = Effect.gen(function*() {
  assert.deepStrictEqual(yield* Tasks.map([10, 11, 12, 13], (n) => jobs.run("fib", [n])), [55, 89, 144, 233])
})

const root = path.resolve(import.meta.dirname, "../..")

/** A program in a process of its own, killed when it does not end. */
const start = (file: string, args: ReadonlyArray<string> = [], flags: ReadonlyArray<string> = []) => {
  const { signal, status, stderr, stdout } = spawnSync(process.execPath, [...execArgv, ...flags, path.join("test/node/thread", file), ...args], {
    cwd: root,
    encoding: "utf8",
    timeout: 60_000,
    killSignal: "SIGKILL",
    env: { ...process.env, NODE_OPTIONS: "" }
  })
  return { signal, status, stderr, stdout }
}

describe("Thread.module", () => {
  it("wants a URL, and says what it got", () => {
    assert.throws(
      () => Thread.module("./work.ts" as never),
      "Expected `url` to be a URL, such as new URL(\"./work.ts\", import.meta.url), got `./work.ts` (string)"
    )
    assert.throws(() => Thread.module(undefined as never), "got `undefined` (undefined)")
  })

  live("gives what its functions return, with the types of the module", function*() {
    const n: number = yield* jobs.run("fib", [20])
    assert.strictEqual(n, 6765)
    const text: string = yield* jobs.run("later", [1, "awaited"])
    assert.strictEqual(text, "awaited")
    // @ts-expect-error It is a function of a number.
    jobs.run("fib", ["20"])
    // @ts-expect-error It is no function.
    jobs.run("notAFunction", [])
    // @ts-expect-error There is none.
    jobs.run("fibonacci", [])
  })

  live("copies data of all kinds there and back", function*() {
    const value = {
      text: "é\u0000",
      big: 2n ** 70n,
      date: new Date(0),
      map: new Map([[1, new Set(["a"])]]),
      bytes: new Uint8Array([1, 2, 3]),
      nothing: [undefined, null, NaN, -0]
    }
    assert.deepStrictEqual(yield* jobs.run("echo", [value]), value)
    assert.strictEqual(yield* jobs.run("echo", [undefined]), undefined)
  })

  live("runs modules of Node, and modules that are data", function*() {
    const zlib = Thread.module<typeof Zlib>(new URL("node:zlib"))
    assert.strictEqual(Buffer.from(yield* zlib.run("gunzipSync", [yield* zlib.run("gzipSync", ["text"])])).toString(), "text")
    const data = Thread.module<{ one(): number; two(): never }>(
      new URL("data:text/javascript,export const one = () => 1; export const two = () => { throw 2 }")
    )
    assert.strictEqual(yield* data.run("one", []), 1)
    assert.strictEqual((yield* errorOf(data.run("two", []))).message, "two of a data: module threw 2")
  })

  live("is a defect that names what there is, for a function that is not there", function*() {
    const data = Thread.module<Record<string, () => void>>(new URL("data:text/javascript,export const a = () => 1, b = () => 2, c = 3"))
    assert.strictEqual(
      String(defectOf(yield* Effect.exit(data.run("z", [])))),
      `TypeError: Expected \`name\` to be a function that ${data.url.href} exports (a, b), got \`z\` (undefined)`
    )
    assert.include(String(defectOf(yield* Effect.exit(data.run("c", [])))), "got `c` (number)")
    assert.include(String(defectOf(yield* Effect.exit(data.run("toString", [])))), "got `toString` (undefined)")
    yield* usable
  })

  live("tells why a module does not load", function*() {
    const missing = Thread.module<Record<string, () => void>>(new URL("./thread/missing.ts", import.meta.url))
    const error = yield* errorOf(missing.run("a", []))
    assert.deepInclude({ ...error }, { why: "threw", job: "a", module: missing.url.href })
    assert.match(error.message, /^a of missing\.ts: its module does not load: Error: Cannot find module/)
    assert.strictEqual((error.cause as { readonly code?: string }).code, "ERR_MODULE_NOT_FOUND")
    yield* usable
  })

  live("dies with value and type of a wrong option", function*() {
    const wrong = jobs.run("fib", [1], { onCancel: "kill" as never })
    assert.strictEqual(
      String(defectOf(yield* Effect.exit(wrong))),
      "RangeError: Expected `onCancel` to be \"wait\" or \"abandon\" or \"terminate\", got `kill` (string)"
    )
    assert.include(String(defectOf(yield* Effect.exit(jobs.run("fib", 1 as never)))), "Expected `args` to be an array, got `1` (number)")
  })

  live("moves the buffers that it is told to, and copies the others", function*() {
    const buffer = new ArrayBuffer(8)
    const copied = yield* jobs.run("echo", [buffer])
    assert.deepStrictEqual(copied, buffer)
    assert.strictEqual(buffer.byteLength, 8)
    yield* jobs.run("echo", [buffer], { transfer: [buffer] })
    assert.strictEqual(buffer.byteLength, 0)
    assert.deepStrictEqual(yield* jobs.run("moved", [3]), Float64Array.of(0, 1, 2))
    const error = yield* errorOf(jobs.run("echo", [1], { transfer: [buffer] }))
    assert.strictEqual(error.why, "notCloneable")
    yield* usable
  })

  live("X01: runs as many jobs as there are threads, others wait in the limiter, and the loop goes on", function*() {
    let turns = 0
    const turn = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
    let most = 0
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        yield* n.startSoon(
          Effect.forever(Effect.gen(function*() {
            yield* turn
            turns++
            const { running, threads } = yield* statistics
            most = Math.max(most, running.length)
            assert.isAtMost(threads, 2)
          })),
          { service: true }
        )
        const gates = [gate(), gate()]
        for (const each of gates) yield* n.startSoon(jobs.run("hold", [each]), { name: "holds" })
        for (const each of gates) yield* started(each)
        yield* n.startNow(jobs.run("fib", [1]), { name: "waits" })
        assert.deepInclude(yield* statistics, { maxThreads: 2, threads: 2, waiting: 1, running: ["hold of jobs.ts", "hold of jobs.ts"] })
        const tree = TaskTree.toText(yield* TaskTree.now)
        assert.include(tree, "holds (waiting for hold of jobs.ts)")
        assert.include(tree, "waits (waiting for a token of limiter threads)")
        const before = turns
        while (turns < before + 10) yield* turn
        for (const each of gates) yield* open(each)
        for (let i = 0; i < 10; i++) yield* n.startSoon(jobs.run("busy", [20]))
      })
    )
    assert.strictEqual(most, 2)
    assert.deepInclude(yield* statistics, { running: [], waiting: 0 })
  })

  live("keeps a module loaded, and runs it in the same threads again", function*() {
    const seen = new Map<number, number>()
    for (let i = 0; i < 5; i++) {
      const [thread, calls] = yield* jobs.run("count", [])
      assert.strictEqual(calls, (seen.get(thread) ?? 0) + 1)
      seen.set(thread, calls)
    }
    assert.strictEqual(seen.size, 1)
  })
})

describe("Thread.ThreadError", () => {
  live("X02: tells what a job threw, with name, stack, cause and fields", function*() {
    const range = yield* errorOf(jobs.run("throwsRange", [7]))
    assert.deepInclude({ ...range }, { _tag: "ThreadError", why: "threw", job: "throwsRange", module: jobs.url.href })
    assert.strictEqual(range.message, "throwsRange of jobs.ts threw RangeError: 7 is too much")
    const cause = range.cause as RangeError
    assert.instanceOf(cause, RangeError)
    assert.include(cause.stack, "throwsRange")
    assert.include(cause.stack, "jobs.ts")
    assert.instanceOf(cause.cause, TypeError)
    assert.strictEqual((cause.cause as TypeError).message, "really")

    const tagged = (yield* errorOf(jobs.run("throwsTagged", []))).cause
    assert.instanceOf(tagged, Error)
    assert.deepStrictEqual({ ...tagged as object }, { _tag: "OutOfStock", left: 0 })

    assert.strictEqual((yield* errorOf(jobs.run("throwsText", []))).cause, "just text")
    assert.strictEqual((yield* errorOf(jobs.run("throwsFunction", []))).cause, "[Function (anonymous)]")
    const several = (yield* errorOf(jobs.run("throwsSeveral", []))).cause as AggregateError
    assert.deepStrictEqual(several.errors.map(String), ["RangeError: a", "b"])
    assert.strictEqual(((yield* errorOf(jobs.run("throwsCircle", []))).cause as Error).message, "round")
    assert.instanceOf((yield* errorOf(jobs.run("rejects", []))).cause, SyntaxError)
    yield* usable
    assert.strictEqual((yield* statistics).threads, 2)
  })

  /** A job that fails beside one that must not notice, and beside ten that wait. */
  const alone = (failing: Pooled<unknown, Thread.ThreadError | Errors.Closed>) =>
    Effect.gen(function*() {
      const held = gate()
      return yield* Nursery.open((n) =>
        Effect.gen(function*() {
          const other = yield* n.startSoon(jobs.run("hold", [held]))
          yield* started(held)
          const task = yield* n.startNow(errorOf(failing as Pooled<never, Thread.ThreadError>))
          const waiting = yield* n.startNow(Tasks.map(Array.from({ length: 10 }, (_, i) => i), (i) => jobs.run("echo", [i])))
          const error = yield* task.join
          assert.deepStrictEqual(yield* waiting.join, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
          yield* open(held)
          assert.strictEqual(yield* other.join, "let go")
          yield* usable
          assert.strictEqual((yield* statistics).threads, 2)
          return error
        })
      )
    })

  live("X02: comes to the one caller when the job ends its thread", function*() {
    const error = yield* alone(jobs.run("exits", [3]))
    assert.deepInclude({ ...error }, { why: "exited", exitCode: 3, job: "exits" })
    assert.strictEqual(error.message, "exits of jobs.ts ended its thread, with exit code 3; a job ends by returning")
    assert.deepInclude({ ...(yield* alone(jobs.run("exits", [0]))) }, { why: "exited", exitCode: 0 })
  })

  live("X02: comes to the one caller when the memory of the thread is used up", function*() {
    const error = yield* alone(jobs.run("eatsMemory", []))
    assert.strictEqual(error.why, "outOfMemory")
    assert.strictEqual(error.message, "eatsMemory of jobs.ts took more memory than its thread may have; see resourceLimits of Thread.layer")
  }, { resourceLimits: { maxOldGenerationSizeMb: 32 } })

  live("X02: comes to the one caller when arguments or result cannot be sent, and the threads stay", function*() {
    yield* usable
    const [before] = yield* jobs.run("count", [])
    const sent = yield* alone(jobs.run("echo", [() => 1]))
    assert.strictEqual(sent.why, "notCloneable")
    assert.strictEqual(sent.message, "the arguments of echo of jobs.ts cannot be sent: DataCloneError: () => 1 could not be cloned.; send data, not functions")
    assert.strictEqual((sent.cause as Error).name, "DataCloneError")
    const back = yield* alone(jobs.run("returnsFunction", []))
    assert.strictEqual(back.why, "notCloneable")
    assert.match(back.message, /^the result of returnsFunction of jobs.ts cannot be sent: DataCloneError: f\(\) ?\{ ?\} could not be cloned/)
    assert.strictEqual((yield* alone(jobs.run("movedTwice", []))).why, "notCloneable")
    const [after, calls] = yield* jobs.run("count", [])
    assert.isTrue(after !== before || calls > 1)
  })

  live("X02: comes to the one caller when something beside the job fails", function*() {
    const rejection = yield* alone(jobs.run("leavesRejection", []))
    assert.strictEqual(rejection.why, "threw")
    assert.strictEqual(rejection.message, "leavesRejection of jobs.ts left something to run that threw Error: nobody looks at me")
    const thrown = yield* alone(jobs.run("failsBeside", []))
    assert.strictEqual(thrown.message, "failsBeside of jobs.ts left something to run that threw Error: beside")
  })

  live("is not what a later failure of something that a job left behind makes: that is a warning, and the thread is replaced", function*() {
    const warnings: Array<Error> = []
    const hear = (warning: Error) => void warnings.push(warning)
    process.on("warning", hear)
    const left = gate()
    const [before] = yield* jobs.run("count", [])
    assert.strictEqual(yield* jobs.run("failsAfterwards", [left]), "fine")
    yield* open(left)
    yield* until(Effect.sync(() => warnings.length > 0))
    process.off("warning", hear)
    assert.strictEqual(warnings[0]!.name, "ThreadWarning")
    assert.strictEqual(
      warnings[0]!.message,
      "The job failsAfterwards left something to run in a thread of thread pool threads that failed later: Error: too late. The thread is replaced."
    )
    const [after] = yield* jobs.run("count", [])
    assert.notStrictEqual(after, before)
  }, { maxThreads: 1 })

  live("is not what the next job gets when its thread has ended itself meanwhile", function*() {
    const left = gate()
    assert.strictEqual(yield* jobs.run("exitsAfterwards", [left]), "fine")
    yield* open(left)
    yield* until(Effect.map(statistics, ({ threads }) => threads === 0))
    yield* usable
  }, { maxThreads: 1 })

  live("comes to the caller when a thread does not start, however many wait", function*() {
    const error = yield* errorOf(jobs.run("fib", [1]))
    assert.strictEqual(error.why, "threw")
    assert.include(error.message, "fib of jobs.ts: its thread failed with")
    assert.include(error.message, "not-there.js")
    const exits = yield* Tasks.map([1, 2, 3, 4, 5], (n) => Effect.exit(jobs.run("fib", [n])))
    assert.deepStrictEqual(exits.map((exit) => exit._tag), Array.from({ length: 5 }, () => "Failure"))
  }, { execArgv: ["--import", "./not-there.js"] })

  live("is a defect when Node knows an option of the threads not, and the token comes back", function*() {
    for (let i = 0; i < 3; i++) {
      const defect = defectOf(yield* Effect.exit(jobs.run("fib", [1])))
      assert.strictEqual((defect as { readonly code?: string }).code, "ERR_WORKER_INVALID_EXEC_ARGV")
    }
    assert.deepInclude(yield* statistics, { threads: 0, running: [], waiting: 0 })
  }, { maxThreads: 1, execArgv: ["--no-such-option"] })
})

describe("A cancelled job", () => {
  /** A task that runs a job, and is cancelled while the job runs. */
  const cancelled = <A, B>(
    job: Pooled<A, Thread.ThreadError | Errors.Closed>,
    at: ReturnType<typeof gate>,
    rest: (task: Nursery.Task<A, Thread.ThreadError | Errors.Closed>, cancelling: Effect.Effect<void>) => Pooled<B, never>
  ) =>
    Nursery.supervised((n) =>
      Effect.gen(function*() {
        const task = yield* n.startNow(job, { name: "caller" })
        yield* started(at)
        const cancelling = yield* Effect.forkChild(task.cancel("enough"), { startImmediately: true })
        return yield* rest(task, Fiber.join(cancelling))
      }), () => Effect.void)

  live("X03: is waited for by default, and keeps its token until it has ended", function*() {
    const held = gate()
    yield* cancelled(jobs.run("hold", [held]), held, (task, cancelling) =>
      Effect.gen(function*() {
        assert.isTrue(Option.isNone(task.poll))
        assert.include(TaskTree.toText(yield* TaskTree.now), "caller (cancelling, waiting for the end of hold of jobs.ts)")
        assert.deepStrictEqual((yield* statistics).running, ["hold of jobs.ts"])
        yield* open(held)
        yield* cancelling
        const exit = yield* task.await
        assert.isTrue(exit._tag === "Failure" && Cause.hasInterruptsOnly(exit.cause))
        assert.strictEqual(notedNow(held), 1)
        assert.deepStrictEqual((yield* statistics).running, [])
      }))
    yield* usable
  })

  live("that is waited for can end early, when it asks", function*() {
    for (const name of ["spinUntilCancelled", "sleepUntilCancelled"] as const) {
      const at = gate()
      yield* cancelled(jobs.run(name, [at]), at, (task, cancelling) =>
        Effect.gen(function*() {
          yield* cancelling
          const exit = yield* task.await
          assert.isTrue(exit._tag === "Failure" && Cause.hasInterruptsOnly(exit.cause), name)
          assert.strictEqual(notedNow(at), 1)
        }))
    }
    yield* usable
  })

  live("that is waited for loses no error", function*() {
    const at = gate()
    yield* cancelled(jobs.run("holdAndThrow", [at]), at, (task, cancelling) =>
      Effect.gen(function*() {
        yield* open(at)
        yield* cancelling
        const exit = yield* task.await
        const cause = exit._tag === "Failure" ? exit.cause : Cause.empty
        const errors = cause.reasons.flatMap((reason) => reason._tag === "Fail" ? [reason.error.message] : [])
        assert.deepStrictEqual(errors, ["holdAndThrow of jobs.ts threw Error: after all"])
      }))
  })

  live("knows it by a signal that it asks for afterwards, and the job after it is not cancelled", function*() {
    const at = gate()
    yield* cancelled(jobs.run("lookAfterwards", [at]), at, (_, cancelling) => Effect.andThen(open(at), cancelling))
    assert.strictEqual(notedNow(at), 1)
    const next = gate()
    yield* open(next)
    yield* jobs.run("lookAfterwards", [next])
    assert.strictEqual(notedNow(next), 2)
  }, { maxThreads: 1 })

  live("X03: that is abandoned keeps its token and its thread until it has ended", function*() {
    const held = gate()
    yield* cancelled(jobs.run("hold", [held], { onCancel: "abandon" }), held, (task, cancelling) =>
      Effect.gen(function*() {
        yield* cancelling
        assert.isTrue(Option.isSome(task.poll))
        assert.strictEqual(notedNow(held), 0)
        assert.deepStrictEqual((yield* statistics).running, ["hold of jobs.ts"])
        const next = yield* Effect.forkChild(jobs.run("fib", [10]), { startImmediately: true })
        assert.strictEqual((yield* statistics).waiting, 1)
        yield* open(held)
        assert.strictEqual(yield* Effect.orDie(Fiber.join(next)), 55)
        assert.strictEqual(notedNow(held), 1)
      }))
  }, { maxThreads: 1 })

  live("X03: that is terminated has ended with its thread, and another takes its place", function*() {
    const at = gate()
    const [before] = yield* jobs.run("count", [])
    yield* cancelled(jobs.run("spin", [at], { onCancel: "terminate" }), at, (task, cancelling) =>
      Effect.gen(function*() {
        yield* cancelling
        const exit = yield* task.await
        assert.isTrue(exit._tag === "Failure" && Cause.hasInterruptsOnly(exit.cause))
        assert.deepInclude(yield* statistics, { threads: 0, running: [] })
        Atomics.store(at, 2, 0)
        yield* Effect.orDie(usable)
        assert.strictEqual(notedNow(at), 0, "nothing runs on")
      }))
    const [after, calls] = yield* jobs.run("count", [])
    assert.notStrictEqual(after, before)
    assert.strictEqual(calls, 1)
  }, { maxThreads: 1 })

  live("under a time limit fails with it", function*() {
    const error = yield* Effect.flip(jobs.run("spin", [gate()], { onCancel: "terminate" }).pipe(Timeout.failAfter("200 millis", { name: "computing" })))
    assert.instanceOf(error, Errors.TooSlow)
    yield* usable
  })

  live("has a caller that is told the same by Effect's own interruption", function*() {
    for (const onCancel of ["abandon", "terminate"] as const) {
      const at = gate()
      const fiber = yield* Effect.forkChild(jobs.run("spinUntilCancelled", [at], { onCancel }))
      yield* started(at)
      yield* Fiber.interrupt(fiber)
    }
    yield* usable
  })

  live("X04: 10,000 jobs that wait never start, and are gone within 100 ms", function*() {
    const held = [gate(), gate()]
    let begun = 0
    const took = yield* Nursery.open((n) =>
      Effect.gen(function*() {
        for (const each of held) yield* n.startSoon(jobs.run("hold", [each]))
        for (const each of held) yield* started(each)
        const crowd = Nursery.open((inner) =>
          Effect.gen(function*() {
            const late = gate()
            for (let i = 0; i < 10_000; i++) yield* inner.startNow(Effect.map(jobs.run("hold", [late]), () => begun++))
            assert.strictEqual((yield* statistics).waiting, 10_000)
            begun += notedNow(late)
          })
        )
        const all = yield* n.startNow(crowd)
        const before = performance.now()
        yield* all.cancel()
        const took = performance.now() - before
        assert.deepInclude(yield* statistics, { waiting: 0, running: ["hold of jobs.ts", "hold of jobs.ts"] })
        for (const each of held) yield* open(each)
        return took
      })
    )
    assert.strictEqual(begun, 0)
    assert.isBelow(took, 500, "five times the bound: other tests run beside this one")
    yield* usable
  })

  live("gives its thread back whenever the cancel comes", function*() {
    // Before the token, in the same step as the job's start, while it runs, and as it ends.
    for (let i = 0; i < 40; i++) {
      const fibers = yield* Effect.forEach([0, 1, 2, 3], () => Effect.forkChild(jobs.run("fib", [10 + (i % 15)]), { startImmediately: i % 2 === 0 }))
      for (let turn = 0; turn < i % 5; turn++) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      yield* Fiber.interruptAll(fibers)
    }
    assert.deepInclude(yield* statistics, { running: [], waiting: 0 })
    yield* usable
  })
})

describe("A serial job", () => {
  live("runs after the others, in one thread, beside which the other threads go on", function*() {
    const held = gate()
    const [thread] = yield* jobs.run("count", [], { serial: true })
    const order: Array<number> = []
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        yield* n.startNow(jobs.run("hold", [held], { serial: true }))
        yield* started(held)
        for (let i = 0; i < 5; i++) {
          yield* n.startNow(Effect.map(jobs.run("count", [], { serial: true }), ([id, calls]) => {
            assert.strictEqual(id, thread)
            order.push(calls)
          }))
        }
        yield* n.startNow(jobs.run("fib", [1], { serial: true }), { name: "waits" })
        assert.include(TaskTree.toText(yield* TaskTree.now), "waits (waiting for a token of limiter serial threads)")
        const others = yield* Tasks.map([1, 2, 3], () => jobs.run("thread", []))
        assert.notInclude(others, thread)
        yield* open(held)
      })
    )
    assert.deepStrictEqual(order, [2, 3, 4, 5, 6])
  })

  live("that ended its thread leaves a new one to those after it", function*() {
    const [thread] = yield* jobs.run("count", [], { serial: true })
    assert.strictEqual((yield* errorOf(jobs.run("exits", [1], { serial: true }))).why, "exited")
    const [next, calls] = yield* jobs.run("count", [], { serial: true })
    assert.notStrictEqual(next, thread)
    assert.strictEqual(calls, 1)
  })
})

describe("A job's call into the loop", () => {
  const double = (n: number) => Effect.as(Effect.sleep(1), n * 2)

  live("gives the value of the handler's effect, awaited or with the thread asleep", function*() {
    assert.strictEqual(yield* jobs.run("doubleTwice", [21], { handlers: { double } }), 84)
    assert.strictEqual(yield* jobs.run("doubleTwiceLater", [21], { handlers: { double } }), 84)
    const hundred = Array.from({ length: 100 }, (_, i) => i)
    assert.deepStrictEqual(yield* jobs.run("doubleAll", [hundred], { handlers: { double } }), hundred.map((n) => n * 2))
    assert.deepStrictEqual(yield* jobs.run("doubleBoth", [1], { handlers: { double } }), [2, 4, 6])
    assert.strictEqual(yield* jobs.run("nameOf", [7], { handlers: { names: (id) => Effect.succeed(`n${id}`) } }), "n7")
  })

  it("checks the handlers against the interface that the module exports", () => {
    // @ts-expect-error The interface says that it gives a number.
    jobs.run("doubleTwice", [1], { handlers: { double: () => Effect.succeed("2") } })
    // @ts-expect-error The interface says that it takes a number.
    jobs.run("doubleTwice", [1], { handlers: { double: (n: string) => Effect.succeed(n.length) } })
    class Table extends Context.Service<Table, { readonly factor: number }>()("test/Table") {}
    const needs: Effect.Effect<number, Thread.ThreadError | Errors.Closed, Thread.Threads | Table> = jobs.run("doubleTwice", [3], {
      handlers: { double: (n) => Effect.map(Table, ({ factor }) => n * factor) }
    })
    // @ts-expect-error The handler needs a service.
    const without: Effect.Effect<number, unknown, Thread.Threads> = needs
    void without
    return run(Effect.gen(function*() {
      assert.strictEqual(yield* needs, 75)
    }).pipe(Effect.provideService(Table, { factor: 5 })))
  })

  live("runs as a task of a nursery around the job", function*() {
    const go = yield* Event.make({ name: "go" })
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        yield* n.startSoon(
          jobs.run("nameOf", [1], { handlers: { names: () => Effect.as(go.wait, "x") } }),
          { name: "asks" }
        )
        yield* until(Effect.map(TaskTree.now, (tree) => TaskTree.toText(tree).includes("waiting for event go")))
        const tree = TaskTree.toText(yield* TaskTree.now).split("\n").slice(2)
        assert.deepStrictEqual(tree, [
          "└─ asks (waiting)",
          "   └─ nursery nameOf of jobs.ts",
          "      ├─ body (waiting for nameOf of jobs.ts)",
          "      └─ names (waiting for event go)"
        ])
        yield* go.set
      }), { name: "test" })
  })

  live("fails with a typed error when the handler fails, dies, is interrupted or is not there", function*() {
    class Gone extends Error {
      readonly _tag = "Gone"
    }
    const seen = (handlers: Thread.Handlers<Loop>) => jobs.run("seen", [], { handlers })
    assert.deepStrictEqual(yield* seen({ fails: () => Effect.fail(new Gone("away")) }), {
      isCallError: true,
      why: "failed",
      tag: "Gone",
      message: "CallError: fails failed: Error: away"
    })
    assert.deepInclude(yield* seen({ fails: () => Effect.fail({ _tag: "Plain" }) }), { why: "failed", tag: "Plain" })
    assert.deepInclude(yield* seen({ fails: () => Effect.die(new Gone("bug")) }), { why: "died", tag: "Gone" })
    assert.deepInclude(
      yield* seen({
        fails: () => {
          throw new Gone("at once")
        }
      }),
      { why: "died", message: "CallError: fails died: Error: at once" }
    )
    assert.deepInclude(yield* seen({ fails: () => Effect.interrupt }), { why: "died", message: "CallError: fails died: Error: fails was interrupted" })
    assert.deepInclude(yield* seen({ fails: () => Effect.succeed((() => 1) as never) }), { why: "notCloneable" })
    assert.deepInclude(yield* seen({}), { why: "notOffered" })
    assert.deepInclude(yield* jobs.run("seen", []), {
      why: "notOffered",
      message: "CallError: fails is not among the handlers of this run; give it in the options: run(…, { handlers: { fails } })"
    })
    const error = yield* errorOf(jobs.run("sendsFunction", [], { handlers: { double } }))
    assert.include(error.message, "sendsFunction of jobs.ts threw CallError: what was to be sent to or from double cannot be sent: DataCloneError")
  })

  live("lets its error through as the error of the job, with the handler's as its cause", function*() {
    const error = yield* errorOf(jobs.run("throughIt", [], { handlers: { fails: () => Effect.fail({ _tag: "Sold", left: 0 }) } }))
    const call = error.cause as Error & { readonly _tag: string; readonly why: string; readonly handler: string }
    assert.deepInclude({ ...call }, { _tag: "CallError", why: "failed", handler: "fails" })
    assert.deepStrictEqual(call.cause, { _tag: "Sold", left: 0 })
  })

  for (const [name, waiting] of [["callForEver", true], ["callForEverAsync", true], ["callAfterwards", false], ["callAsyncAfterwards", false]] as const) {
    live(`X05: is over when the caller has left and abandoned the job: ${name}`, function*() {
      const at = gate()
      let ended = 0
      const handlers = { double: () => Effect.ensuring(Effect.never, Effect.sync(() => ended++)) }
      const fiber = yield* Effect.forkChild(jobs.run(name, [at], { onCancel: "abandon", handlers }))
      yield* started(at)
      if (waiting) yield* until(Effect.map(TaskTree.now, (tree) => TaskTree.toText(tree).includes("double (waiting)")))
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(ended, waiting ? 1 : 0)
      yield* open(at)
      assert.strictEqual(yield* noted(at), 2)
      yield* until(Effect.map(statistics, ({ running }) => running.length === 0))
      yield* usable
    })
  }

  live("X05: is over in a cancelled job that is waited for, so that it ends", function*() {
    const at = gate()
    const fiber = yield* Effect.forkChild(jobs.run("callForEver", [at], { handlers: { double: () => Effect.never } }))
    yield* started(at)
    yield* until(Effect.map(TaskTree.now, (tree) => TaskTree.toText(tree).includes("double (waiting)")))
    yield* Fiber.interrupt(fiber)
    assert.strictEqual(notedNow(at), 2)
  })

  live("is cancelled when the job ends without waiting for it", function*() {
    const at = gate()
    let outcome = ""
    const waits = Effect.onInterrupt(Effect.never, () => Effect.sync(() => void (outcome = "cancelled")))
    const handlers = { double: () => Effect.andThen(open(at), waits) }
    assert.strictEqual(yield* jobs.run("callAndLeave", [at], { handlers }), "gone")
    assert.strictEqual(outcome, "cancelled")
  })

  it("X05: leaves no process hanging whose program has ended while a thread waits for an answer", () => {
    const { signal, status, stderr, stdout } = start("orphan.ts")
    assert.deepStrictEqual({ signal, status, stderr, stdout }, { signal: null, status: 0, stderr: "", stdout: "caller left\njob heard: over\nclosed\n" })
  })
})

describe("Thread.layer", () => {
  it("dies with value and type of a wrong number of threads", async () => {
    for (const maxThreads of [0, -1, 1.5, NaN, Infinity, "2" as unknown as number]) {
      const exit = await Effect.runPromiseExit(Effect.provide(Effect.void, Thread.layer({ maxThreads })))
      assert.strictEqual(
        String(defectOf(exit)),
        `RangeError: Expected \`maxThreads\` to be an integer from 1 and up, got \`${maxThreads}\` (${typeof maxThreads})`
      )
    }
  })

  live("gives a service that tells its state as text and as JSON", function*() {
    const threads = yield* Thread.Threads
    assert.strictEqual(String(threads), "Threads(workers, 0 of 3 running, 0 waiting)")
    assert.deepStrictEqual(JSON.parse(JSON.stringify(threads)), {
      _id: "Threads",
      name: "workers",
      maxThreads: 3,
      threads: 0,
      running: [],
      waiting: 0
    })
  }, { name: "workers", maxThreads: 3 })

  const closing = (onCancel: "wait" | "abandon" | "terminate", job: "hold" | "spin" | "spinUntilCancelled", options?: Thread.LayerOptions) =>
    Effect.gen(function*() {
      const at = gate()
      const built = yield* Effect.acquireUseRelease(
        Effect.succeed(at),
        () =>
          Effect.scoped(Effect.gen(function*() {
            const context = yield* Layer.build(layer({ maxThreads: 1, ...options }))
            const fiber = yield* Effect.forkDetach(Effect.provide(jobs.run(job, [at], { onCancel }), context))
            const waiting = yield* Effect.forkDetach(Effect.provide(jobs.run("fib", [1]), context))
            yield* started(at)
            return { context, fiber, waiting }
          })),
        () => Effect.void
      )
      return { ...built, at }
    })

  it("ends jobs that run on when the grace has passed, and fails them and those that wait with Closed", () =>
    Effect.runPromise(Effect.gen(function*() {
      const { at, context, fiber, waiting } = yield* closing("wait", "spin", { grace: "20 millis" })
      // The layer is closed by now: nothing runs any more.
      Atomics.store(at, 2, 0)
      assert.strictEqual(Context.get(context, Thread.Threads).statistics.threads, 0)
      for (const each of [fiber, waiting]) {
        const error = yield* Effect.flip(Fiber.join(each as Fiber.Fiber<number, Errors.Closed>))
        assert.instanceOf(error, Errors.Closed)
        assert.strictEqual(error.what, "thread pool threads")
      }
      const late = yield* Effect.flip(Effect.provide(jobs.run("fib", [1]), context))
      assert.instanceOf(late, Errors.Closed)
      assert.strictEqual(notedNow(at), 0)
    })))

  it("waits for jobs that end in time, and tells them to", () =>
    Effect.runPromise(Effect.gen(function*() {
      const { at, fiber } = yield* closing("abandon", "spinUntilCancelled", { grace: "1 hour" })
      assert.strictEqual(notedNow(at), 1)
      const error = yield* Effect.flip(Fiber.join(fiber as Fiber.Fiber<never, Thread.ThreadError>))
      assert.deepInclude({ ...error }, { _tag: "ThreadError", why: "threw" })
      assert.strictEqual((error.cause as Error).name, "Cancelled")
    })))

  it("says what to install when piscina is not there, and not before somebody asks for threads", () => {
    const { status, stdout } = start("no-piscina.ts")
    assert.strictEqual(stdout, "loaded\nError: Thread.layer needs the package piscina, which is not installed: npm install piscina\n")
    assert.strictEqual(status, 0)
  })

  it("lets the process end by itself, with a program's own exit code, when it is closed with idle and with busy threads", () => {
    const { signal, status, stderr, stdout } = start("ends.ts")
    assert.deepStrictEqual({ signal, status, stderr, stdout }, { signal: null, status: 7, stderr: "", stdout: "55\nclosed\n" })
  })

  it.runIf(existsSync("/proc/self/task"))("X06: leaves no thread and no descriptor after 15 rounds of start and stop", () => {
    const { status, stderr, stdout } = start("rounds.ts", ["15"])
    assert.strictEqual(stderr, "")
    assert.strictEqual(status, 0)
    const { after, before } = JSON.parse(stdout) as Record<"before" | "after", { readonly threads: number; readonly descriptors: number }>
    assert.deepStrictEqual(after, before)
  })
})

describe("A job", () => {
  it("has a scope's cancellation around it like any other effect", () =>
    run(Effect.gen(function*() {
      const at = gate()
      const result = yield* CancelScope.open((scope) =>
        Nursery.open((n) =>
          Effect.gen(function*() {
            yield* n.startSoon(jobs.run("spinUntilCancelled", [at]))
            yield* started(at)
            yield* scope.cancel("user pressed stop")
          })
        )
      )
      assert.strictEqual(result._tag, "Failure")
      assert.strictEqual(notedNow(at), 1)
    })))
})
