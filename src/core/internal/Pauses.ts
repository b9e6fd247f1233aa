/**
 * Effect lets other fibers run after some 2,000 operations, also between an
 * operation and the use of its result, and a fiber that is cancelled there loses
 * the result. So whoever hands out something that must not be lost asks first, and
 * takes the pause before, never after.
 */
import type * as Fiber from "effect/Fiber"

type AnyFiber = Fiber.Fiber<any, any>

let asked: ((fiber: AnyFiber) => boolean) | undefined

/** Whether the scheduler makes the fiber pause before it has the result of the operation that it is in. */
export const isAboutToPause = (fiber: AnyFiber): boolean =>
  asked === undefined ? fiber.currentOpCount + 1 >= fiber.cache.maxOpsBeforeYield && !fiber.cache.preventYield : asked(fiber)

/** Runs `f`, with a scheduler of its own rules that answers instead. */
export const answeredBy = <A>(answer: (fiber: AnyFiber) => boolean, f: () => A): A => {
  const around = asked
  asked = answer
  try {
    return f()
  } finally {
    asked = around
  }
}
