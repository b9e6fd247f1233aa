/** Situations for the operations of streams, framing, transports and servers. */
import { Deferred, Effect, Stream } from "effect"
import { CancelScope, Nursery, Timeout } from "effect-nursery"
import { ByteStream, Framing, Network, Tcp, Tls, Unix, WebSocket } from "effect-nursery/net"
import { MemoryStream } from "effect-nursery/testing"
import * as path from "node:path"
import { connectedPair } from "../net/pairs.ts"
import { anyPort, authority, localhost, temporaryFolder, until } from "../net/sockets.ts"
import { beside, type Check, never, type Situation, type Situations } from "./situation.ts"

type Use<A> = (ends: A, check: Check) => Effect.Effect<unknown, any, any>

// --- streams ---

type Ends = readonly [MemoryStream.MemoryStream, MemoryStream.MemoryStream]

const inMemory = (use: Use<Ends>): Situation => (check) => Effect.flatMap(MemoryStream.pair({ capacity: 4 }), (ends) => use(ends, check))
const lockstep = (use: Use<Ends>): Situation => (check) => Effect.flatMap(MemoryStream.lockstepPair(), (ends) => use(ends, check))
const overTcp = (use: Use<readonly [Network.Connection, Network.Connection]>): Situation => (check) =>
  Effect.scoped(Effect.flatMap(connectedPair(anyPort), (ends) => use(ends, check)))

/** Receives in one step what has come, and waits for what has not. */
const receiving = (receive: (stream: ByteStream.ByteStream) => Effect.Effect<unknown, any>): Situations => ({
  free: [
    inMemory(([here, there], check) => Effect.andThen(there.send("ab\n"), check(receive(here)))),
    inMemory(([here, there], check) => Effect.andThen(there.sendEof, check(receive(here)))),
    inMemory(([here], check) => Effect.andThen(here.close, Effect.exit(check(receive(here)))))
  ],
  held: [inMemory(([here, there], check) => beside(there.send("ab\n"), check(receive(here))))]
})

const streaming = (all: (stream: ByteStream.ByteStream) => Stream.Stream<unknown, any>): Situations => ({
  free: [inMemory(([here, there], check) => Effect.andThen(Effect.andThen(there.send("ab\n"), there.sendEof), check(Stream.runDrain(all(here)))))],
  held: [inMemory(([here, there], check) => beside(Effect.andThen(there.send("ab\n"), there.sendEof), check(Stream.runDrain(all(here)))))]
})

/** More than any system takes from somebody whose peer does not read. */
const tooMuch = new Uint8Array(32 * 1024 * 1024)

const receiveAll = (stream: ByteStream.ByteStream): Effect.Effect<unknown, any> => Stream.runDrain(stream.chunks)

const copied: Use<readonly [ByteStream.ByteStream, ByteStream.ByteStream]> = ([here, there], check) =>
  Effect.andThen(Effect.andThen(there.send("ab\n"), there.sendEof), check(ByteStream.copy(here, here)))

const streams: Readonly<Record<string, Situations>> = {
  "ByteStream.copy": {
    free: [inMemory(copied)],
    held: [
      inMemory(([here, there], check) => beside(Effect.andThen(there.send("ab\n"), there.sendEof), check(ByteStream.copy(here, here)))),
      // Nothing is read from a socket before somebody wants it.
      overTcp(copied)
    ]
  },
  "ByteStream.ByteStream.receive": receiving((stream) => stream.receive),
  "ByteStream.ByteStream.receiveExactly": receiving((stream) => stream.receiveExactly(3)),
  "ByteStream.ByteStream.receiveUntil": receiving((stream) => stream.receiveUntil("\n")),
  "ByteStream.ByteStream.chunks": streaming((stream) => stream.chunks),
  "ByteStream.ByteStream.lines": streaming((stream) => stream.lines),
  "ByteStream.ByteStream.send": {
    free: [
      inMemory(([here], check) => check(here.send("ab\n"))),
      inMemory(([here], check) => Effect.andThen(here.close, Effect.exit(check(here.send("ab\n"))))),
      overTcp(([here], check) => check(here.send("ab\n")))
    ],
    held: [
      lockstep(([here, there], check) => beside(there.receive, check(here.send("ab\n")))),
      overTcp(([here, there], check) => beside(receiveAll(there), Effect.andThen(check(here.send(tooMuch)), here.close)))
    ]
  },
  "ByteStream.ByteStream.sendEof": {
    free: [
      inMemory(([here], check) => check(here.sendEof)),
      overTcp(([here], check) => Effect.andThen(here.sendEof, check(here.sendEof)))
    ],
    held: [overTcp(([here], check) => check(here.sendEof))]
  },
  "ByteStream.ByteStream.close": {
    free: [
      inMemory(([here], check) => check(here.close)),
      overTcp(([here], check) => Effect.andThen(here.send("ab\n"), check(here.close)))
    ],
    // Somebody was cancelled in the middle of a long message.
    held: [overTcp(([here, there], check) =>
      Effect.andThen(Timeout.moveOnAfter(here.send(tooMuch), "10 millis"), beside(receiveAll(there), check(here.close)))
    )]
  },
  "ByteStream.ByteStream.abort": never(
    inMemory(([here], check) => check(here.abort)),
    overTcp(([here], check) => check(here.abort))
  )
}

