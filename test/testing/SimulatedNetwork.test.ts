import { Cause, Deferred, type Duration, Effect, Exit, Logger, Option, Random, Result, type Scope, Stream } from "effect"
import { type Errors, MemoryChannel, Nursery, Tasks, Timeout } from "effect-nursery"
import { Tcp, Tls, Unix } from "effect-nursery/net"
import { type Connection, Network, type TcpAddress } from "effect-nursery/net/Network"
import { Explore, SimulatedNetwork, StreamKit, VirtualClock } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"
import { connectedPair } from "../net/pairs.ts"

const live = (name: string, body: () => Generator<Effect.Effect<any, any, Scope.Scope>, void, any>) =>
  it(name, () => VirtualClock.run(Effect.scoped(Effect.gen(body))))

const text = (chunk: Option.Option<Uint8Array>) => Option.getOrUndefined(Option.map(chunk, (bytes) => new TextDecoder().decode(bytes)))

/** What the system said. */
const codeOf = (error: Errors.Broken) => (error.cause as NodeJS.ErrnoException).code

/** The way from laptop to server: a connection, and the server's end of it. */
const between = (
  network: SimulatedNetwork.SimulatedNetwork,
  options?: { readonly keepAlive?: Duration.Input }
) =>
  Effect.gen(function*() {
    const accepted = yield* Deferred.make<Connection<TcpAddress>>()
    yield* network.on("server", Effect.flatMap(Network, (server) =>
      server.listen({ _tag: "Tcp", host: "0.0.0.0", port: 80 }, {
        connected: (connection) => void Deferred.doneUnsafe(accepted, Effect.succeed(connection)),
        failed: () => {}
      }, options)))
    const client = yield* network.on("laptop", Tcp.connect({ host: "server", port: 80, ...options }))
    return [client, yield* Effect.acquireRelease(Deferred.await(accepted), (server) => server.abort)] as const
  })

describe("SimulatedNetwork streams", () => {
  const pairOn = (options: SimulatedNetwork.Options) =>
    Effect.gen(function*() {
      const network = yield* SimulatedNetwork.make(options)
      return yield* network.on("here", connectedPair({ _tag: "Tcp", host: "127.0.0.1", port: 0 }))
    })
  const networks: ReadonlyArray<readonly [string, SimulatedNetwork.Options]> = [
    ["is calm", {}],
    ["takes no time", { delay: 0 }],
    ["is slow and uneven", { delay: "100 millis", jitter: "400 millis", seed: 1 }],
    ["cuts everything in pieces", { jitter: "3 millis", maxChunkBytes: 7000, seed: 2 }],
    ["loses a tenth", { lossChance: 0.1, seed: 3 }],
    ["is narrow", { bytesPerSecond: 1_000_000 }],
    ["has small windows", { windowBytes: 1000 }]
  ]
  for (const [name, options] of networks) {
    it(`keep the rules of StreamKit where the network ${name}`, () =>
      VirtualClock.run(StreamKit.checkHalfCloseable(pairOn(options), { limit: "1 hour" })), 30_000)
  }

  it("keep them in every order of events that is tried", () => {
    const report = Explore.run(StreamKit.checkOneWay(pairOn({ jitter: "5 millis" }), { limit: "1 hour" }), { runs: 20, busyHost: false, maxSteps: 1_000_000 })
    assert.strictEqual(report._tag, "Passed", Explore.toText(report))
  }, 30_000)
})

