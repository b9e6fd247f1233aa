/**
 * The errors of this library, kept apart by who caused them.
 *
 * | error | meaning |
 * | --- | --- |
 * | {@link Closed} | you, or a task beside you, closed this half |
 * | {@link Broken} | the other side is gone |
 * | {@link EndOfChannel} | no more values will come; not a failure of anything |
 * | {@link Busy} | two users at once of something that serves one |
 * | {@link TooSlow} | a deadline passed |
 * | {@link TooLong} | the peer sent more than was allowed |
 * | {@link NurseryClosed}, {@link NotStarted}, {@link AlreadyStarted} | a bug in the program: thrown as defects |
 */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"

/**
 * A block did not end before its deadline.
 *
 * Raised by {@link Timeout.failAfter} and {@link Timeout.failAt}, after the body
 * has been cancelled and its cleanup has run.
 *
 * **Example** (Which limit, and how long)
 *
 * ```ts
 * import { Duration, Effect } from "effect"
 * import { Timeout } from "effect-nursery"
 *
 * const program = Effect.never.pipe(
 *   Timeout.failAfter("5 millis", { name: "login" }),
 *   Effect.catchTag("TooSlow", (error) => Effect.succeed(`${error.scope}: ${Duration.format(error.after)}`))
 * )
 *
 * console.log(await Effect.runPromise(program))
 * ```
 *
 * ```text output
 * login: 5ms
 * ```
 *
 * @since 0.1.0
 */
export class TooSlow extends Data.TaggedError("TooSlow")<{
  /** The name of the time limit. */
  readonly scope: string
  /** The limit. */
  readonly after: Duration.Duration
}> {
  override get message(): string {
    return `${this.scope} took longer than ${Duration.format(this.after)}`
  }
}

/**
 * This half was closed by its own user, so it cannot be used any more.
 *
 * It is *not* raised because the other side closed: that is {@link Broken} for a
 * sender and {@link EndOfChannel} for a receiver.
 *
 * **Example** (Sending after the close)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { MemoryChannel } from "effect-nursery"
 *
 * const program = Effect.gen(function*() {
 *   const [sender] = yield* MemoryChannel.make<number>(1, { name: "orders" })
 *   yield* sender.close
 *   return yield* sender.send(1)
 * }).pipe(Effect.catchTag("Closed", (error) => Effect.succeed(error.message)))
 *
 * console.log(await Effect.runPromise(program))
 * ```
 *
 * ```text output
 * sender of channel orders was closed by its user; open or clone another one before you go on
 * ```
 *
 * @since 0.1.0
 */
export class Closed extends Data.TaggedError("Closed")<{
  /** What was closed, such as `sender of channel orders`. */
  readonly what: string
}> {
  override get message(): string {
    return `${this.what} was closed by its user; open or clone another one before you go on`
  }
}

/**
 * The other side is gone: nobody can receive any more, or a peer or network failed.
 *
 * **Example** (Nobody receives any more)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { MemoryChannel } from "effect-nursery"
 *
 * const program = Effect.gen(function*() {
 *   const [sender, receiver] = yield* MemoryChannel.make<number>(1, { name: "orders" })
 *   yield* receiver.close
 *   return yield* sender.send(1)
 * }).pipe(Effect.catchTag("Broken", (error) => Effect.succeed(error.message)))
 *
 * console.log(await Effect.runPromise(program))
 * ```
 *
 * ```text output
 * channel orders is broken: the other side is gone
 * ```
 *
 * @since 0.1.0
 */
export class Broken extends Data.TaggedError("Broken")<{
  /** What broke. */
  readonly what: string
  /** What the world said, if it said something. */
  readonly cause?: unknown
}> {
  override get message(): string {
    return `${this.what} is broken: ${this.cause instanceof Error ? this.cause.message : "the other side is gone"}`
  }
}

/**
 * Somebody already uses what serves one user at a time.
 *
 * A borrower that asks a limiter for a second token is told so, because waiting
 * for itself would never end.
 *
 * **Example** (A second token for one borrower)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { CapacityLimiter } from "effect-nursery"
 *
 * const program = Effect.gen(function*() {
 *   const limiter = yield* CapacityLimiter.make(2, { name: "database" })
 *   yield* limiter.acquireFor("Ada")
 *   yield* limiter.acquireFor("Ada")
 * }).pipe(Effect.scoped, Effect.catchTag("Busy", (error) => Effect.succeed(error.message)))
 *
 * console.log(await Effect.runPromise(program))
 * ```
 *
 * ```text output
 * a token of limiter database is in use by Ada
 * ```
 *
 * @since 0.1.0
 */
export class Busy extends Data.TaggedError("Busy")<{
  /** What is in use. */
  readonly what: string
  /** Who uses it. */
  readonly holder: string
}> {
  override get message(): string {
    return `${this.what} is in use by ${this.holder}`
  }
}

