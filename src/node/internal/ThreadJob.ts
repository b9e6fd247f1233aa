/** A job on its way: from the token that it waits for to the moment when it has really ended. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { receiveMessageOnPort, type Transferable } from "node:worker_threads"
import * as Errors from "../../core/Errors.ts"
import type { AnyEffect } from "../../core/internal/Block.ts"
import { Wait } from "../../core/internal/Wait.ts"
import type { CallError } from "./CallError.ts"
import type { CallLine } from "./CallLine.ts"
import type { JobAnswer } from "./Messages.ts"
import type { PoolThread, Sent, ThreadEnd } from "./PoolThread.ts"
import { ThreadError } from "./ThreadError.ts"
import { fromThrown, lineOf } from "./Thrown.ts"

/** What to run. */
export interface Work {
  readonly url: string
  readonly name: string
  readonly args: ReadonlyArray<unknown>
  readonly transfer: ReadonlyArray<Transferable>
  /** Such as `fib of work.ts`. */
  readonly label: string
}

export type JobExit = Exit.Exit<unknown, ThreadError | Errors.Closed>

type State =
  | { readonly _tag: "Waiting" }
  | { readonly _tag: "Running"; readonly thread: PoolThread; readonly cancelled: boolean }
  | { readonly _tag: "Ended"; readonly exit: JobExit }

export class ThreadJob {
  readonly work: Work
  /** What its caller waits for in the task tree. */
  readonly label: string
  /** Closed when it has ended: gives the token back. */
  readonly scope = Scope.makeUnsafe()
  private readonly pool: string
  private state: State = { _tag: "Waiting" }
  private listeners: Array<(exit: JobExit) => void> = []

  constructor(work: Work, pool: string) {
    this.work = work
    this.label = work.label
    this.pool = pool
  }

  toString(): string {
    return this.label
  }

  /** Resolves when it has really ended. */
  async run(thread: PoolThread, line: CallLine | undefined): Promise<void> {
    this.state = { _tag: "Running", thread, cancelled: false }
    const { args, name, transfer, url } = this.work
    const sent = await thread.send(
      { url, name, args, line: line?.end },
      line === undefined ? transfer : [...transfer, line.end.port]
    )
    if (sent._tag === "Answered" && sent.answer._tag === "Threw" && sent.answer.beside) thread.isFaulty = true
    line?.close()
    this.state = { _tag: "Ended", exit: this.exitOf(sent) }
  }

  /** Tells those who wait. */
  tell(): void {
    const { listeners, state } = this
    this.listeners = []
    if (state._tag === "Ended") for (const listener of listeners) listener(state.exit)
  }

  cancel(): void {
    if (this.state._tag !== "Running" || this.state.cancelled) return
    this.state = { ...this.state, cancelled: true }
    this.state.thread.cancel()
  }

  terminate(): void {
    if (this.state._tag === "Running") void this.state.thread.terminate()
  }

  /** Waits for its end, and gives what came out. */
  awaitExit(verb: string): Effect.Effect<unknown, ThreadError | Errors.Closed> {
    return Effect.callback((resume) => {
      if (this.state._tag === "Ended") {
        resume(this.state.exit)
        return undefined
      }
      const wait = new Wait(verb, this, undefined, resume as (effect: AnyEffect) => void)
      this.listeners.push((exit) => wait.wake(exit))
      return wait.leave
    })
  }

  private error(
    why: ThreadError["why"],
    message: string,
    rest: { readonly cause?: unknown; readonly exitCode?: number } = {}
  ): JobExit {
    const { name: job, url: module } = this.work
    return Exit.fail(new ThreadError({ why, job, module, message, ...rest }))
  }

  private exitOf(sent: Sent): JobExit {
    switch (sent._tag) {
      case "Answered":
        return this.exitOfAnswer(sent.answer)
      case "NotSent":
        return this.notCloneable("the arguments", sent.error)
      case "ThreadEnded":
        return this.exitOfEnd(sent.end)
    }
  }

  private exitOfAnswer(answer: JobAnswer): JobExit {
    const { label, work } = this
    switch (answer._tag) {
      case "Returned":
        return Exit.succeed(answer.value)
      case "Moved": {
        const received = receiveMessageOnPort(answer.port)
        answer.port.close()
        return Exit.succeed(received?.message)
      }
      case "Threw": {
        const cause = fromThrown(answer.thrown)
        return this.error("threw", `${label} ${answer.beside ? "left something to run that threw" : "threw"} ${lineOf(cause)}`, { cause })
      }
      case "NotCloneable":
        return this.notCloneable("the result", fromThrown(answer.thrown))
      case "NotLoaded": {
        const cause = fromThrown(answer.thrown)
        return this.error("threw", `${label}: its module does not load: ${lineOf(cause)}`, { cause })
      }
      case "NotThere":
        return Exit.die(
          new TypeError(
            `Expected \`name\` to be a function that ${work.url} exports (${answer.functions.join(", ") || "there is none"}), ` +
              `got \`${work.name}\` (${answer.found})`
          )
        )
    }
  }

  private notCloneable(what: string, cause: unknown): JobExit {
    return this.error("notCloneable", `${what} of ${this.label} cannot be sent: ${lineOf(cause)}; send data, not functions`, { cause })
  }

  private exitOfEnd(end: ThreadEnd): JobExit {
    const { label } = this
    switch (end._tag) {
      case "Terminated":
        return Exit.fail(new Errors.Closed({ what: this.pool }))
      case "Exited":
        return this.error("exited", `${label} ended its thread, with exit code ${end.code}; a job ends by returning`, { exitCode: end.code })
      case "Failed": {
        const cause = end.error
        return (cause as { readonly code?: unknown } | null | undefined)?.code === "ERR_WORKER_OUT_OF_MEMORY"
          ? this.error("outOfMemory", `${label} took more memory than its thread may have; see resourceLimits of Thread.layer`, { cause })
          : this.error("threw", `${label}: its thread failed with ${lineOf(cause)}`, { cause })
      }
    }
  }
}

/** A cancelled job ended as it was told to: there is nothing to report. */
export const endedAsTold = (exit: JobExit): boolean => {
  if (exit._tag === "Success") return true
  return exit.cause.reasons.every((reason) => {
    const error = reason._tag === "Fail" ? reason.error : undefined
    if (error instanceof Errors.Closed) return true
    // What an API of Node that was given the signal throws, and what `checkCancelled` does.
    const cause = error instanceof ThreadError && error.why === "threw" ? error.cause : undefined
    if (!(cause instanceof Error)) return false
    if (cause.name === "Cancelled" || cause.name === "AbortError") return true
    // It was waiting for an answer, or went on to ask for one.
    return cause.name === "CallError" && (cause as Partial<CallError>).why === "over"
  })
}
