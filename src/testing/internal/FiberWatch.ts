/**
 * The fibers of a program that are alive, and who forked them.
 *
 * A scheduler is asked before each operation of a fiber, so it meets every fiber.
 * Effect's metrics tell of a fiber's start in the stack of whoever forks it, but
 * not which fiber it is: ids are counted, so the next one tells.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Scheduler from "effect/Scheduler"
import { type AnyFiber, Place } from "../../core/internal/Block.ts"
import { type Known, Origin } from "./Origin.ts"

export interface LivingFiber {
  readonly fiber: AnyFiber
  readonly origin: Origin
}

export class FiberWatch {
  /** From now on things are made in the name of this fiber. Gives in whose before, if it was another's. */
  private readonly enter: (fiber: AnyFiber) => Known | undefined
  private readonly living = new Map<AnyFiber, LivingFiber>()
  private readonly met = new WeakSet<AnyFiber>()
  /** By the ids of fibers that were forked and have not been met. */
  private readonly forked = new Map<number, Origin>()
  private counting = false
  /** Fibers that belong to whoever watches. */
  private readonly own = new WeakSet<AnyFiber>()

  constructor(enter: (fiber: AnyFiber) => Known | undefined) {
    this.enter = enter
  }

  /** A fiber runs an operation. */
  meet(fiber: AnyFiber): void {
    if (this.counting) return
    const before = this.enter(fiber)
    if (before === undefined || this.met.has(fiber)) return
    this.met.add(fiber)
    // It was started with nothing of the program's context: by whoever ran before.
    const origin = this.forked.get(fiber.id) ?? new Origin(before, before.fiber)
    this.forked.delete(fiber.id)
    if (this.own.has(fiber)) return
    this.living.set(fiber, { fiber, origin })
    fiber.addObserver(() => void this.living.delete(fiber))
  }

  private readonly metrics: Metric.FiberRuntimeMetricsService = {
    recordFiberStart: () => {
      if (this.counting) return
      this.counting = true
      const next = Effect.runFork(Effect.void).id
      this.counting = false
      this.forked.set(next - 1, new Origin(undefined))
    },
    recordFiberEnd: () => {}
  }

  private schedulerAround(around: Scheduler.Scheduler): Scheduler.Scheduler {
    return {
      executionMode: around.executionMode,
      shouldYield: (fiber) => {
        this.meet(fiber as AnyFiber)
        return around.shouldYield(fiber)
      },
      makeDispatcher: () => around.makeDispatcher()
    }
  }

  /** Watches the fibers of an effect, and those that they fork. */
  watch<A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.withFiber((fiber) => {
      this.own.add(fiber)
      return self.pipe(
        Effect.provideService(Metric.FiberRuntimeMetrics, this.metrics),
        Effect.provideService(Scheduler.Scheduler, this.schedulerAround(fiber.cache.scheduler))
      )
    })
  }

  /**
   * Those that are alive, without those that end when another of them ends: the
   * tasks and bodies of its blocks, and the fibers that it forked.
   */
  get roots(): ReadonlyArray<LivingFiber> {
    return [...this.living.values()].filter(({ fiber, origin }) => {
      if (fiber.getRef(Place)?.fiber === fiber) return false
      return origin.fiber === fiber || origin.fiber === undefined || !this.living.has(origin.fiber)
    })
  }
}

/** The scheduler of every fiber that was given none, such as those of `Effect.runFork`. */
export const defaultScheduler: Scheduler.Scheduler = /* @__PURE__ */ Context.get(Context.empty(), Scheduler.Scheduler)

/** Calls `met` for the fibers that run with it. Returns what ends that. */
export const watchDefault = (met: (fiber: AnyFiber) => void): () => void => {
  const { shouldYield } = defaultScheduler
  defaultScheduler.shouldYield = (fiber) => {
    met(fiber as AnyFiber)
    return shouldYield.call(defaultScheduler, fiber)
  }
  return () => {
    // It is a method of its class: the instance had none of its own.
    delete (defaultScheduler as { shouldYield?: unknown }).shouldYield
  }
}
