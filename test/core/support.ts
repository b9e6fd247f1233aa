/** What the tests of nurseries, scopes and time limits share. */
import { Effect, type Exit } from "effect"
import { Timeout } from "effect-nursery"
import { VirtualClock } from "effect-nursery/testing"
import * as v8 from "node:v8"
import * as vm from "node:vm"
import { it } from "vitest"

/** A test in virtual time. What the program fails or dies with fails the test. */
export const test = <A, E>(name: string, program: () => Effect.Effect<A, E>): void =>
  it(name, async () => void await VirtualClock.run(Effect.suspend(program), { deadlockAfter: 200 }))

/** Each reason of a failed exit as a word and what it carries, or the value. */
export const said = (exit: Exit.Exit<unknown, unknown>): unknown =>
  exit._tag === "Success" ? exit.value : exit.cause.reasons.map((reason) =>
    reason._tag === "Fail" ? `Fail ${String(reason.error)}` : reason._tag === "Die" ? `Die ${String(reason.defect)}` : "Interrupt")

export const now = Effect.map(Timeout.now, Math.round)

/** Sleeps for ever; its cleanup takes `millis` and says so. */
export const withCleanup = (log: Array<string>, name: string, millis: number) =>
  Effect.never.pipe(Effect.ensuring(Effect.andThen(Effect.sleep(millis), Effect.sync(() => log.push(`${name} cleaned up`)))))

v8.setFlagsFromString("--expose-gc")
const collect = vm.runInNewContext("gc") as () => void

/** The bytes in use after everything that nobody holds is gone. */
export const heap = (): number => {
  collect()
  collect()
  return process.memoryUsage().heapUsed
}
