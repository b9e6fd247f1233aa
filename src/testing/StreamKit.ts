/**
 * Whether a stream keeps the rules that every stream must keep. Whoever writes one
 * runs these checks on it, and a program that was written for one stream then runs
 * over that one too.
 *
 * Semantics: Trio's `check_one_way_stream`, `check_two_way_stream` and
 * `check_half_closeable_stream`.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Timeout from "../core/Timeout.ts"
import type { ByteStream } from "../net/ByteStream.ts"
import { halfCloseable, oneWay, type ReceivingEnd, type Rule, type SendingEnd, twoWay, Violation, wordsOf } from "./internal/StreamRules.ts"

export type {
  /**
   * The end of a one-way stream that bytes come out of.
   *
   * @since 0.1.0
   */
  ReceivingEnd,
  /**
   * The end of a one-way stream that bytes go into.
   *
   * @since 0.1.0
   */
  SendingEnd
}

/**
 * A rule that a stream has broken.
 *
 * @since 0.1.0
 */
export interface BrokenRule {
  /** The name of the rule, such as `back-pressure`. */
  readonly rule: string
  /** What it demands. */
  readonly says: string
  /** What the stream did instead. */
  readonly why: string
  /** Of the two ends, which was the sender: the first of the pair, or with `"backward"` the second. */
  readonly direction: "forward" | "backward"
}

/**
 * A stream does not keep the rules.
 *
 * **Example** (A stream that swallows the end)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { MemoryStream, StreamKit, VirtualClock } from "effect-nursery/testing"
 *
 * const makePair = Effect.map(MemoryStream.pair(), ([left, right]) => {
 *   const sender: StreamKit.SendingEnd = { send: (data) => left.send(data), close: Effect.void, abort: left.abort }
 *   return [sender, right] as const
 * })
 *
 * await VirtualClock.run(StreamKit.checkOneWay(makePair)).catch((error) => {
 *   console.log(error instanceof StreamKit.NotConforming)
 *   console.log(error.message.split("\n").slice(0, 3).join("\n"))
 * })
 * ```
 *
 * ```text output
 * true
 * The stream breaks 8 rules:
 * - receiveExactly: it was not done after 10s
 *   receiveExactly gives so many bytes, however they came, and leaves the rest; the end before the first is a value, in the middle it is Broken.
 * ```
 *
 * @since 0.1.0
 */
export class NotConforming extends Data.TaggedError("NotConforming")<{
  readonly broken: ReadonlyArray<BrokenRule>
}> {
  override get message(): string {
    const { broken } = this
    const lines = broken.map(({ direction, rule, says, why }) =>
      `- ${rule}${direction === "backward" ? " (from the second to the first)" : ""}: ${why}\n  ${says}`
    )
    return [`The stream breaks ${broken.length === 1 ? "a rule" : `${broken.length} rules`}:`, ...lines].join("\n")
  }
}

/**
 * How a stream is checked.
 *
 * @since 0.1.0
 */
export interface Options<in out P, in out E = never, in out R = never> {
  /**
   * Makes a pair whose first end has to wait when it sends, until the second one
   * receives. By default, bytes are sent over a usual pair until it waits.
   */
  readonly clogged?: Effect.Effect<P, E, R>
  /** A stream that takes so many bytes that nobody receives has no back-pressure. Default: 67,108,864. */
  readonly maxUnread?: number
  /** How long a check may take; a stream that waits where it must not is found out by this. Default: 10 seconds. */
  readonly limit?: Duration.Input
}

/**
 * A rule, and the smallest check that has it.
 *
 * @since 0.1.0
 */
export interface RuleInfo {
  readonly rule: string
  readonly says: string
  readonly since: "checkOneWay" | "checkTwoWay" | "checkHalfCloseable"
}

const infoOf = (since: RuleInfo["since"]) => ({ name, says }: Rule<never, never>): RuleInfo => ({ rule: name, says, since })

