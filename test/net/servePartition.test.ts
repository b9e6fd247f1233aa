import { Deferred, Effect, Exit, Stream } from "effect"
import { Errors } from "effect-nursery"
import { Tcp } from "effect-nursery/net"
import { type ChildProcess, spawn } from "node:child_process"
import { assert, describe, it } from "vitest"
import { makeNamespace } from "./serve/namespace.ts"
import { blackHole, slow } from "./serve/proxies.ts"
import { beside, logged, peers } from "./serve/support.ts"

const run = <A, E>(program: Effect.Effect<A, E>): Promise<A> => Effect.runPromise(program)

const echo = (stream: Tcp.TcpStream) => Stream.runForEach(stream.chunks, (bytes) => stream.send(bytes))

/**
 * The first byte says what to do: `i` waits for more, `w` writes for ever. How each one ended is told.
 */
const idleOrWriting = (endings: Readonly<Record<string, Deferred.Deferred<unknown>>>) => (stream: Tcp.TcpStream) =>
  Effect.flatMap(stream.receiveExactly(1), (first) => {
    const what = first._tag === "Some" ? String.fromCharCode(first.value[0]!) : "none"
    const forever: Effect.Effect<unknown, unknown> = what === "w" ? Effect.forever(stream.send("x".repeat(65_536))) : stream.receive
    return Effect.onExit(Effect.andThen(stream.send("!"), forever), (exit) =>
      Effect.sync(() => void (what in endings && Deferred.doneUnsafe(endings[what]!, Effect.succeed(Exit.isFailure(exit) ? exit.cause.reasons[0] : exit)))))
  })

const limits = { idle: "900 millis", write: "300 millis" } as const

const wasTooSlow = (reason: unknown): string => {
  const { _tag, error } = reason as { readonly _tag: string; readonly error?: unknown }
  if (error instanceof Errors.Broken && error.cause instanceof Errors.TooSlow) return error.cause.scope
  return _tag
}

/** Cuts the network, and waits until both handlers have noticed by their limits. */
const noticed = (log: ReturnType<typeof logged>, endings: Readonly<Record<string, Deferred.Deferred<unknown>>>, cut: () => void) =>
  Effect.gen(function*() {
    cut()
    assert.strictEqual(wasTooSlow(yield* Deferred.await(endings["w"]!)), "write")
    // It is cancelled by the limit around it.
    assert.strictEqual(wasTooSlow(yield* Deferred.await(endings["i"]!)), "Interrupt")
    yield* log.says("idle took longer than 900ms")
    yield* log.says("write took longer than 300ms")
  })

const endings = Effect.map(Effect.all([Deferred.make<unknown>(), Deferred.make<unknown>()]), ([i, w]) => ({ i, w }))

describe("Tcp.serve, when the network is cut", () => {
  it("finds a writing peer by the limit of writing, and a silent one by that of idling, behind a black hole: T09", () =>
    run(Effect.gen(function*() {
      const log = logged()
      const how = yield* endings
      yield* beside(Tcp.serve(idleOrWriting(how), { port: 0, limits }), ({ address }) =>
        Effect.gen(function*() {
          const hole = yield* Effect.acquireRelease(Effect.promise(() => blackHole(address.port)), (proxy) => Effect.promise(() => proxy.close()))
          const { dial } = yield* peers
          const idle = (yield* dial(hole)).say("i")
          const reading = (yield* dial(hole)).say("w")
          yield* Effect.promise(() => idle.hears("!"))
          yield* Effect.promise(() => reading.hears("xxxx"))
          yield* noticed(log, how, hole.swallow)
        }).pipe(Effect.scoped)).pipe(Effect.provide(log.layer))
    })))

  it("the same between two network namespaces, and serves again when the cable is back: T09", { timeout: 60_000 }, (test) => {
    const namespace = makeNamespace()
    if (namespace === undefined) return test.skip("network namespaces are not permitted here; the black hole covers it")
    const children: Array<ChildProcess> = []
    /** A peer in the other namespace, that reads whatever comes and prints a dot for the first of it. */
    const peer = (port: number, says: string) => {
      const program = `const s = require("net").connect(${port}, "${namespace.host}", () => s.write("${says}"))
        s.once("data", () => console.log("heard")).on("error", () => {}).resume()`
      const [command, ...args] = [...namespace.command, process.execPath, "-e", program]
      const child = spawn(command!, args, { stdio: ["ignore", "pipe", "inherit"] })
      children.push(child)
      return Effect.promise(() => new Promise<void>((resolve) => child.stdout.once("data", () => resolve())))
    }
    const program = Effect.gen(function*() {
      const log = logged()
      const how = yield* endings
      yield* beside(Tcp.serve(idleOrWriting(how), { port: 0, host: namespace.host, limits }), ({ address }) =>
        Effect.gen(function*() {
          yield* Effect.all([peer(address.port, "i"), peer(address.port, "w")])
          yield* noticed(log, how, namespace.cut)
          namespace.mend()
          yield* peer(address.port, "i")
        })).pipe(Effect.provide(log.layer))
    })
    return run(program).finally(() => {
      for (const child of children) child.kill("SIGKILL")
      namespace.remove()
    })
  })
})

describe("Tcp.serve, behind a slow network", () => {
  const seed = Number(process.env["SEED"] ?? 1)
  const bytes = 64 * 1024

  it(`echoes ${bytes} bytes exactly, whatever they are cut into: T10 in small; 8 MiB in the stress tests`, { timeout: 60_000 }, () =>
    run(beside(Tcp.serve(echo, { port: 0 }), ({ address }) =>
      Effect.gen(function*() {
        const proxy = yield* Effect.acquireRelease(Effect.promise(() => slow(address.port, seed)), (proxy) => Effect.promise(() => proxy.close()))
        const { dial } = yield* peers
        const peer = yield* dial(proxy)
        const text = Array.from({ length: bytes }, (_, i) => String.fromCharCode(i * 2_654_435_761 >>> 11 & 255)).join("")
        peer.socket.end(Buffer.from(text, "latin1"))
        assert.strictEqual(yield* Effect.promise(() => peer.ended), "end")
        assert.isTrue(peer.received === text, `other bytes came back, seed ${seed}`)
      }).pipe(Effect.scoped))))
})
