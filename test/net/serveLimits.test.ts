import { type Cause, Duration, Effect, type Exit, Option, Stream } from "effect"
import { CancelScope, Errors, Nursery, Timeout } from "effect-nursery"
import { type Server, Tcp, Tls } from "effect-nursery/net"
import { SimulatedNetwork, VirtualClock } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"
import { logged } from "./serve/support.ts"

const echo = (stream: Tcp.TcpStream) => Stream.runForEach(stream.chunks, (bytes) => stream.send(bytes))
const text = (bytes: Option.Option<Uint8Array>) => Option.match(bytes, { onNone: () => "", onSome: (some) => Buffer.from(some).toString() })
const now = Effect.map(Timeout.now, Math.round)

/** How the handler of a server has ended, and when. */
interface Ending {
  readonly at: number
  readonly exit: Exit.Exit<unknown, unknown>
}

interface Outcome<A> {
  readonly value: A
  readonly endings: ReadonlyArray<Ending>
  readonly messages: ReadonlyArray<string>
}

/** Runs a client against a server in virtual time, over a link that takes a millisecond. */
const against = <A, E>(
  options: Partial<Tcp.ServeOptions>,
  handler: (stream: Tcp.TcpStream) => Effect.Effect<unknown, unknown>,
  client: (network: SimulatedNetwork.SimulatedNetwork, stream: Tcp.TcpStream) => Effect.Effect<A, E>
): Promise<Outcome<A>> => {
  const log = logged()
  const endings: Array<Ending> = []
  const noted = (stream: Tcp.TcpStream) =>
    Effect.onExit(handler(stream), (exit) => Effect.map(now, (at) => void endings.push({ at, exit })))
  const program = Nursery.open((n) =>
    Effect.gen(function*() {
      const network = yield* SimulatedNetwork.make({ seed: 1 })
      yield* network.on("server", n.start(Tcp.serve(noted, { port: 80, host: "0.0.0.0", ...options }), { service: true }))
      return yield* network.on("laptop", Effect.scoped(Effect.flatMap(Tcp.connect({ host: "server", port: 80 }), (stream) => client(network, stream))))
    })
  )
  return VirtualClock.run(program.pipe(Effect.provide(log.layer))).then((value) => ({ value, endings, messages: log.lines.map(({ message }) => message) }))
}

const untilEnd = (stream: Tcp.TcpStream) => Stream.mkString(Stream.decodeText(stream.chunks))

describe("limits.idle", () => {
  const limits = { idle: "1 minute" } as const

  it("ends a handler when nothing has come or gone for so long, and at most a quarter later", async () => {
    const { endings, messages } = await against({ limits }, echo, (_, stream) => Effect.andThen(stream.send("hello"), untilEnd(stream)))
    assert.lengthOf(endings, 1)
    assert.isAtLeast(endings[0]!.at, 60_000)
    assert.isAtMost(endings[0]!.at, 75_010)
    assert.match(messages[0]!, /: idle took longer than 1m$/)
  })

  it("does not count what it takes a message to come in small pieces", async () => {
    const { endings, value } = await against({ limits }, (stream) => Effect.flatMap(stream.receiveExactly(10), (all) => stream.send(Option.getOrThrow(all))), (_, stream) =>
      Effect.gen(function*() {
        for (let i = 0; i < 10; i++) yield* Effect.andThen(stream.send(String(i)), Effect.sleep("50 seconds"))
        return yield* untilEnd(stream)
      }))
    assert.strictEqual(value, "0123456789")
    assert.strictEqual(endings[0]!.exit._tag, "Success")
  })

  it("counts what goes as well", async () => {
    const ticks = (stream: Tcp.TcpStream) => Effect.forEach([1, 2, 3, 4, 5], (n) => Effect.andThen(Effect.sleep("50 seconds"), stream.send(String(n))), { discard: true })
    const { value } = await against({ limits }, ticks, (_, stream) => untilEnd(stream))
    assert.strictEqual(value, "12345")
  })

  it("cuts off a handler that is busy with something else, and its cleanup is run", async () => {
    const { endings, messages } = await against({ limits }, () => Effect.sleep("1 hour"), (_, stream) => untilEnd(stream))
    assert.isAtMost(endings[0]!.at, 75_010)
    assert.match(messages[0]!, /idle took longer/)
  })
})

