/** TLS: who trusts whom, what the two ends agree on, and what is left when they do not. */
import * as net from "node:net"
import { Cause, Effect, Exit, Fiber, Option, Result, Stream } from "effect"
import { Nursery, TaskTree, Timeout } from "effect-nursery"
import { type Connection, Network, type TcpAddress } from "effect-nursery/net/Network"
import * as Tls from "effect-nursery/net/Tls"
import { assert, describe, it } from "vitest"
import { Authority, selfSigned } from "./certificates.ts"
import { connectedPair } from "./pairs.ts"
import { anyPort, authority, finalizersOf, localhost, run, text, until } from "./sockets.ts"

const client = (options?: Partial<Tls.ClientOptions>): Tls.ClientOptions => ({ _tag: "Client", serverName: "localhost", ca: authority.cert, ...options })
const server = (options?: Partial<Tls.ServerOptions>): Tls.ServerOptions => ({ _tag: "Server", identity: localhost, ...options })

const tcpPair = connectedPair<TcpAddress>(anyPort)

/** How a handshake ends on both sides. */
const handshake = (clientOptions: Tls.ClientOptions, serverOptions: Tls.ServerOptions) =>
  Effect.gen(function*() {
    const network = yield* Network
    const [a, b] = yield* tcpPair
    return yield* Effect.all(
      [Effect.result(network.secure(a, clientOptions)), Effect.result(network.secure(b, serverOptions))],
      { concurrency: 2 }
    )
  })

const agreed = (clientOptions: Tls.ClientOptions, serverOptions: Tls.ServerOptions) =>
  Effect.map(handshake(clientOptions, serverOptions), ([a, b]) => [Result.getOrThrow(a), Result.getOrThrow(b)] as const)

const codeOf = (result: Result.Result<unknown, { readonly cause?: unknown }>): unknown =>
  Result.isFailure(result) ? (result.failure.cause as { readonly code?: string }).code : "(no failure)"

