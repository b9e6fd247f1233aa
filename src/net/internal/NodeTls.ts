/** TLS of Node, on a connection of Node. */
import { isIP, type Socket } from "node:net"
import * as tls from "node:tls"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { Broken } from "../../core/Errors.ts"
import type { AnyEffect } from "../../core/internal/Block.ts"
import { type Awaited, Wait } from "../../core/internal/Wait.ts"
import type { Address } from "./Address.ts"
import { NodeStream } from "./NodeStream.ts"
import type { ClientOptions, Identity, ServerOptions, Session } from "./TlsHandshake.ts"
import type { SecureConnection } from "./Transport.ts"

type Pem = string | Uint8Array

const pem = (one: Pem): string | Buffer => typeof one === "string" ? one : Buffer.from(one.buffer, one.byteOffset, one.byteLength)
const pems = (some: Pem | ReadonlyArray<Pem>): Array<string | Buffer> =>
  typeof some === "string" || some instanceof Uint8Array ? [pem(some)] : some.map(pem)

const identityOf = (identity: Identity): tls.SecureContextOptions => ({
  cert: pem(identity.cert),
  key: pem(identity.key),
  ...(identity.passphrase === undefined ? {} : { passphrase: identity.passphrase })
})

const startClient = (socket: Socket, options: ClientOptions, told: (event: Event) => void): void => {
  const { ca, identity, protocols, serverName, unverified } = options
  const secured = tls.connect({
    socket,
    // An address is checked against the certificate, but may not be told as a name.
    ...(isIP(serverName) === 0 ? { servername: serverName } : { host: serverName, servername: "" }),
    ...(ca === undefined ? {} : { ca: pems(ca) }),
    ...(identity === undefined ? {} : identityOf(identity)),
    ...(protocols === undefined ? {} : { ALPNProtocols: [...protocols] }),
    rejectUnauthorized: unverified !== true
  })
  secured.once("secureConnect", () => told({ _tag: "Secured", socket: secured }))
  secured.once("error", (error) => told({ _tag: "Failed", error }))
  secured.once("close", () => told({ _tag: "Failed", error: undefined }))
}

/** Servers that never listen. They keep what is dear to make: keys, certificates, the secret of session tickets. */
const servers = new WeakMap<ServerOptions, tls.Server>()

const serverOf = (options: ServerOptions): tls.Server => {
  const known = servers.get(options)
  if (known !== undefined) return known
  const { clientCa, identities, identity, protocols } = options
  const server = tls.createServer({
    ...identityOf(identity),
    ...(clientCa === undefined ? {} : { ca: pems(clientCa), requestCert: true }),
    ...(protocols === undefined ? {} : { ALPNProtocols: [...protocols] })
  })
  for (const [name, other] of Object.entries(identities ?? {})) server.addContext(name, identityOf(other))
  servers.set(options, server)
  return server
}

type Event =
  | { readonly _tag: "Secured"; readonly socket: tls.TLSSocket }
  | { readonly _tag: "Failed"; readonly error: unknown }

// A server tells the outcome of a handshake by an event of its own. To know which
// connection it is for, each has a view of the server that says nothing to others.
const startServer = (socket: Socket, options: ServerOptions, told: (event: Event) => void): void => {
  const server = serverOf(options)
  const view: tls.Server = Object.create(server)
  view.emit = (event: string, ...args: ReadonlyArray<unknown>): boolean => {
    if (event === "secureConnection") told({ _tag: "Secured", socket: args[0] as tls.TLSSocket })
    else if (event === "tlsClientError") told({ _tag: "Failed", error: args[0] })
    else return server.emit(event, ...args)
    return true
  }
  tls.Server.prototype.emit.call(view, "connection", socket)
}

const sessionOf = (socket: tls.TLSSocket, options: ClientOptions | ServerOptions): Session => {
  const name = socket.getPeerX509Certificate()?.toLegacyObject().subject?.CN
  const { alpnProtocol: protocol } = socket
  // Node has it as a property of the server's end only.
  const { servername } = socket as { readonly servername?: string | false | null }
  return {
    version: socket.getProtocol() ?? "unknown",
    protocol: typeof protocol === "string" ? Option.some(protocol) : Option.none(),
    serverName: options._tag === "Server" && typeof servername === "string" ? Option.some(servername) : Option.none(),
    peerName: Option.fromNullishOr(Array.isArray(name) ? name[0] : name)
  }
}

/** What a connection becomes when TLS is put on it. */
export class SecureStream<A extends Address> extends NodeStream<A> implements SecureConnection<A> {
  readonly session: Session

  constructor(socket: tls.TLSSocket, connection: NodeStream<A>, options: ClientOptions | ServerOptions) {
    super("tls", socket, connection.peer, connection.local)
    this.session = sessionOf(socket, options)
  }
}

export const secure = <A extends Address>(
  connection: NodeStream<A>,
  options: ClientOptions | ServerOptions
): Effect.Effect<SecureConnection<A>, Broken> =>
  Effect.suspend(() => {
    const on: Awaited = { label: `tls ${connection.where}` }
    const socket = connection.give()
    // TLS takes it over from here: a peer that ends in the middle of the handshake has gone.
    socket.allowHalfOpen = false
    return Effect.callback<SecureConnection<A>, Broken>((resume) => {
      const wait = new Wait("agreeing on TLS with", on, undefined, resume as (effect: AnyEffect) => void)
      let isOver = false
      const told = (event: Event): void => {
        if (isOver) return
        isOver = true
        if (event._tag === "Failed") {
          socket.destroy()
          return wait.wake(Exit.fail(new Broken({ what: on.label, cause: event.error })))
        }
        event.socket.allowHalfOpen = true
        const stream = new SecureStream(event.socket, connection, options)
        connection.givenTo(stream)
        wait.wake(Exit.succeed(stream))
      }
      try {
        if (options._tag === "Client") startClient(socket, options, told)
        else startServer(socket, options, told)
      } catch (error) {
        // A certificate or key that cannot be read.
        told({ _tag: "Failed", error })
      }
      return Effect.sync(() => {
        isOver = true
        wait.leaveNow()
        socket.destroy()
      })
    })
  })
