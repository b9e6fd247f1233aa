/** Addresses, of which a stream has two and a listener has one. */

/**
 * A port of a host.
 *
 * @since 0.1.0
 */
export interface TcpAddress {
  readonly _tag: "Tcp"
  /** An IP address; in what a program asks for, also a name. */
  readonly host: string
  /** Port 0, in what a listener asks for, means any free one. */
  readonly port: number
}

/**
 * A socket in the file system. The end that connected has no path: there it is empty.
 *
 * @since 0.1.0
 */
export interface UnixAddress {
  readonly _tag: "Unix"
  readonly path: string
}

/**
 * Where a stream ends or a listener listens.
 *
 * @since 0.1.0
 */
export type Address = TcpAddress | UnixAddress
