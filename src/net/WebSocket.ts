/**
 * WebSockets: messages instead of bytes, in both directions, with an end that is
 * told to the other side. Servers and clients.
 *
 * The protocol is that of the package `ws`, an optional peer dependency:
 * `npm install ws`. A server hangs on any HTTP server of Node; a connection has
 * a task of its own, as those of `Tcp` have.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type * as Errors from "../core/Errors.ts"
import type { Startable } from "../core/Nursery.ts"
import type { StreamError } from "./ByteStream.ts"
import { connectWebSocket } from "./internal/WebSocketClient.ts"
import { type Encoded, EncodedMessage, type Message } from "./internal/WebSocketFrame.ts"
import { WebSocketHandle } from "./internal/WebSocketHandle.ts"
import type { Handshake } from "./internal/WebSocketHandshake.ts"
import type { ConnectOptions, MountOptions, PortOptions } from "./internal/WebSocketOptions.ts"
import type { Refused } from "./internal/WebSocketRefused.ts"
import { serveWebSocket } from "./internal/WebSocketServe.ts"
import type { Close, Statistics } from "./internal/WebSocketState.ts"
import type { Address, TcpAddress } from "./Network.ts"
import type * as Server from "./Server.ts"

export type { Encoded, Message } from "./internal/WebSocketFrame.ts"
export type { Handshake, Origins } from "./internal/WebSocketHandshake.ts"
export type { ConnectOptions, MountOptions, PortOptions, ServeOptions, StreamOptions } from "./internal/WebSocketOptions.ts"
export { Refused } from "./internal/WebSocketRefused.ts"
export type { Close, Statistics } from "./internal/WebSocketState.ts"

/**
 * A WebSocket.
 *
 * **Details**
 *
 * Any task may send at any time: a message is one piece. One task receives at a
 * time; a second one is told `Busy`, and the first goes on.
 *
 * @since 0.1.0
 */
export interface WebSocketStream {
  /**
   * The next message; waits while there is none. `None` when the peer has closed
   * and had nothing to complain of, again and again; {@link Close} says more.
   * `Broken` when the connection was lost, when the peer broke the protocol, and
   * when it closed with the code of an error. What has come before is received
   * first. When it is cancelled while it waits, no message is lost.
   */
  readonly receive: Effect.Effect<Option.Option<Message>, StreamError>
  /** What `receive` gives, until the peer's close. It does not close the WebSocket. */
  readonly messages: Stream.Stream<Message, StreamError>
  /**
   * Hands over a message. While more than `outboxBytes` wait for the peer to take
   * them, `overflow` says what happens. When it is cancelled while it waits, the
   * message is not sent. Bytes must not be changed before the peer has them.
   */
  send(message: Message | Encoded): Effect.Effect<void, StreamError>
  /**
   * Sends what was handed over, and the close, and waits for that of the peer, at
   * most `closeTimeout`. Whoever receives or sends at that time is told `Closed`.
   * When it is cancelled, it aborts. Closing again only waits. A code that may not be
   * sent, and a reason of more than 123 bytes, is a defect. Default: 1000, no reason.
   */
  close(code?: number, reason?: string): Effect.Effect<void>
  /** Frees everything at once, without a close; what is on its way may be lost. Again does nothing. */
  readonly abort: Effect.Effect<void>
  /** Waits until it has ended, and says how. For those who do not receive. */
  readonly whenClosed: Effect.Effect<Close>
  /** How it has ended, if it has. */
  readonly closed: Option.Option<Close>
  /** The sub-protocol that both ends speak, if they agreed on one. */
  readonly protocol: Option.Option<string>
  /** The other end. Behind a proxy that is the proxy. */
  readonly peer: Address
  readonly statistics: Statistics
}

/**
 * A WebSocket at the server's end.
 *
 * @since 0.1.0
 */
export interface ServerStream extends WebSocketStream {
  readonly handshake: Handshake
}

/**
 * Serves WebSockets: a function of `started`, so that `nursery.start` gives the address.
 *
 * **Details**
 *
 * Each WebSocket is a task, named by its peer, in a nursery that collects failures:
 * one whose handler fails is closed with 1011, goes to the log with its peer, and
 * touches nobody else. One whose handler ends well is closed with 1000.
 *
 * A scope around that is asked to stop stops the server: it opens no more, the input
 * of each handler ends, and what has not ended by itself after `grace` is cancelled.
 * Either way the peers are told 1001. The result says how it went.
 *
 * **Example** (Echo)
 *
 * ```ts
 * import { Console, Effect, Option, Stream } from "effect"
 * import { Nursery } from "effect-nursery"
 * import { WebSocket } from "effect-nursery/net"
 *
 * const echo = (stream: WebSocket.ServerStream) => Stream.runForEach(stream.messages, (message) => stream.send(message))
 *
 * const program = Nursery.open((n) =>
 *   Effect.gen(function*() {
 *     const { host, port } = yield* n.start(WebSocket.serve(echo, { port: 0, path: "/echo" }), { service: true })
 *     const stream = yield* WebSocket.connect(`ws://${host}:${port}/echo`)
 *     yield* stream.send("hello")
 *     yield* Console.log(Option.getOrThrow(yield* stream.receive))
 *   }).pipe(Effect.scoped)
 * )
 *
 * await Effect.runPromise(program)
 * ```
 *
 * ```text output
 * hello
 * ```
 *
 * @since 0.1.0
 */
export const serve: {
  <E, R, R2 = never>(
    handler: (stream: ServerStream) => Effect.Effect<unknown, E, R>,
    options: PortOptions<E, R2>
  ): Startable<TcpAddress, Server.Report, Errors.Broken, R | R2>
  <E, R, R2 = never>(
    handler: (stream: ServerStream) => Effect.Effect<unknown, E, R>,
    options: MountOptions<E, R2>
  ): Startable<Address, Server.Report, Errors.Broken, R | R2>
} = serveWebSocket