// --- framing ---

const framed = (use: (framed: Framing.Framed<string, any, any>) => Effect.Effect<unknown, any>): Situations =>
  receiving((stream) => use(Framing.framed(stream, Framing.lineCodec())))

const framing: Readonly<Record<string, Situations>> = {
  // The stream that it reads from is the user's.
  "Framing.Source.receive": receiving((stream: Framing.Source<any>) => stream.receive),
  "Framing.Duplex.send": {
    free: [inMemory(([here], check) => check((here as Framing.Duplex<any>).send("ab\n")))],
    held: [lockstep(([here, there], check) => beside(there.receive, check((here as Framing.Duplex<any>).send("ab\n"))))]
  },
  "Framing.Reader.next": framed((lines) => lines.next),
  "Framing.Reader.stream": framed((lines) => Stream.runHead(lines.stream)),
  "Framing.Reader.leftover": never(inMemory(([here, there], check) =>
    Effect.gen(function*() {
      yield* there.send("a\n")
      const lines = Framing.framed(here, Framing.lineCodec())
      yield* lines.next
      yield* check(lines.leftover)
    })
  )),
  "Framing.Framed.send": {
    free: [inMemory(([here], check) => check(Framing.framed(here, Framing.lineCodec()).send("ab")))],
    held: [lockstep(([here, there], check) => beside(there.receive, check(Framing.framed(here, Framing.lineCodec()).send("ab"))))]
  }
}

// --- transports and servers ---

const ignoring: Network.Acceptor<any> = { connected: (connection) => Effect.runSync(connection.abort), failed: () => {} }

const withNetwork = (use: (network: Network.Network, check: Check) => Effect.Effect<unknown, any, any>): Situation => (check) =>
  Effect.scoped(Effect.flatMap(Network.Network, (network) => use(network, check)))

const greet = (stream: ByteStream.ByteStream) => stream.send("hello\n")

/** Runs a server as long as somebody talks to it. */
const served = <A>(serve: Nursery.Startable<A, unknown, any, never>, talk: (at: A) => Effect.Effect<unknown, any, any>) =>
  Effect.scoped(Nursery.open((n) => Effect.flatMap(n.start(serve, { service: true }), talk)))

const serving = <A>(serve: Nursery.Startable<A, unknown, any, never>): Situations => ({
  held: [(check) =>
    CancelScope.open((scope) => Nursery.open((n) => Effect.andThen(n.start((started: (at: A) => Effect.Effect<void>) => check(serve(started))), scope.stop({ grace: "1 minute" }))))
  ]
})

