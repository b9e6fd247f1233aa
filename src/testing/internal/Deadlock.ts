/** A program in which nothing can happen any more, and why. */
import { type Blocked, blockedBelow, circleAmong } from "../../core/internal/WaitGraph.ts"
import * as TaskTree from "../../core/TaskTree.ts"

/**
 * Every task waits, no deadline is left, and nothing happens any more. A defect:
 * the program would hang for ever.
 *
 * The message says who waits for what and, as far as that is known, for whom; if
 * some wait for each other in a circle, it names the circle. The task tree follows.
 *
 * **Example** (A wait that nobody ends)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Event } from "effect-nursery"
 * import { VirtualClock } from "effect-nursery/testing"
 *
 * const program = Effect.flatMap(Event.make(), (event) => event.wait)
 *
 * await VirtualClock.run(program, { deadlockAfter: "10 millis" }).catch((error) => {
 *   console.log(error instanceof VirtualClock.Deadlock)
 * })
 * ```
 *
 * ```text output
 * true
 * ```
 *
 * @since 0.1.0
 */
export class Deadlock extends Error {
  readonly _tag = "Deadlock"
  constructor(explanation: string) {
    super(explanation)
    this.name = "Deadlock"
  }
}

const unique = (names: ReadonlyArray<string>): string => {
  const once = [...new Set(names)]
  return once.length <= 3 ? once.join(", ") : `${once.slice(0, 3).join(", ")} and ${once.length - 3} more`
}

const sentence = ({ holders, member, wait }: Blocked): string => {
  const others = unique(holders.map((holder) => holder.task))
  const how = wait.verb.includes("token") ? "held by" : "up to"
  return `${member.task} is ${wait.label}${others === "" ? "" : `, ${how} ${others}`}`
}

/** What must be said of a program that has come to rest. `outside` are fibers of Effect's own that wait. */
export const explainDeadlock = (outside: ReadonlyArray<string> = []): string => {
  const blocked = blockedBelow()
  const circle = circleAmong(blocked)
  const lines = ["Every task waits, and no deadline is left to wake one."]
  if (circle.length > 0) {
    const names = circle.map(({ member }) => member.task)
    lines.push(
      names.length === 1
        ? `${names[0]} waits for itself:`
        : `${unique(names)} wait for each other: ${[...names, names[0]].join(" → ")}`
    )
    lines.push(...circle.map((blocked) => `  ${sentence(blocked)}`))
  }
  const rest = blocked.filter(({ wait }) => !circle.some((_) => _.wait === wait))
  if (rest.length + outside.length > 0) {
    lines.push(circle.length > 0 ? "Besides:" : "Who waits:")
    lines.push(...rest.slice(0, 20).map((blocked) => `  ${sentence(blocked)}`), ...outside.slice(0, 20).map((line) => `  ${line}`))
    const hidden = Math.max(rest.length - 20, 0) + Math.max(outside.length - 20, 0)
    if (hidden > 0) lines.push(`  … and ${hidden} more`)
  }
  const tree = TaskTree.toText(TaskTree.nowUnsafe())
  if (tree !== "") lines.push("", tree)
  return lines.join("\n")
}
