import { Effect } from "effect"
import { Main } from "effect-nursery/node"
import * as fs from "node:fs"
import { assert, describe, it } from "vitest"
import { type Ended, nodeArguments, plainEnv, start as startFile, type StartOptions, type Started } from "./main/start.ts"
import { ctrlBackslash, ctrlC, terminalWorks, typed } from "./main/terminal.ts"

const start = (name: string, options: Readonly<Record<string, unknown>> = {}, more?: StartOptions): Started =>
  startFile("test/node/main/programs.ts", [name, JSON.stringify(options)], more)

const run = (name: string, options?: Readonly<Record<string, unknown>>, more?: StartOptions): Promise<Ended> => start(name, options, more).ended

type Step = readonly [prints: string, signal: NodeJS.Signals]

/** Sends the signals one after the other, each when the program has printed what stands before it. */
const signalled = async (program: Started, steps: ReadonlyArray<Step>): Promise<Ended> => {
  for (const [text, signal] of steps) {
    await program.prints(text)
    program.kill(signal)
  }
  return await program.ended
}

const runWith = (name: string, options: Readonly<Record<string, unknown>>, ...steps: ReadonlyArray<Step>) => signalled(start(name, options), steps)

const byNpm = { env: { npm_lifecycle_event: "example" } }

const saysNothing = (text: string) => assert.strictEqual(text, "")
const noStackTrace = (ended: Ended) => assert.notMatch(ended.stderr + ended.stdout, /^ +at .*(node_modules|src\/|node:)/m)