const transports: Readonly<Record<string, Situations>> = {
  "Network.Connection.endInput": never(overTcp(([here], check) => check(here.endInput))),
  "Network.Listener.close": never(withNetwork((network, check) => Effect.flatMap(network.listen(anyPort, ignoring), (listener) => check(listener.close)))),
  "Network.Network.lookup": {
    free: [withNetwork((network, check) => check(network.lookup("127.0.0.1")))],
    held: [withNetwork((network, check) => check(network.lookup("localhost")))]
  },
  "Network.Network.connect": {
    held: [withNetwork((network, check) => Effect.flatMap(network.listen(anyPort, ignoring), ({ address }) => check(network.connect(address))))]
  },
  "Network.Network.listen": { held: [withNetwork((network, check) => check(network.listen(anyPort, ignoring)))] },
  "Network.Network.secure": {
    held: [(check) => withNetwork((network) =>
      Effect.flatMap(connectedPair(anyPort), ([client, server]) =>
        beside(
          network.secure(server, { _tag: "Server", identity: localhost }),
          check(network.secure(client, { _tag: "Client", serverName: "localhost", ca: authority.cert }))
        ))
    )(check)]
  },
  "Tcp.connect": { held: [(check) => served(Tcp.serve(greet, { port: 0 }), (at) => check(Tcp.connect(at)))] },
  "Tcp.serve": serving(Tcp.serve(greet, { port: 0 })),
  "Tls.connect": {
    held: [(check) => served(Tls.serve(greet, { port: 0, identity: localhost }), ({ port }) => check(Tls.connect({ host: "localhost", port, ca: authority.cert })))]
  },
  "Tls.serve": serving(Tls.serve(greet, { port: 0, identity: localhost })),
  "Unix.connect": {
    held: [(check) => Effect.scoped(Effect.flatMap(temporaryFolder, (folder) => {
      const at = { path: path.join(folder, "s") }
      return served(Unix.serve(greet, at), () => check(Unix.connect(at)))
    }))]
  },
  "Unix.serve": {
    held: [(check) => Effect.scoped(Effect.flatMap(temporaryFolder, (folder) =>
      serving(Unix.serve(greet, { path: path.join(folder, "s") })).held![0]!(check)
    ))]
  }
}

// --- WebSockets ---

type WebSockets = readonly [client: WebSocket.WebSocketStream, server: WebSocket.WebSocketStream]

/** The server's end waits when it has sent a byte that the client has not taken. */
const webSockets = (use: Use<WebSockets>): Situation => (check) =>
  Effect.gen(function*() {
    const accepted = yield* Deferred.make<WebSocket.WebSocketStream>()
    const handler = (stream: WebSocket.ServerStream) => Effect.andThen(Deferred.succeed(accepted, stream), stream.whenClosed)
    yield* served(WebSocket.serve(handler, { port: 0, outboxBytes: 1, maxPayload: tooMuch.length }), ({ port }) =>
      Effect.gen(function*() {
        const client = yield* WebSocket.connect(`ws://127.0.0.1:${port}`, { inboxBytes: 1, maxPayload: tooMuch.length })
        yield* use([client, yield* Deferred.await(accepted)], check)
      }))
  })

const hearing = (receive: (stream: WebSocket.WebSocketStream) => Effect.Effect<unknown, any>): Situations => ({
  free: [webSockets(([client, server], check) =>
    Effect.gen(function*() {
      yield* server.send("hello")
      yield* until(() => client.statistics.waitingMessages > 0)
      yield* check(receive(client))
    })
  )],
  held: [webSockets(([client, server], check) => beside(server.send("hello"), check(receive(client))))]
})

/** What is sent while the peer has not taken a long message. */
const telling = (tell: (stream: WebSocket.WebSocketStream) => Effect.Effect<unknown, any>): Situations => ({
  free: [webSockets(([, server], check) => check(tell(server)))],
  held: [webSockets(([client, server], check) =>
    Effect.gen(function*() {
      yield* server.send(tooMuch)
      yield* beside(Effect.andThen(client.receive, client.receive), check(tell(server)))
    })
  )]
})

const webSocketsOnly: Readonly<Record<string, Situations>> = {
  "WebSocket.WebSocketStream.receive": hearing((stream) => stream.receive),
  "WebSocket.WebSocketStream.messages": hearing((stream) => Stream.runHead(stream.messages)),
  "WebSocket.WebSocketStream.send": telling((stream) => stream.send("hello")),
  "WebSocket.WebSocketStream.close": {
    free: [webSockets(([client], check) => Effect.andThen(client.close(), check(client.close())))],
    held: [webSockets(([client], check) => check(client.close()))]
  },
  "WebSocket.WebSocketStream.abort": never(webSockets(([client], check) => check(client.abort))),
  "WebSocket.WebSocketStream.whenClosed": {
    free: [webSockets(([client], check) => Effect.andThen(client.close(), check(client.whenClosed)))],
    held: [webSockets(([client, server], check) => beside(server.close(), check(client.whenClosed)))]
  },
  "WebSocket.serve": serving(WebSocket.serve((stream) => stream.send("hello"), { port: 0 })),
  "WebSocket.connect": {
    held: [(check) => served(WebSocket.serve((stream) => stream.whenClosed, { port: 0 }), ({ port }) => check(WebSocket.connect(`ws://127.0.0.1:${port}`)))]
  },
  "WebSocket.broadcast": telling((stream) => WebSocket.broadcast([stream], "hello"))
}

export const netSituations: Readonly<Record<string, Situations>> = { ...streams, ...framing, ...transports, ...webSocketsOnly }
