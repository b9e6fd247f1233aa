/**
 * An echo server for browsers: whatever a page sends comes back. And the page, to try it.
 *
 * Run it:        npm run example -- examples/streams/websocket-echo.ts --port 8765
 * Talk to it:    open http://127.0.0.1:8765 in a browser, in two tabs
 * Stop it:       Ctrl-C; the pages say that the server went away, with 1001
 *
 * It needs the package `ws`: npm install ws
 *
 * Then try:
 *   1. In the handler, put `Effect.die("oops")` in place of `stream.send(message)`. One page is told 1011, the log says
 *      why and who it was, and the other page goes on.
 *   2. Open the page as http://localhost:8765, and change the address in its script to 127.0.0.1. It is refused: it is not
 *      of the same origin. `origins: "any"` lets in every page of the world.
 *   3. Send more than 1 MiB. The page is told 1009; `maxPayload` sets another limit.
 */
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { Effect, Stream } from "effect"
import { Errors } from "effect-nursery"
import { WebSocket } from "effect-nursery/net"
import { Main } from "effect-nursery/node"
import { announce, orSayWhy, type Place, placeFrom } from "../support/server.ts"

const place = placeFrom({
  name: "websocket echo server",
  file: "examples/streams/websocket-echo.ts",
  does: "sends back whatever a page sends over a WebSocket, and has such a page at /",
  port: 8765
})

// #region page
const page = `<!doctype html>
<meta charset="utf-8">
<title>Echo</title>
<form><input autofocus placeholder="say something"> <button>send</button></form>
<pre></pre>
<script>
  const print = (line) => document.querySelector("pre").append(line + "\\n")
  const socket = new WebSocket("ws://" + location.host + "/echo")
  socket.onopen = () => print("connected")
  socket.onmessage = ({ data }) => print(data)
  socket.onclose = ({ code, reason }) => print("closed with " + code + " " + reason)
  document.querySelector("form").onsubmit = (event) => {
    event.preventDefault()
    socket.send(document.querySelector("input").value)
  }
</script>
`
// #endregion

// #region http
// Any HTTP server of Node will do. It is closed with the scope, after the WebSockets are.
const listening = ({ host, port }: Place) =>
  Effect.acquireRelease(
    Effect.callback<Server, Errors.Broken>((resume) => {
      const server = createServer((_, response) => response.setHeader("Content-Type", "text/html; charset=utf-8").end(page))
      server.once("error", (cause) => resume(Effect.fail(new Errors.Broken({ what: "the HTTP server", cause }))))
      server.listen({ host, port }, () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.sync(() => server.close().closeAllConnections())
  )
// #endregion

// #region handler
// Runs once for each WebSocket. It ends when the page has closed, or when the server is asked to stop. `send` waits while
// the page does not read, and while it waits nothing is received: a slow page costs no memory.
const echo = (stream: WebSocket.ServerStream) => Stream.runForEach(stream.messages, (message) => stream.send(message))
// #endregion

// #region server
const program = Effect.gen(function*() {
  const server = yield* listening(place)
  const { address, port } = server.address() as AddressInfo
  yield* WebSocket.serve(echo, { server, path: "/echo" })(() => announce("websocket echo server")({ host: address, port }))
})
// #endregion

// #region main
Main.run(Effect.scoped(program).pipe(orSayWhy(place)))
// #endregion
