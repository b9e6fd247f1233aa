import { Effect, Option, Stream } from "effect"
import { CancelScope, Errors, Nursery, TaskTree } from "effect-nursery"
import { type Network, Tls, Unix } from "effect-nursery/net"
import * as fs from "node:fs"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import * as tls from "node:tls"
import { assert, describe, it } from "vitest"
import { Authority } from "./certificates.ts"
import { logged, Peer, peers } from "./serve/support.ts"

const run = <A, E>(program: Effect.Effect<A, E>): Promise<A> => Effect.runPromise(program)

const echo = (stream: Network.Connection) => Stream.runForEach(stream.chunks, (bytes) => stream.send(bytes))

const authority = new Authority("Test Authority")
const identity = authority.certify("localhost", "127.0.0.1")

/** A client that knows nothing of this library: what it received until the end. */
const secureClient = (port: number, says: string, options: tls.ConnectionOptions = {}) =>
  Effect.promise(() =>
    new Promise<string>((resolve) => {
      let received = ""
      const socket = tls.connect({ port, host: "127.0.0.1", ca: authority.cert, servername: "localhost", ...options }, () => socket.end(says))
      socket.on("data", (bytes) => received += bytes.toString())
      socket.on("end", () => resolve(received)).on("error", (error: NodeJS.ErrnoException) => resolve(`${received}${error.code}`))
    })
  )

const serving = <A, E, R>(
  options: Partial<Tls.ServeOptions>,
  handler: (stream: Tls.TlsStream) => Effect.Effect<unknown, unknown>,
  body: (port: number) => Effect.Effect<A, E, R>
) => Nursery.open((n) => Effect.flatMap(n.start(Tls.serve(handler, { port: 0, identity, ...options }), { service: true }), ({ port }) => body(port)))

describe("Tls.serve", () => {
  it("gives the handler a stream with its session, and echoes a megabyte", () =>
    run(Effect.gen(function*() {
      const seen: Array<unknown> = []
      const handler = (stream: Tls.TlsStream) => {
        seen.push([stream.session.version, Option.getOrNull(stream.session.serverName), stream.peer.host])
        return echo(stream)
      }
      yield* serving({}, handler, (port) =>
        Effect.gen(function*() {
          const text = "0123456789abcdef".repeat(65_536)
          assert.isTrue((yield* secureClient(port, text)) === text)
        }))
      assert.deepStrictEqual(seen, [["TLSv1.3", "localhost", "127.0.0.1"]])
    })))

  it("works with time limits and heartbeats: the stream is the same", () =>
    run(Effect.gen(function*() {
      const log = logged()
      const handler = (stream: Tls.TlsStream) =>
        Effect.gen(function*() {
          yield* stream.send(stream.session.version)
          assert.strictEqual(stream.peer.host, "127.0.0.1")
          return yield* echo(stream)
        })
      const options = { limits: { idle: "1 minute", write: "1 minute" }, heartbeat: { every: "1 minute", message: "ping" } } as const
      const said = yield* serving(options, handler, (port) => secureClient(port, " hello")).pipe(Effect.provide(log.layer))
      assert.strictEqual(said, "TLSv1.3 hello")
      assert.deepStrictEqual(log.lines.filter(({ level }) => level !== "Debug"), [])
    })))

  it("a handshake that fails concerns nobody else, and is one line of the log: T02", () =>
    run(Effect.gen(function*() {
      const log = logged()
      let handled = 0
      const handler = (stream: Tls.TlsStream) => Effect.andThen(Effect.sync(() => handled++), echo(stream))
      yield* serving({}, handler, (port) =>
        Effect.gen(function*() {
          const { dial } = yield* peers
          const plain = (yield* dial({ host: "127.0.0.1", port })).say("GET / HTTP/1.1\r\n\r\n")
          yield* Effect.promise(() => plain.ended)
          assert.strictEqual(yield* secureClient(port, "hello"), "hello")
        }).pipe(Effect.scoped)).pipe(Effect.provide(log.layer))
      assert.strictEqual(handled, 1)
      const lines = log.lines.filter(({ level }) => level !== "Debug")
      assert.lengthOf(lines, 1)
      assert.strictEqual(lines[0]!.level, "Info")
      assert.match(lines[0]!.message, /^127\.0\.0\.1:\d+: tls 127\.0\.0\.1:\d+ is broken: .*(http request|wrong version number)/i)
    })))

  it("ends a client that does not shake hands in time, under the name of that limit", () =>
    run(Effect.gen(function*() {
      const log = logged()
      yield* serving({ limits: { handshake: "60 millis" } }, echo, (port) =>
        Effect.gen(function*() {
          const { dial } = yield* peers
          const mute = yield* dial({ host: "127.0.0.1", port })
          // Its connection may be in the tree a moment later than it is connected.
          let tree = ""
          while (!tree.includes("timeout handshake")) {
            tree = TaskTree.toText(yield* TaskTree.now)
            yield* Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
          }
          yield* Effect.promise(() => mute.ended)
          yield* log.says(/: handshake took longer than 60ms$/)
        }).pipe(Effect.scoped)).pipe(Effect.provide(log.layer))
    })))

  it("asks clients for certificates if it is told whose, and knows their names", () =>
    run(Effect.gen(function*() {
      const log = logged()
      const handler = (stream: Tls.TlsStream) => stream.send(`hello ${Option.getOrElse(stream.session.peerName, () => "stranger")}`)
      yield* serving({ clientCa: authority.cert }, handler, (port) =>
        Effect.gen(function*() {
          const known = authority.certify("ada.example")
          assert.strictEqual(yield* secureClient(port, "", { cert: known.cert, key: known.key }), "hello ada.example")
          const stranger = new Authority("Somebody").certify("eve.example")
          assert.notInclude(yield* secureClient(port, "", { cert: stranger.cert, key: stranger.key }), "hello")
        })).pipe(Effect.provide(log.layer))
    })))

  it("drains as `Tcp.serve` does, and ends the input of those it is told to", () =>
    run(Effect.gen(function*() {
      const log = logged()
      yield* CancelScope.open((scope) =>
        Nursery.open((n) =>
          Effect.gen(function*() {
            const { port } = yield* n.start(Tls.serve(echo, { port: 0, identity, endInputOnStop: true }))
            const client = tls.connect({ port, host: "127.0.0.1", ca: authority.cert, servername: "localhost" })
            const ended = new Promise<void>((resolve) => client.on("end", resolve))
            yield* Effect.promise(() => new Promise<void>((resolve) => client.once("data", () => resolve()).write("hello")))
            yield* scope.stop({ grace: "1 minute" })
            yield* Effect.promise(() => ended)
          }))).pipe(Effect.provide(log.layer))
      assert.match(log.lines.at(-1)!.message, /^server has stopped: drained 1, forced 0/)
    })))
})

