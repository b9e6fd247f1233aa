/**
 * An HTTP/1.1 client by hand: what `fetch` does, over a TcpStream.
 *
 * Run it:   npm run -s example -- examples/streams/http-client.ts http://127.0.0.1:8080/       (after http-server.ts)
 *           npm run -s example -- examples/streams/http-client.ts http://example.org/
 *
 * The head of the answer goes to standard error, its body to standard output.
 *
 * Then try:
 *   1. http://127.0.0.1:8080/count/5, a body whose length nobody knows at the start. Look at it with
 *      `curl --raw -i` as well: this client takes the chunks apart, and that shows them.
 *   2. Make `readHead` read the head byte by byte (`receiveExactly(1)`), and explain why nothing else changes.
 *   3. https: put `Tls.connect` in the place of `Tcp.connect`. The rest is the same, because it only knows streams.
 */
import { Console, Effect, Option, Stream } from "effect"
import { Timeout } from "effect-nursery"
import { Tcp } from "effect-nursery/net"
import { Main } from "effect-nursery/node"
import { print } from "../support/print.ts"
import { BadMessage, bodyOf, type Head, readHead } from "./HttpMessage.ts"

const help = `Usage: npm run -s example -- examples/streams/http-client.ts URL

Gets a page over HTTP/1.1: the head to standard error, the body to standard output.
Ends with 1 if there is none, or if its status is 400 or above.`

// #region request
// A request is a line, some headers, and an empty line. Without `connection: close` the server would keep the stream open
// for a next request; so that we need not, it closes it.
const requestFor = (url: URL) =>
  [
    `GET ${url.pathname}${url.search} HTTP/1.1`,
    `host: ${url.host}`,
    "user-agent: effect-nursery-example",
    "accept: */*",
    "connection: close",
    "",
    ""
  ].join("\r\n")
// #endregion

// #region status
/** `HTTP/1.1 200 OK` */
const statusOf = ({ start }: Head) => {
  const [, status] = /^HTTP\/1\.[01] ([1-5]\d\d)(?: .*)?$/.exec(start) ?? []
  return status === undefined ? Effect.fail(new BadMessage({ status: 502, why: `this is no status line: ${JSON.stringify(start)}` })) : Effect.succeed(Number(status))
}
// #endregion

// #region get
const get = (url: URL) =>
  Effect.gen(function*() {
    // Closed with the scope around, however this ends.
    const stream = yield* Tcp.connect({ host: url.hostname.replace(/^\[|\]$/g, ""), port: Number(url.port || 80) }).pipe(
      Timeout.failAfter("10 seconds", { name: "connecting" })
    )
    yield* stream.send(requestFor(url))

    // A server may say "100 Continue" or the like first; the answer comes after it.
    for (;;) {
      const head = yield* readHead(stream).pipe(Timeout.failAfter("30 seconds", { name: "the server's answer" }))
      if (Option.isNone(head)) return yield* Effect.fail(new BadMessage({ status: 502, why: "the server has ended without an answer" }))
      const status = yield* statusOf(head.value)
      if (status < 200) continue
      yield* Console.error([head.value.start, ...Array.from(head.value.headers, ([name, value]) => `${name}: ${value}`), ""].join("\n"))

      // These have no body, whatever their headers say. Otherwise, if nobody says how long it is, it lasts until the end.
      const body = status === 204 || status === 304 ? Stream.empty : bodyOf(stream, head.value.headers, stream.chunks)
      // `print` waits until its bytes are taken, and as long as we receive nothing, the server waits as well.
      yield* Stream.runForEach(body, print)
      return status
    }
  })
// #endregion

const exitWith = (code: number) => Effect.sync(() => void (process.exitCode = code))

const program = Effect.gen(function*() {
  const [argument] = process.argv.slice(2)
  if (argument === "--help") return yield* Console.log(help)
  const url = URL.parse(argument ?? "")
  if (url?.protocol !== "http:") {
    yield* Console.error(`Expected a URL that begins with http://, got ${argument ?? "nothing"} (see --help)`)
    return yield* exitWith(2)
  }
  const status = yield* Effect.scoped(get(url)).pipe(
    Effect.catchTag(["Broken", "BadMessage", "TooSlow"], (error) => Effect.as(Console.error(error.message), 599))
  )
  if (status >= 400) yield* exitWith(1)
})

Main.run(program)
