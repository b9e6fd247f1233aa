/**
 * What is told about a fault to whoever watches over errors: one report for each fault, with all failures in it.
 *
 * Several tasks of a nursery may fail at once. Reports that show the first failure only hide the one that matters.
 */
import { type Cause, ErrorReporter, type Fiber, Option } from "effect"
import { Failures } from "effect-nursery"
import { answerIn } from "../http/RouteNames.ts"
import { originOf } from "./Origin.ts"
import { withoutPasswords } from "./Passwords.ts"

export interface Failure {
  /** The innermost task that it came from; empty, if it came from none. */
  readonly task: string
  /** The tag or the class of the error. */
  readonly type: string
  readonly message: string
  readonly stack?: string
}

export interface ErrorReport {
  readonly timestamp: string
  /** In the order in which they have arrived. */
  readonly failures: ReadonlyArray<Failure>
  /** The task that has noticed. */
  readonly task?: string
  readonly requestId?: string
  readonly method?: string
  readonly route?: string
}

/** None for an interruption, which means that somebody has gone, and for errors that say that they need no report. */
export const reportOf = (cause: Cause.Cause<unknown>, fiber: Fiber.Fiber<unknown, unknown>, timestamp: bigint): Option.Option<ErrorReport> => {
  const failures = Failures.fromCause(cause).flatMap((failure) => {
    const error = failure._tag === "Fail" ? failure.error : failure.defect
    return ErrorReporter.isIgnored(error) ? [] : [failureOf(failure.task, error)]
  })
  if (failures.length === 0) return Option.none()
  const answer = answerIn(fiber.context)
  return Option.some({
    timestamp: new Date(Number(timestamp / 1_000_000n)).toISOString(),
    failures,
    ...originOf(fiber),
    ...(answer?.req.method === undefined ? {} : { method: answer.req.method }),
    ...(answer?.route === undefined ? {} : { route: answer.route })
  })
}

const failureOf = (task: string, error: unknown): Failure => {
  if (!(error instanceof Error)) return { task, type: typeof error, message: withoutPasswords(typeof error === "string" ? error : inspected(error)) }
  const tag = "_tag" in error && typeof error._tag === "string" ? error._tag : error.name
  return {
    task,
    type: tag,
    message: withoutPasswords(error.message),
    ...(error.stack === undefined ? {} : { stack: withoutPasswords(error.stack) })
  }
}

const inspected = (value: unknown): string => {
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    return String(value)
  }
}