describe("SimulatedNetwork.make", () => {
  live("takes its delay for each way", function*() {
    const network = yield* SimulatedNetwork.make({ delay: "100 millis" })
    const [client, server] = yield* between(network)
    assert.strictEqual(yield* Timeout.now, 300, "question, answer, acknowledgement")
    yield* client.send("ping")
    assert.strictEqual(text(yield* server.receive), "ping")
    assert.strictEqual(yield* Timeout.now, 400)
    yield* server.close
    assert.strictEqual(text(yield* client.receive), undefined)
    assert.strictEqual(yield* Timeout.now, 500)
  })

  live("keeps the order of what it delays unevenly", function*() {
    const network = yield* SimulatedNetwork.make({ jitter: "1 second", seed: 7 })
    const [client, server] = yield* between(network)
    const times: Array<number> = []
    yield* Effect.forEach(Array.from({ length: 50 }, (_, i) => i), (i) => client.send(`${i};`))
    for (let i = 0; i < 50; i++) {
      assert.strictEqual(text(yield* server.receiveUntil(";")), String(i))
      times.push(yield* Timeout.now)
    }
    assert.isAbove(new Set(times).size, 3)
  })

  it("is the same again with the same seed, and another one with another", async () => {
    const arrivals = (seed: number | undefined) =>
      Effect.scoped(Effect.gen(function*() {
        const network = yield* SimulatedNetwork.make({ jitter: "1 second", maxChunkBytes: 10, ...(seed === undefined ? {} : { seed }) })
        const [client, server] = yield* between(network)
        yield* client.send("x".repeat(100))
        yield* client.close
        const seen: Array<string> = []
        yield* Stream.runForEach(server.chunks, (bytes) => Effect.map(Timeout.now, (now) => void seen.push(`${bytes.length} at ${now}`)))
        return { seed: network.seed, seen: seen.join() }
      }))
    const [one, same, other] = [await VirtualClock.run(arrivals(5)), await VirtualClock.run(arrivals(5)), await VirtualClock.run(arrivals(6))]
    assert.deepStrictEqual(one, same)
    assert.notStrictEqual(one.seen, other.seen)
    // Without a seed it comes from Random, and can be given again.
    const drawn = await VirtualClock.run(Random.withSeed(arrivals(undefined), "a"))
    assert.deepStrictEqual(await VirtualClock.run(Random.withSeed(arrivals(undefined), "a")), drawn)
    assert.deepStrictEqual(await VirtualClock.run(arrivals(drawn.seed)), drawn)
  })

  live("lets so many bytes through in a second, of all connections together", function*() {
    const network = yield* SimulatedNetwork.make({ delay: 0, bytesPerSecond: 1000 })
    const accepted = yield* MemoryChannel.make<Connection<TcpAddress>>(Infinity)
    yield* network.on("server", Effect.flatMap(Network, (server) =>
      server.listen({ _tag: "Tcp", host: "0.0.0.0", port: 80 }, {
        connected: (connection) => void Effect.runSync(Effect.orDie(accepted[0].trySend(connection))),
        failed: () => {}
      })))
    const clients = yield* network.on("laptop", Effect.all([1, 2].map(() => Tcp.connect({ host: "server", port: 80 }))))
    const start = yield* Timeout.now
    for (const client of clients) yield* client.send("x".repeat(500))
    const times = yield* Effect.forEach(clients, () =>
      Effect.gen(function*() {
        const server = yield* accepted[1].receive
        yield* server.receiveExactly(500)
        return (yield* Timeout.now) - start
      }))
    assert.deepStrictEqual(times, [500, 1000])
  })

  live("sends again what is lost, 200 milliseconds later and in order", function*() {
    const network = yield* SimulatedNetwork.make({ delay: "1 millis", lossChance: 0.5, seed: 11 })
    const [client, server] = yield* between(network)
    const expected = Array.from({ length: 200 }, (_, i) => `${i}\n`).join("")
    yield* Effect.forEach(expected.match(/\d+\n/g)!, (line) => client.send(line))
    assert.strictEqual(text(yield* server.receiveExactly(expected.length)), expected)
    assert.isAbove(yield* Timeout.now, 600)
  })

  live("delivers every byte of what it cuts in pieces of 1 to 7 bytes, delays and loses (T10)", function*() {
    const network = yield* SimulatedNetwork.make({ delay: "50 millis", jitter: "100 millis", lossChance: 0.01, maxChunkBytes: 7, seed: 12 })
    const [client, server] = yield* between(network)
    const bytes = Uint8Array.from({ length: 200_000 }, (_, i) => (i * 7919) >> 3)
    const back = Effect.andThen(Stream.runForEach(server.chunks, (chunk) => server.send(chunk)), server.sendEof)
    const sending = Effect.andThen(client.send(bytes), client.sendEof)
    const [, , received] = yield* Tasks.gather([sending, back, client.receiveExactly(bytes.length)])
    assert.deepStrictEqual(Buffer.from(Option.getOrThrow(received)).equals(Buffer.from(bytes)), true)
    assert.deepStrictEqual(yield* client.receive, Option.none())
  })

  live("makes a sender wait for a peer that does not receive", function*() {
    const network = yield* SimulatedNetwork.make({ windowBytes: 1000 })
    const [client, server] = yield* between(network)
    let sent = 0
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        const sending = yield* n.startSoon(Effect.forever(Effect.tap(client.send(new Uint8Array(100)), () => Effect.sync(() => sent++))))
        yield* Effect.sleep("1 hour")
        assert.strictEqual(sent, 10)
        assert.strictEqual(client.bytesSent, 1000, "the last one waits where the system has no room")
        yield* server.receiveExactly(300)
        yield* Effect.sleep("1 second")
        assert.strictEqual(sent, 13)
        yield* sending.cancel()
      })
    )
  })

  it("wants options that mean something", async () => {
    const message = async (options: SimulatedNetwork.Options) => String(await Effect.runPromiseExit(SimulatedNetwork.make(options)))
    assert.include(await message({ lossChance: 2 }), "Expected `lossChance` to be a number from 0 to 1, got `2` (number)")
    assert.include(await message({ resetChance: NaN }), "got `NaN` (number)")
    assert.include(await message({ delay: -1 }), "Expected `delay` to be a duration, got `-1` (number)")
    assert.include(await message({ windowBytes: 0 }), "Expected `windowBytes` to be at least 1, got 0")
    assert.include(await message({ seed: 0.5 }), "Expected `seed` to be an integer")
    assert.include(await message({ hosts: { a: ["10.9.0.1"], b: ["10.9.0.1"] } }), "got 10.9.0.1 for a and b")
  })
})

