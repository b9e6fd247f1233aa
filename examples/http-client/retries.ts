/**
 * Trying again: which failures are worth it, how long to wait, when to give up, and what to do with each kind of error.
 *
 * Run it:   npm run example -- examples/http-client/retries.ts
 *
 * What you see: a server that comes back after two failures, one that does not, one that is busy and says for how long;
 * one that is never tried again because it is us who are wrong; one that breaks off, one that is not there, and one that is
 * too slow until the budget is spent. At the end an error for which nobody has an answer: it goes on to the nursery.
 *
 * Then try:
 *   1. `times: 1`. Which lines change?
 *   2. Take `HttpClient.filterStatusOk` away and `retryOn` too. Responses are tried again now as well as errors.
 *   3. Take the limit of one try away. What is the slow server given now, and how often is it asked?
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Console, Effect, Schedule, Schema } from "effect"
import { Failures, Nursery, Tasks, Timeout } from "effect-nursery"
import { Main } from "effect-nursery/node"
import { HttpClient, HttpClientResponse } from "effect/http"
import { isProgram } from "./isProgram.ts"
import * as Stub from "./stub.ts"

// #region client
/**
 * The client that tries again. Read it from the top: each step sees what the one above it lets through.
 *
 * Only for what may be done twice, such as GET: a POST that failed may have been done all the same.
 */
const patient = Effect.map(HttpClient.HttpClient, (client) =>
  client.pipe(
    // A try is over when the body is there. What is read here is kept, and an answer that nobody wants gives its
    // connection back.
    HttpClient.transformResponse(Effect.tap((response) => response.text)),
    // From here on a bad status is an error.
    HttpClient.filterStatusOk,
    // One try may take so long.
    HttpClient.transformResponse(Timeout.failAfter("500 millis", { name: "one try" })),
    // Again: when there was no connection, after 408, 429, 500, 502, 503 and 504; and, because we say so, when a try took
    // too long or the body broke off. Not after 404, which would be the same in a second. The waits are 0.1, 0.2 and 0.4
    // seconds, or longer if the answer had a `Retry-After`.
    HttpClient.retryTransient({
      retryOn: "errors-only",
      while: (error) => error._tag === "TooSlow" || error.reason._tag === "DecodeError",
      schedule: Schedule.exponential("100 millis"),
      times: 3
    })
  ))

/** All tries together have a budget: whoever waits for us has no use for more. */
const get = (url: string) =>
  Effect.flatMap(patient, (client) => client.get(url)).pipe(Timeout.failAfter("2 seconds", { name: "the budget" }))
// #endregion

// #region kinds
const Item = Schema.Struct({ id: Schema.Int, name: Schema.String, price: Schema.Int })

/** Gets an item, and has an answer to three kinds of failure. The type says which are left. */
export const getItem = (url: string) =>
  get(url).pipe(
    Effect.flatMap(HttpClientResponse.schemaBodyJson(Item)),
    Effect.map((item) => `${item.name} costs ${item.price}`),
    // Too slow: one try, or all of them.
    Effect.catchTag("TooSlow", (error) => Effect.succeed(`gave up: ${error.message}`)),
    // There was no answer: nobody listens, or the connection broke.
    Effect.catchReason("HttpClientError", "TransportError", ({ cause }) => Effect.succeed(`no connection: ${codeOf(cause)}`)),
    // There was one, and it was no.
    Effect.catchReason("HttpClientError", "StatusCodeError", ({ response }) => Effect.succeed(`the server says ${response.status}`))
    // Anything else, such as an answer that is no JSON, is a bug of somebody. It goes on to whoever called.
  )

/** What the operating system called it, such as ECONNREFUSED. */
const codeOf = (cause: unknown): string => cause instanceof Error && "code" in cause ? String(cause.code) : "broken"
// #endregion

// #region main
const program = Nursery.open((n) =>
  Effect.gen(function*() {
    const stub = yield* n.start(Stub.serve({ host: "127.0.0.1", port: 0 }), { name: "stub", service: true })
    const show = (what: string, url: string) =>
      Effect.gen(function*() {
        const began = yield* Timeout.now
        const result = yield* getItem(url)
        yield* Console.log(`${what.padEnd(18)} ${((yield* Timeout.now) - began).toFixed(0).padStart(5)} ms   ${result}`)
      })

    yield* Tasks.gather([
      show("at once", `${stub.url}/item/1`),
      show("fails twice", `${stub.url}/flaky/2`),
      show("fails on", `${stub.url}/flaky/100`),
      show("busy for a second", `${stub.url}/busy/1`),
      show("not found", `${stub.url}/status/404`),
      show("breaks off", `${stub.url}/reset`),
      // Nobody listens at port 1 of this machine.
      show("nobody there", "http://127.0.0.1:1/"),
      show("too slow", `${stub.url}/delay/30000`)
    ])

    const exit = yield* Effect.exit(Tasks.gather([show("no JSON", `${stub.url}/not-json`), show("too slow", `${stub.url}/delay/30000`)]))
    if (exit._tag === "Failure") yield* Console.log(`\nan error without an answer cancels the others:\n${Failures.pretty(exit.cause)}`)
  }), { name: "retries" }).pipe(Effect.provide(NodeHttpClient.layerUndici))

if (isProgram(import.meta)) Main.run(program, { grace: 0 })
// #endregion
