/**
 * The faults of the TCP cases once more, on a simulated network: virtual time, every order of events
 * that a seed decides, and the same `Tcp.serve` and `Tcp.connect` as on sockets. A failure is printed with its seed.
 */
import { Cause, Deferred, Effect, Exit, Logger, Option, Result, Stream } from "effect"
import { CancelScope, type Errors, Nursery, Tasks, Timeout } from "effect-nursery"
import { Framing, type Server, Tcp } from "effect-nursery/net"
import type { Address } from "effect-nursery/net/Network"
import { Explore, SimulatedNetwork } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"

type Network = SimulatedNetwork.SimulatedNetwork

/** Limits and graces are long here against the delays, and a host that is too busy for hours would strike them. */
const explore = <A, E>(program: Effect.Effect<A, E>, options: Explore.Options<A, E>): void => {
  const quiet = Effect.provideService(program, Logger.CurrentLoggers, new Set<Logger.Logger<unknown, unknown>>())
  const report = Explore.run(quiet, { busyHost: false, ...options })
  assert.strictEqual(report._tag, "Passed", Explore.toText(report))
}

const text = (chunk: Option.Option<Uint8Array>) => Option.getOrUndefined(Option.map(chunk, (bytes) => new TextDecoder().decode(bytes)))

const echo = (stream: Tcp.TcpStream) => Stream.runForEach(stream.chunks, (bytes) => stream.send(bytes))

/** Runs `clients` against a server on another host, then asks it to stop, and gives its report. */
const against = <A, E>(
  network: Network,
  handler: (stream: Tcp.TcpStream) => Effect.Effect<unknown, any>,
  options: Tcp.ServeOptions<any>,
  clients: Effect.Effect<A, E>
): Effect.Effect<readonly [value: A, report: Server.Report], E | Errors.Broken> =>
  Nursery.open((n) =>
    Effect.gen(function*() {
      const ended = yield* Deferred.make<Server.Report, Errors.Broken>()
      const scope = yield* n.start((started: (scope: CancelScope.CancelScope) => Effect.Effect<void>) =>
        CancelScope.open((scope) =>
          network.on("server", Tcp.serve(handler, { host: "0.0.0.0", ...options })(() => started(scope))).pipe(
            Effect.onExit((exit) => Deferred.done(ended, exit))
          )), { name: "serving" })
      const value = yield* network.on("laptop", clients)
      yield* scope.stop({ grace: "1 hour" })
      return [value, yield* Deferred.await(ended)] as const
    })
  )

const port = 80
const connect = Tcp.connect({ host: "server", port })

/** Sends a text, and gives what comes back until the end. */
const ask = (message: string) =>
  Effect.scoped(Effect.gen(function*() {
    const stream = yield* connect
    yield* stream.send(message)
    yield* stream.sendEof
    return (yield* Stream.mkString(Stream.decodeText(stream.chunks)))
  }))

/** Everybody has closed everything, and nobody listens. */
const isTidy = (network: Network) => network.connections.length === 0 && network.listeners.length === 0

const hosts = { server: ["10.1.1.1"], laptop: ["10.1.1.2"] }

