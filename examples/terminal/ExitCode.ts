/** How a program of a terminal tells whoever has started it how it ended. */
import { Effect } from "effect"
import { constants } from "node:os"

/** The exit code of the process, once it has ended well. */
export const exitWith = (code: number): Effect.Effect<void> => Effect.sync(() => void (process.exitCode = code))

/** What a shell says of a process that a signal has ended: 130 for SIGINT, 143 for SIGTERM. */
export const codeOfSignal = (signal: string): number => 128 + (constants.signals[signal as NodeJS.Signals] ?? 0)
