/** A WebSocket that is open: `ws` underneath, an inbox, an outbox, and what watches the peer. */
import type { Socket } from "node:net"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Errors from "../../core/Errors.ts"
import type { AnyFiber } from "../../core/internal/Block.ts"
import { type Step, together, wakeUp } from "../../core/internal/Cascade.ts"
import { type Due, type Timer, timersFor } from "../../core/internal/Timers.ts"
import { type Awaited, waitIn, WaitQueue } from "../../core/internal/Wait.ts"
import type { StreamError } from "../ByteStream.ts"
import type { Address } from "./Address.ts"
import { nameOf } from "./AddressText.ts"
import { checkClose, codeOf, isNormal, lost, PeerClosed } from "./WebSocketCloseCode.ts"
import { copiedAtMost, type Encoded, EncodedMessage, frameOf, type Message } from "./WebSocketFrame.ts"
import type { Handshake } from "./WebSocketHandshake.ts"
import { type MessageSource, WebSocketInbox } from "./WebSocketInbox.ts"
import type { WebSocket } from "./WebSocketPackage.ts"
import type { WebSocketPlan } from "./WebSocketPlan.ts"
import type { Close, Statistics } from "./WebSocketState.ts"

type Failed = Exit.Exit<never, StreamError>

type Phase =
  | { readonly _tag: "Open" }
  /** We have sent our close, or cut it off. */
  | { readonly _tag: "Closing"; readonly code: number; readonly reason: string }
  | { readonly _tag: "Closed"; readonly close: Close }

const open: Phase = { _tag: "Open" }

export interface Opened {
  readonly ws: WebSocket
  readonly socket: Socket
  readonly side: "server" | "client"
  readonly peer: Address
  /** The client's URL, without what is secret in it. */
  readonly name?: string
  readonly handshake?: Handshake
  readonly plan: WebSocketPlan
  readonly fiber: AnyFiber
}

const isOpen = 1

/** What `WebSocket.connect` gives and handlers are given, to whom it is a `ServerStream`. */
export class WebSocketHandle implements MessageSource, Awaited, Step, Due {
  private declare readonly ws: WebSocket
  private declare readonly socket: Socket
  private declare readonly plan: WebSocketPlan
  private declare readonly fiber: AnyFiber
  declare readonly peer: Address
  private declare readonly givenName: string | undefined
  private declare readonly shakenHands: Handshake | undefined
  /** Frames can be written as they are: nothing masks or compresses them. */
  private declare readonly plain: boolean
  private declare readonly inbox: WebSocketInbox
  /** Those who wait until the peer has taken something. */
  private declare outbox: WaitQueue | undefined
  private declare waking: boolean
  private declare dropped: number
  private declare phase: Phase
  private declare ends: WaitQueue | undefined
  /** What a sender is told. */
  private declare refused: Failed | undefined
  /** What the peer did against the protocol. */
  private declare violation: Error | undefined
  private declare timer: Timer | undefined
  private declare seenBytes: number
  private declare missed: number
  private declare controls: number
  private declare controlsSince: number

  // `declare` and assignments: fields with initializers take twice the time.
  constructor(opened: Opened) {
    this.ws = opened.ws
    this.socket = opened.socket
    this.plan = opened.plan
    this.fiber = opened.fiber
    this.peer = opened.peer
    this.givenName = opened.name
    this.shakenHands = opened.handshake
    this.plain = opened.side === "server" && opened.ws.extensions === ""
    this.inbox = new WebSocketInbox(this, opened.plan.inboxBytes)
    this.outbox = undefined
    this.waking = false
    this.dropped = 0
    this.phase = open
    this.ends = undefined
    this.refused = undefined
    this.violation = undefined
    this.timer = undefined
    this.seenBytes = opened.socket.bytesRead
    this.missed = 0
    this.controls = 0
    this.controlsSince = this.now
    listen(this.ws, this)
    this.watch()
  }

  get label(): string {
    return `websocket ${this.givenName ?? nameOf(this.peer) ?? "peer"}`
  }

  get handshake(): Handshake {
    return this.shakenHands!
  }

  get protocol(): Option.Option<string> {
    return this.ws.protocol === "" ? Option.none() : Option.some(this.ws.protocol)
  }

  private get now(): number {
    return timersFor(this.fiber).now()
  }

