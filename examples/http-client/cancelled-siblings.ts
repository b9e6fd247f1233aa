/**
 * One request of three fails. What becomes of the others?
 *
 * Run it:   npm run example -- examples/http-client/cancelled-siblings.ts
 *
 * What you see: with `Tasks.gather` the slow request is cancelled when another one has failed, and the stub sees that its
 * client has left. With `Promise.all` the error comes as early, but the slow request goes on, and the stub works to the
 * end for nobody. With `Tasks.gatherSettled` all are wanted, whatever becomes of each.
 *
 * Then try:
 *   1. Take `HttpClient.filterStatusOk` away. Nothing fails any more, as an answer with 500 is an answer; so how long
 *      does it take now?
 *   2. Let the first one fail too (`/status/503` in place of `/delay/10`). How many errors come out, and why?
 *   3. Put `Effect.ensuring(Console.log("cleanup"))` behind the slow request. When does it run?
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Console, Effect } from "effect"
import { Failures, Nursery, Tasks } from "effect-nursery"
import { Main } from "effect-nursery/node"
import { HttpClient } from "effect/http"
import { isProgram } from "./isProgram.ts"
import * as Stub from "./stub.ts"
import { toText } from "./StubRoutes.ts"

// #region get
/** A page, or a failure: a status that is not good is one. */
const getText = (url: string) =>
  HttpClient.HttpClient.pipe(
    Effect.map(HttpClient.filterStatusOk),
    Effect.flatMap((client) => client.get(url)),
    Effect.flatMap((response) => response.text),
    Effect.map((text) => text.trim())
  )
// #endregion

// #region requests
/** Three requests of a page. The second one needs two steps, and its second step fails. */
export const requests = (stub: string, slow = 30_000) => ({
  profile: getText(`${stub}/delay/10`),
  orders: Effect.andThen(getText(`${stub}/delay/100`), getText(`${stub}/status/500`)),
  advice: getText(`${stub}/delay/${slow}`)
})
// #endregion

// #region gather
export const together = (stub: string) => Tasks.gather(requests(stub))
// #endregion

// #region promises
/** The same with promises. Nobody tells the third one. */
export const promises = (stub: string) => {
  const get = async (path: string) => {
    const response = await fetch(stub + path)
    const text = await response.text()
    if (!response.ok) throw new Error(`status ${response.status}`)
    return text
  }
  return Effect.tryPromise(() => Promise.all([get("/delay/10"), get("/delay/100").then(() => get("/status/500")), get("/delay/600")]))
}
// #endregion

// #region settled
export const settled = (stub: string) => Tasks.gatherSettled(requests(stub, 300))
// #endregion

// #region main
const program = Nursery.open((n) =>
  Effect.gen(function*() {
    const { inFlight, url } = yield* n.start(
      Stub.serve({ host: "127.0.0.1", port: 0 }, (visit) => Console.log(`   stub: ${toText(visit)}`)),
      { name: "stub", service: true }
    )
    const idle = inFlight.waitUntil((requests) => requests === 0)

    yield* Console.log("Tasks.gather: the first failure cancels the others")
    const exit = yield* Effect.exit(together(url))
    yield* idle
    if (exit._tag === "Failure") yield* Console.log(Failures.pretty(exit.cause))

    yield* Console.log("\nPromise.all: the first failure is told, and the others go on")
    yield* Effect.exit(promises(url))
    yield* Console.log("   the error is here")
    yield* idle

    yield* Console.log("\nTasks.gatherSettled: each to its end")
    const exits = yield* settled(url)
    yield* idle
    for (const [name, exit] of Object.entries(exits)) yield* Console.log(`${name}: ${exit._tag}`)
  }), { name: "siblings" }).pipe(Effect.provide(NodeHttpClient.layerUndici))

if (isProgram(import.meta)) Main.run(program, { grace: 0 })
// #endregion
