/** Who asks: the address of a client, as far as it can be known. */
import { Option } from "effect"
import type { HttpServerRequest } from "effect/http"
import * as net from "node:net"

/**
 * Behind a proxy of ours, its last entry in X-Forwarded-For is who has connected to it. Entries before that one are what the
 * client says of itself. Without a proxy all of it is, and counts for nothing.
 */
export const clientOf = (request: HttpServerRequest.HttpServerRequest, trustProxy: boolean): string => {
  const forwarded = trustProxy ? request.headers["x-forwarded-for"]?.split(",").at(-1)?.trim() : undefined
  const address = forwarded !== undefined && net.isIP(forwarded) !== 0 ? forwarded : Option.getOrElse(request.remoteAddress, () => "unknown")
  return networkOf(address)
}

/** IPv6 gives a household 2^64 addresses: they are one client. */
export const networkOf = (address: string): string => {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "").replace(/%.*$/, "")
  if (!net.isIPv6(plain)) return plain
  const [head = "", tail] = plain.split("::")
  const before = head === "" ? [] : head.split(":")
  const after = tail === undefined || tail === "" ? [] : tail.split(":")
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length
  const groups = [...before, ...Array.from({ length: Math.max(zeros, 0) }, () => "0"), ...after]
  return `${groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16)).join(":")}::/64`
}
