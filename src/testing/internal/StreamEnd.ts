/**
 * One end of a connection in memory. What it does and is told goes over wires: at
 * once for the streams of MemoryStream, and through delays and faults for those of
 * SimulatedNetwork.
 *
 * Whoever waits to receive is given bytes only in the step that lets him run: bytes
 * that were set aside for him earlier would be lost if he were cancelled in between.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Errors from "../../core/Errors.ts"
import { type AnyEffect, type AnyFiber } from "../../core/internal/Block.ts"
import { type Step, together, wakeUp } from "../../core/internal/Cascade.ts"
import { countOf } from "../../core/internal/Count.ts"
import { isAboutToPause } from "../../core/internal/Pauses.ts"
import { type Awaited, Wait, WaitQueue } from "../../core/internal/Wait.ts"
import type { ByteStream, StreamError } from "../../net/ByteStream.ts"
import * as Framing from "../../net/Framing.ts"
import { indexOfBytes } from "../../net/internal/DelimiterCodec.ts"
import { FrameBuffer } from "../../net/internal/FrameBuffer.ts"
import type { Message, Wire, WireEnd } from "./Wire.ts"

/** What a receive comes to, when there is enough of what it waits for. */
type Attempt<A, E> = () => Exit.Exit<A, E> | undefined

const ended = Exit.succeed(Option.none<never>())
const utf8 = new TextEncoder()

/** Bytes of one direction, counted. */
export interface Counts {
  /** All that was sent from this end. */
  readonly sent: number
  /** All that a task has received from this end. */
  readonly received: number
  /** Sent by the peer, here, and not received by any task. */
  readonly unread: number
  /** The largest `unread` so far. */
  readonly peak: number
}

export class StreamEnd implements ByteStream, WireEnd, Awaited, Step {
  readonly label: string
  /** So many bytes may be on their way, or unread by the peer, when `send` ends. */
  private readonly capacity: number
  /** The most bytes of one chunk. */
  private readonly maxChunkBytes: number
  private readonly out: Wire
  private state: "open" | "closed" = "open"
  private outgoing: "open" | "ended" = "open"
  private incoming: "open" | "ended" = "open"
  /** What the world did to it. */
  private broken: { readonly cause: unknown } | undefined = undefined
  /** The peer has closed its end in order: it takes nothing any more, and what it had sent can still be received. */
  private refused = false
  private readonly inbox = new FrameBuffer()
  /** Bytes at the front of the inbox that the peer need not wait for: a receive of more bytes has seen them. */
  private seen = 0
  /** Bytes that were sent, and that no task has received yet as far as is known here. */
  private ahead = 0
  private readonly receivers = new WaitQueue()
  private readonly senders = new WaitQueue()
  private serving = false
  /** Data has come after `endInput`, which nobody will receive. */
  private ignored = false
  private inputEnded = false
  private arrivedBytes = 0
  private sent = 0
  private received = 0
  private peak = 0

  constructor(label: string, out: Wire, capacity: number, maxChunkBytes: number) {
    this.label = label
    this.out = out
    this.capacity = capacity
    this.maxChunkBytes = maxChunkBytes
    this.receive = this.receiveBy(() => this.takeChunk())
  }

  // --- receiving ---

  readonly receive: Effect.Effect<Option.Option<Uint8Array>, StreamError>

  receiveExactly(bytes: number): Effect.Effect<Option.Option<Uint8Array>, StreamError> {
    return Effect.suspend(() => {
      if (!(Number.isSafeInteger(bytes) && bytes >= 0)) {
        throw new RangeError(`Expected \`bytes\` to be an integer from 0 and up, got \`${String(bytes)}\` (${typeof bytes})`)
      }
      return this.receiveBy(() => {
        const { inbox } = this
        if (inbox.length >= bytes) return Exit.succeed(Option.some(this.take(bytes)))
        this.see()
        return this.over ?? (this.incoming === "ended" ? inbox.length === 0 ? ended : this.cutShort : undefined)
      })
    })
  }

