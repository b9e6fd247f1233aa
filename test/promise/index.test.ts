import { CancelScope, Errors, TaskTree } from "effect-nursery"
import { Cancelled, type Ignored, nursery, NurseryFailed } from "effect-nursery/promise"
import { spawnSync } from "node:child_process"
import { getEventListeners } from "node:events"
import * as path from "node:path"
import { setImmediate, setTimeout } from "node:timers/promises"
import { afterEach, assert, beforeEach, describe, it } from "vitest"

const unhandled: Array<unknown> = []
const note = (error: unknown) => void unhandled.push(error)
beforeEach(() => {
  unhandled.length = 0
  process.on("unhandledRejection", note)
})
afterEach(async () => {
  // Node reports rejections after the microtasks of the turn.
  await setImmediate()
  await setImmediate()
  process.off("unhandledRejection", note)
  assert.deepStrictEqual(unhandled, [])
})

const listeners = (signal: AbortSignal) => getEventListeners(signal, "abort").length

/** Waits until the signal is aborted, and is rejected with its reason, as `fetch` is. */
const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    if (signal.aborted) return reject(signal.reason)
    signal.addEventListener("abort", () => reject(signal.reason), { once: true })
  })

/** The same, and some cleanup that takes a turn. */
const withCleanup = (log: Array<string>, name: string) => async (signal: AbortSignal): Promise<void> => {
  try {
    await untilAborted(signal)
  } finally {
    await setImmediate()
    log.push(`${name} cleaned up`)
  }
}

const failedOf = async (promise: Promise<unknown>): Promise<NurseryFailed> => {
  const error = await rejectionOf(promise)
  assert.instanceOf(error, NurseryFailed)
  return error as NurseryFailed
}

const rejectionOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then((value) => assert.fail(`fulfilled with ${String(value)}`), (error) => error)

