import { Cause, Deferred, Duration, Effect, Exit, Option, Stream } from "effect"
import { CancelScope, Errors, Nursery, TaskTree, Timeout } from "effect-nursery"
import { type Network, type Server, Tcp } from "effect-nursery/net"
import * as net from "node:net"
import { assert, describe, it } from "vitest"
import { atWork, beside, logged, type Peer, peers } from "./serve/support.ts"
import { until } from "./sockets.ts"

const run = <A, E>(program: Effect.Effect<A, E>): Promise<A> => Effect.runPromise(program)

const echo = (stream: Tcp.TcpStream) => Stream.runForEach(stream.chunks, (bytes) => stream.send(bytes))
const text = (bytes: Option.Option<Uint8Array>) => Option.match(bytes, { onNone: () => "", onSome: (some) => Buffer.from(some).toString() })

/** The first chunk says what the handler does. */
const obedient = (orders: Record<string, (stream: Tcp.TcpStream) => Effect.Effect<unknown, unknown>>) => (stream: Tcp.TcpStream) =>
  Effect.flatMap(stream.receive, (order) => orders[text(order)]!(stream))

const ended = (peer: Peer) => Effect.promise(() => peer.ended)
const hears = (peer: Peer, what: string) => Effect.promise(() => peer.hears(what))

const refuses = (at: { readonly host: string; readonly port: number }) =>
  Effect.promise(() =>
    new Promise<string>((resolve) => {
      const socket = net.connect(at, () => {
        socket.destroy()
        resolve("connected")
      })
      socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    })
  )

/** Binds the port, which works only if nobody has it. */
const canBind = (at: { readonly host: string; readonly port: number }) =>
  Effect.promise(() =>
    new Promise<string>((resolve) => {
      const server = net.createServer().once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
      server.listen(at.port, at.host, () => server.close(() => resolve("bound")))
    })
  )

