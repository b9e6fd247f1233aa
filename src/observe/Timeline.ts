/**
 * The run of a program as a picture: one lane for each nursery and task, what each
 * waited for, who cancelled whom and why, and how all of it ended.
 *
 * As SVG for a page, as one HTML page to look around in, as text for a terminal,
 * and as a trace for Chrome and Perfetto. Under virtual time a program gives the
 * same bytes on every run, so a picture can be kept beside the code and tested.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Instrument from "./Instrument.ts"
import * as html from "./internal/TimelineHtml.ts"
import * as model from "./internal/TimelineModel.ts"
import type { Options as OptionsShape } from "./internal/TimelineOptions.ts"
import * as svg from "./internal/TimelineSvg.ts"
import * as text from "./internal/TimelineText.ts"
import * as trace from "./internal/TimelineTrace.ts"

/**
 * A run, ready to be drawn. Plain data: it can be compared, written and read.
 *
 * @since 0.1.0
 */
export interface Timeline extends model.Timeline {
  readonly rows: ReadonlyArray<Row>
  readonly cancels: ReadonlyArray<Cancel>
}

/**
 * One lane: a block, with its body, or a task.
 *
 * @since 0.1.0
 */
export interface Row extends model.Row {}

/**
 * One cancellation: when, who, whom, why, and everybody who was told of it.
 *
 * @since 0.1.0
 */
export interface Cancel extends model.Cancel {}

/**
 * A point of a run: its time, and how many steps came before it.
 *
 * @since 0.1.0
 */
export interface Moment extends model.Moment {}

/**
 * How a timeline is shown.
 *
 * @since 0.1.0
 */
export interface Options extends OptionsShape {}

/**
 * Runs a program, and gives its exit together with its timeline. Never fails.
 *
 * **Details**
 *
 * Nurseries, scopes, time limits, gathers, races, their tasks and the waits in
 * things of this library are in it. Of fibers that Effect's own operators fork there
 * is only what they open and wait for. All events are kept until the end; for a
 * program that runs for days give an `Instrument` of limited size, and use {@link fromEvents}.
 *
 * **Example** (Who cancelled whom)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Nursery } from "effect-nursery"
 * import { Timeline } from "effect-nursery/observe"
 * import { VirtualClock } from "effect-nursery/testing"
 *
 * const breakfast = Nursery.open((n) =>
 *   Effect.gen(function*() {
 *     yield* n.startSoon(Effect.andThen(Effect.sleep(300), Effect.fail("no tea")), { name: "brew tea" })
 *     yield* n.startSoon(Effect.never.pipe(Effect.onInterrupt(() => Effect.sleep(50))), { name: "feed the cat" })
 *   }), { name: "breakfast" })
 *
 * const [exit, timeline] = await VirtualClock.run(Timeline.record(breakfast))
 * console.log(exit._tag)
 * console.log(Timeline.toText(timeline))
 * ```
 *
 * ```text output
 * Failure
 * 1 block · 2 tasks (1 failed, 1 cancelled) · 350 ms
 *
 *                   0             100 ms         200 ms        300 ms 350 ms
 * nursery breakfast ├──────────────────────────────────────────⊘─────┤✗ failed
 * ├─ brew tea       ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━✗ failed
 * └─ feed the cat   ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━▒▒▒▒▒▒▒⊘ cancelled
 *
 * 300 ms  ✗ brew tea failed: no tea
 * 300 ms  ⊘ brew tea cancelled nursery breakfast (feed the cat): brew tea failed
 * 350 ms  · feed the cat: its finalizer took 50 ms
 * 350 ms  ✗ nursery breakfast failed: no tea
 *
 * ━ lives   ▒ told to stop, not ended
 * ```
 *
 * @since 0.1.0
 */
export const record = <A, E, R>(
  program: Effect.Effect<A, E, R>
): Effect.Effect<readonly [Exit.Exit<A, E>, Timeline], never, R> =>
  Effect.suspend(() => {
    const instrument = Instrument.make({ capacity: Infinity })
    return Effect.map(Effect.exit(Instrument.record(instrument)(program)), (exit) => [exit, fromEvents(instrument.events())] as const)
  })

/**
 * The timeline of events that an `Instrument` has kept, in their order. Of a
 * program that still runs it is the timeline so far.
 *
 * **Details**
 *
 * If the instrument had to drop the oldest events, what began before is drawn from
 * the left edge, without its name.
 *
 * **Example** (So far)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Nursery } from "effect-nursery"
 * import { Instrument, Timeline } from "effect-nursery/observe"
 *
 * const instrument = Instrument.make()
 * const program = Nursery.open((n) =>
 *   Effect.gen(function*() {
 *     yield* n.startNow(Effect.never, { name: "server" })
 *     const { rows } = Timeline.fromEvents(instrument.events())
 *     console.log(rows.map((row) => `${row.kind} ${row.name}: ${row.outcome?._tag ?? "running"}`))
 *     yield* n.cancelTasks()
 *   }), { name: "app" })
 *
 * await Effect.runPromise(program.pipe(Instrument.record(instrument)))
 * ```
 *
 * ```text output
 * [ 'nursery app: running', 'task server: running' ]
 * ```
 *
 * @since 0.1.0
 */
