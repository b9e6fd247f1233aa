/** The codes with which WebSockets are closed (RFC 6455, 7.4): what they mean, and which of them may be sent. */
import type { Close } from "./WebSocketState.ts"

/** No close came: a code that is never sent. */
export const lost = 1006

/** The peer has nothing against us: it is done, it goes away, it gave no code, or the code is the application's. */
export const isNormal = (code: number): boolean => code === 1000 || code === 1001 || code === 1005 || code >= 3000

/** What somebody is told who goes on although the peer has closed. */
export class PeerClosed extends Error {
  constructor({ code, reason }: Close) {
    super(`the peer closed with ${code}${reason === "" ? "" : ` ${JSON.stringify(reason)}`}`)
    this.name = "PeerClosed"
  }
}

/** What `ws` sent for an offence: it does not say. */
export const codeOf = (violation: Error): number => {
  switch ((violation as { readonly code?: unknown }).code) {
    case "WS_ERR_INVALID_UTF8":
      return 1007
    case "WS_ERR_TOO_MANY_BUFFERED_PARTS":
      return 1008
    case "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH":
    case "WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH":
      return 1009
    case "Z_DATA_ERROR":
    case "Z_BUF_ERROR":
      return 1007
    default:
      return 1002
  }
}

const mostReasonBytes = 123
const notToBeSent = [1004, 1005, 1006]

/** Throws when a user may not send it. */
export const checkClose = (code: number, reason: string): void => {
  const isCode = Number.isInteger(code) && ((code >= 1000 && code <= 1014 && !notToBeSent.includes(code)) || (code >= 3000 && code <= 4999))
  if (!isCode) {
    throw new RangeError(`Expected \`code\` to be a close code that may be sent (1000, 3000 to 4999, …), got \`${String(code)}\` (${typeof code})`)
  }
  if (Buffer.byteLength(reason) > mostReasonBytes) {
    throw new RangeError(`Expected \`reason\` to have at most ${mostReasonBytes} bytes, got ${Buffer.byteLength(reason)}: \`${reason}\``)
  }
}
