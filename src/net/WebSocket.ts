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
import type { IncomingHttpHeaders, Server as HttpServer } from "node:http"
import type { ConnectionOptions as TlsOptions } from "node:tls"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type * as Errors from "../core/Errors.ts"
import type { Startable } from "../core/Nursery.ts"
import type { StreamError } from "./ByteStream.ts"
import { connectWebSocket } from "./internal/WebSocketClient.ts"
import { EncodedMessage } from "./internal/WebSocketFrame.ts"
import { WebSocketHandle } from "./internal/WebSocketHandle.ts"
import type { Refused } from "./internal/WebSocketRefused.ts"
import { serveWebSocket } from "./internal/WebSocketServe.ts"
import type { Address, TcpAddress } from "./Network.ts"
import type * as Server from "./Server.ts"

export { Refused } from "./internal/WebSocketRefused.ts"

/**
 * Text is a string, anything else bytes.
 *
 * @since 0.1.0
 */
export type Message = string | Uint8Array

/**
 * A message that has been made ready once for many receivers. See {@link encode}.
 *
 * @since 0.1.0
 */
export interface Encoded {
  /** What it was made of. */
  readonly message: Message
}

/**
 * How a WebSocket has ended.
 *
 * @since 0.1.0
 */
export interface Close {
  /** 1000 for done, 1001 for going away, … (RFC 6455, section 7.4); 1005 when the peer gave none, 1006 when no close came. */
  readonly code: number
  readonly reason: string
  /** Who closed it first; `"nobody"` when the connection was lost. */
  readonly by: "us" | "peer" | "nobody"
}

/**
 * A WebSocket at this moment.
 *
 * @since 0.1.0
 */
export interface Statistics {
  /** Messages that have come and have not been received. */
  readonly waitingMessages: number
  /** Bytes that the system has not taken yet. */
  readonly bufferedBytes: number
  /** Sends that wait. */
  readonly waitingSenders: number
  /** Messages that were not sent, because of `overflow: "drop"`. */
  readonly dropped: number
}

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
 * What a client asked for. It prints its path only: the rest may be secret.
 *
 * @since 0.1.0
 */
export interface Handshake {
  /** Path and query, as they came. */
  readonly url: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  /** The page that opens it, such as `https://example.com`. What is no browser has none, or any that it likes. */
  readonly origin: string | undefined
  /** The sub-protocols that the client offers, the dearest first. */
  readonly protocols: ReadonlyArray<string>
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
 * How one WebSocket works, at either end.
 *
 * @since 0.1.0
 */
export interface StreamOptions {
  /** So many bytes a message of the peer may have, unpacked; a longer one ends it with 1009. Default: 1 MiB. */
  readonly maxPayload?: number
  /**
   * When so many bytes of messages wait to be received, no more is read from the peer, until half of
   * them are. What one read of the system brought more is kept. Default: 64 KiB.
   */
  readonly inboxBytes?: number
  /** So many bytes may wait for the peer to take them; a message more is let in. Default: 64 KiB. */
  readonly outboxBytes?: number
  /**
   * What `send` does while so much waits already.
   *
   * - `"wait"`: it waits, first come, first served.
   * - `"drop"`: it does not send the message, and counts it.
   * - `"disconnect"`: it ends the WebSocket, and is `Broken`.
   *
   * Default: `"wait"`.
   */
  readonly overflow?: "wait" | "drop" | "disconnect"
  /**
   * What is done with messages of the peer: `"receive"` keeps them for `receive`; an endpoint that only
   * sends says `"ignore"`, or `"refuse"`, which ends it with 1008. Default: `"receive"`.
   */
  readonly incoming?: "receive" | "ignore" | "refuse"
  /**
   * When nothing has come for `every`, the peer is asked whether it is there, and again each time that
   * has passed. After `missed` (2) that were not answered it is cut off. Default: every 30 seconds.
   */
  readonly ping?: false | { readonly every: Duration.Input; readonly missed?: number }
  /** A peer that sends more pings and pongs in a second is cut off with 1008. Default: 100. */
  readonly maxPingsPerSecond?: number
  /** How long the peer may take to answer a close. Default: 1 second. */
  readonly closeTimeout?: Duration.Input
  /** Pack messages (permessage-deflate) from `threshold` bytes up, 1024 unless told otherwise, if the peer can. Default: `false`. */
  readonly compression?: boolean | { readonly threshold?: number }
}

/**
 * Which pages may open a WebSocket. A browser sends cookies with the handshake,
 * whichever page opens it, so that a server which knows its users by cookies must look.
 *
 * - `"same"`: those of the same host and port.
 * - a list: those of these origins, such as `https://example.com`.
 * - a function of the origin and the handshake: those for which it says `true`.
 * - `"any"`: all.
 *
 * All but the function let in what sends no origin, which is no browser.
 *
 * @since 0.1.0
 */
export type Origins = "same" | "any" | ReadonlyArray<string> | ((origin: string | undefined, handshake: Handshake) => boolean)

/**
 * How a server treats its WebSockets: as `Server.Options`, with `grace` 3 seconds,
 * `whenFull` `"reject"` and `endInputOnStop` `true` unless told otherwise. Whoever
 * is turned away is answered 503.
 *
 * @since 0.1.0
 */
export interface ServeOptions<in E = never, out R = never>
  extends StreamOptions, Omit<Server.Options<E, R>, "limits" | "heartbeat" | "keepAlive">
{
  /** Only this path; others are answered 404. Default: any. */
  readonly path?: string
  /** Which pages may open one; others are answered 403. Default: `"same"`. */
  readonly origins?: Origins
  /**
   * The sub-protocols that the server speaks, the dearest first, or a function that chooses one of those
   * that are offered. Default: none, whatever is offered.
   */
  readonly protocols?: ReadonlyArray<string> | ((offered: ReadonlyArray<string>, handshake: Handshake) => string | undefined)}

/**
 * A server on a port of its own.
 *
 * @since 0.1.0
 */
export interface PortOptions<in E = never, out R = never> extends ServeOptions<E, R> {
  /** Port 0 means any free one. */
  readonly port: number
  /** Default: `"127.0.0.1"`. */
  readonly host?: string
}

/**
 * A server beside what an HTTP server does otherwise. That one is not closed, and
 * may have several, each with a path.
 *
 * @since 0.1.0
 */
export interface MountOptions<in E = never, out R = never> extends ServeOptions<E, R> {
  /** Of `node:http`, or of `node:https`. It is ready when that one listens. */
  readonly server: HttpServer
}

/**
 * How a client opens a WebSocket.
 *
 * @since 0.1.0
 */
export interface ConnectOptions extends StreamOptions {
  /** The sub-protocols to offer, the dearest first. A server that chooses none of them is `Broken`. */
  readonly protocols?: ReadonlyArray<string>
  readonly headers?: Readonly<Record<string, string>>
  /** The origin to send. */
  readonly origin?: string
  /** How long all of it may take. Default: 10 seconds. */
  readonly timeout?: Duration.Input
  /** For `wss:`, such as `ca`. */
  readonly tls?: TlsOptions
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
