/**
 * Spans of Effect's Tracer for the nurseries and tasks of a program: each named
 * nursery and each named task is one, and those that the program makes itself
 * (`Effect.withSpan`, `Effect.fn`) stand below the task that made them.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import type * as CancelScope from "../core/CancelScope.ts"
import * as TaskTree from "../core/TaskTree.ts"

type Services = Context.Context<never>

/** A span that has begun, and how to tell the time of its end. */
class Begun {
  readonly span: Tracer.Span
  private readonly clock: Clock.Clock
  private readonly timed: boolean

  constructor(name: string, services: Services, links: Array<Tracer.SpanLink>, attributes: Record<string, unknown>) {
    // The public way to make a span, which looks at everything that says whether and how.
    this.span = Effect.runSyncWith(services)(Effect.makeSpan(name, { links, attributes }))
    this.clock = Context.get(services, Clock.Clock)
    this.timed = Context.get(services, References.TracerTimingEnabled)
  }

  private get now(): bigint {
    return this.timed ? this.clock.currentTimeNanosUnsafe() : 0n
  }

  cancelled({ by, message, scope, source }: CancelScope.CancelReason): void {
    this.span.event("cancelled", this.now, { source, scope, by, message })
  }

  end(exit: Exit.Exit<unknown, unknown>): void {
    this.span.end(this.now, exit)
  }
}

const below = (services: Services, span: Tracer.AnySpan | undefined): Services =>
  span === undefined ? Context.omit(Tracer.ParentSpan)(services) as Services : Context.add(services, Tracer.ParentSpan, span)

const nothing = (): void => {}

class SpanRecorder implements TaskTree.Recorder {
  private readonly begun = new WeakMap<TaskTree.BlockInfo | TaskTree.TaskInfo, Begun>()
  /** The span that a block stands in, or its own. */
  private readonly inside = new WeakMap<TaskTree.BlockInfo, Tracer.AnySpan>()
  /** Who starts the task that is being started. */
  private starter: TaskTree.TaskInfo | undefined

  opened(block: TaskTree.BlockInfo): void {
    // Its owner runs.
    const owner = Fiber.getCurrent()!
    let span = owner.cache.span
    if (block.kind === "nursery" && block.name !== block.kind) {
      const own = new Begun(block.name, owner.context, [], { "effect-nursery.kind": block.kind })
      this.begun.set(block, own)
      span = own.span
    }
    if (span !== undefined) this.inside.set(block, span)
  }

  closed(block: TaskTree.BlockInfo, exit: Exit.Exit<unknown, unknown>): void {
    this.begun.get(block)?.end(exit)
  }

  started(_task: TaskTree.TaskInfo, by: TaskTree.TaskInfo | undefined): void {
    this.starter = by
  }

  // Asked in the step in which the task starts.
  contextOf(task: TaskTree.TaskInfo, services: Services): Services {
    if (task.kind === "body") {
      const own = this.begun.get(task.block)
      return own === undefined ? services : below(services, own.span)
    }
    if (task.ordinal !== undefined) return services
    const own = new Begun(task.name, below(services, this.inside.get(task.block)), this.linksOf(task), {
      "effect-nursery.kind": task.kind,
      "effect-nursery.in": task.block.name
    })
    this.begun.set(task, own)
    return below(services, own.span)
  }

  private linksOf(task: TaskTree.TaskInfo): Array<Tracer.SpanLink> {
    const { starter } = this
    if (starter === undefined) return []
    const own = this.begun.get(starter) ?? (starter.kind === "body" ? this.begun.get(starter.block) : undefined)
    if (own === undefined || own.span === this.inside.get(task.block)) return []
    return [{ span: own.span, attributes: { "effect-nursery.link": "started by" } }]
  }

  ended(task: TaskTree.TaskInfo, exit: Exit.Exit<unknown, unknown>): void {
    this.begun.get(task)?.end(exit)
  }

  cancelled(target: TaskTree.BlockInfo | TaskTree.TaskInfo, reason: CancelScope.CancelReason): void {
    this.begun.get(target)?.cancelled(reason)
  }

  readonly waiting = nothing
  readonly resumed = nothing
}

/**
 * Runs an effect with spans for its named nurseries and named tasks.
 *
 * **Details**
 *
 * The parent of a task's span is its nursery; if another task started it, the span
 * has a link to that one. A cancel is an event of the span, with its reason. Tasks
 * without a name keep the span of whoever started them, as in plain Effect. The
 * parent of a task that `start` began is the span of its caller.
 *
 * **Example** (Three spans)
 *
 * ```ts
 * import { Effect, Option, Tracer } from "effect"
 * import { Nursery } from "effect-nursery"
 * import { Spans } from "effect-nursery/observe"
 *
 * const tracer = Tracer.make({
 *   span: (options) => {
 *     const parent = Option.match(options.parent, { onNone: () => "nothing", onSome: (span) => span._tag === "Span" ? span.name : "outside" })
 *     console.log(`${options.name} in ${parent}`)
 *     return new Tracer.NativeSpan(options)
 *   }
 * })
 *
 * const fetchAll = Effect.fn("fetchAll")(function*() {
 *   yield* Effect.yieldNow
 * })
 * const program = Nursery.open((n) => n.startSoon(fetchAll(), { name: "crawler" }), { name: "site" })
 *
 * await Effect.runPromise(program.pipe(Spans.record(), Effect.withTracer(tracer)))
 * ```
 *
 * ```text output
 * site in nothing
 * crawler in site
 * fetchAll in crawler
 * ```
 *
 * @since 0.1.0
 */
export const record = () => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => TaskTree.record(new SpanRecorder())(self))