/**
 * All rules, in the order in which they are tried.
 *
 * **Example** (What the checks demand)
 *
 * ```ts
 * import { StreamKit } from "effect-nursery/testing"
 *
 * const { rule, says } = StreamKit.rules[0]!
 * console.log(`${rule}: ${says}`)
 * ```
 *
 * ```text output
 * bytes arrive: What is sent is received: all of it, in order, and nothing else.
 * ```
 *
 * @since 0.1.0
 */
export const rules: ReadonlyArray<RuleInfo> = [
  ...oneWay.map(infoOf("checkOneWay")),
  ...twoWay.map(infoOf("checkTwoWay")),
  ...halfCloseable.map(infoOf("checkHalfCloseable"))
]

type Pair<S, R> = readonly [S, R]

const filling = new Uint8Array(65_536).fill(46)
const mostUnread = 2 ** 26

/** Sends until the sender waits, and goes on waiting; whether it does. */
const clogs = (sender: SendingEnd, most: number): Effect.Effect<boolean, unknown> =>
  Effect.gen(function*() {
    let waits = 0
    for (let sent = 0; sent < most; sent += filling.length) {
      const ended = yield* Timeout.moveOnAfter(sender.send(filling), "100 millis")
      waits = Option.isNone(ended) ? waits + 1 : 0
      if (waits === 2) return true
    }
    return false
  })

const run = <S extends SendingEnd, T extends ReceivingEnd, E, R>(
  rules: ReadonlyArray<Rule<S, T>>,
  makePair: Effect.Effect<Pair<S, T>, E, R>,
  direction: BrokenRule["direction"],
  options: Options<Pair<S, T>, E, R> | undefined
): Effect.Effect<Array<BrokenRule>, E, Exclude<R, Scope.Scope>> => {
  const limit = options?.limit ?? "10 seconds"
  const checked = (rule: Rule<S, T>) =>
    Effect.scoped(Effect.gen(function*() {
      const ready = rule.clogged === true && options?.clogged !== undefined
      const [sender, receiver] = yield* ready ? options.clogged! : makePair
      const mustClog = rule.clogged === true && !ready
      const check = Effect.gen(function*() {
        const most = options?.maxUnread ?? mostUnread
        if (!mustClog || (yield* clogs(sender, most))) yield* rule.check(sender, receiver)
        // The others cannot be tried without.
        else if (rule.name === "back-pressure") yield* new Violation({ why: `it took ${most} bytes that nobody receives` })
      })
      const within = Effect.exit(Timeout.moveOnAfter(check, limit, { name: rule.name }))
      const exit = yield* Effect.ensuring(within, Effect.andThen(sender.abort, receiver.abort))
      return whyOf(exit, limit)
    }))
  return Effect.gen(function*() {
    const broken: Array<BrokenRule> = []
    for (const rule of rules) {
      const why = yield* checked(rule)
      if (why !== undefined) broken.push({ rule: rule.name, says: rule.says, why, direction })
    }
    return broken
  })
}

const whyOf = (exit: Exit.Exit<Option.Option<unknown>, unknown>, limit: Duration.Input): string | undefined => {
  if (Exit.isSuccess(exit)) {
    return Option.isSome(exit.value) ? undefined : `it was not done after ${Duration.format(Duration.fromInputUnsafe(limit))}`
  }
  const violations = exit.cause.reasons.filter(Cause.isFailReason).map((reason) => reason.error).filter((error) => error instanceof Violation)
  return violations.length > 0 ? violations.map((violation) => violation.why).join("; ") : `it ended with ${wordsOf(exit.cause)}`
}

const conforming = (broken: ReadonlyArray<BrokenRule>): Effect.Effect<void, NotConforming> =>
  broken.length === 0 ? Effect.void : Effect.fail(new NotConforming({ broken }))

