/**
 * Several failures taken apart: what came out of a nursery in which more than one
 * task failed.
 *
 * Semantics: Python's exception groups and `except*`. Effect's own `catchTag`
 * looks at the first `Fail` of a Cause only, and with a `Die` beside it gives up
 * and turns every `Fail` into a `Die` (measured on effect 4.1.0; see the tests).
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Option from "effect/Option"
import { CancelReason, ReasonKey } from "./internal/CancelReason.ts"
import { draw, type Failed, type Role as DrawnRole } from "./internal/FailureTree.ts"
import { pathOf } from "./internal/Named.ts"

/**
 * One failure of one task.
 *
 * @since 0.1.0
 */
export type Failure<E> =
  & {
    /** The innermost task that it came from; `""` if it never was in a nursery. */
    readonly task: string
  }
  & ({ readonly _tag: "Fail"; readonly error: E } | { readonly _tag: "Die"; readonly defect: unknown })

/**
 * The tags of a union of errors.
 *
 * @since 0.1.0
 */
export type Tags<E> = E extends { readonly _tag: infer T extends string } ? T : never

/**
 * The errors of a union that have a tag.
 *
 * @since 0.1.0
 */
export type Of<E, T> = Extract<E, { readonly _tag: T }>

/**
 * Every failure of a Cause, in order of arrival, with the task that it came from.
 *
 * **Example** (Two tasks failed)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Failures, Nursery } from "effect-nursery"
 *
 * const program = Nursery.open((n) =>
 *   Effect.gen(function*() {
 *     yield* n.startNow(Effect.never.pipe(Effect.onExit(() => Effect.fail("oven still hot"))), { name: "cake" })
 *     yield* n.startSoon(Effect.fail("no milk"), { name: "tea" })
 *   })
 * )
 *
 * const exit = await Effect.runPromiseExit(program)
 * if (exit._tag === "Failure") console.log(Failures.fromCause(exit.cause))
 * ```
 *
 * ```text output
 * [
 *   { task: 'tea', _tag: 'Fail', error: 'no milk' },
 *   { task: 'cake', _tag: 'Fail', error: 'oven still hot' }
 * ]
 * ```
 *
 * @since 0.1.0
 */
export const fromCause = <E>(cause: Cause.Cause<E>): ReadonlyArray<Failure<E>> => {
  const failures: Array<Failure<E>> = []
  for (const reason of cause.reasons) {
    if (reason._tag === "Interrupt") continue
    const task = pathOf(reason).at(-1)?.task ?? ""
    failures.push(reason._tag === "Fail" ? { task, _tag: "Fail", error: reason.error } : { task, _tag: "Die", defect: reason.defect })
  }
  return failures
}

const hasTag = (error: unknown, tag: string): boolean =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === tag

/**
 * Takes the errors of one tag out of a Cause; the rest is what remains, if anything.
 *
 * **Example** (Matched and rest)
 *
 * ```ts
 * import { Cause, Data, Option } from "effect"
 * import { Failures } from "effect-nursery"
 *
 * class NoMilk extends Data.TaggedError("NoMilk")<{}> {}
 *
 * const cause = Cause.fromReasons<NoMilk>([Cause.makeFailReason(new NoMilk()), Cause.makeDieReason("bug")])
 * const [matched, rest] = Failures.split(cause, "NoMilk")
 *
 * console.log(matched.length, Option.map(rest, (cause) => cause.reasons.length))
 * ```
 *
 * ```text output
 * 1 { _id: 'Option', _tag: 'Some', value: 1 }
 * ```
 *
 * @since 0.1.0
 */
export const split = <E, const T extends Tags<E>>(
  cause: Cause.Cause<E>,
  tag: T
): readonly [matched: ReadonlyArray<Of<E, T>>, rest: Option.Option<Cause.Cause<Exclude<E, Of<E, T>>>>] => {
  const matched: Array<Of<E, T>> = []
  const rest: Array<Cause.Reason<Exclude<E, Of<E, T>>>> = []
  for (const reason of cause.reasons) {
    if (reason._tag === "Fail" && hasTag(reason.error, tag)) matched.push(reason.error as Of<E, T>)
    else rest.push(reason as Cause.Reason<Exclude<E, Of<E, T>>>)
  }
  return [matched, rest.length === 0 ? Option.none() : Option.some(Cause.fromReasons(rest))]
}

/**
 * Handles all errors of a tag at once; what else was in the Cause fails on (like
 * `except*`).
 *
 * **Details**
 *
 * The handler runs when at least one error has the tag. Then the other errors,
 * defects and interrupts go on; if the handler fails too, its failures come after
 * them. Only when nothing remains, the handler's value is the result.
 *
 * **Example** (All errors of one tag)
 *
 * ```ts
 * import { Data, Effect } from "effect"
 * import { Failures, Nursery } from "effect-nursery"
 *
 * class Refused extends Data.TaggedError("Refused")<{ readonly host: string }> {}
 * const connect = (host: string) => Effect.fail(new Refused({ host }))
 *
 * const program = Nursery.open((n) =>
 *   Effect.forEach(["a", "b"], (host) => n.startSoon(connect(host))), { onTaskFailure: "continue" }
 * ).pipe(
 *   Failures.catchTag("Refused", (errors) => Effect.succeed(errors.map((error) => error.host)))
 * )
 *
 * console.log(await Effect.runPromise(program))
 * ```
 *
 * ```text output
 * [ 'a', 'b' ]
 * ```
 *
 * @since 0.1.0
 */
