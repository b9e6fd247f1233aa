/**
 * The handshake of TLS without its cryptography: each side tells the other one
 * line about itself. What can go wrong in time goes wrong here too: a peer that
 * says nothing, or speaks something else.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Errors from "../../core/Errors.ts"
import { nameOf } from "../../net/internal/AddressText.ts"
import { ForwardedConnection } from "../../net/internal/ForwardedConnection.ts"
import type { Address, Connection, SecureConnection } from "../../net/Network.ts"
import type * as Tls from "../../net/Tls.ts"
import { systemError } from "./StreamEnd.ts"

interface Hello {
  readonly serverName?: string
  readonly protocols: ReadonlyArray<string>
}

const longestHello = 4096
const mark = "simulated TLS "

class SecureEnd<A extends Address> extends ForwardedConnection<A> implements SecureConnection<A> {
  readonly session: Tls.Session
  readonly label: string

  constructor(inner: Connection<A>, session: Tls.Session) {
    super(inner)
    this.session = session
    this.label = labelOf(inner)
  }
}

const labelOf = (connection: Connection): string => `tls ${nameOf(connection.peer) ?? nameOf(connection.local) ?? "without a name"}`

const helloFrom = (bytes: Option.Option<Uint8Array>): Hello | undefined => {
  if (Option.isNone(bytes)) return undefined
  const text = new TextDecoder().decode(bytes.value)
  return text.startsWith(mark) ? JSON.parse(text.slice(mark.length)) as Hello : undefined
}

const helloOf = (options: Tls.ClientOptions | Tls.ServerOptions): Hello => ({
  ...(options._tag === "Client" ? { serverName: options.serverName } : {}),
  protocols: options.protocols ?? []
})

export const secure = <A extends Address>(
  connection: Connection<A>,
  options: Tls.ClientOptions | Tls.ServerOptions
): Effect.Effect<SecureConnection<A>, Errors.Broken> => {
  const broken = (cause: unknown) => new Errors.Broken({ what: labelOf(connection), cause })
  const handshake = Effect.gen(function*() {
    const isClient = options._tag === "Client"
    const mine = helloOf(options)
    const tell = connection.send(`${mark}${JSON.stringify(mine)}\n`)
    if (isClient) yield* tell
    const theirs = helloFrom(yield* connection.receiveUntil("\n", { maxBytes: longestHello }))
    if (theirs === undefined) return yield* Effect.fail(systemError("EPROTO", "the peer does not speak TLS"))
    if (!isClient) yield* tell
    // The client's dearest that the server speaks.
    const [asking, answering] = isClient ? [mine, theirs] : [theirs, mine]
    const protocol = asking.protocols.find((protocol) => answering.protocols.includes(protocol))
    if (protocol === undefined && asking.protocols.length > 0 && answering.protocols.length > 0) {
      return yield* Effect.fail(systemError("ERR_SSL_NO_APPLICATION_PROTOCOL", "the two sides have no protocol in common"))
    }
    const session: Tls.Session = {
      version: "simulated TLS",
      protocol: Option.fromUndefinedOr(protocol),
      serverName: isClient ? Option.none() : Option.fromUndefinedOr(theirs.serverName),
      peerName: Option.none()
    }
    return new SecureEnd(connection, session)
  })
  return handshake.pipe(
    Effect.mapError((cause) => cause instanceof Errors.Broken ? cause : broken(cause)),
    Effect.onError(() => connection.abort)
  )
}
