/**
 * Why did that cancel take so long? For each cancel of a recorded program: who did
 * it and why, who was told, how long it took until everything had ended, and which
 * task held it up with which cleanup.
 *
 * A time limit of 50 milliseconds that takes 250 is no fault of the limit: a cancel
 * ends when the last finalizer below it has. This report names that finalizer.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { dual } from "effect/Function"
import type * as CancelScope from "../core/CancelScope.ts"
import { millisOf } from "../core/internal/ScopeBlock.ts"
import * as Instrument from "./Instrument.ts"
import { culpritsOf, type Doing, rootsOf, type Slow } from "./internal/Culprits.ts"
import { type BlockLife, type CancelLife, type History, historyOf, pathOf, type TaskLife, workerOf } from "./internal/History.ts"
import { millisText } from "./internal/MillisText.ts"

export type { Doing, Slow } from "./internal/Culprits.ts"

/**
 * One cancel: all that one `cancel`, deadline or failure has set off.
 *
 * @since 0.1.0
 */
export interface Cancel {
  /** Why: source, message, the name of who did it. */
  readonly reason: CancelScope.CancelReason
  /** The task that did it, from the outside in; `main` for what belongs to no task; none for deadlines, signals and callbacks. */
  readonly by: string | undefined
  /** What was cancelled, from the outside in. */
  readonly target: string
  /** The names of the tasks that were told to stop, in order. */
  readonly told: ReadonlyArray<string>
  /** When it was delivered, in milliseconds of the program's Clock. */
  readonly at: number
  /** How long after the deadline that was. The time is given when the loop comes to it. */
  readonly late: number
  /** How long it took until everything had ended; if it has not, how long it takes already. */
  readonly millis: number
  readonly ended: boolean
  /** Those who did not end at once, the slowest first. */
  readonly slow: ReadonlyArray<Slow>
  /** Of them, the one that held up the others for the longest time. */
  readonly culprit: Slow | undefined
}

/**
 * All cancels of a recording, in order, and how long they took.
 *
 * @since 0.1.0
 */
export interface CancelReport {
  readonly cancels: ReadonlyArray<Cancel>
  /** Half of the cancels that have ended took at most so many milliseconds; none without a cancel. */
  readonly p50: number | undefined
  readonly p99: number | undefined
  readonly max: number | undefined
}

const namesOf = ({ told }: CancelLife): ReadonlyArray<string> => {
  const names: Array<string> = []
  for (const target of told.keys()) if (target.is === "task" && target.kind !== "body") names.push(target.name)
  return names
}

// Several tasks of one nursery are cancelled as tasks of that nursery.
const targetOf = (roots: ReadonlyArray<BlockLife | TaskLife>): string => {
  const [first] = roots
  if (first === undefined) return ""
  const isBody = first.is === "task" && first.kind === "body"
  return pathOf(first.is === "task" && (roots.length > 1 || isBody) ? first.block : first)
}

const cancelOf = (life: CancelLife, { now }: History): Cancel => {
  const roots = rootsOf(life)
  const last = roots.reduce((at, root) => Math.max(at, root.end), life.at)
  const ended = last !== Infinity
  const end = ended ? last : now
  const { at, by, reason } = life
  return {
    reason,
    by: by === undefined ? undefined : pathOf(workerOf(by)) || "main",
    target: targetOf(roots),
    told: namesOf(life),
    at,
    late: reason.source === "deadline" && reason.at !== -Infinity ? Math.max(at - reason.at, 0) : 0,
    millis: end - at,
    ended,
    ...culpritsOf(life, roots, end)
  }
}

const reportOn = (cancels: ReadonlyArray<Cancel>): CancelReport => {
  const times = cancels.filter((cancel) => cancel.ended).map((cancel) => cancel.millis).sort((a, b) => a - b)
  return { cancels, p50: percentile(times, 0.5), p99: percentile(times, 0.99), max: times.at(-1) }
}

// The smallest that so many are not above: always a time that was measured.
const percentile = (sorted: ReadonlyArray<number>, part: number): number | undefined =>
  sorted[Math.max(Math.ceil(sorted.length * part) - 1, 0)]

/**
 * The report of what an instrument has recorded. Of a program that still runs, too:
 * then cancels that have not ended say who is holding them up. They are measured up
 * to `now`, a time of the program's Clock, or else to the last event.
 *
 * **Example** (A slow goodbye)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Nursery, Timeout } from "effect-nursery"
 * import { CancelReport, Instrument } from "effect-nursery/observe"
 * import { VirtualClock } from "effect-nursery/testing"
 *
 * const connection = Effect.never.pipe(Effect.onInterrupt(() => Effect.sleep(200)))
 * const program = Nursery.open((n) => n.startSoon(connection, { name: "connection" })).pipe(Timeout.moveOnAfter(50))
 *
 * const instrument = Instrument.make()
 * await VirtualClock.run(program.pipe(Instrument.record(instrument)))
 *
 * const { cancels: [cancel] } = CancelReport.make(instrument.events())
 * console.log(`${cancel?.reason.source}: ${cancel?.millis} ms, because of ${cancel?.culprit?.task}`)
 * ```
 *
 * ```text output
 * deadline: 200 ms, because of connection
 * ```
 *
 * @since 0.1.0
 */
