/** The loop's end of the line on which a job calls back. */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import { MessageChannel, type MessagePort } from "node:worker_threads"
import { type CallFailure, type CallMessage, type LineEnd, type LineMessage, overIndex, wordsIndex } from "./Messages.ts"
import { toThrown } from "./Thrown.ts"

/** Starts a handler, with the services of whoever runs the job. Its effect never fails. */
export type Start = (name: string, effect: Effect.Effect<void>) => void

type Handler = (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, unknown>

export class CallLine {
  /** For the thread. Moves with the job's message. */
  readonly end: LineEnd
  private readonly port: MessagePort
  private readonly handlers: Readonly<Record<string, unknown>>
  private readonly start: Start

  constructor(handlers: Readonly<Record<string, unknown>>, start: Start) {
    this.handlers = handlers
    this.start = start
    const { port1, port2 } = new MessageChannel()
    this.port = port1
    this.end = { port: port2, state: new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT)) }
    this.port.on("message", (call: CallMessage) => this.take(call))
    // The running job keeps the process alive, and the line has nothing to say without it.
    this.port.unref()
  }

  private take({ args, id, name }: CallMessage): void {
    if (this.isOver) return
    const handler = Object.hasOwn(this.handlers, name) ? this.handlers[name] : undefined
    if (typeof handler !== "function") return this.fail(id, "notOffered")
    this.start(
      name,
      Effect.suspend(() => (handler as Handler)(...args)).pipe(
        Effect.exit,
        Effect.map((exit) => this.answer(id, name, exit))
      )
    )
  }

  private answer(id: number, name: string, exit: Exit.Exit<unknown, unknown>): void {
    if (exit._tag === "Success") {
      try {
        return this.say({ _tag: "Value", id, value: exit.value })
      } catch (problem) {
        return this.fail(id, "notCloneable", problem)
      }
    }
    const reasons = exit.cause.reasons
    const errors = reasons.flatMap((reason) =>
      reason._tag === "Fail" ? [reason.error] : reason._tag === "Die" ? [reason.defect] : []
    )
    const failed = reasons.some((reason) => reason._tag === "Fail")
    if (errors.length === 0) errors.push(new Error(`${name} was interrupted`))
    this.fail(
      id,
      failed ? "failed" : "died",
      errors.length === 1 ? errors[0] : new AggregateError(errors, `${errors.length} failures`)
    )
  }

  private fail(id: number, why: CallFailure, error?: unknown): void {
    this.say({ _tag: "Failed", id, why, thrown: error === undefined ? undefined : toThrown(error) })
  }

  private say(word: LineMessage): void {
    this.port.postMessage(word)
    this.wake()
  }

  private wake(): void {
    Atomics.add(this.end.state, wordsIndex, 1)
    Atomics.notify(this.end.state, wordsIndex)
  }

  private get isOver(): boolean {
    return Atomics.load(this.end.state, overIndex) === 1
  }

  /** Nobody answers from here on: who calls, and who waits for an answer, is told so. */
  over(): void {
    if (this.isOver) return
    Atomics.store(this.end.state, overIndex, 1)
    this.say({ _tag: "Over" })
  }

  /** The job has ended. */
  close(): void {
    this.over()
    this.port.close()
  }
}
