/** A server for what the storefront sends away by itself: reports of errors, traces. It remembers, and may be slow or broken. */
import { once } from "node:events"
import * as http from "node:http"
import type * as net from "node:net"

export interface Received {
  readonly path: string
  readonly headers: http.IncomingHttpHeaders
  readonly body: any
}

export interface Collector {
  readonly url: string
  readonly received: ReadonlyArray<Received>
  /** How it answers from now on. `never` lets whoever sends wait. */
  answer: number | "never"
  readonly close: () => Promise<void>
}

export const startCollector = async (): Promise<Collector> => {
  const received: Array<Received> = []
  const server = http.createServer((request, response) => {
    let text = ""
    request.setEncoding("utf8").on("data", (chunk: string) => text += chunk).on("end", () => {
      received.push({ path: request.url!, headers: request.headers, body: JSON.parse(text) })
      if (collector.answer === "never") return
      response.writeHead(collector.answer, { "content-type": "application/json" }).end("{}")
    })
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  const collector: Collector = {
    url: `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`,
    received,
    answer: 200,
    close: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, "close")
    }
  }
  return collector
}
