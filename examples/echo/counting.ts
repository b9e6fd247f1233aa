/**
 * A server that counts: it greets each user with how many are online, tells everybody when that changes, and sends back
 * each line.
 *
 * Run it:        npm run example -- examples/echo/counting.ts
 * Talk to it:    npm run example -- examples/echo/client.ts --port 8000      (in a second and a third terminal)
 *
 * Then try:
 *   1. Take the `speaking` limiter away. Sometimes a line and a number are sent at once, and the second `send` fails with
 *      `Busy`: one direction of a stream serves one task at a time, or messages would be torn apart.
 *   2. Start fifty clients in a loop of your shell. A user who reads slowly sees the latest number, not every one.
 */
import { Effect, Stream } from "effect"
import { CapacityLimiter, Nursery, Watch } from "effect-nursery"
import { Tcp } from "effect-nursery/net"
import { Main } from "effect-nursery/node"
import { announce, orSayWhy, placeFrom } from "../support/server.ts"

const place = placeFrom({
  name: "counting server",
  file: "examples/echo/counting.ts",
  does: "says how many users are online, and sends back each line",
  port: 8000
})

// #region user
const talkTo = (stream: Tcp.TcpStream, online: Watch.Watch<number>, welcome: number) =>
  Nursery.open(
    (user) =>
      Effect.gen(function*() {
        const speaking = yield* CapacityLimiter.make(1, { name: "speaking" })
        const say = (text: string) => speaking.withToken(stream.send(`${text}\n`))
        yield* say(`Welcome! ${welcome} user(s) are online!`)

        // A service: it does not hold the block open, so it ends when the user has said the last line.
        let told = welcome
        const news = Stream.runForEach(online.changes, (now) => {
          if (now === told) return Effect.void
          told = now
          return say(`${now} user(s) are online!`)
        })
        yield* user.startSoon(news, { name: "news", service: true })

        // Somebody who never ends a line is told so, and then we part.
        yield* Stream.runForEach(stream.lines, say).pipe(Effect.catchTag("TooLong", (error) => say(error.message)))
      }),
    { name: "user" }
  )
// #endregion

// #region count
// The count goes up when a user comes and down when they are gone, in whatever way: end, failure, cancellation.
const counted = (online: Watch.Watch<number>) => (stream: Tcp.TcpStream) =>
  Effect.acquireUseRelease(
    online.update((n) => n + 1),
    (welcome) => talkTo(stream, online, welcome),
    () => online.update((n) => n - 1)
  )
// #endregion

const server = Effect.gen(function*() {
  const online = yield* Watch.make(0, { name: "online" })
  return yield* Tcp.serve(counted(online), { ...place, endInputOnStop: true })(announce("counting server"))
})

Main.run(server.pipe(orSayWhy(place)))