export const fromEvents = (events: Iterable<Instrument.Event>): Timeline => model.fromEvents(events)

/**
 * For a terminal, and for those who listen: the lanes, then what happened, in
 * words. Without colours.
 *
 * **Example** (A race)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Tasks } from "effect-nursery"
 * import { Timeline } from "effect-nursery/observe"
 * import { VirtualClock } from "effect-nursery/testing"
 *
 * const race = Tasks.firstSuccess([
 *   Effect.andThen(Effect.sleep(20), Effect.fail("unreachable")),
 *   Effect.sleep(70),
 *   Effect.sleep(100)
 * ])
 *
 * const [, timeline] = await VirtualClock.run(Timeline.record(race))
 * console.log(Timeline.toText(timeline, { width: 64 }))
 * ```
 *
 * ```text output
 * 1 block · 3 tasks (1 failed, 1 cancelled, 1 succeeded) · 70 ms
 *
 *                   0                       50 ms     70 ms
 * race firstSuccess ├───────────────────────────────⊘┤✓ succeeded
 * ├─ race 0         ━━━━━━━━━━✗ failed
 * ├─ race 1         ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━✓ succeeded
 * └─ race 2         ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━⊘ cancelled
 *
 * 20 ms  ✗ race 0 failed: unreachable
 * 70 ms  ⊘ race 1 cancelled race firstSuccess (race 2): race 1 won
 * ```
 *
 * @since 0.1.0
 */
export const toText = (timeline: Timeline, options?: Options): string => text.toText(timeline, options)

/**
 * A picture for a page. It has a light and a dark scheme, needs no font and no
 * script, and says all that it shows in a description for screen readers.
 *
 * **Example** (Into a file)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Tasks } from "effect-nursery"
 * import { Timeline } from "effect-nursery/observe"
 * import { VirtualClock } from "effect-nursery/testing"
 *
 * const program = Tasks.gather([Effect.sleep(10), Effect.sleep(20)])
 * const [, timeline] = await VirtualClock.run(Timeline.record(program))
 * const svg = Timeline.toSvg(timeline, { title: "Two sleeps" })
 *
 * // fs.writeFileSync("sleeps.svg", svg)
 * console.log(/<title [^>]*>(.*)<\/title>/.exec(svg)?.[1])
 * ```
 *
 * ```text output
 * Two sleeps: 1 block · 2 tasks (2 succeeded) · 20 ms
 * ```
 *
 * @since 0.1.0
 */
export const toSvg = (timeline: Timeline, options?: Options): string => svg.toSvg(timeline, options)

/**
 * One page to look around in, also with 10,000 tasks: zoom, search, details of each
 * row, a table of cancels. It opens from a file and loads nothing.
 *
 * **Example** (Into a file)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Tasks } from "effect-nursery"
 * import { Timeline } from "effect-nursery/observe"
 *
 * const program = Tasks.map([1, 2, 3], (n) => Effect.sleep(n))
 * const [, timeline] = await Effect.runPromise(Timeline.record(program))
 * const page = Timeline.toHtml(timeline, { title: "Three sleeps" })
 *
 * // fs.writeFileSync("sleeps.html", page)
 * console.log(page.split("\n")[0])
 * ```
 *
 * ```text output
 * <!doctype html>
 * ```
 *
 * @since 0.1.0
 */
export const toHtml = (timeline: Timeline, options?: Options): string => html.toHtml(timeline, options)

/**
 * Trace events for `chrome://tracing` and https://ui.perfetto.dev: a track for each
 * task, slices for blocks, waits and cleanup, and arrows for cancels.
 *
 * **Example** (What is in it)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Nursery } from "effect-nursery"
 * import { Timeline } from "effect-nursery/observe"
 * import { VirtualClock } from "effect-nursery/testing"
 *
 * const program = Nursery.open((n) => n.startSoon(Effect.sleep(5), { name: "nap" }), { name: "kindergarten" })
 * const [, timeline] = await VirtualClock.run(Timeline.record(program))
 * const { traceEvents } = JSON.parse(Timeline.toTrace(timeline))
 *
 * for (const { dur, name, ph, ts } of traceEvents) if (ph === "X") console.log(name, ts, dur)
 * ```
 *
 * ```text output
 * nursery kindergarten 0 5000
 * nap 0 5000
 * ```
 *
 * @since 0.1.0
 */
export const toTrace = (timeline: Timeline, options?: Options): string => trace.toTrace(timeline, options)