  receiveUntil(
    delimiter: string | Uint8Array,
    options?: { readonly maxBytes?: number }
  ): Effect.Effect<Option.Option<Uint8Array>, StreamError | Errors.TooLong> {
    return Effect.suspend(() => {
      const limit = countOf("maxBytes", options?.maxBytes ?? 65_536)
      const end = typeof delimiter === "string" ? utf8.encode(delimiter) : delimiter
      if (end.length === 0) throw new RangeError("Expected `delimiter` to have at least one byte, got none")
      return this.receiveBy((): Exit.Exit<Option.Option<Uint8Array>, StreamError | Errors.TooLong> | undefined => {
        const { inbox } = this
        const at = indexOfBytes(inbox.view, end, 0)
        const known = at >= 0 ? at : inbox.length - (end.length - 1)
        if (known > limit) return Exit.fail(new Errors.TooLong({ what: `what comes from ${this.label}`, limit }))
        if (at >= 0) return Exit.succeed(Option.some(this.take(at + end.length).subarray(0, at)))
        this.see()
        return this.over ?? (this.incoming === "ended" ? inbox.length === 0 ? ended : this.cutShort : undefined)
      })
    })
  }

  private takeChunk(): Exit.Exit<Option.Option<Uint8Array>, StreamError> | undefined {
    const { inbox } = this
    if (inbox.length > 0) return Exit.succeed(Option.some(this.take(Math.min(inbox.length, this.maxChunkBytes))))
    return this.over ?? (this.incoming === "ended" ? ended : undefined)
  }

  private take(count: number): Uint8Array {
    const { inbox } = this
    const bytes = inbox.view.subarray(0, count)
    inbox.drop(count)
    this.received += count
    const seen = Math.min(this.seen, count)
    this.seen -= seen
    this.release(count - seen)
    return bytes
  }

  // A receive of more bytes than may be on their way would wait for ever for those that nobody may send.
  private see(): void {
    const count = this.inbox.length - this.seen
    this.seen = this.inbox.length
    this.release(count)
  }

  private release(count: number): void {
    if (count > 0) this.out.carry({ _tag: "Taken", bytes: count })
  }

  /** What keeps this end from receiving anything. */
  private get over(): Exit.Exit<never, StreamError> | undefined {
    return this.state === "closed" ? this.closedExit : this.broken === undefined ? undefined : this.brokenExit
  }

  private get closedExit(): Exit.Exit<never, Errors.Closed> {
    return Exit.fail(new Errors.Closed({ what: this.label }))
  }

  private get brokenExit(): Exit.Exit<never, Errors.Broken> {
    return Exit.fail(new Errors.Broken({ what: this.label, cause: this.broken!.cause }))
  }

  private get cutShort(): Exit.Exit<never, Errors.Broken> {
    const cause = new Error(`the peer sent its end ${this.inbox.length} bytes after the last whole piece`)
    return Exit.fail(new Errors.Broken({ what: this.label, cause }))
  }

  private receiveBy<A, E>(attempt: Attempt<A, E>): Effect.Effect<A, E | StreamError> {
    return Effect.withFiber((fiber) => this.receiveIn(fiber, attempt))
  }

  private receiveIn<A, E>(fiber: AnyFiber | undefined, attempt: Attempt<A, E>): Effect.Effect<A, E | StreamError> {
    if (this.state === "closed") return this.closedExit
    const busy = busyWith(this.receivers, `the receiving half of ${this.label}`)
    if (busy !== undefined) return busy
    // What is taken out of the inbox must reach the caller.
    if (fiber !== undefined && isAboutToPause(fiber)) return Effect.flatMap(Effect.yieldNow, () => this.receiveIn(undefined, attempt))
    return attempt() ?? this.waitToReceive(attempt)
  }

  private waitToReceive<A, E>(attempt: Attempt<A, E>): Effect.Effect<A, E | StreamError> {
    return Effect.callback((resume) => {
      // Asked again: a scheduler may have let others run since.
      if (this.state === "closed" || this.receivers.length > 0 || this.isReadable) {
        resume(this.receiveIn(Fiber.getCurrent(), attempt))
        return undefined
      }
      const wait = new Wait("receiving from", this, attempt, resume as (effect: AnyEffect) => void)
      this.receivers.push(wait)
      return wait.leave
    })
  }

  private get isReadable(): boolean {
    return this.inbox.length > this.seen || this.broken !== undefined || this.incoming === "ended"
  }

