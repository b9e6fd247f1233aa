/** Node's transport: names, connections and listeners, over real sockets. */
import * as os from "node:os"
import * as net from "node:net"
import { Cause, Effect, Exit, Fiber, Option } from "effect"
import type { Errors } from "effect-nursery"
import { type Acceptor, type Connection, Network, type TcpAddress } from "effect-nursery/net/Network"
import { assert, describe, it } from "vitest"
import { anyPort, finalizersOf, run, text, until } from "./sockets.ts"

const localAt = (port: number): TcpAddress => ({ ...anyPort, port })

/** Collects what it is given. */
class Accepted implements Acceptor<TcpAddress> {
  readonly connections: Array<Connection<TcpAddress>> = []
  readonly failures: Array<Errors.Broken> = []
  readonly connected = (connection: Connection<TcpAddress>): void => void this.connections.push(connection)
  readonly failed = (error: Errors.Broken): void => void this.failures.push(error)
  readonly abort = Effect.suspend(() => Effect.forEach(this.connections, (connection) => connection.abort))
}

const accepting = Effect.acquireRelease(Effect.sync(() => new Accepted()), (accepted) => accepted.abort)

const codeOf = (error: Errors.Broken): unknown => (error.cause as { readonly code: string }).code

describe("Network.lookup", () => {
  it("gives an address itself, and the addresses of a name", () =>
    run(Effect.gen(function*() {
      const network = yield* Network
      assert.deepStrictEqual(yield* network.lookup("192.0.2.1"), ["192.0.2.1"])
      assert.deepStrictEqual(yield* network.lookup("2001:db8::1"), ["2001:db8::1"])
      assert.include(yield* network.lookup("localhost"), "127.0.0.1")
    })))

  it("fails for a name that has none", () =>
    run(Effect.gen(function*() {
      const network = yield* Network
      const error = yield* Effect.flip(network.lookup("no-such-host.invalid"))
      assert.strictEqual(error.what, "host no-such-host.invalid")
    })))

  it("does not keep who is cancelled waiting for the resolver", () =>
    run(Effect.gen(function*() {
      const network = yield* Network
      const looking = yield* Effect.forkChild(network.lookup("no-such-host.invalid"), { startImmediately: true })
      yield* Fiber.interrupt(looking)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(looking)))
    })))
})

