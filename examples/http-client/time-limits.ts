/**
 * Time limits around HTTP: for one request, for its body too, for a page made of several parts, and with a default.
 *
 * Run it:   npm run example -- examples/http-client/time-limits.ts
 *
 * What you see: five ways to give up on a slow server, and what the stub notices of each: the client has left. A limit
 * cancels the request, and the connection is closed; nobody goes on working for somebody who does not listen.
 *
 * Then try:
 *   1. Put the limit of `withBody` around `client.get(url)` alone. Which line changes? A limit holds for what it stands around.
 *   2. Give `page` 600 milliseconds instead of 250. Which of the parts come now?
 *   3. Use `Timeout.failAfter` in `orDefault`. Where does the error go, and what becomes of the lines below?
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Console, type Duration, Effect, Option } from "effect"
import { Nursery, Tasks, Timeout } from "effect-nursery"
import { Main } from "effect-nursery/node"
import { HttpClient } from "effect/http"
import { isProgram } from "./isProgram.ts"
import * as Stub from "./stub.ts"
import { toText } from "./StubRoutes.ts"

const getText = (url: string) => Effect.flatMap(HttpClient.get(url), (response) => response.text)

// #region one
/** 1. One request: an error that says which limit it was. */
export const oneRequest = (url: string, limit: Duration.Input = "200 millis") => getText(url).pipe(Timeout.failAfter(limit, { name: "the request" }))
// #endregion

// #region body
/** 2. The head of an answer may come at once and its body never. So the limit stands around both. */
export const withBody = (url: string, limit: Duration.Input = "250 millis") =>
  Effect.gen(function*() {
    const response = yield* HttpClient.get(url)
    return yield* response.text
  }).pipe(Timeout.failAfter(limit, { name: "head and body" }))
// #endregion

// #region default
/** 3. Not an error, but another way to go on: `None` when the time was up. */
export const orDefault = (url: string, otherwise: string) =>
  getText(url).pipe(Timeout.moveOnAfter("200 millis"), Effect.map(Option.getOrElse(() => otherwise)))
// #endregion

// #region several
/** 4. One limit for several requests: whatever is under way when it is over is cancelled. */
export const allOfThem = (urls: ReadonlyArray<string>) =>
  Tasks.map(urls, getText).pipe(Timeout.failAfter("200 millis", { name: "the three together" }))
// #endregion

// #region parts
/** 5. A page made of parts shows those that have come in time, and leaves out the others. */
export const page = (urls: ReadonlyArray<string>, limit: Duration.Input = "250 millis") =>
  Nursery.open((parts) =>
    Effect.gen(function*() {
      const tasks = yield* Effect.forEach(urls, (url) => parts.startSoon(getText(url), { name: new URL(url).pathname }))
      // Waits, and cancels nothing: those that are not done go on.
      const { done, pending } = yield* Tasks.wait(tasks, { timeout: limit })
      // These go on for nobody.
      yield* parts.cancelTasks("too late for the page")
      const texts = yield* Effect.forEach(done, (task) => task.join)
      return { texts: texts.map((text) => text.trim()), leftOut: pending.map((task) => task.name) }
    }), { name: "page" })
// #endregion

const tooSlow = (error: { readonly message: string }) => Effect.succeed(error.message)

// #region main
const program = Nursery.open((n) =>
  Effect.gen(function*() {
    const { inFlight, url } = yield* n.start(
      Stub.serve({ host: "127.0.0.1", port: 0 }, (visit) => Console.log(`   stub: ${toText(visit)}`)),
      { name: "stub", service: true }
    )
    // The stub learns a little later that its client has gone, so we wait until it has nothing to do.
    const show = (title: string, what: Effect.Effect<string, never, HttpClient.HttpClient>) =>
      Effect.gen(function*() {
        yield* Console.log(title)
        const result = yield* what
        yield* inFlight.waitUntil((requests) => requests === 0)
        yield* Console.log(`   ${result}`)
      })

    yield* show("1. one request", oneRequest(`${url}/delay/30000`).pipe(Effect.catchTag("TooSlow", tooSlow), Effect.orDie))
    yield* show("2. a body that drips", withBody(`${url}/drip/100`).pipe(Effect.catchTag("TooSlow", tooSlow), Effect.orDie))
    yield* show("3. with a default", orDefault(`${url}/delay/30000`, "no news today").pipe(Effect.orDie))
    const three = ["/page/5", "/delay/30000", "/drip/100"].map((path) => url + path)
    yield* show("4. three at once", allOfThem(three).pipe(Effect.as("all have come"), Effect.catchTag("TooSlow", tooSlow), Effect.orDie))
    const parts = ["/delay/20", "/delay/500", "/delay/40"].map((path) => url + path)
    yield* show("5. the parts of a page", Effect.map(Effect.orDie(page(parts)), ({ leftOut, texts }) => `${texts.join(", ")}; left out: ${leftOut.join(", ")}`))
  }), { name: "time limits" }).pipe(Effect.provide(NodeHttpClient.layerUndici))

if (isProgram(import.meta)) Main.run(program, { grace: 0 })
// #endregion