describe("SimulatedNetwork hosts", () => {
  const tags = (self: Effect.Effect<unknown, Errors.Broken, any>) => Effect.map(Effect.flip(self), codeOf)

  live("refuse where nobody listens, after one way there and back", function*() {
    const network = yield* SimulatedNetwork.make({ delay: "100 millis", hosts: { server: ["10.1.1.1"] } })
    assert.strictEqual(yield* tags(network.on("laptop", Tcp.connect({ host: "server", port: 80 }))), "ECONNREFUSED")
    assert.strictEqual(yield* Timeout.now, 200)
  })

  live("do not answer at an address that nobody has, nor at a black hole (T05)", function*() {
    const network = yield* SimulatedNetwork.make({ hosts: { server: ["10.1.1.1"] }, connectTimeout: "30 seconds" })
    yield* network.blackHole("10.1.1.1")
    for (const host of ["10.99.99.99", "server"]) {
      const before = yield* Timeout.now
      assert.strictEqual(yield* tags(network.on("laptop", Tcp.connect({ host, port: 80 }))), "ETIMEDOUT")
      assert.strictEqual((yield* Timeout.now) - before, 30_000)
    }
    assert.strictEqual(yield* tags(network.on("laptop", Tcp.connect({ host: "servre", port: 80 }))), "ENOTFOUND")
  })

  live("have ports, addresses and a localhost of their own (T05)", function*() {
    const network = yield* SimulatedNetwork.make({ hosts: { server: ["10.1.1.1", "2001:db8::1"], other: ["10.1.1.2"] } })
    const listen = (host: string, at: string, port = 80) =>
      network.on(host, Effect.flatMap(Network, (net) => net.listen({ _tag: "Tcp", host: at, port }, { connected: () => {}, failed: () => {} })))
    yield* listen("server", "127.0.0.1")
    assert.strictEqual(yield* tags(listen("server", "127.0.0.1")), "EADDRINUSE")
    assert.strictEqual(yield* tags(listen("server", "0.0.0.0")), "EADDRINUSE")
    assert.strictEqual(yield* tags(listen("server", "10.1.1.2")), "EADDRNOTAVAIL")
    yield* listen("server", "10.1.1.1")
    yield* listen("other", "127.0.0.1")
    const [one, another] = [yield* listen("server", "0.0.0.0", 0), yield* listen("server", "0.0.0.0", 0)]
    assert.notStrictEqual(one.address.port, another.address.port)
    assert.lengthOf(network.listeners, 5)

    const fromOther = (host: string, port = 80) => network.on("other", Tcp.connect({ host, port }))
    assert.deepInclude((yield* fromOther("10.1.1.1")).peer, { host: "10.1.1.1", port: 80 })
    assert.deepInclude((yield* fromOther("10.1.1.1")).local, { host: "10.1.1.2" })
    assert.deepInclude((yield* fromOther("localhost")).local, { host: "127.0.0.1" })
    assert.deepInclude((yield* fromOther("10.1.1.1", one.address.port)).peer, { port: one.address.port })
    assert.strictEqual(yield* tags(fromOther("2001:db8::1")), "ECONNREFUSED")
    assert.strictEqual(yield* tags(network.on("third", Tcp.connect({ host: "127.0.0.1", port: 80 }))), "ECONNREFUSED")
    assert.strictEqual(yield* tags(network.on("other", Tcp.connect({ host: "10.1.1.1", port: 80, localAddress: "10.5.5.5" }))), "EADDRNOTAVAIL")
    yield* one.close
    assert.strictEqual(yield* tags(fromOther("10.1.1.1", one.address.port)), "ECONNREFUSED")
  })

  live("listen at :: for IPv4 too, unless told otherwise", function*() {
    const network = yield* SimulatedNetwork.make({ hosts: { server: ["10.1.1.1", "2001:db8::1"] } })
    const listen = (host: string, port: number, ipv6Only: boolean) =>
      network.on("server", Effect.flatMap(Network, (net) =>
        net.listen({ _tag: "Tcp", host, port }, { connected: () => {}, failed: () => {} }, { ipv6Only })))
    const dial = (host: string, port: number) => network.on("laptop", Tcp.connect({ host, port }))
    yield* listen("::", 80, false)
    assert.strictEqual(yield* tags(listen("0.0.0.0", 80, false)), "EADDRINUSE")
    for (const host of ["10.1.1.1", "2001:db8::1"]) assert.strictEqual((yield* dial(host, 80)).peer.host, host)
    yield* listen("::", 81, true)
    assert.strictEqual(yield* tags(dial("10.1.1.1", 81)), "ECONNREFUSED")
    yield* listen("0.0.0.0", 81, false)
    for (const host of ["10.1.1.1", "2001:db8::1"]) assert.strictEqual((yield* dial(host, 81)).peer.host, host)
  })

  live("have several addresses, which Tcp.connect tries: 250 milliseconds for a black hole, none for a refusal", function*() {
    for (const [hole, expected] of [[true, 270], [false, 40]] as const) {
      const network = yield* SimulatedNetwork.make({ delay: "10 millis", hosts: { server: ["2001:db8::1", "10.1.1.1"] } })
      if (hole) yield* network.blackHole("2001:db8::1")
      yield* network.on("server", Effect.flatMap(Network, (net) => net.listen({ _tag: "Tcp", host: "10.1.1.1", port: 80 }, { connected: () => {}, failed: () => {} })))
      const before = yield* Timeout.now
      const stream = yield* network.on("laptop", Tcp.connect({ host: "server", port: 80 }))
      assert.strictEqual(stream.peer.host, "10.1.1.1")
      assert.strictEqual((yield* Timeout.now) - before, expected)
    }
  })

  live("leave nothing behind of an attempt that was cancelled", function*() {
    const network = yield* SimulatedNetwork.make({ delay: "100 millis" })
    let accepted = 0
    yield* network.on("server", Effect.flatMap(Network, (net) =>
      net.listen({ _tag: "Tcp", host: "0.0.0.0", port: 80 }, { connected: (connection) => void (accepted++, Effect.runFork(connection.abort)), failed: () => {} })))
    for (const limit of [0, 50, 150, 199]) {
      const stream = yield* Timeout.moveOnAfter(network.on("laptop", Tcp.connect({ host: "server", port: 80 })), limit)
      assert.isTrue(Option.isNone(stream))
    }
    yield* Effect.sleep("1 second")
    assert.strictEqual(accepted, 0)
    assert.deepStrictEqual(network.connections, [])
  })

  live("reset who connects to a listener that closes meanwhile", function*() {
    const network = yield* SimulatedNetwork.make({ delay: "100 millis" })
    let accepted = 0
    const listener = yield* network.on("server", Effect.flatMap(Network, (net) =>
      net.listen({ _tag: "Tcp", host: "0.0.0.0", port: 80 }, { connected: () => void accepted++, failed: () => {} })))
    const stream = yield* network.on("laptop", Tcp.connect({ host: "server", port: 80 }))
    yield* listener.close
    assert.strictEqual(codeOf((yield* Effect.flip(stream.receive)) as Errors.Broken), "ECONNRESET")
    assert.deepStrictEqual([accepted, network.connections], [0, []])
  })

  live("see the end of a client whose scope closes well, and a reset of one whose scope fails", function*() {
    const network = yield* SimulatedNetwork.make()
    for (const [fails, expected] of [[false, "the end"], [true, "ECONNRESET"]] as const) {
      const accepted = yield* Deferred.make<Connection<TcpAddress>>()
      const listener = yield* network.on("server", Effect.flatMap(Network, (net) =>
        net.listen({ _tag: "Tcp", host: "0.0.0.0", port: 80 }, {
          connected: (connection) => void Deferred.doneUnsafe(accepted, Effect.succeed(connection)),
          failed: () => {}
        })))
      const client = Effect.andThen(Tcp.connect({ host: "server", port: 80 }), fails ? Effect.fail("oh") : Effect.void)
      yield* Effect.exit(network.on("laptop", Effect.scoped(client)))
      const server = yield* Deferred.await(accepted)
      const got = yield* Effect.result(server.receive)
      assert.strictEqual(Result.isSuccess(got) ? Option.isNone(got.success) && "the end" : codeOf(got.failure as Errors.Broken), expected)
      yield* server.close
      yield* listener.close
    }
  })

  live("tell which connections are open, and at which end", function*() {
    const network = yield* SimulatedNetwork.make()
    const [client, server] = yield* between(network)
    assert.deepInclude(network.connections[0], { from: "laptop", to: "server", open: "both" })
    yield* client.close
    assert.deepInclude(network.connections[0], { open: "server" })
    assert.match(String(network), /^SimulatedNetwork\(seed \d+, 1 connections\)$/)
    yield* server.abort
    assert.deepStrictEqual(network.connections, [])
    assert.deepInclude(JSON.parse(JSON.stringify(network)), { _id: "SimulatedNetwork", connections: [] })
  })
})

