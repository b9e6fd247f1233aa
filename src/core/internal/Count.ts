/** Reads an option that counts something. */

/** The number itself, or a complaint that shows what was given. */
export const countOf = (what: string, value: number): number => {
  if (value === Infinity || (Number.isInteger(value) && value >= 0)) return value
  throw new RangeError(`Expected \`${what}\` to be an integer from 0 and up or \`Infinity\`, got \`${String(value)}\` (${typeof value})`)
}

/** How a thing is called in the task tree and in errors: its kind, and its name if it was given one. */
export const labelOf = (kind: string, name: string | undefined): string => name === undefined ? kind : `${kind} ${name}`
