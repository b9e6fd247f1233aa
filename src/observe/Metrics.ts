/**
 * Figures of a running program as metrics of Effect: how many tasks live, what is
 * cancelled by whom, how long cancels and waits take. They go wherever the
 * program's metrics go. (The examples have a registry of their own.)
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type * as CancelScope from "../core/CancelScope.ts"
import { TaskMember } from "../core/internal/TaskMember.ts"
import { type Timers, timersFor } from "../core/internal/Timers.ts"
import * as TaskTree from "../core/TaskTree.ts"

/** Milliseconds: from what a person does not notice to what no cancel should take. */
const boundaries = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000]

/**
 * How many tasks and services live. Bodies are not counted.
 *
 * **Example** (Two tasks)
 *
 * ```ts
 * import { Effect, Metric } from "effect"
 * import { Nursery } from "effect-nursery"
 * import { Metrics } from "effect-nursery/observe"
 *
 * const program = Nursery.open((n) =>
 *   Effect.gen(function*() {
 *     yield* n.startNow(Effect.never)
 *     yield* n.startNow(Effect.never)
 *     console.log((yield* Metric.value(Metrics.tasksLiving)).value)
 *     yield* n.cancelTasks()
 *   })
 * )
 *
 * await Effect.runPromise(program.pipe(Metrics.record(), Effect.provideService(Metric.MetricRegistry, new Map())))
 * ```
 *
 * ```text output
 * 2
 * ```
 *
 * @since 0.1.0
 */
export const tasksLiving: Metric.Gauge<number> = Metric.gauge("nursery_tasks_living", {
  description: "Tasks and services that live"
})

/**
 * How many cancels there were. The attribute `source` says what they came from:
 * `explicit`, `deadline`, `sibling` ….
 *
 * **Example** (A deadline)
 *
 * ```ts
 * import { Effect, Metric } from "effect"
 * import { Timeout } from "effect-nursery"
 * import { Metrics } from "effect-nursery/observe"
 *
 * const program = Effect.gen(function*() {
 *   yield* Timeout.moveOnAfter(Effect.never, 1)
 *   const deadlines = Metric.withAttributes(Metrics.cancels, { source: "deadline" })
 *   console.log((yield* Metric.value(deadlines)).count)
 * })
 *
 * await Effect.runPromise(program.pipe(Metrics.record(), Effect.provideService(Metric.MetricRegistry, new Map())))
 * ```
 *
 * ```text output
 * 1
 * ```
 *
 * @since 0.1.0
 */
export const cancels: Metric.Counter<number> = Metric.counter("nursery_cancels", {
  description: "Cancels, by what they came from",
  incremental: true
})

/**
 * How many milliseconds it took from a cancel until what was cancelled had ended,
 * with everything in it: a scope or nursery, or each task that was cancelled by
 * itself. The attribute `source` says what the cancel came from.
 *
 * **Example** (A slow goodbye)
 *
 * ```ts
 * import { Effect, Metric } from "effect"
 * import { Timeout } from "effect-nursery"
 * import { Metrics } from "effect-nursery/observe"
 * import { VirtualClock } from "effect-nursery/testing"
 *
 * const goodbye = Effect.sleep(30)
 * const program = Effect.gen(function*() {
 *   yield* Timeout.moveOnAfter(Effect.never.pipe(Effect.onInterrupt(() => goodbye)), 1)
 *   const ofDeadlines = Metric.withAttributes(Metrics.cancelMillis, { source: "deadline" })
 *   console.log((yield* Metric.value(ofDeadlines)).max)
 * })
 *
 * await VirtualClock.run(program.pipe(Metrics.record(), Effect.provideService(Metric.MetricRegistry, new Map())))
 * ```
 *
 * ```text output
 * 30
 * ```
 *
 * @since 0.1.0
 */
export const cancelMillis: Metric.Histogram<number> = Metric.histogram("nursery_cancel_millis", {
  description: "Milliseconds from a cancel until what was cancelled had ended, by what it came from",
  boundaries
})

