/**
 * Refuses requests of which two programs could think that they go to different hosts: a proxy in front of this one could
 * let through to one host what is meant for another. Node's parser accepts all of these.
 */
import type * as http from "node:http"

/** A name or an IP address, and a port. */
const hostPattern = /^(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/

/** Nearly all requests have the same host. */
let lastGoodHost: string | undefined

/** Says why the request is refused, if it is. */
export const faultOf = (request: http.IncomingMessage): string | undefined => {
  // HTTP/0.9 has no headers, and its answers have no status.
  if (request.httpVersionMajor !== 1) return "Only HTTP/1.1 and HTTP/1.0 are spoken here."
  const raw = request.rawHeaders
  let host: string | undefined
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i]!.length !== 4 || raw[i]!.toLowerCase() !== "host") continue
    if (host !== undefined) return "There is more than one Host header."
    host = raw[i + 1]!
  }
  if (host !== undefined && host !== lastGoodHost) {
    if (!hostPattern.test(host)) return "The Host header is not a host."
    lastGoodHost = host
  }
  const target = request.url!
  if (target.charCodeAt(0) === 47 /* a slash */ || (target === "*" && request.method === "OPTIONS")) return undefined
  // The absolute form, as sent to proxies.
  if (!URL.canParse(target)) return "The target of the request is neither a path nor an address."
  const { host: targetHost, protocol } = new URL(target)
  if (protocol !== "http:" && protocol !== "https:") return "The target of the request is not of http."
  return targetHost === host?.toLowerCase() ? undefined : "The target of the request and its Host header name different hosts."
}
