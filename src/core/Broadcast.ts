/**
 * One sender, many receivers: each subscriber gets every value that is published
 * while it is subscribed, through a buffer of its own with a rule for when it is
 * full.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Errors from "./Errors.ts"
import type { AnyEffect, AnyFiber } from "./internal/Block.ts"
import { together } from "./internal/Cascade.ts"
import { ChannelState, ReceiverHandle, type Refusals } from "./internal/ChannelState.ts"
import { countOf, labelOf } from "./internal/Count.ts"
import { isAboutToPause } from "./internal/Pauses.ts"
import { Wait, WaitQueue } from "./internal/Wait.ts"
import type { Receiver } from "./MemoryChannel.ts"

/**
 * What to do with a value for a subscriber whose buffer is full.
 *
 * | rule | the value | the publisher |
 * | --- | --- | --- |
 * | `"wait"` | is delivered when there is room | waits |
 * | `"dropOldest"` | takes the place of the oldest one | goes on |
 * | `"dropNewest"` | is not delivered | goes on |
 * | `"disconnect"` | is not delivered, and no later one | goes on |
 *
 * @since 0.1.0
 */
export type WhenFull = "wait" | "dropOldest" | "dropNewest" | "disconnect"

/**
 * How a subscriber receives. Given to {@link make} they are the defaults of all
 * subscribers.
 *
 * @since 0.1.0
 */
export interface SubscribeOptions {
  /** Size of the buffer: an integer from 0 and up or `Infinity`; with 0 only a receiver that waits gets a value. Default: 16. */
  readonly capacity?: number
  /** Default: `"wait"`, which loses nothing and lets one slow subscriber hold up all. */
  readonly whenFull?: WhenFull
  /** The name in the task tree and in errors. A subscriber has the broadcast's by default. */
  readonly name?: string
}

/**
 * One subscriber's receiver. After a `"disconnect"` it gets what is in its
 * buffer, and then `Broken`.
 *
 * @since 0.1.0
 */
export interface Subscription<out A> extends Receiver<A, Errors.Broken> {
  /** How many values were not delivered because the buffer was full. */
  readonly missed: number
}

/**
 * Where values are published.
 *
 * @since 0.1.0
 */
export interface Broadcast<in out A> {
  /**
   * Delivers a value to all subscribers in one step. Waits until every
   * subscriber with the rule `"wait"` has room; publishers are first come, first
   * served. So all subscribers see the same order, and a publisher that is
   * cancelled while it waits has delivered the value to nobody.
   */
  publish(value: A): Effect.Effect<void, Errors.Closed>
  /** Receives all values that are published from now on, until the Scope closes. */
  subscribe(options?: SubscribeOptions): Effect.Effect<Subscription<A>, Errors.Closed, Scope.Scope>
  /** Closes it: subscribers get what is in their buffers, and then `EndOfChannel`; publishers get `Closed`. */
  readonly close: Effect.Effect<void>
  /** How many are subscribed. */
  readonly size: number
}

const refusals: Refusals = {
  closed: (what) => Exit.fail(new Errors.Closed({ what })),
  broken: (what) => Exit.fail(new Errors.Broken({ what })),
  ended: (what) => Exit.fail(new Errors.EndOfChannel({ what }))
}

const rules: ReadonlyArray<WhenFull> = ["wait", "dropOldest", "dropNewest", "disconnect"]

interface Settings {
  readonly name: string | undefined
  readonly capacity: number
  readonly whenFull: WhenFull
}

const settingsOf = (options: SubscribeOptions | undefined, defaults: Settings): Settings => {
  const whenFull = options?.whenFull ?? defaults.whenFull
  if (!rules.includes(whenFull)) {
    const expected = rules.map((rule) => `"${rule}"`).join(", ")
    throw new RangeError(`Expected \`whenFull\` to be one of ${expected}, got \`${String(whenFull)}\` (${typeof whenFull})`)
  }
  return {
    name: options?.name ?? defaults.name,
    capacity: countOf("capacity", options?.capacity ?? defaults.capacity),
    whenFull
  }
}

