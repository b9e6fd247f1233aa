/** Sending without waiting: `Connection.offerUnsafe`, on every kind of connection. */
import { Deferred, Effect, Fiber, Option } from "effect"
import { Nursery } from "effect-nursery"
import { Tcp } from "effect-nursery/net"
import { SimulatedNetwork, VirtualClock } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"
import { megabyte, pairs, receiveAll, run, text, until } from "./sockets.ts"

for (const [kind, pair] of pairs) {
  describe(`Connection.offerUnsafe over ${kind}`, () => {
    it("sends bytes and texts in their order, between the sends of others, without waiting", () =>
      run(Effect.gen(function*() {
        const [here, there] = yield* pair
        assert.isNumber(here.offerUnsafe("one "))
        yield* here.send("two ")
        assert.isNumber(here.offerUnsafe(new TextEncoder().encode("drei: Grüße ")))
        assert.isNumber(here.offerUnsafe(""))
        yield* here.send("four")
        yield* here.sendEof
        assert.strictEqual((yield* receiveAll(there)).toString("utf8"), "one two drei: Grüße four")
      })))

    it("tells how much the system has not taken, which falls to nothing when the peer reads", () =>
      run(Effect.gen(function*() {
        const [here, there] = yield* pair
        const block = new Uint8Array(megabyte)
        let unsent = 0
        let offered = 0
        while (unsent < 4 * megabyte) {
          unsent = here.offerUnsafe(block)!
          offered++
          if (offered > 200) return yield* Effect.die("the system takes whatever it is given")
        }
        assert.isAtMost(unsent, offered * megabyte)
        // Nothing of it is lost, and nothing is said twice.
        const received = yield* there.receiveExactly(offered * megabyte)
        assert.strictEqual(Option.getOrThrow(received).length, offered * megabyte)
        yield* until(() => here.offerUnsafe("") === 0)
      })))

    it("lets a send that comes later wait for all of it", () =>
      run(Effect.gen(function*() {
        const [here, there] = yield* pair
        const block = new Uint8Array(megabyte)
        let offered = 0
        while (here.offerUnsafe(block)! < 4 * megabyte) offered++
        offered++
        const sending = yield* Effect.forkChild(here.send("end"), { startImmediately: true })
        assert.isUndefined(sending.pollUnsafe())
        yield* there.receiveExactly(offered * megabyte)
        yield* Fiber.join(sending)
        assert.strictEqual(text(Option.getOrThrow(yield* there.receiveExactly(3))), "end")
      })))

    it("sends nothing more after `sendEof`, `close` and `abort`", () =>
      run(Effect.gen(function*() {
        for (const end of ["sendEof", "close", "abort"] as const) {
          const [here] = yield* pair
          yield* here[end]
          assert.isUndefined(here.offerUnsafe("too late"), end)
        }
      })))

    it("sends nothing more when the peer has broken the connection, and throws nothing", () =>
      run(Effect.gen(function*() {
        const [here, there] = yield* pair
        yield* there.abort
        // The first bytes may find out that nobody is there.
        yield* until(() => here.offerUnsafe("x") === undefined)
        const error = yield* Effect.flip(here.send("x"))
        assert.strictEqual(error._tag, "Broken")
      })))
  })
}

describe("Connection.offerUnsafe on a SimulatedNetwork", () => {
  it("counts what is above the window as unsent, until the peer has received", () =>
    VirtualClock.run(Effect.gen(function*() {
      const network = yield* SimulatedNetwork.make({ windowBytes: 1000 })
      yield* Nursery.open((n) =>
        Effect.gen(function*() {
          const accepted = yield* Deferred.make<Tcp.TcpStream>()
          const serve = Tcp.serve((stream: Tcp.TcpStream) => Effect.andThen(Deferred.succeed(accepted, stream), Effect.never), { host: "0.0.0.0", port: 80, grace: 0 })
          yield* n.start((started) => network.on("server", serve(started)), { service: true })
          const here = yield* network.on("laptop", Tcp.connect({ host: "server", port: 80 }))
          const there = yield* Deferred.await(accepted)
          assert.deepStrictEqual([600, 600, 600].map((size) => here.offerUnsafe(new Uint8Array(size))), [0, 200, 800])
          yield* there.receiveExactly(1000)
          yield* Effect.sleep("1 second")
          assert.strictEqual(here.offerUnsafe(""), 0)
          yield* there.abort
          yield* Effect.sleep("1 second")
          assert.isUndefined(here.offerUnsafe("x"))
        }).pipe(Effect.scoped))
    })))
})

describe("Connection.offerUnsafe of a server with limits for its peers", () => {
  it("goes past the limits for writing, which are for those who wait", () =>
    run(Effect.gen(function*() {
      yield* Nursery.open((n) =>
        Effect.gen(function*() {
          const serve = Tcp.serve((stream: Tcp.TcpStream) => Effect.andThen(Effect.sync(() => stream.offerUnsafe("hello")), stream.receive), {
            port: 0,
            limits: { write: "1 second" },
            heartbeat: { every: "1 minute", message: "?" }
          })
          const address = yield* n.start(serve, { service: true })
          const stream = yield* Tcp.connect(address)
          assert.strictEqual(text(Option.getOrThrow(yield* stream.receiveExactly(5))), "hello")
        }).pipe(Effect.scoped))
    })))
})