describe("Network.connect", () => {
  it("knows both addresses, and keeps them when it is closed", () =>
    run(Effect.gen(function*() {
      const network = yield* Network
      const accepted = yield* accepting
      const { address } = yield* network.listen(anyPort, accepted)
      const connection = yield* network.connect(address)
      assert.deepStrictEqual(connection.peer, address)
      yield* until(() => accepted.connections.length === 1)
      const [other] = accepted.connections
      assert.deepStrictEqual(connection.local, other!.peer)
      assert.deepStrictEqual(other!.local, address)
      yield* connection.close
      yield* other!.abort
      assert.strictEqual(connection.local.host, "127.0.0.1")
      assert.isAbove(other!.peer.port, 0)
    })))

  it("counts the bytes of both directions", () =>
    run(Effect.gen(function*() {
      const network = yield* Network
      const accepted = yield* accepting
      const { address } = yield* network.listen(anyPort, accepted)
      const connection = yield* network.connect(address)
      yield* connection.send("12345")
      assert.strictEqual(connection.bytesSent, 5)
      yield* until(() => accepted.connections.length === 1)
      const [other] = accepted.connections
      // Nothing is read before somebody receives.
      assert.strictEqual(other!.bytesReceived, 0)
      yield* other!.receiveExactly(2)
      assert.strictEqual(other!.bytesReceived, 5)
    })))

  it("tells how far a long send has come", () =>
    run(Effect.gen(function*() {
      const network = yield* Network
      const accepted = yield* accepting
      const { address } = yield* network.listen(anyPort, accepted)
      const connection = yield* network.connect(address)
      const size = 64 << 20
      const sending = yield* Effect.forkChild(connection.send(Buffer.alloc(size)), { startImmediately: true })
      yield* until(() => accepted.connections.length === 1)
      const { bytesSent } = connection
      assert.isAbove(bytesSent, 0)
      assert.isBelow(bytesSent, size)
      yield* accepted.connections[0]!.receiveExactly(size / 2)
      assert.isAbove(connection.bytesSent, bytesSent)
      assert.isBelow(connection.bytesSent, size)
      yield* accepted.connections[0]!.receiveExactly(size / 2)
      yield* Fiber.join(sending)
      assert.strictEqual(connection.bytesSent, size)
    })))

  it("can be told where to connect from", () =>
    run(Effect.gen(function*() {
      const network = yield* Network
      const accepted = yield* accepting
      const { address } = yield* network.listen(anyPort, accepted)
      const connection = yield* network.connect(address, { localAddress: "127.0.0.1", keepAlive: "30 seconds" })
      assert.strictEqual(connection.local.host, "127.0.0.1")
      const error = yield* Effect.flip(network.connect(address, { localAddress: "192.0.2.1" }))
      assert.strictEqual(codeOf(error), "EADDRNOTAVAIL")
    })))

  it("leaves nothing in a scope when it fails", () =>
    run(Effect.gen(function*() {
      const network = yield* Network
      const { port } = yield* Effect.scoped(Effect.map(network.listen(anyPort, new Accepted()), ({ address }) => address))
      const scope = yield* Effect.scope
      const before = finalizersOf(scope)
      for (let i = 0; i < 10; i++) assert.strictEqual(codeOf(yield* Effect.flip(network.connect(localAt(port)))), "ECONNREFUSED")
      assert.strictEqual(finalizersOf(scope), before)
    })))
})

