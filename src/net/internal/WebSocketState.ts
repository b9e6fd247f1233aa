/** What is told of a WebSocket: how it is, and how it has ended. */

/**
 * How a WebSocket has ended.
 *
 * @since 0.1.0
 */
export interface Close {
  /** 1000 for done, 1001 for going away, … (RFC 6455, section 7.4); 1005 when the peer gave none, 1006 when no close came. */
  readonly code: number
  readonly reason: string
  /** Who closed it first; `"nobody"` when the connection was lost. */
  readonly by: "us" | "peer" | "nobody"
}

/**
 * A WebSocket at this moment.
 *
 * @since 0.1.0
 */
export interface Statistics {
  /** Messages that have come and have not been received. */
  readonly waitingMessages: number
  /** Bytes that the system has not taken yet. */
  readonly bufferedBytes: number
  /** Sends that wait. */
  readonly waitingSenders: number
  /** Messages that were not sent, because of `overflow: "drop"`. */
  readonly dropped: number
}
