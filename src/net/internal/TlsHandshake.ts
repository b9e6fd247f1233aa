/** What two ends bring to the handshake of TLS, and what they agree on. */
import type * as Option from "effect/Option"

/**
 * What a client brings to the handshake.
 *
 * @since 0.1.0
 */
export interface ClientOptions {
  readonly _tag: "Client"
  /** The name that the server's certificate must be for, and that it is told (SNI). */
  readonly serverName: string
  /** The authorities to trust, in PEM, instead of those that Node trusts. */
  readonly ca?: string | Uint8Array | ReadonlyArray<string | Uint8Array>
  /** The client's own certificate and key, in PEM, for a server that asks. */
  readonly identity?: Identity
  /** The protocols that this end speaks, the dearest first (ALPN). */
  readonly protocols?: ReadonlyArray<string>
  /** Go on with a certificate that cannot be verified: for tests. */
  readonly unverified?: boolean
}

/**
 * What a server brings to the handshake.
 *
 * @since 0.1.0
 */
export interface ServerOptions {
  readonly _tag: "Server"
  readonly identity: Identity
  /** Other certificates, by the name that the client asks for (SNI); the others get `identity`. */
  readonly identities?: Readonly<Record<string, Identity>>
  /** The protocols that this end speaks, the dearest first (ALPN). */
  readonly protocols?: ReadonlyArray<string>
  /** Ask for the client's certificate, which one of these authorities, in PEM, must have signed. */
  readonly clientCa?: string | Uint8Array | ReadonlyArray<string | Uint8Array>
}

/**
 * A certificate (with those between it and an authority) and its key, in PEM.
 *
 * @since 0.1.0
 */
export interface Identity {
  readonly cert: string | Uint8Array
  readonly key: string | Uint8Array
  readonly passphrase?: string
}

/**
 * What two ends agreed on.
 *
 * @since 0.1.0
 */
export interface Session {
  /** Such as `TLSv1.3`. */
  readonly version: string
  /** The protocol of ALPN, if they agreed on one. */
  readonly protocol: Option.Option<string>
  /** To a server: the name that the client asked for. */
  readonly serverName: Option.Option<string>
  /** The subject's common name in the peer's certificate, if there is one. */
  readonly peerName: Option.Option<string>
}