describe("Network.listen", () => {
  it("T05: names the address when the port is busy", () =>
    run(Effect.gen(function*() {
      const network = yield* Network
      const { address } = yield* network.listen(anyPort, new Accepted())
      const error = yield* Effect.flip(network.listen(address, new Accepted()))
      assert.strictEqual(error._tag, "Broken")
      assert.strictEqual(codeOf(error), "EADDRINUSE")
      assert.match(error.message, new RegExp(`^listener tcp 127\\.0\\.0\\.1:${address.port} is broken: .*EADDRINUSE.*127\\.0\\.0\\.1:${address.port}`))
    })))

  it("T05: names the address when it is not of this machine", () =>
    run(Effect.gen(function*() {
      const network = yield* Network
      const error = yield* Effect.flip(network.listen({ _tag: "Tcp", host: "192.0.2.1", port: 0 }, new Accepted()))
      assert.match(error.message, /^listener tcp 192\.0\.2\.1:0 is broken: listen EADDRNOTAVAIL/)
      const unknown = yield* Effect.flip(network.listen({ _tag: "Tcp", host: "no-such-host.invalid", port: 0 }, new Accepted()))
      assert.match(unknown.message, /^listener tcp no-such-host\.invalid:0 is broken: getaddrinfo/)
    })))

  it.skipIf(os.userInfo().uid === 0 || process.platform !== "linux")("T05: names the address when the port is for the administrator", () =>
    run(Effect.gen(function*() {
      const network = yield* Network
      const error = yield* Effect.flip(network.listen({ _tag: "Tcp", host: "127.0.0.1", port: 1 }, new Accepted()))
      assert.match(error.message, /^listener tcp 127\.0\.0\.1:1 is broken: listen EACCES/)
    })))

  it("frees the port when it is closed, and what was accepted stays", () =>
    run(Effect.gen(function*() {
      const network = yield* Network
      const accepted = yield* accepting
      const listener = yield* network.listen(anyPort, accepted)
      const { address } = listener
      const connection = yield* network.connect(address)
      yield* until(() => accepted.connections.length === 1)
      yield* listener.close
      yield* listener.close
      assert.strictEqual(codeOf(yield* Effect.flip(network.connect(address))), "ECONNREFUSED")
      const again = yield* network.listen(address, accepted)
      assert.deepStrictEqual(again.address, address)
      yield* connection.send("still here")
      assert.strictEqual(text(Option.getOrThrow(yield* accepted.connections[0]!.receive)), "still here")
    })))

  it("ends with its scope", () =>
    run(Effect.gen(function*() {
      const network = yield* Network
      const address = yield* Effect.scoped(Effect.map(network.listen(anyPort, new Accepted()), (listener) => listener.address))
      assert.strictEqual(codeOf(yield* Effect.flip(network.connect(address))), "ECONNREFUSED")
    })))

  it("leaves nothing when it is cancelled before it has begun", () =>
    run(Effect.gen(function*() {
      const network = yield* Network
      for (const host of ["127.0.0.1", "localhost"]) {
        for (let turns = 0; turns < 4; turns++) {
          const starting = yield* Effect.forkChild(Effect.scoped(Effect.andThen(network.listen({ _tag: "Tcp", host, port: 0 }, new Accepted()), Effect.never)))
          for (let i = 0; i < turns; i++) yield* Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
          yield* Fiber.interrupt(starting)
        }
      }
    })))

  const hasIpv6 = Object.values(os.networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === "::1"))

  it.skipIf(!hasIpv6)("names an IPv4 peer of an IPv6 listener by its IPv4 address", () =>
    run(Effect.gen(function*() {
      const network = yield* Network
      const accepted = yield* accepting
      const { address } = yield* network.listen({ _tag: "Tcp", host: "::", port: 0 }, accepted)
      assert.strictEqual(address.host, "::")
      yield* network.connect(localAt(address.port))
      yield* until(() => accepted.connections.length === 1)
      const [{ local, peer } = assert.fail()] = accepted.connections
      assert.deepStrictEqual([peer.host, local.host, local.port], ["127.0.0.1", "127.0.0.1", address.port])
    })))

  it.skipIf(!hasIpv6)("can leave IPv4 out", () =>
    run(Effect.gen(function*() {
      const network = yield* Network
      const { address } = yield* network.listen({ _tag: "Tcp", host: "::", port: 0 }, new Accepted(), { ipv6Only: true, backlog: 10 })
      assert.strictEqual(codeOf(yield* Effect.flip(network.connect(localAt(address.port)))), "ECONNREFUSED")
    })))

  it.skipIf(process.platform !== "linux")("can share a port", () =>
    run(Effect.gen(function*() {
      const network = yield* Network
      const one = yield* network.listen(anyPort, new Accepted(), { reusePort: true })
      const two = yield* network.listen(one.address, new Accepted(), { reusePort: true })
      assert.deepStrictEqual(two.address, one.address)
    })))

  it("does not read before somebody receives, so that the peer has to wait", () =>
    run(Effect.gen(function*() {
      const network = yield* Network
      const accepted = yield* accepting
      const { address } = yield* network.listen(anyPort, accepted)
      const socket = net.connect(address.port, "127.0.0.1")
      yield* Effect.addFinalizer(() => Effect.sync(() => void socket.destroy()))
      socket.on("error", () => {})
      const chunk = Buffer.alloc(1 << 20)
      let blocked = false
      yield* until(() => {
        blocked ||= !socket.connecting && !socket.write(chunk) && socket.bytesWritten - socket.writableLength > 1 << 20
        return blocked
      })
      assert.strictEqual(accepted.connections[0]!.bytesReceived, 0)
    })))
})

describe("Network.secure", () => {
  it("dies of a connection of another network", () =>
    run(Effect.gen(function*() {
      const network = yield* Network
      const exit = yield* Effect.exit(network.secure({} as Connection, { _tag: "Client", serverName: "localhost" }))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
    })))
})