const signals = [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const

// Each of these starts Node, on a machine that may be busy.
const slowly = { timeout: 90_000 }

describe("Main.run, without signals", slowly, () => {
  it("ends with 0 when the program succeeds, and prints nothing of its own", async () => {
    for (const [name, stdout] of [["nothing", ""], ["succeeds", "done\n"]] as const) {
      assert.deepStrictEqual(await run(name), { code: 0, signal: null, stdout, stderr: "" })
    }
  })

  it("leaves an exit code that the program has set", async () => {
    assert.strictEqual((await run("ownExitCode")).code, 3)
  })

  it("ends with 1 when the program fails, and prints its failures as a tree, with their places", async () => {
    const { code, stderr, stdout } = await run("fails")
    assert.strictEqual(code, 1)
    saysNothing(stdout)
    assert.strictEqual(stderr.replaceAll(/:\d+:\d+/g, ":1:1"), [
      "2 failures",
      "└─ breakfast",
      "   ├─ tea",
      "   │  └─ NoMilk {\"fridge\":1}",
      "   │     at test/node/main/programs.ts:1:1",
      "   └─ cake",
      "      └─ kitchen",
      "         └─ bake",
      "            └─ oven on fire (defect)",
      ""
    ].join("\n"))
  })

  it("prints a thousand failures on one screen of 24 lines of 80 columns", async () => {
    const { code, stderr } = await run("failsOften")
    const lines = stderr.trimEnd().split("\n")
    assert.strictEqual(code, 1)
    assert.isAtMost(lines.length, 23)
    assert.isTrue(lines.every((line) => Array.from(line).length <= 80))
    assert.strictEqual(lines[0], "1002 failures")
    assert.strictEqual(lines.at(-1), "   └─ conn 1 … conn 990 × 990: refused by …")
  })

  it("takes the exit code from the error, and does not print an error that says it has been reported", async () => {
    assert.deepStrictEqual(await run("usage"), { code: 64, signal: null, stdout: "", stderr: "" })
  })

  it("says that a program which interrupts itself was cancelled, with 1", async () => {
    assert.deepStrictEqual(await run("interruptsItself"), { code: 1, signal: null, stdout: "", stderr: "cancelled\n" })
  })

  it("colours the tree when the environment asks for it", async () => {
    assert.notInclude((await run("fails")).stderr, "\u001b[")
    const { stderr } = await run("fails", {}, { env: { FORCE_COLOR: "1", NO_COLOR: undefined } })
    assert.include(stderr, "\u001b[31mNoMilk")
  })

  it("keeps a process alive whose program waits for something that Node does not know of", async () => {
    const ended = await runWith("waits", { grace: 0 }, ["ready", "SIGTERM"])
    assert.deepStrictEqual(ended, { code: 143, signal: null, stdout: "ready\n", stderr: "" })
  })

  it("complains about limits that are none, before it runs anything", () => {
    const program = Effect.sync(() => assert.fail("it must not run"))
    assert.throws(() => Main.run(program, { grace: Number.NaN }), "Expected `grace` to be a duration, got `NaN` (number)")
    assert.throws(() => Main.run(program, { cleanup: Number.NaN }), "Expected `cleanup` to be a duration, got `NaN` (number)")
    assert.throws(() => Main.run(program, { blockedAfter: 0 }), "Expected `blockedAfter` to be a time from 1 millisecond and up, got 0 milliseconds")
  })
})

describe("C16: Main.run with blockedAfter", slowly, () => {
  it("says which task has blocked the event loop", async () => {
    const { code, stderr } = await run("blocks", { blockedAfter: "100 millis" })
    assert.strictEqual(code, 0)
    assert.match(stderr, /The event loop was blocked for \d+ ms by images › resize\n {2}at test\/node\/main\/programs\.ts:/)
  })

  // Node waits for a connected inspector when a process ends, and says so.
  it("does not hold up the end of the process", async () => {
    const { code, stderr } = await run("blocksAndFails", { blockedAfter: "100 millis" })
    assert.strictEqual(code, 1)
    assert.notInclude(stderr, "debugger")
  })

  it("says nothing without it", async () => {
    saysNothing((await run("blocks")).stderr)
  })
})

describe("P01: Main.run, with one signal", slowly, () => {
  for (const [signal] of signals) {
    it(`lets a program that listens drain, and ends with its own code: ${signal}`, async () => {
      const { code, stdout } = await runWith("stops", { grace: "1 minute" }, ["ready", signal])
      assert.strictEqual(code, 0)
      assert.strictEqual(stdout, `ready\nstopping: signal ${signal} in main\ndrained\ncleaned up\n`)
    })
  }

  it("lets requests in flight be answered while no new ones are taken", async () => {
    const { code, stdout } = await runWith("serves", { grace: "1 minute" }, ["ready", "SIGTERM"])
    assert.strictEqual(stdout, "ready\nno more requests\nrequest answered\n")
    assert.strictEqual(code, 0)
  })

  it("gives the code of an error that comes while the program drains", async () => {
    const { code, stderr } = await runWith("stopsAndFails", { grace: "1 minute" }, ["ready", "SIGTERM"])
    assert.strictEqual(code, 1)
    assert.include(stderr, "could not save")
  })

  for (const [signal, code] of signals) {
    it(`cancels a program that does not listen when the grace is over, cleanup included, and ends with ${code}: ${signal}`, async () => {
      const ended = await runWith("deaf", { grace: 50 }, ["ready", signal])
      assert.strictEqual(ended.code, code)
      assert.strictEqual(ended.stdout, "ready\ncleaned up\n")
      assert.strictEqual(ended.stderr, `${signal}: has not stopped within 50ms, is cancelled; has 4s to clean up\n`)
    })
  }

  it("cancels at once when there is no grace", async () => {
    const ended = await runWith("deaf", { grace: 0 }, ["ready", "SIGINT"])
    assert.deepStrictEqual(ended, { code: 130, signal: null, stdout: "ready\ncleaned up\n", stderr: "" })
  })

  it("says that it stops, and how to end it, when that takes a while", async () => {
    const program = start("deaf", { grace: "1 minute" })
    await program.prints("ready")
    program.kill("SIGINT")
    await program.prints("SIGINT: stopping, within 1m; once more ends it at once\n")
    program.kill("SIGINT")
    assert.strictEqual((await program.ended).code, 130)
  })

  it("says which of several programs it is that stops, shows its tasks or fails (bug: two workers said the same)", async () => {
    const program = start("deaf", { grace: "1 minute", name: "worker 1" })
    await program.prints("ready")
    program.kill("SIGQUIT")
    await program.prints("worker 1: SIGQUIT: 0 tasks\n")
    program.kill("SIGINT")
    await program.prints("worker 1: SIGINT: stopping, within 1m; once more ends it at once\n")
    program.kill("SIGINT")
    assert.strictEqual((await program.ended).code, 130)
    assert.match((await run("fails", { name: "worker 2" })).stderr, /^worker 2: 2 failures\n└─ breakfast\n/)
  })

  it("prints what the cleanup of a cancelled program fails with", async () => {
    const ended = await runWith("cleanupFails", { grace: 0 }, ["ready", "SIGTERM"])
    assert.strictEqual(ended.code, 143)
    assert.include(ended.stderr, "could not save")
    noStackTrace(ended)
  })

  it("ends a program whose cleanup hangs, and says who it was", async () => {
    const ended = await runWith("cleanupHangs", { grace: 0, cleanup: 200 }, ["ready", "SIGTERM"])
    assert.strictEqual(ended.code, 143)
    assert.strictEqual(ended.stderr, [
      "SIGTERM: cleanup has not ended within 200ms, the process ends. Still there:",
      "scope main (cancelling)",
      "└─ body (cancelling)",
      "   └─ nursery work (cancelling)",
      "      └─ hangs (cancelling)",
      ""
    ].join("\n"))
  })

  it("stops a program that is starting, and what has been acquired by then is released", async () => {
    const ended = await runWith("starts", { grace: 20 }, ["connecting", "SIGTERM"])
    assert.strictEqual(ended.code, 143)
    assert.strictEqual(ended.stdout, "connecting\ndisconnected\n")
    noStackTrace(ended)
  })

  it("leaves SIGHUP to a program that listens to it itself", async () => {
    const program = start("reloads")
    await program.prints("ready")
    program.kill("SIGHUP")
    await program.prints("read the configuration again")
    program.kill("SIGTERM")
    assert.strictEqual((await program.ended).code, 0)
  })
})

describe("P01: Main.run, with two signals", slowly, () => {
  for (const [first, second, code] of [["SIGINT", "SIGINT", 130], ["SIGTERM", "SIGTERM", 143], ["SIGINT", "SIGTERM", 143]] as const) {
    it(`ends at once, without cleanup: ${first}, ${second}`, async () => {
      const ended = await runWith("deaf", { grace: "1 hour" }, ["ready", first], ["stopping", second])
      assert.strictEqual(ended.code, code)
      assert.strictEqual(ended.stdout, "ready\n")
      noStackTrace(ended)
    })
  }

  it("ends at once also while it starts", async () => {
    const ended = await runWith("starts", { grace: "1 hour" }, ["connecting", "SIGINT"], ["stopping", "SIGINT"])
    assert.deepStrictEqual([ended.code, ended.stdout], [130, "connecting\n"])
  })

  it("ends at once also while it cleans up, for ever if it may", async () => {
    const ended = await runWith("cleanupHangs", { grace: 0, cleanup: "1 hour" }, ["ready", "SIGTERM"], ["cleaning up", "SIGTERM"])
    assert.deepStrictEqual([ended.code, ended.stderr], [143, ""])
  })

  it("takes the one that npm run sends after Ctrl-C for the same", async () => {
    const { code, stdout } = await run("echoed", { grace: "1 minute" }, byNpm)
    assert.strictEqual(stdout, "no more requests\nrequest answered\n")
    assert.strictEqual(code, 0)
    assert.strictEqual((await run("echoed", { grace: "1 minute" })).code, 130)
  })

  it("ends one that npm run has started with a signal that comes later", async () => {
    const program = start("deaf", { grace: "1 hour" }, byNpm)
    assert.strictEqual((await signalled(program, [["ready", "SIGINT"], ["stopping", "SIGINT"]])).code, 130)
  })
})

describe("A83: Main.run, on SIGQUIT", slowly, () => {
  it("prints what runs and what it waits for, with equal tasks folded, and the program goes on", async () => {
    const program = start("tree")
    await program.prints("ready")
    const tree = [
      "SIGQUIT: 990 tasks",
      "scope main",
      "└─ body (waiting)",
      "   └─ nursery chat",
      "      ├─ body (waiting for a stop)",
      "      └─ conn 1 … conn 990 × 990 (receiving from channel inbox)",
      ""
    ].join("\n")
    program.kill("SIGQUIT")
    await program.prints(tree)
    program.kill("SIGQUIT")
    await program.prints(tree + tree)
    program.kill("SIGTERM")
    assert.strictEqual((await program.ended).code, 0)
  })
})

describe("Main.run, when something throws outside of all tasks", slowly, () => {
  it("cancels the program, and ends with 1 and the error in the tree", async () => {
    const { code, stderr, stdout } = await run("throwsInCallback")
    assert.strictEqual(code, 1)
    assert.strictEqual(stdout, "ready\ncleaned up\n")
    assert.strictEqual(stderr.replaceAll(/:\d+:\d+/g, ":1:1"), [
      "1 failure",
      "└─ process",
      "   └─ uncaught exception",
      "      └─ TypeError: thrown in a callback (defect)",
      "         at Timeout.failInCallback (test/node/main/programs.ts:1:1)",
      ""
    ].join("\n"))
  })

  it("does the same with a promise whose rejection nobody handles", async () => {
    const { code, stderr, stdout } = await run("rejects")
    assert.strictEqual(code, 1)
    assert.strictEqual(stdout, "ready\ncleaned up\n")
    assert.include(stderr, "└─ unhandled rejection\n      └─ Error: nobody caught this (defect)")
  })

  it("ends with 1 also when the program is over by then and only its output has to go out", async () => {
    const program = start("throwsWhenOver", {}, { unread: true })
    await program.prints("TypeError: thrown in a callback (defect)")
    program.read()
    const { code, stdout } = await program.ended
    assert.strictEqual(stdout.split("\n").length, 100_001)
    assert.strictEqual(code, 1)
  })

  it("ends also when the cleanup hangs", async () => {
    const { code, stderr } = await run("throwsAndHangs", { cleanup: 100 })
    assert.strictEqual(code, 1)
    assert.include(stderr, "uncaught exception: cleanup has not ended within 100ms")
    assert.include(stderr, "TypeError: thrown in a callback")
  })
})

describe("P02: Main.run, when standard output does not take what is written", slowly, () => {
  it("ends quietly when the reader has gone, with cleanup, whatever the program writes with", async () => {
    const head = `"$@" | head -1; exit \${PIPESTATUS[0]}`
    assert.deepStrictEqual(await run("endlessLines", {}, { shell: head }), { code: 0, signal: null, stdout: "line 0\n", stderr: "cleaned up\n" })
    assert.deepStrictEqual(await run("writes", {}, { shell: head }), { code: 0, signal: null, stdout: "a line\n", stderr: "" })
  })

  it("does not cut the grace short when Ctrl-C has ended the reader, too", async () => {
    const program = start("writesAndStops", { grace: "1 minute" })
    await program.prints("ready")
    program.kill("SIGINT")
    await program.prints("draining")
    program.closeStdout()
    const { code, stderr } = await program.ended
    assert.strictEqual(stderr.includes("drained"), true)
    assert.strictEqual(code, 0)
  })

  it.skipIf(!fs.existsSync("/dev/full"))("goes on when the disk is full, says so once, and does not end with 0", async () => {
    for (const name of ["writes", "succeeds"]) {
      const { code, stderr } = await run(name, {}, { shell: `"$@" > /dev/full` })
      assert.strictEqual(stderr, "standard output: ENOSPC: no space left on device, write; what cannot be written is lost, the program goes on\n")
      assert.strictEqual(code, 1)
    }
  })

  it("does not mind when nobody reads standard error", async () => {
    const { code } = await run("fails", {}, { shell: `"$@" 2> >(true); exit $?` })
    assert.strictEqual(code, 1)
  })

  it("ends only when a slow reader has got every line", async () => {
    const slow = `"$@" | (sleep 0.3; wc -l); exit \${PIPESTATUS[0]}`
    const succeeding = await run("manyLines", {}, { shell: slow })
    assert.deepStrictEqual([succeeding.code, succeeding.stdout.trim()], [0, "200000"])
    const failing = await run("failsWithMuchToSay", {}, { shell: slow })
    assert.deepStrictEqual([failing.code, failing.stdout.trim()], [1, "100000"])
  })

  it("waits after a signal no longer than for cleanup when the program is over and its reader does not read", async () => {
    const program = start("failsWithMuchToSay", { cleanup: 200 }, { unread: true })
    assert.strictEqual((await signalled(program, [["and then it failed", "SIGTERM"]])).code, 143)
  })

  it("ends at once after two signals then", async () => {
    const program = start("failsWithMuchToSay", { cleanup: "1 hour" }, { unread: true })
    // Which of two that are pending comes first is up to the system.
    assert.include([130, 143], (await signalled(program, [["and then it failed", "SIGTERM"], ["and then it failed", "SIGINT"]])).code)
  })

  it("lets what has been written go out after one signal, and keeps the program's own code", async () => {
    const program = start("failsWithMuchToSay", { cleanup: "1 minute" }, { unread: true })
    await program.prints("and then it failed")
    program.kill("SIGTERM")
    program.read()
    const { code, stdout } = await program.ended
    assert.deepStrictEqual([code, stdout.split("\n").length], [1, 100_001])
  })
})

describe.skipIf(!terminalWorks)("Main.run in a terminal", slowly, () => {
  const inTerminal = (name: string, options: unknown, steps: ReadonlyArray<readonly [string, string]>, size?: readonly [number, number]) =>
    typed([process.execPath, ...nodeArguments("test/node/main/programs.ts", [name, JSON.stringify(options)])], steps,
      size === undefined ? { env: plainEnv() } : { env: plainEnv(), size })

  it("P01: drains after Ctrl-C", async () => {
    const { code, printed } = await inTerminal("stops", { grace: "1 minute" }, [["ready", ctrlC]])
    assert.strictEqual(code, 0)
    assert.strictEqual(printed, "ready\n^Cstopping: signal SIGINT in main\ndrained\ncleaned up\n")
  })

  it("P01: ends at once after Ctrl-C, Ctrl-C", async () => {
    const { code, printed } = await inTerminal("deaf", { grace: "1 hour" }, [["ready", ctrlC], ["stopping", ctrlC]])
    assert.strictEqual(code, 130)
    assert.strictEqual(printed, "ready\n^CSIGINT: stopping, within 1h; once more ends it at once\n^C")
  })

  it("A83: prints the tree after Ctrl-\\, and goes on", async () => {
    const { code, printed } = await inTerminal("tree", {}, [["ready", ctrlBackslash], ["× 990", ctrlBackslash], ["× 990", ctrlC]])
    assert.strictEqual(code, 0)
    assert.strictEqual(printed.split("conn 1 … conn 990 × 990 (receiving from channel inbox)").length, 3)
  })

  it("fits the terminal", async () => {
    const size = [10, 60] as const
    const { code, printed } = await inTerminal("failsOften", {}, [], size)
    const lines = printed.trimEnd().split("\n")
    assert.strictEqual(code, 1)
    assert.isBelow(lines.length, 10)
    assert.isTrue(lines.every((line) => Array.from(line).length <= 60))
    assert.match(lines.at(-1)!, /… 99\d more$/)
  })
})