describe("Tcp.serve on a SimulatedNetwork, under exploration", () => {
  it("goes on when peers connect and are reset at once, before or after they were accepted (T01)", () => {
    const program = Effect.gen(function*() {
      const network = yield* SimulatedNetwork.make({ hosts, delay: "5 millis", jitter: "10 millis" })
      const rude = (patience: number) =>
        Effect.scoped(Effect.flatMap(connect, (stream) => Effect.andThen(Effect.ignore(stream.send("x")), stream.abort))).pipe(
          Timeout.moveOnAfter(patience)
        )
      const clients = Tasks.gather([rude(8), rude(12), rude(20), rude(25), rude(1000), rude(1000), ask("polite"), ask("too")])
      const [answers, report] = yield* against(network, echo, { port, onFailure: () => Effect.void }, clients)
      return { answers: answers.slice(6), isTidy: isTidy(network), forced: report.forced }
    })
    explore(program, {
      runs: 200,
      holds: (value) => assert.deepStrictEqual(value, { answers: ["polite", "too"], isTidy: true, forced: 0 })
    })
  })

  it("closes the connection of a handler that fails or dies, tells with whom, and harms nobody else (T02)", () => {
    const program = Effect.gen(function*() {
      const network = yield* SimulatedNetwork.make({ hosts, jitter: "10 millis" })
      const failures: Array<string> = []
      const handler = (stream: Tcp.TcpStream) =>
        Effect.flatMap(stream.receiveUntil("\n"), (line): Effect.Effect<void, unknown> =>
          text(line) === "fail" ? Effect.fail("wrong") : text(line) === "die" ? Effect.die("broken") : stream.send(`hello ${text(line)}`))
      const onFailure = (cause: Cause.Cause<unknown>, peer: Address) =>
        Effect.sync(() => void failures.push(`${Cause.squash(cause)} of ${peer._tag === "Tcp" ? peer.host : peer.path}`))
      const clients = Tasks.gather([ask("Ada\n"), ask("fail\n"), ask("die\n"), ask("Grace\n")])
      const [answers] = yield* against(network, handler, { port, onFailure }, clients)
      return { answers, failures: failures.sort(), isTidy: isTidy(network) }
    })
    explore(program, {
      runs: 200,
      holds: (value) =>
        assert.deepStrictEqual(value, {
          answers: ["hello Ada", "", "", "hello Grace"],
          failures: ["broken of 10.1.1.2", "wrong of 10.1.1.2"],
          isTidy: true
        })
    })
  })

  it("closes every connection within its grace, and frees the port at once (T06)", () => {
    const program = Effect.gen(function*() {
      const network = yield* SimulatedNetwork.make({ hosts, jitter: "10 millis" })
      const open = Effect.scoped(Effect.flatMap(connect, (stream) => Effect.exit(Stream.runDrain(stream.chunks))))
      return yield* Nursery.open((n) =>
        Effect.gen(function*() {
          const serving = yield* n.start((started: (scope: CancelScope.CancelScope) => Effect.Effect<void>) =>
            CancelScope.open((scope) =>
              network.on("server", Tcp.serve(echo, { host: "0.0.0.0", port, grace: "3 seconds" })(() => started(scope)))))
          for (let i = 0; i < 5; i++) yield* n.startSoon(network.on("laptop", open))
          yield* Effect.sleep("1 second")
          const opened = network.connections.length
          const before = yield* Timeout.now
          const stopping = yield* n.startNow(serving.stop({ grace: "10 seconds" }))
          yield* Effect.sleep(1)
          // While the old server drains, a new one has the port.
          const again = yield* network.on("server", Timeout.moveOnAfter(Tcp.serve(echo, { host: "0.0.0.0", port })(() => Effect.void), 1))
          yield* stopping.join
          const took = (yield* Timeout.now) - before
          yield* Effect.sleep("1 second")
          return { opened, again: Option.isNone(again), took: took >= 3000 && took < 3100, isTidy: isTidy(network) }
        })
      )
    })
    explore(program, {
      runs: 150,
      holds: (value) => assert.deepStrictEqual(value, { opened: 5, again: true, took: true, isTidy: true })
    })
  })

  it("never runs more handlers than it may, and serves everybody in the end (T07)", () => {
    const program = Effect.gen(function*() {
      const network = yield* SimulatedNetwork.make({ hosts, jitter: "10 millis" })
      let running = 0
      let most = 0
      const handler = (stream: Tcp.TcpStream) =>
        Effect.acquireUseRelease(
          Effect.sync(() => void (most = Math.max(most, ++running))),
          () => Effect.andThen(Effect.sleep("20 millis"), echo(stream)),
          () => Effect.sync(() => void running--)
        )
      const clients = Tasks.gather(["1", "2", "3", "4", "5", "6"].map(ask))
      const [answers, report] = yield* against(network, handler, { port, maxConnections: 2 }, clients)
      return { answers, most, served: report.served, isTidy: isTidy(network) }
    })
    explore(program, {
      runs: 200,
      holds: (value) => assert.deepStrictEqual(value, { answers: ["1", "2", "3", "4", "5", "6"], most: 2, served: 6, isTidy: true })
    })
  })

  it("finds out about a partition by its idle limit and by its write limit, and serves on after it (T09)", () => {
    const program = Effect.gen(function*() {
      const network = yield* SimulatedNetwork.make({ hosts, delay: "10 millis", windowBytes: 1000 })
      const failures: Array<string> = []
      const handler = (stream: Tcp.TcpStream) =>
        Effect.flatMap(stream.receiveUntil("\n"), (line) =>
          text(line) === "flood" ? Effect.forever(stream.send("x".repeat(100))) : text(line) === "idle" ? Stream.runDrain(stream.chunks) : stream.send("hello"))
      const onFailure = (cause: Cause.Cause<unknown>) =>
        Effect.map(Timeout.now, (now) => {
          const error = Cause.squash(cause) as Errors.Broken | Errors.TooSlow
          const slow = (error._tag === "Broken" ? error.cause : error) as Errors.TooSlow
          failures.push(`${error._tag} by ${slow.scope} after ${now < 20_000 ? "5 to 10" : now < 60_000 ? "30 to 40" : now} seconds`)
        })
      const limits = { idle: "30 seconds", write: "5 seconds" } as const
      const pending = (message: string) =>
        Effect.scoped(Effect.flatMap(connect, (stream) => Effect.andThen(stream.send(`${message}\n`), Effect.exit(Stream.runDrain(stream.chunks)))))
      const clients = Nursery.open((n) =>
        Effect.gen(function*() {
          yield* n.startSoon(pending("flood"), { service: true })
          yield* n.startSoon(pending("idle"), { service: true })
          yield* Effect.sleep("1 second")
          yield* network.partition("server", "laptop")
          yield* Effect.sleep("2 minutes")
          yield* network.heal("server", "laptop")
          return yield* ask("back\n")
        })
      )
      const [answer] = yield* against(network, handler, { port, limits, onFailure }, clients)
      yield* Effect.sleep("1 minute")
      return { answer, failures: failures.sort(), isTidy: isTidy(network) }
    })
    explore(program, {
      runs: 60,
      holds: (value) =>
        assert.deepStrictEqual(value, {
          answer: "hello",
          failures: ["Broken by write after 5 to 10 seconds", "TooSlow by idle after 30 to 40 seconds"],
          isTidy: true
        })
    })
  })

  it("finds by its heartbeat a peer that has lost its power (half-open)", () => {
    const program = Effect.gen(function*() {
      const network = yield* SimulatedNetwork.make({ hosts })
      const failures: Array<string> = []
      const onFailure = (cause: Cause.Cause<unknown>) => Effect.sync(() => void failures.push(String(Cause.squash(cause))))
      const heartbeat = { every: "10 seconds", message: "ping\n", missed: 2 } as const
      const answering = Effect.scoped(Effect.flatMap(connect, (stream) => Stream.runForEach(stream.lines, () => stream.send("pong\n"))))
      const clients = Nursery.open((n) =>
        Effect.gen(function*() {
          yield* n.startSoon(answering, { service: true })
          yield* Effect.sleep("10 minutes")
          const before = failures.length
          yield* network.crash("laptop")
          yield* Effect.sleep("35 seconds")
          return [before, failures.length]
        })
      )
      const [value] = yield* against(network, (stream) => Stream.runDrain(stream.chunks), { port, heartbeat, onFailure }, clients)
      return { value, failures }
    })
    explore(program, {
      runs: 60,
      holds: ({ failures, value }) => {
        assert.deepStrictEqual(value, [0, 1])
        assert.match(failures[0]!, /heartbeat/)
      }
    })
  })

  it("echoes every byte through delays, losses and slices of 1 to 7 bytes (T10)", () => {
    const message = Array.from({ length: 400 }, (_, i) => `${i} `).join("")
    const program = Effect.gen(function*() {
      const network = yield* SimulatedNetwork.make({ hosts, delay: "50 millis", jitter: "100 millis", lossChance: 0.02, maxChunkBytes: 7, windowBytes: 500 })
      const send = (stream: Tcp.TcpStream) =>
        Effect.andThen(Effect.forEach(message.match(/.{1,97}/g)!, (part) => stream.send(part), { discard: true }), stream.sendEof)
      const client = Effect.scoped(Effect.flatMap(connect, (stream) =>
        Effect.map(Tasks.gather([send(stream), Stream.mkString(Stream.decodeText(stream.chunks))]), ([, answer]) => answer)))
      const [answers] = yield* against(network, echo, { port }, Tasks.gather([client, client]))
      return { exact: answers.every((answer) => answer === message), isTidy: isTidy(network) }
    })
    explore(program, { runs: 60, holds: (value) => assert.deepStrictEqual(value, { exact: true, isTidy: true }) })
  })

  it("accepts again after the system had no more descriptors (T03 in small: EMFILE)", () => {
    const program = Effect.gen(function*() {
      const network = yield* SimulatedNetwork.make({ hosts })
      yield* network.failAccepts("server", 3)
      const clients = Effect.gen(function*() {
        const first = yield* Tasks.gather([1, 2, 3].map(() => Effect.exit(ask("x"))))
        return [first.filter(Exit.isFailure).length, yield* ask("at last")]
      })
      const [value] = yield* against(network, echo, { port }, clients)
      return value
    })
    explore(program, { runs: 30, holds: (value) => assert.deepStrictEqual(value, [3, "at last"]) })
  })

  it("leaves no connection open, whoever is cancelled at whichever step", () => {
    const program = Effect.gen(function*() {
      const network = yield* SimulatedNetwork.make({ hosts, jitter: "5 millis" })
      const session = CancelScope.open(() =>
        against(network, echo, { port, grace: "1 second", onFailure: () => Effect.void }, Tasks.gather([ask("one"), ask("two")]))
      )
      yield* Effect.exit(session)
      yield* Effect.sleep("1 minute")
      return isTidy(network)
    })
    explore(CancelScope.shield(program), { runs: 2000, cancelEverywhere: true, holds: (isTidy) => isTidy })
  }, 60_000)
})