/**
 * How many milliseconds waits took. The attribute `on` says what was waited for:
 * `limiter`, `channel`, `broadcast`, `event`, `watch`, `task`, `nursery`, or `other`.
 *
 * **Example** (A full limiter)
 *
 * ```ts
 * import { Effect, Metric } from "effect"
 * import { CapacityLimiter, Tasks } from "effect-nursery"
 * import { Metrics } from "effect-nursery/observe"
 * import { VirtualClock } from "effect-nursery/testing"
 *
 * const program = Effect.gen(function*() {
 *   const limiter = yield* CapacityLimiter.make(1, { name: "db" })
 *   yield* Tasks.gather([limiter.withToken(Effect.sleep(40)), limiter.withToken(Effect.sleep(40))])
 *   const onLimiters = Metric.withAttributes(Metrics.waitMillis, { on: "limiter" })
 *   console.log((yield* Metric.value(onLimiters)).max)
 * })
 *
 * await VirtualClock.run(program.pipe(Metrics.record(), Effect.provideService(Metric.MetricRegistry, new Map())))
 * ```
 *
 * ```text output
 * 40
 * ```
 *
 * @since 0.1.0
 */
export const waitMillis: Metric.Histogram<number> = Metric.histogram("nursery_wait_millis", {
  description: "Milliseconds that waits took, by what was waited for",
  boundaries
})

type Target = TaskTree.BlockInfo | TaskTree.TaskInfo

const aroundOf = (target: Target): Target | undefined => "block" in target ? target.block : target.parent

/** The first word of a label, which is the kind of thing, for things that are not called by their name alone. */
const kinds = new Set(["limiter", "channel", "broadcast", "event", "watch", "nursery"])

const kindOf = (on: { readonly label: string }): string => {
  if (on instanceof TaskMember) return "task"
  const [first = ""] = on.label.split(" ", 1)
  return kinds.has(first) ? first : "other"
}

class MetricsRecorder implements TaskTree.Recorder {
  private readonly context: Context.Context<never>
  private readonly timers: Timers
  private readonly told = new WeakMap<Target, CancelScope.CancelReason>()
  private readonly counted = new WeakSet<CancelScope.CancelReason>()
  /** When those were told that nobody around them was told before. */
  private readonly roots = new WeakMap<Target, number>()
  private readonly waits = new WeakMap<TaskTree.WaitInfo, number>()

  constructor(context: Context.Context<never>, timers: Timers) {
    this.context = context
    this.timers = timers
  }

  opened(): void {}

  closed(block: TaskTree.BlockInfo): void {
    this.over(block)
  }

  started(task: TaskTree.TaskInfo): void {
    if (task.kind !== "body") tasksLiving.modifyUnsafe(1, this.context)
  }

  ended(task: TaskTree.TaskInfo): void {
    if (task.kind !== "body") tasksLiving.modifyUnsafe(-1, this.context)
    this.over(task)
  }

  cancelled(target: Target, reason: CancelScope.CancelReason): void {
    this.told.set(target, reason)
    if (!this.counted.has(reason)) {
      this.counted.add(reason)
      Metric.withAttributes(cancels, { source: reason.source }).updateUnsafe(1, this.context)
    }
    // Whoever is told below somebody who was told is not measured for itself.
    let around = aroundOf(target)
    while (around !== undefined && this.told.get(around) !== reason) around = aroundOf(around)
    if (around === undefined) this.roots.set(target, this.timers.now())
  }

  private over(target: Target): void {
    const at = this.roots.get(target)
    if (at === undefined) return
    const { source } = this.told.get(target)!
    Metric.withAttributes(cancelMillis, { source }).updateUnsafe(this.timers.now() - at, this.context)
  }

  waiting(wait: TaskTree.WaitInfo): void {
    this.waits.set(wait, this.timers.now())
  }

  resumed(wait: TaskTree.WaitInfo): void {
    const since = this.waits.get(wait)
    if (since === undefined) return
    Metric.withAttributes(waitMillis, { on: kindOf(wait.on) }).updateUnsafe(this.timers.now() - since, this.context)
  }
}

/**
 * Runs an effect and keeps these metrics of it, in the registry that it runs with.
 *
 * **Example** (All of them)
 *
 * ```ts
 * import { Effect, Metric } from "effect"
 * import { Nursery } from "effect-nursery"
 * import { Metrics } from "effect-nursery/observe"
 *
 * const program = Nursery.open((n) => n.startSoon(Effect.fail("no milk"))).pipe(Effect.ignore, Metrics.record())
 * const names = Effect.map(Metric.snapshot, (all) => all.map((metric) => metric.id).sort())
 *
 * console.log(await Effect.runPromise(Effect.andThen(program, names).pipe(Effect.provideService(Metric.MetricRegistry, new Map()))))
 * ```
 *
 * ```text output
 * [ 'nursery_cancel_millis', 'nursery_cancels', 'nursery_tasks_living' ]
 * ```
 *
 * @since 0.1.0
 */
export const record = () => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => TaskTree.record(new MetricsRecorder(fiber.context, timersFor(fiber)))(self))