describe("nursery", () => {
  it("gives what the body gives, after every task has settled", async () => {
    const log: Array<string> = []
    const value = await nursery(async (n) => {
      n.start(async () => {
        await setTimeout(2)
        log.push("slow")
      })
      n.start(async () => void log.push("quick"))
      return "value"
    })
    assert.strictEqual(value, "value")
    assert.deepStrictEqual(log, ["quick", "slow"])
  })

  it("waits for tasks that tasks have started, also when the body is long over", async () => {
    const log: Array<string> = []
    await nursery(async (n) => {
      n.start(async () => {
        await setTimeout(1)
        n.start(async () => {
          await setTimeout(1)
          n.start(async () => void log.push("grandchild"))
        })
      })
    })
    assert.deepStrictEqual(log, ["grandchild"])
  })

  it("aborts the signals of the others when a task is rejected, waits for their cleanup, and throws a group", async () => {
    const log: Array<string> = []
    const boom = new Error("boom")
    const error = await failedOf(nursery(async (n) => {
      n.start(withCleanup(log, "first"), { name: "first" })
      n.start(async () => {
        await setImmediate()
        throw boom
      }, { name: "bad" })
      await withCleanup(log, "body")(n.signal)
    }, { name: "upload" }))
    assert.deepStrictEqual(log.sort(), ["body cleaned up", "first cleaned up"])
    assert.deepStrictEqual(error.errors, [boom])
    assert.deepStrictEqual(error.failures, [{ task: "bad", error: boom }])
    assert.strictEqual(error.message, "1 failure in upload\n  bad: Error: boom")
    assert.instanceOf(error, AggregateError)
  })

  it("aborts the signals of the tasks when the body is rejected, or throws at once", async () => {
    const log: Array<string> = []
    const rejected = await failedOf(nursery(async (n) => {
      n.start(withCleanup(log, "task"))
      throw new Error("body")
    }))
    assert.deepStrictEqual(rejected.failures.map(({ task }) => task), ["body"])
    const thrown = await failedOf(nursery((n) => {
      n.start(withCleanup(log, "task"))
      throw new Error("at once")
    }))
    assert.strictEqual((thrown.errors[0] as Error).message, "at once")
    assert.deepStrictEqual(log, ["task cleaned up", "task cleaned up"])
  })

  it("keeps all errors in the order in which they came, those of the cleanup too", async () => {
    const error = await failedOf(nursery(async (n) => {
      n.start(async (signal) => {
        await untilAborted(signal).catch(() => {})
        throw new Error("cleanup")
      }, { name: "a" })
      n.start(async () => { throw new Error("first") }, { name: "b" })
      n.start(() => { throw new Error("second") }, { name: "c" })
      n.start(() => Promise.reject("no error object"), { name: "d" })
    }))
    assert.deepStrictEqual(error.failures.map(({ error, task }) => `${task}: ${error}`), [
      "b: Error: first", "c: Error: second", "d: no error object", "a: Error: cleanup"
    ])
  })

  it("counts an error once that a body or another task passes on by awaiting", async () => {
    const boom = new Error("boom")
    const error = await failedOf(nursery(async (n) => {
      const bad = n.start(async () => {
        await setImmediate()
        throw boom
      }, { name: "bad" })
      n.start(() => bad, { name: "friend" })
      await bad
    }))
    assert.deepStrictEqual(error.failures, [{ task: "bad", error: boom }])
  })

  it("keeps the same word twice when two tasks say it", async () => {
    const error = await failedOf(nursery(async (n) => {
      n.start(() => Promise.reject("no"))
      n.start(() => Promise.reject("no"))
    }))
    assert.deepStrictEqual(error.errors, ["no", "no"])
  })

  it("does not count as failures what promises are rejected with because their signal was aborted", async () => {
    const ways: ReadonlyArray<(signal: AbortSignal) => Promise<unknown>> = [
      untilAborted,
      (signal) => untilAborted(signal).catch(() => { throw new DOMException("stopped", "AbortError") }),
      (signal) => untilAborted(signal).catch(() => { throw Object.assign(new Error("stopped"), { code: "ABORT_ERR" }) }),
      (signal) => untilAborted(signal).catch((cause) => { throw new Error("gave up", { cause }) }),
      (signal) => setTimeout(1_000_000, undefined, { signal }),
      (signal) => nursery((inner) => untilAborted(inner.signal), { signal })
    ]
    const error = await failedOf(nursery(async (n) => {
      for (const way of ways) n.start(way)
      await setImmediate()
      throw new Error("the one")
    }))
    assert.deepStrictEqual(error.errors.map(String), ["Error: the one"])
  })

  it("counts an AbortError that comes without an abort of the nursery", async () => {
    const error = await failedOf(nursery(async (n) => {
      n.start(async () => { throw new DOMException("own", "AbortError") })
    }))
    assert.strictEqual(error.errors.length, 1)
  })

  it("takes thenables, and values where a promise was promised", async () => {
    // On purpose: a promise of another library is any object with this method.
    // oxlint-disable-next-line unicorn/no-thenable
    const thenable = (then: (resolve: (value: number) => void) => void) => ({ then }) as unknown as PromiseLike<number>
    const values = await nursery(async (n) => [
      await n.start(() => thenable((resolve) => resolve(1))),
      await n.start(() => 2 as unknown as Promise<number>)
    ])
    assert.deepStrictEqual(values, [1, 2])
    const error = await failedOf(nursery(async (n) => void n.start(() => thenable(() => { throw new Error("bad then") }))))
    assert.deepStrictEqual(error.errors.map(String), ["Error: bad then"])
  })

  it("says what is wrong with arguments that are none", async () => {
    assert.strictEqual(
      String(await rejectionOf(nursery("x" as never))),
      "TypeError: Expected `body` to be a function that takes a nursery and returns a promise, got `x` (string)"
    )
    const error = await failedOf(nursery(async (n) => void n.start(Promise.resolve(1) as never)))
    assert.strictEqual(
      String(error.errors[0]),
      "TypeError: Expected `task` to be a function that takes an AbortSignal and returns a promise, got `[object Promise]` (object)"
    )
    assert.include(String(await rejectionOf(nursery(async () => {}, { timeout: NaN }))), "Expected `timeout` to be a duration, got `NaN`")
    assert.include(String(await rejectionOf(nursery(async () => {}, { ignoredAfter: NaN }))), "Expected `ignoredAfter`")
    const signal = await failedOf(nursery(async () => {}, { signal: 1 as never }))
    assert.include(String(signal.errors[0]), "Expected `signal` to be an AbortSignal, got `1` (number)")
  })

  it("is 10,000 tasks at a time, and 200 nested starts, which is more than begin in one stack", async () => {
    const all = await nursery((n) => Promise.all(Array.from({ length: 10_000 }, (_, i) => n.start(async () => i))))
    assert.strictEqual(all.length, 10_000)
    const deep = await nursery((n) => {
      const down = (depth: number): Promise<number> => depth === 0 ? Promise.resolve(0) : n.start(async () => 1 + await down(depth - 1))
      return down(200)
    })
    assert.strictEqual(deep, 200)
  })
})

