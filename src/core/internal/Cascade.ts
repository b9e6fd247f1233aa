/**
 * One flat queue for everything that one act sets off.
 *
 * Effect runs fiber observers and interrupts inside the stack of whoever caused
 * them, so a few thousand nested blocks overflow the JavaScript stack when the
 * innermost ends or the outermost is cancelled. Here such steps are queued and
 * run one after the other by the first caller.
 *
 * There are two lanes. Interrupts overtake wake-ups: a token, value or lock that
 * one cancelled task gives up must not be handed to another task that the same
 * act cancels (rule 4 of the conformance corpus), so nobody is woken before
 * everybody below the cancelled scope has been told.
 */
import * as Fiber from "effect/Fiber"
import type * as Scheduler from "effect/Scheduler"

/** A step of a cascade. Blocks and waiters are steps themselves, which saves a closure each. */
export interface Step {
  run(): void
  /** Where the program that it belongs to takes its turns. */
  readonly turns?: Scheduler.SchedulerDispatcher
}

/**
 * How many wake-ups run before the event loop gets a turn. A limiter with
 * 100,000 waiters whose bodies do not suspend would otherwise hand its token
 * through all of them without letting a timer or a socket in.
 */
const wakeUpsPerTurn = 2048

let interrupts: Array<Step> = []
let wakeUps: Array<Step> = []
/** Somebody up the stack runs the queue of wake-ups. */
let running = false
/** Somebody up the stack delivers interrupts. */
let telling = false
let firstError: { readonly error: unknown } | undefined

const attempt = (step: Step): void => {
  try {
    step.run()
  } catch (error) {
    // A step that throws must not stop the others: their tasks would never end.
    firstError ??= { error }
  }
}

const drainInterrupts = (): void => {
  telling = true
  while (interrupts.length > 0) {
    const batch = interrupts
    interrupts = []
    for (let i = 0; i < batch.length; i++) attempt(batch[i]!)
  }
  telling = false
}

const drain = (): void => {
  running = true
  let done = 0
  while (wakeUps.length > 0) {
    const batch = wakeUps
    wakeUps = []
    for (let i = 0; i < batch.length; i++) {
      attempt(batch[i]!)
      if (++done >= wakeUpsPerTurn && i + 1 < batch.length) {
        wakeUps = batch.slice(i + 1).concat(wakeUps)
        return pause()
      }
    }
    if (done >= wakeUpsPerTurn && wakeUps.length > 0) return pause()
  }
  stop()
}

const stop = (): void => {
  running = false
  if (firstError !== undefined) {
    const { error } = firstError
    firstError = undefined
    throw error
  }
}

let paused = false

const goOn = (): void => {
  if (!paused) return
  paused = false
  if (!running) drain()
}

// The rest goes to a dispatcher of the program's own scheduler, so that a virtual
// clock or an exploring scheduler knows of it. That program may be abandoned before
// the turn comes, and the queue belongs to all: then the host's timer takes over.
const pause = (): void => {
  if (!paused) {
    paused = true
    // After a timer no fiber is running: then a step knows whose turn it is.
    const turns = wakeUps.find((step) => step.turns !== undefined)?.turns ?? Fiber.getCurrent()?.currentDispatcher
    turns?.scheduleTask(goOn, 0)
    setTimeout(goOn, 0)
  }
  stop()
}

/**
 * Tells a fiber to stop, before this returns, and before every wake-up that is
 * waiting in the queue. Only an interrupt that sets off another one is flattened.
 */
export const interruptStep = (step: Step): void => {
  interrupts.push(step)
  if (telling) return
  if (running) return drainInterrupts()
  running = true
  drainInterrupts()
  if (paused) stop()
  else drain()
}

/** Resumes a fiber, or ends a block: runs when every interrupt of the cascade has been delivered. */
export const wakeUp = (step: Step): void => {
  // While paused the queue keeps its order: the newcomer waits for its turn.
  if (running || paused) {
    wakeUps.push(step)
    return
  }
  // Mostly it is the only one. Then it needs no queue.
  running = true
  attempt(step)
  drain()
}

/** Runs `f`, and what it sets off only when it has returned. */
export const together = (f: () => void): void => {
  if (running) return f()
  running = true
  try {
    f()
  } finally {
    if (paused) stop()
    else drain()
  }
}

/**
 * Runs `f` as if nothing else were going on: what it sets off is done when it
 * returns, also if somebody up the stack runs a queue. For whoever runs a whole
 * program inside one call.
 */
export const apart = <A>(f: () => A): A => {
  const around = { interrupts, wakeUps, running, telling, firstError, paused }
  interrupts = []
  wakeUps = []
  running = telling = paused = false
  firstError = undefined
  try {
    return f()
  } finally {
    ;({ interrupts, wakeUps, running, telling, firstError, paused } = around)
  }
}