  // --- what comes ---

  get receive(): Effect.Effect<Option.Option<Message>, StreamError> {
    return this.inbox.receive
  }

  get messages(): Stream.Stream<Message, StreamError> {
    const pull = Effect.flatMap(this.receive, (message) => Option.isSome(message) ? Exit.succeed([message.value] as const) : Cause.done())
    return Stream.fromPull(Effect.succeed(pull))
  }

  flow(): void {
    this.ws.resume()
  }

  halt(): void {
    this.ws.pause()
  }

  hearMessage(data: Buffer, isBinary: boolean): void {
    const { incoming } = this.plan
    if (this.phase._tag !== "Open" || incoming === "ignore") return
    if (incoming === "refuse") this.fail(1008, "no messages are taken here", new Error("the peer sent a message to an endpoint that takes none"))
    else this.inbox.push(isBinary ? data : data.toString())
  }

  /** A ping or a pong. `ws` answers pings by itself. */
  hearControl(): void {
    if (++this.controls <= this.plan.maxPingsPerSecond || this.phase._tag !== "Open") return
    const { now } = this
    if (now - this.controlsSince < 1000) {
      const flood = new Error(`the peer sent more than ${this.plan.maxPingsPerSecond} pings in a second`)
      return this.fail(1008, "too many pings", flood)
    }
    this.controls = 1
    this.controlsSince = now
  }

  hearViolation(error: Error): void {
    this.violation ??= error
  }

  /** Takes nothing more in, as if the peer had closed. What has come can be received. */
  endInputNow(): void {
    this.inbox.end()
  }

  // --- what goes ---

  send(message: Message | Encoded): Effect.Effect<void, StreamError> {
    return Effect.suspend(() => this.offer(message))
  }

  /** Sends it if that needs no wait. An exit is the answer, an effect has to be waited for. */
  offer(message: Message | Encoded): Effect.Effect<void, StreamError> {
    if (!(message instanceof EncodedMessage) && typeof message !== "string" && !(message instanceof Uint8Array)) {
      throw new TypeError(`Expected a message to be text, a Uint8Array or what \`encode\` made, got \`${String(message)}\` (${typeof message})`)
    }
    if (this.refused !== undefined) return this.refused
    if (this.ws.readyState !== isOpen) return this.broken(new Error("the peer is closing"))
    if ((this.outbox === undefined || this.outbox.length === 0) && this.hasRoom) {
      this.put(message)
      return Exit.void
    }
    if (this.plan.overflow === "wait") return this.waitWith(message)
    if (this.plan.overflow === "drop") {
      this.dropped++
      return Exit.void
    }
    const tooLong = new Errors.TooLong({ what: `what waits to be sent to ${this.label}`, limit: this.plan.outboxBytes })
    this.cut(tooLong)
    return this.broken(tooLong)
  }

  private get buffered(): number {
    return this.plain ? this.socket.writableLength : this.ws.bufferedAmount
  }

  private get hasRoom(): boolean {
    return this.buffered < this.plan.outboxBytes
  }

  private put(given: Message | Encoded): void {
    if (this.plain) {
      if (given instanceof EncodedMessage) return void this.socket.write(given.frame)
      if ((given as Message).length <= copiedAtMost) return void this.socket.write(frameOf(given as Message))
    }
    const message = given instanceof EncodedMessage ? given.message : given as Message
    // While it compresses nothing lies in the socket that could drain.
    if (this.plain) this.ws.send(message)
    else this.ws.send(message, this.sent)
  }

  private waitWith(message: Message | Encoded): Effect.Effect<void, StreamError> {
    const queue = this.outbox ??= new WaitQueue()
    const ready = () => this.refused ?? (queue.length === 0 && this.hasRoom ? this.offer(message) : this.wakeLater())
    return waitIn<void, StreamError>(queue, "sending to", this, message, ready)
  }

  /** Makes sure that somebody looks at those who wait when there is room. */
  private wakeLater(): undefined {
    // What `ws` has not handed to the socket yet has a callback of its own.
    if (this.waking || (!this.plain && this.ws.bufferedAmount > this.socket.writableLength)) return
    this.waking = true
    if (this.socket.writableNeedDrain) this.socket.once("drain", this.drained)
    // Less is there than Node calls much: an empty write is told when what is before it has gone.
    else this.socket.write(nothing, this.drained)
  }

