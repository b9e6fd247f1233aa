/**
 * What every JavaScript host has beyond the language (Node, Deno, Bun, browsers, workers), and nothing
 * else. Only tsconfig.core.json reads this file: it is how `npm run check` sees that src/core needs no
 * Node. Before adding a name, make sure that all of those hosts have it.
 */

interface HostTimer {
  readonly __hostTimer: never
}
declare function setTimeout(callback: () => void, millis?: number): HostTimer
declare function clearTimeout(timer: HostTimer | undefined): void
declare function setInterval(callback: () => void, millis?: number): HostTimer
declare function clearInterval(timer: HostTimer | undefined): void
declare function queueMicrotask(callback: () => void): void

declare const performance: { now(): number; readonly timeOrigin: number }

declare const console: {
  log(...data: ReadonlyArray<unknown>): void
  warn(...data: ReadonlyArray<unknown>): void
  error(...data: ReadonlyArray<unknown>): void
}

interface AbortSignal {
  readonly aborted: boolean
  readonly reason: unknown
  throwIfAborted(): void
  addEventListener(type: "abort", listener: () => void, options?: { readonly once?: boolean }): void
  removeEventListener(type: "abort", listener: () => void): void
}
declare const AbortSignal: { abort(reason?: unknown): AbortSignal }
declare class AbortController {
  readonly signal: AbortSignal
  abort(reason?: unknown): void
}

interface ErrorConstructor {
  /** V8 and JavaScriptCore have it, SpiderMonkey does not: the core must ask before it sets it. */
  stackTraceLimit?: number
}