  get chunks(): Stream.Stream<Uint8Array, StreamError> {
    const pull = Effect.flatMap(
      this.receive,
      (chunk): Effect.Effect<readonly [Uint8Array], Cause.Done> => Option.isNone(chunk) ? Cause.done() : Exit.succeed([chunk.value])
    )
    return Stream.fromPull(Effect.succeed(pull))
  }

  // Out of the inbox itself: who leaves the stream goes on behind the last line.
  get lines(): Stream.Stream<string, StreamError | Errors.TooLong> {
    return Stream.fromPull(Effect.sync(() => {
      const decoder = Framing.lineCodec().decoder(this.label)
      return this.receiveBy(() => this.takeLine(decoder))
    }))
  }

  private takeLine(
    decoder: Framing.Decoder<string, Errors.TooLong>
  ): Exit.Exit<readonly [string], StreamError | Errors.TooLong | Cause.Done> | undefined {
    const { inbox } = this
    while (inbox.length > 0) {
      const decoded = decoder.decode(inbox.view, this.incoming === "ended")
      if (decoded._tag === "More") break
      this.take(decoded.taken ?? inbox.length)
      if (decoded._tag === "Frame") return Exit.succeed([decoded.frame])
      if (decoded._tag === "Failed") return Exit.fail(decoded.error)
    }
    this.see()
    return this.over ?? (this.incoming === "ended" ? Exit.fail(Cause.Done()) : undefined)
  }

  // --- sending ---

  send(data: Uint8Array | string): Effect.Effect<void, StreamError> {
    return Effect.suspend(() => {
      const refusal = this.refusal
      if (refusal !== undefined) return refusal
      // A copy: from here on the peer has it, and the caller may do with his what he likes.
      const bytes = typeof data === "string" ? utf8.encode(data) : data.slice()
      if (bytes.length === 0) return Exit.void
      if (this.ahead + bytes.length > this.capacity) return this.sendAndWait(bytes)
      this.put(bytes)
      // The peer's answer may have come already.
      return this.cannotSend ?? Exit.void
    })
  }

  /** Sends without waiting, and tells how much is above the capacity then; nothing when nothing can be sent. */
  protected putNow(data: Uint8Array | string): number | undefined {
    if (this.outgoing === "ended" || this.cannotSend !== undefined) return undefined
    const bytes = typeof data === "string" ? utf8.encode(data) : data.slice()
    if (bytes.length > 0) this.put(bytes)
    return Math.max(0, this.ahead - this.capacity)
  }

  private put(bytes: Uint8Array): void {
    this.sent += bytes.length
    this.ahead += bytes.length
    this.out.carry({ _tag: "Data", bytes })
  }

  // In one step: another sender that comes between sending and waiting would not know that this one waits.
  private sendAndWait(bytes: Uint8Array): Effect.Effect<void, StreamError> {
    return Effect.callback((resume) => {
      const refusal = this.refusal
      if (refusal !== undefined) {
        resume(refusal)
        return undefined
      }
      this.put(bytes)
      const exit = this.cannotSend ?? (this.ahead <= this.capacity ? Exit.void : undefined)
      if (exit !== undefined) {
        resume(exit)
        return undefined
      }
      const wait = new Wait("sending to", this, undefined, resume as (effect: AnyEffect) => void)
      this.senders.push(wait)
      return wait.leave
    })
  }

  private get refusal(): Exit.Exit<never, StreamError> | undefined {
    if (this.state === "open" && this.outgoing === "ended") return this.closedExit
    return this.cannotSend ?? busyWith(this.senders, `the sending half of ${this.label}`)
  }

  private get cannotSend(): Exit.Exit<never, StreamError> | undefined {
    return this.over ?? (this.refused ? this.refusedExit : undefined)
  }

  private get refusedExit(): Exit.Exit<never, Errors.Broken> {
    return Exit.fail(new Errors.Broken({ what: this.label, cause: systemError("EPIPE", "the peer receives no more") }))
  }

  readonly sendEof: Effect.Effect<void, StreamError> = Effect.suspend(() => {
    if (this.state === "open" && this.outgoing === "ended") return Exit.void
    const refusal = this.refusal
    if (refusal !== undefined) return refusal
    this.sendEnd()
    return Exit.void
  })

