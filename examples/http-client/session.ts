/**
 * Many requests at once: one session, a list of URLs, and a limit on how many are under way at a time.
 *
 * Run it:           npm run example -- examples/http-client/session.ts
 * With your own:    npm run example -- examples/http-client/session.ts --at-once 2 http://127.0.0.1:8081/delay/500 …
 *
 * What you see: status, time and size of each page as it completes; then how long all took together, and how many
 * connections that needed. The last page leads on twice, and the session follows.
 *
 * Then try:
 *   1. `--at-once 1`, and `--at-once 100`. What becomes of the time, what of the connections?
 *   2. Do not read the body (`const bytes = 0`), with `--at-once 1`. One page then takes seconds. Which, and what for?
 *   3. Give it two URLs, the second one where nobody listens, such as http://127.0.0.1:1/. What becomes of the first page?
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Console, Effect, Stream } from "effect"
import { Nursery, Tasks, Timeout } from "effect-nursery"
import { Main } from "effect-nursery/node"
import { HttpClient, HttpClientRequest } from "effect/http"
import { parseArgs } from "node:util"
import { isProgram } from "./isProgram.ts"
import * as Stub from "./stub.ts"

/** What came of one URL. */
export interface Page {
  readonly url: string
  readonly status: number
  readonly bytes: number
  readonly millis: number
}

// #region session
// What all requests have in common is said once. The client itself comes from outside: here it is undici, in a test it is
// a handler in the same program.
const session = Effect.map(HttpClient.HttpClient, (client) =>
  client.pipe(
    HttpClient.mapRequest(HttpClientRequest.setHeader("user-agent", "effect-nursery-example")),
    HttpClient.followRedirects(5)
  ))
// #endregion

// #region page
/** Gets one page: the head first, then the body, which is counted as it comes and not kept. */
export const getPage = (url: string) =>
  Effect.gen(function*() {
    const client = yield* session
    const began = yield* Timeout.now
    const response = yield* client.get(url)
    // The connection serves nobody else until the body has been read to its end.
    const bytes = yield* Stream.runFold(response.stream, () => 0, (sum, chunk) => sum + chunk.length)
    const millis = (yield* Timeout.now) - began
    const page: Page = { url, status: response.status, bytes, millis }
    return page
  })
// #endregion

// #region all
/** Gets all pages, at most so many at a time, and tells of each as it completes. The result has the order of the list. */
export const getAll = (urls: ReadonlyArray<string>, atOnce: number, onPage: (page: Page) => Effect.Effect<void>) =>
  Tasks.map(urls, (url) => Effect.tap(getPage(url), onPage), { concurrency: atOnce })
// #endregion

/** Pages of the stub that take their time. */
export const pagesOf = (stub: string): ReadonlyArray<string> =>
  ["/delay/400", "/delay/300", "/page/100000", "/status/404", "/delay/200", "/drip/3", "/item/7", "/redirect/2"].map((path) => stub + path)

const inOneLine = ({ bytes, millis, status, url }: Page) => `${status} ${`${Math.round(millis)} ms`.padStart(8)} ${`${bytes} bytes`.padStart(13)}  ${url}`

// #region main
const program = (urls: ReadonlyArray<string>, atOnce: number) =>
  Nursery.open((n) =>
    Effect.gen(function*() {
      // A service: when the body has all its pages, nobody needs the stub any more.
      const stub = yield* n.start(Stub.serve({ host: "127.0.0.1", port: 0 }), { name: "stub", service: true })
      const wanted = urls.length > 0 ? urls : pagesOf(stub.url)

      yield* Console.log(`${wanted.length === 1 ? "1 page" : `${wanted.length} pages`}, ${atOnce} at a time:`)
      const began = yield* Timeout.now
      const pages = yield* getAll(wanted, atOnce, (page) => Console.log(inOneLine(page)))
      const together = (yield* Timeout.now) - began

      const inTurn = pages.reduce((sum, page) => sum + page.millis, 0)
      yield* Console.log(`together ${Math.round(together)} ms, one after the other ${Math.round(inTurn)} ms`)
      if (urls.length === 0) yield* Console.log(`the stub has seen ${stub.connections()} connections, and at most ${stub.peak()} requests at a time`)
    }), { name: "session" }).pipe(
      // The connections live as long as this. At most so many to each server: a page more waits for one of them.
      Effect.provide(NodeHttpClient.layerUndiciOptions({ connections: atOnce }))
    )
// #endregion

const help = `Usage: npm run example -- examples/http-client/session.ts [--at-once N] [URL …]

Gets pages, so many at a time, and prints status, time and size of each.
Without a URL it gets some of a stub that it starts itself.

  --at-once N  how many at a time (3)
  --help       print this`

const main = () => {
  const refuse = (why: string): never => {
    process.stderr.write(`${why} (see --help)\n`)
    process.exit(2)
  }
  const read = () => {
    try {
      return parseArgs({ options: { "at-once": { type: "string", default: "3" }, help: { type: "boolean" } }, allowPositionals: true })
    } catch (error) {
      return refuse((error as Error).message)
    }
  }
  const { positionals, values } = read()
  if (values.help === true) return Main.run(Console.log(help))
  const atOnce = Number(values["at-once"])
  if (!/^[1-9]\d{0,3}$/.test(values["at-once"])) refuse(`--at-once takes a number from 1 to 9999, got ${JSON.stringify(values["at-once"])}`)
  for (const url of positionals) if (!/^https?:$/.test(URL.parse(url)?.protocol ?? "")) refuse(`Expected a URL that begins with http:// or https://, got ${url}`)
  // There is nothing to finish: Ctrl-C cancels what is under way.
  Main.run(program(positionals, atOnce), { grace: 0 })
}

if (isProgram(import.meta)) main()