  private get drained(): () => void {
    return () => {
      this.waking = false
      this.serve()
    }
  }

  private get sent(): () => void {
    return () => this.serve()
  }

  private serve(): void {
    if (this.outbox !== undefined && this.outbox.length > 0) wakeUp(this)
  }

  /** There may be room: the messages of those who wait longest go out. */
  run(): void {
    const queue = this.outbox!
    for (let wait = queue.first; wait !== undefined && this.hasRoom; wait = queue.first) {
      if (this.refused !== undefined || this.ws.readyState !== isOpen) return
      this.put(wait.brought as Message | Encoded)
      wait.resumeNow(Exit.void)
    }
    if (queue.first !== undefined) this.wakeLater()
  }

  // --- whether the peer is there ---

  private watch(): void {
    if (this.plan.pingMillis !== Infinity) this.wakeAfter(this.plan.pingMillis)
  }

  private wakeAfter(millis: number): void {
    const timers = timersFor(this.fiber)
    if (this.timer !== undefined) timers.clear(this.timer)
    this.timer = timers.set(timers.now() + millis, this, this.fiber)
  }

  onDeadline(): void {
    this.timer = undefined
    if (this.refused !== undefined) return this.ws.terminate()
    const { pingMillis, pingsMissed } = this.plan
    const bytes = this.socket.bytesRead
    // While nobody receives, nothing is read that could show whether the peer is there.
    if (bytes !== this.seenBytes || this.inbox.isFull) this.missed = 0
    else if (this.missed >= pingsMissed) {
      return this.cut(new Errors.TooSlow({ scope: "pong", after: Duration.millis(pingMillis * pingsMissed) }))
    } else this.missed++
    this.seenBytes = bytes
    if (this.missed > 0 || this.inbox.isFull) this.ws.ping()
    this.watch()
  }

  // --- the end ---

  get closed(): Option.Option<Close> {
    return this.phase._tag === "Closed" ? Option.some(this.phase.close) : Option.none()
  }

  get whenClosed(): Effect.Effect<Close> {
    return Effect.map(this.ended("waiting for the close of"), () => (this.phase as Phase & { readonly _tag: "Closed" }).close)
  }

