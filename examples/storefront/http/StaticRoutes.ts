/**
 * Answers that never change, made once and sent as they are, before any router or fiber.
 *
 * A request to such a route costs what it costs in Node itself. The price: no number of the request.
 * The same routes are in the contract (Api.ts), too: other methods than GET, and HEAD, go that way.
 */
import type * as http from "node:http"
import { type Answer, securityHeadersOfText } from "./Answer.ts"

interface Prepared {
  /** Names and values in turn, as Node writes them. */
  readonly headers: ReadonlyArray<string>
  readonly body: string
  /** Node writes texts of one byte per character faster. */
  readonly encoding: "latin1" | "utf8"
}

export class StaticRoutes {
  readonly #answers = new Map<string, Prepared>()

  constructor(texts: Readonly<Record<string, string>>) {
    for (const [path, body] of Object.entries(texts)) {
      const headers = { ...securityHeadersOfText, "content-type": "text/plain; charset=utf-8", "content-length": String(Buffer.byteLength(body)) }
      this.#answers.set(path, { headers: Object.entries(headers).flat(), body, encoding: /^[\x20-\x7e\s]*$/.test(body) ? "latin1" : "utf8" })
    }
  }

  /** Answers, if the path is one of these. */
  answers(request: http.IncomingMessage, answer: Answer): boolean {
    const prepared = this.#answers.get(request.url!)
    if (prepared === undefined || request.method !== "GET") return false
    answer.route = request.url
    answer.writeHead(200, prepared.headers)
    answer.end(prepared.body, prepared.encoding)
    return true
  }
}
