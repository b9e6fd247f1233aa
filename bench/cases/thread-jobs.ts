/** What the threads of the benchmark run. */

export const next = (n: number): number => n + 1

/** Computes for so long. */
export const compute = (millis: number): number => {
  const until = performance.now() + millis
  let turns = 0
  while (performance.now() < until) turns++
  return turns
}

/** Says that it runs, and computes for ever. */
export const spin = (running: Int32Array<SharedArrayBuffer>): never => {
  Atomics.store(running, 0, 1)
  Atomics.notify(running, 0)
  for (;;);
}
