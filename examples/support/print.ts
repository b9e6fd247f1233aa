/** Writes bytes to standard output, no faster than they are read there. */
import { Effect } from "effect"

export const print = (bytes: Uint8Array): Effect.Effect<void> =>
  Effect.callback((resume) => {
    process.stdout.write(bytes, () => resume(Effect.void))
  })
