/** Frames as a server sends them: a whole message in one piece, not masked. */

/**
 * Text is a string, anything else bytes.
 *
 * @since 0.1.0
 */
export type Message = string | Uint8Array

/**
 * A message that has been made ready once for many receivers. See {@link WebSocket.encode}.
 *
 * @since 0.1.0
 */
export interface Encoded {
  /** What it was made of. */
  readonly message: Message
}

const finText = 0x81
const finBinary = 0x82

const headerOf = (bytes: number): number => bytes < 126 ? 2 : bytes < 65_536 ? 4 : 10

const writeHeader = (frame: Buffer, first: number, bytes: number): void => {
  frame[0] = first
  if (bytes < 126) frame[1] = bytes
  else if (bytes < 65_536) {
    frame[1] = 126
    frame.writeUInt16BE(bytes, 2)
  } else {
    frame[1] = 127
    frame.writeUInt32BE(Math.floor(bytes / 2 ** 32), 2)
    frame.writeUInt32BE(bytes % 2 ** 32, 6)
  }
}

/**
 * Header and payload in one piece of memory, so that one write of one piece hands
 * it to the system. Of a large message the copy costs more than a second piece does:
 * see {@link copiedAtMost}.
 */
export const frameOf = (message: Message): Buffer => {
  if (typeof message === "string") {
    const bytes = Buffer.byteLength(message)
    const header = headerOf(bytes)
    const frame = Buffer.allocUnsafe(header + bytes)
    writeHeader(frame, finText, bytes)
    frame.write(message, header)
    return frame
  }
  const header = headerOf(message.length)
  const frame = Buffer.allocUnsafe(header + message.length)
  writeHeader(frame, finBinary, message.length)
  frame.set(message, header)
  return frame
}

/** Messages up to this size are sent as one frame in one piece; `ws` sends the others, in two. */
export const copiedAtMost = 16_384

/** A message that has been made ready once, for as many receivers as there are. */
export class EncodedMessage implements Encoded {
  /** What was given, for those who cannot send the frame: a client masks, and compression is a matter of each connection. */
  readonly message: Message
  readonly frame: Buffer

  constructor(message: Message) {
    // The caller may change its bytes afterwards; those of the frame stay.
    this.frame = frameOf(message)
    this.message = typeof message === "string" ? message : this.frame.subarray(this.frame.length - message.length)
  }

  toString(): string {
    return `Encoded(${typeof this.message === "string" ? "text" : "binary"}, ${this.frame.length} bytes)`
  }

  toJSON(): unknown {
    return { _id: "Encoded", kind: typeof this.message === "string" ? "text" : "binary", bytes: this.frame.length }
  }
}
