/**
 * The same file at several mirrors: take it from the first that has it.
 *
 * Run it:   npm run example -- examples/http-client/first-mirror.ts
 *
 * What you see: Paris is asked, and hangs. A quarter of a second later Oslo is asked too, and says at once that it is
 * down; so Lima is asked without waiting. Lima answers, and the request to Paris is cancelled. At the end all mirrors are
 * down, and every one of the three errors is told.
 *
 * Then try:
 *   1. Take `stagger` away: all three are asked at once. What does that cost, and who pays?
 *   2. Put Lima first. How many mirrors are asked?
 *   3. Use `Tasks.firstCompleted`. Who wins now, and would you want that?
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Console, Effect } from "effect"
import { Failures, Nursery, Tasks } from "effect-nursery"
import { Main } from "effect-nursery/node"
import { HttpClient } from "effect/http"
import { isProgram } from "./isProgram.ts"
import * as Stub from "./stub.ts"
import { toText } from "./StubRoutes.ts"

/** Somewhere the file can be had. */
export interface Mirror {
  readonly name: string
  readonly url: string
}

// #region first
/** Without `filterStatusOk` a mirror that says 503 would have won: it was the first to answer. */
const download = ({ name, url }: Mirror) =>
  HttpClient.HttpClient.pipe(
    Effect.map(HttpClient.filterStatusOk),
    Effect.flatMap((client) => client.get(url)),
    Effect.flatMap((response) => response.text),
    Effect.map((text) => ({ name, text }))
  )

/** Each mirror is asked a quarter of a second after the one before, or as soon as that one has failed. */
export const fromFirst = (mirrors: ReadonlyArray<Mirror>) => Tasks.firstSuccess(mirrors.map(download), { stagger: "250 millis" })
// #endregion

// #region main
const program = Nursery.open((n) =>
  Effect.gen(function*() {
    // Three servers, each a task of this nursery.
    const startMirror = (name: string) =>
      n.start(Stub.serve({ host: "127.0.0.1", port: 0 }, (visit) => Console.log(`  ${name}: ${toText(visit)}`)), { name, service: true })
    const paris = yield* startMirror("Paris")
    const oslo = yield* startMirror("Oslo")
    const lima = yield* startMirror("Lima")
    const idle = Effect.forEach([paris, oslo, lima], (mirror) => mirror.inFlight.waitUntil((requests) => requests === 0))

    yield* Console.log("Paris hangs, Oslo is down, Lima is well:")
    const winner = yield* fromFirst([
      { name: "Paris", url: `${paris.url}/delay/30000` },
      { name: "Oslo", url: `${oslo.url}/status/503` },
      { name: "Lima", url: `${lima.url}/delay/50` }
    ])
    yield* idle
    yield* Console.log(`${winner.name} has won: ${winner.text}`)

    yield* Console.log("All are down:")
    const exit = yield* Effect.exit(fromFirst([
      { name: "Paris", url: `${paris.url}/status/500` },
      { name: "Oslo", url: `${oslo.url}/reset` },
      { name: "Lima", url: `${lima.url}/status/404` }
    ]))
    yield* idle
    if (exit._tag === "Failure") yield* Console.log(Failures.pretty(exit.cause))
  }), { name: "download" }).pipe(Effect.provide(NodeHttpClient.layerUndici))

if (isProgram(import.meta)) Main.run(program, { grace: 0 })
// #endregion