describe("nursery with a signal", () => {
  it("is cancelled when it is aborted, and rejected with its reason when all have settled", async () => {
    const log: Array<string> = []
    const controller = new AbortController()
    const reason = new Error("user left")
    const running = nursery(async (n) => {
      n.start(withCleanup(log, "task"))
      n.start(async (signal) => {
        await untilAborted(signal).catch(() => {})
        assert.strictEqual(signal.reason, reason)
      })
      await withCleanup(log, "body")(n.signal)
    }, { signal: controller.signal })
    await setImmediate()
    controller.abort(reason)
    assert.strictEqual(await rejectionOf(running), reason)
    assert.deepStrictEqual(log.sort(), ["body cleaned up", "task cleaned up"])
    assert.strictEqual(listeners(controller.signal), 0)
  })

  it("that is aborted already does not call the body", async () => {
    const signal = AbortSignal.abort("early")
    assert.strictEqual(await rejectionOf(nursery(() => assert.fail("called"), { signal })), "early")
    assert.strictEqual(listeners(signal), 0)
  })

  it("throws the failures of the cleanup, and not the reason beside them", async () => {
    const controller = new AbortController()
    const running = nursery(async (n) => {
      n.start(async (signal) => {
        await untilAborted(signal).catch(() => {})
        throw new Error("cleanup")
      })
      await untilAborted(n.signal)
    }, { signal: controller.signal })
    controller.abort()
    assert.deepStrictEqual((await failedOf(running)).errors.map(String), ["Error: cleanup"])
  })

  it("keeps the value if everybody was fulfilled all the same", async () => {
    const controller = new AbortController()
    const running = nursery(async (n) => {
      n.start((signal) => untilAborted(signal).catch(() => {}))
      await untilAborted(n.signal).catch(() => {})
      return "done"
    }, { signal: controller.signal })
    controller.abort()
    assert.strictEqual(await running, "done")
  })

  it("leaves no listener on a long-lived signal after 10,000 nurseries that ended in every way", async () => {
    const { signal } = new AbortController()
    for (let i = 0; i < 10_000; i++) {
      const ended = nursery(async (n) => {
        if (i % 3 === 1) n.start(async () => { throw new Error("x") })
        if (i % 3 === 2) {
          n.start(untilAborted)
          n.cancelTasks()
        }
      }, { signal })
      await ended.catch(() => {})
    }
    assert.strictEqual(listeners(signal), 0)
  })

  it("of a task, nests: the inner nursery is cancelled with the task, stands below it in the tree, and its group is one error", async () => {
    const log: Array<string> = []
    let tree = ""
    const error = await failedOf(nursery(async (outer) => {
      outer.start((signal) => nursery(async (inner) => {
        inner.start(withCleanup(log, "grandchild"), { name: "grandchild" })
        await untilAborted(inner.signal)
      }, { name: "inner", signal }), { name: "child" })
      outer.start((signal) => nursery(async (inner) => {
        inner.start(async () => { throw new Error("deep") }, { name: "bad" })
      }, { name: "failing", signal }), { name: "parent of bad" })
      tree = TaskTree.toText(TaskTree.nowUnsafe())
      await untilAborted(outer.signal)
    }, { name: "outer" }))
    assert.deepStrictEqual(log, ["grandchild cleaned up"])
    assert.strictEqual(error.errors.length, 1)
    assert.instanceOf(error.errors[0], NurseryFailed)
    assert.strictEqual(error.message, "1 failure in outer\n  parent of bad: NurseryFailed: 1 failure in failing\n    bad: Error: deep")
    const lines = tree.split("\n").map((line) => line.replace(/^[│├└─\s]*/, ""))
    const at = lines.findIndex((line) => line.startsWith("child ("))
    assert.match(lines[at + 1]!, /^scope inner/)
  })
})