describe("Tcp.connect on a SimulatedNetwork, under exploration", () => {
  it("leaves one connection, or none, of several addresses that answer at about the same time, whoever is cancelled", () => {
    const addresses = ["2001:db8::1", "10.1.1.1", "10.1.1.3"]
    const program = Effect.gen(function*() {
      const network = yield* SimulatedNetwork.make({ hosts: { ...hosts, server: addresses }, delay: "120 millis", jitter: "10 millis" })
      const connecting = Effect.scoped(Effect.flatMap(connect, (stream) =>
        Effect.andThen(Effect.sleep("2 seconds"), Effect.andThen(stream.send("x"), Effect.sync(() => network.connections.length)))))
      const [open] = yield* against(network, echo, { host: "::", port, onFailure: () => Effect.void }, Effect.exit(CancelScope.open(() => connecting)))
      yield* Effect.sleep("1 minute")
      return { most: Exit.isSuccess(open) && Result.isSuccess(open.value) ? open.value.success : 1, isTidy: isTidy(network) }
    })
    explore(CancelScope.shield(program), {
      runs: 500,
      cancelEverywhere: true,
      accepts: (exit) => Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause),
      holds: (value) => assert.deepStrictEqual(value, { most: 1, isTidy: true })
    })
  }, 30_000)
})