/** The buffer of one subscriber. */
class Subscriber<A> extends ChannelState<A> {
  missed = 0
  /** It keeps publishers waiting. */
  full = false
  private readonly broadcast: Handle<A>
  private readonly whenFull: WhenFull

  constructor(broadcast: Handle<A>, { capacity, name, whenFull }: Settings) {
    super(refusals, labelOf("broadcast", name), name ?? "broadcast", capacity, false)
    this.broadcast = broadcast
    this.whenFull = whenFull
    this.moved()
  }

  /** Takes in a value. If its rule is to wait, there is room. */
  offer(value: A): void {
    if (this.hasRoom) {
      this.put(value)
      this.moved()
      return
    }
    this.missed++
    if (this.whenFull === "disconnect") {
      this.broadcast.remove(this)
      this.end(refusals.broken(this.label))
    } else if (this.whenFull === "dropOldest" && this.buffer.length > this.receivers.length) {
      // What is promised to waiting receivers is delivered already.
      this.buffer.take(this.receivers.length)
      this.put(value)
    }
  }

  override moved(): void {
    const full = this.whenFull === "wait" && this.openReceivers > 0 && !this.hasRoom
    if (full === this.full) return
    this.full = full
    this.broadcast.filled(full)
  }

  override receiverLeft(): void {
    super.receiverLeft()
    this.moved()
  }

  override abandoned(): void {
    super.abandoned()
    this.moved()
    this.broadcast.remove(this)
  }
}

class SubscriptionHandle<out A> extends ReceiverHandle<A> implements Subscription<A> {
  private readonly subscriber: Subscriber<any>

  constructor(subscriber: Subscriber<any>) {
    super(subscriber)
    this.subscriber = subscriber
  }

  get missed(): number {
    return this.subscriber.missed
  }

  protected override another(): ReceiverHandle<A> {
    return new SubscriptionHandle<A>(this.subscriber)
  }

  protected override get kind(): string {
    return "Subscription"
  }
}

class Handle<in out A> implements Broadcast<A> {
  readonly label: string
  private readonly settings: Settings
  private readonly subscribers = new Set<Subscriber<any>>()
  private readonly publishers = new WaitQueue()
  /** How many subscribers keep publishers waiting. Counted, so that nobody has to ask all of them at each value. */
  private full = 0
  private closed = false
  private inTurn = false

  constructor(settings: Settings) {
    this.settings = settings
    this.label = labelOf("broadcast", settings.name)
  }

  get size(): number {
    return this.subscribers.size
  }

  private get refusal(): Exit.Exit<never, Errors.Closed> {
    return Exit.fail(new Errors.Closed({ what: this.label }))
  }

  private get hasRoom(): boolean {
    return this.full === 0 && this.publishers.length === 0
  }

  publish(value: A): Effect.Effect<void, Errors.Closed> {
    return Effect.withFiber((fiber) => this.publishIn(fiber, value))
  }

  private publishIn(fiber: AnyFiber | undefined, value: A): Effect.Effect<void, Errors.Closed> {
    if (this.closed) return this.refusal
    if (!this.hasRoom) return this.waitWith(value)
    if (fiber !== undefined && isAboutToPause(fiber)) return Effect.flatMap(Effect.yieldNow, () => this.publishIn(undefined, value))
    this.deliver(value)
    return Exit.void
  }

  private waitWith(value: A): Effect.Effect<void, Errors.Closed> {
    return Effect.callback((resume) => {
      // Asked again: a scheduler may have let others run since.
      if (this.closed || this.hasRoom) {
        resume(this.publishIn(Fiber.getCurrent(), value))
        return undefined
      }
      const wait = new Wait("publishing to", this, value, resume as (effect: AnyEffect) => void)
      this.publishers.push(wait)
      return wait.leave
    })
  }

  // Runs nobody else's code: receivers that wait go on in the next turn. So no
  // subscriber can come, go or cancel between the first and the last delivery.
  private deliver(value: A): void {
    for (const subscriber of this.subscribers) subscriber.offer(value)
  }

