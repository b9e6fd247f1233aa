/**
 * How long to wait before the next try: twice as long each time, up to a limit, and anything between half of that and all of
 * it. If everybody waited equally long, all clients of a server that was restarted would come back in the same millisecond.
 */

const firstMillis = 200
const longestMillis = 10_000

/** `attempt` counts from 0; `random` is from 0 up to 1. */
export const delayMillis = (attempt: number, random: number): number => {
  const most = Math.min(longestMillis, firstMillis * 2 ** Math.min(attempt, 30))
  return Math.round(most / 2 + random * most / 2)
}
