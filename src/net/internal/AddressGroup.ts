/** Which peers count as one when connections of an address are limited. */
import type { Address } from "./Address.ts"

const mappedPrefix = "::ffff:"

/**
 * The address of an IPv4 peer, the network of an IPv6 one: whoever has one address
 * of a network of 64 bits has all of them. Peers of a Unix socket are all one.
 */
export const groupOf = (peer: Address): string => {
  if (peer._tag === "Unix") return "unix"
  const { host } = peer
  if (!host.includes(":")) return host
  if (host.startsWith(mappedPrefix) && host.includes(".")) return host.slice(mappedPrefix.length)
  return `${first64(host)}::/64`
}

const first64 = (host: string): string => {
  const [head = "", tail = ""] = host.split("%")[0]!.split("::")
  const groups = (text: string) => text === "" ? [] : text.split(":")
  const before = groups(head)
  const after = groups(tail)
  const zeros = host.includes("::") ? Array.from({ length: Math.max(8 - before.length - after.length, 0) }, () => "0") : []
  return [...before, ...zeros, ...after].slice(0, 4).join(":")
}
