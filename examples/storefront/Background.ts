/**
 * Work that goes on after the answer: tasks of the application, not of a request. They outlive the client that has asked
 * for them, and are waited for when the application stops. A failure concerns nobody else; it is logged.
 */
import { Cause, Context, Effect, ErrorReporter } from "effect"
import { Nursery } from "effect-nursery"

export class Background extends Context.Service<Background, {
  /** Starts a task with the services of the caller. It fails with nothing: what can go wrong in it is logged. */
  readonly start: <A, E, R>(task: Effect.Effect<A, E, R>, options: { readonly name: string }) => Effect.Effect<void, never, R>
}>()("storefront/Background") {}

/** Opens the nursery of the background for the time of `body`. */
export const open = <A, E, R>(body: (background: Background["Service"]) => Effect.Effect<A, E, R>) =>
  Nursery.supervised(
    (n) => body({ start: (task, { name }) => Effect.asVoid(n.startSoon(Effect.onInterrupt(orDieOfAll(task), () => cutOff(name)), { name })) }),
    (cause, task) => Effect.andThen(Effect.logError(`the background task "${task.name}" has failed`, cause), ErrorReporter.report(cause)),
    { name: "background" }
  )

/** The grace of the program was too short for it: nothing is lost without a word. */
const cutOff = (name: string) => Effect.logWarning(`the background task "${name}" was cut off`)

/** As `Effect.orDie`, which keeps only the first of several failures. */
const orDieOfAll = <A, E, R>(task: Effect.Effect<A, E, R>): Effect.Effect<A, never, R> =>
  Effect.catchCause(task, (cause) =>
    Effect.failCause(Cause.fromReasons(cause.reasons.map((reason) => reason._tag === "Fail" ? Cause.makeDieReason(reason.error) : reason))))