describe("SimulatedNetwork faults", () => {
  live("partition: nobody is told, and what was sent comes after it has healed (T09)", function*() {
    const network = yield* SimulatedNetwork.make({ delay: "10 millis" })
    const [client, server] = yield* between(network)
    yield* client.send("a")
    yield* network.partition("laptop", "server")
    yield* client.send("b")
    yield* server.send("c")
    assert.isTrue(Option.isNone(yield* Timeout.moveOnAfter(server.receive, "1 minute")), "what was on its way is cut off, too")
    assert.isTrue(Option.isNone(yield* Timeout.moveOnAfter(client.receive, "1 minute")))
    yield* client.send("d")
    yield* network.heal("laptop", "server")
    yield* client.send("e")
    assert.strictEqual(text(yield* server.receiveExactly(4)), "abde")
    assert.strictEqual(text(yield* client.receive), "c")
  })

  live("partition: what was sent before and arrives after it has healed waits for what was held up", function*() {
    const network = yield* SimulatedNetwork.make({ delay: "100 millis" })
    const [client, server] = yield* between(network)
    const start = yield* Timeout.now
    yield* client.send("a")
    yield* Effect.sleep("50 millis")
    yield* network.partition("laptop", "server")
    yield* Effect.sleep("10 millis")
    yield* client.send("b")
    yield* Effect.sleep("90 millis")
    yield* network.heal("laptop", "server")
    // b arrives 160 milliseconds after the start, a 250.
    assert.strictEqual(text(yield* server.receive), "ab")
    assert.strictEqual((yield* Timeout.now) - start, 250)
  })

  live("partition of a host from all others, in one direction only", function*() {
    const network = yield* SimulatedNetwork.make()
    const [client, server] = yield* between(network)
    yield* network.partition("server", undefined, { oneWay: true })
    yield* client.send("heard")
    yield* server.send("not heard")
    assert.strictEqual(text(yield* server.receive), "heard")
    assert.isTrue(Option.isNone(yield* Timeout.moveOnAfter(client.receive, "1 minute")))
    // The answer to a new connection does not come back either.
    assert.isTrue(Option.isNone(yield* Timeout.moveOnAfter(network.on("laptop", Tcp.connect({ host: "server", port: 80 })), "1 minute")))
    yield* network.heal("server")
    assert.strictEqual(text(yield* client.receive), "not heard")
  })

  live("partition: the system gives up in the end, and only where something was sent", function*() {
    const network = yield* SimulatedNetwork.make({ giveUpAfter: "15 minutes" })
    const [client, server] = yield* between(network)
    yield* network.partition("laptop")
    yield* client.send("x")
    const before = yield* Timeout.now
    assert.strictEqual(codeOf((yield* Effect.flip(client.receive)) as Errors.Broken), "ETIMEDOUT")
    assert.approximately((yield* Timeout.now) - before, 15 * 60_000, 100)
    assert.isTrue(Option.isNone(yield* Timeout.moveOnAfter(server.receive, "1 day")))
  })

  live("partition: keep-alive finds out at an end that only waits", function*() {
    const network = yield* SimulatedNetwork.make()
    const [client, server] = yield* between(network, { keepAlive: "1 minute" })
    yield* Effect.sleep("1 hour")
    assert.isTrue(Option.isNone(yield* Timeout.moveOnAfter(client.receive, "1 hour")), "it is answered while there is no partition")
    yield* network.partition("laptop")
    const before = yield* Timeout.now
    for (const end of [client, server]) assert.strictEqual(codeOf((yield* Effect.flip(end.receive)) as Errors.Broken), "ETIMEDOUT")
    assert.isAtMost((yield* Timeout.now) - before, 71_000)
  })

  live("keep-alive finds out about one way that is cut, and about a peer that has lost its power", function*() {
    for (const fault of ["there", "back", "crash"]) {
      const network = yield* SimulatedNetwork.make()
      const [client] = yield* between(network, { keepAlive: "1 minute" })
      if (fault === "crash") yield* network.crash("server")
      else yield* network.partition(fault === "there" ? "laptop" : "server", undefined, { oneWay: true })
      const before = yield* Timeout.now
      assert.strictEqual(codeOf((yield* Effect.flip(client.receive)) as Errors.Broken), "ETIMEDOUT", fault)
      assert.isAtMost((yield* Timeout.now) - before, 71_000)
    }
  })

  live("a crash is silent; the host that comes back says that it knows nothing", function*() {
    const network = yield* SimulatedNetwork.make({ delay: "10 millis" })
    const [client, server] = yield* between(network)
    yield* network.crash("server")
    assert.deepStrictEqual(network.listeners, [])
    yield* server.send("never heard")
    yield* client.send("nobody answers")
    assert.isTrue(Option.isNone(yield* Timeout.moveOnAfter(client.receive, "1 minute")))
    assert.isTrue(Option.isNone(yield* Timeout.moveOnAfter(network.on("laptop", Tcp.connect({ host: "server", port: 80 })), "1 minute")))
    assert.deepInclude(network.connections[0], { open: "client" })
    yield* network.restart("server")
    const before = yield* Timeout.now
    assert.strictEqual(codeOf((yield* Effect.flip(client.receive)) as Errors.Broken), "ECONNRESET")
    assert.strictEqual((yield* Timeout.now) - before, 20)
    assert.strictEqual(yield* Effect.map(Effect.flip(network.on("laptop", Tcp.connect({ host: "server", port: 80 }))), codeOf), "ECONNREFUSED")
  })

  live("an idle peer of a host that crashed and came back learns of it when it sends", function*() {
    const network = yield* SimulatedNetwork.make()
    const [client] = yield* between(network)
    yield* network.crash("server")
    yield* network.restart("server")
    assert.isTrue(Option.isNone(yield* Timeout.moveOnAfter(client.receive, "1 day")))
    yield* client.send("are you there?")
    assert.strictEqual(codeOf((yield* Effect.flip(client.receive)) as Errors.Broken), "ECONNRESET")
  })

  live("reset breaks both ends at once, of one host or of a pair", function*() {
    const network = yield* SimulatedNetwork.make()
    const [client, server] = yield* between(network)
    yield* network.reset("elsewhere")
    yield* network.reset("laptop", "elsewhere")
    yield* client.send("still here")
    assert.strictEqual(text(yield* server.receive), "still here")
    yield* server.send("lost")
    yield* network.reset("server", "laptop")
    for (const end of [client, server]) {
      assert.strictEqual(codeOf((yield* Effect.flip(end.receive)) as Errors.Broken), "ECONNRESET")
      assert.strictEqual((yield* Effect.flip(end.send("x")))._tag, "Broken")
    }
  })

  live("a chance of a reset strikes sooner or later", function*() {
    const network = yield* SimulatedNetwork.make({ resetChance: 0.1, seed: 3 })
    const [client, server] = yield* between(network)
    const sent = yield* Effect.gen(function*() {
      for (let i = 0;; i++) if (Exit.isFailure(yield* Effect.exit(client.send("x")))) return i
    })
    assert.isAbove(sent, 0)
    assert.strictEqual(codeOf((yield* Effect.flip(Stream.runDrain(server.chunks))) as Errors.Broken), "ECONNRESET")
  })

  live("link changes one link, from now on", function*() {
    const network = yield* SimulatedNetwork.make({ delay: "10 millis" })
    const [client, server] = yield* between(network)
    yield* network.link("laptop", "server", { delay: "1 second" })
    const before = yield* Timeout.now
    yield* client.send("x")
    yield* server.receive
    assert.strictEqual((yield* Timeout.now) - before, 1000)
  })
})

