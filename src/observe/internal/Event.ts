/** What an instrument tells of, and how it is told. */
import type * as CancelScope from "../../core/CancelScope.ts"
import type * as TaskTree from "../../core/TaskTree.ts"

/**
 * How a task or a block has ended. Errors are one line of text.
 *
 * @since 0.1.0
 */
export type Outcome =
  | { readonly _tag: "succeeded" }
  | { readonly _tag: "failed"; readonly error: string }
  | { readonly _tag: "died"; readonly defect: string }
  | { readonly _tag: "cancelled" }

/**
 * Something that happened.
 *
 * **Details**
 *
 * `at` is in milliseconds of the program's Clock, as `Timeout.now` gives it. Blocks,
 * tasks and waits are counted from 1 in the order in which the instrument hears of
 * them, each kind for itself, so the same run has the same events. (While several
 * programs are recorded at once, numbers of tasks may be left out.) A body is a
 * task, too: the one that its block starts by itself.
 *
 * @since 0.1.0
 */
export type Event =
  /** A block begins. `parent` is the task that opened it; none at the root of what is recorded. */
  | {
    readonly _tag: "opened"
    readonly at: number
    readonly block: number
    readonly parent: number | undefined
    readonly kind: TaskTree.BlockInfo["kind"]
    readonly name: string
  }
  /** Everything in a block has ended. `caught`: it was cancelled and absorbed that, what is around it goes on. */
  | { readonly _tag: "closed"; readonly at: number; readonly block: number; readonly outcome: Outcome; readonly caught: boolean }
  /** A task begins to run. `by` is the task that called `startSoon`, or opened the gather or race. */
  | {
    readonly _tag: "started"
    readonly at: number
    readonly task: number
    readonly block: number
    readonly kind: TaskTree.TaskInfo["kind"]
    readonly name: string
    readonly by: number | undefined
  }
  /** A task that was started with `start` has said that it is ready: it lives in the nursery from now on, which may be outside of what is recorded. */
  | { readonly _tag: "moved"; readonly at: number; readonly task: number; readonly block: number | undefined }
  | { readonly _tag: "ended"; readonly at: number; readonly task: number; readonly outcome: Outcome }
  /** A block is cancelled, or a task is told to stop. The events of one cancel share one `reason`. */
  | {
    readonly _tag: "cancelled"
    readonly at: number
    readonly target: { readonly _tag: "block" | "task"; readonly id: number }
    readonly by: number | undefined
    readonly reason: CancelScope.CancelReason
  }
  /**
   * A task that was told to stop did not end at once. `what` holds it: its `finalizer`, or something that it was in
   * and that cannot be stopped: an `uninterruptible` region (of which an acquisition, or a finalizer that had begun
   * before, is one) or a `shield`; with the name of the span, if it is in one.
   */
  | { readonly _tag: "cleanupBegan"; readonly at: number; readonly task: number; readonly what: string }
  | { readonly _tag: "cleanupEnded"; readonly at: number; readonly task: number }
  /** `task` waits for something of this library; none when no task of it does the waiting. */
  | {
    readonly _tag: "waiting"
    readonly at: number
    readonly task: number | undefined
    readonly wait: number
    readonly label: string
  }
  /** That wait is over, in whatever way. */
  | { readonly _tag: "resumed"; readonly at: number; readonly task: number | undefined; readonly wait: number }