describe("Tcp.serve", () => {
  it("calls `started` with the address when somebody can connect, and each peer has its handler", () =>
    run(beside(Tcp.serve(echo, { port: 0 }), ({ address }) =>
      Effect.gen(function*() {
        assert.strictEqual(address.host, "127.0.0.1")
        assert.isAbove(address.port, 0)
        const { dial } = yield* peers
        const all = yield* Effect.forEach(["a", "b", "c"], () => dial(address))
        for (const [i, peer] of all.entries()) peer.say(`I am ${i}`)
        for (const [i, peer] of all.entries()) yield* hears(peer, `I am ${i}`)
        assert.deepStrictEqual(all.map((peer) => peer.received), ["I am 0", "I am 1", "I am 2"])
      }).pipe(Effect.scoped))))

  it("is a function of `started`: alone, or in a nursery that waits for its address", () =>
    run(Nursery.open((n) =>
      Effect.gen(function*() {
        const address = yield* n.start(Tcp.serve(echo, { port: 0 }), { service: true })
        const { dial } = yield* peers
        yield* hears((yield* dial(address)).say("hello"), "hello")
      }).pipe(Effect.scoped))))

  it.skipIf(process.platform !== "linux")("listens at several addresses, at one port that the system chooses", () =>
    run(beside(Tcp.serve(echo, { port: 0, host: ["127.0.0.1", "127.0.0.2", "127.0.0.1"] }), ({ address }) =>
      Effect.gen(function*() {
        const { port } = address
        assert.deepStrictEqual(address.all, [{ _tag: "Tcp", host: "127.0.0.1", port }, { _tag: "Tcp", host: "127.0.0.2", port }])
        const { dial } = yield* peers
        for (const at of address.all) yield* hears((yield* dial(at)).say(at.host), at.host)
      }).pipe(Effect.scoped))))

  it("listens at all addresses of a name that this machine has", () =>
    run(beside(Tcp.serve(echo, { port: 0, host: "localhost" }), ({ address }) =>
      Effect.gen(function*() {
        const { dial } = yield* peers
        for (const at of address.all) yield* hears((yield* dial(at)).say("hello"), "hello")
      }).pipe(Effect.scoped))))

  it("fails with an error that names host and port: T05", () =>
    run(beside(Tcp.serve(echo, { port: 0 }), ({ address }) =>
      Effect.gen(function*() {
        const failure = (options: Tcp.ServeOptions) => Effect.flip(Tcp.serve(echo, options)(() => Effect.die("it listens")))
        const busy = yield* failure({ port: address.port })
        assert.instanceOf(busy, Errors.Broken)
        assert.strictEqual(busy.what, `listener tcp 127.0.0.1:${address.port}`)
        assert.strictEqual((busy.cause as NodeJS.ErrnoException).code, "EADDRINUSE")

        const elsewhere = yield* failure({ port: 4711, host: "192.0.2.1" })
        assert.strictEqual(elsewhere.what, "listener tcp 192.0.2.1:4711")
        assert.strictEqual((elsewhere.cause as NodeJS.ErrnoException).code, "EADDRNOTAVAIL")

        const nowhere = yield* failure({ port: 4711, host: "no such host" })
        assert.strictEqual(nowhere.what, "listener tcp no such host:4711")
      }))))

  it("is a defect that shows the value when an option makes no sense", async () => {
    const bad: ReadonlyArray<readonly [Partial<Tcp.ServeOptions>, string]> = [
      [{ port: -1 }, "Expected `port` to be an integer from 0 to 65535, got `-1` (number)"],
      [{ port: 70_000 }, "Expected `port` to be an integer from 0 to 65535, got `70000` (number)"],
      [{ host: [] }, "Expected `host` to have at least one host, got `[]`"],
      [{ maxConnections: 0 }, "Expected `maxConnections` to be an integer from 1 and up or `Infinity`, got `0` (number)"],
      [{ maxPerAddress: 1.5 }, "Expected `maxPerAddress` to be an integer from 1 and up or `Infinity`, got `1.5` (number)"],
      [{ backlog: Number.NaN }, "Expected `backlog` to be an integer from 1 and up or `Infinity`, got `NaN` (number)"],
      [{ grace: Number.NaN }, "Expected `grace` to be a duration, got `NaN` (number)"],
      [{ limits: { idle: 0 } }, "Expected `limits.idle` to be a duration longer than 0, got `0` (number)"],
      [{ limits: { write: Number.NaN } }, "Expected `limits.write` to be a duration, got `NaN` (number)"],
      [{ heartbeat: { every: "1 second", message: "ping", missed: 0 } }, "Expected `heartbeat.missed` to be an integer from 1 and up or `Infinity`, got `0` (number)"],
      [{ whenFull: "later" as "wait" }, "Expected `whenFull` to be \"wait\", \"reject\" or { reject: \"a text\" }, got `later` (string)"]
    ]
    for (const [options, message] of bad) {
      const exit = await Effect.runPromiseExit(Tcp.serve(echo, { port: 0, ...options })(() => Effect.die("it listens")))
      assert.include(String(Exit.isFailure(exit) ? Cause.squash(exit.cause) : exit), message)
    }
  })

  it("names the task of each connection by its peer", () =>
    run(beside(Tcp.serve(echo, { port: 0, name: "echo" }), ({ address }) =>
      Effect.gen(function*() {
        const { dial } = yield* peers
        const peer = (yield* dial(address)).say("x")
        yield* hears(peer, "x")
        const tree = TaskTree.toText(yield* TaskTree.now)
        assert.include(tree, "nursery echo")
        assert.include(tree, `127.0.0.1:${peer.socket.localPort} (receiving from tcp 127.0.0.1:${peer.socket.localPort})`)
      }).pipe(Effect.scoped))))
})

