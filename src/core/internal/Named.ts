/** Where a failure came from: the names of the tasks and nurseries that it passed on its way out. */
import type * as Cause from "effect/Cause"

/** One block that a failure has left, and the task in it that failed. */
export interface Passed {
  readonly block: string
  readonly task: string
}

type Failed = Cause.Fail<unknown> | Cause.Die

// Beside the reasons and not as an annotation in them, so that the exit of a
// nursery with one failing task equals the exit of that task.
const paths = new WeakMap<object, ReadonlyArray<Passed>>()

const errorOf = (reason: Failed): unknown => reason._tag === "Fail" ? reason.error : reason.defect

/** The blocks that a failure has passed, outermost first. */
export const pathOf = (reason: Failed): ReadonlyArray<Passed> => {
  const path = paths.get(reason)
  if (path !== undefined) return path
  // Effect makes a new reason when it adds a stack frame; the error stays the same.
  const error = errorOf(reason)
  return (typeof error === "object" && error !== null ? paths.get(error) : undefined) ?? []
}

/**
 * Notes that a failure left `task` in `block`. Returns the reason to keep: a copy,
 * because one constant `Effect.fail` gives every task that runs it the same reason.
 */
export const named = (reason: Failed, block: string, task: string): Failed => {
  const path = [{ block, task }, ...pathOf(reason)]
  const copy: Failed = Object.assign(Object.create(Object.getPrototypeOf(reason)), reason)
  paths.set(copy, path)
  const error = errorOf(reason)
  if (typeof error === "object" && error !== null) paths.set(error, path)
  return copy
}
