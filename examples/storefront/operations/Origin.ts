/**
 * Where a log line comes from: the task that has written it, with everything around it, and the request that it was about.
 *
 * Nobody pays for it before a line is written: the tasks carry a reference to themselves, and the path is made of it then.
 */
import { Context, type Fiber } from "effect"
import { TaskTree } from "effect-nursery"
import { answerIn } from "../http/RouteNames.ts"

const CurrentTask = Context.Reference<TaskTree.TaskInfo | undefined>("storefront/CurrentTask", { defaultValue: () => undefined })

const nothing = (): void => {}

/** Gives each task, as it starts, the reference to itself. */
const recorder: TaskTree.Recorder = {
  contextOf: (task, context) => Context.add(context, CurrentTask, task),
  opened: nothing,
  closed: nothing,
  started: nothing,
  ended: nothing,
  cancelled: nothing,
  waiting: nothing,
  resumed: nothing
}

/** Runs an effect whose tasks know where they stand. */
export const record = TaskTree.record(recorder)

export interface Origin {
  /** `main > storefront > background > notify 3`. */
  readonly task?: string
  readonly requestId?: string
}

export const originOf = (fiber: Fiber.Fiber<unknown, unknown>): Origin => {
  const task = fiber.getRef(CurrentTask)
  const answer = answerIn(fiber.context as Context.Context<never>)
  return {
    ...(task === undefined ? {} : { task: pathOf(task) }),
    ...(answer === undefined ? {} : { requestId: answer.requestId })
  }
}

/** The body of a block stands for the block. */
const pathOf = (task: TaskTree.TaskInfo): string => {
  const names: Array<string> = []
  for (let at: TaskTree.TaskInfo | undefined = task; at !== undefined; at = at.block.parent) {
    if (at.kind !== "body") names.push(at.name)
    names.push(at.block.name)
  }
  return names.reverse().join(" > ")
}
