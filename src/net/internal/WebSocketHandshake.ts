/** What a client asks for when it opens a WebSocket, and whether it gets it. */
import type { IncomingHttpHeaders, IncomingMessage } from "node:http"

/**
 * What a client asked for. It prints its path only: the rest may be secret.
 *
 * @since 0.1.0
 */
export interface Handshake {
  /** Path and query, as they came. */
  readonly url: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  /** The page that opens it, such as `https://example.com`. What is no browser has none, or any that it likes. */
  readonly origin: string | undefined
  /** The sub-protocols that the client offers, the dearest first. */
  readonly protocols: ReadonlyArray<string>
}

/**
 * Which pages may open a WebSocket. A browser sends cookies with the handshake,
 * whichever page opens it, so that a server which knows its users by cookies must look.
 *
 * - `"same"`: those of the same host and port.
 * - a list: those of these origins, such as `https://example.com`.
 * - a function of the origin and the handshake: those for which it says `true`.
 * - `"any"`: all.
 *
 * All but the function let in what sends no origin, which is no browser.
 *
 * @since 0.1.0
 */
export type Origins = "same" | "any" | ReadonlyArray<string> | ((origin: string | undefined, handshake: Handshake) => boolean)

/** What an HTTP server answers instead of opening a WebSocket. */
export interface Refusal {
  readonly status: number
  readonly why: string
  readonly headers?: Readonly<Record<string, string>>
}

const httpScheme = /^https?:\/\//i

/** The path of a request, without its query. A proxy may send the whole URL. */
export const pathOf = (url: string): string => {
  const local = httpScheme.test(url) ? url.replace(/^https?:\/\/[^/?]*/i, "") : url
  const query = local.indexOf("?")
  const path = query === -1 ? local : local.slice(0, query)
  return path === "" ? "/" : path
}

export class ClientHandshake implements Handshake {
  declare readonly url: string
  declare readonly headers: IncomingHttpHeaders

  constructor(request: IncomingMessage) {
    this.url = request.url ?? "/"
    this.headers = request.headers
  }

  get path(): string {
    return pathOf(this.url)
  }

  get query(): URLSearchParams {
    const query = this.url.indexOf("?")
    return new URLSearchParams(query === -1 ? "" : this.url.slice(query + 1))
  }

  get origin(): string | undefined {
    return this.headers.origin
  }

  get protocols(): ReadonlyArray<string> {
    return protocolsOf(this.headers["sec-websocket-protocol"]) ?? []
  }

  toString(): string {
    return `Handshake(${JSON.stringify(this.path)})`
  }

  // Tokens are in the query, in headers and among the sub-protocols: none of that is for a log.
  toJSON(): unknown {
    return { _id: "Handshake", path: this.path }
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString()
  }
}

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** `undefined` when it is not a list of different tokens. */
const protocolsOf = (header: string | undefined): ReadonlyArray<string> | undefined => {
  if (header === undefined) return []
  const names = header.split(",").map((name) => name.trim())
  return names.every((name) => token.test(name)) && new Set(names).size === names.length ? names : undefined
}

const key = /^[+/0-9A-Za-z]{22}==$/
const version = "13"

/** Why a request is no handshake of RFC 6455, section 4.2.1. */
export const refusalOf = (request: IncomingMessage): Refusal | undefined => {
  const { headers, httpVersionMajor, httpVersionMinor, method } = request
  if (method !== "GET") return { status: 405, why: "a WebSocket begins with GET", headers: { Allow: "GET" } }
  if (httpVersionMajor < 1 || (httpVersionMajor === 1 && httpVersionMinor < 1)) return { status: 400, why: "a WebSocket needs HTTP/1.1" }
  if (headers.host === undefined) return { status: 400, why: "the Host header is missing" }
  if (headers.upgrade?.toLowerCase() !== "websocket") return { status: 400, why: "the Upgrade header must be websocket" }
  if (headers["sec-websocket-version"] !== version) {
    return { status: 426, why: `Sec-WebSocket-Version must be ${version}`, headers: { "Sec-WebSocket-Version": version, Upgrade: "websocket" } }
  }
  if (!key.test(headers["sec-websocket-key"] ?? "")) return { status: 400, why: "Sec-WebSocket-Key is missing or not 16 bytes in base64" }
  // What is a body for one server is the first frames for another: nobody who means well sends one.
  if (headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) !== 0) {
    return { status: 400, why: "a handshake has no body" }
  }
  if (protocolsOf(headers["sec-websocket-protocol"]) === undefined) return { status: 400, why: "Sec-WebSocket-Protocol is not a list of tokens" }
  return undefined
}

/** Whether a page of this origin may open it. What is no browser sends no origin, or any that it likes. */
export const isAllowed = (origins: Origins, handshake: Handshake): boolean => {
  const { origin } = handshake
  if (typeof origins === "function") return origins(origin, handshake)
  if (origins === "any" || origin === undefined) return true
  if (origins !== "same") return origins.includes(origin)
  const host = handshake.headers.host?.toLowerCase()
  return URL.canParse(origin) && new URL(origin).host === host
}

export const checkOrigins = (origins: Origins | undefined): Origins => {
  if (origins === undefined) return "same"
  if (typeof origins === "function" || origins === "same" || origins === "any") return origins
  if (!Array.isArray(origins)) {
    throw new TypeError(`Expected \`origins\` to be "same", "any", a list or a function, got \`${String(origins)}\` (${typeof origins})`)
  }
  for (const origin of origins as ReadonlyArray<string>) {
    // As a browser sends it: no path, no final slash, lower case.
    if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
      throw new RangeError(`Expected \`origins\` to have origins such as \`https://example.com\`, got \`${String(origin)}\` (${typeof origin})`)
    }
  }
  return origins as ReadonlyArray<string>
}

/** Which of the offered sub-protocols is spoken: none of them unless somebody chose it, for one may be a token. */
export const choose = (
  wanted: ReadonlyArray<string> | ((offered: ReadonlyArray<string>, handshake: Handshake) => string | undefined) | undefined,
  offered: ReadonlyArray<string>,
  handshake: Handshake
): string | false => {
  if (wanted === undefined) return false
  if (typeof wanted !== "function") return wanted.find((protocol) => offered.includes(protocol)) ?? false
  const chosen = wanted(offered, handshake)
  return chosen !== undefined && offered.includes(chosen) ? chosen : false
}
