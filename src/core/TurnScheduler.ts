/**
 * A Scheduler with one dispatcher for all fibers.
 *
 * Effect's default gives every fiber a dispatcher and a `setImmediate` of its own.
 * With a shared one, all fibers that are ready run in one turn: programs whose
 * fibers suspend often take about half the time (see `npm run bench`).
 *
 * @since 0.1.0
 */
import * as Scheduler from "effect/Scheduler"

interface Lane {
  readonly priority: number
  tasks: Array<() => void>
}

/** Runs what was ready when the turn began, by priority, then in order of arrival. */
class TurnDispatcher implements Scheduler.SchedulerDispatcher {
  private lanes: Array<Lane> = []
  private cancel: (() => void) | undefined = undefined
  private readonly setImmediate: (f: () => void) => () => void

  constructor(setImmediate: (f: () => void) => () => void) {
    this.setImmediate = setImmediate
  }

  scheduleTask(task: () => void, priority: number): void {
    this.lane(priority).tasks.push(task)
    this.cancel ??= this.setImmediate(this.turn)
  }

  private lane(priority: number): Lane {
    const lanes = this.lanes
    let index = 0
    while (index < lanes.length && lanes[index]!.priority < priority) index++
    const found = lanes[index]
    if (found !== undefined && found.priority === priority) return found
    const lane: Lane = { priority, tasks: [] }
    lanes.splice(index, 0, lane)
    return lane
  }

  private readonly turn = (): void => {
    this.cancel = undefined
    const lanes = this.lanes
    this.lanes = []
    for (let l = 0; l < lanes.length; l++) {
      const { priority, tasks } = lanes[l]!
      for (let i = 0; i < tasks.length; i++) {
        try {
          tasks[i]!()
        } catch (error) {
          // One task that throws must not take the others with it: they get the
          // next turn, ahead of what has been scheduled meanwhile.
          this.putBack(priority, tasks.slice(i + 1))
          for (const rest of lanes.slice(l + 1)) this.putBack(rest.priority, rest.tasks)
          throw error
        }
      }
    }
  }

  private putBack(priority: number, tasks: Array<() => void>): void {
    if (tasks.length === 0) return
    const lane = this.lane(priority)
    lane.tasks = tasks.concat(lane.tasks)
    this.cancel ??= this.setImmediate(this.turn)
  }

  flush(): void {
    while (this.lanes.length > 0) {
      this.cancel?.()
      this.turn()
    }
  }
}

/**
 * Makes a scheduler. Give it to `Effect.runPromise` and its siblings, or provide
 * it as `Scheduler.Scheduler`. A `TestClock` inside works as always.
 *
 * **Example** (A whole program)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Tasks, TurnScheduler } from "effect-nursery"
 *
 * const program = Tasks.gather([Effect.yieldNow, Effect.yieldNow])
 * const values = await Effect.runPromise(program, { scheduler: TurnScheduler.make() })
 * console.log(values.length)
 * ```
 *
 * ```text output
 * 2
 * ```
 *
 * @since 0.1.0
 */
export const make = (): Scheduler.Scheduler => {
  const base = new Scheduler.MixedScheduler()
  const dispatcher = new TurnDispatcher(base.setImmediate)
  return {
    executionMode: "async",
    shouldYield: (fiber) => base.shouldYield(fiber),
    makeDispatcher: () => dispatcher
  }
}
