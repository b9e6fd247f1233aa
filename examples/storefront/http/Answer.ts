/**
 * An answer of Node's HTTP server, with what every answer of this application has: the headers for security, the number
 * of the request, and how long it took.
 *
 * It is a subclass of Node's, and not middleware, because answers do not all come from the same place: some from a route,
 * some from the router (404), some from Effect (500). All of them go through `writeHead`.
 */
import * as http from "node:http"
import * as Problem from "../Problem.ts"

/**
 * What a browser may do with an answer: nothing but show it. Pages that need more (the documentation) say so themselves.
 */
export const securityHeaders = {
  "content-security-policy": "default-src 'self'; frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY"
} as const

/** Of these, the ones that mean something for a plain text. */
export const securityHeadersOfText = {
  "content-security-policy": securityHeaders["content-security-policy"],
  "x-content-type-options": securityHeaders["x-content-type-options"],
  "x-frame-options": securityHeaders["x-frame-options"]
} as const

/** When to come back: for each answer that says "not now" and nothing better. */
const retryAfterSeconds = "1"

/** Numbers of requests differ between processes and count up within one. */
const prefix = Math.random().toString(36).slice(2, 8).padEnd(6, "0")
let count = 0

/** A number that somebody before us (a proxy) gave is kept, if it can be written into a log as it is. */
const wellFormed = /^[\w.:-]{1,64}$/

export class Answer extends http.ServerResponse<http.IncomingMessage> {
  readonly startedAt = performance.now()
  /** The pattern that the path of the request fits, such as `/products/:id`; none, if it fits none. */
  route: string | undefined = undefined
  #id: string | undefined
  /** What the head says of the length of the body. */
  #length: number | undefined
  #inParts = false

  /** Made when first asked for: an answer that was prepared long ago (StaticRoutes.ts) has none. */
  get requestId(): string {
    if (this.#id === undefined) {
      const given = this.req.headers["x-request-id"]
      this.#id = typeof given === "string" && wellFormed.test(given) ? given : `${prefix}-${(++count).toString(36)}`
    }
    return this.#id
  }

  get elapsedMillis(): number {
    return performance.now() - this.startedAt
  }

  override writeHead(status: number, reason?: unknown, headers?: unknown): this {
    const given = (typeof reason === "string" ? headers : reason ?? headers) as http.OutgoingHttpHeaders | ReadonlyArray<string> | undefined
    // Prepared: it has everything.
    if (Array.isArray(given)) return super.writeHead(status, given as Array<string>)
    const all: http.OutgoingHttpHeaders = {
      ...securityHeaders,
      "x-request-id": this.requestId,
      "server-timing": `app;dur=${this.elapsedMillis.toFixed(2)}`,
      ...given as http.OutgoingHttpHeaders | undefined
    }
    if (status === 503) all["retry-after"] ??= retryAfterSeconds
    if (this.strictContentLength) this.#length = Number(all["content-length"])
    return typeof reason === "string" ? super.writeHead(status, reason, all) : super.writeHead(status, all)
  }

  override write(chunk: any, encoding?: any, callback?: any): boolean {
    this.#inParts = true
    return super.write(chunk, encoding, callback)
  }

  /**
   * Effect asks Node to count the bytes of a body (`strictContentLength`). Node then hands the end of an answer to
   * the system as a piece of its own. A body that is given whole is counted here, and goes out with its head in one piece.
   */
  override end(chunk?: any, encoding?: any, callback?: any): this {
    if (this.strictContentLength && !this.#inParts && (typeof chunk === "string" || chunk instanceof Uint8Array)) {
      this.strictContentLength = Buffer.byteLength(chunk) !== this.#length
    }
    return super.end(chunk, encoding, callback)
  }

  /** Answers with a problem, from outside of the application. */
  problem(status: number, detail?: string, headers?: http.OutgoingHttpHeaders): void {
    const body = Problem.bodyOf(status, detail)
    this.writeHead(status, { "content-type": Problem.contentType, "content-length": Buffer.byteLength(body), ...headers })
    this.end(body)
  }
}
