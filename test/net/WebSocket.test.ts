import { randomBytes } from "node:crypto"
import { once } from "node:events"
import { createServer } from "node:http"
import { createServer as createSecureServer } from "node:https"
import * as net from "node:net"
import { inspect } from "node:util"
import { deflateRawSync } from "node:zlib"
import { Cause, Deferred, Effect, Exit, Fiber, Option, Stream } from "effect"
import { CancelScope, Errors, Nursery, TaskTree, Timeout } from "effect-nursery"
import { WebSocket } from "effect-nursery/net"
import { assert, describe, it } from "vitest"
import { start } from "../node/main/start.ts"
import { selfSigned } from "./certificates.ts"
import { closeFrame, codeIn, frame, opcodes, RawPeer, request } from "./rawWebSocket.ts"
import { keepLogs, serving } from "./webSocketServer.ts"

const echo = (stream: WebSocket.ServerStream) => Stream.runForEach(stream.messages, (message) => stream.send(message))

const run = <A>(program: Effect.Effect<A, unknown>): Promise<A> => Effect.runPromise(program)

/** A program that runs with one client; the handler is the server's end. */
const withClient = <A, E>(
  url: string,
  use: (stream: WebSocket.WebSocketStream) => Effect.Effect<A, E>,
  options?: WebSocket.ConnectOptions
): Promise<A> => run(Effect.scoped(Effect.flatMap(WebSocket.connect(url, options), use)))

const failureOf = <E>(exit: Exit.Exit<unknown, E>): E => {
  assert.isTrue(Exit.isFailure(exit))
  const reason = (exit as Exit.Failure<unknown, E>).cause.reasons[0]!
  assert.strictEqual(reason._tag, "Fail")
  return (reason as Cause.Fail<E>).error
}

const defectOf = async (program: Effect.Effect<unknown, unknown>): Promise<Error> => {
  const exit = await Effect.runPromiseExit(program)
  assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause), "it is a defect")
  return Cause.squash((exit as Exit.Failure<unknown, unknown>).cause) as Error
}

/** Asks again and again, from turn to turn of the event loop, until it is so. */
const until = async (holds: () => boolean, what: string): Promise<void> => {
  const end = performance.now() + 15_000
  while (!holds()) {
    if (performance.now() > end) throw new Error(`waited in vain until ${what}`)
    await new Promise((resume) => setImmediate(resume))
  }
}

const text = (message: Option.Option<WebSocket.Message>): WebSocket.Message => Option.getOrThrow(message)

/** Hands the server's end of the next WebSocket to the test, and keeps it open until the test lets it go. */
const handing = () => {
  const streams: Array<WebSocket.ServerStream> = []
  const release = Deferred.makeUnsafe<void>()
  const handler = (stream: WebSocket.ServerStream) => Effect.suspend(() => {
    streams.push(stream)
    return Deferred.await(release)
  })
  const next = async (): Promise<WebSocket.ServerStream> => {
    await until(() => streams.length > 0, "somebody connects")
    return streams.shift()!
  }
  return { handler, next, letGo: () => void Deferred.doneUnsafe(release, Effect.void) }
}

describe("WebSocket.serve", () => {
  it("gives its address to `start`, and each peer a task of its name", () => {
    let tree = ""
    const handler = (stream: WebSocket.ServerStream) => Effect.andThen(Effect.sync(() => tree = stream.peer._tag), stream.receive)
    return serving(handler, { name: "chat" }, async ({ url }) => {
      await withClient(url, () =>
        Effect.gen(function*() {
          yield* Effect.promise(() => until(() => tree !== "", "the handler runs"))
          tree = TaskTree.toText(yield* TaskTree.now)
        }))
      assert.match(tree, /nursery chat/)
      assert.match(tree, /127\.0\.0\.1:\d+ .*receiving from websocket 127\.0\.0\.1:\d+/)
    })
  })

  it("closes with 1000 when the handler ends", () =>
    serving((stream) => stream.send("bye"), {}, async ({ url }) => {
      const close = await withClient(url, (stream) => Effect.gen(function*() {
        assert.strictEqual(text(yield* stream.receive), "bye")
        assert.isTrue(Option.isNone(yield* stream.receive))
        assert.isTrue(Option.isNone(yield* stream.receive))
        return yield* stream.whenClosed
      }))
      assert.deepStrictEqual(close, { code: 1000, reason: "", by: "peer" })
    }))

  it("closes with 1011 when the handler fails, tells the log and its peer nothing of why, and goes on", () => {
    const handler = (stream: WebSocket.ServerStream) =>
      Effect.flatMap(stream.receive, (message): Effect.Effect<void, unknown> => text(message) === "fail" ? Effect.fail("the secret reason") : stream.send("fine"))
    return serving(handler, { name: "chat" }, async ({ logged, url }) => {
      await withClient(url, (good) => Effect.gen(function*() {
        const bad = yield* Effect.promise(() => RawPeer.open(Number(new URL(url).port)))
        const { localPort } = bad.socket
        bad.send(frame(opcodes.text, "fail"))
        const { code, reason } = yield* Effect.promise(() => bad.framesUntilClose())
        assert.deepStrictEqual({ code, reason }, { code: 1011, reason: "" })
        bad.send(closeFrame(1011))
        yield* Effect.promise(() => bad.ended())
        yield* Effect.promise(() => until(() => logged().length > 0, "it is logged"))
        assert.match(logged()[0]!, /^Error .*the handler of 127\.0\.0\.1/)
        assert.include(logged()[0]!, String(localPort))
        assert.include(logged()[0]!, "the secret reason")
        yield* good.send("still there?")
        assert.strictEqual(text(yield* good.receive), "fine")
      }))
    })
  })

  it("says in an error that names it when the port is busy, and in a defect what is wrong with an option", async () => {
    const taken = net.createServer().listen(0, "127.0.0.1")
    await once(taken, "listening")
    const { port } = taken.address() as net.AddressInfo
    const error = failureOf(await Effect.runPromiseExit(WebSocket.serve(echo, { port })(() => Effect.void)))
    assert.instanceOf(error, Errors.Broken)
    assert.include(error.message, `listener tcp 127.0.0.1:${port}`)
    assert.strictEqual((error.cause as NodeJS.ErrnoException).code, "EADDRINUSE")
    taken.close()
    const bad: ReadonlyArray<readonly [object, string]> = [
      [{ port: 70_000 }, "`70000` (number)"],
      [{ port: 0, maxPayload: 0 }, "`0` (number)"],
      [{ port: 0, outboxBytes: -1 }, "`-1` (number)"],
      [{ port: 0, overflow: "explode" }, "`explode` (string)"],
      [{ port: 0, incoming: "eat" }, "`eat` (string)"],
      [{ port: 0, path: "chat" }, "`chat` (string)"],
      [{ port: 0, path: "/chat?x" }, "`/chat?x` (string)"],
      [{ port: 0, origins: ["https://example.com/"] }, "`https://example.com/` (string)"],
      [{ port: 0, origins: "https://example.com" }, "`https://example.com` (string)"],
      [{ port: 0, ping: { every: 0 } }, "`0` (number)"],
      [{ port: 0, closeTimeout: NaN }, "`NaN` (number)"]
    ]
    for (const [options, words] of bad) {
      assert.include((await defectOf(WebSocket.serve(echo, options as WebSocket.PortOptions<unknown>)(() => Effect.void))).message, words)
    }
  })

  it("turns away with 503 whom it has no room for, and lets in the next one", () => {
    const { handler, letGo, next } = handing()
    return serving(handler, { maxConnections: 1 }, async ({ port }) => {
      const first = await RawPeer.open(port)
      await next()
      const second = await RawPeer.dial(port)
      second.send(request())
      assert.strictEqual((await second.answer()).status, 503)
      await second.ended()
      first.send(closeFrame(1000))
      letGo()
      await first.framesUntilClose()
      await first.ended()
      const third = await RawPeer.open(port)
      third.destroy()
    })
  })

  it("lets them wait for their handshake instead, if it is told so", () => {
    const { handler, letGo, next } = handing()
    return serving(handler, { maxConnections: 1, whenFull: "wait" }, async ({ port }) => {
      const first = await RawPeer.open(port)
      await next()
      const second = await RawPeer.dial(port)
      second.send(request())
      const answered = second.answer()
      const third = await RawPeer.dial(port)
      third.send(request("/"))
      // It has to get by without an answer, and the server without it.
      third.destroy()
      first.send(closeFrame(1000))
      letGo()
      assert.strictEqual((await answered).status, 101)
      second.destroy()
    })
  })
})