describe("nursery with a timeout", () => {
  it("is rejected with TooSlow, which is also the reason of the signals", async () => {
    let reason: unknown
    const error = await rejectionOf(nursery(async (n) => {
      await untilAborted(n.signal).catch((error) => reason = error)
      throw n.signal.reason
    }, { name: "page", timeout: "2 millis" }))
    assert.instanceOf(error, Errors.TooSlow)
    assert.strictEqual((error as Error).message, "page took longer than 2ms")
    assert.strictEqual(reason, error)
  })

  it("that is not reached leaves nothing behind, so the process can end", () => {
    const program = "import { nursery } from 'effect-nursery/promise'; await nursery(async () => {}, { timeout: '1 hour' }); console.log('over')"
    const root = path.resolve(import.meta.dirname, "../..")
    const { status, stdout } = spawnSync(process.execPath, ["--conditions=effect-nursery:source", "--input-type=module", "--eval", program], { cwd: root, encoding: "utf8", timeout: 20_000 })
    assert.deepStrictEqual([status, stdout], [0, "over\n"])
  })
})

describe("Nursery.start", () => {
  it("calls the task at once, with a signal of its own, and gives its promise", async () => {
    await nursery(async (n) => {
      const signals: Array<AbortSignal> = []
      const first = n.start(async (signal) => signals.push(signal))
      const second = n.start(async (signal) => signals.push(signal))
      assert.strictEqual(signals.length, 2)
      assert.notStrictEqual(signals[0], signals[1])
      assert.deepStrictEqual([await first, await second], [1, 2])
    })
  })

  it("P05: what it gives may be ignored: no rejection reaches the process, and the nursery throws it", async () => {
    const error = await failedOf(nursery(async (n) => {
      n.start(async () => { throw new Error("ignored") })
      const derived = n.start(async () => { throw new Error("awaited") })
      await derived.catch(() => {})
    }))
    await setImmediate()
    assert.deepStrictEqual(error.errors.map(String), ["Error: ignored", "Error: awaited"])
    // afterEach shows that nothing was unhandled.
  })

  it("names tasks by option, by function, or by number", async () => {
    const error = await failedOf(nursery(async (n) => {
      const fail = async () => { throw new Error("x") }
      n.start(fail)
      n.start(fail, { name: "given" })
      n.start((() => fail)())
      n.start(() => fail())
    }))
    assert.deepStrictEqual(error.failures.map(({ task }) => task), ["fail", "given", "fail", "task 4"])
  })

  it("in a cancelled nursery does not call the task, and is rejected with the reason, which may be ignored", async () => {
    const controller = new AbortController()
    const reason = new Error("user left")
    const late: Array<unknown> = []
    const running = nursery(async (n) => {
      const startLate = () => n.start(() => assert.fail("called"))
      // In the very act of the abort, when others have still to be told.
      n.signal.addEventListener("abort", () => startLate().catch((error) => late.push(error)), { once: true })
      n.start(untilAborted)
      await untilAborted(n.signal).catch(() => {})
      startLate()
      late.push(await rejectionOf(startLate()))
    }, { signal: controller.signal })
    controller.abort(reason)
    assert.strictEqual(await rejectionOf(running), reason)
    assert.deepStrictEqual(late, [reason, reason])
  })

  it("of a task that was cancelled before it could begin is rejected, and the task never called", async () => {
    let called = 0
    const deepestFirst: Array<Promise<unknown>> = []
    await nursery(async (n) => {
      // So deep in other starts that the last one has to wait for a turn of its own.
      const down = (depth: number): Promise<void> => {
        called++
        if (depth > 0) deepestFirst.push(n.start(async () => void down(depth - 1)))
        return Promise.resolve()
      }
      await down(200)
      n.cancelTasks("too deep")
    })
    assert.isBelow(called, 201)
    assert.strictEqual(((await rejectionOf(deepestFirst[0]!)) as Cancelled).reason.message, "too deep")
  })

  it("after the end is rejected with NurseryClosed, and that is not silenced", async () => {
    const n = await nursery(async (n) => n, { name: "chat" })
    const error = await rejectionOf(n.start(async () => 1, { name: "greeting" }))
    assert.instanceOf(error, Errors.NurseryClosed)
    assert.include((error as Error).message, "Cannot start greeting in chat")
    void n.start(async () => 1)
    await setImmediate()
    await setImmediate()
    assert.strictEqual(unhandled.length, 1)
    unhandled.length = 0
  })
})