describe("Network.secure", () => {
  it("tells what the two ends agreed on", () =>
    run(Effect.gen(function*() {
      const [a, b] = yield* agreed(client({ protocols: ["h2", "chat/1"] }), server({ protocols: ["chat/1", "http/1.1"] }))
      assert.strictEqual(a.session.version, "TLSv1.3")
      assert.deepStrictEqual(a.session.protocol, Option.some("chat/1"))
      assert.deepStrictEqual(a.session.peerName, Option.some("localhost"))
      assert.deepStrictEqual(a.session.serverName, Option.none())
      assert.deepStrictEqual(b.session.protocol, Option.some("chat/1"))
      assert.deepStrictEqual(b.session.serverName, Option.some("localhost"))
      assert.deepStrictEqual(b.session.peerName, Option.none())
      assert.deepStrictEqual(a.peer, b.local)
      assert.deepStrictEqual(a.local, b.peer)
    })))

  it("agrees on no protocol when nobody names one, and fails when none is common", () =>
    run(Effect.gen(function*() {
      const [a] = yield* agreed(client(), server({ protocols: ["chat/1"] }))
      assert.deepStrictEqual(a.session.protocol, Option.none())
      const [failed] = yield* handshake(client({ protocols: ["h2"] }), server({ protocols: ["chat/1"] }))
      assert.include(String(codeOf(failed)), "NO_APPLICATION_PROTOCOL")
    })))

  it("refuses a certificate that nobody vouches for, and both ends are told", () =>
    run(Effect.gen(function*() {
      for (const [identity, code] of [
        [selfSigned("localhost"), "DEPTH_ZERO_SELF_SIGNED_CERT"],
        [new Authority("somebody else").certify("localhost"), "UNABLE_TO_VERIFY_LEAF_SIGNATURE"]
      ] as const) {
        const [a, b] = yield* handshake(client(), server({ identity }))
        assert.strictEqual(codeOf(a), code)
        assert.match(Result.isFailure(a) ? a.failure.message : "", /^tls 127\.0\.0\.1:\d+ is broken: /)
        // In TLS 1.3 the server may have finished before the client has looked. Then it hears nothing more.
        if (Result.isSuccess(b)) {
          const received = yield* Effect.exit(b.success.receive)
          assert.isTrue(Exit.isFailure(received) || Option.isNone(received.value))
        }
      }
    })))

  it("refuses a certificate for somebody else", () =>
    run(Effect.gen(function*() {
      const [a] = yield* handshake(client({ serverName: "example.com" }), server())
      assert.strictEqual(codeOf(a), "ERR_TLS_CERT_ALTNAME_INVALID")
      const [address] = yield* agreed(client({ serverName: "127.0.0.1" }), server())
      assert.deepStrictEqual(address.session.peerName, Option.some("localhost"))
    })))

  it("trusts anybody when it is told to", () =>
    run(Effect.gen(function*() {
      const [a] = yield* agreed(client({ serverName: "example.com", unverified: true }), server({ identity: selfSigned("whoever") }))
      assert.deepStrictEqual(a.session.peerName, Option.some("whoever"))
    })))

  it("shows the certificate for the name that the client asks for", () =>
    run(Effect.gen(function*() {
      const identities = { "a.example": authority.certify("a.example"), "*.b.example": authority.certify("x.b.example") }
      const options = server({ identities })
      for (const [serverName, peerName] of [["a.example", "a.example"], ["x.b.example", "x.b.example"], ["localhost", "localhost"]] as const) {
        const [a, b] = yield* agreed(client({ serverName }), options)
        assert.deepStrictEqual(a.session.peerName, Option.some(peerName))
        assert.deepStrictEqual(b.session.serverName, Option.some(serverName))
      }
    })))

  it("asks for a client's certificate, and takes only one of its authority", () =>
    run(Effect.gen(function*() {
      const members = new Authority("members")
      const options = server({ clientCa: members.cert })
      const [, b] = yield* agreed(client({ identity: members.certify("ada") }), options)
      assert.deepStrictEqual(b.session.peerName, Option.some("ada"))
      for (const identity of [undefined, authority.certify("mallory"), selfSigned("eve")]) {
        const [a, refused] = yield* handshake(client(identity === undefined ? {} : { identity }), options)
        assert.isTrue(Result.isFailure(refused))
        // In TLS 1.3 the client may have finished before it was refused. Then it hears nothing more.
        if (Result.isSuccess(a)) {
          const received = yield* Effect.exit(a.success.receive)
          assert.isTrue(Exit.isFailure(received) || Option.isNone(received.value))
        }
      }
    })))

  it("goes on where plain text has stopped, also when bytes have come already (STARTTLS)", () =>
    run(Effect.gen(function*() {
      const network = yield* Network
      const [a, b] = yield* tcpPair
      // So many small messages that the sockets read them in a way of their own.
      for (let i = 0; i < 20; i++) {
        yield* a.send("NOOP\r\n")
        yield* b.receiveUntil("\r\n")
        yield* b.send("250 OK\r\n")
        yield* a.receiveUntil("\r\n")
      }
      yield* a.send("STARTTLS\r\n")
      assert.strictEqual(text(Option.getOrThrow(yield* b.receiveUntil("\r\n"))), "STARTTLS")
      // The reply and the client's first words of TLS come together.
      yield* b.send("go")
      assert.strictEqual(text(Option.getOrThrow(yield* a.receiveExactly(2))), "go")
      const waiting = yield* Effect.forkChild(b.receiveExactly(1 << 20), { startImmediately: true })
      const securing = yield* Effect.forkChild(network.secure(a, client()))
      yield* until(() => b.bytesReceived > 300)
      yield* Fiber.interrupt(waiting)
      const secureB = yield* network.secure(b, server())
      const secureA = yield* Fiber.join(securing)
      yield* secureA.send("secret")
      assert.strictEqual(text(Option.getOrThrow(yield* secureB.receive)), "secret")
    })))

  it("takes the connection over: only the result can be used, and closing either closes both", () =>
    run(Effect.gen(function*() {
      const network = yield* Network
      for (const which of ["plain", "secure"] as const) {
        const [a, b] = yield* tcpPair
        const [secureA, secureB] = yield* Effect.all([network.secure(a, client()), network.secure(b, server())], { concurrency: 2 })
        for (const effect of [a.receive, a.send("x"), a.sendEof]) assert.strictEqual((yield* Effect.flip(effect as Effect.Effect<unknown, { readonly _tag: string }>))._tag, "Closed")
        yield* secureA.send("x")
        yield* which === "plain" ? a.close : secureA.close
        assert.strictEqual((yield* Effect.flip(secureA.send("x")))._tag, "Closed")
        assert.strictEqual(text(Option.getOrThrow(yield* secureB.receive)), "x")
        assert.isTrue(Option.isNone(yield* secureB.receive))
      }
    })))

  it("aborts the connection when the peer does not speak TLS", () =>
    run(Effect.gen(function*() {
      const network = yield* Network
      const [a, b] = yield* tcpPair
      yield* b.send("220 mail.example.com\r\n")
      const error = yield* Effect.flip(network.secure(a, client()))
      assert.strictEqual((error.cause as { readonly code: string }).code, "ERR_SSL_WRONG_VERSION_NUMBER")
      const end = yield* Effect.exit(Stream.runDrain(b.chunks))
      assert.isTrue(Exit.isSuccess(end) || Cause.squash(end.cause) instanceof Error)
      yield* b.close
      const [c, d] = yield* tcpPair
      yield* c.send("GET / HTTP/1.1\r\n\r\n")
      assert.include(String(codeOf(yield* Effect.result(network.secure(d, server())))), "ERR_SSL")
    })))

  it("fails when the peer goes away in the middle", () =>
    run(Effect.gen(function*() {
      const network = yield* Network
      for (const [mine, i] of [[client(), 0], [server(), 1]] as const) {
        for (const end of ["close", "abort"] as const) {
          const pair = yield* tcpPair
          const securing = yield* Effect.forkChild(Effect.result(network.secure(pair[i], mine)), { startImmediately: true })
          yield* pair[1 - i]![end]
          assert.isTrue(Result.isFailure(yield* Fiber.join(securing)))
        }
      }
    })))

  it("leaves nothing when it is cancelled, and says in the task tree what it waits for", () =>
    run(Effect.gen(function*() {
      const network = yield* Network
      for (const [mine, i] of [[client(), 0], [server(), 1]] as const) {
        const pair = yield* tcpPair
        yield* Nursery.open((n) => Effect.gen(function*() {
          yield* n.startSoon(network.secure(pair[i], mine), { name: "shy" })
          yield* Effect.sleep(5)
          assert.include(TaskTree.toText(yield* TaskTree.now), "agreeing on TLS with tls 127.0.0.1:")
          yield* n.cancelTasks()
        }))
        // The other side sees the end, behind what a client had said.
        const end = yield* Effect.exit(Stream.runDrain(pair[1 - i]!.chunks))
        assert.isTrue(Exit.isSuccess(end) || Cause.squash(end.cause) instanceof Error)
      }
    })))

  it("fails with what is wrong with a certificate that cannot be read", () =>
    run(Effect.gen(function*() {
      const network = yield* Network
      const [, b] = yield* tcpPair
      const error = yield* Effect.flip(network.secure(b, server({ identity: { cert: "rubbish", key: "rubbish" } })))
      assert.match(error.message, /^tls 127\.0\.0\.1:\d+ is broken: .*PEM/i)
    })))

  it("cannot tell a peer that cut the connection from one that ended it, as Node cannot", () =>
    run(Effect.gen(function*() {
      const [a, b] = yield* agreed(client(), server())
      yield* a.send("x")
      yield* a.abort
      const rest = yield* Effect.exit(Stream.runCollect(b.chunks))
      if (Exit.isSuccess(rest)) assert.strictEqual(Buffer.concat(rest.value).toString(), "x")
    })))
})