const inFolder = <A, E, R>(body: (folder: string) => Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "serve-"))),
    body,
    (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true }))
  )

describe("Unix.serve", () => {
  it("serves a socket of the file system, whose file is gone when it has stopped", () =>
    run(inFolder((folder) =>
      Effect.gen(function*() {
        const at = path.join(folder, "echo.sock")
        yield* Nursery.open((n) =>
          Effect.gen(function*() {
            const address = yield* n.start(Unix.serve(echo, { path: at }), { service: true })
            assert.deepStrictEqual(address, { _tag: "Unix", path: at })
            const [one, two] = [new Peer({ path: at }), new Peer({ path: at })]
            yield* Effect.promise(() => one.say("one").hears("one"))
            yield* Effect.promise(() => two.say("two").hears("two"))
            assert.match(TaskTree.toText(yield* TaskTree.now), /peer 1 … peer 2|peer 1 \(receiving from unix/)
            for (const peer of [one, two]) {
              peer.socket.end()
              assert.strictEqual(yield* Effect.promise(() => peer.ended), "end")
              peer.leave()
            }
          }))
        assert.isFalse(fs.existsSync(at))
      }))))

  it("replaces what a killed process has left, and respects who listens: T05", () =>
    run(inFolder((folder) =>
      Effect.gen(function*() {
        const at = path.join(folder, "echo.sock")
        // A listener whose process was killed: the file stays.
        yield* Effect.promise(() =>
          new Promise<void>((resolve) => {
            const left = path.join(folder, "left.sock")
            const server = net.createServer().listen(left, () => {
              fs.linkSync(left, at)
              server.close(() => resolve())
            })
          })
        )
        assert.isTrue(fs.existsSync(at))
        yield* Nursery.open((n) =>
          Effect.gen(function*() {
            yield* n.start(Unix.serve(echo, { path: at }), { service: true })
            const error = yield* Effect.flip(Unix.serve(echo, { path: at })(() => Effect.die("two servers at one path")))
            assert.instanceOf(error, Errors.Broken)
            assert.strictEqual(error.what, `listener unix ${at}`)
            assert.strictEqual((error.cause as NodeJS.ErrnoException).code, "EADDRINUSE")
            const stream = yield* Unix.connect({ path: at })
            yield* stream.send("still there")
            assert.isTrue(Option.isSome(yield* stream.receive))
          }).pipe(Effect.scoped))
      }))))

  it("counts all peers as one address, names them in the log, and turns away who is too many", () =>
    run(inFolder((folder) =>
      Effect.gen(function*() {
        const log = logged()
        const at = path.join(folder, "echo.sock")
        const handler = (stream: Unix.UnixStream) => Effect.andThen(stream.receive, Effect.fail("no"))
        yield* Nursery.open((n) =>
          Effect.gen(function*() {
            yield* n.start(Unix.serve(handler, { path: at, maxPerAddress: 1, whenFull: { reject: "one is enough" } }), { service: true })
            const one = new Peer({ path: at })
            yield* Effect.promise(() => one.connected)
            const two = new Peer({ path: at })
            yield* Effect.promise(() => two.hears("one is enough"))
            one.say("x")
            yield* log.says("the handler of peer 1 failed")
            for (const peer of [one, two]) peer.leave()
          })).pipe(Effect.provide(log.layer))
      }))))
})
