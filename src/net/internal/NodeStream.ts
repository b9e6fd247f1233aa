/**
 * A stream over a socket of Node, of whichever kind.
 *
 * The socket reads by itself into the inbox, and pauses while that is full; so a
 * receiver mostly finds bytes there and need not wait. Sending goes straight to
 * the system, and waits only when the system does not take all of it.
 */
import type { Socket } from "node:net"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Option from "effect/Option"
import type * as Stream from "effect/Stream"
import { Broken, Busy, Closed, type TooLong } from "../../core/Errors.ts"
import type { AnyEffect } from "../../core/internal/Block.ts"
import { together } from "../../core/internal/Cascade.ts"
import { timersFor } from "../../core/internal/Timers.ts"
import { type Awaited, Wait, WaitQueue } from "../../core/internal/Wait.ts"
import type { StreamError } from "../ByteStream.ts"
import type { Address, TcpAddress } from "./Address.ts"
import { nameOf } from "./AddressText.ts"
import { type Origin, sendingNow, taking, type Target } from "./Copying.ts"
import { Inbox, type Source } from "./Inbox.ts"
import { copying, shareReads } from "./ReadBuffer.ts"
import type { Take } from "./Takes.ts"
import type { Connection } from "./Transport.ts"
import { useYoungMemory } from "./YoungMemory.ts"

/**
 * How many bytes a socket may hold that the system has not taken, before a sender
 * waits: none. So what was sent is in the hands of the system, and closing need
 * not wait for it.
 */
export const unsentBytes = 1

/** How long closing waits for a peer that does not take what is left. */
const lingerMillis = 5_000

/** A read of so many bytes is not worth copying. */
const manyBytes = 16_384

/** So many reads of fewer bytes in a row, and others of that kind are expected. */
const enoughSmallReads = 8

/** What a stream runs over, for its name. */
export type Kind = "tcp" | "tls" | "unix"

type Failed = Exit.Exit<never, any>

/** The stream that a socket belongs to: so all sockets share their listeners. */
const streamOf = Symbol("effect-nursery/NodeStream")
interface Owned extends Socket {
  [streamOf]?: NodeStream<any> | undefined
}

function onData(this: Owned, bytes: Uint8Array): void {
  // Asks for what is being read anyway. Otherwise Node asks for it in a turn of its own, after every chunk.
  this.read(0)
  this[streamOf]?.received(bytes)
  this[streamOf]?.noteSize(bytes.length)
}
const onRead = copying(function(this: Owned, bytes) {
  return this[streamOf]?.received(bytes) ?? false
})
function onEnd(this: Owned): void {
  this[streamOf]?.inputEnded()
}
function onError(this: Owned, error: Error): void {
  this[streamOf]?.broke(error)
}
// After an error, or when both halves have ended, everybody has been told already.
function onClose(this: Owned): void {
  this[streamOf]?.broke(undefined)
}
function onProgress(this: Owned): void {
  this[streamOf]?.progressed()
}

/** Whether its own user has ended it, or given its socket away. */
type Ending = { readonly _tag: "No" } | { readonly _tag: "Yes" } | { readonly _tag: "Given"; readonly heir: NodeStream<any> | undefined }

type Sending = { readonly _tag: "Open" } | { readonly _tag: "Ended" } | { readonly _tag: "Closed" } | { readonly _tag: "Broken"; readonly exit: Failed }

const no: Ending = { _tag: "No" }
const yes: Ending = { _tag: "Yes" }
const open: Sending = { _tag: "Open" }
const ended: Sending = { _tag: "Ended" }
const closed: Sending = { _tag: "Closed" }

export class NodeStream<A extends Address> implements Connection<A>, Source, Awaited, Origin, Target {
  private readonly socket: Owned
  private readonly kind: Kind
  readonly peer: A
  private readonly inbox: Inbox
  private knownLocal: A | undefined
  private reading = false
  /** How many in a row were small. */
  private smallReads = 0
  /** Those who wait for the socket: a sender, and who was let in between its write and its wait; then whoever closes. */
  private waits: WaitQueue | undefined = undefined
  private sending: Sending = open
  private ending: Ending = no

  constructor(kind: Kind, socket: Socket, peer: A, local?: A) {
    this.kind = kind
    this.socket = socket
    this.peer = peer
    this.knownLocal = local
    this.inbox = new Inbox(this)
    this.socket[streamOf] = this
    socket.on("error", onError)
    socket.on("close", onClose)
  }

  get label(): string {
    return `${this.kind} ${this.where}`
  }

  /** The peer's address; the end of a Unix socket that has none is known by this end's. */
  get where(): string {
    return nameOf(this.peer) ?? nameOf(this.local) ?? "without a name"
  }