export const make = (events: ReadonlyArray<Instrument.Event>, options?: { readonly now?: number }): CancelReport => {
  const history = historyOf(events, options?.now)
  return reportOn(history.cancels.map((life) => cancelOf(life, history)))
}

/**
 * Runs an effect and reports its cancels, with its exit.
 *
 * **Example** (The figures)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Timeout } from "effect-nursery"
 * import { CancelReport } from "effect-nursery/observe"
 * import { VirtualClock } from "effect-nursery/testing"
 *
 * const program = Effect.never.pipe(Timeout.moveOnAfter("1 second"), Effect.repeat({ times: 9 }))
 *
 * const [exit, report] = await VirtualClock.run(CancelReport.record(program))
 * console.log(exit._tag, report.cancels.length, `cancels, p99 ${report.p99} ms`)
 * ```
 *
 * ```text output
 * Success 10 cancels, p99 0 ms
 * ```
 *
 * @since 0.1.0
 */
export const record = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<readonly [Exit.Exit<A, E>, CancelReport], never, R> =>
  Effect.suspend(() => {
    const instrument = Instrument.make({ capacity: Infinity })
    return Effect.map(Effect.exit(Instrument.record(instrument)(self)), (exit) => [exit, make(instrument.events())] as const)
  })

/** So many cancels are told in full. */
const mostShown = 10
/** So many names of tasks are listed. */
const mostNames = 8

const listOf = (names: ReadonlyArray<string>): string =>
  names.length <= mostNames ? names.join(", ") : `${names.slice(0, mostNames).join(", ")} and ${names.length - mostNames} more`

const tasksText = (count: number): string => count === 1 ? "1 task" : `${count} tasks`

const waitsText = ({ waitedFor }: Doing): string =>
  waitedFor.length === 0 ? "" : `, ${waitedFor.map(({ label, millis }) => `${millisText(millis)} of it ${label}`).join(", ")}`

const slowLines = (slow: Slow, isCulprit: boolean, indent: string): ReadonlyArray<string> => {
  const head = isCulprit ? `held up ${millisText(slow.heldUp)} by ${slow.path}` : `also slow, ${millisText(slow.millis)}: ${slow.path}`
  return [
    `${indent}${head}`,
    ...slow.doing.map((doing) => `${indent}  ${millisText(doing.millis)} ${doing.what}${waitsText(doing)}`)
  ]
}

const cancelLines = (cancel: Cancel, indent: string): ReadonlyArray<string> => {
  const { by, culprit, ended, late, millis, reason, slow, target, told } = cancel
  const others = slow.filter((each) => each !== culprit)
  return [
    `${millisText(millis)}${ended ? "" : " and goes on"}: ${target}, ${reason.source}${by === undefined ? "" : ` by ${by}`}: ${reason.message}`,
    ...(late > 0 ? [`${indent}it came ${millisText(late)} after its time`] : []),
    ...(told.length === 0 ? [] : [`${indent}told ${tasksText(told.length)}: ${listOf(told)}`]),
    ...(culprit === undefined ? [] : slowLines(culprit, true, indent)),
    ...others.slice(0, mostNames).flatMap((each) => slowLines(each, false, indent)),
    ...(others.length > mostNames ? [`${indent}and ${tasksText(others.length - mostNames)} more that took time`] : [])
  ]
}

const headLine = ({ cancels, max, p50, p99 }: CancelReport): string => {
  const count = cancels.length === 1 ? "1 cancel" : `${cancels.length} cancels`
  const ongoing = cancels.filter((cancel) => !cancel.ended).length
  const open = ongoing === 0 ? "" : `, ${ongoing} not over`
  if (max === undefined) return `${count}${open}`
  return `${count}${open}: p50 ${millisText(p50!)}, p99 ${millisText(p99!)}, max ${millisText(max)}`
}

