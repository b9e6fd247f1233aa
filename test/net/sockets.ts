/** What the tests of streams over real sockets share. */
import * as fs from "node:fs"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { Effect, type Scope, Stream } from "effect"
import { type Errors, TaskTree } from "effect-nursery"
import type { ByteStream } from "effect-nursery/net/ByteStream"
import { type Address, type Connection, Network, type TcpAddress, type UnixAddress } from "effect-nursery/net/Network"
import { Authority } from "./certificates.ts"
import { connectedPair } from "./pairs.ts"

export const authority = new Authority("the authority of these tests")
export const localhost = authority.certify("localhost", "127.0.0.1")

export const temporaryFolder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "effect-nursery-net-"))),
  (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
)

export const anyPort: TcpAddress = { _tag: "Tcp", host: "127.0.0.1", port: 0 }

type Pair = Effect.Effect<readonly [Connection, Connection], Errors.Broken, Scope.Scope>

const tcpPair: Pair = connectedPair<Address>(anyPort)

const unixPair: Pair = Effect.flatMap(temporaryFolder, (folder) => connectedPair<Address>({ _tag: "Unix", path: path.join(folder, "s") } as UnixAddress))

const tlsPair: Pair = Effect.flatMap(Network, (network) =>
  Effect.flatMap(tcpPair, ([client, server]) =>
    Effect.all([
      network.secure(client, { _tag: "Client", serverName: "localhost", ca: authority.cert }),
      network.secure(server, { _tag: "Server", identity: localhost })
    ], { concurrency: 2 })))

/** The two ends of one connection, of each kind. */
export const pairs: ReadonlyArray<readonly [kind: "tcp" | "tls" | "unix", Pair]> = [["tcp", tcpPair], ["tls", tlsPair], ["unix", unixPair]]

export const megabyte = 1 << 20

/** Bytes that tell where they belong: none is like one a little further on. */
export const numbered = (from: number, length: number): Buffer => {
  const bytes = Buffer.allocUnsafe(length)
  for (let i = 0; i < length; i++) bytes[i] = (from + i) * 2654435761 >>> 24
  return bytes
}

/** Everything up to the end. */
export const receiveAll = (stream: ByteStream) => Effect.map(Stream.runCollect(stream.chunks), (chunks) => Buffer.concat(chunks))

/** Waits until the task tree says so, such as that somebody waits. */
export const waitsIn = (words: string) => Effect.gen(function*() {
  while (!TaskTree.toText(yield* TaskTree.now).includes(words)) yield* Effect.sleep(1)
})

/** Waits for a fact about the outside world, of which nobody tells. The test's own time limit is the bound. */
export const until = (isSo: () => boolean): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    let turn: NodeJS.Timeout
    const look = () => {
      if (isSo()) resume(Effect.void)
      else turn = setTimeout(look, 1)
    }
    look()
    return Effect.sync(() => clearTimeout(turn))
  })

const kindsOfSockets = ["TCPSocketWrap", "TCPServerWrap", "PipeWrap", "PipeServerWrap", "TLSWrap"]
const openSockets = (): number => process.getActiveResourcesInfo().filter((kind) => kindsOfSockets.includes(kind)).length

/** Runs a program, and waits until it has left no socket behind. */
export const run = async <A, E>(program: Effect.Effect<A, E, Scope.Scope>): Promise<A> => {
  const before = openSockets()
  const value = await Effect.runPromise(Effect.scoped(program))
  await Effect.runPromise(until(() => openSockets() <= before))
  return value
}

/** A connection that a bare socket of Node has made to a listener of ours. */
export const withBareSocket = Effect.gen(function*() {
  const network = yield* Network
  let accepted: Connection<TcpAddress> | undefined
  const connected = (connection: Connection<TcpAddress>) => {
    if (accepted === undefined) accepted = connection
    else Effect.runSync(connection.abort)
  }
  const listener = yield* network.listen(anyPort, { connected, failed: () => {} })
  const socket = net.connect({ host: "127.0.0.1", port: listener.address.port, allowHalfOpen: true })
  socket.on("error", () => {})
  yield* Effect.addFinalizer(() => Effect.sync(() => void socket.destroy()))
  yield* until(() => accepted !== undefined && !socket.connecting)
  yield* Effect.addFinalizer(() => accepted!.abort)
  return { stream: accepted!, socket }
})

/** How many finalizers a scope holds: a scope that is used for long must not collect those of what has failed. */
export const finalizersOf = (scope: Scope.Scope): number => {
  const { state } = scope
  if (state._tag !== "Open") return 0
  return state.finalizer === undefined ? state.finalizers?.size ?? 0 : 1
}

export const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1")
