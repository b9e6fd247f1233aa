/**
 * Whether this process has a file descriptor left.
 *
 * When it has none, nobody tells Node of the connections that come: libuv accepts and closes them
 * at once, with a descriptor that it keeps for that, so that they do not wake the event loop again
 * and again. So the last descriptor is the sign.
 */
import { readFileSync } from "node:fs"
import type { Socket } from "node:net"

let limit: number | undefined

// Linux says it in a file. Elsewhere nobody says it cheaply.
const readLimit = (): number => {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1]
    return soft === undefined ? Infinity : Number(soft)
  } catch {
    return Infinity
  }
}

/** What the system would say of the next connection, if this one has got the last descriptor. */
export const exhaustedBy = (socket: Socket): NodeJS.ErrnoException | undefined => {
  const { _handle: handle } = socket as Socket & { readonly _handle?: { readonly fd?: number } | null }
  const fd = handle?.fd
  if (fd === undefined || fd < lowest) return undefined
  limit ??= readLimit()
  if (fd + 1 < limit) return undefined
  const message = `all ${limit} file descriptors of this process are in use; connections that come now are closed by the system`
  return Object.assign(new Error(message), { code: "EMFILE", syscall: "accept" })
}

/** No system allows fewer. Below nobody needs to look at the limit. */
const lowest = 60