  get local(): A {
    if (this.knownLocal !== undefined) return this.knownLocal
    const { localAddress, localPort } = this.socket
    const local = this.peer._tag === "Unix" ? { _tag: "Unix", path: "" } : tcpAddressOf(localAddress, localPort)
    return this.knownLocal = local as A
  }

  get bytesReceived(): number {
    return this.socket.bytesRead
  }

  get bytesSent(): number {
    // What the socket has passed on may lie in the queue of its handle. Nothing else tells how far a long send has come.
    const { _handle: handle } = this.socket as { readonly _handle?: { readonly writeQueueSize?: number } | null }
    return this.socket.bytesWritten - Math.max(this.socket.writableLength > 0 ? handle?.writeQueueSize ?? 0 : 0, 0)
  }

  get receive(): Effect.Effect<Option.Option<Uint8Array>, StreamError> {
    return this.inbox.receive
  }

  receiveExactly(bytes: number): Effect.Effect<Option.Option<Uint8Array>, StreamError> {
    return this.inbox.receiveExactly(bytes)
  }

  receiveUntil(
    delimiter: string | Uint8Array,
    options?: { readonly maxBytes?: number }
  ): Effect.Effect<Option.Option<Uint8Array>, StreamError | TooLong> {
    return this.inbox.receiveUntil(delimiter, options)
  }

  get chunks(): Stream.Stream<Uint8Array, StreamError> {
    return this.inbox.streamOfChunks
  }

  get lines(): Stream.Stream<string, StreamError | TooLong> {
    return this.inbox.streamOfLines
  }

  [taking](take: Take): AnyEffect {
    return this.inbox.repeatedly(take)
  }

  get endInput(): Effect.Effect<void> {
    return Effect.sync(() => {
      this.inbox.end()
      if (this.reading) this.halt()
    })
  }

  /** For the inbox: somebody wants bytes. */
  flow(): void {
    const { socket } = this
    if (!this.reading) {
      this.reading = true
      // TLS reads from the start, and may have seen the end before anybody asked.
      if (socket.readableEnded) return this.inbox.end()
      socket.on("data", onData)
      socket.on("end", onEnd)
    }
    socket.resume()
  }

  /** For the inbox: it is full. */
  halt(): void {
    this.socket.pause()
  }

  /** Answers whether more is welcome. */
  received(bytes: Uint8Array): boolean {
    useYoungMemory(bytes.length)
    this.inbox.push(bytes)
    return this.inbox.isFlowing
  }

  /** Small messages are read in another way, when it is known that they are small. */
  noteSize(length: number): void {
    if (length >= manyBytes) this.smallReads = 0
    else if (++this.smallReads === enoughSmallReads && this.kind !== "tls" && this.ending === no && shareReads(this.socket, onRead)) {
      this.socket.removeListener("data", onData)
    }
  }

  inputEnded(): void {
    this.inbox.end()
  }

  send(data: Uint8Array | string): Effect.Effect<void, StreamError> {
    return Effect.suspend(() => this[sendingNow](data))
  }

  [sendingNow](data: Uint8Array | string): AnyEffect {
    if (this.sending !== open) return this.refusal
    if (this.waits !== undefined && this.waits.length > 0) return this.busy
    // What a cancelled sender has left goes first. If more were accepted meanwhile, time limits could fill the memory.
    if (this.isClogged) return Effect.flatMap(this.untilDrained, () => this[sendingNow](data))
    if (data.length === 0) return Exit.void
    const { socket } = this
    return socket.write(data) || this.hasTaken ? Exit.void : this.untilDrained
  }

  private get isClogged(): boolean {
    return this.socket.writableLength >= this.socket.writableHighWaterMark
  }

  offerUnsafe(data: Uint8Array | string): number | undefined {
    if (this.sending !== open) return undefined
    const { socket } = this
    if (data.length > 0) socket.write(data)
    return socket.writableLength
  }

  /** The system has taken what was written, and made no objection that will come as an event. */
  private get hasTaken(): boolean {
    return !this.isClogged && this.isWell
  }

  private get isWell(): boolean {
    return this.socket.errored === null && !this.socket.destroyed
  }

  private get untilDrained(): AnyEffect {
    return this.waitUntil("sending to", () => this.hasTaken)
  }

  // Asked again before it waits: a scheduler may have let others run since.
  private waitUntil(verb: string, isSo: () => boolean): AnyEffect {
    return Effect.callback<any, any>((resume) => {
      if (this.sending === closed || this.sending._tag === "Broken") resume(this.refusal)
      else if (isSo()) resume(Exit.void)
      else return this.wait(verb, resume).leave
      return undefined
    })
  }