describe("Tcp.serve, when a handler ends", () => {
  const broken = new Error("oops")
  const endings: Record<string, (stream: Tcp.TcpStream) => Effect.Effect<unknown, unknown>> = {
    "well, without reading": () => Effect.void,
    "with a failure": () => Effect.fail("no"),
    "with a defect": () => Effect.die(broken),
    "by throwing": () => {
      throw broken
    },
    "by interrupting itself": () => Effect.interrupt,
    "after its own close": (stream) => stream.close,
    "after its own abort": (stream) => stream.abort
  }

  for (const [how, handler] of Object.entries(endings)) {
    it(`closes the connection: ${how}`, () =>
      run(Effect.gen(function*() {
        const { layer } = logged()
        yield* beside(Tcp.serve(handler, { port: 0 }), ({ address }) =>
          Effect.gen(function*() {
            const { dial } = yield* peers
            const peer = yield* dial(address)
            assert.notStrictEqual(yield* ended(peer), "still open")
            yield* Effect.promise(() => new Promise<void>((resolve) => peer.socket.destroyed ? resolve() : peer.socket.end().once("close", () => resolve())))
          }).pipe(Effect.scoped)).pipe(Effect.provide(layer))
      })))
  }

  it("sends what it has been given before it closes, also after a failure", () =>
    run(Effect.gen(function*() {
      const { layer } = logged()
      const handler = (stream: Tcp.TcpStream) => Effect.andThen(stream.send("x".repeat(300_000)), Effect.fail("and out"))
      yield* beside(Tcp.serve(handler, { port: 0 }), ({ address }) =>
        Effect.gen(function*() {
          const { dial } = yield* peers
          const peer = yield* dial(address)
          assert.strictEqual(yield* ended(peer), "end")
          assert.strictEqual(peer.received.length, 300_000)
        }).pipe(Effect.scoped)).pipe(Effect.provide(layer))
    })))

  it("a failure closes that connection alone, and reaches the log with its peer: T02", () =>
    run(Effect.gen(function*() {
      const log = logged()
      const handler = obedient({
        fail: () => Effect.fail({ _tag: "BadRequest" }),
        die: () => Effect.die(broken),
        throw: () => {
          throw broken
        },
        live: echo
      })
      yield* beside(Tcp.serve((stream) => Effect.andThen(stream.send("welcome"), handler(stream)), { port: 0 }), ({ address, server }) =>
        Effect.gen(function*() {
          const { dial } = yield* peers
          const live = (yield* dial(address)).say("live")
          for (const order of ["fail", "die", "throw"]) {
            const peer = (yield* dial(address)).say(order)
            const line = yield* Effect.andThen(ended(peer), log.says(`127.0.0.1:${peer.socket.localPort}`))
            assert.strictEqual(line.level, "Error")
            assert.strictEqual(line.message, `the handler of 127.0.0.1:${peer.socket.localPort} failed`)
            const error = Cause.squash(line.cause)
            if (order === "fail") assert.deepStrictEqual(error, { _tag: "BadRequest" })
            else assert.strictEqual(error, broken)
          }
          yield* hears(live.say("still here"), "still here")
          yield* hears(yield* dial(address), "welcome")
          assert.isTrue(Option.isNone(server.poll))
        }).pipe(Effect.scoped)).pipe(Effect.provide(log.layer))
      assert.lengthOf(log.lines.filter(({ level }) => level === "Error"), 3)
    })))

  it("hands failures to `onFailure` instead, with the address of the peer", () =>
    run(Effect.gen(function*() {
      const log = logged()
      const failures = yield* Deferred.make<readonly [unknown, number | undefined]>()
      const onFailure = (cause: Cause.Cause<string | Errors.TooSlow | Errors.Broken>, peer: Network.Address) =>
        Deferred.succeed(failures, [Cause.squash(cause), peer._tag === "Tcp" ? peer.port : 0] as const)
      yield* beside(Tcp.serve(() => Effect.fail("no"), { port: 0, onFailure }), ({ address }) =>
        Effect.gen(function*() {
          const { dial } = yield* peers
          const peer = yield* dial(address)
          assert.deepStrictEqual(yield* Deferred.await(failures), ["no", peer.socket.localPort])
        }).pipe(Effect.scoped)).pipe(Effect.provide(log.layer))
      assert.deepStrictEqual(log.lines.filter(({ level }) => level !== "Info"), [])
    })))

  it("takes a peer that is gone for weather: one line, as information", () =>
    run(Effect.gen(function*() {
      const log = logged()
      yield* beside(Tcp.serve(echo, { port: 0 }), ({ address }) =>
        Effect.gen(function*() {
          const { dial } = yield* peers
          const peer = (yield* dial(address)).say("hello")
          yield* hears(peer, "hello")
          const { localPort } = peer.socket
          peer.socket.resetAndDestroy()
          const line = yield* log.says(`127.0.0.1:${localPort}`)
          assert.strictEqual(line.level, "Info")
          assert.include(line.message, "ECONNRESET")
        }).pipe(Effect.scoped)).pipe(Effect.provide(log.layer))
    })))

  it("outlives a thousand peers that connect and reset: T01", () =>
    run(Effect.gen(function*() {
      const log = logged()
      yield* beside(Tcp.serve(echo, { port: 0 }), ({ address, server }) =>
        Effect.gen(function*() {
          const reset = Effect.promise(() =>
            new Promise<void>((resolve) => {
              const socket = net.connect(address.port, address.host, () => socket.resetAndDestroy())
              socket.on("error", () => {}).on("close", () => resolve())
            })
          )
          yield* Effect.all(Array.from({ length: 1000 }, () => reset), { concurrency: 50 })
          const { dial } = yield* peers
          yield* hears((yield* dial(address)).say("hello"), "hello")
          assert.isTrue(Option.isNone(server.poll))
        }).pipe(Effect.scoped)).pipe(Effect.provide(log.layer))
      assert.deepStrictEqual(log.lines.filter(({ level }) => level !== "Info"), [])
    })))
})

