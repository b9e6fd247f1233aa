/**
 * Runs a program and looks for what it leaves behind: fibers, timers, listeners,
 * sockets, servers, processes, threads, open files. Each is named, with the task
 * that made it and the line of the program. Needs Node, and no test runner.
 *
 * Nurseries let no task escape. What escapes is made beside them: a detached fiber,
 * a `setInterval`, a listener, a connection that nobody closes.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import { oneOf } from "../core/internal/Options.ts"
import { millisOf } from "../core/internal/ScopeBlock.ts"
import { signalOf, whenAborted } from "../core/internal/Signal.ts"
import { type LeakSession, targetOf, watchers } from "./internal/LeakSession.ts"
import type { Target } from "./internal/ListenerWatch.ts"
import type { Origin } from "./internal/Origin.ts"
import * as VirtualClock from "./VirtualClock.ts"

/**
 * Something that a program left behind.
 *
 * @since 0.1.0
 */
export interface Leak {
  readonly kind: "fiber" | "timer" | "listener" | "server" | "socket" | "process" | "thread" | "port" | "watcher" | "file" | "terminal"
  /** Such as `an interval of 1000 ms`. */
  readonly what: string
  /** The task that made it, as a path such as `nursery chat > reader`; `main` outside of any block. */
  readonly task: string
  /** The line that made it, as `file:line:column`, if the stack shows one. */
  readonly at: string | undefined
}

/**
 * How a program is run and watched.
 *
 * @since 0.1.0
 */
export interface Options {
  /** `"virtual"` runs it under `VirtualClock`, `"live"` in real time. Default: `"virtual"`. */
  readonly time?: "virtual" | "live"
  /** Objects that live longer than the program, whose listeners are watched, too: such as the `AbortSignal` of a server. `process` always is. */
  readonly watch?: ReadonlyArray<EventTarget | NodeJS.EventEmitter>
  /** What may be left behind. Default: nothing. */
  readonly ignore?: (leak: Leak) => boolean
  /** How long things may take to end when the program has, in real time. Default: 50 milliseconds. */
  readonly grace?: Duration.Input
  /** As in `VirtualClock`. */
  readonly deadlockAfter?: Duration.Input
  /** Interrupts the program when it is aborted: that of a test runner, when the test takes too long. */
  readonly signal?: AbortSignal
}

/**
 * How a program ended, and what it left behind.
 *
 * @since 0.1.0
 */
export interface Report<A, E> {
  readonly exit: Exit.Exit<A, E>
  readonly leaks: ReadonlyArray<Leak>
}

/**
 * A program has left something behind.
 *
 * **Example** (An interval that nobody clears)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Nursery } from "effect-nursery"
 * import { LeakCheck } from "effect-nursery/testing"
 *
 * let interval: NodeJS.Timeout | undefined
 * const poll = Effect.sync(() => {
 *   interval = setInterval(() => {}, 1000)
 * })
 * const program = Nursery.open((n) => n.startSoon(poll, { name: "poller" }), { name: "shop" })
 *
 * await LeakCheck.run(program).catch((error) => {
 *   if (!(error instanceof LeakCheck.Leaked)) throw error
 *   console.log(error.leaks.map(({ task, what }) => `${what}: ${task}`))
 * })
 * clearInterval(interval)
 * ```
 *
 * ```text output
 * [ 'an interval of 1000 ms: nursery shop > poller' ]
 * ```
 *
 * @since 0.1.0
 */
export class Leaked extends Error {
  readonly _tag = "Leaked"
  readonly leaks: ReadonlyArray<Leak>

  constructor(leaks: ReadonlyArray<Leak>) {
    super(`The program left ${leaks.length === 1 ? "something" : `${leaks.length} things`} behind:\n${leaks.map(lineOf).join("\n")}`)
    this.name = "Leaked"
    this.leaks = leaks
  }
}

const lineOf = ({ at, task, what }: Leak): string => `- ${what}, of ${task}${at === undefined ? "" : `, at ${at}`}`

const leakOf = (kind: Leak["kind"], what: string, origin: Origin): Leak => ({ kind, what, task: origin.task, at: origin.at })

const leaksOf = ({ fibers, handles, listeners }: LeakSession): Array<Leak> => [
  ...fibers.roots.map(({ fiber, origin }) => leakOf("fiber", `a fiber (#${fiber.id})`, origin)),
  ...handles.left.map((handle) => leakOf(handle.kind!.kind, handle.words, handle.origin)),
  ...listeners.left.map(({ origin, words }) => leakOf("listener", words, origin))
]