describe("limits.write", () => {
  const limits = { write: "1 minute" } as const
  const flood = (stream: Tcp.TcpStream) => Effect.forever(stream.send("x".repeat(100_000)))

  const failureOf = (exit: Exit.Exit<unknown, unknown>) => exit._tag === "Failure" ? (exit.cause.reasons[0] as Cause.Fail<unknown>).error : undefined

  it("ends the send, and the connection, of a peer that takes nothing for so long", async () => {
    const { endings } = await against({ limits }, flood, () => Effect.sleep("1 hour"))
    const error = failureOf(endings[0]!.exit)
    assert.instanceOf(error, Errors.Broken)
    assert.deepInclude((error as Errors.Broken).cause, { _tag: "TooSlow", scope: "write" })
    assert.isAtLeast(endings[0]!.at, 60_000)
    assert.isAtMost(endings[0]!.at, 75_010)
  })

  it("gives a peer that takes a little of it now and then all the time it needs", async () => {
    const one = (stream: Tcp.TcpStream) => stream.send("x".repeat(200_000))
    const { endings, value } = await against({ limits }, one, (_, stream) =>
      Effect.gen(function*() {
        let all = 0
        for (;;) {
          yield* Effect.sleep("40 seconds")
          const bytes = yield* stream.receiveExactly(10_000)
          if (Option.isNone(bytes)) return all
          all += bytes.value.length
        }
      }))
    assert.strictEqual(value, 200_000)
    assert.strictEqual(endings[0]!.exit._tag, "Success")
    assert.isAbove(endings[0]!.at, 400_000)
  })

  it("tells whoever receives meanwhile the same", async () => {
    const both = (stream: Tcp.TcpStream) =>
      Nursery.open((n) =>
        Effect.gen(function*() {
          const reader = yield* n.startNow(Effect.flip(stream.receive))
          yield* Effect.ignore(flood(stream))
          return yield* reader.join
        }))
    const { endings } = await against({ limits }, both, () => Effect.sleep("1 hour"))
    const error = endings[0]!.exit._tag === "Success" ? endings[0]!.exit.value : undefined
    assert.deepInclude(error, { _tag: "Broken" })
    assert.deepInclude((error as Errors.Broken).cause, { _tag: "TooSlow", scope: "write" })
  })

  it("leaves the stream as it is otherwise: two senders at once are told `Busy`, and after a close it is `Closed`", async () => {
    const handler = (stream: Tcp.TcpStream) =>
      Nursery.open((n) =>
        Effect.gen(function*() {
          const first = yield* n.startNow(stream.send("x".repeat(500_000)))
          const second = yield* Effect.flip(stream.send("y"))
          yield* first.join
          yield* stream.close
          return [second._tag, (yield* Effect.flip(stream.send("z")))._tag, (yield* Effect.flip(stream.receive))._tag]
        }))
    const { endings, value } = await against({ limits }, handler, (_, stream) => Effect.map(untilEnd(stream), (all) => all.length))
    assert.strictEqual(value, 500_000)
    assert.deepStrictEqual(endings[0]!.exit._tag === "Success" && endings[0]!.exit.value, ["Busy", "Closed", "Closed"])
  })
})

