/** `Tcp.connect`: what it makes of a host with several addresses, in virtual time and in every order; and over real sockets. */
import { Cause, Effect, Exit, Fiber, Option, type Scope } from "effect"
import { Errors, Nursery, TaskTree, Timeout } from "effect-nursery"
import { type Connection, Network, type TcpAddress } from "effect-nursery/net/Network"
import * as Tcp from "effect-nursery/net/Tcp"
import { Explore, VirtualClock } from "effect-nursery/testing"
import { assert, describe, it } from "vitest"
import { interleaved } from "../../src/net/internal/HappyEyeballs.ts"
import { anyPort, run, text, until } from "./sockets.ts"

/** What becomes of an attempt to connect, and after how many milliseconds. */
type Answer = readonly ["accepts" | "refuses", number] | readonly ["hangs"]

/** A network in which every address answers as it is told, and which knows what is open. */
class FakeNetwork {
  readonly open: Array<string> = []
  readonly started: Array<string> = []
  private readonly answers: Readonly<Record<string, Answer>>

  constructor(answers: Readonly<Record<string, Answer>>) {
    this.answers = answers
  }

  private connect(host: string): Effect.Effect<Connection<TcpAddress>, Errors.Broken, Scope.Scope> {
    const answer = this.answers[host]!
    const attempt = Effect.flatMap(Timeout.now, (now) => {
      this.started.push(`${host} at ${Math.round(now)}`)
      if (answer[0] === "hangs") return Effect.never
      const wait = answer[1] === 0 ? Effect.void : Effect.sleep(answer[1])
      if (answer[0] === "accepts") return wait
      return Effect.andThen(wait, Effect.fail(new Errors.Broken({ what: host, cause: new Error(`${host} says no`) })))
    })
    const opened = Effect.acquireRelease(
      Effect.sync(() => void this.open.push(host)),
      () => Effect.sync(() => void this.open.splice(this.open.indexOf(host), 1))
    )
    return Effect.as(Effect.andThen(attempt, opened), { peer: { _tag: "Tcp", host, port: 80 } } as Connection<TcpAddress>)
  }

  get network(): Network {
    return {
      lookup: () => Effect.succeed(Object.keys(this.answers)),
      connect: (to: { readonly host: string }) => this.connect(to.host),
      listen: () => Effect.die("nobody listens here"),
      secure: () => Effect.die("nothing is secret here")
    } as unknown as Network
  }

  provide<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.provideService(effect, Network, this.network)
  }
}

const connect = Effect.map(Tcp.connect({ host: "example.com", port: 80 }), (stream) => stream.peer.host)

/** Connects in virtual time: who won, what was tried when, and what was open then. */
const connecting = (answers: Readonly<Record<string, Answer>>) =>
  VirtualClock.run(Effect.gen(function*() {
    const fake = new FakeNetwork(answers)
    const start = yield* Timeout.now
    const result = yield* Effect.scoped(Effect.gen(function*() {
      const exit = yield* Effect.exit(fake.provide(connect))
      return { exit, open: [...fake.open], millis: Math.round((yield* Timeout.now) - start) }
    }))
    assert.deepStrictEqual(fake.open, [], "something stayed open")
    return { ...result, started: fake.started }
  }))

