/** The jobs of threads.ts. A module of its own, because it is loaded by each thread; it needs nothing of Effect. */
import * as FromThread from "effect-nursery/node/FromThread"

/** What the jobs call in the event loop. Whoever runs them gives an effect for each of these. */
export interface Loop {
  progress(percent: number): void
}

export const loop = FromThread.calls<Loop>()

const isPrime = (n: number): boolean => {
  if (n < 2) return false
  for (let divisor = 2; divisor * divisor <= n; divisor++) if (n % divisor === 0) return false
  return true
}

/** Counts the primes from one number up to, and without, another one. */
export const countPrimes = (from: number, below: number): number => {
  let count = 0
  for (let n = from; n < below; n++) {
    // Throws when nobody wants the result any more. It is cheap enough for every turn of a loop.
    FromThread.checkCancelled()
    if (isPrime(n)) count++
  }
  return count
}

/** The same in four steps, with a word about each. The thread sleeps until it has been heard. */
export const countLoudly = (below: number): number => {
  let count = 0
  for (let quarter = 0; quarter < 4; quarter++) {
    count += countPrimes(quarter * below / 4, (quarter + 1) * below / 4)
    loop.runSync("progress", [(quarter + 1) * 25])
  }
  return count
}