describe("heartbeat", () => {
  const heartbeat: Server.Heartbeat = { every: "30 seconds", message: "ping\n", missed: 3 }

  it("asks a silent peer as often as it may miss, then ends the handler", async () => {
    const { endings, messages, value } = await against({ heartbeat }, echo, (_, stream) => untilEnd(stream))
    assert.strictEqual(value, "ping\nping\nping\n")
    assert.isAtLeast(endings[0]!.at, 120_000)
    assert.isAtMost(endings[0]!.at, 120_010)
    assert.match(messages[0]!, /: heartbeat took longer than 2m$/)
  })

  it("finds a peer whose network is cut, although something can still be sent", async () => {
    const { endings } = await against({ heartbeat }, echo, (network, stream) =>
      Effect.gen(function*() {
        yield* stream.send("hello")
        yield* stream.receive
        yield* network.partition("server", "laptop")
        yield* Effect.sleep("10 minutes")
      }))
    assert.isAtMost(endings[0]!.at, 150_010)
  })

  it("lets a peer live that answers, and asks nobody who talks anyway", async () => {
    const lines = (stream: Tcp.TcpStream) => Stream.runForEach(stream.lines, (line) => line === "bye" ? stream.close : Effect.void)
    const { endings, value } = await against({ heartbeat }, lines, (_, stream) =>
      Effect.gen(function*() {
        for (let i = 0; i < 10; i++) yield* Effect.andThen(stream.send("talk\n"), Effect.sleep("20 seconds"))
        const asked: Array<string> = []
        for (let i = 0; i < 10; i++) {
          asked.push(text(yield* stream.receive))
          yield* stream.send("pong\n")
        }
        yield* stream.send("bye\n")
        yield* untilEnd(stream)
        return asked
      }))
    assert.deepStrictEqual(value, Array.from({ length: 10 }, () => "ping\n"))
    assert.isAbove(endings[0]!.at, 200_000 + 9 * 30_000)
  })

  it("goes between two sends, and no sender is told `Busy` because of it", async () => {
    const slowly = (stream: Tcp.TcpStream) =>
      Effect.forEach(Array.from({ length: 40 }, (_, i) => i), (i) => Effect.andThen(Effect.sleep("3 seconds"), stream.send(`<${"x".repeat(50_000)}${i}>`)), { discard: true })
    const { endings, value } = await against({ heartbeat: { ...heartbeat, missed: 1000 } }, slowly, (_, stream) =>
      Effect.gen(function*() {
        let all = ""
        for (;;) {
          yield* Effect.sleep("2 seconds")
          const bytes = yield* stream.receive
          if (Option.isNone(bytes)) return all
          all += text(bytes)
        }
      }))
    assert.strictEqual(endings[0]!.exit._tag, "Success")
    assert.include(value, "ping\n")
    assert.strictEqual(value.replaceAll("ping\n", ""), Array.from({ length: 40 }, (_, i) => `<${"x".repeat(50_000)}${i}>`).join(""))
  })
})

describe("limits.handshake", () => {
  it("ends a TLS handshake that nobody goes on with, and the server goes on", async () => {
    const log = logged()
    const program = Nursery.open((n) =>
      Effect.gen(function*() {
        const network = yield* SimulatedNetwork.make({ seed: 1 })
        const identity = { cert: "", key: "" }
        const serve = Tls.serve(() => Effect.die("no handshake, no handler"), { port: 443, host: "0.0.0.0", identity, limits: { handshake: "5 seconds" } })
        yield* network.on("server", n.start(serve, { service: true }))
        yield* network.on("laptop", Effect.scoped(Effect.gen(function*() {
          const stream = yield* Tcp.connect({ host: "server", port: 443 })
          // A reset, or an end: it is closed.
          yield* Effect.ignore(stream.receive)
          assert.isAtLeast(yield* now, 5000)
        })))
      })
    )
    await VirtualClock.run(program.pipe(Effect.provide(log.layer)))
    assert.match(log.lines[0]!.message, /: handshake took longer than 5s$/)
  })
})

