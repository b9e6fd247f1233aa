/** Addresses as people write them. */
import type { Address } from "./Address.ts"

/** `127.0.0.1:80`, `[::1]:80`, `/run/a.sock`; nothing for the end of a Unix socket that has no path. */
export const nameOf = (address: Address): string | undefined => {
  if (address._tag === "Unix") return address.path === "" ? undefined : address.path
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`
}
