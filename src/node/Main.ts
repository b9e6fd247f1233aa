/**
 * Runs the main program of a process: signals stop it gracefully, errors are
 * printed as a tree of nurseries and tasks, and the exit code says how it ended.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import { millisOf } from "../core/internal/ScopeBlock.ts"
import { thresholdMillisOf } from "./internal/LoopWatcher.ts"
import { MainRun } from "./internal/MainRun.ts"

/**
 * How {@link run} ends a program.
 *
 * @since 0.1.0
 */
export interface Options {
  /** How long the program may take to stop by itself after the first signal. Default 5 seconds; `Infinity` waits for ever. */
  readonly grace?: Duration.Input
  /**
   * How long its cleanup may take when it was cancelled, which it is when the grace
   * is over. Then the process ends, whatever still runs. Default 4 seconds.
   */
  readonly cleanup?: Duration.Input
  /**
   * What it is called in what is said on standard error, where several processes share
   * a terminal: `worker 1: SIGINT: stopping, …`. Default: nothing.
   */
  readonly name?: string
  /**
   * Say on standard error when something has blocked the event loop for longer, and
   * which task it was (see `LoopWatch`). Default: nobody looks.
   */
  readonly blockedAfter?: Duration.Input
}

// Together they leave a second of the ten that `docker stop` gives before it kills.
const defaultGrace = "5 seconds"
const defaultCleanup = "4 seconds"

/**
 * Runs a program as the main program of this process.
 *
 * **Details**
 *
 * The first SIGINT (Ctrl-C), SIGTERM or SIGHUP asks the program to stop: what waits
 * in `CancelScope.whenStopping` or `CancelScope.untilStopping` goes on. What has not
 * ended when the grace is over is cancelled, and cleans up. A second signal ends the
 * process at once. SIGQUIT (Ctrl-\) prints the task tree, and the program goes on.
 *
 * | the program | exit code |
 * | --- | --- |
 * | succeeds, also after a signal | 0, or what it has set |
 * | fails | 1, or the `Runtime.errorExitCode` of its error |
 * | is cut off by the end of the grace or by a second signal | 130 (SIGINT), 143 (SIGTERM), 129 (SIGHUP) |
 *
 * Errors are printed on standard error as a tree of nurseries and tasks that fits
 * the terminal. An exception that something outside of all tasks throws, or a
 * rejection that nobody handles, cancels the program and ends it with 1. When nobody
 * reads standard output any more, the program is cancelled and ends with 0.
 *
 * **Gotchas**
 *
 * A program that never asks whether it should stop runs on for its whole grace after
 * the first signal. No signal is seen while synchronous code keeps the event loop.
 *
 * **Example** (Hello)
 *
 * ```ts
 * import { Console } from "effect"
 * import { Main } from "effect-nursery/node"
 *
 * Main.run(Console.log("hello"), { grace: "10 seconds" })
 * ```
 *
 * ```text output
 * hello
 * ```
 *
 * @since 0.1.0
 */
export const run = <A, E>(program: Effect.Effect<A, E>, options?: Options): void => {
  const limits = {
    grace: millisOf("grace", options?.grace ?? defaultGrace),
    cleanup: millisOf("cleanup", options?.cleanup ?? defaultCleanup),
    blockedAfter: options?.blockedAfter === undefined ? undefined : thresholdMillisOf("blockedAfter", options.blockedAfter)
  }
  new MainRun(program, limits, options?.name).start()
}