  private sendEnd(): void {
    if (this.outgoing === "ended") return
    this.outgoing = "ended"
    this.out.carry({ _tag: "End" })
  }

  // --- ends ---

  readonly close: Effect.Effect<void> = Effect.sync(() => {
    if (this.state === "closed") return
    together(() => {
      const unread = this.inbox.length > 0 || this.ignored
      this.shut()
      if (this.broken !== undefined) return
      this.sendEnd()
      if (unread) this.out.carry({ _tag: "Refused" })
    })
  })

  readonly abort: Effect.Effect<void> = Effect.sync(() => this.abortUnsafe(undefined))

  abortUnsafe(cause: unknown): void {
    if (this.state === "closed") return
    together(() => {
      this.shut()
      if (this.broken === undefined) this.out.carry({ _tag: "Reset", cause })
    })
  }

  private shut(): void {
    this.state = "closed"
    this.inbox.clear()
    this.seen = 0
    this.receivers.wakeAll(this.closedExit)
    this.senders.wakeAll(this.closedExit)
    this.onShut()
  }

  /** It was closed or aborted. */
  protected onShut(): void {}

  get isClosed(): boolean {
    return this.state === "closed"
  }

  /** The world breaks it, without a word to the peer. */
  breakUnsafe(cause: unknown): void {
    if (this.broken !== undefined) return
    this.broken = { cause }
    if (this.state === "closed") return
    this.inbox.clear()
    this.seen = 0
    together(() => {
      this.receivers.wakeAll(this.brokenExit)
      this.senders.wakeAll(this.brokenExit)
    })
  }

  readonly endInput: Effect.Effect<void> = Effect.sync(() => {
    this.inputEnded = true
    this.incoming = "ended"
    this.serve()
  })

  get bytesReceived(): number {
    return this.arrivedBytes
  }

  /** What is above the capacity waits here, as in a socket that the system takes no more from. */
  get bytesSent(): number {
    return this.sent - Math.max(0, this.ahead - this.capacity)
  }

  // --- what the peer says ---

  arrived(message: Message): void {
    switch (message._tag) {
      case "Data":
        if (this.state === "closed") return this.out.carry({ _tag: "Refused" })
        if (this.broken !== undefined) return
        this.arrivedBytes += message.bytes.length
        if (this.inputEnded) {
          this.ignored = true
          return
        }
        this.inbox.push(message.bytes)
        this.peak = Math.max(this.peak, this.inbox.length)
        return this.serve()
      case "Taken":
        this.ahead -= message.bytes
        if (this.ahead <= this.capacity) this.senders.wakeAll(Exit.void)
        return
      case "End":
        this.incoming = "ended"
        return this.serve()
      case "Refused":
        this.refused = true
        return this.senders.wakeAll(this.refusedExit)
      case "Reset":
        return this.breakUnsafe(message.cause ?? reset())
    }
  }

  private serve(): void {
    if (this.serving || this.receivers.length === 0) return
    this.serving = true
    wakeUp(this)
  }

  /** Gives the receiver what he waits for, if it is there. */
  run(): void {
    this.serving = false
    const wait = this.receivers.first
    const exit = (wait?.brought as Attempt<unknown, unknown> | undefined)?.()
    if (exit !== undefined) wait!.resumeNow(exit)
  }

  get counts(): Counts {
    return { sent: this.sent, received: this.received, unread: this.inbox.length, peak: this.peak }
  }

  toString(): string {
    return `${this.label} (${this.describe})`
  }

  toJSON(): unknown {
    return { _id: "ByteStream", name: this.label, state: this.describe, counts: this.counts }
  }

  private get describe(): string {
    return this.state === "closed" ? "closed" : this.broken === undefined ? "open" : "broken"
  }
}

export const systemError = (code: string, message: string): Error => Object.assign(new Error(`${code}: ${message}`), { code })

const reset = (): Error => systemError("ECONNRESET", "the peer reset the connection")

const busyWith = (queue: WaitQueue, what: string): Exit.Exit<never, Errors.Busy> | undefined =>
  queue.first === undefined ? undefined : Exit.fail(new Errors.Busy({ what, holder: queue.first.place?.task ?? "main" }))