describe("SimulatedNetwork kinds of streams", () => {
  const quiet = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.provideService(self, Logger.CurrentLoggers, new Set<Logger.Logger<unknown, unknown>>())
  const identity = { cert: "no certificate is looked at", key: "nor a key" }

  live("agree on names and protocols over TLS, which takes a way there and back more", function*() {
    const network = yield* SimulatedNetwork.make({ delay: "100 millis", hosts: { server: ["10.1.1.1"] } })
    const serve = Tls.serve(
      (stream) => stream.send(`${Option.getOrElse(stream.session.serverName, () => "")} ${Option.getOrElse(stream.session.protocol, () => "")}`),
      { host: "0.0.0.0", port: 443, identity, protocols: ["chat/2", "chat/1"] }
    )
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        yield* n.start((started) => network.on("server", serve(started)), { service: true })
        const start = yield* Timeout.now
        const stream = yield* network.on("laptop", Tls.connect({ host: "server", port: 443, protocols: ["chat/1", "chat/2"] }))
        assert.strictEqual((yield* Timeout.now) - start, 400)
        assert.strictEqual(text(yield* stream.receive), "server chat/1")
        assert.deepStrictEqual(stream.session.protocol, Option.some("chat/1"))
        const error = yield* Effect.flip(network.on("laptop", Effect.scoped(Tls.connect({ host: "server", port: 443, protocols: ["smtp"] }))))
        assert.strictEqual(error._tag, "Broken")
      })
    ).pipe(quiet)
  })

  live("cut off a peer that says nothing, or no TLS, where TLS is spoken", function*() {
    const network = yield* SimulatedNetwork.make({ hosts: { server: ["10.1.1.1"] } })
    const failures: Array<string> = []
    const serve = Tls.serve(() => Effect.die("no handler may run"), {
      host: "0.0.0.0",
      port: 443,
      identity,
      limits: { handshake: "5 seconds" },
      onFailure: (cause) => Effect.sync(() => void failures.push(String(Cause.squash(cause))))
    })
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        yield* n.start((started) => network.on("server", serve(started)), { service: true })
        const [silent, plain] = yield* network.on("laptop", Effect.all([1, 2].map(() => Tcp.connect({ host: "server", port: 443 }))))
        yield* plain!.send("GET / HTTP/1.1\r\n\r\n")
        assert.strictEqual((yield* Effect.flip(plain!.receive))._tag, "Broken")
        assert.strictEqual((yield* Effect.flip(silent!.receive))._tag, "Broken")
        assert.isAtLeast(yield* Timeout.now, 5000)
      })
    )
    assert.lengthOf(failures, 2)
    assert.include(failures[0], "does not speak TLS")
    assert.include(failures[1], "handshake took longer than 5s")
  })

  live("have Unix sockets, which are paths of one host", function*() {
    const network = yield* SimulatedNetwork.make()
    const serve = Unix.serve((stream) => stream.send("from the same machine"), { path: "/run/app.sock" })
    yield* Nursery.open((n) =>
      Effect.gen(function*() {
        yield* n.start((started) => network.on("here", serve(started)), { service: true })
        const stream = yield* network.on("here", Unix.connect({ path: "/run/app.sock" }))
        assert.strictEqual(text(yield* stream.receive), "from the same machine")
        assert.strictEqual(codeOf(yield* Effect.flip(network.on("there", Unix.connect({ path: "/run/app.sock" })))), "ENOENT")
      })
    )
  })
})