  private wait(verb: string, resume: (effect: AnyEffect) => void): Wait {
    if (this.waits === undefined) {
      this.waits = new WaitQueue()
      // Never both for one wait: while a socket ends it does not say that it has drained.
      this.socket.on("drain", onProgress)
      this.socket.on("finish", onProgress)
    }
    const wait = new Wait(verb, this, undefined, resume)
    this.waits.push(wait)
    return wait
  }

  /** Connected, drained, or finished: whatever was waited for. */
  progressed(): void {
    this.waits?.wakeAll(Exit.void)
  }

  private get busy(): Failed {
    const holder = this.waits?.first?.place?.task ?? "main"
    return Exit.fail(new Busy({ what: `the sending half of ${this.label}`, holder }))
  }

  private get refusal(): Failed {
    if (this.sending._tag === "Broken") return this.sending.exit
    return Exit.fail(new Closed({ what: this.sending === ended ? `the sending half of ${this.label}` : this.label }))
  }

  get sendEof(): Effect.Effect<void, StreamError> {
    return Effect.suspend(() => {
      if (this.sending === closed || this.sending._tag === "Broken") return this.refusal
      if (this.sending === open) {
        if (this.waits !== undefined && this.waits.length > 0) return this.busy
        this.sending = ended
        this.socket.end()
      }
      return this.waitUntil("sending the end to", () => this.socket.writableFinished)
    })
  }

  /** Waits until the socket, which has just been made, is connected. */
  get connected(): Effect.Effect<void, Broken> {
    this.socket.once("connect", onProgress)
    return this.waitUntil("connecting to", () => !this.socket.connecting && this.isWell)
  }

  /** The world has ended it. */
  broke(cause: unknown): void {
    if (this.ending === yes) return this.progressed()
    const broken = new Broken({ what: this.label, cause })
    const exit = Exit.fail(broken)
    together(() => {
      this.inbox.fail(broken)
      if (this.sending === open) this.sending = { _tag: "Broken", exit }
      this.waits?.wakeAll(exit)
    })
  }

  get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.ending._tag === "Given" && this.ending.heir !== undefined) return this.ending.heir.close
      if (this.ending === yes) return Exit.void
      const { socket } = this
      const isQuiet = (this.kind !== "tls" && socket.writableLength === 0) || this.ending !== no
      this.refuse(yes)
      if (socket.destroyed) return Exit.void
      if (isQuiet) {
        // What was sent is in the hands of the system, which sends the end behind it.
        socket.destroy()
        return Exit.void
      }
      socket.end()
      return this.linger
    })
  }

  get abort(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.ending._tag === "Given" && this.ending.heir !== undefined) return this.ending.heir.abort
      if (this.ending !== yes) this.refuse(yes)
      // Somebody may be waiting in `close`.
      this.socket.destroy()
      return Exit.void
    })
  }

  private refuse(ending: Ending): void {
    this.ending = ending
    this.sending = closed
    together(() => {
      this.inbox.close()
      if (this.waits !== undefined && this.waits.length > 0) this.waits.wakeAll(this.refusal)
    })
  }

  private get linger(): Effect.Effect<void> {
    return Effect.suspend(() => {
      let stopTimer = () => {}
      const gone = Effect.callback<void, never>((resume) => {
        if (this.socket.writableFinished || this.socket.destroyed) {
          resume(Exit.void)
          return undefined
        }
        const fiber = Fiber.getCurrent()!
        const wait = this.wait("closing", resume as (effect: AnyEffect) => void)
        const timers = timersFor(fiber)
        const timer = timers.set(timers.now() + lingerMillis, { onDeadline: () => wait.wake(Exit.void) }, fiber)
        stopTimer = () => timers.clear(timer)
        return wait.leave
      })
      return Effect.ensuring(gone, Effect.sync(() => {
        stopTimer()
        this.socket.destroy()
      }))
    })
  }

  /** Gives its socket away. What has come and was not received goes with it. */
  give(): Socket {
    const { socket } = this
    const left = this.inbox.takeAll()
    socket.removeListener("data", onData)
    socket.removeListener("end", onEnd)
    socket.pause()
    if (left.length > 0) socket.unshift(left)
    this.refuse({ _tag: "Given", heir: undefined })
    return socket
  }

  /** Whoever closes this one closes the one that has its socket. */
  givenTo(heir: NodeStream<any>): void {
    if (this.ending._tag === "Given") this.ending = { _tag: "Given", heir }
  }
}

const mappedPrefix = "::ffff:"

/** An IPv4 peer of an IPv6 listener has the address that it would have without it. */
export const tcpAddressOf = (host: string | undefined, port: number | undefined): TcpAddress => {
  const plain = host !== undefined && host.startsWith(mappedPrefix) && host.includes(".") ? host.slice(mappedPrefix.length) : host
  return { _tag: "Tcp", host: plain ?? "", port: port ?? 0 }
}
