/** The thread's end of the line on which a job calls back into the loop. */
import { type MessagePort, receiveMessageOnPort } from "node:worker_threads"
import { CallError } from "./CallError.ts"
import { cloneProblem } from "./Cloneable.ts"
import { type LineEnd, type LineMessage, overIndex, wordsIndex } from "./Messages.ts"
import { fromThrown } from "./Thrown.ts"

type Word = LineMessage & { readonly id: number } | { readonly _tag: "Over" }

export class WorkerLine {
  private readonly port: MessagePort
  private readonly state: Int32Array<SharedArrayBuffer>
  private readonly waiting = new Map<number, (word: Word) => void>()
  private calls = 0
  private listening = false

  constructor(end: LineEnd) {
    this.port = end.port
    this.state = end.state
  }

  call(name: string, args: ReadonlyArray<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const id = this.ask(name, args)
      this.waiting.set(id, (word) => {
        try {
          resolve(valueOf(name, word))
        } catch (error) {
          reject(error)
        }
      })
      this.listen()
    })
  }

  callSync(name: string, args: ReadonlyArray<unknown>): unknown {
    let heard: Word | undefined
    const id = this.ask(name, args)
    this.waiting.set(id, (word) => {
      heard = word
    })
    for (;;) {
      // Read before the port is emptied: a word that comes after that changes the number, and the wait ends at once.
      const words = Atomics.load(this.state, wordsIndex)
      this.receive()
      if (heard !== undefined) return valueOf(name, heard)
      if (this.isOver) {
        this.waiting.delete(id)
        return valueOf(name, { _tag: "Over" })
      }
      Atomics.wait(this.state, wordsIndex, words)
    }
  }

  /** Its job has ended. */
  end(): void {
    this.port.close()
    this.over()
  }

  private get isOver(): boolean {
    return Atomics.load(this.state, overIndex) === 1
  }

  private ask(name: string, args: ReadonlyArray<unknown>): number {
    if (this.isOver) throw new CallError("over", name)
    const problem = cloneProblem(args)
    if (problem !== undefined) throw new CallError("notCloneable", name, problem)
    const id = ++this.calls
    this.port.postMessage({ id, name, args })
    return id
  }

  private listen(): void {
    if (this.listening) return
    this.listening = true
    this.port.on("message", (word: Word) => this.hear(word))
    this.port.on("close", () => this.over())
    // What keeps a thread alive is the pool.
    this.port.unref()
  }

  private receive(): void {
    for (let next = receiveMessageOnPort(this.port); next !== undefined; next = receiveMessageOnPort(this.port)) {
      this.hear(next.message as Word)
    }
  }

  private hear(word: Word): void {
    if (word._tag === "Over") return this.over()
    const take = this.waiting.get(word.id)
    this.waiting.delete(word.id)
    take?.(word)
  }

  private over(): void {
    const waiting = [...this.waiting.values()]
    this.waiting.clear()
    for (const take of waiting) take({ _tag: "Over" })
  }
}

const valueOf = (name: string, word: Word): unknown => {
  switch (word._tag) {
    case "Value":
      return word.value
    case "Failed":
      throw new CallError(word.why, name, word.thrown === undefined ? undefined : fromThrown(word.thrown))
    case "Over":
      throw new CallError("over", name)
  }
}
