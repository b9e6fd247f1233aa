/**
 * One buffer that all sockets with small messages read into.
 *
 * Node makes a buffer of 64 KiB for each read, and then one of the right size. For
 * small messages that is a tenth of what an echo costs altogether. With the option
 * `onread` a socket reads into a buffer that is already there; but Node has that
 * option for sockets that connect only, and none for those that a server accepts.
 * So it is found out, from a socket made with the option, where Node keeps it, and
 * other sockets are told in the same way. Where that cannot be found out, they go
 * on with `data` events, and everything works as well, more slowly.
 *
 * For large messages `data` events are better: nothing needs to be copied.
 */
import { Socket } from "node:net"
import { mostBytes, take } from "./Slab.ts"

/** As much as the system gives at once. */
const size = 65_536

/** Gets the bytes that a socket has read, which are its own. Answers whether more is welcome. */
export type OnRead = (this: Socket, bytes: Uint8Array) => boolean

type Callback = (this: Socket, length: number, buffer: Uint8Array) => boolean
type Fields = Record<symbol, unknown>

/** The names under which Node keeps what `onread` says. */
interface Keys {
  readonly buffer: symbol
  readonly callback: symbol
}

const findKeys = (): Keys | undefined => {
  // Elsewhere than on Unix the system fills the buffers of several sockets at once.
  if (process.platform === "win32") return undefined
  const onread = { buffer: new Uint8Array(1), callback: () => true }
  const probe = new Socket({ onread })
  const keyOf = (value: unknown) => Object.getOwnPropertySymbols(probe).find((key) => (probe as unknown as Fields)[key] === value)
  const [buffer, callback] = [keyOf(onread.buffer), keyOf(onread.callback)]
  probe.destroy()
  return buffer && callback && { buffer, callback }
}

const keys = findKeys()
let shared: Buffer | undefined

/** What `shareReads` is to be given: made once for many sockets. */
export const copying = (onRead: OnRead): Callback =>
  function(length, buffer) {
    const bytes = length <= mostBytes ? take(length) : Buffer.allocUnsafeSlow(length)
    ;(buffer as Buffer).copy(bytes, 0, 0, length)
    return onRead.call(this, bytes)
  }

/** From now on a connected socket gives no `data` events, but calls back; `false` when that cannot be done. */
export const shareReads = (socket: Socket, callback: Callback): boolean => {
  const { _handle: handle } = socket as { readonly _handle?: { useUserBuffer?(buffer: Uint8Array): void } | null }
  const fields = socket as unknown as Fields
  if (keys === undefined || typeof handle?.useUserBuffer !== "function" || !(keys.buffer in fields)) return false
  shared ??= Buffer.allocUnsafeSlow(size)
  fields[keys.buffer] = shared
  fields[keys.callback] = callback
  handle.useUserBuffer(shared)
  return true
}