describe("accepting", () => {
  it("goes on after a connection that the system could not accept, and logs it once in 100 milliseconds: B4", async () => {
    const log = logged()
    const program = Nursery.open((n) =>
      Effect.gen(function*() {
        const network = yield* SimulatedNetwork.make({ seed: 1 })
        yield* network.on("server", n.start(Tcp.serve(echo, { port: 80, host: "0.0.0.0" }), { service: true }))
        const connect = network.on("laptop", Effect.scoped(Effect.andThen(Timeout.moveOnAfter(Effect.exit(Tcp.connect({ host: "server", port: 80 })), "1 second"), Effect.void)))
        for (const code of ["EMFILE", "ENFILE", "ENOMEM", "ENOBUFS"]) {
          yield* network.failAccepts("server", 20, code)
          yield* Effect.all(Array.from({ length: 20 }, () => connect), { concurrency: "unbounded" })
          yield* Effect.sleep("1 second")
        }
        yield* network.on("laptop", Effect.scoped(Effect.gen(function*() {
          const stream = yield* Tcp.connect({ host: "server", port: 80 })
          yield* stream.send("hello")
          assert.strictEqual(text(yield* stream.receive), "hello")
        })))
      })
    )
    await VirtualClock.run(program.pipe(Effect.provide(log.layer)))
    const warnings = log.lines.filter(({ level }) => level === "Warn").map(({ message }) => message)
    assert.lengthOf(warnings, 4)
    for (const [i, code] of ["EMFILE", "ENFILE", "ENOMEM", "ENOBUFS"].entries()) {
      assert.match(warnings[i]!, new RegExp(`^server cannot accept connections for now, and goes on: listener tcp .*${code}`))
    }
  })
})

describe("grace", () => {
  const stopping = (grace: Duration.Input, around: Duration.Input) =>
    VirtualClock.run(Effect.gen(function*() {
      const network = yield* SimulatedNetwork.make({ seed: 1 })
      let report: Server.Report | undefined
      const times: Array<number> = []
      yield* CancelScope.open((scope) =>
        Nursery.open((n) =>
          Effect.gen(function*() {
            // In steps: handlers that need 1, 2, 3 … seconds after the stop.
            let seconds = 0
            const handler = () =>
              Effect.suspend(() => Effect.andThen(CancelScope.whenStopping, Effect.sleep(`${++seconds} seconds`))).pipe(
                Effect.ensuring(Effect.map(now, (at) => void times.push(at)))
              )
            const serve = Tcp.serve(handler, { port: 80, host: "0.0.0.0", grace })
            yield* n.start((started: (address: Tcp.Bound) => Effect.Effect<void>) =>
              Effect.map(network.on("server", serve(started)), (value) => void (report = value)))
            const stay = network.on("laptop", Effect.scoped(Effect.flatMap(Tcp.connect({ host: "server", port: 80 }), (stream) => Effect.ignore(stream.receive))))
            for (let i = 0; i < 6; i++) yield* n.startSoon(stay)
            yield* Effect.sleep("10 seconds")
            yield* scope.stop({ grace: around, reason: "deploy" })
          })))
      return { report, times: times.map((at) => Math.round((at - 10_000) / 1000)) }
    }).pipe(Effect.provide(logged().layer)))

  it("is what handlers have to end by themselves; then they are cancelled, and the report says how many", async () => {
    const { report, times } = await stopping("4 seconds", "1 hour")
    assert.deepStrictEqual(times, [1, 2, 3, 4, 4, 4])
    assert.deepStrictEqual(report, { served: 0, drained: 4, forced: 2, longest: Duration.seconds(4), turnedAway: 0 })
  })

  it("is no longer than that of the scope around the server, which then has no report", async () => {
    const { report, times } = await stopping("1 hour", "2500 millis")
    assert.deepStrictEqual(times.slice(0, 3), [1, 2, 3])
    assert.isUndefined(report)
  })

  it("of 0 cancels them at once", async () => {
    const { report, times } = await stopping(0, "1 hour")
    assert.deepStrictEqual(times, [0, 0, 0, 0, 0, 0])
    assert.deepInclude(report, { drained: 0, forced: 6 })
  })
})