describe("Tcp.serve, when it is full", () => {
  it("runs at most 50 handlers of 80 peers, the others wait for their turn: T07", () =>
    run(Effect.gen(function*() {
      const log = logged()
      let running = 0
      let most = 0
      const counted = (stream: Tcp.TcpStream) =>
        Effect.acquireUseRelease(
          Effect.sync(() => most = Math.max(most, ++running)),
          () => echo(stream),
          () => Effect.sync(() => running--)
        )
      yield* beside(Tcp.serve(counted, { port: 0, maxConnections: 50 }), ({ address }) =>
        Effect.gen(function*() {
          const { all, dial } = yield* peers
          yield* Effect.all(Array.from({ length: 80 }, () => dial(address)), { concurrency: 80 })
          for (const [i, peer] of all.entries()) peer.say(`hello ${i}.`)
          // Whoever is served first is not who dialled first.
          const served = new Set<Peer>()
          while (served.size < 80) {
            const peer = yield* Effect.promise(() => Promise.race(all.flatMap((each, i) => served.has(each) ? [] : [each.hears(`hello ${i}.`).then(() => each)])))
            served.add(peer)
            assert.isAtMost(running, 50)
            if (served.size > 50) continue
            if (served.size === 50) for (const each of served) each.socket.end()
          }
          assert.strictEqual(most, 50)
        }).pipe(Effect.scoped)).pipe(Effect.provide(log.layer))
      assert.lengthOf(log.lines.filter(({ message }) => message === "server is full with 50 connections; others wait, at most 511"), 1)
    })))

  it("turns away who comes when the waiting room is full, too", () =>
    run(Effect.gen(function*() {
      const { layer } = logged()
      const handler = (stream: Tcp.TcpStream) => Effect.andThen(stream.send("welcome"), echo(stream))
      const report = yield* beside(Tcp.serve(handler, { port: 0, maxConnections: 1, backlog: 1 }), ({ address, scope, server }) =>
        Effect.gen(function*() {
          const { dial } = yield* peers
          const first = yield* dial(address)
          yield* hears(first, "welcome")
          const second = yield* dial(address)
          const third = yield* dial(address)
          yield* ended(third)
          assert.strictEqual(third.received, "")
          first.socket.end()
          yield* hears(second, "welcome")
          yield* scope.stop({ grace: "1 minute" })
          second.socket.end()
          return yield* server.join
        }).pipe(Effect.scoped)).pipe(Effect.provide(layer))
      assert.strictEqual(report.turnedAway, 1)
    })))

  const rejecting = (whenFull: NonNullable<Server.Options["whenFull"]>) =>
    Effect.gen(function*() {
      const { layer } = logged()
      return yield* beside(Tcp.serve(echo, { port: 0, maxConnections: 1, whenFull }), ({ address }) =>
        Effect.gen(function*() {
          const { dial } = yield* peers
          const first = (yield* dial(address)).say("a")
          yield* hears(first, "a")
          const second = yield* dial(address)
          const how = yield* ended(second)
          yield* hears(first.say("b"), "ab")
          return [how === "end" || how === "close" || how === "ECONNRESET", second.received] as const
        }).pipe(Effect.scoped)).pipe(Effect.provide(layer))
    })

  it("rejects by closing", async () => assert.deepStrictEqual(await run(rejecting("reject")), [true, ""]))

  it("rejects with a text", async () => assert.deepStrictEqual(await run(rejecting({ reject: "come later\n" })), [true, "come later\n"]))

  it.skipIf(process.platform !== "linux")("lets so many of one address in, and the others nevertheless", () =>
    run(Effect.gen(function*() {
      const { layer } = logged()
      const options = { port: 0, maxPerAddress: 2, whenFull: { reject: "two are enough\n" } }
      yield* beside(Tcp.serve(echo, options), ({ address }) =>
        Effect.gen(function*() {
          const { dial } = yield* peers
          const two = [yield* dial(address), yield* dial(address)]
          for (const peer of two) yield* hears(peer.say("hello"), "hello")
          const third = yield* dial(address)
          yield* hears(third, "two are enough")
          yield* hears((yield* dial(address, "127.0.0.2")).say("another address"), "another address")
          two[0]!.socket.end()
          // Its end was sent before its handler had ended.
          for (let heard = ""; heard !== "hello";) {
            const again = (yield* dial(address)).say("hello")
            heard = yield* Effect.promise(() => Promise.race([again.hears("hello").then(() => "hello"), again.ended]))
          }
        }).pipe(Effect.scoped)).pipe(Effect.provide(layer))
    })))
})

