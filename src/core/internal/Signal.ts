/**
 * Hears an `AbortSignal` for all who wait for it.
 *
 * A host keeps listeners in a list and walks it to add and to remove one: 30,000
 * scopes on the signal of one server took two seconds. Here a signal has one
 * listener while anybody is interested, and none afterwards. It also makes one
 * abort one act: everybody is told before anybody goes on.
 */
import { together } from "./Cascade.ts"

class Hub {
  private readonly signal: AbortSignal
  private readonly heard = new Set<() => void>()

  constructor(signal: AbortSignal) {
    this.signal = signal
    signal.addEventListener("abort", this.abort)
  }

  private readonly abort = (): void => {
    this.close()
    const heard = [...this.heard]
    this.heard.clear()
    together(() => {
      for (const tell of heard) tell()
    })
  }

  add(tell: () => void): void {
    this.heard.add(tell)
  }

  remove(tell: () => void): void {
    if (this.heard.delete(tell) && this.heard.size === 0) this.close()
  }

  private close(): void {
    this.signal.removeEventListener("abort", this.abort)
    hubs.delete(this.signal)
  }
}

const hubs = new WeakMap<AbortSignal, Hub>()

/** Calls `tell` when the signal is aborted; at once if it is already. Returns what takes it away again. */
export const whenAborted = (signal: AbortSignal, tell: () => void): () => void => {
  if (signal.aborted) {
    tell()
    return () => {}
  }
  let hub = hubs.get(signal)
  if (hub === undefined) hubs.set(signal, hub = new Hub(signal))
  hub.add(tell)
  return () => hub.remove(tell)
}

/** Complains about a value that is no signal, which plain JavaScript may pass. */
export const signalOf = (value: AbortSignal | undefined): AbortSignal | undefined => {
  if (value === undefined || typeof value?.addEventListener === "function") return value
  throw new TypeError(`Expected \`signal\` to be an AbortSignal, got \`${String(value)}\` (${typeof value})`)
}

/** What whoever aborted a signal said, in words. */
export const wordsOf = (reason: unknown): string => {
  try {
    return String(reason)
  } catch {
    // An object without a prototype, or whose own `toString` fails. It must not keep the scope alive.
    return "aborted"
  }
}
