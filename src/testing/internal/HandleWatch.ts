/**
 * Timers, sockets and other things of the host that keep on, and who made them:
 * what Node's `async_hooks` tell of those that a program makes.
 */
import { type Known, Origin } from "./Origin.ts"

/** What a thing of the host is called. */
interface Kind {
  readonly kind: "timer" | "server" | "socket" | "process" | "thread" | "port" | "watcher" | "file" | "terminal"
  readonly words: string
}

const kinds: Readonly<Record<string, Kind>> = {
  Timeout: { kind: "timer", words: "a timer" },
  Immediate: { kind: "timer", words: "an immediate" },
  TCPSERVERWRAP: { kind: "server", words: "a TCP server" },
  PIPESERVERWRAP: { kind: "server", words: "a server on a pipe" },
  TCPWRAP: { kind: "socket", words: "a TCP socket" },
  PIPEWRAP: { kind: "socket", words: "a pipe" },
  UDPWRAP: { kind: "socket", words: "a UDP socket" },
  PROCESSWRAP: { kind: "process", words: "a child process" },
  WORKER: { kind: "thread", words: "a worker thread" },
  MESSAGEPORT: { kind: "port", words: "a message port" },
  FSEVENTWRAP: { kind: "watcher", words: "a file watcher" },
  STATWATCHER: { kind: "watcher", words: "a file watcher" },
  FILEHANDLE: { kind: "file", words: "an open file" },
  TTYWRAP: { kind: "terminal", words: "a terminal" }
}

// They end by themselves, and what is made when they do was asked for where they
// were made: a server that first looks up its address, a file that is opened.
const requests = new Set(["TickObject", "GETADDRINFOREQWRAP", "FSREQPROMISE"])

/** So many of those are followed in one program: each takes a stack. */
const mostRequests = 2000

/** The parts of Node's objects that are looked at, none of them for sure. */
interface Resource {
  readonly hasRef?: () => boolean
  readonly fd?: number
  readonly _destroyed?: boolean
  readonly _idleTimeout?: number
  readonly _repeat?: number | null
  readonly pid?: number
  readonly getsockname?: (out: { address?: string; port?: number }) => number
}

export class LivingHandle {
  readonly kind: Kind | undefined
  readonly origin: Origin
  readonly watch: HandleWatch
  readonly type: string
  private readonly resource: WeakRef<object>

  constructor(watch: HandleWatch, type: string, resource: object, known: Known | undefined) {
    this.watch = watch
    this.type = type
    this.kind = kinds[type]
    this.resource = new WeakRef(resource)
    this.origin = new Origin(known)
  }

  /** It keeps on, and the program is who should have ended it. */
  get isLeft(): boolean {
    const resource = this.resource.deref() as Resource | undefined
    if (this.kind === undefined || resource === undefined || isOver(this.type, resource)) return false
    const holds = resource.hasRef?.() ?? true
    if (this.kind.kind !== "timer") return holds
    const owner = this.origin.timerOwner
    // A sleep of Effect ends with its fiber, which is told of by itself, and the
    // timer of this library is shared; Node's own belong to its sockets and servers.
    if (owner === "effect" || owner === "library" || owner === "host") return false
    // Packages keep pools in order with timers that hold nothing.
    return holds || owner !== "package"
  }

  get words(): string {
    const resource = (this.resource.deref() ?? {}) as Resource
    const words = this.kind?.words ?? this.type
    if (this.type === "Timeout") {
      const repeats = resource._repeat !== undefined && resource._repeat !== null
      return `${repeats ? "an interval" : "a timer"} of ${resource._idleTimeout} ms`
    }
    if (this.type === "PROCESSWRAP" && resource.pid !== undefined) return `${words} (pid ${resource.pid})`
    const address = this.kind?.kind === "server" ? addressOf(resource) : undefined
    return address === undefined ? words : `${words} on ${address}`
  }
}

// Sooner than Node says that it was destroyed. Of a closed file it says that never.
const isOver = (type: string, { _destroyed, fd }: Resource): boolean =>
  _destroyed === true || (type === "FILEHANDLE" && fd !== undefined && fd < 0)

const addressOf = (resource: Resource): string | undefined => {
  const out: { address?: string; port?: number } = {}
  if (resource.getsockname === undefined || resource.getsockname(out) !== 0 || out.port === undefined) return undefined
  return `${out.address?.includes(":") === true ? `[${out.address}]` : out.address}:${out.port}`
}

/** The things of one program. */
export class HandleWatch {
  readonly living: Set<LivingHandle> = new Set()
  private requests = 0

  /** Whether one more request is followed. */
  followsOne(): boolean {
    return this.requests++ < mostRequests
  }

  get left(): ReadonlyArray<LivingHandle> {
    return [...this.living].filter((handle) => handle.isLeft)
  }
}

/** A program, and which of its tasks runs. */
export interface Running extends Known {
  readonly handles: HandleWatch
}

/** Hears of everything that the host makes in the programs that are watched. */
export class HandleHook {
  /** By their async ids: also requests. */
  private readonly handles = new Map<number, LivingHandle>()
  private readonly running: () => Running | undefined
  private readonly executionId: () => number

  constructor(running: () => Running | undefined, executionId: () => number) {
    this.running = running
    this.executionId = executionId
  }

  init(id: number, type: string, trigger: number, resource: object): void {
    const isRequest = requests.has(type)
    if (!isRequest && !(type in kinds)) return
    const cause = this.causeOf(type, trigger)
    const running = this.running()
    // What Node makes by itself, such as an accepted socket, is made in nobody's name.
    const watch = running?.handles ?? cause?.watch
    if (watch === undefined || (isRequest && !watch.followsOne())) return
    const known = { place: running?.place ?? cause?.origin.place, at: cause?.origin.at }
    const handle = new LivingHandle(watch, type, resource, known)
    this.handles.set(id, handle)
    watch.living.add(handle)
  }

  private causeOf(type: string, trigger: number): LivingHandle | undefined {
    const cause = this.handles.get(trigger) ?? this.handles.get(this.executionId())
    if (cause !== undefined || type !== "FILEHANDLE") return cause
    // Node does not say which request an opened file belongs to. Mostly there is one.
    for (const handle of this.handles.values()) if (handle.type === "FSREQPROMISE") return handle
    return undefined
  }

  destroy(id: number): void {
    const handle = this.handles.get(id)
    if (handle === undefined) return
    this.handles.delete(id)
    handle.watch.living.delete(handle)
  }
}
