/** Programs that are watched for what they leave behind, and the one set of watchers that all of them share. */
import { type AnyFiber, type Member, Place } from "../../core/internal/Block.ts"
import { FiberWatch, watchDefault } from "./FiberWatch.ts"
import { HandleHook, HandleWatch, type Running } from "./HandleWatch.ts"
import { isEmitter, ListenerWatch, type Target, watchTarget } from "./ListenerWatch.ts"

/** One program. */
export interface LeakSession {
  readonly fibers: FiberWatch
  readonly handles: HandleWatch
  readonly listeners: ListenerWatch
}

/** What the host hands on to timers, promises and callbacks: the program, and the fiber that asked for them. */
class Current implements Running {
  readonly session: LeakSession
  readonly fiber: AnyFiber | undefined
  readonly place: Member | undefined
  readonly at = undefined

  constructor(session: LeakSession, fiber: AnyFiber | undefined) {
    this.session = session
    this.fiber = fiber
    this.place = fiber?.getRef(Place)
  }

  get handles(): HandleWatch {
    return this.session.handles
  }
}

// Asked for when it is used, so that this module loads where there is no Node.
const hostOf = () => {
  const builtin = globalThis.process?.getBuiltinModule
  if (builtin === undefined) throw new Error("LeakCheck needs Node 22.3 or later: its `async_hooks` tell what a program leaves behind")
  return { hooks: builtin("node:async_hooks"), events: builtin("node:events") }
}

class Watchers {
  private readonly host = hostOf()
  private readonly current = new this.host.hooks.AsyncLocalStorage<Current>()
  private readonly hook = this.hookOf()
  private open = 0
  private stops: ReadonlyArray<() => void> = []

  private hookOf() {
    const { createHook, executionAsyncId } = this.host.hooks
    const handles = new HandleHook(() => this.current.getStore(), executionAsyncId)
    const callbacks = {
      init: (id: number, type: string, trigger: number, resource: object) => handles.init(id, type, trigger, resource),
      destroy: (id: number) => handles.destroy(id),
      // Where Node knows this option, promises cost nothing.
      trackPromises: false
    }
    return createHook(callbacks)
  }

  /** Begins to watch a program, and listeners of these targets. */
  begin(targets: ReadonlyArray<Target>): readonly [session: LeakSession, end: () => void] {
    const session: LeakSession = {
      fibers: new FiberWatch((fiber) => this.enter(session, fiber)),
      handles: new HandleWatch(),
      listeners: new ListenerWatch(this.host.events.getEventListeners as (target: EventTarget, type: string) => ReadonlyArray<unknown>)
    }
    if (this.open++ === 0) this.start()
    const stops = targets.map((target) => watchTarget(target, this.noteIn(target, session)))
    return [session, () => {
      for (const stop of stops) stop()
      if (--this.open === 0) this.stop()
    }]
  }

  /** Runs `f` as a part of the program. */
  in<A>(session: LeakSession, f: () => A): A {
    return this.current.run(new Current(session, undefined), f)
  }

  private enter(session: LeakSession, fiber: AnyFiber): Current | undefined {
    const before = this.current.getStore()
    // Somebody outside of the program runs it: what that one does next is not the program's.
    if (before === undefined) return new Current(session, undefined)
    if (before.fiber === fiber) return undefined
    this.current.enterWith(new Current(session, fiber))
    return before
  }

  private noteIn(target: Target, only: LeakSession | undefined) {
    return (event: string | symbol, listener: unknown): void => {
      const current = this.current.getStore()
      if (current !== undefined && (only === undefined || current.session === only)) {
        current.session.listeners.note(target, event, listener, current)
      }
    }
  }

  private start(): void {
    const { process } = globalThis
    // Made when they are first used, which would look like a thing of the program.
    void process.stdout
    void process.stderr
    this.hook.enable()
    const target = process as unknown as Target
    this.stops = [
      watchDefault((fiber: AnyFiber) => this.current.getStore()?.session.fibers.meet(fiber)),
      watchTarget(target, this.noteIn(target, undefined))
    ]
  }

  private stop(): void {
    this.hook.disable()
    for (const stop of this.stops) stop()
  }
}

let shared: Watchers | undefined

export const watchers = (): Watchers => shared ??= new Watchers()

/** Complains about a target that cannot be watched. */
export const targetOf = (value: Target): Target => {
  const isTarget = typeof value === "object" && value !== null && (isEmitter(value) || typeof (value as EventTarget).addEventListener === "function")
  if (isTarget) return value
  throw new TypeError(`Expected each of \`watch\` to be an EventEmitter or an EventTarget, got \`${String(value)}\` (${typeof value})`)
}
