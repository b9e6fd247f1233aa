/** Complains about an option that is none of its words, which plain JavaScript may pass. */
export const oneOf = <W extends string>(option: string, value: W | undefined, words: ReadonlyArray<W>): void => {
  if (value === undefined || words.includes(value)) return
  const expected = words.map((word) => `"${word}"`).join(" or ")
  throw new RangeError(`Expected \`${option}\` to be ${expected}, got \`${String(value)}\` (${typeof value})`)
}