/**
 * Something that came in is longer than the limit that was set for it, so it was
 * not taken.
 *
 * It is found out before much more than the limit is held in memory. The stream
 * that it came from is as it was; mostly the sensible thing is to close it.
 *
 * **Example** (A line that never ends)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { MemoryStream } from "effect-nursery/testing"
 *
 * const program = Effect.gen(function*() {
 *   const [peer, stream] = yield* MemoryStream.pair({ name: "chat" })
 *   yield* peer.send("x".repeat(100))
 *   return yield* stream.receiveUntil("\n", { maxBytes: 10 })
 * })
 *
 * console.log((await Effect.runPromise(Effect.flip(program))).message)
 * ```
 *
 * ```text output
 * what comes from memory chat is longer than the limit of 10; raise the limit or refuse the peer
 * ```
 *
 * @since 0.1.0
 */
export class TooLong extends Data.TaggedError("TooLong")<{
  /** What is too long, such as `a line from tcp 127.0.0.1:5000`. */
  readonly what: string
  /** The limit, in bytes unless `what` says otherwise. */
  readonly limit: number
}> {
  override get message(): string {
    return `${this.what} is longer than the limit of ${this.limit}; raise the limit or refuse the peer`
  }
}

/**
 * Every sender is closed and every value has been received.
 *
 * **Example** (The last value was received)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { MemoryChannel } from "effect-nursery"
 *
 * const program = Effect.gen(function*() {
 *   const [sender, receiver] = yield* MemoryChannel.make<number>(1, { name: "orders" })
 *   yield* sender.close
 *   return yield* receiver.receive
 * }).pipe(Effect.catchTag("EndOfChannel", (error) => Effect.succeed(error.message)))
 *
 * console.log(await Effect.runPromise(program))
 * ```
 *
 * ```text output
 * channel orders has ended: all its senders are closed
 * ```
 *
 * @since 0.1.0
 */
export class EndOfChannel extends Data.TaggedError("EndOfChannel")<{
  /** The channel. */
  readonly what: string
}> {
  override get message(): string {
    return `${this.what} has ended: all its senders are closed`
  }
}

/**
 * A task was started into a nursery that has ended. A defect: the handle was
 * used outside of its block.
 *
 * **Example** (A handle that outlived its block)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Nursery } from "effect-nursery"
 *
 * const program = Effect.gen(function*() {
 *   const gone = yield* Nursery.open((n) => Effect.succeed(n), { name: "chat" })
 *   yield* gone.startSoon(Effect.void, { name: "greeting" })
 * })
 *
 * await Effect.runPromise(program).catch((error) => console.log(error.message))
 * ```
 *
 * ```text output
 * Cannot start greeting in chat: the block has ended. Start it before the block's body and tasks end, or use a nursery that lives longer
 * ```
 *
 * @since 0.1.0
 */
export class NurseryClosed extends Data.TaggedError("NurseryClosed")<{
  /** The nursery. */
  readonly nursery: string
  /** The task that was to start. */
  readonly task: string
}> {
  override get message(): string {
    return `Cannot start ${this.task} in ${this.nursery}: the block has ended. ` +
      "Start it before the block's body and tasks end, or use a nursery that lives longer"
  }
}

/**
 * A task begun by `start` ended well without ever calling `started`. A defect:
 * its caller waits for a value that nobody sent.
 *
 * **Example** (A server that gave up in silence)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Nursery } from "effect-nursery"
 *
 * const server = (_started: (port: number) => Effect.Effect<void>) => Effect.void
 * const program = Nursery.open((n) => n.start(server))
 *
 * await Effect.runPromise(program).catch((error) => console.log(error.message))
 * ```
 *
 * ```text output
 * server ended without calling `started`; call `yield* started(value)` when it is ready, or begin it with `startSoon`
 * ```
 *
 * @since 0.1.0
 */
export class NotStarted extends Data.TaggedError("NotStarted")<{
  /** The task. */
  readonly task: string
}> {
  override get message(): string {
    return `${this.task} ended without calling \`started\`; call \`yield* started(value)\` when it is ready, ` +
      "or begin it with `startSoon`"
  }
}

/**
 * A task begun by `start` called `started` twice. A defect in that task: its
 * caller has gone on with the first value.
 *
 * **Example** (Ready twice)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Nursery } from "effect-nursery"
 *
 * const server = (started: (port: number) => Effect.Effect<void>) => Effect.andThen(started(1), started(2))
 * const program = Nursery.open((n) => n.start(server))
 *
 * await Effect.runPromise(program).catch((error) => console.log(error.message))
 * ```
 *
 * ```text output
 * server called `started` a second time; report readiness once
 * ```
 *
 * @since 0.1.0
 */
export class AlreadyStarted extends Data.TaggedError("AlreadyStarted")<{
  /** The task. */
  readonly task: string
}> {
  override get message(): string {
    return `${this.task} called \`started\` a second time; report readiness once`
  }
}
