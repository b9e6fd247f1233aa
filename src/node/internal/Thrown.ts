/**
 * What was thrown in one thread, as it is told to another.
 *
 * The structured clone algorithm keeps of an error its message and its stack, and its
 * name if that is one of the language's own. Here the fields of an error arrive too,
 * above all its `_tag`.
 */
import { inspect } from "node:util"
import { cloneProblem } from "./Cloneable.ts"

export type Thrown =
  | { readonly _tag: "Value"; readonly value: unknown }
  | {
    readonly _tag: "Error"
    readonly name: string
    readonly message: string
    readonly stack: string | undefined
    readonly cause: Thrown | undefined
    readonly errors: ReadonlyArray<Thrown> | undefined
    readonly fields: Readonly<Record<string, unknown>>
  }

/** Causes of causes beyond this are left out: they may go round in a circle. */
const deepestCause = 8

const told: ReadonlySet<string> = new Set(["name", "message", "stack", "cause", "errors"])

const textOf = (value: unknown): string => typeof value === "string" ? value : inspect(value)

const fieldsOf = (error: Error): Record<string, unknown> => {
  const fields: Record<string, unknown> = {}
  for (const key of Object.keys(error)) {
    const value = (error as unknown as Record<string, unknown>)[key]
    if (!told.has(key) && cloneProblem(value) === undefined) fields[key] = value
  }
  return fields
}

/** Makes it fit to be sent. Never throws, whatever it is given. */
export const toThrown = (thrown: unknown, depth = 0): Thrown => {
  try {
    if (!(thrown instanceof Error)) {
      return { _tag: "Value", value: cloneProblem(thrown) === undefined ? thrown : inspect(thrown) }
    }
    const deeper = depth < deepestCause
    return {
      _tag: "Error",
      name: textOf(thrown.name),
      message: textOf(thrown.message),
      stack: typeof thrown.stack === "string" ? thrown.stack : undefined,
      cause: deeper && thrown.cause !== undefined ? toThrown(thrown.cause, depth + 1) : undefined,
      errors: deeper && thrown instanceof AggregateError
        ? thrown.errors.map((error) => toThrown(error, depth + 1))
        : undefined,
      fields: fieldsOf(thrown)
    }
  } catch {
    return { _tag: "Value", value: "something that throws when it is looked at" }
  }
}

const classes: Readonly<Record<string, new(message: string) => Error>> = {
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError
}

const define = (error: Error, key: string, value: unknown): void => {
  // As on every error: not among the fields that a printed error shows.
  Object.defineProperty(error, key, { value, configurable: true, writable: true, enumerable: false })
}

/** The error again, or the value: with the class if that is one of the language's own. */
export const fromThrown = (thrown: Thrown): unknown => {
  if (thrown._tag === "Value") return thrown.value
  const error: Error = thrown.errors === undefined
    ? new (classes[thrown.name] ?? Error)(thrown.message)
    : new AggregateError(thrown.errors.map(fromThrown), thrown.message)
  if (error.name !== thrown.name) define(error, "name", thrown.name)
  define(error, "stack", thrown.stack)
  if (thrown.cause !== undefined) define(error, "cause", fromThrown(thrown.cause))
  return Object.assign(error, thrown.fields)
}

/** One line for the message of another error. */
export const lineOf = (thrown: unknown): string =>
  thrown instanceof Error ? (thrown.message === "" ? thrown.name : `${thrown.name}: ${thrown.message}`) : textOf(thrown)
