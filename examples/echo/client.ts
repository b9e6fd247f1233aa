/**
 * A client for the servers of this folder, or for any other that speaks in lines: what you type is sent, what comes back
 * is printed. It ends when either side ends: you with Ctrl-D, the server when it stops.
 *
 * Run it:        npm run example -- examples/echo/client.ts --port 8888
 * From a pipe:   printf 'hello\n' | npm run -s example -- examples/echo/client.ts
 *
 * Then try:
 *   1. Stop the server while the client waits for you: the client ends, although nobody has typed anything.
 *   2. Send a long file through the pipe, and compare: `… client.ts < file | cmp - file`.
 */
import { Console, Effect, Stream } from "effect"
import { Nursery } from "effect-nursery"
import { Tcp } from "effect-nursery/net"
import { Main } from "effect-nursery/node"
import { parseArgs } from "node:util"
import { keyboard } from "../support/keyboard.ts"
import { print } from "../support/print.ts"

const { values } = parseArgs({
  options: { host: { type: "string", default: "127.0.0.1" }, port: { type: "string", default: "8888" }, help: { type: "boolean" } }
})

const help = `Usage: npm run example -- examples/echo/client.ts [--host HOST] [--port PORT]

Sends what is typed, prints what comes back. Ctrl-D says goodbye, Ctrl-C ends it.

  --host HOST  where the server is (127.0.0.1)
  --port PORT  and its port (8888)
  --help       print this`

// #region talk
const talk = (stream: Tcp.TcpStream) =>
  Nursery.open(
    (both) =>
      Effect.gen(function*() {
        // A service: when the server has nothing more to say, nobody waits for the keyboard.
        const upwards = Stream.runForEach(keyboard, (bytes) => stream.send(bytes)).pipe(Effect.andThen(stream.sendEof))
        yield* both.startSoon(upwards, { name: "keyboard to server", service: true })
        yield* Stream.runForEach(stream.chunks, print)
      }),
    { name: "client" }
  )
// #endregion

// #region main
const client = Effect.scoped(Effect.flatMap(Tcp.connect({ host: values.host, port: Number(values.port) }), talk))

const failed = (why: string) => Console.error(why).pipe(Effect.andThen(Effect.sync(() => void (process.exitCode = 1))))

Main.run(values.help === true ? Console.log(help) : Effect.catchTag(client, "Broken", (error) => failed(error.message)))
// #endregion