describe("Framing on a SimulatedNetwork, under exploration", () => {
  it("talks in frames across resets, and no frame is ever damaged", () => {
    const frames = ["a", "bc".repeat(300), "", "d".repeat(1000), "e"]
    const program = Effect.gen(function*() {
      const network = yield* SimulatedNetwork.make({ hosts, maxChunkBytes: 50, resetChance: 0.05, jitter: "5 millis" })
      const damaged: Array<string> = []
      let whole = 0
      const handler = (stream: Tcp.TcpStream) =>
        Stream.runForEach(Framing.lengthPrefixed(stream).stream, (bytes) =>
          Effect.sync(() => {
            const frame = new TextDecoder().decode(bytes)
            if (frames.includes(frame)) whole++
            else damaged.push(frame)
          }))
      const client = Effect.scoped(Effect.flatMap(connect, (stream) => {
        const framed = Framing.lengthPrefixed(stream)
        return Effect.forEach(frames, (frame) => framed.send(new TextEncoder().encode(frame)), { discard: true })
      }))
      const clients = Effect.andThen(Tasks.gather(Array.from({ length: 6 }, () => Effect.exit(client))), Effect.sleep("1 second"))
      yield* against(network, handler, { port, onFailure: () => Effect.void }, clients)
      return { damaged, some: whole > 0, isTidy: isTidy(network) }
    })
    explore(program, { runs: 150, holds: (value) => assert.deepStrictEqual(value, { damaged: [], some: true, isTidy: true }) })
  })
})
