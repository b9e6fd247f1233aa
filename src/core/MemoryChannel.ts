/**
 * Channels: values go from task to task, first come, first served, and each half
 * can be handed out, cloned and closed on its own.
 *
 * Semantics: Trio's `open_memory_channel`. `Queue` of Effect has one handle for
 * both ends, so it cannot say who is gone.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Option from "effect/Option"
import type * as Stream from "effect/Stream"
import * as Errors from "./Errors.ts"
import { ChannelState, ReceiverHandle, type Refusals, SenderHandle } from "./internal/ChannelState.ts"
import { countOf, labelOf } from "./internal/Count.ts"

/**
 * The half of a channel that values go into.
 *
 * @since 0.1.0
 */
export interface Sender<in A> {
  /**
   * Sends a value; waits while the buffer is full. Fails with `Broken` when no
   * receiver is open, and with `Closed` when this sender is closed, also while
   * it waits. When it is cancelled while it waits, the value is not sent.
   */
  send(value: A): Effect.Effect<void, Errors.Broken | Errors.Closed>
  /** Sends a value without waiting: `false` when it would have to wait. */
  trySend(value: A): Effect.Effect<boolean, Errors.Broken | Errors.Closed>
  /** Another sender of the same channel, which is closed by itself. */
  readonly clone: Effect.Effect<Sender<A>, Errors.Closed>
  /** Closes this sender. When all are closed, receivers get what is in the buffer, and then `EndOfChannel`. */
  readonly close: Effect.Effect<void>
  readonly statistics: Statistics
}

/**
 * The half of a channel that values come out of. `E` is what receiving may fail
 * with besides: nothing, except for a `Broadcast.Subscription`.
 *
 * @since 0.1.0
 */
export interface Receiver<out A, out E = never> {
  /**
   * Takes the oldest value; waits while there is none. Fails with `EndOfChannel`
   * when all senders are closed and the buffer is empty, and with `Closed` when
   * this receiver is closed, also while it waits. When it is cancelled while it
   * waits, no value is lost.
   */
  readonly receive: Effect.Effect<A, Errors.EndOfChannel | Errors.Closed | E>
  /** Takes a value without waiting: `None` when it would have to wait. */
  readonly tryReceive: Effect.Effect<Option.Option<A>, Errors.EndOfChannel | Errors.Closed | E>
  /** The values as they come, one at a time. It ends at `EndOfChannel`, and does not close the receiver. */
  readonly stream: Stream.Stream<A, Errors.Closed | E>
  /** Another receiver of the same channel, which is closed by itself. Each value goes to one of them. */
  readonly clone: Effect.Effect<Receiver<A, E>, Errors.Closed>
  /** Closes this receiver. When all are closed, the buffer is dropped and senders get `Broken`. */
  readonly close: Effect.Effect<void>
  readonly statistics: Statistics
}

/**
 * A channel at this moment.
 *
 * @since 0.1.0
 */
export interface Statistics {
  /** Values in the buffer that nobody waits for. */
  readonly used: number
  readonly capacity: number
  /** The largest `used` so far. */
  readonly peak: number
  readonly waitingSenders: number
  readonly waitingReceivers: number
  /** Senders that are open. */
  readonly senders: number
  /** Receivers that are open. */
  readonly receivers: number
}

const refusals: Refusals = {
  closed: (what) => Exit.fail(new Errors.Closed({ what })),
  broken: (what) => Exit.fail(new Errors.Broken({ what })),
  ended: (what) => Exit.fail(new Errors.EndOfChannel({ what }))
}

/**
 * Makes a channel: its sender and its receiver.
 *
 * **When to use**
 *
 * To hand work or results from task to task. For one value use `Deferred`, for
 * many receivers that each get every value use `Broadcast`.
 *
 * **Details**
 *
 * `capacity` values are buffered: 0 hands each value over to a receiver that is
 * there, `Infinity` never makes a sender wait. Anything but an integer from 0 and
 * up or `Infinity` is a defect.
 *
 * Both sides are first come, first served; nobody overtakes. With capacity 0 a
 * waiting receiver runs as soon as a value is sent, otherwise in the next turn of
 * the scheduler.
 *
 * **Gotchas**
 *
 * A sender that nobody closes leaves its receivers waiting for ever: close it
 * with `Effect.ensuring(sender.close)`, each clone too.
 *
 * A sender that is cancelled in the very turn in which a receiver took its value
 * ends cancelled, and the value has been sent.
 *
 * **Example** (A producer and a consumer)
 *
 * ```ts
 * import { Console, Effect, Stream } from "effect"
 * import { MemoryChannel, Nursery } from "effect-nursery"
 *
 * const program = Nursery.open((n) =>
 *   Effect.gen(function*() {
 *     const [sender, receiver] = yield* MemoryChannel.make<number>(8, { name: "orders" })
 *     const produce = Effect.forEach([1, 2, 3], (id) => sender.send(id), { discard: true })
 *     yield* n.startSoon(produce.pipe(Effect.ensuring(sender.close))) // closing ends the loop below
 *     yield* n.startSoon(Stream.runForEach(receiver.stream, (id) => Console.log("order", id)))
 *   })
 * )
 *
 * await Effect.runPromise(program)
 * ```
 *
 * ```text output
 * order 1
 * order 2
 * order 3
 * ```
 *
 * @since 0.1.0
 */
export const make = <A>(
  capacity: number,
  options?: { readonly name?: string }
): Effect.Effect<readonly [Sender<A>, Receiver<A>]> =>
  Effect.sync(() => {
    const label = labelOf("channel", options?.name)
    const state = new ChannelState<A>(refusals, label, options?.name ?? "channel", countOf("capacity", capacity), capacity === 0)
    return [new SenderHandle<A>(state), new ReceiverHandle<A>(state)]
  })
