/** A time in milliseconds for people: exact where it is short, in seconds where it is long. */
export const millisText = (millis: number): string => {
  if (millis >= 10_000) return `${Number((millis / 1000).toFixed(1))} s`
  return `${Number(millis.toFixed(millis < 1 ? 2 : millis < 100 ? 1 : 0))} ms`
}
