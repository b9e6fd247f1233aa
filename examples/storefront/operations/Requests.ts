/** How many requests there are and were: what the metrics show, and the report at the end of the program. */
import type { Answer } from "../http/Answer.ts"
import type { Observer } from "../http/HttpServer.ts"

/** A client that has gone before its answer began has seen no status. This one is what other servers write then. */
const clientHasGone = 499

/** Whether the answer has not reached its end: its client has gone, or the server has cut it off. */
export const isLost = (answer: Answer): boolean => answer.destroyed && !answer.writableFinished

export const statusOf = (answer: Answer): number => answer.headersSent ? answer.statusCode : clientHasGone

export class Requests implements Observer {
  readonly #listeners: Array<(answer: Answer) => void> = []
  #begun = 0
  #ended = 0
  #lost = 0

  /** Tells the listener of each request when it is over. */
  listen(listener: (answer: Answer) => void): void {
    this.#listeners.push(listener)
  }

  /** Those that have begun and are not over. */
  get inFlight(): number {
    return this.#begun - this.#ended
  }

  /** Those that have got their whole answer. */
  get answered(): number {
    return this.#ended - this.#lost
  }

  get lost(): number {
    return this.#lost
  }

  readonly begun = (): void => {
    this.#begun++
  }

  readonly ended = (answer: Answer): void => {
    this.#ended++
    if (isLost(answer)) this.#lost++
    for (const listener of this.#listeners) listener(answer)
  }
}