/**
 * The report for people, the slowest cancels first.
 *
 * **Example** (What held it up)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { CancelScope, Nursery, Timeout } from "effect-nursery"
 * import { CancelReport } from "effect-nursery/observe"
 * import { VirtualClock } from "effect-nursery/testing"
 *
 * const flush = Effect.sleep(80).pipe(Timeout.moveOnAfter("1 second", { name: "flush" }), CancelScope.shield)
 * const writer = Effect.never.pipe(Effect.ensuring(flush))
 * const reader = Effect.never.pipe(Effect.onInterrupt(() => Effect.sleep(5)))
 *
 * const program = Nursery.open((n) =>
 *   Effect.gen(function*() {
 *     yield* n.startSoon(writer, { name: "writer" })
 *     yield* n.startSoon(reader, { name: "reader" })
 *     yield* n.startSoon(Effect.fail("connection reset"), { name: "socket" })
 *   }), { name: "session" })
 *
 * const [, report] = await VirtualClock.run(CancelReport.record(program))
 * console.log(CancelReport.toText(report))
 * ```
 *
 * ```text output
 * 1 cancel: p50 80 ms, p99 80 ms, max 80 ms
 *
 * 80 ms: nursery session, sibling by nursery session › socket: socket failed
 *   told 2 tasks: writer, reader
 *   held up 80 ms by nursery session › writer
 *     80 ms finalizer › shield › timeout flush
 *   also slow, 5 ms: nursery session › reader
 *     5 ms finalizer
 * ```
 *
 * @since 0.1.0
 */
export const toText = (report: CancelReport): string => {
  const slowest = [...report.cancels].sort((a, b) => b.millis - a.millis)
  const shown = slowest.slice(0, mostShown)
  const rest = slowest.slice(mostShown)
  return [
    headLine(report),
    ...shown.flatMap((cancel) => ["", ...cancelLines(cancel, "  ")]),
    ...(rest.length === 0 ? [] : ["", `and ${rest.length} more, of at most ${millisText(rest[0]!.millis)}`])
  ].join("\n")
}

/**
 * A cancel took longer than {@link expectCancelWithin} allows. A defect: the test
 * has found a bug.
 *
 * **Example** (Reading it)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Timeout } from "effect-nursery"
 * import { CancelReport } from "effect-nursery/observe"
 * import { VirtualClock } from "effect-nursery/testing"
 *
 * const slow = Effect.never.pipe(Effect.onInterrupt(() => Effect.sleep(60)), Timeout.moveOnAfter(10))
 *
 * await VirtualClock.run(slow.pipe(CancelReport.expectCancelWithin(50))).catch((error) => {
 *   if (error instanceof CancelReport.SlowCancel) console.log(error.cancels.map((cancel) => cancel.millis))
 * })
 * ```
 *
 * ```text output
 * [ 60 ]
 * ```
 *
 * @since 0.1.0
 */
export class SlowCancel extends Error {
  readonly _tag = "SlowCancel"
  /** What was allowed, in milliseconds. */
  readonly limit: number
  /** Those that took longer. */
  readonly cancels: ReadonlyArray<Cancel>
  readonly report: CancelReport

  constructor(limit: number, report: CancelReport) {
    const cancels = report.cancels.filter((cancel) => cancel.millis > limit)
    const what = cancels.length === 1 ? "A cancel took" : `${cancels.length} cancels took`
    super(`${what} longer than ${millisText(limit)}\n${toText(reportOn(cancels))}`)
    this.name = "SlowCancel"
    this.limit = limit
    this.cancels = cancels
    this.report = report
  }
}

/**
 * For tests: the effect, which dies with {@link SlowCancel} if one of its cancels
 * took longer, from the moment it was delivered until everything below it had ended.
 *
 * **Details**
 *
 * What the effect fails with stays beside the defect. If it is interrupted from
 * outside, nothing is checked.
 *
 * **Example** (A goodbye that takes too long)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Nursery, Timeout } from "effect-nursery"
 * import { CancelReport } from "effect-nursery/observe"
 * import { VirtualClock } from "effect-nursery/testing"
 *
 * const goodbye = Effect.sleep(200).pipe(Effect.withSpan("goodbye"))
 * const client = Effect.never.pipe(Effect.onInterrupt(() => goodbye))
 *
 * const program = Nursery.open((n) => n.startSoon(client, { name: "client" }), { name: "chat" }).pipe(
 *   Timeout.moveOnAfter("1 second"),
 *   CancelReport.expectCancelWithin("50 millis")
 * )
 *
 * await VirtualClock.run(program).catch((error) => console.log(error.message))
 * ```
 *
 * ```text output
 * A cancel took longer than 50 ms
 * 1 cancel: p50 200 ms, p99 200 ms, max 200 ms
 *
 * 200 ms: timeout, deadline: its time was up
 *   told 1 task: client
 *   held up 200 ms by timeout › nursery chat › client
 *     200 ms finalizer in span goodbye
 * ```
 *
 * @since 0.1.0
 */
export const expectCancelWithin: {
  (limit: Duration.Input): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, limit: Duration.Input): Effect.Effect<A, E, R>
} = dual(2, <A, E, R>(self: Effect.Effect<A, E, R>, limit: Duration.Input): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const millis = millisOf("limit", limit)
    return Effect.flatMap(record(self), ([exit, report]) => {
      if (!report.cancels.some((cancel) => cancel.millis > millis)) return exit
      const defect = Cause.die(new SlowCancel(millis, report))
      return exit._tag === "Success" ? Exit.failCause(defect) : Exit.failCause(Cause.fromReasons([...defect.reasons, ...exit.cause.reasons]))
    })
  }))