describe("Tls.connect", () => {
  const listening = Effect.gen(function*() {
    const network = yield* Network
    const { address } = yield* network.listen(anyPort, {
      connected: (connection: Connection<TcpAddress>) => {
        const echo = Effect.flatMap(network.secure(connection, server()), (stream) => Stream.runForEach(stream.chunks, (chunk) => stream.send(chunk)))
        Effect.runFork(Effect.ensuring(Effect.ignore(echo), connection.close))
      },
      failed: () => {}
    })
    return address.port
  })

  it("connects by name and verifies that name", () =>
    run(Effect.gen(function*() {
      const port = yield* listening
      yield* Effect.scoped(Effect.gen(function*() {
        const stream: Tls.TlsStream = yield* Tls.connect({ host: "localhost", port, ca: authority.cert })
        yield* stream.send("hello")
        assert.strictEqual(text(Option.getOrThrow(yield* stream.receiveExactly(5))), "hello")
        assert.strictEqual(stream.session.version, "TLSv1.3")
      }))
      const other = yield* Effect.flip(Tls.connect({ host: "localhost", port, serverName: "example.com", ca: authority.cert }))
      assert.strictEqual((other.cause as { readonly code: string }).code, "ERR_TLS_CERT_ALTNAME_INVALID")
    })))

  it("fails for want of trust, and leaves nothing in the scope", () =>
    run(Effect.gen(function*() {
      const port = yield* listening
      const scope = yield* Effect.scope
      const before = finalizersOf(scope)
      for (let i = 0; i < 3; i++) assert.strictEqual((yield* Effect.flip(Tls.connect({ host: "127.0.0.1", port })))._tag, "Broken")
      assert.strictEqual(finalizersOf(scope), before)
    })))

  it("T05: names host and port when nobody listens", () =>
    run(Effect.gen(function*() {
      const port = yield* Effect.scoped(listening)
      const error = yield* Effect.flip(Tls.connect({ host: "127.0.0.1", port }))
      assert.include(error.message, `127.0.0.1:${port} is broken: connect ECONNREFUSED`)
    })))

  it("can be given up while the server says nothing", () =>
    run(Effect.gen(function*() {
      const mute = net.createServer((socket) => void socket.on("error", () => {}).resume())
      const port = yield* Effect.callback<number>((resume) => void mute.listen(0, "127.0.0.1", () => resume(Effect.succeed((mute.address() as net.AddressInfo).port))))
      const result = yield* Timeout.moveOnAfter(Tls.connect({ host: "127.0.0.1", port }), "20 millis")
      assert.isTrue(Option.isNone(result))
      mute.close()
    })))
})
