/** An HTTP server by hand on node:http, with a pool of pg. Prints its port. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { brands, hello, pool } from "./http-pg.ts"

const fail = (error: unknown) => JSON.stringify({ error: String(error) })

const server = createServer((request, response) => {
  switch (request.url) {
    case "/hello":
      response.writeHead(200, { "content-type": "text/plain; charset=utf-8", "content-length": Buffer.byteLength(hello) })
      response.end(hello)
      break
    case "/brands":
      pool.query(brands).then(({ rows }) => {
        const body = JSON.stringify(rows)
        response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) })
        response.end(body)
      }, (error) => response.writeHead(500).end(fail(error)))
      break
    default:
      response.writeHead(404).end()
  }
})
server.listen({ port: 0, host: "127.0.0.1", backlog: 1024 }, () => console.log((server.address() as AddressInfo).port))