describe("Tcp.serve, when it stops", () => {
  it("accepts no more at once, tells its handlers, and says how many drained, were forced, and how long it took", () =>
    run(Effect.gen(function*() {
      const log = logged()
      const handler = obedient({
        polite: (stream) => CancelScope.whenStopping.pipe(Effect.flatMap((why) => stream.send(`goodbye: ${why.message}`))),
        deaf: (stream) => stream.receive
      })
      const report = yield* beside(Tcp.serve(handler, { port: 0, grace: "200 millis" }), ({ address, scope, server }) =>
        Effect.gen(function*() {
          const { dial } = yield* peers
          const polite = yield* Effect.forEach([1, 2, 3], () => dial(address))
          for (const peer of polite) peer.say("polite")
          const deaf = (yield* dial(address)).say("deaf")
          // All of them have to be at work before it is stopped.
          yield* Effect.all([atWork(3, /a stop/), atWork(1, /receiving/)])
          yield* scope.stop({ grace: "1 minute", reason: "deploy" })
          for (const peer of polite) yield* hears(peer, "goodbye: deploy")
          assert.strictEqual(yield* refuses(address), "ECONNREFUSED")
          assert.strictEqual(yield* canBind(address), "bound")
          assert.isFalse(deaf.socket.readableEnded)
          yield* ended(deaf)
          return yield* server.join
        }).pipe(Effect.scoped)).pipe(Effect.provide(log.layer))
      assert.deepInclude(report, { served: 0, drained: 3, forced: 1, turnedAway: 0 })
      assert.isAtLeast(Duration.toMillis(report.longest), 190)
      assert.match(log.lines.at(-1)!.message, /^server has stopped: drained 3, forced 1, longest \d+ms$/)
    })))

  it("ends at once when no connection is open, and says nothing", () =>
    run(Effect.gen(function*() {
      const log = logged()
      const report = yield* beside(Tcp.serve(echo, { port: 0 }), ({ scope, server }) =>
        Effect.gen(function*() {
          yield* scope.stop({ grace: "1 minute" })
          return yield* server.join
        })).pipe(Effect.provide(log.layer))
      assert.deepStrictEqual(report, { served: 0, drained: 0, forced: 0, longest: Duration.zero, turnedAway: 0 })
      assert.deepStrictEqual(log.lines, [])
    })))

  it("ends the input of its connections if told so: what has come is still handled", () =>
    run(Effect.gen(function*() {
      const log = logged()
      const report = yield* beside(Tcp.serve(echo, { port: 0, endInputOnStop: true }), ({ address, scope, server }) =>
        Effect.gen(function*() {
          const { dial } = yield* peers
          const all = yield* Effect.forEach([1, 2, 3], () => dial(address))
          for (const peer of all) yield* hears(peer.say("hello"), "hello")
          yield* scope.stop({ grace: "1 minute" })
          for (const peer of all) assert.strictEqual(yield* ended(peer), "end")
          return yield* server.join
        }).pipe(Effect.scoped)).pipe(Effect.provide(log.layer))
      assert.deepInclude(report, { served: 0, drained: 3, forced: 0 })
    })))

  it("turns away who was waiting for a handler", () =>
    run(Effect.gen(function*() {
      const { layer } = logged()
      const report = yield* beside(Tcp.serve(echo, { port: 0, maxConnections: 1, endInputOnStop: true }), ({ address, scope, server }) =>
        Effect.gen(function*() {
          const { dial } = yield* peers
          yield* hears((yield* dial(address)).say("a"), "a")
          const waiting = (yield* dial(address)).say("b")
          yield* Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
          yield* scope.stop({ grace: "1 minute" })
          yield* ended(waiting)
          assert.strictEqual(waiting.received, "")
          return yield* server.join
        }).pipe(Effect.scoped)).pipe(Effect.provide(layer))
      assert.deepInclude(report, { drained: 1, forced: 0 })
    })))

  it("gives its handlers no more time than the scope around it has", () =>
    run(Effect.gen(function*() {
      const log = logged()
      const stopped = yield* CancelScope.open((scope) =>
        Nursery.open((n) =>
          Effect.gen(function*() {
            const address = yield* n.start(Tcp.serve(echo, { port: 0, grace: "1 hour" }))
            const { dial } = yield* peers
            const peer = yield* dial(address)
            yield* atWork(1, /receiving/)
            yield* scope.stop({ grace: "20 millis", reason: "deploy" })
            yield* ended(peer)
          }).pipe(Effect.scoped))).pipe(Effect.provide(log.layer))
      assert.strictEqual(stopped._tag, "Failure")
      assert.match(log.lines.at(-1)!.message, /^server has stopped: drained 0, forced 1,/)
    })))

  it("closes a hundred connections and frees the port when the nursery is cancelled: T06", () =>
    run(Effect.gen(function*() {
      const { all, dial } = yield* peers
      let address: Tcp.Bound | undefined
      yield* CancelScope.open((scope) =>
        Nursery.open((n) =>
          Effect.gen(function*() {
            address = yield* n.start(Tcp.serve(echo, { port: 0 }))
            yield* Effect.all(Array.from({ length: 100 }, () => dial(address!)), { concurrency: 20 })
            for (const peer of all) yield* hears(peer.say("hello"), "hello")
            yield* scope.cancel("enough")
          })))
      assert.strictEqual(yield* canBind(address!), "bound")
      for (const peer of all) yield* ended(peer)
      assert.strictEqual(yield* refuses(address!), "ECONNREFUSED")
    }).pipe(Effect.scoped)))

  it("does not wait for a peer that takes nothing when it is cancelled", () =>
    run(Effect.gen(function*() {
      const flood = (stream: Tcp.TcpStream) => Effect.forever(stream.send("x".repeat(100_000)))
      const { dial } = yield* peers
      yield* CancelScope.open((scope) =>
        Nursery.open((n) =>
          Effect.gen(function*() {
            const address = yield* n.start(Tcp.serve(flood, { port: 0 }))
            const peer = yield* dial(address)
            peer.socket.pause()
            yield* atWork(1, /sending to/)
            yield* scope.cancel("enough")
          })))
    }).pipe(Effect.scoped)))
})