  /** A subscriber has begun or ceased to keep publishers waiting. */
  filled(full: boolean): void {
    this.full += full ? 1 : -1
    if (this.full === 0) this.letPublish()
  }

  private letPublish(): void {
    const first = this.publishers.first
    if (first === undefined || this.inTurn) return
    this.inTurn = true
    const fiber = Fiber.getCurrent() ?? first.fiber
    fiber.currentDispatcher.scheduleTask(this.turn, 0)
  }

  private readonly turn = (): void => {
    this.inTurn = false
    for (let most = this.publishers.length; most > 0 && this.full === 0; most--) {
      const wait = this.publishers.first
      if (wait === undefined) return
      // Delivered in the step that lets the publisher go on: a cancelled one has delivered nothing.
      this.publishers.remove(wait)
      this.deliver(wait.brought as A)
      wait.resumeNow(Exit.void)
    }
    if (this.full === 0) this.letPublish()
  }

  subscribe(options?: SubscribeOptions): Effect.Effect<Subscription<A>, Errors.Closed, Scope.Scope> {
    const subscribed = Effect.suspend((): Effect.Effect<SubscriptionHandle<A>, Errors.Closed> => {
      if (this.closed) return this.refusal
      const subscriber = new Subscriber<A>(this, settingsOf(options, this.settings))
      this.subscribers.add(subscriber)
      return Exit.succeed(new SubscriptionHandle<A>(subscriber))
    })
    return Effect.acquireRelease(subscribed, (handle) => Effect.sync(() => handle.closeAll()))
  }

  remove(subscriber: Subscriber<A>): void {
    this.subscribers.delete(subscriber)
  }

  get close(): Effect.Effect<void> {
    return Effect.sync(() => {
      if (this.closed) return
      this.closed = true
      const subscribers = [...this.subscribers]
      this.subscribers.clear()
      together(() => {
        this.publishers.wakeAll(this.refusal)
        for (const subscriber of subscribers) subscriber.end(refusals.ended(subscriber.label))
      })
    })
  }

  toString(): string {
    return `Broadcast(${this.settings.name ?? "broadcast"}, ${this.closed ? "closed" : "open"}, ${this.size} subscribers)`
  }

  toJSON(): unknown {
    return {
      _id: "Broadcast",
      name: this.settings.name ?? "broadcast",
      state: this.closed ? "closed" : "open",
      size: this.size,
      waitingPublishers: this.publishers.length
    }
  }
}

/**
 * Makes a broadcast without subscribers. What is published while nobody is
 * subscribed is gone. An option that makes no sense is a defect.
 *
 * **When to use**
 *
 * For news that several tasks want in full. If the latest value is enough, use
 * `Watch`; if each value is for one of the receivers, `MemoryChannel`.
 *
 * **Example** (Two displays)
 *
 * ```ts
 * import { Console, Effect, Stream } from "effect"
 * import { Broadcast, Nursery } from "effect-nursery"
 *
 * const program = Nursery.open((n) =>
 *   Effect.gen(function*() {
 *     const prices = yield* Broadcast.make<number>({ capacity: 2, whenFull: "dropOldest" })
 *     const display = (name: string) =>
 *       Effect.scoped(Effect.gen(function*() {
 *         const mine = yield* prices.subscribe()
 *         yield* Stream.runForEach(mine.stream, (price) => Console.log(name, price))
 *         yield* Console.log(name, "missed", mine.missed)
 *       }))
 *     yield* n.startNow(display("left")) // startNow: subscribed before the first publish
 *     yield* n.startNow(display("right"))
 *     for (const price of [42, 43, 44, 45]) yield* prices.publish(price)
 *     yield* prices.close
 *   })
 * )
 *
 * await Effect.runPromise(program)
 * ```
 *
 * ```text output
 * left 42
 * left 44
 * left 45
 * left missed 1
 * right 42
 * right 44
 * right 45
 * right missed 1
 * ```
 *
 * @since 0.1.0
 */
export const make = <A>(options?: SubscribeOptions): Effect.Effect<Broadcast<A>> =>
  Effect.sync(() => new Handle<A>(settingsOf(options, { name: undefined, capacity: 16, whenFull: "wait" })))
