/**
 * What does a time limit add to what it limits?
 *
 * The body gives way once and ends long before the limit. 50,000 of them run one after the other; what
 * the bare body costs is taken off. The overheads are compared, not the totals.
 */
import type { Effect as EffectType } from "effect/Effect"
import type { Case, Rows, Run, Target } from "../harness/Case.ts"

const hourMillis = 3_600_000

const serial = async (body: EffectType<unknown>): Promise<Run> => {
  const Effect = await import("effect/Effect")
  return (n) =>
    Effect.runPromise(Effect.gen(function*() {
      let ended = 0
      for (; ended < n; ended++) yield* body
      return ended
    }))
}

const bare = async () => serial((await import("effect/Effect")).yieldNow)

export const moveOnAfter = async () => {
  const Effect = await import("effect/Effect")
  const Timeout = await import("effect-nursery/Timeout")
  return serial(Timeout.moveOnAfter(Effect.yieldNow, hourMillis))
}

const failAfter = async () => {
  const Effect = await import("effect/Effect")
  const Timeout = await import("effect-nursery/Timeout")
  return serial(Effect.orDie(Timeout.failAfter(Effect.yieldNow, hourMillis)))
}

const timeoutOption = async () => {
  const Effect = await import("effect/Effect")
  return serial(Effect.timeoutOption(Effect.yieldNow, hourMillis))
}

const n = 50_000
const bareBody = "bare body"

/** CPU nanoseconds that a limit adds. */
const overhead = (rows: Rows, side: string, body = bareBody): number | undefined => {
  const [limited, alone] = [rows.get(side), rows.get(body)]
  return limited && alone && limited.cpuNs - alone.cpuNs
}

const overheadAgainst = (side: string, peer: string, must: number, stretch?: number): Target => ({
  what: `${side}, CPU: overhead over the bare body as a part of ${peer}'s`,
  unit: " of it",
  better: "lower",
  must,
  ...(stretch === undefined ? {} : { stretch }),
  value: (rows) => {
    const [a, b] = [overhead(rows, side), overhead(rows, peer)]
    return a !== undefined && b !== undefined ? a / b : undefined
  }
})

export const timeLimit: Case = {
  name: "time-limit",
  question: "What does a time limit add to a body that suspends once, 50,000 in a row?",
  reference: "Effect.timeoutOption",
  sides: {
    [bareBody]: { n, load: bare },
    "Timeout.moveOnAfter": { n, load: moveOnAfter },
    "Timeout.failAfter": { n, load: failAfter },
    "Effect.timeoutOption": { n, load: timeoutOption },
    "asyncio, bare body": { n, python: "asyncio" },
    "asyncio.timeout": { n, python: "asyncio" },
    "Trio, bare body": { n, python: "trio" },
    "trio.move_on_after": { n, python: "trio" }
  },
  targets: [overheadAgainst("Timeout.moveOnAfter", "Effect.timeoutOption", 1 / 3, 1 / 5)]
}