describe("Tcp.connect, with several addresses", () => {
  it("does not wait when the first one refuses", async () => {
    const { exit, millis, open, started } = await connecting({ "1.1.1.1": ["refuses", 0], "2.2.2.2": ["accepts", 5] })
    assert.deepStrictEqual(exit, Exit.succeed("2.2.2.2"))
    assert.deepStrictEqual(started, ["1.1.1.1 at 0", "2.2.2.2 at 0"])
    assert.deepStrictEqual(open, ["2.2.2.2"])
    assert.strictEqual(millis, 5)
  })

  it("gives the first one 250 ms when it does not answer", async () => {
    const { exit, millis, open, started } = await connecting({ "1.1.1.1": ["hangs"], "2.2.2.2": ["accepts", 5] })
    assert.deepStrictEqual(exit, Exit.succeed("2.2.2.2"))
    assert.deepStrictEqual(started, ["1.1.1.1 at 0", "2.2.2.2 at 250"])
    assert.deepStrictEqual(open, ["2.2.2.2"])
    assert.strictEqual(millis, 255)
  })

  it("goes on as soon as one refuses, however long the others still have", async () => {
    const { millis, started } = await connecting({ "1.1.1.1": ["hangs"], "2.2.2.2": ["refuses", 10], "3.3.3.3": ["refuses", 300], "4.4.4.4": ["accepts", 0] })
    assert.deepStrictEqual(started, ["1.1.1.1 at 0", "2.2.2.2 at 250", "3.3.3.3 at 260", "4.4.4.4 at 510"])
    assert.strictEqual(millis, 510)
  })

  it("takes the first one although it is late, and closes the others", async () => {
    const { exit, millis, open } = await connecting({ "1.1.1.1": ["accepts", 300], "2.2.2.2": ["accepts", 100] })
    assert.deepStrictEqual(exit, Exit.succeed("1.1.1.1"))
    assert.deepStrictEqual(open, ["1.1.1.1"])
    assert.strictEqual(millis, 300)
  })

  it("keeps one when two accept in the same moment", async () => {
    const { exit, open } = await connecting({ "1.1.1.1": ["accepts", 300], "2.2.2.2": ["accepts", 50] })
    assert.deepStrictEqual(open, [Exit.isSuccess(exit) ? exit.value : ""])
  })

  it("tells every address and why when all fail", async () => {
    const { exit, millis } = await connecting({ "1.1.1.1": ["refuses", 0], "::2": ["refuses", 30], "3.3.3.3": ["refuses", 0] })
    assert.strictEqual(millis, 30)
    const error = Option.getOrThrow(Exit.findErrorOption(exit))
    assert.strictEqual(
      error.message,
      "tcp example.com:80 is broken: no address could be reached (1.1.1.1: 1.1.1.1 says no; ::2: ::2 says no; 3.3.3.3: 3.3.3.3 says no)"
    )
    const { cause } = error
    assert.instanceOf(cause, AggregateError)
    if (cause instanceof AggregateError) assert.deepStrictEqual(cause.errors.map((one: Errors.Broken) => one.what), ["1.1.1.1", "::2", "3.3.3.3"])
  })

  it("waits as long between attempts as it is told", async () => {
    const fake = new FakeNetwork({ "1.1.1.1": ["hangs"], "2.2.2.2": ["hangs"], "3.3.3.3": ["accepts", 0] })
    await VirtualClock.run(Effect.scoped(fake.provide(Tcp.connect({ host: "h", port: 1, stagger: "1 second" }))))
    assert.deepStrictEqual(fake.started, ["1.1.1.1 at 0", "2.2.2.2 at 1000", "3.3.3.3 at 2000"])
  })

  it("leaves nothing open when it is cancelled while all are silent", async () => {
    const fake = new FakeNetwork({ "1.1.1.1": ["hangs"], "2.2.2.2": ["hangs"] })
    const result = await VirtualClock.run(Effect.scoped(fake.provide(Timeout.moveOnAfter(connect, "10 seconds"))))
    assert.isTrue(Option.isNone(result))
    assert.lengthOf(fake.started, 2)
    assert.deepStrictEqual(fake.open, [])
  })

  it("tries the families by turns, beginning with the one that the system prefers", () => {
    assert.deepStrictEqual(interleaved(["::1", "::2", "::3", "1.1.1.1", "2.2.2.2"]), ["::1", "1.1.1.1", "::2", "2.2.2.2", "::3"])
    assert.deepStrictEqual(interleaved(["1.1.1.1", "::1", "::2"]), ["1.1.1.1", "::1", "::2"])
    assert.deepStrictEqual(interleaved(["1.1.1.1", "2.2.2.2"]), ["1.1.1.1", "2.2.2.2"])
  })

  // Whoever is cancelled, at whichever step, in whichever order: as long as the scope is open at most the winner is, and then nothing.
  const worlds: ReadonlyArray<Readonly<Record<string, Answer>>> = [
    { "1.1.1.1": ["accepts", 0] },
    { "1.1.1.1": ["refuses", 0], "2.2.2.2": ["accepts", 0] },
    { "1.1.1.1": ["refuses", 130_000], "2.2.2.2": ["accepts", 10] },
    { "1.1.1.1": ["accepts", 250], "2.2.2.2": ["accepts", 0], "3.3.3.3": ["accepts", 0] },
    { "1.1.1.1": ["accepts", 300], "2.2.2.2": ["accepts", 50], "3.3.3.3": ["accepts", 1] },
    { "1.1.1.1": ["refuses", 250], "2.2.2.2": ["refuses", 0] }
  ]
  for (const answers of worlds) {
    it(`leaves nothing behind in any order, cancelled anywhere: ${Object.values(answers).map((answer) => answer.join(" ")).join(", ")}`, () => {
      const program = Effect.suspend(() => {
        const fake = new FakeNetwork(answers)
        const body = Effect.flatMap(Effect.exit(fake.provide(connect)), (exit) => {
          const winner = Exit.isSuccess(exit) ? [exit.value] : []
          assert.deepStrictEqual(fake.open, winner)
          return exit
        })
        return Effect.ensuring(Effect.scoped(body), Effect.sync(() => assert.deepStrictEqual(fake.open, [])))
      })
      const accepts = (exit: Exit.Exit<unknown, unknown>) =>
        Exit.isSuccess(exit) || exit.cause.reasons.every((reason) => reason._tag !== "Die")
      for (const pauseAt of ["operations", "everywhere"] as const) {
        const report = Explore.run(program, { runs: 400, cancelEverywhere: true, accepts, pauseAt })
        assert.strictEqual(report._tag, "Passed", Explore.toText(report))
      }
    })
  }
})

