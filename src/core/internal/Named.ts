/** Where a failure came from: the names of the tasks and nurseries that it passed on its way out. */
import type * as Cause from "effect/Cause"

/** One block that a failure has left, and the task in it that failed. */
export interface Passed {
  readonly block: string
  readonly task: string
}

interface Way extends Passed {
  /** The block inside it that the failure had left before. */
  readonly inside: Way | undefined
}

type Failed = Cause.Fail<unknown> | Cause.Die

// Beside the reasons and not as an annotation in them, so that the exit of a
// nursery with one failing task equals the exit of that task.
const paths = new WeakMap<object, Way>()

const errorOf = (reason: Failed): unknown => reason._tag === "Fail" ? reason.error : reason.defect

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null

/** The outermost block that a failure has passed. */
const outermostOf = (reason: Failed): Way | undefined => {
  const passed = paths.get(reason)
  if (passed !== undefined || reason.annotations.size === 0) return passed
  // Effect makes a new reason when it adds a stack frame; the error stays the same.
  const error = errorOf(reason)
  return isObject(error) ? paths.get(error) : undefined
}

/** The blocks that a failure has passed, outermost first. */
export const pathOf = (reason: Failed): ReadonlyArray<Passed> => {
  const path: Array<Passed> = []
  for (let passed = outermostOf(reason); passed !== undefined; passed = passed.inside) {
    path.push({ block: passed.block, task: passed.task })
  }
  return path
}

/**
 * Notes that a failure left `task` in `block`. Returns the reason to keep: a copy,
 * because one constant `Effect.fail` gives every task that runs it the same reason.
 */
export const named = (reason: Failed, block: string, task: string): Failed => {
  const passed: Way = { block, task, inside: outermostOf(reason) }
  const copy: Failed = Object.assign(Object.create(Object.getPrototypeOf(reason)), reason)
  paths.set(copy, passed)
  const error = errorOf(reason)
  if (isObject(error)) paths.set(error, passed)
  return copy
}
