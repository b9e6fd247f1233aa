/**
 * An echo server: whatever a peer sends comes back.
 *
 * Run it:        npm run example -- examples/echo/server.ts       (`npm start` runs it too, beside other servers)
 * Talk to it:    npm run example -- examples/echo/client.ts       (in a second terminal; or: nc 127.0.0.1 8888)
 * Stop it:       Ctrl-C in the first terminal
 *
 * Then try:
 *   1. Two clients at once. Neither waits for the other: each connection is a task of its own.
 *   2. The same loop by hand, for a handler that looks at what comes:
 *      `Stream.runForEach(stream.chunks, (bytes) => stream.send(bytes))`. Put `Effect.die("oops")` in place of
 *      `stream.send(bytes)`: one client is cut off and the log says why, with its address; the server goes on.
 *   3. `maxConnections: 1`, and two clients. What does the second one see, and what when the first one leaves?
 */
import { ByteStream, Tcp } from "effect-nursery/net"
import { Main } from "effect-nursery/node"
import { announce, orSayWhy, placeFrom } from "../support/server.ts"

const place = placeFrom({
  name: "echo server",
  file: "examples/echo/server.ts",
  does: "sends back whatever it is sent",
  port: 8888
})

// #region handler
// Runs once for each connection. It ends when the peer has sent its end, and its connection is closed then; the same
// happens when it fails, or is cancelled. While the peer does not read, nothing more is received from it, so a slow peer
// costs no memory.
const echo = (stream: Tcp.TcpStream) => ByteStream.copy(stream, stream)
// #endregion

// #region server
// When the program is asked to stop, the input of every connection ends: what has come is sent back, then the handlers
// end as if their peers had said goodbye.
const server = Tcp.serve(echo, { ...place, endInputOnStop: true })
// #endregion

// #region main
// A server is a function of `started`, which it calls with its address as soon as somebody can connect.
Main.run(server(announce("echo server")).pipe(orSayWhy(place)))
// #endregion