const listening = Effect.gen(function*() {
  const network = yield* Network
  const accepted: Array<Connection<TcpAddress>> = []
  const listener = yield* network.listen(anyPort, { connected: (connection) => void accepted.push(connection), failed: () => {} })
  yield* Effect.addFinalizer(() => Effect.forEach(accepted, (connection) => connection.abort))
  return { accepted, port: listener.address.port }
})

describe("Tcp.connect", () => {
  it("connects to a name and to an address, and closes with the scope", () =>
    run(Effect.gen(function*() {
      const { accepted, port } = yield* listening
      for (const host of ["localhost", "127.0.0.1"]) {
        yield* Effect.scoped(Effect.gen(function*() {
          const stream = yield* Tcp.connect({ host, port })
          assert.deepStrictEqual(stream.peer, { _tag: "Tcp", host: "127.0.0.1", port })
          assert.strictEqual(stream.local.host, "127.0.0.1")
          yield* until(() => accepted.length > 0)
          assert.deepStrictEqual(accepted[0]!.peer, stream.local)
          assert.deepStrictEqual(accepted[0]!.local, stream.peer)
          yield* stream.send("bye")
        }))
        const connection = accepted.shift()!
        assert.strictEqual(text(Option.getOrThrow(yield* connection.receive)), "bye")
        assert.isTrue(Option.isNone(yield* connection.receive))
        yield* connection.close
      }
    })))

  it("T05: names host and port when nobody listens, and has the system's answer as the cause", () =>
    run(Effect.gen(function*() {
      const port = yield* Effect.scoped(Effect.map(listening, ({ port }) => port))
      const error = yield* Effect.flip(Tcp.connect({ host: "127.0.0.1", port }))
      assert.strictEqual(error._tag, "Broken")
      assert.strictEqual(error.message, `tcp 127.0.0.1:${port} is broken: connect ECONNREFUSED 127.0.0.1:${port}`)
      assert.strictEqual((error.cause as { readonly code: string }).code, "ECONNREFUSED")
      const byName = yield* Effect.flip(Tcp.connect({ host: "localhost", port }))
      assert.match(byName.message, new RegExp(`^tcp localhost:${port} is broken: .*connect ECONNREFUSED 127.0.0.1:${port}`))
    })))

  it("T05: names host and port when the name has no address", () =>
    run(Effect.gen(function*() {
      const error = yield* Effect.flip(Tcp.connect({ host: "no-such-host.invalid", port: 80 }))
      assert.match(error.message, /^tcp no-such-host\.invalid:80 is broken: getaddrinfo E/)
    })))

  it("dies of a port that is none, and says which", () =>
    run(Effect.gen(function*() {
      for (const port of [0, -1, 65_536, 1.5, NaN, "80" as never]) {
        const exit = yield* Effect.exit(Tcp.connect({ host: "127.0.0.1", port }))
        assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
        if (Exit.isFailure(exit)) assert.include(String(Cause.squash(exit.cause)), `Expected \`port\` to be an integer from 1 to 65535, got \`${port}\``)
      }
    })))

  it("leaves no socket when it is cancelled at whichever turn", () =>
    run(Effect.gen(function*() {
      const { accepted, port } = yield* listening
      for (let turns = 0; turns < 12; turns++) {
        const connecting = yield* Effect.forkChild(Effect.scoped(Effect.andThen(Tcp.connect({ host: "localhost", port }), Effect.never)))
        for (let i = 0; i < turns; i++) yield* Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
        yield* Fiber.interrupt(connecting)
      }
      // Those that were connected are seen to have ended.
      yield* Effect.forEach(accepted, (connection) => Effect.exit(connection.receive))
      yield* Effect.forEach(accepted, (connection) => connection.abort)
    })))

  it("says in the task tree whom it waits for", () =>
    VirtualClock.run(Effect.gen(function*() {
      const seen = yield* Nursery.open((n) => Effect.gen(function*() {
        const fake = new FakeNetwork({ "1.1.1.1": ["hangs"], "2.2.2.2": ["hangs"] })
        yield* n.startSoon(Effect.scoped(fake.provide(connect)), { name: "client" })
        yield* Effect.sleep(300)
        const tree = TaskTree.toText(yield* TaskTree.now)
        yield* n.cancelTasks()
        return tree
      }))
      assert.include(seen, "client")
      assert.include(seen, "firstSuccess")
    })))
})
