/**
 * Fetch, process, fetch, process: one after the other, or the next fetched while the last is processed.
 *
 * Run it:   npm run example -- examples/http-client/pipeline.ts
 *
 * What you see: four items, of which each takes 100 ms to come and 100 ms to be worked on. In turn that is 800 ms. With a
 * task for each half and a channel between them it is 500: while one item is worked on, the next one is on its way.
 *
 * Then try:
 *   1. Let processing take 300 ms. How many items wait in the channel, and how far ahead does the fetching get?
 *   2. A channel of 0: fetching hands over each item itself. What is the time now?
 *   3. Let one item fail (`/status/404` in the list). Which items are still processed?
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Console, Effect, Stream } from "effect"
import { MemoryChannel, Nursery, Timeout } from "effect-nursery"
import { Main } from "effect-nursery/node"
import { HttpClient } from "effect/http"
import { isProgram } from "./isProgram.ts"
import * as Stub from "./stub.ts"

interface Fetched {
  readonly url: string
  readonly text: string
}

const fetchItem = (url: string) =>
  HttpClient.HttpClient.pipe(
    Effect.map(HttpClient.filterStatusOk),
    Effect.flatMap((client) => client.get(url)),
    Effect.flatMap((response) => response.text),
    Effect.map((text): Fetched => ({ url, text }))
  )

/** Work that takes a while, for instance because it asks somebody else. */
const workOn = ({ text, url }: Fetched) => Effect.as(Effect.sleep("100 millis"), `${new URL(url).search.slice(1)}: ${text.length} characters`)

type Done = (result: string) => Effect.Effect<void>

// #region turns
/** One after the other. */
export const inTurn = (urls: ReadonlyArray<string>, done: Done) =>
  Effect.forEach(urls, (url) => fetchItem(url).pipe(Effect.flatMap(workOn), Effect.flatMap(done)), { discard: true })
// #endregion

// #region pipeline
/** Two tasks, and a channel with room for one. Who fetches waits when the other one is behind: nothing piles up. */
export const pipelined = (urls: ReadonlyArray<string>, done: Done) =>
  Nursery.open((n) =>
    Effect.gen(function*() {
      const [sender, receiver] = yield* MemoryChannel.make<Fetched>(1, { name: "fetched" })
      const fetching = Effect.forEach(urls, (url) => Effect.flatMap(fetchItem(url), (item) => sender.send(item)), { discard: true })
      // The sender is closed when the last item is in, or the other task would wait for more.
      yield* n.startSoon(Effect.ensuring(fetching, sender.close), { name: "fetching" })
      const processing = Stream.runForEach(receiver.stream, (item) => Effect.flatMap(workOn(item), done))
      yield* n.startSoon(processing, { name: "processing" })
    }), { name: "pipeline" })
// #endregion

// #region main
const program = Nursery.open((n) =>
  Effect.gen(function*() {
    const { url } = yield* n.start(Stub.serve({ host: "127.0.0.1", port: 0 }), { name: "stub", service: true })
    const urls = Array.from({ length: 4 }, (_, i) => `${url}/delay/100?item-${i + 1}`)
    const show = <E, R>(title: string, run: (urls: ReadonlyArray<string>, done: Done) => Effect.Effect<void, E, R>) =>
      Effect.gen(function*() {
        yield* Console.log(title)
        const began = yield* Timeout.now
        const since = Effect.map(Timeout.now, (now) => `${Math.round(now - began)} ms`)
        yield* run(urls, (result) => Effect.flatMap(since, (time) => Console.log(`  ${time.padStart(6)}  ${result}`)))
      })
    yield* show("in turn:", inTurn)
    yield* show("as a pipeline:", pipelined)
  }), { name: "items" }).pipe(Effect.provide(NodeHttpClient.layerUndici))

if (isProgram(import.meta)) Main.run(program, { grace: 0 })
// #endregion