/**
 * Checks a stream in one direction: the first of a pair sends, the second receives.
 *
 * **Details**
 *
 * Each rule gets a pair of its own, in a scope of its own, and both ends are
 * aborted afterwards. All rules are tried, and those that are broken are told
 * together. The checks run in real or virtual time, and under exploration (with
 * `busyHost: false`, because they have time limits).
 *
 * **Example** (A pipe in memory)
 *
 * ```ts
 * import { MemoryStream, StreamKit, VirtualClock } from "effect-nursery/testing"
 *
 * await VirtualClock.run(StreamKit.checkOneWay(MemoryStream.pair()))
 * console.log("it keeps the rules")
 * ```
 *
 * ```text output
 * it keeps the rules
 * ```
 *
 * @since 0.1.0
 */
export const checkOneWay = <E, R>(
  makePair: Effect.Effect<readonly [SendingEnd, ReceivingEnd], E, R>,
  options?: Options<readonly [SendingEnd, ReceivingEnd], E, R>
): Effect.Effect<void, E | NotConforming, Exclude<R, Scope.Scope>> =>
  Effect.flatMap(run(oneWay, makePair, "forward", options), conforming)

const flipped = <E, R>(makePair: Effect.Effect<readonly [ByteStream, ByteStream], E, R>) =>
  Effect.map(makePair, ([first, second]) => [second, first] as const)

const bothWays = <E, R>(
  rules: ReadonlyArray<Rule<ByteStream, ByteStream>>,
  makePair: Effect.Effect<readonly [ByteStream, ByteStream], E, R>,
  options: Options<readonly [ByteStream, ByteStream], E, R> | undefined
) =>
  Effect.gen(function*() {
    const forward = yield* run(rules, makePair, "forward", options)
    const { clogged, ...others } = options ?? {}
    const backward = yield* run(rules, flipped(makePair), "backward", clogged === undefined ? others : { ...others, clogged: flipped(clogged) })
    yield* conforming([...forward, ...backward])
  })

/**
 * Checks a stream in both directions: all rules of `checkOneWay` there and back,
 * and those about the two directions together.
 *
 * **Example** (A stream that buffers nothing)
 *
 * ```ts
 * import { MemoryStream, StreamKit, VirtualClock } from "effect-nursery/testing"
 *
 * await VirtualClock.run(StreamKit.checkTwoWay(MemoryStream.lockstepPair()))
 * console.log("it keeps the rules")
 * ```
 *
 * ```text output
 * it keeps the rules
 * ```
 *
 * @since 0.1.0
 */
export const checkTwoWay = <E, R>(
  makePair: Effect.Effect<readonly [ByteStream, ByteStream], E, R>,
  options?: Options<readonly [ByteStream, ByteStream], E, R>
): Effect.Effect<void, E | NotConforming, Exclude<R, Scope.Scope>> => bothWays([...oneWay, ...twoWay], makePair, options)

/**
 * Checks a stream that can be half-closed, as every `ByteStream` can: all rules of
 * `checkTwoWay`, and those about `sendEof`.
 *
 * **Example** (Streams that cut what is sent in pieces)
 *
 * ```ts
 * import { MemoryStream, StreamKit, VirtualClock } from "effect-nursery/testing"
 *
 * await VirtualClock.run(StreamKit.checkHalfCloseable(MemoryStream.pair({ maxChunkBytes: 100 })))
 * console.log("it keeps the rules")
 * ```
 *
 * ```text output
 * it keeps the rules
 * ```
 *
 * @since 0.1.0
 */
export const checkHalfCloseable = <E, R>(
  makePair: Effect.Effect<readonly [ByteStream, ByteStream], E, R>,
  options?: Options<readonly [ByteStream, ByteStream], E, R>
): Effect.Effect<void, E | NotConforming, Exclude<R, Scope.Scope>> =>
  bothWays([...oneWay, ...twoWay, ...halfCloseable], makePair, options)