describe("Nursery.cancelTasks", () => {
  it("aborts the tasks that run now, and keeps the body and its value: a race", async () => {
    const log: Array<string> = []
    const winner = await nursery(async (n) => {
      const first = await Promise.race([
        n.start(async (signal) => {
          await withCleanup(log, "loser")(signal)
          return "never"
        }),
        n.start(async () => "winner")
      ])
      n.cancelTasks("there is a winner")
      assert.isFalse(n.signal.aborted)
      return first
    })
    assert.strictEqual(winner, "winner")
    assert.deepStrictEqual(log, ["loser cleaned up"])
  })

  it("rejects with a Cancelled that says why", async () => {
    let reason: unknown
    await nursery(async (n) => {
      const task = n.start(untilAborted, { name: "music" })
      n.cancelTasks("the guests have left")
      reason = await rejectionOf(task)
    }, { name: "party" })
    assert.instanceOf(reason, Cancelled)
    assert.strictEqual((reason as Cancelled).name, "AbortError")
    assert.instanceOf((reason as Cancelled).reason, CancelScope.CancelReason)
    assert.deepInclude((reason as Cancelled).reason, { source: "explicit", message: "the guests have left" })
  })

  it("is not what the nursery is rejected with when it is aborted later and all others are fulfilled", async () => {
    const controller = new AbortController()
    const value = await nursery(async (n) => {
      n.start(untilAborted)
      n.cancelTasks()
      controller.abort("late")
      return "kept"
    }, { signal: controller.signal })
    assert.strictEqual(value, "kept")
  })
})

describe("Options.onIgnored", () => {
  it("is told of the promise that does not listen to its signal, once; the nursery waits all the same", async () => {
    const told: Array<Ignored> = []
    const log: Array<string> = []
    let release = () => {}
    const error = await failedOf(nursery(async (n) => {
      n.start(() => new Promise<void>((resolve) => { release = resolve }).then(() => void log.push("deaf ended")), { name: "deaf" })
      n.start(withCleanup(log, "polite"), { name: "polite" })
      throw new Error("x")
    }, { name: "party", ignoredAfter: 1, onIgnored: (ignored) => {
      told.push(ignored)
      release()
    } }))
    assert.deepStrictEqual(told, [{ nursery: "party", task: "deaf", afterMillis: 1 }])
    assert.deepStrictEqual(log, ["polite cleaned up", "deaf ended"])
    assert.deepStrictEqual(error.ignored, ["deaf"])
    assert.strictEqual(error.message, "1 failure in party\n  body: Error: x\n  (ignored the signal: deaf)")
  })

  it("is a warning of the process by default, that names the task and the nursery", async () => {
    let release = () => {}
    const warned = new Promise<Error>((resolve) => process.once("warning", resolve))
    const running = nursery(async (n) => {
      n.start(() => new Promise<void>((resolve) => { release = resolve }), { name: "deaf" })
      n.cancelTasks()
    }, { name: "party", ignoredAfter: 1 })
    const warning = await warned
    release()
    await running
    assert.strictEqual(warning.name, "NurseryWarning")
    assert.include(warning.message, "deaf in party has ignored its AbortSignal for 1ms, and the nursery waits for it")
  })

  it("that throws is a failure of the nursery", async () => {
    let release = () => {}
    const error = await failedOf(nursery(async (n) => {
      n.start(() => new Promise<void>((resolve) => { release = resolve }))
      n.cancelTasks()
    }, { ignoredAfter: 1, onIgnored: () => {
      release()
      throw new Error("hook")
    } }))
    assert.deepStrictEqual(error.errors.map(String), ["Error: hook"])
  })
})

describe("a program without Effect", () => {
  it("P05: ends with the group on stderr, exit code 1, and the line that called the nursery", () => {
    const program = [
      "import { nursery } from 'effect-nursery/promise'",
      "const upload = async () => {",
      "  await nursery(async (n) => { n.start(async () => { throw new Error('no milk') }, { name: 'tea' }) })",
      "}",
      "await upload()"
    ].join("\n")
    const root = path.resolve(import.meta.dirname, "../..")
    const { status, stderr } = spawnSync(process.execPath, ["--conditions=effect-nursery:source", "--input-type=module", "--eval", program], { cwd: root, encoding: "utf8", timeout: 20_000 })
    assert.strictEqual(status, 1)
    assert.include(stderr, "NurseryFailed: 1 failure in nursery")
    assert.include(stderr, "tea: Error: no milk")
    assert.match(stderr, /at async upload /)
  })
})
