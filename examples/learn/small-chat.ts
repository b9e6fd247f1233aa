/**
 * A small chat: users with names, and everybody hears everybody. It runs on a network in memory, in virtual time, so that
 * it says the same in each run; the same `chat` would serve a real port.
 *
 * Run it:  npm run example -- examples/learn/small-chat.ts
 *
 * What you see: what one user reads while another one comes, talks and leaves; and what somebody costs her who reads nothing.
 *
 * Then try:
 *   1. Put `whenFull: "wait"` in place of `"disconnect"`. Who hears how much of the song?
 *   2. Take `service: true` away. Who can still leave?
 *   3. Let Lancelot take the name SirBedevere. What should the server say, and where must it look?
 */
import { Console, Effect, Option, Stream } from "effect"
import { Broadcast, Nursery } from "effect-nursery"
import { Framing, Tcp } from "effect-nursery/net"
import { SimulatedNetwork, VirtualClock } from "effect-nursery/testing"

// #region user
/** One user, from the first line to the last. All of them share the hall: what is published there goes to everybody. */
const talk = (hall: Broadcast.Broadcast<string>) => (stream: Tcp.TcpStream) =>
  Effect.gen(function*() {
    const lines = Framing.lines(stream, { maxBytes: 200 })
    const hello = yield* lines.next
    const name = Option.getOrElse(hello, () => "").match(/^CONNECT (\S+)$/)?.[1]
    if (name === undefined) return yield* stream.send("ERR say CONNECT and a name of one word first\n")

    const visit = Effect.gen(function*() {
      // From here on this user hears everything, through a buffer of their own, until the visit ends.
      const heard = yield* hall.subscribe()
      yield* stream.send(`Welcome! ${hall.size} user(s) are online!\n`)
      yield* hall.publish(`${name} connected!\n`)

      // Two tasks, because a user talks and hears at the same time. The second one is a service: it ends with the first.
      yield* Nursery.open((user) =>
        Effect.gen(function*() {
          yield* user.startSoon(Stream.runForEach(heard.stream, (line) => stream.send(line)), { name: "hear", service: true })
          yield* Stream.runForEach(lines.stream, (text) => hall.publish(`${name}: ${text}\n`))
        })
      )
    })
    const left = Effect.orDie(hall.publish(`${name} has left the chat\n`))
    yield* visit.pipe(Effect.scoped, Effect.ensuring(left))
  })
// #endregion

// #region server
/**
 * A speaker waits for nobody: when 16 lines wait for a user, they get no more. And a user who takes nothing for a second,
 * in the middle of a line, is cut off.
 */
const chat = Effect.map(
  Broadcast.make<string>({ name: "hall", capacity: 16, whenFull: "disconnect" }),
  (hall) =>
    Tcp.serve(talk(hall), {
      host: "0.0.0.0",
      port: 8000,
      limits: { write: "1 second" },
      onFailure: (_, peer) => Console.log(`(the server parts from ${peer._tag === "Tcp" ? peer.host : "somebody"})`)
    })
)
// #endregion

// --- the users ---

const connect = (name: string) =>
  Effect.gen(function*() {
    const stream = yield* Tcp.connect({ host: "server", port: 8000 })
    yield* stream.send(`CONNECT ${name}\n`)
    return stream
  })

/** Prints what she reads, but of a song only the first line, and answers a question. */
const missIslington = Effect.gen(function*() {
  const stream = yield* connect("MissIslington")
  let verses = 0
  yield* Stream.runForEach(stream.lines, (line) =>
    Effect.gen(function*() {
      if (!line.includes(": verse ") || verses++ === 0) yield* Console.log(line)
      if (line.endsWith("?")) yield* stream.send("No, it's a false one!\n")
      if (line === "Minstrel has left the chat") yield* Console.log(`(she has heard ${verses} verses)`)
    }))
}).pipe(Effect.scoped)

const sirBedevere = Effect.gen(function*() {
  const stream = yield* connect("SirBedevere")
  yield* Effect.sleep("1 second")
  yield* stream.send("Is that your nose?\n")
  yield* Effect.sleep("1 second")
}).pipe(Effect.scoped)

/** Says hello, and then reads nothing, like a laptop that was closed. */
const lancelot = Effect.andThen(connect("Lancelot"), Effect.never).pipe(Effect.scoped)

/** Sings three hundred verses, and hears what is said meanwhile. */
const minstrel = Effect.gen(function*() {
  const stream = yield* connect("Minstrel")
  yield* Nursery.open((n) =>
    Effect.gen(function*() {
      yield* n.startSoon(Stream.runDrain(stream.lines), { name: "hear", service: true })
      for (let verse = 1; verse <= 300; verse++) {
        yield* stream.send(`verse ${verse}, bravely bold Sir Robin rode forth from Camelot, he was not afraid to die\n`)
        yield* Effect.sleep("10 millis")
      }
    })
  )
}).pipe(Effect.scoped)

const program = Nursery.open((n) =>
  Effect.gen(function*() {
    const network = yield* SimulatedNetwork.make({ seed: 1, windowBytes: 8_192 })
    yield* network.on("server", n.start(yield* chat, { name: "chat", service: true }))
    const listening = yield* network.on("castle", n.startSoon(missIslington, { name: "MissIslington" }))
    yield* Effect.sleep("1 second")
    yield* network.on("camp", sirBedevere)
    yield* network.on("lake", n.startSoon(lancelot, { name: "Lancelot", service: true }))
    yield* Effect.sleep("1 second")
    yield* network.on("tavern", minstrel)
    yield* Effect.sleep("1 second")
    yield* listening.cancel()
  })
)

await VirtualClock.run(program)