describe("the handshake", () => {
  const variants: ReadonlyArray<readonly [what: string, status: number, text: string]> = [
    ["as it should be", 101, request()],
    ["several tokens in Connection", 101, request("/", ["Connection: keep-alive, Upgrade"], { without: ["Connection"] })],
    ["header names in lower case", 101, request().replace(/^[A-Z][\w-]*:/gm, (name) => name.toLowerCase())],
    ["header names and values in upper case", 101, request().replace(/^(Upgrade|Connection): .*$/gm, (line) => line.toUpperCase())],
    ["a query", 101, request("/?a=b")],
    ["the whole URL", 101, request("http://test.example/")],
    ["a body of nothing", 101, request("/", ["Content-Length: 0"])],
    ["HTTP/1.0", 400, request("/", [], { first: "GET / HTTP/1.0" })],
    ["a body", 400, `${request("/", ["Content-Length: 5"])}hello`],
    ["a body in chunks", 400, `${request("/", ["Transfer-Encoding: chunked"])}5\r\nhello\r\n0\r\n\r\n`],
    ["another method", 405, request("/", [], { first: "POST / HTTP/1.1" })],
    ["no Host", 400, request("/", [], { without: ["Host"] })],
    ["no Upgrade", 426, request("/", [], { without: ["Upgrade"] })],
    ["no Connection", 426, request("/", [], { without: ["Connection"] })],
    ["another protocol", 400, request("/", ["Upgrade: h2c"], { without: ["Upgrade"] })],
    ["no key", 400, request("/", [], { without: ["Sec-WebSocket-Key"] })],
    ["a key that is too short", 400, request("/", ["Sec-WebSocket-Key: c2hvcnQ="], { without: ["Sec-WebSocket-Key"] })],
    ["two keys", 400, request("/", ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="])],
    ["no version", 426, request("/", [], { without: ["Sec-WebSocket-Version"] })],
    ["an old version", 426, request("/", ["Sec-WebSocket-Version: 8"], { without: ["Sec-WebSocket-Version"] })],
    ["a version to come", 426, request("/", ["Sec-WebSocket-Version: 14"], { without: ["Sec-WebSocket-Version"] })],
    ["sub-protocols that are none", 400, request("/", ["Sec-WebSocket-Protocol: a,,b"])],
    ["a sub-protocol twice", 400, request("/", ["Sec-WebSocket-Protocol: a, a"])]
  ]
  it("is accepted and refused as RFC 6455 says in section 4 (W05)", () =>
    serving(echo, {}, async ({ logged, port }) => {
      for (const [what, status, text] of variants) {
        const peer = await RawPeer.dial(port)
        peer.send(text)
        const answer = await peer.answer()
        assert.strictEqual(answer.status, status, what)
        if (status === 101) {
          // The example of the RFC.
          assert.strictEqual(answer.headers["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
          peer.send(frame(opcodes.text, what))
          assert.strictEqual((await peer.frame()).payload.toString(), what)
          peer.send(closeFrame(1000))
          await peer.framesUntilClose()
        } else if (status === 426 && answer.headers["sec-websocket-version"] !== undefined) {
          assert.strictEqual(answer.headers["sec-websocket-version"], "13")
        }
        await peer.ended()
      }
      assert.deepStrictEqual(logged(), [])
    }))

  it("takes frames that came together with it", () =>
    serving(echo, {}, async ({ port }) => {
      const peer = await RawPeer.dial(port)
      peer.send(Buffer.concat([Buffer.from(request()), frame(opcodes.text, "at once")]))
      assert.strictEqual((await peer.answer()).status, 101)
      assert.strictEqual((await peer.frame()).payload.toString(), "at once")
      peer.destroy()
    }))

  it("knows its path, and says 404 to others", () =>
    serving(echo, { path: "/chat" }, async ({ port }) => {
      const statusOf = async (bytes: string) => {
        const peer = await RawPeer.dial(port)
        peer.send(bytes)
        const { status } = await peer.answer()
        peer.destroy()
        return status
      }
      assert.strictEqual(await statusOf(request("/chat")), 101)
      assert.strictEqual(await statusOf(request("/chat?token=1")), 101)
      assert.strictEqual(await statusOf(request("/")), 404)
      assert.strictEqual(await statusOf(request("/chat/")), 404)
      assert.strictEqual(await statusOf(request("/CHAT")), 404)
      assert.strictEqual(await statusOf("GET /chat HTTP/1.1\r\nHost: x\r\n\r\n"), 426)
      assert.strictEqual(await statusOf("GET /other HTTP/1.1\r\nHost: x\r\n\r\n"), 404)
    }))

  const statusWith = async (port: number, origin: string | undefined): Promise<number> => {
    const peer = await RawPeer.dial(port)
    peer.send(request("/", ["Cookie: session=1", ...origin === undefined ? [] : [`Origin: ${origin}`]]))
    const { status } = await peer.answer()
    peer.destroy()
    return status
  }

  it("is refused with 403 to pages of another origin (W06)", () =>
    serving(echo, {}, async ({ port }) => {
      assert.strictEqual(await statusWith(port, "http://test.example"), 101)
      assert.strictEqual(await statusWith(port, "https://TEST.example"), 101)
      assert.strictEqual(await statusWith(port, undefined), 101)
      for (const foreign of ["https://evil.example", "http://test.example:81", "http://test.example.evil.example", "null", "no URL", "http://evil.example/?http://test.example"]) {
        assert.strictEqual(await statusWith(port, foreign), 403, foreign)
      }
    }))

  it("is open to the pages of a list, of a function's choice, or to all (W06)", async () => {
    await serving(echo, { origins: ["https://app.example"] }, async ({ port }) => {
      assert.strictEqual(await statusWith(port, "https://app.example"), 101)
      assert.strictEqual(await statusWith(port, "http://app.example"), 403)
      assert.strictEqual(await statusWith(port, "http://test.example"), 403)
      assert.strictEqual(await statusWith(port, undefined), 101)
    })
    await serving(echo, { origins: (origin, { headers }) => origin !== undefined && headers.cookie === "session=1" }, async ({ port }) => {
      assert.strictEqual(await statusWith(port, "https://anything.example"), 101)
      assert.strictEqual(await statusWith(port, undefined), 403)
    })
    await serving(echo, { origins: "any" }, async ({ port }) => assert.strictEqual(await statusWith(port, "null"), 101))
  })

  it("agrees on the sub-protocol that the server likes best, and on none that it does not know", async () => {
    const tell = (stream: WebSocket.ServerStream) => stream.send(Option.getOrElse(stream.protocol, () => "none"))
    const chosen = (url: string, protocols?: ReadonlyArray<string>) =>
      withClient(url, (stream) => Effect.map(stream.receive, (message) => [text(message), Option.getOrUndefined(stream.protocol)]), protocols === undefined ? {} : { protocols })
    await serving(tell, { protocols: ["chat.v2", "chat.v1"] }, async ({ port, url }) => {
      assert.deepStrictEqual(await chosen(url, ["chat.v1", "chat.v2"]), ["chat.v2", "chat.v2"])
      assert.deepStrictEqual(await chosen(url, ["chat.v1"]), ["chat.v1", "chat.v1"])
      assert.deepStrictEqual(await chosen(url), ["none", undefined])
      const peer = await RawPeer.dial(port)
      peer.send(request("/", ["Sec-WebSocket-Protocol: other, secret-token"]))
      assert.notProperty((await peer.answer()).headers, "sec-websocket-protocol")
      peer.destroy()
      const refused = failureOf(await Effect.runPromiseExit(Effect.scoped(WebSocket.connect(url, { protocols: ["other"] }))))
      assert.instanceOf(refused, Errors.Broken)
    })
    await serving(tell, { protocols: (offered, { path }) => path === "/" ? offered.at(-1) : "not offered" }, async ({ url }) => {
      assert.deepStrictEqual(await chosen(url, ["a", "b"]), ["b", "b"])
      assert.instanceOf(failureOf(await Effect.runPromiseExit(Effect.scoped(WebSocket.connect(`${url}/x`, { protocols: ["a"] })))), Errors.Broken)
    })
  })

  it("leaves no trace of tokens in logs, or in what is printed of the stream (W10)", () => {
    const shown: Array<string> = []
    const handler = (stream: WebSocket.ServerStream) => {
      assert.strictEqual(stream.handshake.query.get("token"), "secret-1")
      assert.deepStrictEqual(stream.handshake.protocols, ["chat", "secret-2"])
      assert.strictEqual(stream.handshake.headers.authorization, "Bearer secret-3")
      for (const value of [stream, stream.handshake, { stream }]) shown.push(inspect(value, { depth: 9 }), JSON.stringify(value), String(value))
      return Effect.andThen(Effect.logInfo("hello", stream.handshake), Effect.die(new Error("oops")))
    }
    return serving(handler, { protocols: ["chat"] }, async ({ logged, port }) => {
      const peer = await RawPeer.open(port, "/room?token=secret-1", ["Sec-WebSocket-Protocol: chat, secret-2", "Authorization: Bearer secret-3"])
      await peer.framesUntilClose()
      peer.destroy()
      await until(() => logged().length >= 2, "the failure is logged")
      assert.include(logged().join("\n"), "oops")
      assert.include(shown.join("\n"), "/room")
      for (const line of [...logged(), ...shown]) assert.notInclude(line, "secret")
      const { layer, lines } = keepLogs()
      const gone = WebSocket.connect(`ws://user:secret-4@127.0.0.1:${port}/?token=secret-5#secret-6`, { protocols: ["secret-7"] })
      assert.notInclude((await defectOf(Effect.scoped(gone).pipe(Effect.provide(layer)))).message.replace("#secret-6", ""), "secret")
      const unknown = Effect.scoped(WebSocket.connect(`ws://user:secret-4@127.0.0.1:${port}/?token=secret-5`, { protocols: ["secret-7"], origin: "https://x.example" }))
      const refused = failureOf(await Effect.runPromiseExit(Effect.tapCause(unknown, Effect.logError).pipe(Effect.provide(layer))))
      assert.notInclude(`${refused.message} ${inspect(refused)} ${lines.join("\n")}`, "secret")
    })
  })
})

describe("permessage-deflate", () => {
  const offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"

  it("is declined when it is off, which it is by default (W02)", () =>
    serving(echo, {}, async ({ port }) => {
      const peer = await RawPeer.dial(port)
      peer.send(request("/", [offer]))
      const { headers, status } = await peer.answer()
      assert.strictEqual(status, 101)
      assert.notProperty(headers, "sec-websocket-extensions")
      peer.destroy()
    }))

  it("packs when it is on, what was encoded as well", () =>
    serving((stream) => Effect.flatMap(stream.receive, (message) => stream.send(WebSocket.encode(text(message)))), { compression: true }, async ({ url }) => {
      const long = "again and ".repeat(10_000)
      const back = await withClient(url, (stream) => Effect.andThen(stream.send(long), stream.receive), { compression: { threshold: 100 } })
      assert.strictEqual(text(back), long)
    }))

  it("does not unpack a bomb: 1009 (W02)", () =>
    serving(echo, { compression: true, maxPayload: 100_000 }, async ({ logged, port }) => {
      const peer = await RawPeer.dial(port)
      peer.send(request("/", [offer]))
      assert.include((await peer.answer()).headers["sec-websocket-extensions"], "permessage-deflate")
      const bomb = deflateRawSync(Buffer.alloc(64 * 1024 * 1024))
      assert.isBelow(bomb.length, 100_000, "on the wire it is within the limit")
      const before = process.memoryUsage().rss
      peer.send(frame(opcodes.binary, bomb, { rsv: 4 }))
      assert.strictEqual((await peer.framesUntilClose()).code, 1009)
      assert.isBelow(process.memoryUsage().rss - before, 32 * 1024 * 1024)
      peer.destroy()
      await until(() => logged().length > 0, "it is logged")
      assert.match(logged()[0]!, /^Info .*a message from websocket 127\.0\.0\.1:\d+ is longer than the limit of 100000/)
    }))
})

describe("WebSocketStream.receive", () => {
  it("gives text as strings and all else as bytes, in order", () =>
    serving(echo, {}, ({ url }) =>
      withClient(url, (stream) => Effect.gen(function*() {
        const sent: ReadonlyArray<WebSocket.Message> = ["", "grüße 👋", new Uint8Array(), new Uint8Array([0, 255]), "x".repeat(70_000), new Uint8Array(70_000).fill(7)]
        for (const message of sent) yield* stream.send(message)
        for (const message of sent) {
          const back = text(yield* stream.receive)
          if (typeof message === "string") assert.strictEqual(back, message)
          else assert.deepStrictEqual([...back as Uint8Array], [...message])
        }
      }))))

  it("tells a second receiver `Busy`, loses nothing when it is cancelled, and serves the next one", () => {
    const { handler, next, letGo } = handing()
    return serving(handler, {}, async ({ port }) => {
      const peer = await RawPeer.open(port)
      const stream = await next()
      await run(Effect.gen(function*() {
        const first = yield* Effect.forkChild(stream.receive, { startImmediately: true })
        const error = failureOf(yield* Effect.exit(stream.receive))
        assert.instanceOf(error, Errors.Busy)
        assert.match(error.message, /receiving from websocket 127\.0\.0\.1:\d+ is in use by fiber #\d+/)
        yield* Fiber.interrupt(first)
        assert.isTrue(Option.isNone(yield* Timeout.moveOnAfter(stream.receive, 0)))
        peer.send(frame(opcodes.text, "kept"))
        assert.strictEqual(text(yield* stream.receive), "kept")
      }))
      letGo()
      peer.destroy()
    })
  })

  it("stops reading when nobody receives, and goes on when somebody does, with every byte", () => {
    const { handler, next, letGo } = handing()
    return serving(handler, { inboxBytes: 10_000 }, async ({ port }) => {
      const peer = await RawPeer.open(port)
      const stream = await next()
      const each = 50_000
      const count = 400
      let sent = 0
      for (let i = 0; i < count; i++) {
        const bytes = Buffer.alloc(each, i)
        void new Promise<void>((resume) => peer.socket.write(frame(opcodes.binary, bytes), () => resume())).then(() => sent++)
      }
      await until(() => stream.statistics.waitingMessages > 0, "messages have come")
      // Some turns more, in which as many could come as there are.
      for (let i = 0; i < 200; i++) await new Promise((resume) => setImmediate(resume))
      const { waitingMessages } = stream.statistics
      assert.isAtMost(waitingMessages, 4)
      assert.isBelow(sent, count)
      await run(Effect.gen(function*() {
        for (let i = 0; i < count; i++) {
          const message = text(yield* stream.receive) as Uint8Array
          assert.strictEqual(message.length, each)
          assert.isTrue(message[0] === i % 256 && message[each - 1] === i % 256)
        }
      }))
      letGo()
      peer.destroy()
    })
  })

  it("is `None` when the peer has closed and complains of nothing, with code and reason at hand; `Broken` otherwise", async () => {
    const { handler, next, letGo } = handing()
    await serving(handler, {}, async ({ port }) => {
      const endWith = async (bytes: Buffer | undefined) => {
        const peer = await RawPeer.open(port)
        peer.send(frame(opcodes.text, "last words"))
        if (bytes === undefined) peer.socket.end()
        else peer.send(bytes)
        const stream = await next()
        const exit = await Effect.runPromiseExit(Effect.gen(function*() {
          assert.strictEqual(text(yield* stream.receive), "last words")
          return yield* stream.receive
        }))
        const again = await Effect.runPromiseExit(stream.receive)
        assert.strictEqual(again._tag, exit._tag)
        const refused = failureOf(await Effect.runPromiseExit(stream.send("too late")))
        assert.instanceOf(refused, Errors.Broken)
        peer.destroy()
        return { exit, close: Option.getOrThrow(stream.closed) }
      }
      for (const [code, reason] of [[1000, "done"], [1001, ""], [3000, ""], [4321, "app"]] as const) {
        const { close, exit } = await endWith(closeFrame(code, reason))
        assert.isTrue(Exit.isSuccess(exit) && Option.isNone(exit.value))
        assert.deepStrictEqual(close, { code, reason, by: "peer" })
      }
      assert.deepStrictEqual((await endWith(closeFrame())).close, { code: 1005, reason: "", by: "peer" })
      const complaint = await endWith(closeFrame(1011, "I \"broke\"\n"))
      const broken = failureOf(complaint.exit) as Errors.Broken
      assert.strictEqual((broken.cause as Error).message, "the peer closed with 1011 \"I \\\"broke\\\"\\n\"")
      assert.strictEqual(complaint.close.code, 1011)
      const lost = await endWith(undefined)
      assert.strictEqual(((failureOf(lost.exit) as Errors.Broken).cause as Error).message, "the connection ended without a close")
      assert.deepStrictEqual(lost.close, { code: 1006, reason: "", by: "nobody" })
      const against = await endWith(Buffer.from([0xf1, 0x80, 0, 0, 0, 0]))
      assert.instanceOf(failureOf(against.exit), Errors.Broken)
      assert.deepStrictEqual([against.close.code, against.close.by], [1002, "us"])
      const tooLong = await endWith(Buffer.from("82ff000000000fffffff00000000", "hex"))
      assert.instanceOf((failureOf(tooLong.exit) as Errors.Broken).cause, Errors.TooLong)
      assert.strictEqual(tooLong.close.code, 1009)
      letGo()
    })
  })
})

/** A message of which the system takes some hundred before it says that it is enough. */
const big = (i: number): Buffer => Buffer.alloc(16_000, String.fromCharCode(97 + i % 26))

describe("WebSocketStream.send", () => {
  it("waits while the peer does not read, holds little, and loses and mixes up nothing", () => {
    const { handler, next, letGo } = handing()
    return serving(handler, { outboxBytes: 100_000 }, async ({ port }) => {
      const peer = await RawPeer.open(port)
      peer.socket.pause()
      const stream = await next()
      let sent = 0
      const count = 1500
      const sending = run(Effect.gen(function*() {
        for (let i = 0; i < count; i++) {
          yield* stream.send(big(i))
          sent++
        }
      }))
      await until(() => stream.statistics.waitingSenders === 1, "it waits")
      const { bufferedBytes } = stream.statistics
      assert.isBelow(sent, count)
      assert.isAtMost(bufferedBytes, 100_000 + 16_100)
      peer.socket.resume()
      for (let i = 0; i < count; i++) assert.isTrue((await peer.frame()).payload.equals(big(i)))
      await sending
      letGo()
      peer.destroy()
    })
  })

  it("serves those who wait in order, and does not send what was given up", () => {
    const { handler, next, letGo } = handing()
    return serving(handler, {}, async ({ port }) => {
      const peer = await RawPeer.open(port)
      peer.socket.pause()
      const stream = await next()
      let before = 0
      await run(Nursery.open((n) => Effect.gen(function*() {
        const filling = yield* n.startNow(Effect.gen(function*() {
          for (;; before++) yield* stream.send(big(before))
        }), { name: "filling" })
        yield* Effect.promise(() => until(() => stream.statistics.waitingSenders === 1, "it waits"))
        const given = yield* n.startNow(stream.send("given up"))
        for (const name of ["a", "b", "c"]) yield* n.startNow(stream.send(name))
        assert.strictEqual(stream.statistics.waitingSenders, 5)
        yield* filling.cancel()
        yield* given.cancel()
        peer.socket.resume()
      })))
      for (let i = 0; i < before; i++) assert.isTrue((await peer.frame()).payload.equals(big(i)))
      for (const name of ["a", "b", "c"]) assert.strictEqual((await peer.frame()).payload.toString(), name)
      letGo()
      peer.destroy()
    })
  })

  it("drops what has no room, and counts it, if it is told so", () => {
    const { handler, next, letGo } = handing()
    return serving(handler, { overflow: "drop" }, async ({ port }) => {
      const peer = await RawPeer.open(port)
      peer.socket.pause()
      const stream = await next()
      await run(Effect.gen(function*() {
        while (stream.statistics.dropped < 5) yield* stream.send(big(0))
      }))
      assert.strictEqual(stream.statistics.waitingSenders, 0)
      assert.isAtMost(stream.statistics.bufferedBytes, 65_536 + 16_100)
      peer.socket.resume()
      await until(() => stream.statistics.bufferedBytes === 0, "the peer has taken all")
      await run(stream.send("after"))
      for (let payload = "a"; payload !== "after";) payload = (await peer.frame()).payload.toString()
      letGo()
      peer.destroy()
    })
  })

  it("cuts off who does not keep up, if it is told so, and nobody else", () => {
    const { handler, next, letGo } = handing()
    return serving(handler, { overflow: "disconnect" }, async ({ port }) => {
      const slow = await RawPeer.open(port)
      slow.socket.pause()
      const toSlow = await next()
      const other = await RawPeer.open(port)
      const toOther = await next()
      const receiving = Effect.runPromiseExit(toSlow.receive)
      const error = failureOf(await Effect.runPromiseExit(Effect.forever(toSlow.send(big(0)))))
      assert.instanceOf(error, Errors.Broken)
      assert.match((error as Errors.Broken & { cause: Error }).cause.message, /what waits to be sent to websocket .* is longer than the limit of 65536/)
      assert.instanceOf(failureOf(await receiving), Errors.Broken)
      assert.strictEqual((await run(toSlow.whenClosed)).by, "us")
      await run(toOther.send("fine"))
      assert.strictEqual((await other.frame()).payload.toString(), "fine")
      letGo()
      slow.destroy()
      other.destroy()
    })
  })

  it("says in a defect what is no message", () => {
    const { handler, next, letGo } = handing()
    return serving(handler, {}, async ({ port }) => {
      const peer = await RawPeer.open(port)
      const stream = await next()
      assert.include((await defectOf(stream.send(42 as unknown as string))).message, "`42` (number)")
      assert.throws(() => WebSocket.encode({} as string), /\[object Object\]/)
      letGo()
      peer.destroy()
    })
  })
})

describe("WebSocketStream.close", () => {
  it("sends what was handed over, code and reason, and ends when the peer has answered", () => {
    const { handler, next, letGo } = handing()
    return serving(handler, {}, async ({ port }) => {
      const peer = await RawPeer.open(port)
      const stream = await next()
      const receiving = Effect.runPromiseExit(stream.receive)
      let ended = false
      const closing = run(Effect.andThen(stream.send("last"), stream.close(4000, "enough"))).then(() => ended = true)
      const { code, frames, reason } = await peer.framesUntilClose()
      assert.deepStrictEqual([frames.map(({ payload }) => payload.toString()), code, reason], [["last"], 4000, "enough"])
      assert.instanceOf(failureOf(await receiving), Errors.Closed)
      assert.instanceOf(failureOf(await Effect.runPromiseExit(stream.send("x"))), Errors.Closed)
      assert.instanceOf(failureOf(await Effect.runPromiseExit(stream.receive)), Errors.Closed)
      assert.isFalse(ended)
      peer.send(closeFrame(4000))
      await closing
      await run(stream.close(3000))
      assert.deepStrictEqual(Option.getOrThrow(stream.closed), { code: 4000, reason: "enough", by: "us" })
      assert.strictEqual(await peer.ended(), "ended")
      letGo()
    })
  })

  it("waits no longer than `closeTimeout` for a peer that does not answer, that does not read, or that has half closed", () => {
    const { handler, next, letGo } = handing()
    return serving(handler, { closeTimeout: 30, overflow: "drop" }, async ({ port }) => {
      const mute = await RawPeer.open(port)
      await run((await next()).close())
      mute.destroy()
      const deaf = await RawPeer.open(port)
      deaf.socket.pause()
      const toDeaf = await next()
      await run(Effect.gen(function*() {
        while (toDeaf.statistics.dropped === 0) yield* toDeaf.send(big(0))
        yield* toDeaf.close()
      }))
      deaf.destroy()
      const half = await RawPeer.open(port)
      half.socket.pause()
      const toHalf = await next()
      await run(Effect.gen(function*() {
        while (toHalf.statistics.dropped === 0) yield* toHalf.send(big(0))
        half.socket.end()
        // It has seen the end when it takes no message any more.
        while ((yield* Effect.exit(toHalf.send("x")))._tag === "Success") yield* Effect.promise(() => new Promise((resume) => setImmediate(resume)))
        yield* toHalf.close()
      }))
      half.destroy()
      letGo()
    })
  })

  it("aborts when it is cancelled, and `abort` waits for nothing", () => {
    const { handler, next, letGo } = handing()
    return serving(handler, { closeTimeout: "1 hour" }, async ({ port }) => {
      const mute = await RawPeer.open(port)
      assert.isTrue(Option.isNone(await run(Timeout.moveOnAfter((await next()).close(), 10))))
      await mute.framesUntilClose()
      await mute.ended()
      const other = await RawPeer.open(port)
      const stream = await next()
      const receiving = Effect.runPromiseExit(stream.receive)
      await run(Effect.andThen(stream.abort, stream.abort))
      assert.instanceOf(failureOf(await receiving), Errors.Closed)
      await other.ended()
      assert.deepStrictEqual(await run(stream.whenClosed), { code: 1006, reason: "", by: "us" })
      letGo()
    })
  })

  it("says in a defect which codes and reasons cannot be sent", () => {
    const { handler, next, letGo } = handing()
    return serving(handler, {}, async ({ port }) => {
      const peer = await RawPeer.open(port)
      const stream = await next()
      for (const code of [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 1000.5, NaN]) {
        assert.include((await defectOf(stream.close(code))).message, `\`${code}\` (number)`)
      }
      assert.include((await defectOf(stream.close(1000, "ä".repeat(62)))).message, "124")
      assert.isTrue(Option.isNone(stream.closed))
      letGo()
      peer.destroy()
    })
  })
})

describe("a peer that misbehaves", () => {
  it("is cut off when it answers no ping for two intervals, and no longer counts (W04)", () => {
    let users = 0
    let why: unknown
    const handler = (stream: WebSocket.ServerStream) =>
      Effect.acquireUseRelease(Effect.sync(() => ++users), () => Effect.tapError(stream.receive, (error) => Effect.sync(() => why = error)), () => Effect.sync(() => --users))
    return serving(handler, { ping: { every: "20 seconds", missed: 2 } }, async ({ elapse, logged, port }) => {
      const mute = await RawPeer.open(port)
      const good = await RawPeer.open(port)
      await until(() => users === 2, "both are there")
      for (let i = 0; i < 2; i++) {
        await elapse("20 seconds")
        assert.strictEqual((await mute.frame()).opcode, opcodes.ping)
        if (i === 0) assert.strictEqual((await good.frame()).opcode, opcodes.ping)
        // As long as it sends something, nobody asks it.
        good.send(Buffer.concat([frame(opcodes.pong), frame(opcodes.ping, "seen?")]))
        assert.strictEqual((await good.frame()).payload.toString(), "seen?")
      }
      assert.strictEqual(users, 2)
      await elapse("20 seconds")
      await mute.ended()
      await until(() => users === 1, "the mute one is gone")
      const { cause } = why as Errors.Broken
      assert.instanceOf(cause, Errors.TooSlow)
      assert.strictEqual((cause as Error).message, "pong took longer than 40s")
      await until(() => logged().length > 0, "it is logged")
      assert.match(logged()[0]!, /^Info 127\.0\.0\.1:\d+: .*pong took longer than 40s/)
      good.send(frame(opcodes.ping, "still here"))
      assert.strictEqual((await good.frame()).payload.toString(), "still here")
      good.destroy()
    }, "test")
  })

  it("is not cut off as long as anything comes, be it a part of a message, or while the handler lets it wait", () => {
    const { handler, next, letGo } = handing()
    return serving(handler, { ping: { every: "10 seconds", missed: 1 }, inboxBytes: 1 }, async ({ elapse, port }) => {
      const slow = await RawPeer.open(port)
      const stream = await next()
      const { socket } = stream as unknown as { readonly socket: net.Socket }
      const bytes = frame(opcodes.text, "slow")
      for (const byte of bytes) {
        const read = socket.bytesRead
        slow.send(Buffer.from([byte]))
        await until(() => socket.bytesRead > read, "the server has read the byte")
        await elapse("10 seconds")
      }
      assert.strictEqual(text(await run(stream.receive)), "slow")
      slow.send(Buffer.concat([frame(opcodes.text, "1"), frame(opcodes.text, "2")]))
      await until(() => stream.statistics.waitingMessages === 2, "they wait")
      // Nothing is read from it now, so its pongs cannot come.
      for (let i = 0; i < 10; i++) await elapse("10 seconds")
      assert.isTrue(Option.isNone(stream.closed))
      for (const message of ["1", "2"]) assert.strictEqual(text(await run(stream.receive)), message)
      await elapse("10 seconds")
      await elapse("10 seconds")
      await slow.ended()
      letGo()
    }, "test")
  })

  it("is closed with 1008 when it floods with pings (W07)", () =>
    serving(echo, {}, async ({ port }) => {
      const peer = await RawPeer.open(port)
      const ping = frame(opcodes.ping, "x")
      const used = process.cpuUsage()
      peer.send(Buffer.concat(Array.from({ length: 10_000 }, () => ping)))
      const { code, frames } = await peer.framesUntilClose()
      assert.strictEqual(code, 1008)
      assert.isAtMost(frames.length, 101)
      peer.destroy()
      const { system, user } = process.cpuUsage(used)
      assert.isBelow((user + system) / 1000, 2000)
      const pongs = await RawPeer.open(port)
      pongs.send(Buffer.concat(Array.from({ length: 1000 }, () => frame(opcodes.pong))))
      assert.strictEqual((await pongs.framesUntilClose()).code, 1008)
      pongs.destroy()
    }))

  it("is ignored, or closed with 1008, where no messages are taken (W09)", async () => {
    const { handler, next, letGo } = handing()
    await serving(handler, { incoming: "ignore" }, async ({ port }) => {
      const peer = await RawPeer.open(port)
      const stream = await next()
      const chunk = frame(opcodes.text, "x".repeat(100_000))
      const before = process.memoryUsage().rss
      for (let i = 0; i < 1500; i++) await new Promise<void>((resume) => peer.socket.write(chunk, () => resume()))
      assert.strictEqual(stream.statistics.waitingMessages, 0)
      // What the collector has not got to yet, but not what came: 150 MB.
      assert.isBelow(process.memoryUsage().rss - before, 100 * 1024 * 1024)
      await run(stream.send("42"))
      assert.strictEqual((await peer.frame()).payload.toString(), "42")
      peer.send(closeFrame(1000))
      assert.isTrue(Option.isNone(await run(stream.receive)))
      letGo()
      peer.destroy()
    })
    await serving((stream) => stream.receive, { incoming: "refuse" }, async ({ logged, port }) => {
      const peer = await RawPeer.open(port)
      peer.send(frame(opcodes.text, "hello"))
      assert.deepStrictEqual(await peer.framesUntilClose(), { frames: [], code: 1008, reason: "no messages are taken here" })
      peer.destroy()
      await until(() => logged().length > 0, "it is logged")
      assert.match(logged()[0]!, /^Info /)
    })
  })
})

describe("when a server stops", () => {
  it("everybody is told 1001, and the sockets are gone within the grace (W08)", () =>
    serving(echo, { name: "chat" }, async ({ logged, port, stop, url }) => {
      const peers = await Promise.all(Array.from({ length: 20 }, () => RawPeer.open(port)))
      for (const peer of peers) peer.send(frame(opcodes.text, "hi"))
      for (const peer of peers) await peer.frame()
      const stopping = stop()
      for (const peer of peers) {
        assert.deepStrictEqual(await peer.framesUntilClose(), { frames: [], code: 1001, reason: "the server stops" })
        peer.send(closeFrame(1001))
        await peer.ended()
      }
      const report = await stopping
      assert.deepStrictEqual([report.drained, report.forced, report.served], [20, 0, 0])
      assert.match(logged().at(-1)!, /chat has stopped: drained 20, forced 0/)
      assert.instanceOf(failureOf(await Effect.runPromiseExit(Effect.scoped(WebSocket.connect(url)))), Errors.Broken)
      const again = net.createServer().listen(port, "127.0.0.1")
      await once(again, "listening")
      again.close()
    }))

  it("handlers that do not end are cancelled after the grace; their peers are told 1001, too, if they do not answer as well", () => {
    const ended: Array<string> = []
    const stubborn = () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => void ended.push("cancelled")))
    return serving(stubborn, { grace: 20, closeTimeout: 30 }, async ({ port, stop }) => {
      const polite = await RawPeer.open(port)
      const mute = await RawPeer.open(port)
      const stopping = stop()
      assert.strictEqual((await polite.framesUntilClose()).code, 1001)
      polite.send(closeFrame(1001))
      assert.strictEqual((await mute.framesUntilClose()).code, 1001)
      const report = await stopping
      assert.deepStrictEqual([report.drained, report.forced], [0, 2])
      assert.deepStrictEqual(ended, ["cancelled", "cancelled"])
      await polite.ended()
      await mute.ended()
    })
  })

  it("a handler may finish what it does, and still send", () => {
    const begun = Deferred.makeUnsafe<void>()
    const handler = (stream: WebSocket.ServerStream) =>
      Effect.gen(function*() {
        yield* stream.receive
        yield* Deferred.succeed(begun, undefined)
        yield* CancelScope.whenStopping
        assert.isTrue(Option.isNone(yield* stream.receive))
        yield* stream.send("the result")
      })
    return serving(handler, {}, async ({ port, stop }) => {
      const peer = await RawPeer.open(port)
      peer.send(frame(opcodes.text, "work"))
      await run(Deferred.await(begun))
      const stopping = stop()
      const { code, frames } = await peer.framesUntilClose()
      assert.deepStrictEqual([frames.map(({ payload }) => payload.toString()), code], [["the result"], 1001])
      peer.destroy()
      assert.strictEqual((await stopping).drained, 1)
    })
  })
})

describe("WebSocket.serve on an HTTP server", () => {
  it("stands beside what that one does, several of them by path, and leaves it when it stops", async () => {
    const http = createServer((_, response) => response.end("a page"))
    const tell = (what: string) => (stream: WebSocket.ServerStream) => stream.send(what)
    await run(Nursery.open((n) => Effect.gen(function*() {
      const addresses: Array<string> = []
      const scope = yield* n.start((started: (scope: CancelScope.CancelScope) => Effect.Effect<void>) =>
        CancelScope.open((scope) =>
          Nursery.open((inner) => Effect.gen(function*() {
            // It listens only later: until then the servers wait for it.
            yield* inner.startSoon(WebSocket.serve(tell("a"), { server: http, path: "/a" })(({ _tag }) => Effect.sync(() => void addresses.push(_tag))))
            yield* inner.startSoon(WebSocket.serve(tell("b"), { server: http, path: "/b" })(({ _tag }) => Effect.sync(() => void addresses.push(_tag))))
            yield* started(scope)
          }))))
      yield* Effect.promise(() => until(() => http.listenerCount("upgrade") === 1, "both hang on it"))
      assert.deepStrictEqual(addresses, [])
      http.listen(0, "127.0.0.1")
      yield* Effect.promise(() => until(() => addresses.length === 2, "both have started"))
      const { port } = http.address() as net.AddressInfo
      const ask = (path: string) => Effect.scoped(Effect.flatMap(WebSocket.connect(`ws://127.0.0.1:${port}${path}`), (stream) => stream.receive))
      assert.strictEqual(text(yield* ask("/a")), "a")
      assert.strictEqual(text(yield* ask("/b")), "b")
      assert.strictEqual((failureOf(yield* Effect.exit(ask("/c"))) as WebSocket.Refused).status, 404)
      const page = Effect.promise(async () => (await fetch(`http://127.0.0.1:${port}/a`)).text())
      assert.strictEqual(yield* page, "a page")
      assert.match((yield* Effect.promise(() => defectOf(WebSocket.serve(echo, { server: http, path: "/a" })(() => Effect.void)))).message, /has a WebSocket at the path `\/a` already/)
      yield* scope.stop({ grace: "5 seconds" })
      assert.strictEqual(http.listenerCount("upgrade"), 0)
      assert.strictEqual(yield* page, "a page")
    })))
    http.closeAllConnections()
    http.close()
  })

  it("works over TLS, both ways with more than fits into a socket", async () => {
    const { cert, key } = selfSigned("127.0.0.1")
    const https = createSecureServer({ cert, key }).listen(0, "127.0.0.1")
    await once(https, "listening")
    await run(Nursery.open((n) => Effect.gen(function*() {
      const { port } = (yield* n.start(WebSocket.serve(echo, { server: https }), { service: true })) as { readonly port: number }
      const url = `wss://127.0.0.1:${port}`
      const untrusted = failureOf(yield* Effect.exit(Effect.scoped(WebSocket.connect(url))))
      assert.strictEqual(((untrusted as Errors.Broken).cause as NodeJS.ErrnoException).code, "DEPTH_ZERO_SELF_SIGNED_CERT")
      yield* Effect.scoped(Effect.gen(function*() {
        const stream = yield* WebSocket.connect(url, { tls: { ca: cert } })
        const count = 1000
        const sending = yield* n.startSoon(Effect.gen(function*() {
          for (let i = 0; i < count; i++) yield* stream.send(big(i))
        }))
        for (let i = 0; i < count; i++) assert.isTrue(big(i).equals(text(yield* stream.receive) as Uint8Array))
        yield* sending.join
      }))
    })))
    https.close()
  })

  it("leaves the paths that it does not know to others who listen", async () => {
    const http = createServer().listen(0, "127.0.0.1")
    await once(http, "listening")
    http.on("upgrade", (request, socket) => {
      if (request.url === "/theirs") socket.end("HTTP/1.1 418 I'm a teapot\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    })
    await run(Nursery.open((n) => Effect.gen(function*() {
      const { port } = (yield* n.start(WebSocket.serve(echo, { server: http, path: "/ours" }), { service: true })) as { readonly port: number }
      assert.strictEqual((failureOf(yield* Effect.exit(Effect.scoped(WebSocket.connect(`ws://127.0.0.1:${port}/theirs`)))) as WebSocket.Refused).status, 418)
      yield* Effect.scoped(WebSocket.connect(`ws://127.0.0.1:${port}/ours`))
    })))
    http.close()
  })
})

describe("WebSocket.connect", () => {
  it("closes with its scope: 1000 when that ends well, 1001 otherwise", () => {
    const closes: Array<WebSocket.Close> = []
    return serving((stream) => Effect.map(stream.whenClosed, (close) => void closes.push(close)), {}, async ({ url }) => {
      await withClient(url, () => Effect.void)
      await Effect.runPromiseExit(Effect.scoped(Effect.andThen(WebSocket.connect(url), Effect.fail("oops"))))
      await until(() => closes.length === 2, "both are closed")
      assert.deepStrictEqual(closes, [{ code: 1000, reason: "", by: "peer" }, { code: 1001, reason: "", by: "peer" }])
    })
  })

  it("is `Broken` when nobody is there, and when nobody answers in time; cancelled, it leaves nothing", async () => {
    const mute = net.createServer().listen(0, "127.0.0.1")
    await once(mute, "listening")
    const { port } = mute.address() as net.AddressInfo
    const sockets: Array<net.Socket> = []
    mute.on("connection", (socket) => sockets.push(socket.on("error", () => {}).resume()))
    const late = failureOf(await Effect.runPromiseExit(Effect.scoped(WebSocket.connect(`ws://127.0.0.1:${port}/x?y`, { timeout: 20 }))))
    assert.instanceOf((late as Errors.Broken).cause, Errors.TooSlow)
    assert.strictEqual(late.message, `websocket ws://127.0.0.1:${port}/x is broken: handshake took longer than 20ms`)
    assert.isTrue(Option.isNone(await run(Timeout.moveOnAfter(Effect.scoped(WebSocket.connect(`ws://127.0.0.1:${port}`)), 20))))
    await until(() => sockets.length === 2 && sockets.every((socket) => socket.destroyed || socket.readableEnded), "both have gone")
    for (const socket of sockets) socket.destroy()
    await new Promise((resume) => mute.close(resume))
    const gone = failureOf(await Effect.runPromiseExit(Effect.scoped(WebSocket.connect(`ws://127.0.0.1:${port}`))))
    assert.strictEqual(((gone as Errors.Broken).cause as NodeJS.ErrnoException).code, "ECONNREFUSED")
  })

  it("says in a defect which URLs are none", async () => {
    for (const url of ["chat", "http://example.com", "ws://example.com/#x"]) {
      assert.match((await defectOf(Effect.scoped(WebSocket.connect(url)))).message, /Expected `url` to be a URL such as/)
    }
  })

  it("sends headers and origin", () =>
    serving((stream) => stream.send(`${stream.handshake.origin} ${stream.handshake.headers["x-token"]}`), { origins: ["https://app.example"] }, async ({ url }) => {
      const seen = await withClient(url, (stream) => stream.receive, { headers: { "X-Token": "1" }, origin: "https://app.example" })
      assert.strictEqual(text(seen), "https://app.example 1")
    }))

  for (const compression of [false, true]) {
    it(`waits for a server that is slow to read${compression ? ", also with compression" : ""}`, () => {
      const { handler, letGo, next } = handing()
      return serving(handler, { compression }, async ({ url }) => {
        // What cannot be packed.
        const messages = Array.from({ length: 1500 }, () => randomBytes(16_000))
        let sent = 0
        await withClient(url, (stream) => Effect.gen(function*() {
          const sending = yield* Effect.forkChild(Effect.forEach(messages, (message) => Effect.andThen(stream.send(message), Effect.sync(() => sent++)), { discard: true }))
          const server = yield* Effect.promise(next)
          yield* Effect.promise(() => until(() => server.statistics.waitingMessages > 0 && stream.statistics.waitingSenders === 1, "it waits"))
          assert.isAtMost(stream.statistics.bufferedBytes, 65_536 + 16_100)
          for (const message of messages) assert.isTrue(message.equals(text(yield* server.receive) as Uint8Array))
          yield* Fiber.join(sending)
        }), { compression })
        assert.strictEqual(sent, messages.length)
        letGo()
      })
    })
  }
})

describe("the package ws", () => {
  it("is what a defect asks to install when it is not there, and not before somebody needs it", async () => {
    const { code, stdout } = await start("test/net/websocket/no-ws.ts").ended
    assert.deepStrictEqual([code, stdout], [0, "loaded\nError: WebSocket needs the package ws, which is not installed: npm install ws\n"])
  })
})

describe("WebSocket.broadcast", () => {
  it("gives one frame to all, waits for those that are slow, and leaves out those that have gone", () => {
    const { handler, next, letGo } = handing()
    return serving(handler, {}, async ({ port }) => {
      const peers: Array<RawPeer> = []
      const streams: Array<WebSocket.ServerStream> = []
      for (let i = 0; i < 600; i++) {
        peers.push(await RawPeer.open(port))
        streams.push(await next())
      }
      const slow = peers[1]!
      slow.socket.pause()
      await run(streams[0]!.abort)
      let filled = 0
      await run(Effect.gen(function*() {
        while (streams[1]!.statistics.bufferedBytes < 65_536) {
          yield* streams[1]!.send(big(0))
          filled++
        }
      }))
      let over = false
      const sending = run(WebSocket.broadcast(streams, "to all")).then(() => over = true)
      for (const peer of peers.slice(2)) assert.strictEqual((await peer.frame()).payload.toString(), "to all")
      assert.isFalse(over)
      slow.socket.resume()
      for (let i = 0; i < filled; i++) await slow.frame()
      assert.strictEqual((await slow.frame()).payload.toString(), "to all")
      await sending
      letGo()
      for (const peer of peers) peer.destroy()
    })
  })

  it("encodes a copy, which does not change with what it was made of", () => {
    const bytes = new Uint8Array([1, 2, 3])
    const encoded = WebSocket.encode(bytes)
    bytes.fill(9)
    assert.deepStrictEqual([...encoded.message as Uint8Array], [1, 2, 3])
    return serving((stream) => stream.send(encoded), {}, async ({ port }) => {
      const peer = await RawPeer.open(port)
      assert.deepStrictEqual([...(await peer.frame()).payload], [1, 2, 3])
      assert.strictEqual(codeIn(await peer.frame()), 1000)
      peer.destroy()
    })
  })
})