describe("Tcp.serve, time limits", () => {
  const limited = (options: Partial<Tcp.ServeOptions>, handler: (stream: Tcp.TcpStream) => Effect.Effect<unknown, unknown>, mute = false) =>
    Effect.gen(function*() {
      const log = logged()
      const tree = yield* beside(Tcp.serve(handler, { port: 0, ...options }), ({ address }) =>
        Effect.gen(function*() {
          const { dial } = yield* peers
          const peer = (yield* dial(address)).say("hello")
          if (mute) peer.socket.pause()
          yield* log.says("127.0.0.1:")
          peer.socket.resume()
          yield* ended(peer)
          return TaskTree.toText(yield* TaskTree.now)
        }).pipe(Effect.scoped)).pipe(Effect.provide(log.layer))
      return { tree, line: log.lines[0]! }
    })

  it("ends a handler whose peer has nothing more to say", async () => {
    const { line } = await run(limited({ limits: { idle: "60 millis" } }, echo))
    assert.strictEqual(line.level, "Info")
    assert.match(line.message, /^127\.0\.0\.1:\d+: idle took longer than 60ms$/)
  })

  it("ends the sends and the connection of a peer that takes nothing", async () => {
    let failed: unknown
    const flood = (stream: Tcp.TcpStream) =>
      Effect.forever(stream.send("x".repeat(1_000_000))).pipe(Effect.tapError((error) => Effect.sync(() => failed = error)))
    const { line } = await run(limited({ limits: { write: "60 millis" } }, flood, true))
    assert.instanceOf(failed, Errors.Broken)
    assert.instanceOf((failed as Errors.Broken).cause, Errors.TooSlow)
    assert.match(line.message, /^127\.0\.0\.1:\d+: tcp 127\.0\.0\.1:\d+ is broken: write took longer than 60ms$/)
  })

  it("asks a silent peer whether it is there, and ends the handler of one that does not answer", async () => {
    const heard: Array<string> = []
    await run(Effect.gen(function*() {
      const log = logged()
      yield* beside(
        Tcp.serve(echo, { port: 0, heartbeat: { every: "100 millis", message: "ping\n", missed: 2 } }),
        ({ address }) =>
          Effect.gen(function*() {
            const { dial } = yield* peers
            const alive = yield* dial(address)
            alive.socket.on("data", (bytes) => String(bytes).includes("ping") && alive.say("pong\n"))
            const mute = yield* dial(address)
            yield* ended(mute)
            heard.push(mute.received)
            // Two pings may come as one chunk, and then there is one answer.
            yield* until(() => /ping[^]*ping/.test(alive.received) && alive.received.includes("pong"))
          }).pipe(Effect.scoped)
      ).pipe(Effect.provide(log.layer))
      assert.match(log.lines[0]!.message, /: heartbeat took longer than 300ms$/)
    }))
    assert.deepStrictEqual(heard, ["ping\nping\n"])
  })

  it("shows the limits in the task tree by their names", () =>
    run(beside(Tcp.serve(echo, { port: 0, limits: { idle: "1 minute" }, heartbeat: { every: "1 minute", message: "ping" } }), ({ address }) =>
      Effect.gen(function*() {
        const { dial } = yield* peers
        yield* hears((yield* dial(address)).say("x"), "x")
        const tree = TaskTree.toText(yield* TaskTree.now)
        assert.include(tree, "timeout idle")
        assert.include(tree, "timeout heartbeat")
      }).pipe(Effect.scoped))))

  it("a time limit of the handler's own is as good: what came before it is not lost", () =>
    run(beside(
      Tcp.serve((stream) =>
        Effect.gen(function*() {
          const cut = yield* Timeout.moveOnAfter(stream.receiveExactly(6), "20 millis")
          assert.isTrue(Option.isNone(cut))
          yield* stream.send("go on")
          yield* stream.send(Option.getOrThrow(yield* stream.receiveExactly(6)))
        }), { port: 0 }),
      ({ address }) =>
        Effect.gen(function*() {
          const { dial } = yield* peers
          const peer = (yield* dial(address)).say("abc")
          yield* hears(peer, "go on")
          yield* hears(peer.say("def"), "abcdef")
        }).pipe(Effect.scoped)
    )))
})