/** So many turns everything has to end by itself, before real time is waited for. */
const turns = 10

const pollMillis = 5

const waitFor = (start: (resume: () => void) => unknown): Promise<void> => new Promise((resolve) => void start(resolve))

const settled = async (session: LeakSession, options: Options, graceMillis: number): Promise<ReadonlyArray<Leak>> => {
  const ends = performance.now() + graceMillis
  for (let turn = 0;; turn++) {
    const leaks = leaksOf(session).filter((leak) => options.ignore?.(leak) !== true)
    if (leaks.length === 0 && turn > 0) return leaks
    if (turn < turns) await waitFor(setImmediate)
    else if (performance.now() < ends) await waitFor((resume) => setTimeout(resume, pollMillis))
    else return leaks
  }
}

const stoppedBy = <A, E>(signal: AbortSignal | undefined, program: Effect.Effect<A, E>): Effect.Effect<A, E> => {
  if (signal === undefined) return program
  return Effect.withFiber((fiber) => {
    const forget = whenAborted(signal, () => fiber.interruptUnsafe())
    return Effect.ensuring(program, Effect.sync(forget))
  })
}

/** Runs it, and lets what can run by itself do so before time moves on. */
const runIn = <A, E>(session: LeakSession, program: Effect.Effect<A, E, Scope.Scope>, options: Options): Promise<Exit.Exit<A, E>> => {
  const watched = session.fibers.watch(stoppedBy(options.signal, Effect.scoped(program)))
  if (options.time === "live") return Effect.runPromiseExit(watched)
  const rest = Effect.andThen(VirtualClock.waitAllBlocked, VirtualClock.waitAllBlocked)
  const rested = Effect.flatMap(Effect.exit(watched), (exit) => Effect.andThen(rest, exit))
  return VirtualClock.runExit(rested, options.deadlockAfter === undefined ? {} : { deadlockAfter: options.deadlockAfter })
}

/**
 * Runs a program, and tells how it ended and what it left behind.
 *
 * **Example** (A fiber that nobody owns)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { LeakCheck } from "effect-nursery/testing"
 *
 * const { exit, leaks } = await LeakCheck.report(Effect.as(Effect.forkDetach(Effect.never), "done"))
 * console.log(exit._tag, leaks.map(({ kind }) => kind))
 * ```
 *
 * ```text output
 * Success [ 'fiber' ]
 * ```
 *
 * @since 0.1.0
 */
export const report = async <A, E>(program: Effect.Effect<A, E, Scope.Scope>, options: Options = {}): Promise<Report<A, E>> => {
  oneOf("time", options.time, ["virtual", "live"])
  const graceMillis = millisOf("grace", options.grace ?? 50)
  signalOf(options.signal)
  const targets = (options.watch ?? []).map((target) => targetOf(target as Target))
  const shared = watchers()
  const [session, end] = shared.begin(targets)
  try {
    const exit = await shared.in(session, () => runIn(session, program, options))
    return { exit, leaks: await settled(session, options, graceMillis) }
  } finally {
    end()
  }
}

/**
 * Runs a program, and rejects with {@link Leaked} if it left something behind.
 *
 * **Details**
 *
 * If the program fails, the promise is rejected as `Effect.runPromise` would be: what
 * was left behind then is mostly the consequence; {@link report} has both. A `Scope`
 * that the program asks for is closed before anything is looked for.
 *
 * What ends by itself is no leak: within a few turns of the event loop, or within the
 * grace. Nor is what does not hold the process, such as the idle threads and
 * connections of a pool, unless it is a timer of the program itself.
 *
 * **Example** (In a test of `node:test`)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { LeakCheck } from "effect-nursery/testing"
 *
 * const program = Effect.acquireRelease(
 *   Effect.sync(() => setInterval(() => {}, 1000)),
 *   (interval) => Effect.sync(() => clearInterval(interval))
 * ).pipe(Effect.as("clean"))
 *
 * console.log(await LeakCheck.run(program))
 * ```
 *
 * ```text output
 * clean
 * ```
 *
 * @since 0.1.0
 */
export const run = async <A, E>(program: Effect.Effect<A, E, Scope.Scope>, options?: Options): Promise<A> => {
  const { exit, leaks } = await report(program, options)
  if (exit._tag === "Failure") throw Cause.squash(exit.cause)
  if (leaks.length > 0) throw new Leaked(leaks)
  return exit.value
}