export const catchTag: {
  <E, const T extends Tags<E>, B, E2, R2>(
    tag: T,
    f: (errors: readonly [Of<E, T>, ...Array<Of<E, T>>]) => Effect.Effect<B, E2, R2>
  ): <A, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A | B, Exclude<E, Of<E, T>> | E2, R | R2>
  <A, E, R, const T extends Tags<E>, B, E2, R2>(
    self: Effect.Effect<A, E, R>,
    tag: T,
    f: (errors: readonly [Of<E, T>, ...Array<Of<E, T>>]) => Effect.Effect<B, E2, R2>
  ): Effect.Effect<A | B, Exclude<E, Of<E, T>> | E2, R | R2>
} = dual(3, <A, E, R, const T extends Tags<E>, B, E2, R2>(
  self: Effect.Effect<A, E, R>,
  tag: T,
  f: (errors: readonly [Of<E, T>, ...Array<Of<E, T>>]) => Effect.Effect<B, E2, R2>
): Effect.Effect<A | B, Exclude<E, Of<E, T>> | E2, R | R2> =>
  Effect.catchCause(self, (cause): Effect.Effect<B, Exclude<E, Of<E, T>> | E2, R2> => {
    const [matched, rest] = split(cause, tag)
    if (matched.length === 0) return Effect.failCause(cause as Cause.Cause<Exclude<E, Of<E, T>>>)
    const handled = Effect.suspend(() => f(matched as unknown as readonly [Of<E, T>, ...Array<Of<E, T>>]))
    if (Option.isNone(rest)) return handled
    const remaining = rest.value
    // Masked, because the rest must go on also when the handler is cancelled.
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(Effect.exit(restore(handled)), (exit): Effect.Effect<never, Exclude<E, Of<E, T>> | E2> =>
        Effect.failCause(exit._tag === "Success"
          ? remaining
          : Cause.fromReasons<Exclude<E, Of<E, T>> | E2>([...remaining.reasons, ...exit.cause.reasons])))
    )
  }))

/**
 * How {@link pretty} draws.
 *
 * @since 0.1.0
 */
export interface PrettyOptions {
  /**
   * At most so many lines. Equal failures are then drawn once with their number,
   * and of what still does not fit is said how much it is. Default: no limit.
   */
  readonly rows?: number
  /** Lines are broken at so many columns. Default: no limit. */
  readonly columns?: number
  /**
   * Say below each error where it was made and what caused it. Frames of Effect, of
   * this library and of other packages are left out. Default `false`.
   */
  readonly places?: boolean
  /** Files in this folder are named by their path from there. */
  readonly folder?: string
  /** Makes a piece of text bold, red or whatever goes with what it is. */
  readonly style?: (role: Role, text: string) => string
}

/**
 * What a piece of what {@link pretty} draws is.
 *
 * @since 0.1.0
 */
export type Role = DrawnRole

const plain = (_role: Role, text: string): string => text

/** Reads a limit. */
const limitOf = (what: string, value: number | undefined): number => {
  if (value === undefined) return Infinity
  if (typeof value === "number" && value >= 1) return Math.floor(value)
  throw new RangeError(`Expected \`${what}\` to be a number from 1 and up, got \`${String(value)}\` (${typeof value})`)
}

/**
 * A Cause as a tree of the nurseries and tasks that its failures came through.
 *
 * **Example** (Which task of which nursery)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Failures, Nursery } from "effect-nursery"
 *
 * const program = Nursery.open(
 *   (n) =>
 *     Effect.gen(function*() {
 *       yield* n.startSoon(Effect.fail("no milk"), { name: "tea" })
 *       yield* n.startSoon(Effect.die("oven on fire"), { name: "cake" })
 *     }),
 *   { name: "breakfast", onTaskFailure: "continue" }
 * )
 *
 * const exit = await Effect.runPromiseExit(program)
 * if (exit._tag === "Failure") console.log(Failures.pretty(exit.cause))
 * ```
 *
 * ```text output
 * 2 failures
 * └─ breakfast
 *    ├─ tea
 *    │  └─ no milk
 *    └─ cake
 *       └─ oven on fire (defect)
 * ```
 *
 * @since 0.1.0
 */
export const pretty = (cause: Cause.Cause<unknown>, options?: PrettyOptions): string => {
  const failures: Array<Failed> = []
  let cancelled: string | undefined
  for (const reason of cause.reasons) {
    if (reason._tag === "Interrupt") {
      const why = reason.annotations.get(ReasonKey.key)
      cancelled ??= why instanceof CancelReason ? why.toString() : "cancelled"
    } else failures.push(reason)
  }
  if (failures.length === 0) return cancelled ?? "no failures"
  return draw(failures, cancelled, {
    rows: limitOf("rows", options?.rows),
    columns: limitOf("columns", options?.columns),
    places: options?.places === true,
    folder: options?.folder,
    style: options?.style ?? plain
  })
}