/**
 * Opens a WebSocket, which is closed with the scope.
 *
 * **Details**
 *
 * `Refused` when the server answers something else, `Broken` when nobody answers,
 * and when the answer makes no sense. A URL that is none of `ws:` or `wss:` is a defect.
 *
 * **Example** (Ask and be answered)
 *
 * ```ts
 * import { Console, Effect, Option } from "effect"
 * import { Nursery } from "effect-nursery"
 * import { WebSocket } from "effect-nursery/net"
 *
 * const clock = (stream: WebSocket.ServerStream) => stream.send(`you asked ${stream.handshake.query.get("what")}`)
 *
 * const program = Nursery.open((n) =>
 *   Effect.gen(function*() {
 *     const { port } = yield* n.start(WebSocket.serve(clock, { port: 0 }), { service: true })
 *     const stream = yield* WebSocket.connect(`ws://127.0.0.1:${port}/?what=nothing`)
 *     yield* Console.log(Option.getOrThrow(yield* stream.receive))
 *     yield* Console.log(Option.isNone(yield* stream.receive), yield* stream.whenClosed)
 *   }).pipe(Effect.scoped)
 * )
 *
 * await Effect.runPromise(program)
 * ```
 *
 * ```text output
 * you asked nothing
 * true { code: 1000, reason: '', by: 'peer' }
 * ```
 *
 * @since 0.1.0
 */
export const connect = (
  url: string | URL,
  options: ConnectOptions = {}
): Effect.Effect<WebSocketStream, Errors.Broken | Refused, Scope.Scope> => connectWebSocket(url, options)

/**
 * Makes a message ready once, for as many receivers as there are.
 *
 * **Details**
 *
 * What is made is the frame as a server sends it, in one piece of memory that all
 * receivers share; a `send` of it is one write. It holds a copy of bytes that it
 * was given. A client, and a connection that compresses, sends the message itself.
 *
 * **Example** (One frame, many receivers)
 *
 * ```ts
 * import { WebSocket } from "effect-nursery/net"
 *
 * console.log(String(WebSocket.encode("7 users are online")))
 * ```
 *
 * ```text output
 * Encoded(text, 20 bytes)
 * ```
 *
 * @since 0.1.0
 */
export const encode = (message: Message): Encoded => {
  if (typeof message === "string" || message instanceof Uint8Array) return new EncodedMessage(message)
  throw new TypeError(`Expected a message to be text or a Uint8Array, got \`${String(message)}\` (${typeof message})`)
}

/** So many are served before others get a turn. */
const sendsPerTurn = 512

/**
 * Sends one message to many, encoded once.
 *
 * **Details**
 *
 * Those that have room get it first, in one go. Then those with `overflow: "wait"`
 * that had none are waited for, all at the same time: give receivers that may be
 * slow another policy. It never fails: who has gone is left out, and its own
 * handler hears of it.
 *
 * **Example** (To everybody)
 *
 * ```ts
 * import { Console, Effect, Option } from "effect"
 * import { Nursery } from "effect-nursery"
 * import { WebSocket } from "effect-nursery/net"
 *
 * const users = new Set<WebSocket.ServerStream>()
 * const join = (stream: WebSocket.ServerStream) =>
 *   Effect.gen(function*() {
 *     users.add(stream)
 *     yield* WebSocket.broadcast(users, `${users.size} here`)
 *     yield* stream.whenClosed
 *   }).pipe(Effect.ensuring(Effect.sync(() => users.delete(stream))))
 *
 * const program = Nursery.open((n) =>
 *   Effect.gen(function*() {
 *     const { port } = yield* n.start(WebSocket.serve(join, { port: 0, incoming: "ignore" }), { service: true })
 *     const first = yield* WebSocket.connect(`ws://127.0.0.1:${port}`)
 *     yield* Console.log("first:", Option.getOrThrow(yield* first.receive))
 *     const second = yield* WebSocket.connect(`ws://127.0.0.1:${port}`)
 *     yield* Console.log("second:", Option.getOrThrow(yield* second.receive))
 *     yield* Console.log("first:", Option.getOrThrow(yield* first.receive))
 *   }).pipe(Effect.scoped)
 * )
 *
 * await Effect.runPromise(program)
 * ```
 *
 * ```text output
 * first: 1 here
 * second: 2 here
 * first: 2 here
 * ```
 *
 * @since 0.1.0
 */
export const broadcast = (streams: Iterable<WebSocketStream>, message: Message | Encoded): Effect.Effect<void> =>
  Effect.suspend(() => {
    const encoded = message instanceof EncodedMessage ? message : encode(message as Message)
    const receivers = [...streams]
    const waiting: Array<Effect.Effect<void, unknown>> = []
    const turn = (from: number): Effect.Effect<void> =>
      Effect.suspend(() => {
        const to = Math.min(from + sendsPerTurn, receivers.length)
        for (let i = from; i < to; i++) {
          const sent = handOver(receivers[i]!, encoded)
          if (sent !== undefined) waiting.push(sent)
        }
        if (to < receivers.length) return Effect.flatMap(Effect.yieldNow, () => turn(to))
        return waiting.length === 0 ? Effect.void : Effect.forEach(waiting, (sent) => Effect.ignore(sent), { concurrency: "unbounded", discard: true })
      })
    return turn(0)
  })

const handOver = (stream: WebSocketStream, encoded: Encoded): Effect.Effect<void, unknown> | undefined => {
  if (!(stream instanceof WebSocketHandle)) return stream.send(encoded)
  const sent = stream.offer(encoded)
  return Exit.isExit(sent) ? undefined : sent
}