  private ended(verb: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.phase._tag === "Closed") return Effect.void
      return waitIn(this.ends ??= new WaitQueue(), verb, this, undefined, () => this.phase._tag === "Closed" ? Effect.void : undefined)
    })
  }

  close(code = 1000, reason = ""): Effect.Effect<void> {
    return Effect.suspend(() => {
      checkClose(code, reason)
      this.beginClose(code, reason)
      return Effect.onInterrupt(this.ended("closing"), () => this.abort)
    })
  }

  private beginClose(code: number, reason: string): void {
    if (this.phase._tag === "Closed") return
    this.refuse(this.closedByUser)
    if (this.phase._tag === "Closing") return
    // `ws` has a limit of its own, but none for a peer that has ended the connection and does not read.
    this.wakeAfter(this.plan.closeMillis)
    // The peer may have been faster: then `ws` has answered it, and the code is the peer's.
    if (this.ws.readyState === isOpen) this.phase = { _tag: "Closing", code, reason }
    this.ws.close(code, reason)
    this.ws.resume()
  }

  get abort(): Effect.Effect<void> {
    return Effect.sync(() => {
      if (this.phase._tag === "Closed") return
      this.refuse(this.closedByUser)
      if (this.phase._tag === "Open") this.phase = { _tag: "Closing", code: lost, reason: "" }
      this.ws.terminate()
    })
  }

  /** Ends it when its handler has ended. */
  leave(exit: Exit.Exit<unknown, unknown>, stopping: boolean): Effect.Effect<void> {
    if (this.phase._tag === "Closed") return Effect.void
    const cancelled = exit._tag === "Failure" && Cause.hasInterruptsOnly(exit.cause)
    if (cancelled) return this.close(1001, "the server stops")
    // One that is cancelled now gives up the rest.
    if (exit._tag === "Failure") return Effect.interruptible(this.close(1011))
    return Effect.interruptible(stopping ? this.close(1001, "the server stops") : this.close())
  }

  private get closedByUser(): Failed {
    return Exit.fail(new Errors.Closed({ what: this.label }))
  }

  private broken(cause: unknown): Failed {
    return Exit.fail(new Errors.Broken({ what: this.label, cause }))
  }

  /** The user wants nothing of it any more. */
  private refuse(failed: Failed): void {
    together(() => {
      this.refused = failed
      this.inbox.close(failed)
      this.outbox?.wakeAll(failed)
    })
  }

  /** It cannot go on. What has come can be received; then receivers are told why. */
  private breakDown(cause: unknown): void {
    together(() => {
      const failed = this.broken(cause)
      this.refused ??= failed
      this.inbox.end(failed)
      this.outbox?.wakeAll(this.refused)
    })
  }

  /** The peer is told why. */
  private fail(code: number, reason: string, cause: unknown): void {
    if (this.phase._tag !== "Open") return
    this.phase = { _tag: "Closing", code, reason }
    this.breakDown(cause)
    this.ws.close(code, reason)
  }

  /** The peer would not hear. */
  private cut(cause: unknown): void {
    if (this.phase._tag !== "Open") return
    this.phase = { _tag: "Closing", code: lost, reason: String(cause instanceof Error ? cause.message : cause) }
    this.breakDown(cause)
    this.ws.terminate()
  }

  hearClose(code: number, reason: string): void {
    if (this.phase._tag === "Closed") return
    const close = this.closeOf(code, reason)
    together(() => {
      this.phase = { _tag: "Closed", close }
      if (this.timer !== undefined) timersFor(this.fiber).clear(this.timer)
      this.timer = undefined
      if (close.by === "peer" && isNormal(close.code)) {
        this.refused ??= this.broken(new PeerClosed(close))
        this.inbox.end()
        this.outbox?.wakeAll(this.refused)
      } else this.breakDown(this.causeOf(close))
      this.ends?.wakeAll(Exit.void)
    })
  }

  private closeOf(code: number, reason: string): Close {
    if (this.phase._tag === "Closing") return { code: this.phase.code, reason: this.phase.reason, by: "us" }
    if (this.violation !== undefined) return { code: codeOf(this.violation), reason: this.violation.message, by: "us" }
    return { code, reason, by: code === lost ? "nobody" : "peer" }
  }

  private causeOf(close: Close): unknown {
    if (close.by === "peer") return new PeerClosed(close)
    if (this.violation !== undefined) {
      return close.code === 1009 ? new Errors.TooLong({ what: `a message from ${this.label}`, limit: this.plan.maxPayload }) : this.violation
    }
    return this.socket.errored ?? new Error("the connection ended without a close")
  }

  get statistics(): Statistics {
    return {
      waitingMessages: this.inbox.size,
      bufferedBytes: this.buffered,
      waitingSenders: this.outbox?.length ?? 0,
      dropped: this.dropped
    }
  }

  private get state(): string {
    return this.phase._tag.toLowerCase()
  }

  toString(): string {
    return `WebSocketStream(${this.label.slice("websocket ".length)}, ${this.state})`
  }

  toJSON(): unknown {
    return { _id: "WebSocketStream", peer: this.peer, state: this.state, statistics: this.statistics }
  }

  // What lies inside, such as headers, is not for a log.
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString()
  }
}

const nothing = new Uint8Array(0)

// One property and shared listeners instead of a closure for each event of each connection.
const handleKey = Symbol("effect-nursery/WebSocketHandle")

interface Carrier {
  [handleKey]: WebSocketHandle
}

function onMessage(this: WebSocket, data: unknown, isBinary: boolean): void {
  ;(this as unknown as Carrier)[handleKey].hearMessage(data as Buffer, isBinary)
}
function onControl(this: WebSocket): void {
  ;(this as unknown as Carrier)[handleKey].hearControl()
}
function onError(this: WebSocket, error: Error): void {
  ;(this as unknown as Carrier)[handleKey].hearViolation(error)
}
function onClose(this: WebSocket, code: number, reason: Buffer): void {
  ;(this as unknown as Carrier)[handleKey].hearClose(code, reason.toString())
}

const listen = (ws: WebSocket, handle: WebSocketHandle): void => {
  ;(ws as unknown as Carrier)[handleKey] = handle
  ws.on("message", onMessage).on("ping", onControl).on("pong", onControl).on("error", onError).on("close", onClose)
}

