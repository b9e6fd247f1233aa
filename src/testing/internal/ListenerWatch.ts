/** Listeners that a program adds and does not take away again, and who added them. */
import { type Known, Origin } from "./Origin.ts"

/** What can be watched: an `EventEmitter`, or an `EventTarget` such as an `AbortSignal`. */
export type Target = EventTarget | Emitter

export interface Emitter {
  on(event: string | symbol, listener: (...args: ReadonlyArray<any>) => void): unknown
  removeListener(event: string | symbol, listener: (...args: ReadonlyArray<any>) => void): unknown
  listeners(event: string | symbol): ReadonlyArray<unknown>
}

interface Added {
  readonly target: Target
  readonly event: string | symbol
  readonly listener: unknown
  readonly origin: Origin
}

export interface LeftListener {
  readonly words: string
  readonly origin: Origin
}

export const isEmitter = (target: Target): target is Emitter => typeof (target as Partial<Emitter>).listeners === "function"

const nameOf = (target: Target): string => {
  if (target === (globalThis.process as unknown)) return "process"
  return target.constructor?.name ?? "an object without a class"
}

export class ListenerWatch {
  private readonly added: Array<Added> = []
  private readonly listenersOf: (target: EventTarget, type: string) => ReadonlyArray<unknown>

  constructor(listenersOf: (target: EventTarget, type: string) => ReadonlyArray<unknown>) {
    this.listenersOf = listenersOf
  }

  note(target: Target, event: string | symbol, listener: unknown, known: Known): void {
    this.added.push({ target, event, listener, origin: new Origin(known) })
  }

  get left(): ReadonlyArray<LeftListener> {
    // One that was added, taken away and added again is told of once, as whoever added it last.
    const left = new Map<unknown, Map<Target, LeftListener>>()
    for (const { event, listener, origin, target } of this.added) {
      if (!this.isThere(target, event, listener)) continue
      const words = `a listener of "${String(event)}" on ${nameOf(target)}`
      let byTarget = left.get(listener)
      if (byTarget === undefined) left.set(listener, byTarget = new Map())
      byTarget.set(target, { words, origin })
    }
    return [...left.values()].flatMap((byTarget) => [...byTarget.values()])
  }

  private isThere(target: Target, event: string | symbol, listener: unknown): boolean {
    return isEmitter(target) ? target.listeners(event).includes(listener) : this.listenersOf(target, String(event)).includes(listener)
  }
}

/** Calls `noted` for each listener that is added to a target. Returns what ends that. */
export const watchTarget = (target: Target, noted: (event: string | symbol, listener: unknown) => void): () => void => {
  if (isEmitter(target)) {
    target.on("newListener", noted)
    return () => void target.removeListener("newListener", noted)
  }
  const own = Object.getOwnPropertyDescriptor(target, "addEventListener")
  const add = target.addEventListener
  Object.defineProperty(target, "addEventListener", {
    configurable: true,
    writable: true,
    value: function(this: EventTarget, type: string, listener: never, options?: never): void {
      add.call(this, type, listener, options)
      if (listener !== null && listener !== undefined) noted(type, listener)
    }
  })
  return () => {
    if (own === undefined) delete (target as { addEventListener?: unknown }).addEventListener
    else Object.defineProperty(target, "addEventListener", own)
  }
}
