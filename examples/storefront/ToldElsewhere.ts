/**
 * A mistake of ours that several requests share, as all but one of them see it: the one that made it tells the log what it
 * was, and the others name that one. Each still gets an answer with its own number.
 */
import { Cause, ErrorReporter, Exit, type Fiber } from "effect"
import { SqlError } from "effect/sql"
import { sqlFaultOf } from "./database/SqlFault.ts"
import { originOf } from "./operations/Origin.ts"

export class ToldElsewhere extends Error {
  override readonly name = "ToldElsewhere"
  /** There is a report of it already. */
  override readonly [ErrorReporter.ignore] = true

  constructor(by: string) {
    super(`the same fault as that of ${by}`)
    // Where it was shared says nothing about where it has happened.
    this.stack = `${this.name}: ${this.message}`
  }
}

/** How something has ended, for those who have waited for it while the fiber made it. */
export const forOthers = <A, E>(exit: Exit.Exit<A, E>, fiber: Fiber.Fiber<unknown, unknown>): Exit.Exit<A, E> => {
  if (Exit.isSuccess(exit) || !exit.cause.reasons.some(isMistake)) return exit
  const { requestId, task } = originOf(fiber)
  const told = Cause.makeDieReason(new ToldElsewhere(requestId === undefined ? task ?? "another task" : `request ${requestId}`))
  return Exit.failCause(Cause.fromReasons([...exit.cause.reasons.filter((reason) => !isMistake(reason)), told]))
}

/** A database that is away is none: it has an answer of its own (http/Faults.ts), and one line for all. */
const isMistake = (reason: Cause.Reason<unknown>): boolean =>
  Cause.isDieReason(reason) && !(SqlError.isSqlError(reason.defect) && sqlFaultOf(reason.defect) !== "bug")
